package catalog

import (
	"context"
	"slices"

	"windlass/internal/store"
)

// Family is what a deployment contains: its children, which name it as their
// parent, and theirs. A child is an environment if its labels say so, else a
// service.
type Family struct {
	Services, Environments             int
	ServicesStatus, EnvironmentsStatus string // the worst among them; "" if there are none
}

// objectLabel tells what a deployment is.
const objectLabel = "csys-obj-type"

// statusRank orders the statuses of deployments from best to worst.
var statusRank = map[string]int{"": 0, "good": 1, "in_progress": 2, "requires_attention": 3}

// WorstStatus is the worst of some deployment statuses, where "" is none.
func WorstStatus(statuses ...string) string {
	return slices.MaxFunc(statuses, func(a, b string) int { return statusRank[a] - statusRank[b] })
}

// Families reads what deployments contain, with the reads of one request kept.
type Families struct {
	r    store.Reader
	seen map[store.DeploymentKey]*kin
}

// kin is a deployment on the way down.
type kin struct {
	d        store.Deployment
	children []*kin
	family   Family // whole once known
	known    bool
}

// NewFamilies reads by r.
func NewFamilies(r store.Reader) *Families {
	return &Families{r: r, seen: map[store.DeploymentKey]*kin{}}
}

// Of reads what a deployment contains: all of it, or its children only. The
// status that the deployment itself shows is the worst of its own and these.
// One without consumers costs nothing.
func (f *Families) Of(ctx context.Context, d store.Deployment, all bool) (Family, error) {
	k, err := f.kin(ctx, d)
	if err != nil || all {
		return k.family, err
	}
	var direct Family
	for _, child := range k.children {
		direct.add(child, false)
	}
	return direct, nil
}

func (f *Families) kin(ctx context.Context, d store.Deployment) (*kin, error) {
	key := store.DeploymentKey{Tenant: d.Tenant, ID: d.ID}
	k := f.seen[key]
	if k == nil {
		k = &kin{d: d}
		f.seen[key] = k
	}
	if k.known {
		return k, nil
	}
	k.known = true // before its children: nobody is his own ancestor, but data may say so
	var consumers []string
	for _, l := range d.Labels {
		if l.Key == ConsumerLabel {
			consumers = append(consumers, l.Value)
		}
	}
	if len(consumers) == 0 {
		return k, nil
	}
	page, err := f.r.ListDeployments(ctx, store.Query{Tenants: []string{d.Tenant}, Filters: []store.Filter{{Field: "id", Values: consumers}}})
	if err != nil {
		return k, err
	}
	for _, c := range page.Items {
		if !slices.Contains(parentsOf(c.Labels), d.ID) {
			continue // it shares a resource
		}
		child, err := f.kin(ctx, c)
		if err != nil {
			return k, err
		}
		k.children = append(k.children, child)
		k.family.add(child, true)
	}
	return k, nil
}

// add counts a child, and if below is set what it contains.
func (f *Family) add(child *kin, below bool) {
	status := WorstStatus(child.d.DeploymentStatus, child.family.ServicesStatus, child.family.EnvironmentsStatus)
	if isEnvironment(child.d) {
		f.Environments++
		f.EnvironmentsStatus = WorstStatus(f.EnvironmentsStatus, status)
	} else {
		f.Services++
		f.ServicesStatus = WorstStatus(f.ServicesStatus, status)
	}
	if below {
		f.Services += child.family.Services
		f.Environments += child.family.Environments
		f.ServicesStatus = WorstStatus(f.ServicesStatus, child.family.ServicesStatus)
		f.EnvironmentsStatus = WorstStatus(f.EnvironmentsStatus, child.family.EnvironmentsStatus)
	}
}

func isEnvironment(d store.Deployment) bool {
	return slices.ContainsFunc(d.Labels, func(l store.Label) bool { return l.Key == objectLabel && l.Value == "environment" })
}

// Dependencies lists the ids of the deployments that one needs, directly or
// by others: its parents, and those it has dependencies on.
func Dependencies(ctx context.Context, r store.Reader, d store.Deployment) ([]string, error) {
	seen := map[string]bool{d.ID: true}
	var needs []string
	for next := []store.Deployment{d}; len(next) > 0; next = next[1:] {
		of := next[0]
		page, err := r.ListDependencies(ctx, store.Query{
			Tenants: []string{of.Tenant}, Filters: []store.Filter{{Field: "source_deployment_id", Values: []string{of.ID}}},
		})
		if err != nil {
			return nil, err
		}
		targets := parentsOf(of.Labels)
		for _, dep := range page.Items {
			targets = append(targets, dep.TargetDeployment)
		}
		for _, id := range targets {
			if id == "" || seen[id] {
				continue
			}
			seen[id] = true
			target, err := r.GetDeployment(ctx, of.Tenant, id)
			if isNotFound(err) {
				continue
			} else if err != nil {
				return nil, err
			}
			needs = append(needs, id)
			next = append(next, target)
		}
	}
	return needs, nil
}

// Components lists the ids of the deployments that others contain as components.
func Components(ctx context.Context, r store.Reader, tenants []string) ([]string, error) {
	page, err := r.ListDependencies(ctx, store.Query{
		Tenants: tenants, Filters: []store.Filter{{Field: "dependency_creator", Op: store.StartsWith, Values: []string{componentCreator}}},
	})
	ids := []string{}
	for _, dep := range page.Items {
		if dep.TargetDeployment != "" && !slices.Contains(ids, dep.TargetDeployment) {
			ids = append(ids, dep.TargetDeployment)
		}
	}
	return ids, err
}
