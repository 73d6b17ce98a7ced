package sqlstore

import (
	"context"

	"windlass/internal/store"
)

var secretColumns = columnsOf([]string{"tenant", "name"}, ownedColumns,
	[]string{"sealed", "is_hidden", "updated_at", "json_schema", "provider_name", "provider_options"})

func secretValues(s store.Secret) []any {
	sealed := s.Sealed
	if sealed == nil {
		sealed = []byte{}
	}
	return append(append([]any{s.Tenant, s.Key}, ownedValues(s.Owned)...),
		sealed, s.IsHidden, timeArg(s.UpdatedAt), mapArg(s.Schema), s.ProviderName, mapArg(s.ProviderOptions))
}

var secrets = view[store.Secret]{
	listing: &listing{
		kind: "Secret", from: "secrets t", num: "t.num", search: "t.name",
		tenant: "t.tenant", visibility: "t.visibility", creator: "t.created_by",
		fields: ownedFields(map[string]column{
			"key":             {expr: "t.name"},
			"is_hidden_value": {expr: "t.is_hidden", kind: boolean},
			"provider_name":   {expr: "t.provider_name"},
			"created_at":      {expr: "t.created_at", kind: instant},
			"updated_at":      {expr: "t.updated_at", kind: instant, nullable: true},
		}),
		order: byCreation,
	},
	from: "secrets t", columns: qualified("t", secretColumns),
	targets: func(s *store.Secret) []any {
		return append(append([]any{&s.Tenant, &s.Key}, ownedTargets(&s.Owned)...),
			&s.Sealed, &s.IsHidden, timeCell{&s.UpdatedAt}, mapCell{&s.Schema}, &s.ProviderName, mapCell{&s.ProviderOptions})
	},
}

// GetSecret reads the tenant's secret, or a global one.
func (r Reader) GetSecret(ctx context.Context, tenant, key string) (store.Secret, error) {
	return pick(ctx, r, secrets, key, secrets.visible("t.name"), key, tenant, tenant)
}

// ListSecrets lists secrets.
func (r Reader) ListSecrets(ctx context.Context, q store.Query) (store.Page[store.Secret], error) {
	return page(ctx, r, secrets, q)
}

// AddSecret adds a secret, or gives ErrExists.
func (t *Tx) AddSecret(ctx context.Context, s store.Secret) error {
	added, err := insert(ctx, t.conn, "secrets", secretColumns, secretValues(s))
	return taken(added, err, "Secret", s.Key)
}

// UpdateSecret replaces a secret, or gives ErrNotFound.
func (t *Tx) UpdateSecret(ctx context.Context, s store.Secret) error {
	n, err := t.conn.Exec(ctx, updateStatement("secrets", secretColumns[2:], "tenant = ? AND name = ?"),
		append(secretValues(s)[2:], s.Tenant, s.Key)...)
	return one(n, err, "Secret", s.Key, store.ErrNotFound)
}

// DeleteSecret removes a secret, or gives ErrNotFound.
func (t *Tx) DeleteSecret(ctx context.Context, tenant, key string) error {
	n, err := t.conn.Exec(ctx, "DELETE FROM secrets WHERE tenant = ? AND name = ?", tenant, key)
	return one(n, err, "Secret", key, store.ErrNotFound)
}
