package sqlstore

import (
	"context"

	"windlass/internal/store"
)

var tokenColumns = []string{"id", "username", "secret_hash", "description", "created_at", "expires_at", "last_used"}

func tokenValues(k store.Token) []any {
	return []any{k.ID, k.Username, k.SecretHash, k.Description, micros(k.CreatedAt), timeArg(k.ExpiresAt), timeArg(k.LastUsed)}
}

var tokens = view[store.Token]{
	listing: &listing{
		kind: "Token", from: "tokens t", num: "t.num", search: "t.id",
		fields: map[string]column{
			"id":              {expr: "t.id"},
			"username":        {expr: "t.username"},
			"description":     {expr: "t.description"},
			"created_at":      {expr: "t.created_at", kind: instant},
			"expiration_date": {expr: "t.expires_at", kind: instant, nullable: true},
			"last_used":       {expr: "t.last_used", kind: instant, nullable: true},
		},
		order: []column{{expr: "t.created_at", kind: instant}, {expr: "t.num", kind: number}},
	},
	from: "tokens t", columns: qualified("t", tokenColumns),
	targets: func(k *store.Token) []any {
		return []any{
			&k.ID, &k.Username, &k.SecretHash, &k.Description, timeCell{&k.CreatedAt}, timeCell{&k.ExpiresAt}, timeCell{&k.LastUsed},
		}
	},
}

// GetToken reads a token.
func (r Reader) GetToken(ctx context.Context, id string) (store.Token, error) {
	return pick(ctx, r, tokens, id, "t.id = ?", id)
}

// ListTokens lists a user's tokens, or all.
func (r Reader) ListTokens(ctx context.Context, username string, q store.Query) (store.Page[store.Token], error) {
	if username != "" {
		q.Filters = append(q.Filters[:len(q.Filters):len(q.Filters)], store.Filter{Field: "username", Values: []string{username}})
	}
	return page(ctx, r, tokens, q)
}

// AddToken adds a token; ErrExists if the id is taken, ErrNotFound without its user.
func (t *Tx) AddToken(ctx context.Context, k store.Token) error {
	if _, err := t.GetUser(ctx, k.Username); err != nil {
		return err
	}
	added, err := insert(ctx, t.conn, "tokens", tokenColumns, tokenValues(k))
	return taken(added, err, "Token", k.ID)
}

// UpdateToken replaces a token, or gives ErrNotFound.
func (t *Tx) UpdateToken(ctx context.Context, k store.Token) error {
	n, err := t.conn.Exec(ctx, updateStatement("tokens", tokenColumns[1:], "id = ?"), append(tokenValues(k)[1:], k.ID)...)
	return one(n, err, "Token", k.ID, store.ErrNotFound)
}

// DeleteToken removes a token, or gives ErrNotFound.
func (t *Tx) DeleteToken(ctx context.Context, id string) error {
	n, err := t.conn.Exec(ctx, "DELETE FROM tokens WHERE id = ?", id)
	return one(n, err, "Token", id, store.ErrNotFound)
}
