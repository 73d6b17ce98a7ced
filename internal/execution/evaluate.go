package execution

import (
	"context"
	"errors"
	"slices"
	"strings"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/problem"
	"windlass/internal/store"
	"windlass/internal/value"
)

// maxDeploymentHops bounds how many deployments one evaluation may pass
// through, so that capabilities that need each other end in an error.
const maxDeploymentHops = 20

// Evaluate replaces the functions in payload by their values as the deployment
// is now. See functions.Evaluate for its errors; an unknown deployment is a
// not-found *Refusal.
func (s *Service) Evaluate(ctx context.Context, tenant, deployment string, payload any, scope functions.Scope) (any, error) {
	if !functions.Contains(payload) {
		return payload, nil
	}
	d, err := s.store.GetDeployment(ctx, tenant, deployment)
	if errors.Is(err, store.ErrNotFound) {
		return nil, refuse(CodeNotFound, "Requested `Deployment` with ID `%s` was not found", deployment)
	} else if err != nil {
		return nil, err
	}
	return s.evaluateIn(ctx, s.store, d, payload, scope)
}

func (s *Service) evaluateIn(ctx context.Context, r store.Reader, d store.Deployment, payload any, scope functions.Scope) (any, error) {
	if !functions.Contains(payload) {
		return payload, nil
	}
	return functions.Evaluate(ctx, payload, scope, &facts{reader: r, secrets: s.cfg.Secrets, d: d})
}

// facts tell functions what a deployment is now.
type facts struct {
	reader  store.Reader
	secrets SecretOpener
	d       store.Deployment
	hops    int
}

var _ functions.State = (*facts)(nil)

func (f *facts) Input(_ context.Context, name string) (any, error) {
	v, ok := f.d.Inputs[name]
	if !ok {
		return nil, problem.New(problem.KeyMissing, "Deployment %s has no input named %s", f.d.ID, name)
	}
	return v, nil
}

func (f *facts) Node(ctx context.Context, id string) (functions.Node, error) {
	n, err := f.reader.GetNode(ctx, f.d.Tenant, f.d.ID, id)
	if errors.Is(err, store.ErrNotFound) {
		return functions.Node{}, problem.New(problem.KeyMissing, "Deployment %s has no node named %s", f.d.ID, id)
	}
	return functions.Node{ID: n.ID, Properties: n.Properties, Relationships: n.Relationships}, err
}

func (f *facts) Instance(ctx context.Context, id string) (functions.Instance, error) {
	i, err := f.reader.GetInstance(ctx, f.d.Tenant, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && i.DeploymentID != f.d.ID {
		return functions.Instance{}, problem.New(problem.KeyMissing, "Deployment %s has no node instance %s", f.d.ID, id)
	}
	return instanceFacts(i), err
}

func instanceFacts(i store.NodeInstance) functions.Instance {
	return functions.Instance{
		ID: i.ID, NodeID: i.NodeID, Index: i.Index, RuntimeProperties: i.RuntimeProperties,
		Relationships: i.Relationships, ScalingGroups: i.ScalingGroups,
	}
}

func (f *facts) Instances(ctx context.Context, node string) ([]functions.Instance, error) {
	page, err := f.reader.ListInstances(ctx, store.Query{Filters: []store.Filter{
		tenantIs(f.d.Tenant), {Field: "deployment_id", Values: []string{f.d.ID}}, {Field: "node_id", Values: []string{node}},
	}})
	if err != nil {
		return nil, err
	}
	found := make([]functions.Instance, len(page.Items))
	for k, i := range page.Items {
		found[k] = instanceFacts(i)
	}
	return found, nil
}

func (f *facts) Secret(ctx context.Context, key string) (string, error) {
	if f.secrets == nil {
		return "", problem.New(problem.KeyMissing, "Requested `Secret` with ID `%s` was not found", key)
	}
	text, err := f.secrets.OpenSecret(ctx, f.d.Tenant, key)
	if errors.Is(err, store.ErrNotFound) {
		return "", problem.New(problem.KeyMissing, "Requested `Secret` with ID `%s` was not found", key)
	}
	return text, err
}

func (f *facts) Capability(ctx context.Context, deployment, name string) (any, error) {
	d := f.d
	if deployment != d.ID {
		var err error
		d, err = f.reader.GetDeployment(ctx, f.d.Tenant, deployment)
		if errors.Is(err, store.ErrNotFound) {
			return nil, problem.New(problem.FunctionEvaluation, "Requested `Deployment` with ID `%s` was not found", deployment)
		} else if err != nil {
			return nil, err
		}
	}
	c, ok := d.Capabilities[name]
	if !ok {
		return nil, problem.New(problem.FunctionEvaluation, "Requested capability `%s` is not declared in deployment `%s`", name, deployment)
	}
	if f.hops == maxDeploymentHops {
		return nil, problem.New(problem.EvaluationRecursion,
			"The capability `%s` of deployment `%s` is worked out from more than %d other deployments in a row; do they refer to each other?",
			name, deployment, maxDeploymentHops)
	}
	there := &facts{reader: f.reader, secrets: f.secrets, d: d, hops: f.hops + 1}
	return functions.Evaluate(ctx, value.Copy(c.Value.V), functions.Scope{Path: "capabilities." + name + ".value"}, there)
}

func (f *facts) GroupCapability(_ context.Context, group string, _ any, _ []any) (any, error) {
	return nil, problem.New(problem.FunctionEvaluation, "Requested `DeploymentGroup` with ID `%s` was not found", group)
}

func (f *facts) Label(_ context.Context, key string) ([]string, error) {
	var values []string
	for _, l := range f.sortedLabels() {
		if l.Key == key {
			values = append(values, l.Value)
		}
	}
	return values, nil
}

func (f *facts) sortedLabels() []store.Label {
	return slices.SortedStableFunc(slices.Values(f.d.Labels), func(a, b store.Label) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.Value, b.Value)
	})
}

func (f *facts) Consumers(ctx context.Context) ([]functions.Consumer, error) {
	ids, err := f.Label(ctx, "csys-consumer-id")
	if err != nil {
		return nil, err
	}
	consumers := make([]functions.Consumer, len(ids))
	for k, id := range ids {
		consumers[k] = functions.Consumer{ID: id, Name: id}
		d, err := f.reader.GetDeployment(ctx, f.d.Tenant, id)
		if err == nil {
			consumers[k].Name = d.DisplayName
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	return consumers, nil
}

func (f *facts) Fact(_ context.Context, entity, property string) (any, error) {
	switch entity + "." + property {
	case "tenant.name":
		return f.d.Tenant, nil
	case "deployment.id":
		return f.d.ID, nil
	case "deployment.name":
		return f.d.DisplayName, nil
	case "deployment.blueprint":
		return f.d.BlueprintID, nil
	case "deployment.owner":
		return f.d.CreatedBy, nil
	}
	return nil, problem.New(problem.UnknownSysProperty, "get_sys knows nothing of %s %s", entity, property)
}

// evaluateMap evaluates the functions in m for the run's deployment as it is now.
func (r *run) evaluateMap(ctx context.Context, m map[string]any, scope functions.Scope) (map[string]any, error) {
	if !functions.Contains(m) {
		return m, nil
	}
	v, err := r.s.Evaluate(ctx, r.e.Tenant, r.e.DeploymentID, m, scope)
	if err != nil {
		return nil, err
	}
	evaluated, _ := v.(map[string]any)
	return evaluated, nil
}
