package stdio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"windlass/internal/operation"
	"windlass/internal/operation/child"
	"windlass/internal/operation/ctxproxy"
)

// Config configures a Runner. Root and Folder are needed.
type Config struct {
	// Root is the runner's own directory; it is made when missing. One manager
	// at a time should use it.
	Root string
	// Folder finds the folder of the plugin that a request is for; "" if that is
	// no plugin of this kind.
	Folder func(ctx context.Context, req *operation.Request) (string, error)
	// Others runs operations of all other plugins; nil: they are refused.
	Others operation.Runner
	// Logger is told what operations are not; nil: nothing is logged.
	Logger *slog.Logger
	// Proxy serves the context to the ctx command; nil: the runner has its own.
	Proxy *ctxproxy.Server
	// Bin is a directory for the PATH of operations, such as that of the ctx
	// command; "": none.
	Bin string
	// Env is the environment that plugins start from; nil: this process's,
	// without what is the manager's own (WINDLASS_*).
	Env []string
	// Grace is how long a process may take to end by itself after it was asked
	// to, or has told its result, before it is killed; 0: 5 s.
	Grace time.Duration
	// Output bounds what one operation's output may cost, Log what it may log:
	// child.OutputLimits and child.LogLimits where they say nothing.
	Output, Log child.Limits
}

// Runner runs operations of plugins in any language. It is safe for concurrent
// use.
type Runner struct {
	cfg      Config
	env      []string
	proxy    *ctxproxy.Server
	ownProxy bool
	runs     *child.Runs
	spawner  *child.Spawner
}

var _ operation.Runner = (*Runner)(nil)

// New prepares the root directory and returns a runner. Close it when all
// operations have ended.
func New(cfg Config) (*Runner, error) {
	if cfg.Root == "" || cfg.Folder == nil {
		return nil, errors.New("stdio runner: it needs a root directory, and to know where plugins are")
	}
	root, err := filepath.Abs(cfg.Root)
	if err != nil {
		return nil, fmt.Errorf("stdio runner: %w", err)
	}
	cfg.Root = root
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Env == nil {
		cfg.Env = slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "WINDLASS_") })
	}
	cfg.Grace = cmp.Or(cfg.Grace, 5*time.Second)
	cfg.Output, cfg.Log = cfg.Output.Or(child.OutputLimits), cfg.Log.Or(child.LogLimits)
	r := &Runner{cfg: cfg, env: withBin(cfg.Env, cfg.Bin), proxy: cfg.Proxy}
	if r.runs, err = child.OpenRuns(filepath.Join(root, "runs"), cfg.Logger); err != nil {
		return nil, fmt.Errorf("stdio runner: %w", err)
	}
	if r.proxy == nil {
		if r.proxy, err = ctxproxy.Listen(cfg.Logger); err != nil {
			return nil, fmt.Errorf("stdio runner: %w", err)
		}
		r.ownProxy = true
	}
	r.spawner = child.NewSpawner()
	return r, nil
}

// withBin puts a directory before the others of the PATH.
func withBin(env []string, bin string) []string {
	if bin == "" {
		return env
	}
	path := bin
	for _, e := range env {
		if rest, ok := strings.CutPrefix(e, "PATH="); ok {
			path = bin + string(os.PathListSeparator) + rest
		}
	}
	return append(slices.Clone(env), "PATH="+path)
}

// Close releases what the runner holds. Operations must have ended.
func (r *Runner) Close() error {
	r.spawner.Close()
	if !r.ownProxy {
		return nil
	}
	return r.proxy.Close()
}

// Reap ends what operations of dead managers left; see child.Runs.Reap.
func (r *Runner) Reap(ctx context.Context) ([]child.Orphan, error) {
	return r.runs.Reap(ctx, r.cfg.Grace)
}

// Run runs one operation; see operation.Runner. Runtime properties that it
// changed with the ctx command are stored when it ends, also when it fails.
func (r *Runner) Run(ctx context.Context, req *operation.Request, host operation.Host) (any, error) {
	folder, err := r.cfg.Folder(ctx, req)
	switch {
	case err != nil: // what its start needed went wrong
		return nil, errors.Join(host.Started(ctx), err)
	case folder == "" && r.cfg.Others == nil:
		return nil, nonRecoverable("plugin %s has no %s", req.Plugin.Name, ManifestFile)
	case folder == "":
		return r.cfg.Others.Run(ctx, req, host)
	}
	if err := host.Started(ctx); err != nil {
		return nil, err
	}
	manifest, err := ReadManifest(folder)
	if err != nil {
		return nil, err
	}
	argv, err := manifest.command(folder, r.env)
	if err != nil {
		return nil, err
	}
	run, err := r.runs.New()
	if err != nil {
		return nil, err
	}
	defer run.Remove()
	return r.runProcess(ctx, req, host, argv, run)
}

func (r *Runner) runProcess(
	ctx context.Context, req *operation.Request, host operation.Host, argv []string, run *child.Run,
) (any, error) {
	budget := child.NewBudget(r.cfg.Log)
	defer func() {
		if text, ok := budget.Report("operation"); ok {
			host.Log("warning", text)
		}
	}()
	limited := limitedHost{host, budget}
	out, err := run.NewOutput(r.cfg.Output, func(m string) { host.Log("debug", "<out> "+m) })
	if err != nil {
		return nil, err
	}
	defer out.File.Close()
	session := ctxproxy.NewSession(ctxproxy.SessionConfig{
		Request: req, Host: limited, Dir: cmp.Or(req.WorkDir, run.Path), Downloads: filepath.Join(cmp.Or(req.WorkDir, r.cfg.Root), ".downloads"),
		Inputs: req.Inputs,
	})
	// An operation that is asked to end may still use its context while it cleans
	// up, so the context lives on after ctx until the process is gone.
	alive := context.WithoutCancel(ctx)
	address, end := r.proxy.Open(alive, session)
	defer end()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Stderr, cmd.SysProcAttr = cmp.Or(req.WorkDir, run.Path), out.File, child.Attributes()
	cmd.Env = append(slices.Clone(r.env), "CTX_SOCKET_URL="+address, child.Marker+"="+run.Path)
	s := &talk{session: session, req: req, out: out}
	e, err := r.talk(ctx, alive, cmd, run, s)
	if err != nil {
		return nil, err
	}
	end()

	saved, cancel := context.WithTimeout(alive, saveTimeout)
	defer cancel()
	saveErr := session.Save(saved)
	result, err := s.conclude(e)
	switch {
	case saveErr == nil:
		return result, err
	case err == nil:
		return nil, ctxproxy.OperationError(saveErr)
	}
	host.Log("error", "Runtime properties could not be stored: "+saveErr.Error())
	return nil, err
}

// saveTimeout bounds how long storing runtime properties may take after an
// operation that was cancelled.
const saveTimeout = 10 * time.Second

// limitedHost bounds what an operation may log.
type limitedHost struct {
	operation.Host
	budget *child.Budget
}

func (l limitedHost) Log(level, message string) {
	if message, ok := l.budget.Spend(message); ok {
		l.Host.Log(level, message)
	}
}
