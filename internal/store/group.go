package store

import "context"

// DeploymentGroup is a set of deployments that are worked on together.
type DeploymentGroup struct {
	Owned
	ID              string
	Description     string
	BlueprintID     string // of deployments made in the group; "" for none
	DefaultInputs   map[string]any
	CreationCounter int // how many deployments were made in it
	Labels          []Label
}

// ExecutionGroup runs one workflow on all deployments of a group.
type ExecutionGroup struct {
	Owned
	ID                string // uuid
	DeploymentGroupID string
	WorkflowID        string
	Concurrency       int    // members that may run at once; 0 pauses the group
	SuccessGroupID    string // deployment group that deployments of terminated members join; "" for none
	FailureGroupID    string // the same of failed ones
}

// GroupReader reads groups. Filter fields of deployment groups: id,
// tenant_name, created_by, visibility, created_at; of execution groups also
// deployment_group_id, workflow_id. Search: id.
type GroupReader interface {
	GetDeploymentGroup(ctx context.Context, tenant, id string) (DeploymentGroup, error)
	ListDeploymentGroups(ctx context.Context, q Query) (Page[DeploymentGroup], error)
	// GroupMembers lists the ids of a group's deployments, in text order.
	GroupMembers(ctx context.Context, tenant, id string) ([]string, error)
	// GroupsOf lists the ids of the groups that deployments are in, in text
	// order; one that is in none is not among the keys.
	GroupsOf(ctx context.Context, deployments []DeploymentKey) (map[DeploymentKey][]string, error)
	GetExecutionGroup(ctx context.Context, tenant, id string) (ExecutionGroup, error)
	ListExecutionGroups(ctx context.Context, q Query) (Page[ExecutionGroup], error)
	// FullGroups lists the ids of the execution groups that have no place for
	// another member.
	FullGroups(ctx context.Context) ([]string, error)
}

// GroupWriter changes groups. The Update methods replace all but the key.
type GroupWriter interface {
	AddDeploymentGroup(ctx context.Context, g DeploymentGroup) error
	UpdateDeploymentGroup(ctx context.Context, g DeploymentGroup) error
	// DeleteDeploymentGroup leaves its deployments as they are.
	DeleteDeploymentGroup(ctx context.Context, tenant, id string) error
	// AddGroupMembers adds deployments; those that are in it already stay.
	AddGroupMembers(ctx context.Context, tenant, id string, deployments []string) error
	RemoveGroupMembers(ctx context.Context, tenant, id string, deployments []string) error
	AddExecutionGroup(ctx context.Context, g ExecutionGroup) error
	UpdateExecutionGroup(ctx context.Context, g ExecutionGroup) error
}
