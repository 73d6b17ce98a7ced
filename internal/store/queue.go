package store

import "context"

// DeploymentKey names a deployment.
type DeploymentKey struct{ Tenant, ID string }

// Beside are the executions that may be in the way of one of a deployment,
// each list oldest first.
type Beside struct {
	Active     []Execution // active ones that are system-wide or of the deployment
	SystemWide []Execution // queued ones that are system-wide
	Queued     []Execution // queued ones of the deployment that are not, up to a limit
}

// QueueReader reads what decides who may start. It costs little, however long
// the queue and however many executions there have been. It only tells id,
// tenant, creator, deployment, workflow, group, status, times of creation and
// queueing, whether an execution is system-wide and if so the parameters.
type QueueReader interface {
	// HeadOfQueue lists what is queued, oldest first: all system-wide executions,
	// and up to limit others.
	HeadOfQueue(ctx context.Context, limit int) (systemWide, others []Execution, err error)
	// NextQueued finds the first in the queue that is not system-wide, whose
	// deployment is not among the busy ones and whose group is not among the
	// full ones. It passes over all that wait for one deployment at once, and
	// costs as much as there are deployments that are waited for.
	// It gives ErrNotFound if there is none.
	NextQueued(ctx context.Context, busy []DeploymentKey, full []string) (Execution, error)
	// ExecutionsBeside reads what may be in the way of an execution of the
	// deployment, with up to limit of those that are queued for it.
	ExecutionsBeside(ctx context.Context, d DeploymentKey, limit int) (Beside, error)
	// ActiveExecutions lists up to limit of all active executions, oldest first;
	// 0 means all.
	ActiveExecutions(ctx context.Context, limit int) ([]Execution, error)
}
