package store

import (
	"context"
	"time"
)

// What stored filters are about.
const (
	FilterBlueprints  = "blueprints"
	FilterDeployments = "deployments"
	FilterWorkflows   = "workflows"
)

// StoredFilter is a set of filter rules under a name.
type StoredFilter struct {
	Owned
	Kind      string // what it is about
	ID        string // unique among the filters of the kind in the tenant
	Rules     []any  // as the API gives them
	UpdatedAt time.Time
}

// FilterReader reads stored filters. A global one of another tenant is found
// too. Filter fields: id, kind, tenant_name, created_by, visibility,
// created_at, updated_at. Search: id.
type FilterReader interface {
	GetFilter(ctx context.Context, tenant, kind, id string) (StoredFilter, error)
	ListFilters(ctx context.Context, q Query) (Page[StoredFilter], error)
}

// FilterWriter changes stored filters. UpdateFilter replaces all but the key.
type FilterWriter interface {
	AddFilter(ctx context.Context, f StoredFilter) error
	UpdateFilter(ctx context.Context, f StoredFilter) error
	DeleteFilter(ctx context.Context, tenant, kind, id string) error
}
