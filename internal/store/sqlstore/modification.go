package sqlstore

import (
	"context"

	"windlass/internal/store"
)

var modificationColumns = columnsOf([]string{"tenant", "id"}, ownedColumns, []string{
	"deployment_id", "execution_id", "status", "ended_at", "context", "modified_nodes", "node_instances",
})

func modificationValues(m store.Modification) []any {
	return append(append([]any{m.Tenant, m.ID}, ownedValues(m.Owned)...),
		m.DeploymentID, m.ExecutionID, m.Status, timeArg(m.EndedAt), mapArg(m.Context), mapArg(m.ModifiedNodes), mapArg(m.NodeInstances))
}

var modifications = view[store.Modification]{
	listing: &listing{
		kind: "DeploymentModification", from: "deployment_modifications t", num: "t.num", search: "t.id",
		tenant: "t.tenant", visibility: "t.visibility", creator: "t.created_by",
		fields: ownedFields(map[string]column{
			"id":            {expr: "t.id"},
			"deployment_id": {expr: "t.deployment_id"},
			"execution_id":  {expr: "t.execution_id"},
			"status":        {expr: "t.status"},
			"created_at":    {expr: "t.created_at", kind: instant},
			"ended_at":      {expr: "t.ended_at", kind: instant, nullable: true},
		}),
		order: byCreation,
	},
	from: "deployment_modifications t", columns: qualified("t", modificationColumns),
	targets: func(m *store.Modification) []any {
		return append(append([]any{&m.Tenant, &m.ID}, ownedTargets(&m.Owned)...),
			&m.DeploymentID, &m.ExecutionID, &m.Status, timeCell{&m.EndedAt}, mapCell{&m.Context}, mapCell{&m.ModifiedNodes},
			mapCell{&m.NodeInstances})
	},
}

// GetModification reads the tenant's modification, or a global one.
func (r Reader) GetModification(ctx context.Context, tenant, id string) (store.Modification, error) {
	return pick(ctx, r, modifications, id, modifications.visible("t.id"), id, tenant, tenant)
}

// ListModifications lists modifications.
func (r Reader) ListModifications(ctx context.Context, q store.Query) (store.Page[store.Modification], error) {
	return page(ctx, r, modifications, q)
}

// AddModification adds a modification, or gives ErrExists.
func (t *Tx) AddModification(ctx context.Context, m store.Modification) error {
	added, err := insert(ctx, t.conn, "deployment_modifications", modificationColumns, modificationValues(m))
	return taken(added, err, "DeploymentModification", m.ID)
}

// UpdateModification replaces a modification, or gives ErrNotFound.
func (t *Tx) UpdateModification(ctx context.Context, m store.Modification) error {
	n, err := t.conn.Exec(ctx, updateStatement("deployment_modifications", modificationColumns[2:], "tenant = ? AND id = ?"),
		append(modificationValues(m)[2:], m.Tenant, m.ID)...)
	return one(n, err, "DeploymentModification", m.ID, store.ErrNotFound)
}
