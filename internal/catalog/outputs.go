package catalog

import (
	"context"
	"fmt"
	"net/http"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/store"
	"windlass/internal/value"
)

// Evaluator works out intrinsic functions with what a deployment is now.
type Evaluator interface {
	Evaluate(ctx context.Context, tenant, deployment string, payload any, scope functions.Scope) (any, error)
}

// Outputs evaluates the deployment's outputs. What can't be worked out yet is
// null or, where the original says so, a text that tells why.
func (s *Service) Outputs(ctx context.Context, tenant, deployment string) (map[string]any, error) {
	return s.exposed(ctx, tenant, deployment, "deployment_outputs_evaluation_error",
		func(d store.Deployment) map[string]plan.Output { return d.Outputs })
}

// Capabilities evaluates what the deployment offers to others.
func (s *Service) Capabilities(ctx context.Context, tenant, deployment string) (map[string]any, error) {
	return s.exposed(ctx, tenant, deployment, "deployment_capabilities_evaluation_error",
		func(d store.Deployment) map[string]plan.Output { return d.Capabilities })
}

func (s *Service) exposed(
	ctx context.Context, tenant, deployment, code string, pick func(store.Deployment) map[string]plan.Output,
) (map[string]any, error) {
	d, err := s.store.GetDeployment(ctx, tenant, deployment)
	if err != nil {
		return nil, err
	}
	defined := pick(d)
	result := make(map[string]any, len(defined))
	for _, name := range value.SortedKeys(defined) {
		v, err := s.evaluator.Evaluate(ctx, d.Tenant, d.ID, value.Copy(defined[name].Value.V), functions.Scope{Outputs: true})
		if missingSecret(err, defined[name].Value.V) {
			continue // dropped from the result, as the original does
		}
		if err != nil {
			return nil, refusal(http.StatusBadRequest, code, fmt.Sprintf("%s: %v", name, err))
		}
		result[name] = v
	}
	return result, nil
}

// missingSecret tells whether err is about a secret that is not there and v is
// directly the function that asked for it.
func missingSecret(err error, v any) bool {
	m, ok := v.(map[string]any)
	if err == nil || !ok {
		return false
	}
	_, direct := m["get_secret"]
	return direct && isNotFound(err)
}

// EvaluateFunctions evaluates the functions in payload. The scope may name, as
// self, source and target, the instances that stand for SELF, SOURCE and TARGET,
// and as node the node that the payload belongs to.
func (s *Service) EvaluateFunctions(
	ctx context.Context, tenant, deployment string, payload, scope map[string]any,
) (map[string]any, error) {
	d, err := s.store.GetDeployment(ctx, tenant, deployment)
	if err != nil {
		return nil, err
	}
	name := func(key string) string {
		id, _ := scope[key].(string)
		return id
	}
	v, err := s.evaluator.Evaluate(ctx, d.Tenant, d.ID, value.CopyMap(payload),
		functions.Scope{Self: name("self"), Source: name("source"), Target: name("target"), Node: name("node")})
	if err != nil {
		if problem.All(err) == nil && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, refusal(http.StatusBadRequest, "functions_evaluation_error", err.Error())
	}
	evaluated, ok := v.(map[string]any)
	if !ok { // the payload itself was a function
		return nil, refusal(http.StatusBadRequest, "functions_evaluation_error",
			"the payload must be an object that holds functions, not a function itself")
	}
	return evaluated, nil
}
