package sqlstore

import (
	"context"

	"windlass/internal/store"
)

var tenants = view[store.Tenant]{
	listing: &listing{
		kind: "Tenant", from: "tenants t", num: "t.num", search: "t.name",
		fields: map[string]column{
			"name":       {expr: "t.name"},
			"created_at": {expr: "t.created_at", kind: instant},
		},
		order: []column{{expr: "t.created_at", kind: instant}, {expr: "t.num", kind: number}},
	},
	from: "tenants t", columns: "t.name, t.created_at",
	targets: func(t *store.Tenant) []any { return []any{&t.Name, timeCell{&t.CreatedAt}} },
}

// GetTenant reads a tenant.
func (r Reader) GetTenant(ctx context.Context, name string) (store.Tenant, error) {
	return pick(ctx, r, tenants, name, "t.name = ?", name)
}

// ListTenants lists tenants.
func (r Reader) ListTenants(ctx context.Context, q store.Query) (store.Page[store.Tenant], error) {
	return page(ctx, r, tenants, q)
}

// ListMembers lists memberships by tenant and user name.
func (r Reader) ListMembers(ctx context.Context, tenant, username string) ([]store.TenantMember, error) {
	where, args := "1 = 1", []any{}
	if tenant != "" {
		where, args = where+" AND tenant = ?", append(args, tenant)
	}
	if username != "" {
		where, args = where+" AND username = ?", append(args, username)
	}
	return all(ctx, r.conn, func(m *store.TenantMember) []any { return []any{&m.Tenant, &m.Username, &m.Role} },
		"SELECT tenant, username, role FROM tenant_members WHERE "+where+" ORDER BY tenant, username", args...)
}

// AddTenant adds a tenant.
func (t *Tx) AddTenant(ctx context.Context, tenant store.Tenant) error {
	added, err := insert(ctx, t.conn, "tenants", []string{"name", "created_at"}, []any{tenant.Name, micros(tenant.CreatedAt)})
	return taken(added, err, "Tenant", tenant.Name)
}

// taken turns a row that was not added into ErrExists.
func taken(added bool, err error, kind, id string) error {
	if err == nil && !added {
		return recordError(kind, id, store.ErrExists)
	}
	return err
}

// DeleteTenant removes a tenant with its memberships.
func (t *Tx) DeleteTenant(ctx context.Context, name string) error {
	if _, err := t.conn.Exec(ctx, "DELETE FROM tenant_members WHERE tenant = ?", name); err != nil {
		return err
	}
	n, err := t.conn.Exec(ctx, "DELETE FROM tenants WHERE name = ?", name)
	return one(n, err, "Tenant", name, store.ErrNotFound)
}

// SetMember adds or changes a membership. ErrNotFound names what there is not.
func (t *Tx) SetMember(ctx context.Context, m store.TenantMember) error {
	if _, err := t.GetTenant(ctx, m.Tenant); err != nil {
		return err
	}
	if _, err := t.GetUser(ctx, m.Username); err != nil {
		return err
	}
	_, err := t.conn.Exec(ctx, `INSERT INTO tenant_members (tenant, username, role) VALUES (?, ?, ?)
		ON CONFLICT (tenant, username) DO UPDATE SET role = excluded.role`, m.Tenant, m.Username, m.Role)
	return err
}

// DeleteMember ends a membership, or gives ErrNotFound.
func (t *Tx) DeleteMember(ctx context.Context, tenant, username string) error {
	n, err := t.conn.Exec(ctx, "DELETE FROM tenant_members WHERE tenant = ? AND username = ?", tenant, username)
	return one(n, err, "TenantMember", tenant+"/"+username, store.ErrNotFound)
}
