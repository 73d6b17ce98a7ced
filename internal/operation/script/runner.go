// Package script runs the operations of the script plugin: programs of any
// kind as child processes, which use their context through the ctx command,
// and Python scripts on the embedded framework.
//
// A process gets a group of its own and a run directory. Its output goes to
// files there, not to pipes: whatever it leaves running in the background can
// neither hold up the operation nor be killed by a closed pipe, and its output
// is there even if the manager dies. The run directory also names the process,
// so that the next manager can end what a dead one left (Reap).
package script

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
	"sync/atomic"
	"time"

	"windlass/internal/operation"
	"windlass/internal/operation/child"
	"windlass/internal/operation/ctxproxy"
	"windlass/python"
)

// Config configures a Runner. Only Root is needed.
type Config struct {
	// Root is the runner's own directory; it is made when missing, and must
	// allow programs to be executed. One manager at a time should use it.
	Root string
	// Logger is told what operations are not; nil: nothing is logged.
	Logger *slog.Logger
	// Proxy serves the context of operations; nil: the runner has its own.
	Proxy *ctxproxy.Server
	// Command is the program that acts as the ctx command when it is started
	// by that name; "": this program.
	Command string
	// Warden is the file of a program and its arguments, its name first, that
	// serves as a warden (see package warden): with it scripts outlive the manager, and the next manager at this
	// Root takes them up. Without one they end with the manager.
	Warden []string
	// Python is the interpreter for Python scripts and templates; "": python3.
	Python string
	// Env is the environment that scripts start from; nil: this process's,
	// without what is the manager's own (WINDLASS_*).
	Env []string
	// Grace is how long a process may take to end by itself after it was asked
	// to, before it is killed; 0: 5 s.
	Grace time.Duration
	// Output bounds what one operation may log.
	Output OutputLimits
	// MaxScript bounds the size of a script in bytes; 0: 16 MiB.
	MaxScript int64
	// DownloadTimeout bounds how long a script may take to come from an http
	// URL; 0: one minute.
	DownloadTimeout time.Duration
}

// OutputLimits bound what the output of one operation may cost.
type OutputLimits struct {
	// Lines and Bytes are how much is logged; what is beyond is counted and
	// dropped but for the last lines. 0: 10,000 lines, 4 MiB.
	Lines, Bytes int
	// LineBytes is where longer lines are split; 0: 16 KiB.
	LineBytes int
}

func (c Config) withDefaults() (Config, error) {
	if c.Root == "" {
		return c, errors.New("script runner: no root directory is configured")
	}
	root, err := filepath.Abs(c.Root)
	if err != nil {
		return c, fmt.Errorf("script runner: %w", err)
	}
	c.Root = root
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Command == "" {
		if c.Command, err = os.Executable(); err != nil {
			return c, fmt.Errorf("script runner: find this program for the ctx command: %w", err)
		}
	}
	if c.Env == nil {
		c.Env = slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "WINDLASS_") })
	}
	c.Python = orDefault(c.Python, "python3")
	c.Grace = orDefault(c.Grace, 5*time.Second)
	c.Output.Lines = orDefault(c.Output.Lines, 10_000)
	c.Output.Bytes = orDefault(c.Output.Bytes, 4<<20)
	c.Output.LineBytes = orDefault(c.Output.LineBytes, 16<<10)
	c.MaxScript = orDefault(c.MaxScript, 16<<20)
	c.DownloadTimeout = orDefault(c.DownloadTimeout, time.Minute)
	return c, nil
}

func orDefault[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// Runner runs script operations. It is safe for concurrent use.
type Runner struct {
	cfg      Config
	proxy    *ctxproxy.Server
	ownProxy bool
	renderer *renderer
	syntax   syntaxCache
	prefix   string // begins the names of this runner's run directories
	boot     string // see child.Boot
	buffers  *sync.Pool
	spawner  *child.Spawner
	keeper   *keeper     // of scripts that outlive the manager; nil: they don't
	spares   spares      // run directories to be used again
	closed   atomic.Bool // none are kept any more
	leaving  atomic.Bool // see Leave

	unpack    sync.Once // guards framework and unpackErr
	framework string
	unpackErr error
}

var _ operation.Runner = (*Runner)(nil)

// New prepares the root directory and returns a runner. Close it when all
// operations have ended.
func New(cfg Config) (*Runner, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Runner{cfg: cfg, proxy: cfg.Proxy, prefix: child.OwnPrefix(), boot: child.Boot(), buffers: newBuffers()}
	r.renderer = &renderer{runner: r}
	if err := r.prepareRoot(); err != nil {
		return nil, err
	}
	if len(cfg.Warden) > 0 {
		r.keeper = newKeeper(cfg.Warden)
	}
	if r.proxy == nil {
		if r.proxy, err = r.listen(); err != nil {
			return nil, fmt.Errorf("script runner: %w", err)
		}
		r.ownProxy = true
	}
	r.spawner = child.NewSpawner()
	return r, nil
}

// Close ends the listener that scripts' contexts are served by. Operations
// must have ended.
func (r *Runner) Close() error {
	r.spawner.Close()
	var err error
	if r.keeper != nil {
		err = r.closeKeeper()
	}
	r.clearSpares()
	if !r.ownProxy {
		return err
	}
	return errors.Join(err, r.proxy.Close())
}

func (r *Runner) runsDir() string { return filepath.Join(r.cfg.Root, "runs") }
func (r *Runner) binDir() string  { return filepath.Join(r.cfg.Root, "bin") }

// Bin is the folder with the ctx command, for the PATH of what runs elsewhere.
func (r *Runner) Bin() string { return r.binDir() }

// ctxShell is sourced by scripts that want to end when a ctx command fails.
const ctxShell = `# Sourced by scripts (. ctx-sh): a ctx command that fails ends the script.
ctx() {
    command ctx "$@" || exit
}
`

func (r *Runner) prepareRoot() error {
	for _, dir := range []string{r.runsDir(), r.binDir(), r.sparesDir()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("script runner: %w", err)
		}
	}
	if err := r.removeLeftSpares(); err != nil {
		return fmt.Errorf("script runner: remove run directories of an earlier run: %w", err)
	}
	link := filepath.Join(r.binDir(), "ctx")
	if at, err := os.Readlink(link); err != nil || at != r.cfg.Command {
		if err := replaceLink(r.cfg.Command, link); err != nil {
			return fmt.Errorf("script runner: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(r.binDir(), "ctx-sh"), []byte(ctxShell), 0o755); err != nil {
		return fmt.Errorf("script runner: %w", err)
	}
	return nil
}

func replaceLink(target, link string) error {
	fresh := fmt.Sprintf("%s.%d", link, os.Getpid())
	if err := os.Symlink(target, fresh); err != nil {
		return err
	}
	return os.Rename(fresh, link)
}

// frameworkDir unpacks the Python framework when it is needed first.
func (r *Runner) frameworkDir() (string, error) {
	r.unpack.Do(func() { r.framework, r.unpackErr = python.Unpack(filepath.Join(r.cfg.Root, "python")) })
	return r.framework, r.unpackErr
}

// The operations of the plugin.
const (
	runOperation      = "script_runner.tasks.run"
	workflowOperation = "script_runner.tasks.execute_workflow"
)

// Run runs one script operation; see operation.Runner.
//
// Runtime properties that the script changed are stored when it ends, however
// it ends: also when it fails, runs into its timeout or is cancelled.
func (r *Runner) Run(ctx context.Context, req *operation.Request, host operation.Host) (any, error) {
	if err := host.Started(ctx); err != nil {
		return nil, err
	}
	switch req.Implementation {
	case runOperation:
	case workflowOperation:
		return nil, nonRecoverable("%s runs workflows, not operations", workflowOperation)
	default:
		return nil, nonRecoverable("the script plugin has no operation %s; it has %s", req.Implementation, runOperation)
	}
	in, err := readInputs(req.Inputs)
	if err != nil {
		return nil, err
	}
	if left := r.keeper.take(req.TaskID); left != nil {
		if !req.Resume {
			r.end(left) // somebody wants it run anew
		} else if result, err := r.goOn(ctx, req, host, in, left); !errors.Is(err, errEndUnknown) {
			return result, err
		}
	}
	dir, err := r.newRunDir(in.scriptName())
	if err != nil {
		return nil, err
	}
	path, err := r.fetch(ctx, in, host, dir)
	if err != nil {
		dir.remove(r.cfg.Logger)
		return nil, err
	}
	result, err := r.runScript(ctx, req, host, in, dir, path)
	switch {
	case errors.Is(err, operation.ErrLeft):
	case errors.Is(err, operation.ErrLapsed):
		r.discard(dir)
	default:
		r.leave(ctx, req.TaskID, dir)
	}
	return result, err
}

// runScript runs the script at path with its context open.
func (r *Runner) runScript(
	ctx context.Context, req *operation.Request, host operation.Host, in *inputs, dir *runDir, path string,
) (any, error) {
	cwd, err := workingDirectory(in.process.cwd, req.WorkDir, dir.path)
	if err != nil {
		return nil, err
	}
	session := r.session(req, host, in, dir, cwd)
	// A script that is asked to end may still use its context while it cleans
	// up, so the context lives on after ctx until the process is gone.
	dir.lived = cwd == dir.path
	dir.token = ctxproxy.NewToken()
	url, end := r.proxy.OpenAs(context.WithoutCancel(ctx), dir.token, session)
	defer end()

	isPython := in.runsAsPython(path)
	var cmd command
	if isPython {
		cmd, err = r.pythonCommand(path)
	} else {
		cmd, err = programCommand(path, dir.head, in.process)
	}
	if err != nil {
		return nil, err
	}
	cmd.dir = cwd
	if cmd.env, err = r.environment(in, isPython, url, dir); err != nil {
		return nil, err
	}
	out, err := r.output(dir, in.process, host)
	if err != nil {
		return nil, err
	}
	defer out.closeInto(dir)
	ending, err := r.execute(ctx, req, host, cmd, dir, out)
	if err != nil {
		return nil, err
	}
	end()
	return r.finish(ctx, host, session, ending, isPython, cmd, out)
}

// session is the context of an operation.
func (r *Runner) session(req *operation.Request, host operation.Host, in *inputs, dir *runDir, cwd string) *ctxproxy.Session {
	c := ctxproxy.SessionConfig{
		Request: req, Host: host, Dir: cwd, Downloads: downloadsDir(req, r.cfg.Root), Renderer: r.renderer, Inputs: in.rest,
	}
	if r.keeper != nil {
		c.Keep = dir.writeSession
	}
	return ctxproxy.NewSession(c)
}

// finish stores what the script changed, and concludes how the operation ended.
func (r *Runner) finish(
	ctx context.Context, host operation.Host, session *ctxproxy.Session, ending ending, isPython bool, cmd command, out *output,
) (any, error) {
	saved, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	saveErr := session.Save(saved)
	result, err := conclude(ending, session.Outcome(), isPython, cmd, out)
	if saveErr == nil {
		return result, err
	}
	if err == nil {
		return nil, ctxproxy.OperationError(saveErr)
	}
	host.Log("error", "Runtime properties could not be stored: "+saveErr.Error())
	return nil, err
}

// saveTimeout bounds how long storing runtime properties may take after an
// operation that was cancelled.
const saveTimeout = 10 * time.Second

// downloadsDir is where resources go that a script downloads without saying
// where to. It belongs to the deployment, since later operations may use them.
func downloadsDir(req *operation.Request, root string) string {
	if req.WorkDir != "" {
		return filepath.Join(req.WorkDir, ".downloads")
	}
	return filepath.Join(root, "downloads")
}

// workingDirectory is the directory that a script starts in.
func workingDirectory(configured, deployment, run string) (string, error) {
	dir := configured
	switch {
	case dir == "" && deployment != "":
		return deployment, nil
	case dir == "":
		return run, nil
	case !filepath.IsAbs(dir) && deployment != "":
		dir = filepath.Join(deployment, dir)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", &operation.Error{
			Verdict: operation.Recoverable, Type: "FileNotFoundError",
			Message: fmt.Sprintf("process.cwd: [Errno 2] No such file or directory: '%s'", configured),
		}
	}
	return dir, nil
}

func nonRecoverable(format string, args ...any) error {
	return &operation.Error{
		Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: fmt.Sprintf(format, args...),
	}
}
