package store

import "context"

// DeploymentKey names a deployment.
type DeploymentKey struct{ Tenant, ID string }

// QueueReader reads what decides who may start. It costs little, however long
// the queue and however many executions there have been. Its lists only tell id,
// tenant, creator, deployment, workflow, group, status, times of creation and
// queueing, whether it is system-wide and if so the parameters.
type QueueReader interface {
	// NextQueued finds the first in the queue that is not system-wide, whose
	// deployment is not among the busy ones and whose group is not among the
	// full ones. A workflow of the name exempt is found on busy deployments too,
	// unless very many wait before it.
	// It gives ErrNotFound if there is none.
	NextQueued(ctx context.Context, busy []DeploymentKey, full []string, exempt string) (Execution, error)
	// QueuedOf lists up to limit queued executions of a deployment that are not
	// system-wide, oldest first.
	QueuedOf(ctx context.Context, d DeploymentKey, limit int) ([]Execution, error)
	// QueuedSystemWide lists the queued system-wide executions, oldest first.
	QueuedSystemWide(ctx context.Context) ([]Execution, error)
	// ActiveBeside lists the active executions that are system-wide or of the
	// deployment, oldest first.
	ActiveBeside(ctx context.Context, d DeploymentKey) ([]Execution, error)
	// ActiveExecutions lists up to limit of all active executions, oldest first;
	// 0 means all.
	ActiveExecutions(ctx context.Context, limit int) ([]Execution, error)
}
