package manager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"windlass/internal/catalog"
	"windlass/internal/operation/python"
	"windlass/internal/plugin"
	"windlass/internal/store"
)

// plugins keeps the environments of this manager's plugins: it installs what is
// needed or asked for, notes that in the store, and removes what nobody has any
// more.
type plugins struct {
	store        store.Store
	shelf        catalog.PluginShelf
	environments *plugin.Environments
	workers      *python.Runner // set when there is one
	manager      string         // this manager's name
	log          *slog.Logger
}

func newPlugins(m *Manager, name string, library *catalog.Library) (*plugins, error) {
	installed, err := plugin.NewStore(plugin.Config{Root: filepath.Join(m.config.DataDir, "plugins"), Logger: m.log})
	if err != nil {
		return nil, err
	}
	p := &plugins{
		store: m.store, shelf: catalog.PluginShelf{Store: m.store, Library: library}, manager: name, log: m.log,
	}
	p.environments = &plugin.Environments{
		Store: installed, Catalog: p.shelf, BlueprintDir: library.BlueprintDir, Progress: p.note,
		Fetch: func(ctx context.Context, url string) (string, error) {
			return p.download(ctx, url, m.config.AllowPrivate)
		},
	}
	return p, nil
}

// download copies what a URL names to a file.
func (p *plugins) download(ctx context.Context, url string, private bool) (string, error) {
	body, err := fetchArchive(ctx, url, private)
	if err != nil {
		return "", err
	}
	defer func() { _ = body.Close() }()
	f, err := os.CreateTemp("", "windlass-plugin-*")
	if err != nil {
		return "", fmt.Errorf("download %s: %w", url, err)
	}
	n, err := io.Copy(f, io.LimitReader(body, catalog.MaxArchive+1))
	if err == nil && n > catalog.MaxArchive {
		err = fmt.Errorf("it is larger than %d bytes", int64(catalog.MaxArchive))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", fmt.Errorf("download %s: %w", url, err)
	}
	return f.Name(), nil
}

const noteTime = 10 * time.Second

// note stores how far an installation is. The installation counts, not the
// note: a note that can't be stored is told to the log.
func (p *plugins) note(ctx context.Context, g plugin.Progress) {
	i := store.PluginInstallation{Manager: p.manager, State: store.PluginInstalling}
	if g.Done {
		i.State = store.PluginInstalled
	}
	if g.Err != nil {
		i.State, i.Error = store.PluginError, g.Err.Error()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	err := p.store.Write(ctx, func(tx store.Tx) error { return tx.SetPluginState(ctx, g.Plugin.Tenant, g.Plugin.ID, i) })
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		p.log.Warn("could not note that a plugin is "+i.State, "plugin", g.Plugin.ID, "error", err)
	}
}

// tendEvery is how often is looked for what nobody told of.
const tendEvery = time.Minute

// run installs and removes plugins until ctx ends.
func (p *plugins) run(ctx context.Context) {
	wake, stop := p.store.Subscribe(store.TopicPlugins)
	defer stop()
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for first := true; ; first = false {
		if err := p.tend(ctx, first); err != nil && ctx.Err() == nil {
			p.log.Warn("plugins could not be tended; it is tried again in a while", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-tick.C:
		}
	}
}

// tend does what there is to do. At the start installations that an earlier run
// was in the middle of are begun again.
func (p *plugins) tend(ctx context.Context, first bool) error {
	all, err := p.store.ListPlugins(ctx, store.Query{})
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, record := range all.Items {
		known[record.ID] = true
		if p.isToInstall(record, first) {
			p.install(ctx, record)
		}
	}
	return errors.Join(p.removeDeleted(ctx, known), p.removeOrphans(ctx))
}

// isToInstall tells whether this manager was asked to install a plugin.
func (p *plugins) isToInstall(record store.Plugin, first bool) bool {
	for _, i := range record.Installations {
		if i.Manager == p.manager && (i.State == store.PluginPendingInstall || first && i.State == store.PluginInstalling) {
			return true
		}
	}
	return false
}

func (p *plugins) install(ctx context.Context, record store.Plugin) {
	u, err := p.shelf.Uploaded(ctx, record.Tenant, record.ID)
	if errors.Is(err, store.ErrNotFound) {
		return // deleted meanwhile
	}
	if err == nil {
		_, err = p.environments.Install(ctx, u)
	}
	if err != nil && ctx.Err() == nil {
		p.log.Warn("a plugin could not be installed", "plugin", record.PackageName, "version", record.PackageVersion, "error", err)
	}
}

// removeDeleted removes installations of plugins that were deleted, once no
// worker uses them.
func (p *plugins) removeDeleted(ctx context.Context, known map[string]bool) error {
	tenants, err := p.environments.Store.Tenants()
	if err != nil {
		return err
	}
	var errs []error
	for _, tenant := range tenants {
		list, err := p.environments.Store.List(tenant)
		errs = append(errs, err)
		for _, i := range list {
			if known[i.Key] || !p.workers.Retire(func(environment string) bool { return environment == i.EnvironmentKey() }) {
				continue
			}
			p.log.Info("removed a plugin that was deleted", "plugin", i.PackageName, "version", i.PackageVersion)
			errs = append(errs, p.environments.Store.Remove(ctx, i))
		}
	}
	return errors.Join(errs...)
}

// removeOrphans removes what was installed for deployments that are gone:
// another manager may have deleted them.
func (p *plugins) removeOrphans(ctx context.Context) error {
	scopes, err := p.environments.Store.Deployments()
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range scopes {
		if _, err := p.store.GetDeployment(ctx, s.Tenant, s.DeploymentID); errors.Is(err, store.ErrNotFound) {
			errs = append(errs, p.forget(s.Tenant, s.DeploymentID))
		}
	}
	return errors.Join(errs...)
}

// forget removes what was installed for a deployment alone, unless a worker
// still uses it; then it goes later.
func (p *plugins) forget(tenant, deployment string) error {
	folder := p.environments.Store.DeploymentDir(tenant, deployment) + string(filepath.Separator)
	if !p.workers.Retire(func(environment string) bool { return strings.HasPrefix(environment, folder) }) {
		return nil
	}
	return p.environments.Store.RemoveDeployment(tenant, deployment)
}
