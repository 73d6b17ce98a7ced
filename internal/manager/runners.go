package manager

import (
	"context"

	"windlass/internal/operation"
	"windlass/internal/operation/python"
	"windlass/internal/plugin"
)

// programs finds the plugins that are programs which speak the plugin protocol,
// of blueprints and uploaded ones.
type programs struct{ environments *plugin.Environments }

// folder is where the plugin's program is; "" if the plugin is of another kind.
func (p programs) folder(ctx context.Context, req *operation.Request) (string, error) {
	return p.environments.Program(ctx, python.Query{
		Tenant: req.Tenant, DeploymentID: req.DeploymentID, BlueprintID: req.BlueprintID, Plugin: req.Plugin,
	})
}
