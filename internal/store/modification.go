package store

import (
	"context"
	"time"
)

// Statuses of a modification.
const (
	ModificationStarted    = "started"
	ModificationFinished   = "finished"
	ModificationRolledBack = "rolledback"
)

// Modification is a change of how many instances a deployment has, from the
// moment that they are planned until it is finished or rolled back.
type Modification struct {
	Owned
	ID           string // uuid
	DeploymentID string
	ExecutionID  string    // which works on it; "" for one made by hand
	Status       string    // started, finished, rolledback
	EndedAt      time.Time // zero: not yet
	Context      map[string]any
	// ModifiedNodes has what was asked for, by name of node or scaling group.
	ModifiedNodes map[string]any
	// NodeInstances has the lists added_and_related, removed_and_related,
	// extended_and_related, reduced_and_related, before_modification, and
	// before_rollback once it was rolled back.
	NodeInstances map[string]any
}

// ModificationReader reads modifications. Filter fields: id, deployment_id,
// execution_id, status, tenant_name, created_by, visibility, created_at,
// ended_at. Search: id.
type ModificationReader interface {
	GetModification(ctx context.Context, tenant, id string) (Modification, error)
	ListModifications(ctx context.Context, q Query) (Page[Modification], error)
}

// ModificationWriter changes modifications. UpdateModification replaces all but
// the key. They go with their deployment.
type ModificationWriter interface {
	// AddModification gives ErrExists if the id is taken.
	AddModification(ctx context.Context, m Modification) error
	UpdateModification(ctx context.Context, m Modification) error
}
