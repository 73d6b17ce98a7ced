package sqlstore

import (
	"context"

	"windlass/internal/store"
)

var pluginsUpdateColumns = columnsOf([]string{"tenant", "id"}, ownedColumns, []string{
	"blueprint_id", "temp_blueprint_id", "execution_id", "state", "forced", "all_tenants", "deployments",
})

func pluginsUpdateValues(u store.PluginsUpdate) []any {
	return append(append([]any{u.Tenant, u.ID}, ownedValues(u.Owned)...),
		u.BlueprintID, u.TempBlueprintID, u.ExecutionID, u.State, u.Forced, u.AllTenants, mapArg(u.Deployments))
}

var pluginsUpdates = view[store.PluginsUpdate]{
	listing: &listing{
		kind: "PluginsUpdate", from: "plugins_updates t", num: "t.num", search: "t.id",
		tenant: "t.tenant", visibility: "t.visibility", creator: "t.created_by",
		fields: ownedFields(map[string]column{
			"id":           {expr: "t.id"},
			"blueprint_id": {expr: "t.blueprint_id"},
			"execution_id": {expr: "t.execution_id"},
			"state":        {expr: "t.state"},
			"created_at":   {expr: "t.created_at", kind: instant},
		}),
		order: byCreation,
	},
	from: "plugins_updates t", columns: qualified("t", pluginsUpdateColumns),
	targets: func(u *store.PluginsUpdate) []any {
		return append(append([]any{&u.Tenant, &u.ID}, ownedTargets(&u.Owned)...),
			&u.BlueprintID, &u.TempBlueprintID, &u.ExecutionID, &u.State, &u.Forced, &u.AllTenants, mapCell{&u.Deployments})
	},
}

// GetPluginsUpdate reads the tenant's update of plugins, or a global one.
func (r Reader) GetPluginsUpdate(ctx context.Context, tenant, id string) (store.PluginsUpdate, error) {
	return pick(ctx, r, pluginsUpdates, id, pluginsUpdates.visible("t.id"), id, tenant, tenant)
}

// ListPluginsUpdates lists updates of plugins.
func (r Reader) ListPluginsUpdates(ctx context.Context, q store.Query) (store.Page[store.PluginsUpdate], error) {
	return page(ctx, r, pluginsUpdates, q)
}

// AddPluginsUpdate adds an update of plugins, or gives ErrExists.
func (t *Tx) AddPluginsUpdate(ctx context.Context, u store.PluginsUpdate) error {
	added, err := insert(ctx, t.conn, "plugins_updates", pluginsUpdateColumns, pluginsUpdateValues(u))
	return taken(added, err, "PluginsUpdate", u.ID)
}

// UpdatePluginsUpdate replaces an update of plugins, or gives ErrNotFound.
func (t *Tx) UpdatePluginsUpdate(ctx context.Context, u store.PluginsUpdate) error {
	n, err := t.conn.Exec(ctx, updateStatement("plugins_updates", pluginsUpdateColumns[2:], "tenant = ? AND id = ?"),
		append(pluginsUpdateValues(u)[2:], u.Tenant, u.ID)...)
	return one(n, err, "PluginsUpdate", u.ID, store.ErrNotFound)
}
