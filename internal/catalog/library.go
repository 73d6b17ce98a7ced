package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"windlass/internal/blueprint/archive"
	"windlass/internal/store"
)

// MaxArchive bounds an uploaded archive, in bytes.
const MaxArchive = 1 << 30

// Library keeps the files of blueprints and deployments. The archives live in
// the store, so that every manager on it has them; a folder of this manager
// holds them unpacked, made again whenever it is missing.
//
//	<dir>/blueprints/<archive hash>/...          unpacked archives
//	<dir>/deployments/<tenant>/<deployment>/...  work folders of deployments
//	<dir>/resources/...                          shared files, put there by hand
//	<dir>/incoming/...                           uploads under way
//	<dir>/published/...                          links by the names that scripts of the original expect
type Library struct {
	store store.Store
	dir   string

	unpacking sync.Mutex // one archive is unpacked at a time
}

// OpenLibrary makes the folders under dir that are missing and removes what
// interrupted uploads left.
func OpenLibrary(s store.Store, dir string) (*Library, error) {
	l := &Library{store: s, dir: dir}
	if err := os.RemoveAll(l.path("incoming")); err != nil {
		return nil, fmt.Errorf("clear unfinished uploads: %w", err)
	}
	for _, sub := range []string{"blueprints", "deployments", "resources", "incoming"} {
		if err := os.MkdirAll(l.path(sub), 0o750); err != nil {
			return nil, fmt.Errorf("make the library folder: %w", err)
		}
	}
	return l, nil
}

func (l *Library) path(parts ...string) string {
	return filepath.Join(append([]string{l.dir}, parts...)...)
}

// Received is an archive that has arrived but is not stored yet.
type Received struct {
	Hash   string // hex SHA-256
	Suffix string // tar.gz, zip, ...
	file   *os.File
}

// Receive writes an upload to disk and names it by its content. The caller
// calls Discard when done with it.
func (l *Library) Receive(r io.Reader) (*Received, error) {
	f, err := os.CreateTemp(l.path("incoming"), "upload-*")
	if err != nil {
		return nil, fmt.Errorf("receive archive: %w", err)
	}
	rec := &Received{file: f}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(r, MaxArchive+1))
	if err == nil && n > MaxArchive {
		err = fmt.Errorf("the archive is larger than %d bytes", int64(MaxArchive))
	}
	if err != nil {
		rec.Discard()
		return nil, fmt.Errorf("receive archive: %w", err)
	}
	rec.Hash = hex.EncodeToString(sum.Sum(nil))
	if rec.Suffix, err = archive.Suffix(f.Name()); err != nil {
		rec.Discard()
		return nil, err
	}
	return rec, nil
}

// Put stores the archive under its hash.
func (rec *Received) Put(ctx context.Context, tx store.Tx) error {
	return tx.PutBlob(ctx, rec.Hash, rec.file)
}

// Discard removes the temporary file.
func (rec *Received) Discard() {
	_ = rec.file.Close()
	_ = os.Remove(rec.file.Name())
}

// Unpacked returns the folder with the archive's content, unpacking it first
// if this manager does not have it.
func (l *Library) Unpacked(ctx context.Context, hash, suffix string) (string, error) {
	final := l.path("blueprints", hash)
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	l.unpacking.Lock()
	defer l.unpacking.Unlock()
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	packed, err := l.fetch(ctx, hash, suffix)
	if err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(packed) }()
	tmp, err := os.MkdirTemp(l.path("incoming"), "unpack-*")
	if err != nil {
		return "", fmt.Errorf("unpack archive: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	top, err := archive.Extract(packed, tmp)
	if err != nil {
		return "", err
	}
	if err := os.Rename(top, final); err != nil {
		return "", fmt.Errorf("unpack archive: %w", err)
	}
	return final, nil
}

// fetch copies a stored archive to a temporary file.
func (l *Library) fetch(ctx context.Context, hash, suffix string) (string, error) {
	blob, err := l.store.OpenBlob(ctx, hash)
	if err != nil {
		return "", fmt.Errorf("read stored archive: %w", err)
	}
	defer func() { _ = blob.Close() }()
	f, err := os.CreateTemp(l.path("incoming"), "archive-*."+suffix)
	if err != nil {
		return "", fmt.Errorf("copy archive out of the store: %w", err)
	}
	_, err = io.Copy(f, blob)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", fmt.Errorf("copy archive out of the store: %w", err)
	}
	return f.Name(), nil
}

// Forget removes the unpacked copy of an archive.
func (l *Library) Forget(hash string) error {
	if hash == "" {
		return nil
	}
	return os.RemoveAll(l.path("blueprints", hash))
}

// WorkDir returns the deployment's work folder and makes it if it is missing.
func (l *Library) WorkDir(tenant, deployment string) (string, error) {
	dir := l.path("deployments", tenant, deployment)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("make the deployment's work folder: %w", err)
	}
	return dir, nil
}

// RemoveWorkDir removes the deployment's work folder with all its files.
func (l *Library) RemoveWorkDir(tenant, deployment string) error {
	return os.RemoveAll(l.path("deployments", tenant, deployment))
}

// BlueprintDir returns the folder with the blueprint's files.
func (l *Library) BlueprintDir(ctx context.Context, tenant, id string) (string, error) {
	a, err := l.store.GetBlueprintArchive(ctx, tenant, id)
	if err != nil {
		return "", err
	}
	if a.Hash == "" {
		return "", fmt.Errorf("blueprint %s has no files yet: its state is %s", id, a.State)
	}
	return l.Unpacked(ctx, a.Hash, a.Suffix)
}

// Folders are those with files that can't be made again: of deployments, and
// shared ones.
func (l *Library) Folders() map[string]string {
	return map[string]string{"deployments": l.path("deployments"), "resources": l.path("resources")}
}

// SharedDir is the folder shared by the tenant's deployments, or by all if
// tenant is "". It need not exist.
func (l *Library) SharedDir(tenant string) string {
	if tenant == "" {
		return l.path("resources")
	}
	return l.path("resources", "tenants", tenant)
}
