package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"windlass/internal/value"
)

// staging is the files of an archive, unpacked beside the folders that they
// are to replace.
type staging struct {
	folders map[string]string // their places, by the staged folders
}

// suffixes of folders while they are being replaced.
const (
	comingSuffix = ".restoring"
	goingSuffix  = ".replaced"
)

// stage unpacks the files of the archive.
func (r *restoration) stage(ctx context.Context) (*staging, error) {
	st := &staging{folders: map[string]string{}}
	for _, name := range value.SortedKeys(r.s.Folders) {
		dir := r.s.Folders[name]
		st.folders[dir+comingSuffix] = dir
		if err := r.unpack(ctx, name, dir+comingSuffix); err != nil {
			st.discard()
			return nil, fmt.Errorf("unpack the files of the snapshot: %w", err)
		}
	}
	for name := range r.a.manifest.Entries {
		rest, isFile := strings.CutPrefix(name, filesPrefix)
		folder, _, _ := strings.Cut(rest, "/")
		if isFile && r.s.Folders[folder] == "" {
			st.discard()
			return nil, refuse("The snapshot has files in a folder %q, which this manager does not know", folder)
		}
	}
	return st, nil
}

func (r *restoration) unpack(ctx context.Context, folder, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // nothing in the archive leads out of it
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for _, name := range value.SortedKeys(r.a.manifest.Entries) {
		file, ok := strings.CutPrefix(name, filesPrefix+folder+"/")
		if !ok {
			continue
		}
		if err := errors.Join(ctx.Err(), r.unpackFile(root, name, filepath.FromSlash(file))); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (r *restoration) unpackFile(root *os.Root, name, file string) error {
	if err := root.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return err
	}
	content, err := r.a.content(name)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	entry := r.a.manifest.Entries[name]
	if entry.Link {
		target, err := io.ReadAll(io.LimitReader(content, 1<<16))
		if err != nil {
			return err
		}
		return root.Symlink(string(target), file)
	}
	f, err := root.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fs.FileMode(entry.Mode).Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}

// swap puts the staged folders into their places. It may be cut short
// anywhere, and is then repeated from staging on.
func (st *staging) swap() error {
	for _, coming := range value.SortedKeys(st.folders) {
		dir := st.folders[coming]
		if err := os.RemoveAll(dir + goingSuffix); err != nil {
			return err
		}
		if err := os.Rename(dir, dir+goingSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.Rename(coming, dir); err != nil {
			return err
		}
		if err := os.RemoveAll(dir + goingSuffix); err != nil {
			return err
		}
	}
	return nil
}

// discard removes what was not put into its place.
func (st *staging) discard() {
	for coming := range st.folders {
		_ = os.RemoveAll(coming)
	}
}
