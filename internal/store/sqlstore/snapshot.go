package sqlstore

import (
	"context"

	"windlass/internal/store"
)

var snapshotColumns = columnsOf([]string{"id", "tenant"}, ownedColumns, []string{
	"status", "error", "execution_id", "restored_by", "size", "sealed_keys",
})

func snapshotValues(s store.Snapshot) []any {
	return append(append([]any{s.ID, s.Tenant}, ownedValues(s.Owned)...),
		s.Status, s.Error, s.ExecutionID, s.RestoredBy, s.Size, s.SealedKeys)
}

var snapshots = view[store.Snapshot]{
	listing: &listing{
		kind: "Snapshot", from: "snapshots t", num: "t.num", search: "t.id",
		tenant: "t.tenant", visibility: "t.visibility", creator: "t.created_by",
		fields: ownedFields(map[string]column{
			"id":         {expr: "t.id"},
			"status":     {expr: "t.status"},
			"created_at": {expr: "t.created_at", kind: instant},
		}),
		order: byCreation,
	},
	from: "snapshots t", columns: qualified("t", snapshotColumns),
	targets: func(s *store.Snapshot) []any {
		return append(append([]any{&s.ID, &s.Tenant}, ownedTargets(&s.Owned)...),
			&s.Status, &s.Error, &s.ExecutionID, &s.RestoredBy, &s.Size, &s.SealedKeys)
	},
}

// GetSnapshot reads a snapshot of any tenant.
func (r Reader) GetSnapshot(ctx context.Context, id string) (store.Snapshot, error) {
	return pick(ctx, r, snapshots, id, "t.id = ?", id)
}

// ListSnapshots lists snapshots.
func (r Reader) ListSnapshots(ctx context.Context, q store.Query) (store.Page[store.Snapshot], error) {
	return page(ctx, r, snapshots, q)
}

// SnapshotChunk reads one piece of a snapshot's archive, nil if there is none.
func (r Reader) SnapshotChunk(ctx context.Context, id string, position int64) ([]byte, error) {
	var content []byte
	_, err := row(ctx, r.conn, "SELECT content FROM snapshot_chunks WHERE snapshot_id = ? AND position = ?", []any{id, position}, &content)
	return content, err
}

// AddSnapshot adds a snapshot, or gives ErrExists.
func (t *Tx) AddSnapshot(ctx context.Context, s store.Snapshot) error {
	added, err := insert(ctx, t.conn, "snapshots", snapshotColumns, snapshotValues(s))
	return taken(added, err, "Snapshot", s.ID)
}

// UpdateSnapshot replaces a snapshot, or gives ErrNotFound.
func (t *Tx) UpdateSnapshot(ctx context.Context, s store.Snapshot) error {
	n, err := t.conn.Exec(ctx, updateStatement("snapshots", snapshotColumns[1:], "id = ?"), append(snapshotValues(s)[1:], s.ID)...)
	return one(n, err, "Snapshot", s.ID, store.ErrNotFound)
}

// PutSnapshotChunk stores a piece of a snapshot's archive.
func (t *Tx) PutSnapshotChunk(ctx context.Context, id string, position int64, content []byte) error {
	_, err := t.conn.Exec(ctx, `INSERT INTO snapshot_chunks (snapshot_id, position, content) VALUES (?, ?, ?)
		ON CONFLICT (snapshot_id, position) DO UPDATE SET content = excluded.content`, id, position, content)
	return err
}

// ClearSnapshot removes a snapshot's archive.
func (t *Tx) ClearSnapshot(ctx context.Context, id string) error {
	_, err := t.conn.Exec(ctx, "DELETE FROM snapshot_chunks WHERE snapshot_id = ?", id)
	return err
}

// DeleteSnapshot removes a snapshot with its archive, or gives ErrNotFound.
func (t *Tx) DeleteSnapshot(ctx context.Context, id string) error {
	if err := t.ClearSnapshot(ctx, id); err != nil {
		return err
	}
	n, err := t.conn.Exec(ctx, "DELETE FROM snapshots WHERE id = ?", id)
	return one(n, err, "Snapshot", id, store.ErrNotFound)
}
