package operation

import (
	"context"

	"windlass/internal/blueprint/plan"
)

// WorkflowPlugin is the plugin's name of the tasks that a custom workflow
// performs itself. They belong to no node and take no place among the
// operations that may run at once: they may wait for operations.
const WorkflowPlugin = "cloudify_workflow_local"

// Surroundings is what a workflow.Host may offer in addition to workflows that
// run in processes of their own. A workflow whose host lacks it works, but knows
// less: no runtime properties, no resources, no REST API, and it hears of a
// cancel only between its graphs.
type Surroundings interface {
	// About tells for whom the workflow runs.
	About(ctx context.Context) (About, error)
	// Asked is closed when the execution is to be cancelled, and Forced when its
	// workflow is to be ended at once. Kill tells that operations end, too; it is
	// closed before Forced.
	Asked() (asked, forced, kill <-chan struct{})
	// Event stores an event of the execution; eventType is such as
	// workflow_stage, nodeInstanceID is "" unless it tells of an instance.
	Event(eventType, message, nodeInstanceID string)
	// Line stores a log line of a logger of the workflow; name follows "ctx." in
	// the logger's name, and nodeInstanceID is "" unless it tells of an instance.
	Line(name, level, message, nodeInstanceID string)
	// Instance returns an instance as it is stored now.
	Instance(ctx context.Context, instanceID string) (Instance, error)
	// UpdateInstance stores runtime properties read at the given version and
	// returns the new version. It gives ErrConflict if they were changed
	// meanwhile.
	UpdateInstance(ctx context.Context, instanceID string, version int, runtime map[string]any) (int, error)
	// Resource returns a file of the deployment, the blueprint, or the shared
	// resources; ErrNoResource if none has it.
	Resource(ctx context.Context, path string) ([]byte, error)
}

// About tells for whom a workflow runs.
type About struct {
	Tenant, ExecutionCreator                 string
	BlueprintID                              string
	DeploymentDisplayName, DeploymentCreator string
	ResourceTags                             map[string]any // functions are evaluated
	RuntimeOnlyEvaluation                    bool
	WaitAfterFail                            int    // seconds
	WorkDir                                  string // of the deployment; exists; "" for none
	Token, RestURL                           string
	// Plugins are those that the deployment's workflows use; plugins of nodes
	// are found at the nodes.
	Plugins []plan.Plugin
}
