package manager

import (
	"context"

	"windlass/internal/catalog"
	"windlass/internal/execution"
	"windlass/internal/store"
)

// forgetting lets the workers of a deployment, and the plugins that were
// installed for it alone, go with its environment.
func (m *Manager) forgetting(workflows map[string]execution.SystemWorkflow) map[string]execution.SystemWorkflow {
	remove := workflows[catalog.WorkflowDelete]
	workflows[catalog.WorkflowDelete] = func(ctx context.Context, e store.Execution, h execution.SystemHost) error {
		err := remove(ctx, e, h)
		if err == nil {
			m.python.Forget(e.Tenant, e.DeploymentID)
			err = m.plugins.forget(e.Tenant, e.DeploymentID)
		}
		return err
	}
	return workflows
}
