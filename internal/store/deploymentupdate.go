package store

import "context"

// States of a deployment update.
const (
	UpdateUpdating   = "updating"
	UpdateExecuting  = "executing_workflow"
	UpdateFinalizing = "finalizing"
	UpdateSuccessful = "successful"
	UpdateFailed     = "failed"
	UpdatePreview    = "preview" // it was a preview, and has ended
)

// DeploymentUpdate is the change of a deployment to another blueprint or other
// inputs: what was asked for, and, once that is worked out, what changes.
type DeploymentUpdate struct {
	Owned
	ID                    string // <deployment>-<uuid>
	DeploymentID          string
	ExecutionID           string // which carries it out; "" for none
	OldBlueprintID        string
	NewBlueprintID        string
	State                 string
	RuntimeOnlyEvaluation bool
	OldInputs             map[string]any
	NewInputs             map[string]any
	// Details has what it changes, by the names of the REST API; nil until that
	// is worked out.
	Details map[string]any
}

// DeploymentUpdateReader reads deployment updates. Filter fields: id,
// deployment_id, execution_id, state, old_blueprint_id, new_blueprint_id,
// tenant_name, created_by, visibility, created_at. Search: id.
type DeploymentUpdateReader interface {
	GetDeploymentUpdate(ctx context.Context, tenant, id string) (DeploymentUpdate, error)
	ListDeploymentUpdates(ctx context.Context, q Query) (Page[DeploymentUpdate], error)
}

// DeploymentUpdateWriter changes deployment updates. UpdateDeploymentUpdate
// replaces all but the key. They go with their deployment.
type DeploymentUpdateWriter interface {
	// AddDeploymentUpdate gives ErrExists if the id is taken.
	AddDeploymentUpdate(ctx context.Context, u DeploymentUpdate) error
	UpdateDeploymentUpdate(ctx context.Context, u DeploymentUpdate) error
}
