package sqlstore

import (
	"context"

	"windlass/internal/store"
)

var filterColumns = columnsOf([]string{"tenant", "kind", "id"}, ownedColumns, []string{"updated_at", "rules"})

func filterValues(f store.StoredFilter) []any {
	rules := f.Rules
	if rules == nil {
		rules = []any{}
	}
	return append(append([]any{f.Tenant, f.Kind, f.ID}, ownedValues(f.Owned)...), timeArg(f.UpdatedAt), valueArg(rules))
}

var filters = view[store.StoredFilter]{
	listing: &listing{
		kind: "Filter", from: "filters t", num: "t.num", search: "t.id",
		tenant: "t.tenant", visibility: "t.visibility", creator: "t.created_by",
		fields: ownedFields(map[string]column{
			"id":         {expr: "t.id"},
			"kind":       {expr: "t.kind"},
			"created_at": {expr: "t.created_at", kind: instant},
			"updated_at": {expr: "t.updated_at", kind: instant, nullable: true},
		}),
		order: byCreation,
	},
	from: "filters t", columns: qualified("t", filterColumns),
	targets: func(f *store.StoredFilter) []any {
		return append(append([]any{&f.Tenant, &f.Kind, &f.ID}, ownedTargets(&f.Owned)...), timeCell{&f.UpdatedAt}, jsonTo(&f.Rules))
	},
}

// GetFilter reads the tenant's filter, or a global one.
func (r Reader) GetFilter(ctx context.Context, tenant, kind, id string) (store.StoredFilter, error) {
	return pick(ctx, r, filters, id, "t.kind = ? AND "+filters.visible("t.id"), kind, id, tenant, tenant)
}

// ListFilters lists filters.
func (r Reader) ListFilters(ctx context.Context, q store.Query) (store.Page[store.StoredFilter], error) {
	return page(ctx, r, filters, q)
}

// AddFilter adds a filter, or gives ErrExists.
func (t *Tx) AddFilter(ctx context.Context, f store.StoredFilter) error {
	added, err := insert(ctx, t.conn, "filters", filterColumns, filterValues(f))
	return taken(added, err, "Filter", f.ID)
}

const filterKey = "tenant = ? AND kind = ? AND id = ?"

// UpdateFilter replaces a filter, or gives ErrNotFound.
func (t *Tx) UpdateFilter(ctx context.Context, f store.StoredFilter) error {
	n, err := t.conn.Exec(ctx, updateStatement("filters", filterColumns[3:], filterKey), append(filterValues(f)[3:], f.Tenant, f.Kind, f.ID)...)
	return one(n, err, "Filter", f.ID, store.ErrNotFound)
}

// DeleteFilter removes a filter, or gives ErrNotFound.
func (t *Tx) DeleteFilter(ctx context.Context, tenant, kind, id string) error {
	n, err := t.conn.Exec(ctx, "DELETE FROM filters WHERE "+filterKey, tenant, kind, id)
	return one(n, err, "Filter", id, store.ErrNotFound)
}
