package python

import (
	"context"

	"windlass/internal/operation"
)

// LocalPlugin is the plugin's name of the tasks that a Python workflow performs
// itself.
const LocalPlugin = "cloudify_workflow_local"

// liveWorkflows are the workflows that run now, by execution.
type liveWorkflows struct{}

func (r *Runner) runLocal(ctx context.Context, req *operation.Request, host operation.Host) (any, error) {
	return nil, nonRecoverable("the workflow of execution %s doesn't run here", req.ExecutionID)
}
