package store

import "context"

// PluginsUpdateNeedless is the state of an update that found nothing newer. The
// others are those of deployment updates, without UpdatePreview.
const PluginsUpdateNeedless = "no_changes_required"

// PluginsUpdate is the change of a blueprint, and of all its deployments, to
// other versions of the plugins that it imports.
type PluginsUpdate struct {
	Owned
	ID          string
	BlueprintID string
	// TempBlueprintID names the hidden blueprint with the new versions while
	// deployments move there; "" before and after.
	TempBlueprintID string
	ExecutionID     string
	State           string
	Forced          bool
	AllTenants      bool // also deployments of other tenants
	// Deployments are those to update, by tenant; nil until that is known.
	Deployments map[string]any
}

// PluginsUpdateReader reads updates of plugins. Filter fields: id,
// blueprint_id, execution_id, state, tenant_name, created_by, visibility,
// created_at. Search: id.
type PluginsUpdateReader interface {
	GetPluginsUpdate(ctx context.Context, tenant, id string) (PluginsUpdate, error)
	ListPluginsUpdates(ctx context.Context, q Query) (Page[PluginsUpdate], error)
}

// PluginsUpdateWriter changes updates of plugins. UpdatePluginsUpdate replaces
// all but the key. They go with their blueprint.
type PluginsUpdateWriter interface {
	// AddPluginsUpdate gives ErrExists if the id is taken.
	AddPluginsUpdate(ctx context.Context, u PluginsUpdate) error
	UpdatePluginsUpdate(ctx context.Context, u PluginsUpdate) error
}
