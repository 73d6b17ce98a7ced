package sqlstore

import (
	"context"

	"windlass/internal/store"
)

// ListSettings lists the settings by scope and name.
func (r Reader) ListSettings(ctx context.Context) ([]store.Setting, error) {
	return all(ctx, r.conn, func(s *store.Setting) []any {
		return []any{&s.Scope, &s.Name, valueCell{&s.Value}, timeCell{&s.UpdatedAt}, &s.UpdatedBy}
	}, "SELECT scope, name, value, updated_at, updated_by FROM settings ORDER BY scope, name")
}

// PutSetting adds or changes a setting.
func (t *Tx) PutSetting(ctx context.Context, s store.Setting) error {
	_, err := t.conn.Exec(ctx, `INSERT INTO settings (scope, name, value, updated_at, updated_by) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (scope, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at,
		updated_by = excluded.updated_by`, s.Scope, s.Name, valueArg(s.Value), timeArg(s.UpdatedAt), s.UpdatedBy)
	return err
}
