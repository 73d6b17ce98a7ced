package imports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"windlass/internal/blueprint/builtin"
	"windlass/internal/blueprint/yaml"
)

// ErrNotFound tells that an import leads nowhere.
var ErrNotFound = errors.New("not found")

// filePath is the path in a file: URL. Both file:/a and file:///a occur.
func filePath(location string) string {
	p := strings.TrimPrefix(location, "file:")
	if strings.HasPrefix(p, "//") {
		p = "/" + strings.TrimLeft(p, "/")
	}
	if _, err := os.Lstat(p); err != nil && strings.Contains(p, "%") {
		if decoded, err := url.PathUnescape(p); err == nil {
			return decoded
		}
	}
	return p
}

func readFile(p string) (*Document, error) {
	f, err := os.Open(p)
	if err != nil {
		return nil, notFound(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file", p)
	}
	text, err := io.ReadAll(io.LimitReader(f, yaml.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	return &Document{Text: text, Location: "file:" + p}, nil
}

func notFound(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w (%w)", ErrNotFound, err)
	}
	return err
}

// resource reads from the folders of shared files.
func (r *resolver) resource(name string) (*Document, error) {
	name = strings.TrimLeft(path.Clean("/"+name), "/")
	for _, folder := range r.Resources {
		d, err := readWithin(folder, name)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return d, err
		}
	}
	if text, err := fs.ReadFile(builtin.Resources(), name); err == nil {
		return &Document{Text: text, Location: builtin.Scheme + name}, nil
	}
	return nil, ErrNotFound
}

func readWithin(folder, name string) (*Document, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, notFound(err)
	}
	defer func() { _ = root.Close() }()
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, notFound(err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, yaml.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	return &Document{Text: text, Location: "file:" + filepath.Join(folder, filepath.FromSlash(name))}, nil
}

func exists(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.Mode().IsRegular()
}

// Folders confine the reading of files to some folders and what is below them.
type Folders []string

// confined keeps file: URLs inside of folders.
type confined struct {
	Resolver
	folders Folders
}

func (c confined) Fetch(ctx context.Context, location, dslVersion string) (*Document, error) {
	if strings.HasPrefix(location, "file:") && !c.folders.Hold(filePath(location)) {
		return nil, fmt.Errorf("%s is outside of the blueprint's folder", filePath(location))
	}
	return c.Resolver.Fetch(ctx, location, dslVersion)
}

// Hold tells whether a path is below one of the folders once links are followed.
func (f Folders) Hold(p string) bool {
	real, err := filepath.EvalSymlinks(p)
	if err != nil {
		real = p // it does not exist: nothing to read there
	}
	real, err = filepath.Abs(real)
	if err != nil {
		return false
	}
	for _, folder := range f {
		base, err := filepath.EvalSymlinks(folder)
		if err != nil {
			continue
		}
		if base, err = filepath.Abs(base); err != nil {
			continue
		}
		if rel, err := filepath.Rel(base, real); err == nil && filepath.IsLocal(rel) {
			return true
		}
	}
	return false
}
