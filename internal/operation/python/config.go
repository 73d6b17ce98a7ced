// Package python runs operations of Python plugins, and workflows written in
// Python, in warm workers.
//
// A worker is a Python process that belongs to one deployment and one plugin
// environment. It has imported the framework (package windlass/python) and
// forks a clean child for each operation, which takes a few milliseconds. It
// starts when it is first needed and ends when it has been idle for a while.
//
// A child has a connection of its own, by which it uses its context, and a file
// that its output goes to. Whatever a child does, ends only itself: crashes,
// os._exit, endless output, and processes that it leaves behind.
package python

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"windlass/internal/operation"
	"windlass/internal/operation/child"
	"windlass/internal/operation/ctxproxy"
	framework "windlass/python"
)

// Config configures a Runner. Only Root is needed.
type Config struct {
	// Root is the runner's own directory; it is made when missing. One manager
	// at a time should use it.
	Root string
	// Logger is told what operations are not; nil: nothing is logged.
	Logger *slog.Logger
	// Environments finds where plugins are installed; nil knows none, so that
	// only modules of the standard library can be called.
	Environments Environments
	// Proxy serves the context to processes that operations start; nil: the
	// runner has its own.
	Proxy *ctxproxy.Server
	// Bin is a directory for the PATH of operations, such as that of the ctx
	// command; "": none.
	Bin string
	// Python is the interpreter for environments that have none of their own;
	// "": python3.
	Python string
	// Env is the environment that workers start from; nil: this process's,
	// without what is the manager's own (WINDLASS_*).
	Env []string
	// Grace is how long an operation may take to end by itself after it was
	// asked to, before it is killed; 0: 5 s.
	Grace time.Duration
	// StartTimeout bounds the start of a worker; 0: 30 s.
	StartTimeout time.Duration
	// Patience is how long a worker that runs something may not answer before it
	// is ended; 0: 30 s.
	Patience time.Duration
	// Idle is how long a worker without work is kept; 0: 5 min.
	Idle time.Duration
	// Workers is how many workers are kept; beyond it, idle ones end when others
	// start. 0: 32.
	Workers int
	// Memory is how many bytes of address space one operation or workflow may
	// have; 0: no limit.
	Memory int64
	// Output bounds what the output of one operation may cost, Log what its
	// loggers may: child.OutputLimits and child.LogLimits where they say nothing.
	Output, Log child.Limits
}

func orDefault[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

func (c Config) withDefaults() (Config, error) {
	if c.Root == "" {
		return c, errors.New("python runner: no root directory is configured")
	}
	root, err := filepath.Abs(c.Root)
	if err != nil {
		return c, fmt.Errorf("python runner: %w", err)
	}
	c.Root = root
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Environments == nil {
		c.Environments = none{}
	}
	if c.Env == nil {
		c.Env = slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "WINDLASS_") })
	}
	c.Python = orDefault(c.Python, "python3")
	c.Grace = orDefault(c.Grace, 5*time.Second)
	c.StartTimeout = orDefault(c.StartTimeout, 30*time.Second)
	c.Patience = orDefault(c.Patience, 30*time.Second)
	c.Idle = orDefault(c.Idle, 5*time.Minute)
	c.Workers = orDefault(c.Workers, 32)
	c.Output = c.Output.Or(child.OutputLimits)
	c.Log = c.Log.Or(child.LogLimits)
	return c, nil
}

// Runner runs Python operations and workflows. It is safe for concurrent use.
type Runner struct {
	cfg      Config
	proxy    *ctxproxy.Server
	ownProxy bool
	pool     *pool
	runs     *child.Runs
	live     liveWorkflows

	unpack    sync.Once // guards framework and unpackErr
	framework string
	unpackErr error
}

var _ operation.Runner = (*Runner)(nil)

// certificates is a file in the root directory for what wants to be told of one.
// The manager serves without encryption, so it stays empty.
const certificates = "certificates.pem"

// New prepares the root directory and returns a runner. Close it when all
// operations have ended.
func New(cfg Config) (*Runner, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Runner{cfg: cfg, proxy: cfg.Proxy}
	if err = os.MkdirAll(cfg.Root, 0o755); err == nil {
		err = os.WriteFile(filepath.Join(cfg.Root, certificates), nil, 0o644)
	}
	if err != nil {
		return nil, fmt.Errorf("python runner: %w", err)
	}
	if r.runs, err = child.OpenRuns(filepath.Join(cfg.Root, "runs"), cfg.Logger); err != nil {
		return nil, fmt.Errorf("python runner: %w", err)
	}
	if r.proxy == nil {
		if r.proxy, err = ctxproxy.Listen(cfg.Logger); err != nil {
			return nil, fmt.Errorf("python runner: %w", err)
		}
		r.ownProxy = true
	}
	r.pool = newPool(r)
	return r, nil
}

// Close ends all workers. Operations must have ended.
func (r *Runner) Close() error {
	r.pool.close()
	if !r.ownProxy {
		return nil
	}
	return r.proxy.Close()
}

// frameworkDir unpacks the Python framework when it is needed first.
func (r *Runner) frameworkDir() (string, error) {
	r.unpack.Do(func() { r.framework, r.unpackErr = framework.Unpack(filepath.Join(r.cfg.Root, "python")) })
	return r.framework, r.unpackErr
}

// Workers is how many workers there are now.
func (r *Runner) Workers() int { return r.pool.size() }

// Forget ends the workers of a deployment: it is gone, or its plugins are.
// Workers in use end with what they run.
func (r *Runner) Forget(tenant, deploymentID string) { r.pool.retireDeployment(tenant, deploymentID) }

// Reap ends what operations of dead managers left; see child.Runs.Reap.
func (r *Runner) Reap(ctx context.Context) ([]child.Orphan, error) {
	return r.runs.Reap(ctx, r.cfg.Grace)
}

// Retire ends the workers of environments that have nothing to do, and tells
// whether nothing runs in those environments any more, so that their files can
// go. of is asked with the keys of environments.
func (r *Runner) Retire(of func(environment string) bool) (free bool) {
	return r.pool.retireEnvironments(of)
}
