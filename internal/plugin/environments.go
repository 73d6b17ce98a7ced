package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"windlass/internal/blueprint/plan"
	"windlass/internal/operation"
	"windlass/internal/operation/python"
)

// Catalog knows the plugins that were uploaded.
type Catalog interface {
	// Plugin returns the best uploaded plugin that the tenant may use and that
	// fits what a blueprint asks for: the package's name and, if told, its
	// version. An error that wraps fs.ErrNotExist tells that there is none.
	Plugin(ctx context.Context, tenant string, p plan.Plugin) (Uploaded, error)
}

// Uploaded is a plugin that was uploaded.
type Uploaded struct {
	ID   string
	Path string // of its archive
	// Tenant owns it; its installation is shared by all who may use it.
	Tenant string
}

// Environments finds the environments of plugins, and installs them when they
// are needed first: uploaded ones once, ones from a blueprint's folder plugins
// for each deployment.
type Environments struct {
	Store *Store
	// Catalog knows uploaded plugins; nil knows none.
	Catalog Catalog
	// BlueprintDir returns the folder of a blueprint; nil: plugins are not taken
	// from blueprints.
	BlueprintDir func(ctx context.Context, tenant, blueprintID string) (string, error)
	// Fetch downloads a plugin's source; nil: none is downloaded. The file is
	// removed by the caller.
	Fetch func(ctx context.Context, url string) (file string, err error)
}

var _ python.Environments = (*Environments)(nil)

// ownPlugins come with the manager.
var ownPlugins = []string{
	"agent", "diamond", "script", "cfy_extensions", "default_workflows", "worker_installer", "cloudify_system_workflows",
	"agent_installer",
}

// Environment implements python.Environments.
func (e *Environments) Environment(ctx context.Context, q python.Query) (python.Environment, error) {
	p := q.Plugin
	if slices.Contains(ownPlugins, p.Name) {
		return e.plain(ctx), nil
	}
	if p.PackageName != nil && e.Catalog != nil {
		found, err := e.Catalog.Plugin(ctx, q.Tenant, p)
		if err == nil {
			return e.install(ctx, Request{Scope: Scope{Tenant: found.Tenant}, Path: found.Path, ID: found.ID})
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return python.Environment{}, fmt.Errorf("look for the plugin %s: %w", p.Name, err)
		}
	}
	if p.Source != nil && *p.Source != "" {
		return e.fromSource(ctx, q)
	}
	if p.PackageName == nil {
		return e.plain(ctx), nil // modules of the standard library
	}
	wanted := *p.PackageName
	if p.PackageVersion != nil && *p.PackageVersion != "" {
		wanted += " " + *p.PackageVersion
	}
	return python.Environment{}, unusable("No source or managed plugin found for %s (package %s): upload it with cfy plugins upload", p.Name, wanted)
}

// plain is the environment without any plugin.
func (e *Environments) plain(ctx context.Context) python.Environment {
	if all := e.Store.Interpreters(ctx); len(all) > 0 {
		return python.Environment{Python: all[0].Path}
	}
	return python.Environment{}
}

func (e *Environments) install(ctx context.Context, r Request) (python.Environment, error) {
	i, err := e.Store.Install(ctx, r)
	var unfit *UnfitError
	switch {
	case errors.As(err, &unfit), errors.Is(err, ErrInvalid):
		return python.Environment{}, unusable("%s", err)
	case err != nil:
		return python.Environment{}, err
	}
	return python.Environment{Key: i.Dir + "#" + i.Key, Python: i.Python, Path: i.Path}, nil
}

// fromSource installs a plugin for one deployment: from a URL, or from the
// folder plugins of its blueprint, where it lies as a folder or an archive.
func (e *Environments) fromSource(ctx context.Context, q python.Query) (python.Environment, error) {
	source := *q.Plugin.Source
	r := Request{Scope: Scope{Tenant: q.Tenant, DeploymentID: q.DeploymentID}}
	if q.Plugin.InstallArguments != nil {
		r.Arguments = strings.Fields(*q.Plugin.InstallArguments)
	}
	if u, err := url.Parse(source); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		if e.Fetch == nil {
			return python.Environment{}, unusable("the plugin %s comes from %s, and plugins are not downloaded here", q.Plugin.Name, source)
		}
		file, err := e.Fetch(ctx, source)
		if err != nil {
			return python.Environment{}, fmt.Errorf("download the plugin %s: %w", q.Plugin.Name, err)
		}
		defer os.Remove(file)
		r.Path = file
	} else {
		path, err := e.inBlueprint(ctx, q, source)
		if err != nil {
			return python.Environment{}, err
		}
		r.Path = path
	}
	id, err := contentID(r.Path)
	if err != nil {
		return python.Environment{}, fmt.Errorf("read the plugin %s: %w", q.Plugin.Name, err)
	}
	r.ID = "source-" + q.DeploymentID + "-" + id
	return e.install(ctx, r)
}

func (e *Environments) inBlueprint(ctx context.Context, q python.Query, source string) (string, error) {
	if e.BlueprintDir == nil {
		return "", unusable("the plugin %s comes from the blueprint's folder plugins, which is not at hand here", q.Plugin.Name)
	}
	dir, err := e.BlueprintDir(ctx, q.Tenant, q.BlueprintID)
	if err != nil {
		return "", fmt.Errorf("open the blueprint of the plugin %s: %w", q.Plugin.Name, err)
	}
	if !filepath.IsLocal(source) {
		return "", unusable("the source %q of the plugin %s leads out of the blueprint's folder plugins", source, q.Plugin.Name)
	}
	for _, ending := range []string{"", ".zip", ".tar.gz", ".tgz", ".wgn", ".whl"} {
		path := filepath.Join(dir, "plugins", source+ending)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", unusable("the plugin %s should be at plugins/%s of the blueprint %s, and isn't there", q.Plugin.Name, source, q.BlueprintID)
}

// contentID names a file or folder by what is in it.
func contentID(path string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		rel, err := filepath.Rel(path, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%q\n", rel)
		n, err := io.Copy(h, f)
		fmt.Fprintf(h, "\n%d\n", n)
		return err
	})
	return hex.EncodeToString(h.Sum(nil))[:16], err
}

func unusable(format string, args ...any) error {
	return &operation.Error{
		Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: fmt.Sprintf(format, args...),
	}
}
