package store

import "context"

// Dependency says that one deployment needs another one.
type Dependency struct {
	Owned
	ID               string // uuid
	Creator          string // what in the source made it, such as component.vm_a1b2c3
	SourceDeployment string // "" if the source is on another manager
	TargetDeployment string // "" if it is not known yet, or on another manager
	TargetFunc       any    // the function that gives the target; nil: none
	ExternalSource   map[string]any
	ExternalTarget   map[string]any
}

// DependencyReader reads dependencies between deployments. Filter fields: id,
// dependency_creator, source_deployment_id, target_deployment_id, tenant_name,
// created_by, visibility, created_at. Search: id.
type DependencyReader interface {
	// GetDependency finds a dependency by source and creator.
	GetDependency(ctx context.Context, tenant, source, creator string) (Dependency, error)
	ListDependencies(ctx context.Context, q Query) (Page[Dependency], error)
}

// DependencyWriter changes dependencies. Those from a deployment go with it;
// those to it lose their target.
type DependencyWriter interface {
	// PutDependency adds a dependency, or replaces that of the same source and
	// creator, which keeps its id and creation time.
	PutDependency(ctx context.Context, d Dependency) (Dependency, error)
	DeleteDependency(ctx context.Context, tenant, id string) error
}
