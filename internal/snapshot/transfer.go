package snapshot

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"windlass/internal/store"
)

// Download gives a snapshot's archive as a file, with the keys if it has some.
// The caller closes it, which removes it.
func (s *Service) Download(ctx context.Context, id string) (io.ReadSeekCloser, error) {
	snap, err := s.usable(ctx, s.Store, id, "downloaded")
	if err != nil {
		return nil, err
	}
	f, err := s.fetch(ctx, snap)
	if err != nil {
		return nil, err
	}
	if snap.SealedKeys != nil {
		bare := f
		f, err = s.withKeys(bare, snap)
		discard(bare)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, fmt.Errorf("prepare snapshot %s for download: %w", id, err)
	}
	return temporary{f}, nil
}

// temporary is a file that goes when it is closed.
type temporary struct{ *os.File }

func (t temporary) Close() error { discard(t.File); return nil }

// withKeys makes a copy of an archive that has the keys in it.
func (s *Service) withKeys(bare *os.File, snap store.Snapshot) (*os.File, error) {
	text, err := s.Keys.OpenKeys(snap.SealedKeys)
	if err != nil {
		return nil, err
	}
	return s.copied(bare, snap.Size, func(w *zip.Writer) error {
		entry, err := w.Create(keysName)
		if err == nil {
			_, err = io.WriteString(entry, text)
		}
		return err
	})
}

// copied makes a copy of an archive without keys, and adds to it.
func (s *Service) copied(from io.ReaderAt, size int64, add func(*zip.Writer) error) (f *os.File, err error) {
	z, err := zip.NewReader(from, size)
	if err != nil {
		return nil, err
	}
	if f, err = os.CreateTemp(s.TempDir, "copy-*.zip"); err != nil {
		return nil, err
	}
	w := zip.NewWriter(f)
	for _, entry := range z.File {
		if entry.Name != keysName && err == nil {
			err = w.Copy(entry)
		}
	}
	if err == nil {
		err = add(w)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		discard(f)
		return nil, err
	}
	return f, nil
}

// Upload takes an archive in under an id. It is checked as a whole before it is
// kept. Errors are *Error for a fault of it and store.ErrExists.
func (s *Service) Upload(ctx context.Context, id string, owner store.Owned, content io.Reader) (store.Snapshot, error) {
	snap := store.Snapshot{Owned: owner, ID: id, Status: store.SnapshotUploaded}
	f, err := os.CreateTemp(s.TempDir, "upload-*.zip")
	if err != nil {
		return snap, fmt.Errorf("make a temporary file: %w", err)
	}
	defer discard(f)
	size, err := io.Copy(f, content)
	if err != nil {
		return snap, fmt.Errorf("receive the snapshot: %w", err)
	}
	a, err := open(f, size, s.Store.Tables())
	if err != nil {
		return snap, err
	}
	if err := a.check(ctx, nil); err != nil {
		return snap, err
	}
	if a.keys != "" {
		if snap.SealedKeys, err = s.Keys.SealForeignKeys(a.keys); err != nil {
			return snap, refuse("The snapshot is damaged: %s: %s", keysName, err)
		}
		bare, err := s.copied(f, size, func(*zip.Writer) error { return nil })
		if err != nil {
			return snap, fmt.Errorf("take the keys out of the snapshot: %w", err)
		}
		defer discard(bare)
		f = bare
	}
	return snap, s.add(ctx, &snap, f)
}

// add stores an uploaded archive. Until it is whole, the snapshot is shown as
// being made; if this process dies meanwhile, it can only be deleted.
func (s *Service) add(ctx context.Context, snap *store.Snapshot, f *os.File) error {
	partial := *snap
	partial.Status, partial.Error = store.SnapshotFailed, "it was not uploaded to its end"
	if err := s.Store.Write(ctx, func(tx store.Tx) error { return tx.AddSnapshot(ctx, partial) }); err != nil {
		return err
	}
	size, err := s.keep(ctx, snap.ID, f, s.Store.Write)
	if err == nil {
		snap.Size = size
		err = s.Store.Write(ctx, func(tx store.Tx) error { return tx.UpdateSnapshot(ctx, *snap) })
	}
	if err == nil {
		return nil
	}
	lasting := context.WithoutCancel(ctx)
	return errors.Join(err, s.Store.Write(lasting, func(tx store.Tx) error { return tx.DeleteSnapshot(lasting, snap.ID) }))
}
