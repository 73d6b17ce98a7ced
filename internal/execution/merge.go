package execution

import (
	"context"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/schema"
	"windlass/internal/store"
)

// mergeParameters makes e's parameters from those given, with what the
// deployment's state says now.
func (s *Service) mergeParameters(ctx context.Context, tx store.Tx, d store.Deployment, w plan.Workflow,
	e store.Execution, given map[string]any,
) (map[string]any, error) {
	evaluate := func(m map[string]any) (map[string]any, error) {
		v, err := s.evaluateIn(ctx, tx, d, m, functions.Scope{Path: "parameters"})
		if err != nil {
			return nil, err
		}
		evaluated, _ := v.(map[string]any)
		return evaluated, nil
	}
	known := objects{ctx: ctx, reader: tx, deployment: d, evaluate: func(d store.Deployment, payload any) (any, error) {
		return s.evaluateIn(ctx, tx, d, payload, functions.Scope{})
	}}
	check := func(name string, declared plan.Schema, v any) error {
		if p := schema.CheckConstraints(name, v, declared, known); p != nil {
			return p
		}
		return nil
	}
	return Declared{Workflow: e.WorkflowID, Parameters: w.Parameters}.Merge(given, e.AllowCustomParameters, evaluate, check)
}
