package sqlstore

import (
	"context"
	"fmt"

	"windlass/internal/store"
)

var blueprintColumns = columnsOf([]string{"tenant", "id"}, ownedColumns, []string{
	"main_file_name", "description", "updated_at", "is_hidden", "state", "error", "error_traceback", "labels",
	"upload_execution_id", "archive_hash", "archive_suffix", "requirements", "plan",
})

func blueprintValues(b store.Blueprint) []any {
	return append(append([]any{b.Tenant, b.ID}, ownedValues(b.Owned)...),
		b.MainFileName, textArg(b.Description), timeArg(b.UpdatedAt), b.IsHidden, b.State, b.Error, b.ErrorTraceback, jsonArg(b.Labels),
		b.UploadExecutionID, b.ArchiveHash, b.ArchiveSuffix, mapArg(b.Requirements), jsonArg(b.Plan))
}

var blueprints = view[store.Blueprint]{
	listing: &listing{
		kind: "Blueprint", from: "blueprints t", num: "t.num", search: "t.id",
		tenant: "t.tenant", visibility: "t.visibility", creator: "t.created_by",
		fields: ownedFields(map[string]column{
			"id":                  {expr: "t.id"},
			"state":               {expr: "t.state"},
			"main_file_name":      {expr: "t.main_file_name"},
			"is_hidden":           {expr: "t.is_hidden", kind: boolean},
			"description":         {expr: "t.description", nullable: true},
			"created_at":          {expr: "t.created_at", kind: instant},
			"updated_at":          {expr: "t.updated_at", kind: instant, nullable: true},
			"archive_hash":        {expr: "t.archive_hash"},
			"upload_execution_id": {expr: "t.upload_execution_id"},
		}),
		order: byCreation,
	},
	from: "blueprints t", columns: qualified("t", blueprintColumns),
	targets: func(b *store.Blueprint) []any {
		return append(append([]any{&b.Tenant, &b.ID}, ownedTargets(&b.Owned)...),
			&b.MainFileName, &b.Description, timeCell{&b.UpdatedAt}, &b.IsHidden, &b.State, &b.Error, &b.ErrorTraceback, jsonTo(&b.Labels),
			&b.UploadExecutionID, &b.ArchiveHash, &b.ArchiveSuffix, mapCell{&b.Requirements}, jsonShared(&b.Plan))
	},
}

// GetBlueprint reads the tenant's blueprint, or a global one.
func (r Reader) GetBlueprint(ctx context.Context, tenant, id string) (store.Blueprint, error) {
	return pick(ctx, r, blueprints, id, blueprints.visible("t.id"), id, tenant, tenant)
}

var archives = view[store.BlueprintArchive]{
	listing: blueprints.listing, from: blueprints.from, columns: "t.archive_hash, t.archive_suffix, t.state",
	targets: func(a *store.BlueprintArchive) []any { return []any{&a.Hash, &a.Suffix, &a.State} },
}

// GetBlueprintArchive reads where the files of the tenant's blueprint, or a global one, are.
func (r Reader) GetBlueprintArchive(ctx context.Context, tenant, id string) (store.BlueprintArchive, error) {
	return pick(ctx, r, archives, id, archives.visible("t.id"), id, tenant, tenant)
}

// ListBlueprints lists blueprints, with their plans only if q.Full is set.
func (r Reader) ListBlueprints(ctx context.Context, q store.Query) (store.Page[store.Blueprint], error) {
	v := blueprints
	if !q.Full {
		v.columns = qualified("t", blueprintColumns[:len(blueprintColumns)-1]) + ", NULL"
	}
	return page(ctx, r, v, q)
}

// AddBlueprint adds a blueprint, or gives ErrExists.
func (t *Tx) AddBlueprint(ctx context.Context, b store.Blueprint) error {
	added, err := insert(ctx, t.conn, "blueprints", blueprintColumns, blueprintValues(b))
	return taken(added, err, "Blueprint", b.ID)
}

// UpdateBlueprint replaces a blueprint, or gives ErrNotFound.
func (t *Tx) UpdateBlueprint(ctx context.Context, b store.Blueprint) error {
	n, err := t.conn.Exec(ctx, updateStatement("blueprints", blueprintColumns[2:], "tenant = ? AND id = ?"),
		append(blueprintValues(b)[2:], b.Tenant, b.ID)...)
	return one(n, err, "Blueprint", b.ID, store.ErrNotFound)
}

// DeleteBlueprint removes a blueprint, or gives ErrNotFound. Its archive stays.
func (t *Tx) DeleteBlueprint(ctx context.Context, tenant, id string) error {
	if _, err := t.conn.Exec(ctx, "DELETE FROM plugins_updates WHERE tenant = ? AND blueprint_id = ?", tenant, id); err != nil {
		return fmt.Errorf("delete the plugins updates of blueprint %s: %w", id, err)
	}
	n, err := t.conn.Exec(ctx, "DELETE FROM blueprints WHERE tenant = ? AND id = ?", tenant, id)
	return one(n, err, "Blueprint", id, store.ErrNotFound)
}
