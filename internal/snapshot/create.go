package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"windlass/internal/execution"
	"windlass/internal/store"
)

// chunkSize is how much of an archive is one row of the store.
const chunkSize = 1 << 20

// create is the create_snapshot execution. It may run again after a crash.
func (s *Service) create(ctx context.Context, x store.Execution, h execution.SystemHost) error {
	id, _ := x.Parameters["snapshot_id"].(string)
	snap, err := s.Store.GetSnapshot(ctx, id)
	if err != nil {
		return err
	}
	size, err := s.make(ctx, snap, x, h)
	if err == nil {
		keys, _ := x.Parameters["include_credentials"].(bool)
		if snap.SealedKeys = nil; keys {
			if snap.SealedKeys, err = s.Keys.SealKeys(); err != nil {
				return err
			}
		}
		snap.Status, snap.Error, snap.Size = store.SnapshotCreated, "", size
		h.Log("info", fmt.Sprintf("Snapshot %s is made: %d bytes", id, size))
	} else {
		snap.Status, snap.Error = store.SnapshotFailed, err.Error()
	}
	return errors.Join(err, h.Write(context.WithoutCancel(ctx), func(tx store.Tx) error { return tx.UpdateSnapshot(ctx, snap) }))
}

// make writes the archive to a file first, so that the moment it shows lasts
// no longer than needed, and then into the store piece by piece, so that
// nobody has to wait for it.
func (s *Service) make(ctx context.Context, snap store.Snapshot, x store.Execution, h execution.SystemHost) (int64, error) {
	f, err := os.CreateTemp(s.TempDir, "create-*.zip")
	if err != nil {
		return 0, fmt.Errorf("make a temporary file: %w", err)
	}
	defer discard(f)
	events, _ := x.Parameters["include_events"].(bool)
	logs, _ := x.Parameters["include_logs"].(bool)
	m := Manifest{MadeBy: s.Version, MadeAt: s.Now().UTC(), Maker: x.ID, Events: events, Logs: logs}
	err = s.Store.Freeze(ctx, func(v store.View) error {
		return write(ctx, f, v, s.Store.Tables(), s.Folders, m, func(format string, args ...any) {
			h.Log("debug", fmt.Sprintf(format, args...))
		})
	})
	if err != nil {
		return 0, fmt.Errorf("make the snapshot: %w", err)
	}
	return s.keep(ctx, snap.ID, f, h.Write)
}

// keep stores a file as a snapshot's archive and returns its size.
func (s *Service) keep(ctx context.Context, id string, f io.ReadSeeker, write func(context.Context, func(store.Tx) error) error) (int64, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	if err := write(ctx, func(tx store.Tx) error { return tx.ClearSnapshot(ctx, id) }); err != nil {
		return 0, err
	}
	var size int64
	for position := int64(0); ; position++ {
		chunk := make([]byte, chunkSize)
		n, err := io.ReadFull(f, chunk)
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return 0, fmt.Errorf("store the snapshot: %w", err)
		}
		if n > 0 {
			if err := write(ctx, func(tx store.Tx) error { return tx.PutSnapshotChunk(ctx, id, position, chunk[:n]) }); err != nil {
				return 0, fmt.Errorf("store the snapshot: %w", err)
			}
			size += int64(n)
		}
		if last {
			return size, nil
		}
	}
}

// discard closes and removes a temporary file.
func discard(f *os.File) {
	_ = f.Close()
	_ = os.Remove(f.Name())
}

// fetch copies a snapshot's archive out of the store to a temporary file. The
// caller discards it.
func (s *Service) fetch(ctx context.Context, snap store.Snapshot) (*os.File, error) {
	f, err := os.CreateTemp(s.TempDir, "fetch-*.zip")
	if err != nil {
		return nil, fmt.Errorf("make a temporary file: %w", err)
	}
	var size int64
	for position := int64(0); err == nil; position++ {
		var chunk []byte
		chunk, err = s.Store.SnapshotChunk(ctx, snap.ID, position)
		if err != nil || len(chunk) == 0 {
			break
		}
		size += int64(len(chunk))
		_, err = f.Write(chunk)
	}
	if err == nil && size != snap.Size {
		err = fmt.Errorf("it has %d bytes instead of %d", size, snap.Size)
	}
	if err != nil {
		discard(f)
		return nil, fmt.Errorf("read snapshot %s out of the store: %w", snap.ID, err)
	}
	return f, nil
}
