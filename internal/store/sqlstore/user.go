package sqlstore

import (
	"context"

	"windlass/internal/store"
)

var userColumns = []string{
	"username", "password_hash", "role", "active", "bootstrap", "created_at", "first_login_at", "last_login_at",
	"failed_logins", "last_failed_login_at", "getting_started",
}

func userValues(u store.User) []any {
	return []any{
		u.Username, u.PasswordHash, u.Role, u.Active, u.Bootstrap, micros(u.CreatedAt), timeArg(u.FirstLoginAt),
		timeArg(u.LastLoginAt), u.FailedLogins, timeArg(u.LastFailedLoginAt), u.GettingStarted,
	}
}

var users = view[store.User]{
	listing: &listing{
		kind: "User", from: "users t", num: "t.num", search: "t.username",
		fields: map[string]column{
			"username":       {expr: "t.username"},
			"role":           {expr: "t.role"},
			"active":         {expr: "t.active", kind: boolean},
			"created_at":     {expr: "t.created_at", kind: instant},
			"first_login_at": {expr: "t.first_login_at", kind: instant, nullable: true},
			"last_login_at":  {expr: "t.last_login_at", kind: instant, nullable: true},
		},
		order: []column{{expr: "t.created_at", kind: instant}, {expr: "t.num", kind: number}},
	},
	from: "users t", columns: qualified("t", userColumns),
	targets: func(u *store.User) []any {
		return []any{
			&u.Username, &u.PasswordHash, &u.Role, &u.Active, &u.Bootstrap, timeCell{&u.CreatedAt}, timeCell{&u.FirstLoginAt},
			timeCell{&u.LastLoginAt}, &u.FailedLogins, timeCell{&u.LastFailedLoginAt}, &u.GettingStarted,
		}
	},
}

// GetUser reads a user.
func (r Reader) GetUser(ctx context.Context, username string) (store.User, error) {
	return pick(ctx, r, users, username, "t.username = ?", username)
}

// ListUsers lists users.
func (r Reader) ListUsers(ctx context.Context, q store.Query) (store.Page[store.User], error) {
	return page(ctx, r, users, q)
}

// AddUser adds a user, or gives ErrExists.
func (t *Tx) AddUser(ctx context.Context, u store.User) error {
	added, err := insert(ctx, t.conn, "users", userColumns, userValues(u))
	return taken(added, err, "User", u.Username)
}

// UpdateUser replaces a user, or gives ErrNotFound.
func (t *Tx) UpdateUser(ctx context.Context, u store.User) error {
	n, err := t.conn.Exec(ctx, updateStatement("users", userColumns[1:], "username = ?"), append(userValues(u)[1:], u.Username)...)
	return one(n, err, "User", u.Username, store.ErrNotFound)
}

// DeleteUser removes a user with memberships and tokens, or gives ErrNotFound.
func (t *Tx) DeleteUser(ctx context.Context, username string) error {
	for _, table := range []string{"tenant_members", "tokens"} {
		if _, err := t.conn.Exec(ctx, "DELETE FROM "+table+" WHERE username = ?", username); err != nil {
			return err
		}
	}
	n, err := t.conn.Exec(ctx, "DELETE FROM users WHERE username = ?", username)
	return one(n, err, "User", username, store.ErrNotFound)
}
