package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"windlass/internal/blueprint/builtin"
	"windlass/internal/operation"
	"windlass/internal/store"
)

// ErrNoFile tells that no place has a file of that name.
var ErrNoFile = fs.ErrNotExist

// Resource reads a file for an operation of a deployment: from the
// deployment's work folder, else from its blueprint, else from the shared
// resources, else the archive of a blueprint. A path of the form NAMESPACE--path looks in the blueprint that was
// imported under that namespace. Absent files give ErrNoFile.
func (l *Library) Resource(ctx context.Context, tenant, deployment, blueprint, name string) ([]byte, error) {
	if i := strings.LastIndex(name, "--"); i >= 0 {
		data, err := l.imported(ctx, tenant, blueprint, name[:i], name[i+2:])
		if !errors.Is(err, ErrNoFile) {
			return data, err
		}
	}
	for _, place := range l.places(ctx, tenant, deployment, blueprint) {
		dir, err := place()
		if err != nil {
			return nil, err
		}
		data, err := readInside(dir, name)
		if !errors.Is(err, ErrNoFile) {
			return data, err
		}
	}
	data, err := l.uploaded(ctx, tenant, name)
	if errors.Is(err, ErrNoFile) {
		err = fmt.Errorf("%s: %w", name, ErrNoFile)
	}
	return data, err
}

// places are the folders where a deployment's operations find files, in that order.
func (l *Library) places(ctx context.Context, tenant, deployment, blueprint string) []func() (string, error) {
	return []func() (string, error){
		func() (string, error) { return l.path("deployments", tenant, deployment), nil },
		func() (string, error) { return l.BlueprintDir(ctx, tenant, blueprint) },
		func() (string, error) { return l.path("resources", "tenants", tenant), nil },
		func() (string, error) { return l.path("resources"), nil },
	}
}

// uploaded returns the archive of a blueprint of the tenant, by where the original
// keeps it. Blueprints name that place, often by the way out of their own folder, to
// let a component be made of their own archive.
func (l *Library) uploaded(ctx context.Context, tenant, name string) ([]byte, error) {
	parts := strings.Split(strings.TrimPrefix(path.Clean("/"+name), "/"), "/")
	if len(parts) != 4 || parts[0] != "uploaded-blueprints" || parts[1] != tenant {
		return nil, ErrNoFile
	}
	b, err := l.store.GetBlueprint(ctx, tenant, parts[2])
	if errors.Is(err, store.ErrNotFound) || err == nil && b.ArchiveHash == "" {
		return nil, ErrNoFile
	}
	if err != nil {
		return nil, err
	}
	packed, err := l.store.OpenBlob(ctx, b.ArchiveHash)
	if err != nil {
		return nil, fmt.Errorf("read the archive of blueprint %s: %w", b.ID, err)
	}
	defer func() { _ = packed.Close() }()
	return io.ReadAll(packed)
}

func (l *Library) imported(ctx context.Context, tenant, blueprint, namespace, name string) ([]byte, error) {
	b, err := l.store.GetBlueprint(ctx, tenant, blueprint)
	if err != nil {
		return nil, err
	}
	if b.Plan == nil || b.Plan.NamespacesMapping[namespace] == "" {
		return nil, ErrNoFile
	}
	dir, err := l.BlueprintDir(ctx, tenant, b.Plan.NamespacesMapping[namespace])
	if err != nil {
		return nil, err
	}
	return readInside(dir, name)
}

// readInside reads a file below dir; neither `..` nor symbolic links lead out.
func readInside(dir, name string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoFile
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	clean := strings.TrimPrefix(path.Clean("/"+filepath.ToSlash(name)), "/")
	if clean == "" {
		return nil, ErrNoFile
	}
	data, err := root.ReadFile(clean)
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) && !errors.Is(err, fs.ErrNotExist) {
		if info, statErr := root.Stat(clean); statErr == nil && info.IsDir() {
			return nil, ErrNoFile
		}
	}
	return data, err
}

// FindResource is Resource with the error that operations expect.
func (l *Library) FindResource(ctx context.Context, tenant, deployment, blueprint, name string) ([]byte, error) {
	data, err := l.Resource(ctx, tenant, deployment, blueprint, name)
	if errors.Is(err, ErrNoFile) {
		// What the built-in types name need not be in anybody's archive.
		if bundled, err := fs.ReadFile(builtin.Resources(), name); err == nil {
			return bundled, nil
		}
		return nil, fmt.Errorf("%s: %w", name, operation.ErrNoResource)
	}
	return data, err
}

// ResourceFiles returns the paths, relative to a directory, of the files below it, for
// an operation of a deployment: in the first place that has the directory, in the
// order of Resource. None gives operation.ErrNoResource.
func (l *Library) ResourceFiles(ctx context.Context, tenant, deployment, blueprint, directory string) ([]string, error) {
	for _, place := range l.places(ctx, tenant, deployment, blueprint) {
		dir, err := place()
		if err != nil {
			return nil, err
		}
		files, err := filesInside(dir, directory)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", directory, err)
		}
		if len(files) > 0 {
			return files, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", directory, operation.ErrNoResource)
}

// filesInside lists the regular files below a directory of dir, in order; neither
// `..` nor symbolic links lead out. No directory is no files.
func filesInside(dir, directory string) ([]string, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	clean := strings.TrimPrefix(path.Clean("/"+filepath.ToSlash(directory)), "/")
	if clean == "" {
		return nil, nil
	}
	if info, err := root.Stat(clean); err != nil || !info.IsDir() {
		return nil, nil
	}
	var files []string
	err = fs.WalkDir(root.FS(), clean, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, strings.TrimPrefix(name, clean+"/"))
		}
		return err
	})
	return files, err
}
