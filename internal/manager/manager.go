// Package manager puts the rooms together into one running manager: store,
// access, catalog, executions, operation runners and the REST API.
package manager

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"windlass/internal/access"
	"windlass/internal/approval"
	"windlass/internal/blueprint/imports"
	"windlass/internal/catalog"
	"windlass/internal/execution"
	"windlass/internal/hook"
	"windlass/internal/operation"
	"windlass/internal/operation/python"
	"windlass/internal/operation/script"
	"windlass/internal/operation/stdio"
	"windlass/internal/operation/warden"
	"windlass/internal/rest"
	"windlass/internal/snapshot"
	"windlass/internal/store"
	"windlass/internal/store/postgres"
	"windlass/internal/store/sqlite"
)

// Config says where a manager keeps its data and where it listens.
type Config struct {
	DataDir  string // made if missing, for its owner only
	Database string // postgres:// URL; "" for SQLite in the data directory
	Listen   string // host:port; "" serves nothing over the network
	// AdminPassword is given to the admin user if this is the first start; ""
	// generates one.
	AdminPassword string
	// ResourcesLink, if not "", is made a link to the files of blueprints and
	// deployments, for scripts that name the original's /opt/manager/resources.
	ResourcesLink string
	// AllowPrivate lets blueprints and archives be fetched from loopback, private
	// and link-local addresses too.
	AllowPrivate bool
	// ImportRules say where imports are really found, unless the setting
	// import_resolver does.
	ImportRules imports.Rules
	// NoVersionCheck lets elements of blueprints pass that are newer than the
	// version they name.
	NoVersionCheck bool
	// OperationMemory is how many bytes of address space a Python operation or
	// workflow may have, OperationTimeout how long an operation may take whose
	// blueprint doesn't say; 0: no limit.
	OperationMemory  int64
	OperationTimeout time.Duration
	// Warden is this program's command line to watch over scripts, so that they
	// outlive the manager (see package warden); nil: they end with it. On a shared
	// database, where another manager takes their executions over, they do so until
	// shortly before that may be.
	Warden  []string
	Version string
	Logger  *slog.Logger // nil: none
}

// Manager is an open manager. Run makes it work.
type Manager struct {
	// AdminPassword is the admin's password if this start made the user, else "".
	AdminPassword string

	config     Config
	log        *slog.Logger
	store      store.Store
	clock      *store.Clock // that all managers share
	executions *execution.Service
	hooks      *hook.Service
	scripts    *script.Runner
	python     *python.Runner
	plugins    *plugins
	programs   *stdio.Runner
	handler    http.Handler
	listener   net.Listener
	stopping   chan struct{}
	stopOnce   sync.Once
}

// Open opens or creates the data directory and the database, and listens if
// asked to. Nothing is served or run before Run. The caller calls Close, also
// after Run.
func Open(ctx context.Context, c Config) (*Manager, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	m := &Manager{config: c, log: c.Logger, stopping: make(chan struct{})}
	if err := m.open(ctx); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *Manager) open(ctx context.Context) error {
	// Scripts run elsewhere and are given paths in it.
	dir, err := filepath.Abs(m.config.DataDir)
	if err != nil {
		return fmt.Errorf("find the data directory: %w", err)
	}
	m.config.DataDir = dir
	if err := os.MkdirAll(m.config.DataDir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	if m.store, err = openStore(ctx, m.config); err != nil {
		return err
	}
	if m.config.Listen != "" {
		if m.listener, err = listen(ctx, m.config.Listen); err != nil {
			return fmt.Errorf("listen on %s: %w", m.config.Listen, err)
		}
	}
	m.clock = store.NewClock(m.store)
	if _, err := m.clock.Read(ctx); err != nil {
		return err
	}
	keys, err := access.OpenKeyring(filepath.Join(m.config.DataDir, "master.key"))
	if err != nil {
		return err
	}
	users, err := access.New(access.Config{Store: m.store, Keys: keys, Now: m.clock.Now})
	if err != nil {
		return err
	}
	if m.AdminPassword, err = users.Bootstrap(ctx, m.config.AdminPassword); err != nil {
		return err
	}
	return m.assemble(ctx, users)
}

// listenWithin is how long an address may still be taken by a manager that was
// killed just now: a process that it was starting holds its files until the
// program is loaded.
const listenWithin = time.Second

func listen(ctx context.Context, address string) (net.Listener, error) {
	began := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) || time.Since(began) > listenWithin {
			return l, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, err
		}
	}
}

func openStore(ctx context.Context, c Config) (store.Store, error) {
	if c.Database == "" {
		return sqlite.Open(ctx, filepath.Join(c.DataDir, "windlass.db"))
	}
	if !strings.HasPrefix(c.Database, "postgres://") && !strings.HasPrefix(c.Database, "postgresql://") {
		return nil, fmt.Errorf("the database must be a postgres:// URL; leave it out for the embedded SQLite")
	}
	return postgres.Open(ctx, c.Database)
}

// assemble wires the services, from the files up to the API.
func (m *Manager) assemble(ctx context.Context, users *access.Service) error {
	name, err := managerName(m.config.DataDir)
	if err != nil {
		return err
	}
	library, err := catalog.OpenLibrary(m.store, filepath.Join(m.config.DataDir, "library"))
	if err != nil {
		return err
	}
	if m.config.ResourcesLink != "" {
		if err := library.Publish(ctx, m.config.ResourcesLink); err != nil {
			return err
		}
	}
	m.scripts, err = script.New(script.Config{Root: filepath.Join(m.config.DataDir, "run"), Logger: m.log, Warden: m.config.Warden})
	if err != nil {
		return err
	}
	if m.plugins, err = newPlugins(m, name, library); err != nil {
		return err
	}
	m.python, err = python.New(python.Config{
		Root: filepath.Join(m.config.DataDir, "python"), Logger: m.log, Environments: m.plugins.environments,
		Memory: m.config.OperationMemory, Bin: m.scripts.Bin(),
	})
	if err != nil {
		return err
	}
	m.plugins.workers = m.python
	m.programs, err = stdio.New(stdio.Config{
		Root: filepath.Join(m.config.DataDir, "programs"), Logger: m.log, Folder: programs{m.plugins.environments}.folder, Others: m.python,
		Bin: m.scripts.Bin(),
	})
	if err != nil {
		return err
	}
	environment := &catalog.Environment{
		Store: m.store, Library: library, Parse: parseOptions(library, m.config), Fetch: fetcher(m.config.AllowPrivate),
		Now: m.clock.Now, IDs: instanceSuffix,
	}
	snapshots, err := snapshot.New(snapshot.Config{
		Store: m.store, Keys: users, Folders: library.Folders(), TempDir: filepath.Join(m.config.DataDir, "snapshots"),
		Version: m.config.Version, Now: m.clock.Now,
	})
	if err != nil {
		return err
	}
	workflows := m.forgetting(environment.SystemWorkflows())
	maps.Copy(workflows, snapshots.SystemWorkflows())
	approvals := approval.NewService(m.store, name, m.clock.Now)
	m.hooks = hook.NewService(hook.Config{
		Store: m.store, Runner: m.python, ManagerName: name, RestURL: m.url(), HashToken: access.HashToken, Clock: m.clock, Logger: m.log,
	})
	if err := m.hooks.Refresh(ctx); err != nil {
		m.log.Error("no hook is called until its setting is mended", "error", err)
	}
	m.executions, err = execution.New(execution.Config{
		Store: m.store, ManagerName: name, Alone: m.config.Database == "", Clock: m.clock,
		Workflows: m.python.Lookup,
		Runners: map[string]operation.Runner{
			"script": m.scripts, approval.Plugin: approval.Gate{Service: approvals}, operation.ExtensionsPlugin: operation.Extensions{Runner: m.python},
			"": m.programs,
		},
		SystemWorkflows: workflows,
		Resources:       library,
		Secrets:         secrets{m.store, users},
		WorkDir:         library.WorkDir,
		Dependents:      catalog.Dependents,
		Announce:        m.hooks.Announce,
		Replanned:       catalog.Replanned, Schedules: catalog.Schedules,
		RestURL: m.url(), OperationTimeout: m.config.OperationTimeout,
		Uptime: warden.Uptime, Logger: m.log,
	})
	if err != nil {
		return err
	}
	snapshots.Start = m.executions
	environment.Evaluate, environment.Schedule, environment.Updates = m.executions.Evaluate, m.executions.AddSchedule, m.executions
	contents := catalog.New(catalog.Config{
		Store: m.store, Library: library, Executions: m.executions, Evaluator: m.executions, Now: m.clock.Now,
	})
	environment.Remove, environment.Wait = contents.DeleteDeployment, m.executions.Wait
	m.handler, err = rest.New(rest.Config{
		Store: m.store, Access: users, Executions: m.executions, Hooks: m.hooks, Approvals: approvals,
		Catalog: contents, Plugins: contents,
		Files: library, Snapshots: snapshots, Fetch: fetcher(m.config.AllowPrivate), Version: m.config.Version, Host: name, Address: m.config.Listen,
		Why: m.executions.Why, Disk: func() (rest.Disk, error) { return diskOf(m.config.DataDir) }, Stopping: m.stopping, Now: m.clock.Now, Logger: m.log,
	})
	return err
}

func (m *Manager) url() string {
	if m.listener == nil {
		return ""
	}
	return "http://" + m.listener.Addr().String()
}

// Handler serves the REST API in this process, whether or not the manager
// listens. What it starts runs while Run runs.
func (m *Manager) Handler() http.Handler { return m.handler }

// Address is where the manager listens, "" if it does not.
func (m *Manager) Address() string {
	if m.listener == nil {
		return ""
	}
	return m.listener.Addr().String()
}

// shutdownGrace is how long requests under way may take to end.
const shutdownGrace = 5 * time.Second

// Run serves and runs executions until ctx ends or one of both fails. It stops
// in order: no new requests, requests under way, executions. Executions that
// are not done are left to the next start. It returns nil if ctx ended.
func (m *Manager) Run(ctx context.Context) error {
	if err := m.reapScripts(ctx); err != nil {
		return fmt.Errorf("clear what an earlier run left: %w", err)
	}
	workers, err := m.python.Reap(ctx)
	if err != nil {
		return fmt.Errorf("clear what an earlier run left: %w", err)
	}
	programs, err := m.programs.Reap(ctx)
	if err != nil {
		return fmt.Errorf("clear what an earlier run left: %w", err)
	}
	for _, o := range append(workers, programs...) {
		m.log.Info("stopped an operation that an earlier run left", "orphan", o)
	}
	// What runs is stopped last, and scripts have to know before that they are
	// left for the next manager.
	stop := ctx.Done()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	failed := make(chan error, 2)
	var work sync.WaitGroup
	work.Go(func() { failed <- m.executions.Run(ctx) })
	work.Go(func() { m.reviewScripts(ctx) })
	work.Go(func() { m.plugins.run(ctx) })
	work.Go(func() { m.hooks.Run(ctx) })
	server := &http.Server{
		Handler: m.handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelWarn),
	}
	if m.listener != nil {
		work.Go(func() {
			if err := server.Serve(m.listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve the REST API: %w", err)
			}
		})
	}
	select {
	case <-stop:
	case err = <-failed:
	case <-m.broken():
		err = m.store.Write(ctx, func(store.Tx) error { return nil }) // says why
	}
	m.endStreams()
	grace, done := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer done()
	if stopErr := server.Shutdown(grace); stopErr != nil {
		_ = server.Close()
	}
	m.scripts.Leave()
	cancel()
	work.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// broken is closed when the store has broken for good. A manager that can't write
// is of no use: whoever starts it again, a person or the system, gets on sooner.
func (m *Manager) broken() <-chan struct{} {
	if b, ok := m.store.(store.Breaker); ok {
		return b.Broken()
	}
	return nil
}

func (m *Manager) endStreams() { m.stopOnce.Do(func() { close(m.stopping) }) }

// Close releases everything. It is safe to call more than once.
func (m *Manager) Close() error {
	m.endStreams()
	var errs []error
	if m.listener != nil {
		if err := m.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if m.scripts != nil {
		errs = append(errs, m.scripts.Close())
		m.scripts = nil
	}
	if m.programs != nil {
		errs = append(errs, m.programs.Close())
		m.programs = nil
	}
	if m.python != nil {
		errs = append(errs, m.python.Close())
		m.python = nil
	}
	if m.store != nil {
		errs = append(errs, m.store.Close())
		m.store = nil
	}
	return errors.Join(errs...)
}

// managerName is this manager's name among those that share a database: the
// host's name and a random part kept in the data directory.
func managerName(dataDir string) (string, error) {
	file := filepath.Join(dataDir, "manager.name")
	if text, err := os.ReadFile(file); err == nil && len(text) > 0 {
		return strings.TrimSpace(string(text)), nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("name this manager: %w", err)
	}
	var random [4]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", fmt.Errorf("name this manager: %w", err)
	}
	name := host + "-" + hex.EncodeToString(random[:])
	if err := os.WriteFile(file, []byte(name+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("name this manager: %w", err)
	}
	return name, nil
}
