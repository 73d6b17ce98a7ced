package execution

import (
	"context"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
)

// mergeParameters makes e's parameters from those given, with what the
// deployment's state says now.
func (s *Service) mergeParameters(_ context.Context, _ store.Tx, _ store.Deployment, w plan.Workflow,
	e store.Execution, given map[string]any,
) (map[string]any, error) {
	return Declared{Workflow: e.WorkflowID, Parameters: w.Parameters}.Merge(given, e.AllowCustomParameters, nil, nil)
}
