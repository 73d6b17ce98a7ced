package sqlstore

import (
	"context"

	"windlass/internal/store"
)

var siteColumns = columnsOf([]string{"tenant", "name"}, ownedColumns, []string{"location"})

func siteValues(s store.Site) []any {
	return append(append([]any{s.Tenant, s.Name}, ownedValues(s.Owned)...), s.Location)
}

var sites = view[store.Site]{
	listing: &listing{
		kind: "Site", from: "sites t", num: "t.num", search: "t.name",
		tenant: "t.tenant", visibility: "t.visibility", creator: "t.created_by",
		fields: ownedFields(map[string]column{
			"name":       {expr: "t.name"},
			"location":   {expr: "t.location"},
			"created_at": {expr: "t.created_at", kind: instant},
		}),
		order: byCreation,
	},
	from: "sites t", columns: qualified("t", siteColumns),
	targets: func(s *store.Site) []any {
		return append(append([]any{&s.Tenant, &s.Name}, ownedTargets(&s.Owned)...), &s.Location)
	},
}

// GetSite reads the tenant's site, or a global one.
func (r Reader) GetSite(ctx context.Context, tenant, name string) (store.Site, error) {
	return pick(ctx, r, sites, name, sites.visible("t.name"), name, tenant, tenant)
}

// ListSites lists sites.
func (r Reader) ListSites(ctx context.Context, q store.Query) (store.Page[store.Site], error) {
	return page(ctx, r, sites, q)
}

// AddSite adds a site, or gives ErrExists.
func (t *Tx) AddSite(ctx context.Context, s store.Site) error {
	added, err := insert(ctx, t.conn, "sites", siteColumns, siteValues(s))
	return taken(added, err, "Site", s.Name)
}

// UpdateSite replaces a site, or gives ErrNotFound; ErrExists if its new name
// is another's.
func (t *Tx) UpdateSite(ctx context.Context, name string, s store.Site) error {
	if s.Name != name {
		var n int
		if used, err := row(ctx, t.conn, "SELECT 1 FROM sites WHERE tenant = ? AND name = ?", []any{s.Tenant, s.Name}, &n); err != nil || used {
			return taken(!used, err, "Site", s.Name)
		}
		if err := t.moveDeployments(ctx, s.Tenant, name, s.Name); err != nil {
			return err
		}
	}
	n, err := t.conn.Exec(ctx, updateStatement("sites", siteColumns[1:], "tenant = ? AND name = ?"), append(siteValues(s)[1:], s.Tenant, name)...)
	return one(n, err, "Site", name, store.ErrNotFound)
}

// DeleteSite removes a site, or gives ErrNotFound.
func (t *Tx) DeleteSite(ctx context.Context, tenant, name string) error {
	if err := t.moveDeployments(ctx, tenant, name, ""); err != nil {
		return err
	}
	n, err := t.conn.Exec(ctx, "DELETE FROM sites WHERE tenant = ? AND name = ?", tenant, name)
	return one(n, err, "Site", name, store.ErrNotFound)
}

// moveDeployments gives the deployments at one site another.
func (t *Tx) moveDeployments(ctx context.Context, tenant, from, to string) error {
	_, err := t.conn.Exec(ctx, "UPDATE deployments SET site_name = ? WHERE site_name = ? AND tenant = ?", to, from, tenant)
	return err
}
