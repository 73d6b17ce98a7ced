package sqlstore

import (
	"context"

	"windlass/internal/store"
)

var updateColumns = columnsOf([]string{"tenant", "id"}, ownedColumns, []string{
	"deployment_id", "execution_id", "old_blueprint_id", "new_blueprint_id", "state", "runtime_only", "old_inputs", "new_inputs", "details",
})

func updateValues(u store.DeploymentUpdate) []any {
	return append(append([]any{u.Tenant, u.ID}, ownedValues(u.Owned)...),
		u.DeploymentID, u.ExecutionID, u.OldBlueprintID, u.NewBlueprintID, u.State, u.RuntimeOnlyEvaluation, mapArg(u.OldInputs),
		mapArg(u.NewInputs), mapArg(u.Details))
}

var updates = view[store.DeploymentUpdate]{
	listing: &listing{
		kind: "DeploymentUpdate", from: "deployment_updates t", num: "t.num", search: "t.id",
		tenant: "t.tenant", visibility: "t.visibility", creator: "t.created_by",
		fields: ownedFields(map[string]column{
			"id":               {expr: "t.id"},
			"deployment_id":    {expr: "t.deployment_id"},
			"execution_id":     {expr: "t.execution_id"},
			"old_blueprint_id": {expr: "t.old_blueprint_id"},
			"new_blueprint_id": {expr: "t.new_blueprint_id"},
			"state":            {expr: "t.state"},
			"created_at":       {expr: "t.created_at", kind: instant},
		}),
		order: byCreation,
	},
	from: "deployment_updates t", columns: qualified("t", updateColumns),
	targets: func(u *store.DeploymentUpdate) []any {
		return append(append([]any{&u.Tenant, &u.ID}, ownedTargets(&u.Owned)...),
			&u.DeploymentID, &u.ExecutionID, &u.OldBlueprintID, &u.NewBlueprintID, &u.State, &u.RuntimeOnlyEvaluation,
			mapCell{&u.OldInputs}, mapCell{&u.NewInputs}, mapCell{&u.Details})
	},
}

// GetDeploymentUpdate reads the tenant's deployment update, or a global one.
func (r Reader) GetDeploymentUpdate(ctx context.Context, tenant, id string) (store.DeploymentUpdate, error) {
	return pick(ctx, r, updates, id, updates.visible("t.id"), id, tenant, tenant)
}

// ListDeploymentUpdates lists deployment updates.
func (r Reader) ListDeploymentUpdates(ctx context.Context, q store.Query) (store.Page[store.DeploymentUpdate], error) {
	return page(ctx, r, updates, q)
}

// AddDeploymentUpdate adds a deployment update, or gives ErrExists.
func (t *Tx) AddDeploymentUpdate(ctx context.Context, u store.DeploymentUpdate) error {
	added, err := insert(ctx, t.conn, "deployment_updates", updateColumns, updateValues(u))
	return taken(added, err, "DeploymentUpdate", u.ID)
}

// UpdateDeploymentUpdate replaces a deployment update, or gives ErrNotFound.
func (t *Tx) UpdateDeploymentUpdate(ctx context.Context, u store.DeploymentUpdate) error {
	n, err := t.conn.Exec(ctx, updateStatement("deployment_updates", updateColumns[2:], "tenant = ? AND id = ?"),
		append(updateValues(u)[2:], u.Tenant, u.ID)...)
	return one(n, err, "DeploymentUpdate", u.ID, store.ErrNotFound)
}
