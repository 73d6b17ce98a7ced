package catalog

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"windlass/internal/execution"
	"windlass/internal/store"
)

// Labels that tie deployments together: a child names its parents, and they
// name it in turn, together with those that share them.
const (
	ParentLabel   = "csys-obj-parent"
	ConsumerLabel = "csys-consumer-id"
)

// Beginnings of the creators of dependencies, which tell their kinds.
const (
	componentCreator = "component."
	sharedCreator    = "sharedresource."
)

// disruptive are the workflows that others must not depend on the deployment for.
var disruptive = []string{"stop", "uninstall", "update", "csys_new_deployment_update", "heal"}

// Dependents lists, one line each, why other deployments forbid a workflow on
// a deployment.
func Dependents(ctx context.Context, tx store.Tx, d store.Deployment, workflowID string, parameters map[string]any) ([]string, error) {
	if !slices.Contains(disruptive, workflowID) {
		return nil, nil
	}
	recursive, _ := parameters["recursive"].(bool)
	return dependentsOf(ctx, tx, d, neglect{
		children: workflowID == "uninstall" && recursive, inactive: workflowID == "uninstall", busy: true, leaving: true,
	})
}

// neglect says who does not count as a dependent.
type neglect struct {
	children bool // deployments that have this one as their parent
	inactive bool // users of capabilities that are not installed
	busy     bool // users that are being taken down or changed themselves: a component goes while its creator does
	leaving  bool // the same of children
}

func dependentsOf(ctx context.Context, r store.Reader, d store.Deployment, n neglect) ([]string, error) {
	var lines []string
	add := func(format string, args ...any) {
		lines = append(lines, fmt.Sprintf("[%d] ", len(lines)+1)+fmt.Sprintf(format, args...))
	}
	users, err := usersOf(ctx, r, d)
	if err != nil {
		return nil, err
	}
	for _, dep := range users {
		counts, err := n.counts(ctx, r, dep)
		if err != nil {
			return nil, err
		}
		if counts {
			source := "`" + dep.SourceDeployment + "`"
			if dep.Tenant != d.Tenant {
				source += " of tenant `" + dep.Tenant + "`"
			}
			add("Deployment %s %s the current deployment in its node `%s`", source, relation(dep.Creator), nodeOf(dep.Creator))
		}
	}
	if n.children {
		return lines, nil
	}
	children, err := childrenOf(ctx, r, d)
	if err != nil {
		return nil, err
	}
	for _, child := range children {
		busy := false
		if n.leaving {
			if busy, err = isBusy(ctx, r, d.Tenant, child); err != nil {
				return nil, err
			}
		}
		if !busy {
			add("Deployment `%s` is the parent of deployment `%s`", d.ID, child)
		}
	}
	return lines, nil
}

// usersOf lists the dependencies on a deployment. A global one has some in other
// tenants, too, if they have no deployment of its name themselves.
func usersOf(ctx context.Context, r store.Reader, d store.Deployment) ([]store.Dependency, error) {
	q := store.Query{Filters: []store.Filter{{Field: "target_deployment_id", Values: []string{d.ID}}}}
	if d.Visibility != store.Global {
		q.Tenants = []string{d.Tenant}
	}
	page, err := r.ListDependencies(ctx, q)
	if err != nil {
		return nil, err
	}
	var users []store.Dependency
	for _, dep := range page.Items {
		if dep.Tenant != d.Tenant {
			meant, err := r.GetDeployment(ctx, dep.Tenant, d.ID)
			if isNotFound(err) || err == nil && meant.Tenant != d.Tenant {
				continue
			} else if err != nil {
				return nil, err
			}
		}
		users = append(users, dep)
	}
	return users, nil
}

func (n neglect) counts(ctx context.Context, r store.Reader, dep store.Dependency) (bool, error) {
	if dep.SourceDeployment == "" {
		return false, nil
	}
	source, err := r.GetDeployment(ctx, dep.Tenant, dep.SourceDeployment)
	if isNotFound(err) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	isCapability := !strings.HasPrefix(dep.Creator, componentCreator) && !strings.HasPrefix(dep.Creator, sharedCreator)
	if n.inactive && isCapability && source.InstallationStatus != "active" {
		return false, nil
	}
	if !n.busy {
		return true, nil
	}
	busy, err := isBusy(ctx, r, source.Tenant, source.ID)
	return !busy, err
}

// isBusy tells whether a disruptive workflow runs on a deployment: it is what
// asks, or would not mind.
func isBusy(ctx context.Context, r store.Reader, tenant, id string) (bool, error) {
	statuses := make([]string, len(store.ActiveStatuses))
	for i, s := range store.ActiveStatuses {
		statuses[i] = string(s)
	}
	page, err := r.ListExecutions(ctx, store.Query{Limit: 1, Filters: []store.Filter{
		{Field: "tenant_name", Values: []string{tenant}}, {Field: "deployment_id", Values: []string{id}},
		{Field: "status", Values: statuses}, {Field: "workflow_id", Values: disruptive},
	}})
	return len(page.Items) > 0, err
}

// childrenOf lists the deployments that name d as their parent, but for those
// that are its components: they come and go with it.
func childrenOf(ctx context.Context, r store.Reader, d store.Deployment) ([]string, error) {
	var children []string
	for _, l := range d.Labels {
		if l.Key != ConsumerLabel {
			continue
		}
		child, err := r.GetDeployment(ctx, d.Tenant, l.Value)
		if isNotFound(err) {
			continue
		} else if err != nil {
			return nil, err
		}
		if !slices.Contains(parentsOf(child.Labels), d.ID) {
			continue
		}
		mine, err := r.ListDependencies(ctx, store.Query{Tenants: []string{d.Tenant}, Filters: []store.Filter{
			{Field: "source_deployment_id", Values: []string{d.ID}}, {Field: "target_deployment_id", Values: []string{child.ID}},
			{Field: "dependency_creator", Op: store.StartsWith, Values: []string{componentCreator}},
		}})
		if err != nil {
			return nil, err
		}
		if len(mine.Items) == 0 {
			children = append(children, child.ID)
		}
	}
	return children, nil
}

func parentsOf(labels []store.Label) (parents []string) {
	for _, l := range labels {
		if l.Key == ParentLabel {
			parents = append(parents, l.Value)
		}
	}
	return parents
}

// relation says what a dependency means, by its creator.
func relation(creator string) string {
	switch {
	case strings.HasPrefix(creator, componentCreator):
		return "contains"
	case strings.HasPrefix(creator, sharedCreator):
		return "uses a shared resource from"
	}
	return "uses capabilities of"
}

// nodeOf is the node that a creator speaks of.
func nodeOf(creator string) string {
	kind, rest, _ := strings.Cut(creator, ".")
	name, _, _ := strings.Cut(rest, ".")
	if kind+"." == componentCreator || kind+"." == sharedCreator {
		if i := strings.LastIndex(name, "_"); i > 0 { // an instance's id
			return name[:i]
		}
	}
	return name
}

// Relabel tells parents of a deployment whose labels change that it names them
// now, or does not any more. It refuses parents that there are not, and that
// would be their own ancestors.
func Relabel(ctx context.Context, tx store.Tx, d store.Deployment, before, after []store.Label) error {
	was, is := parentsOf(before), parentsOf(after)
	for _, parent := range is {
		if err := checkAncestry(ctx, tx, d, parent); err != nil {
			return err
		}
	}
	for _, parent := range is {
		if err := Consume(ctx, tx, d, parent, true); err != nil {
			return err
		}
	}
	for _, parent := range was {
		if !slices.Contains(is, parent) {
			if err := Consume(ctx, tx, d, parent, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkAncestry follows the parents up.
func checkAncestry(ctx context.Context, r store.Reader, d store.Deployment, parent string) error {
	seen := map[string]bool{}
	for next := []string{parent}; len(next) > 0; next = next[1:] {
		id := next[0]
		if id == d.ID {
			return refusal(http.StatusConflict, "conflict_error", "cyclic dependencies: "+d.ID)
		}
		if seen[id] {
			continue
		}
		seen[id] = true
		p, err := r.GetDeployment(ctx, d.Tenant, id)
		if isNotFound(err) && id == parent {
			return refusal(http.StatusNotFound, "deployment_parent_not_found_error",
				fmt.Sprintf("Environment referenced by `%s` not found: %s", ParentLabel, parent))
		}
		if err != nil && !isNotFound(err) {
			return err
		}
		next = append(next, parentsOf(p.Labels)...)
	}
	return nil
}

// Consume notes among the labels of a deployment that d needs it, or no longer
// does. One that there is not is no error.
func Consume(ctx context.Context, tx store.Tx, d store.Deployment, of string, does bool) error {
	p, err := tx.GetDeployment(ctx, d.Tenant, of)
	if isNotFound(err) {
		return nil
	} else if err != nil {
		return err
	}
	mine := func(l store.Label) bool { return l.Key == ConsumerLabel && l.Value == d.ID }
	if slices.ContainsFunc(p.Labels, mine) == does {
		return nil
	}
	if does {
		p.Labels = append(p.Labels, store.Label{Key: ConsumerLabel, Value: d.ID, CreatedAt: d.CreatedAt, CreatedBy: d.CreatedBy})
	} else {
		p.Labels = slices.DeleteFunc(p.Labels, mine)
	}
	return tx.UpdateDeployment(ctx, p)
}

// Depend stores that one deployment needs another. It refuses what would make
// them need each other, and ends that there are not.
func Depend(ctx context.Context, tx store.Tx, dep store.Dependency) (store.Dependency, error) {
	var source store.Deployment
	if dep.ExternalSource == nil {
		var err error
		if source, err = tx.GetDeployment(ctx, dep.Tenant, dep.SourceDeployment); err != nil {
			return dep, err
		}
	}
	if dep.TargetDeployment != "" && dep.ExternalTarget == nil {
		if _, err := tx.GetDeployment(ctx, dep.Tenant, dep.TargetDeployment); err != nil {
			return dep, err
		}
		if err := checkCycle(ctx, tx, dep); err != nil {
			return dep, err
		}
	}
	dep, err := tx.PutDependency(ctx, dep)
	if err == nil && source.ID != "" && strings.HasPrefix(dep.Creator, sharedCreator) {
		err = Consume(ctx, tx, source, dep.TargetDeployment, true)
	}
	return dep, err
}

// checkCycle refuses a dependency on what depends on its source.
func checkCycle(ctx context.Context, r store.Reader, dep store.Dependency) error {
	circle, err := execution.DependsOn(ctx, r, dep.Tenant, dep.TargetDeployment, dep.SourceDeployment)
	if err == nil && circle {
		err = refusal(http.StatusConflict, "conflict_error",
			fmt.Sprintf("cyclic dependency between deployments %s and %s", dep.SourceDeployment, dep.TargetDeployment))
	}
	return err
}

// Release removes a dependency.
func Release(ctx context.Context, tx store.Tx, dep store.Dependency) error {
	if err := tx.DeleteDependency(ctx, dep.Tenant, dep.ID); err != nil {
		return err
	}
	if !strings.HasPrefix(dep.Creator, sharedCreator) {
		return nil
	}
	others, err := tx.ListDependencies(ctx, store.Query{Tenants: []string{dep.Tenant}, Limit: 1, Filters: []store.Filter{
		{Field: "source_deployment_id", Values: []string{dep.SourceDeployment}},
		{Field: "target_deployment_id", Values: []string{dep.TargetDeployment}},
		{Field: "dependency_creator", Op: store.StartsWith, Values: []string{sharedCreator}},
	}})
	if err != nil || others.Total > 0 {
		return err
	}
	source, err := tx.GetDeployment(ctx, dep.Tenant, dep.SourceDeployment)
	if err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	}
	if slices.Contains(parentsOf(source.Labels), dep.TargetDeployment) {
		return nil
	}
	return Consume(ctx, tx, source, dep.TargetDeployment, false)
}
