package plugin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"windlass/internal/blueprint/plan"
	"windlass/internal/operation"
	"windlass/internal/operation/python"
)

// Catalog knows the plugins that were uploaded.
type Catalog interface {
	// Plugins returns the uploaded plugins that the tenant may use and that fit
	// what a blueprint asks for: the package's name and, if told, its version.
	// The newest comes first; none is no error.
	Plugins(ctx context.Context, tenant string, p plan.Plugin) ([]Uploaded, error)
	// Archive copies the plugin's archive to a file, which the caller removes.
	Archive(ctx context.Context, u Uploaded) (file string, err error)
}

// Uploaded is a plugin that was uploaded.
type Uploaded struct {
	ID string
	// Tenant owns it; its installation is shared by all who may use it.
	Tenant   string
	Metadata *Metadata
}

// Progress is how far the installation of an uploaded plugin is.
type Progress struct {
	Plugin Uploaded
	Done   bool
	Err    error // why it failed; nil unless Done
}

// Environments finds the environments of plugins, and installs them when they
// are needed first: uploaded ones once, ones from a blueprint's folder plugins
// for each deployment.
type Environments struct {
	Store *Store
	// Catalog knows uploaded plugins; nil knows none.
	Catalog Catalog
	// BlueprintDir returns the folder of a blueprint, which is another one when
	// its content is; nil: plugins are not taken from blueprints.
	BlueprintDir func(ctx context.Context, tenant, blueprintID string) (string, error)
	// Fetch downloads a plugin's source; nil: none is downloaded. The file is
	// removed by the caller.
	Fetch func(ctx context.Context, url string) (file string, err error)
	// Progress is told of installations of uploaded plugins; nil: nobody is.
	Progress func(ctx context.Context, p Progress)

	fit sync.Map // id of an uploaded plugin to whether it fits this machine
}

var _ python.Environments = (*Environments)(nil)

// ownPlugins come with the manager.
var ownPlugins = []string{
	"agent", "diamond", "script", "cfy_extensions", "default_workflows", "worker_installer", "cloudify_system_workflows",
	"agent_installer",
}

// Own tells whether a plugin of that name comes with the manager.
func Own(name string) bool { return slices.Contains(ownPlugins, name) }

// Program is the folder of a plugin that is a program which speaks the plugin
// protocol, installed if it wasn't; "" if it is of another kind.
func (e *Environments) Program(ctx context.Context, q python.Query) (folder string, err error) {
	i, err := e.find(ctx, q, func(u Uploaded) bool { return u.Metadata.Kind == Source })
	return i.Program, err
}

// Environment implements python.Environments.
func (e *Environments) Environment(ctx context.Context, q python.Query) (python.Environment, error) {
	i, err := e.find(ctx, q, func(Uploaded) bool { return true })
	if err != nil {
		return python.Environment{}, err
	}
	if i.Program != "" {
		return python.Environment{}, unusable("the plugin %s is a program, which has operations only: there is no Python function in it", q.Plugin.Name)
	}
	return environment(i), nil
}

// find returns where a plugin is installed, and installs it if it wasn't. Of
// uploaded plugins only those that are wanted are installed; others are nothing.
func (e *Environments) find(ctx context.Context, q python.Query, wanted func(Uploaded) bool) (Installed, error) {
	p := q.Plugin
	if Own(p.Name) {
		return plain, nil
	}
	if p.PackageName != nil && *p.PackageName != "" && e.Catalog != nil {
		found, ok, err := e.choose(ctx, q.Tenant, p)
		if err != nil {
			return Installed{}, fmt.Errorf("look for the plugin %s: %w", p.Name, err)
		}
		if ok && !wanted(found) {
			return Installed{}, nil
		}
		if ok {
			i, err := e.Install(ctx, found)
			return i, verdict(err)
		}
	}
	if p.Source != nil && *p.Source != "" {
		return e.fromSource(ctx, q)
	}
	if p.PackageName == nil || *p.PackageName == "" || !p.Install {
		return plain, nil
	}
	name := *p.PackageName
	if p.PackageVersion != nil && *p.PackageVersion != "" {
		name += " " + *p.PackageVersion
	}
	return Installed{}, unusable("No source or managed plugin found for %s (package %s): upload it with cfy plugins upload", p.Name, name)
}

// choose returns the newest uploaded plugin that fits this machine; the newest
// of all if none does, so that its installation tells why.
func (e *Environments) choose(ctx context.Context, tenant string, p plan.Plugin) (Uploaded, bool, error) {
	all, err := e.Catalog.Plugins(ctx, tenant, p)
	if err != nil || len(all) == 0 {
		return Uploaded{}, false, err
	}
	for _, u := range all {
		fits, known := e.fit.Load(u.ID)
		if !known {
			fits = e.Store.Check(ctx, u.Metadata).Fits()
			e.fit.Store(u.ID, fits)
		}
		if fits.(bool) {
			return u, true, nil
		}
	}
	return all[0], true, nil
}

// plain is the environment without any plugin: what the interpreter has itself.
var plain = Installed{Key: "python"}

// inPlace is a folder of modules, or of a program, that is used where it is.
func inPlace(folder string) Installed {
	i := Installed{Key: folder}
	if _, err := os.Stat(filepath.Join(folder, programManifest)); err == nil {
		i.Program = folder
	} else {
		i.Path = []string{folder}
	}
	return i
}

// Install installs an uploaded plugin, unless it is installed already.
func (e *Environments) Install(ctx context.Context, u Uploaded) (Installed, error) {
	scope := Scope{Tenant: u.Tenant}
	name, version := u.Metadata.PackageName, u.Metadata.PackageVersion
	if i, err := e.Store.Get(scope, name, version, u.ID); err == nil {
		return i, nil
	}
	e.tell(ctx, Progress{Plugin: u})
	i, err := e.installUploaded(ctx, u, Request{Scope: scope, ID: u.ID, Name: name, Version: version})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return i, cause // whoever comes next installs it
	}
	e.tell(ctx, Progress{Plugin: u, Done: true, Err: err})
	return i, err
}

func (e *Environments) installUploaded(ctx context.Context, u Uploaded, r Request) (Installed, error) {
	file, err := e.Catalog.Archive(ctx, u)
	if err != nil {
		return Installed{}, fmt.Errorf("fetch the archive of the plugin %s %s: %w", r.Name, r.Version, err)
	}
	defer os.Remove(file)
	r.Path = file
	return e.Store.Install(ctx, r)
}

func (e *Environments) tell(ctx context.Context, p Progress) {
	if e.Progress != nil {
		e.Progress(ctx, p)
	}
}

func environment(i Installed) python.Environment {
	return python.Environment{Key: i.EnvironmentKey(), Python: i.Python, Path: i.Path}
}

// EnvironmentKey is the key of the environment that the installation is.
func (i Installed) EnvironmentKey() string {
	if i.Dir == "" { // it is used where it is
		return i.Key
	}
	return i.Dir + "#" + i.Key
}

// verdict tells operations that trying again won't help, where that is so.
func verdict(err error) error {
	var unfit *UnfitError
	if errors.As(err, &unfit) || errors.Is(err, ErrInvalid) {
		return unusable("%s", err)
	}
	return err
}

// fromSource installs a plugin for one deployment: from a URL, or from the
// folder plugins of its blueprint, where it lies as a folder or an archive. A
// folder that is no package is used where it is.
func (e *Environments) fromSource(ctx context.Context, q python.Query) (Installed, error) {
	source := *q.Plugin.Source
	if u, err := url.Parse(source); err == nil && (u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "ftp") {
		return e.forDeployment(ctx, q, source, func() (string, func(), error) { return e.download(ctx, q, source) })
	}
	path, err := e.inBlueprint(ctx, q, source)
	if err != nil {
		return Installed{}, err
	}
	if isPlainFolder(path) {
		return inPlace(path), nil
	}
	return e.forDeployment(ctx, q, path, func() (string, func(), error) { return path, func() {}, nil })
}

// forDeployment installs what open gives for one deployment, unless that was
// done already: origin names where it comes from.
func (e *Environments) forDeployment(
	ctx context.Context, q python.Query, origin string, open func() (path string, done func(), err error),
) (Installed, error) {
	scope := Scope{Tenant: q.Tenant, DeploymentID: q.DeploymentID}
	if i, err := e.Store.From(scope, origin); err == nil {
		return i, nil
	}
	path, done, err := open()
	if err != nil {
		return Installed{}, err
	}
	defer done()
	r := Request{Scope: scope, Path: path, ID: "source-" + q.DeploymentID + "-" + shortHash(origin), Origin: origin}
	if q.Plugin.InstallArguments != nil {
		r.Arguments = strings.Fields(*q.Plugin.InstallArguments)
	}
	i, err := e.Store.Install(ctx, r)
	return i, verdict(err)
}

func (e *Environments) download(ctx context.Context, q python.Query, source string) (string, func(), error) {
	if e.Fetch == nil {
		return "", nil, unusable("the plugin %s comes from %s, and plugins are not downloaded here", q.Plugin.Name, source)
	}
	file, err := e.Fetch(ctx, source)
	if err != nil {
		return "", nil, fmt.Errorf("download the plugin %s: %w", q.Plugin.Name, err)
	}
	return file, func() { _ = os.Remove(file) }, nil
}

func (e *Environments) inBlueprint(ctx context.Context, q python.Query, source string) (string, error) {
	if e.BlueprintDir == nil {
		return "", unusable("the plugin %s comes from the blueprint's folder plugins, which is not at hand here", q.Plugin.Name)
	}
	dir, err := e.BlueprintDir(ctx, q.Tenant, q.BlueprintID)
	if err != nil {
		return "", fmt.Errorf("open the blueprint of the plugin %s: %w", q.Plugin.Name, err)
	}
	if !filepath.IsLocal(filepath.FromSlash(source)) {
		return "", unusable("the source %q of the plugin %s leads out of the blueprint's folder plugins", source, q.Plugin.Name)
	}
	for _, ending := range []string{"", ".zip", ".tar.gz", ".tgz", ".wgn", ".whl"} {
		path := filepath.Join(dir, "plugins", filepath.FromSlash(source)+ending)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", unusable("plugin %s is not in the blueprint's archive: there is no folder plugins/%s in blueprint %s, and no archive of that name",
		q.Plugin.Name, source, q.BlueprintID)
}

// isPlainFolder tells whether path is a folder of modules that nothing is
// installed from.
func isPlainFolder(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	for _, name := range []string{"setup.py", "setup.cfg", "pyproject.toml"} {
		if _, err := os.Stat(filepath.Join(path, name)); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}

func unusable(format string, args ...any) error {
	return &operation.Error{
		Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: fmt.Sprintf(format, args...),
	}
}
