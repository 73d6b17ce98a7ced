package python

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"windlass/internal/operation"
	"windlass/internal/operation/child"
	"windlass/internal/operation/ctxproxy"
)

// Run runs one operation of a Python plugin; see operation.Runner. Its output
// is logged at debug, and told with its failure.
//
// Runtime properties that the operation changed are stored when it ends, also
// when it fails.
func (r *Runner) Run(ctx context.Context, req *operation.Request, host operation.Host) (any, error) {
	if req.Plugin.Name == operation.WorkflowPlugin {
		return r.runLocal(ctx, req, host)
	}
	if err := host.Started(ctx); err != nil {
		return nil, err
	}
	env, err := r.cfg.Environments.Environment(ctx, Query{
		Tenant: req.Tenant, DeploymentID: req.DeploymentID, BlueprintID: req.BlueprintID, Plugin: req.Plugin,
	})
	if err != nil {
		return nil, err
	}
	dir, err := r.runs.New()
	if err != nil {
		return nil, err
	}
	defer dir.Remove()
	return r.runOperation(ctx, req, host, env, dir)
}

func (r *Runner) runOperation(
	ctx context.Context, req *operation.Request, host operation.Host, env Environment, dir *child.Run,
) (any, error) {
	host, dropped := limitHost(host, r.cfg.Log)
	defer dropped()
	out, err := dir.NewOutput(r.cfg.Output, func(m string) { host.Log("debug", "<out> "+m) })
	if err != nil {
		return nil, err
	}
	defer out.File.Close()
	session := ctxproxy.NewSession(ctxproxy.SessionConfig{
		Request: req, Host: host, Dir: orDefault(req.WorkDir, dir.Path), Downloads: downloadsDir(req, r.cfg.Root), Inputs: req.Inputs,
	})
	// An operation that is asked to end may still use its context while it cleans
	// up, so the context lives on after ctx until the process is gone.
	alive := context.WithoutCancel(ctx)
	address, end := r.proxy.Open(alive, session)
	defer end()

	key := workerKey{req.Tenant, req.DeploymentID, env.Key}
	c, release, err := r.launch(ctx, key, env, job{
		kind: "operation", task: req.Implementation, env: variables(req, r.cfg.Root, address, dir),
		cwd: orDefault(req.WorkDir, dir.Path), memory: r.cfg.Memory,
	}, out)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := dir.Note(c.pid, req); err != nil {
		c.process(dir.Path).Stop(r.cfg.Grace, r.cfg.Logger, func() {})
		_ = c.conn.Close()
		return nil, err
	}
	e := r.attend(ctx, c, dir.Path, req.Timeout, out, func(frame []byte) []byte { return answer(alive, session, frame, c.worker.warm) })
	end()

	saved, cancel := context.WithTimeout(alive, saveTimeout)
	defer cancel()
	saveErr := session.Save(saved)
	result, err := conclude(e, req, session.Outcome(), out)
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

// downloadsDir is where resources go that an operation downloads without saying
// where to. It belongs to the deployment, since later operations may use them.
func downloadsDir(req *operation.Request, root string) string {
	if req.WorkDir != "" {
		return filepath.Join(req.WorkDir, ".downloads")
	}
	return filepath.Join(root, "downloads")
}

// variables are what a child's environment has beside its worker's: what the
// original's workers set for the code that they run, too.
func variables(req *operation.Request, root, address string, dir *child.Run) map[string]any {
	vars := map[string]any{"CTX_SOCKET_URL": address, child.Marker: dir.Path}
	if req.WorkDir != "" {
		vars["AGENT_WORK_DIR"] = req.WorkDir
	}
	if shared, ok := strings.CutSuffix(req.WorkDir, filepath.Join("/", "deployments", req.Tenant, req.DeploymentID)); ok && shared != "" {
		vars["CFY_RESOURCES_ROOT"], vars["MANAGER_FILE_SERVER_ROOT"] = shared, shared
	}
	if u, err := url.Parse(req.RestURL); err == nil && req.RestURL != "" {
		vars["REST_HOST"], vars["REST_PORT"], vars["REST_PROTOCOL"] = u.Hostname(), u.Port(), u.Scheme
		// The original's client wants a file of certificates, whatever the protocol.
		vars["LOCAL_REST_CERT_FILE"] = filepath.Join(root, certificates)
	}
	return vars
}

// launch starts a child in a worker of its key. release gives the worker back.
func (r *Runner) launch(
	ctx context.Context, key workerKey, env Environment, j job, out *child.Output,
) (c *forked, release func(), err error) {
	for try := 0; ; try++ {
		w, release, err := r.pool.acquire(ctx, key, env)
		if err != nil {
			return nil, nil, err
		}
		c, err := w.start(j, out.File)
		if err == nil {
			c.worker = w
			return c, release, nil
		}
		release()
		const tries = 3 // the worker may end just when it is needed
		if !errors.Is(err, errWorkerGone) || try == tries-1 {
			return nil, nil, unreachable(err)
		}
		<-w.gone
	}
}

// ending is how a child ended.
type ending struct {
	status   int   // as Python counts: -15 if it was ended by signal 15
	lost     bool  // its worker ended before it
	timeout  bool  // it was stopped for that
	canceled error // the cause, if it was stopped from outside
}

// The pace of looking for output: quick while there is some, slow when idle.
const (
	fastPoll = 4 * time.Millisecond
	slowPoll = 200 * time.Millisecond
)

// attend answers what a child asks for and logs its output until it ends or is
// stopped: when ctx ends, or its time is up. Then everything it started goes
// with it.
func (r *Runner) attend(
	ctx context.Context, c *forked, run string, limit time.Duration, out *child.Output, answer func(frame []byte) []byte,
) ending {
	served := make(chan struct{})
	go func() { // waited for below
		defer close(served)
		serveFrames(c.conn, answer)
	}()
	e := r.watch(ctx, c, run, limit, out)
	// All it sent is in the socket; a process that was forked from it may keep
	// the other end open.
	_ = c.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	<-served
	_ = c.conn.Close()
	out.Finish()
	return e
}

func (r *Runner) watch(ctx context.Context, c *forked, run string, limit time.Duration, out *child.Output) ending {
	var timeout <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		timeout = timer.C
	}
	pause := fastPoll
	poll := time.NewTimer(pause)
	defer poll.Stop()
	for {
		select {
		case <-c.ended:
			return ending{status: c.status, lost: c.lost}
		case <-poll.C:
			pause = min(2*pause, slowPoll)
			if out.Poll() {
				pause = fastPoll
			}
			poll.Reset(pause)
		case <-timeout:
			if c.process(run).HasEnded() {
				return ending{status: c.status, lost: c.lost}
			}
			c.process(run).Stop(r.cfg.Grace, r.cfg.Logger, func() { out.Poll() })
			return ending{timeout: true}
		case <-ctx.Done():
			if c.process(run).HasEnded() {
				return ending{status: c.status, lost: c.lost}
			}
			c.process(run).Stop(child.Grace(ctx, r.cfg.Grace), r.cfg.Logger, func() { out.Poll() })
			return ending{canceled: context.Cause(ctx)}
		}
	}
}

// conclude turns the end of a child and what it said through its context into
// the end of the operation.
func conclude(e ending, req *operation.Request, said ctxproxy.Outcome, out *child.Output) (any, error) {
	switch {
	case e.canceled != nil:
		return nil, e.canceled
	case e.timeout:
		verdict, class := operation.NonRecoverable, "NonRecoverableError"
		if req.TimeoutRecoverable {
			verdict, class = operation.Recoverable, "RecoverableError"
		}
		return nil, &operation.Error{Verdict: verdict, Type: class, Message: timeoutText(req.Timeout), Output: out.Text()}
	case said.Stop != nil:
		return nil, withOutput(said.Stop, out)
	case said.Failure != nil:
		return nil, withOutput(said.Failure, out)
	case !said.Reported:
		return nil, vanished(e, out)
	case said.Retry != nil:
		return nil, said.Retry
	}
	return said.Result, nil
}

// withOutput is a failure that the operation told itself, with its last output.
// The failure may be held by the session, so it is copied.
func withOutput(failure *operation.Error, out *child.Output) error {
	e := *failure
	if e.Verdict != operation.Reschedule {
		e.Output = out.Text()
	}
	return &e
}

// vanished is the failure of a child that ended without a word.
func vanished(e ending, out *child.Output) error {
	failure := &operation.Error{Verdict: operation.NonRecoverable, Type: "NonRecoverableError", ExitCode: &e.status, Output: out.Text()}
	switch {
	case e.lost:
		failure.Verdict, failure.Type = operation.Recoverable, "RecoverableError"
		failure.Message = "the Python worker of the deployment ended, and the operation with it"
	case e.status < 0:
		failure.Message = fmt.Sprintf("Process terminated (rc=%d)", e.status)
	case e.status == 0:
		failure.Message = "the operation ended its process without telling a result (rc=0): it may have called os._exit or os.exec"
	default:
		failure.Message = fmt.Sprintf("Unhandled exception occurred in operation dispatch (rc=%d)", e.status)
	}
	return failure
}

// timeoutText tells the timeout in seconds.
func timeoutText(d time.Duration) string {
	seconds := strconv.FormatFloat(math.Round(d.Seconds()*1000)/1000, 'f', -1, 64)
	return fmt.Sprintf("Process killed due to timeout of %s seconds", seconds)
}
