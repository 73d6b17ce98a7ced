package script

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"windlass/internal/operation"
	"windlass/internal/operation/child"
)

// ending is how a process ended.
type ending struct {
	code     int    // as Python counts: -15 if it was ended by signal 15
	timeout  string // its text, if it was stopped for that
	canceled error  // the cause, if the operation was stopped from outside
	left     bool   // it goes on: the next manager takes it up (see Runner.Leave)
	lapsed   bool   // its hold has lapsed
	// recoverable tells whether a timeout may be retried.
	recoverable bool
}

// running is a started process.
type running struct {
	pid    int
	run    string          // its run directory
	done   <-chan struct{} // closed when the process has ended
	ending func() (code int, known bool)
	hold   *hold // nil: it has none
}

// execute starts the command and waits for its end, whatever it leaves in the
// background. When ctx ends or its time is up, the process and all that came
// of it is asked to end, then made to; then execute returns after all is gone.
func (r *Runner) execute(
	ctx context.Context, req *operation.Request, host operation.Host, cmd command, dir *runDir, out *output,
) (ending, error) {
	if err := r.keeper.ready(); err != nil {
		r.cfg.Logger.Error("nothing watches over scripts: they end if the manager dies", "error", err)
	}
	h, err := r.beginHold(dir, req.Lease)
	if err != nil {
		return ending{}, err
	}
	record, err := dir.beginRecord(r, req, cmd)
	if err != nil {
		return ending{}, err
	}
	p, err := r.start(cmd, dir, out)
	if err != nil {
		return ending{}, errors.Join(err, record.Close())
	}
	p.hold = h
	host.Log("info", fmt.Sprintf("Process created, PID: %d", p.pid))
	if err := recordProcess(record, p.pid); err != nil {
		r.stop(p, r.cfg.Grace, out)
		return ending{}, err
	}
	e, err := r.watch(ctx, req, host, cmd, p, out)
	if errors.Is(err, errEndUnknown) {
		err = &operation.Error{
			Verdict: operation.Recoverable, Type: processException,
			Message: fmt.Sprintf("%s (PID %d, %s): what watched over it has ended", err, p.pid, cmd.text),
		}
	}
	return e, err
}

// watch waits for the end of a process, or brings it about. It gives
// errEndUnknown, with nothing left of the process, if nobody saw how it ended,
// and operation.ErrLapsed if its hold has lapsed.
func (r *Runner) watch(
	ctx context.Context, req *operation.Request, host operation.Host, cmd command, p *running, out *output,
) (ending, error) {
	e := r.attend(ctx, req, host, p, out)
	if e.left {
		return e, fmt.Errorf("%w: %w", operation.ErrLeft, e.canceled)
	}
	if e.lapsed {
		return e, operation.ErrLapsed
	}
	if !hasEnded(p) {
		return e, fmt.Errorf("process %d could not be ended, not even by force", p.pid)
	}
	code, known := p.ending()
	if !known && e.canceled == nil && e.timeout == "" {
		r.stop(p, r.cfg.Grace, out) // whatever is left of it
		if p.hold.hasLapsed() {
			return e, operation.ErrLapsed
		}
		return e, errEndUnknown
	}
	e.code = code
	out.finish()
	host.Log("info", fmt.Sprintf("Execution done (PID=%d, return_code=%d): %s", p.pid, e.code, cmd.text))
	return e, nil
}

func (r *Runner) start(cmd command, dir *runDir, out *output) (*running, error) {
	if r.keeper != nil {
		return r.startKept(cmd, dir, out)
	}
	return r.startOwn(cmd, dir, out)
}

// startOwn starts a process that ends with the manager.
func (r *Runner) startOwn(cmd command, dir *runDir, out *output) (*running, error) {
	c := exec.Command(cmd.argv[0], cmd.argv[1:]...)
	c.Env, c.Dir = cmd.env, cmd.dir
	c.Stdout, c.Stderr = out.stdout.file, out.stderr.file
	c.SysProcAttr = child.Attributes()
	if err := r.spawner.Start(c); err != nil {
		return nil, startFailed(cmd, err)
	}
	done := make(chan struct{})
	p := &running{pid: c.Process.Pid, run: dir.path, done: done}
	p.ending = func() (int, bool) { return exitCode(c.ProcessState.Sys().(syscall.WaitStatus)), true }
	go func() { // owned by whoever waits for done; ends with the process
		child.AwaitEnd(p.pid)
		_ = c.Wait() // its error is in the state
		close(done)
	}()
	return p, nil
}

func startFailed(cmd command, err error) error {
	code := 126
	hint := ""
	switch {
	case errors.Is(err, syscall.E2BIG):
		return nonRecoverable("start %s: the inputs are too long for the environment of a process."+
			" Pass less, or use a Python script, which gets them in ctx_parameters", cmd.text)
	case errors.Is(err, os.ErrPermission):
		hint = " (is the directory for run files on a file system mounted noexec?)"
	case errors.Is(err, os.ErrNotExist):
		code = 127
	}
	return &operation.Error{
		Verdict: operation.Recoverable, Type: processException, ExitCode: &code,
		Message: fmt.Sprintf("command: %s, exit_code: %d, stderr: %s%s", cmd.text, code, err, hint),
	}
}

// The pace of looking for output: quick while there is some, slow when idle.
const (
	fastPoll = 4 * time.Millisecond
	slowPoll = 200 * time.Millisecond
	// patience is how often the log tells that a process still runs.
	patience = 20 * time.Second
)

// attend logs the output of a process until it ends or is stopped.
func (r *Runner) attend(
	ctx context.Context, req *operation.Request, host operation.Host, p *running, out *output,
) ending {
	var timeout <-chan time.Time
	if req.Timeout > 0 {
		timer := time.NewTimer(req.Timeout)
		defer timer.Stop()
		timeout = timer.C
	}
	still := time.NewTicker(patience)
	defer still.Stop()
	pause := fastPoll
	poll := time.NewTimer(pause)
	defer poll.Stop()
	for {
		select {
		case <-p.done:
			return ending{}
		case <-still.C:
			host.Log("info", fmt.Sprintf("Waiting for process %d to end...", p.pid))
		case <-poll.C:
			pause = min(2*pause, slowPoll)
			if out.poll() {
				pause = fastPoll
			}
			poll.Reset(pause)
			if !p.hold.prolong() {
				r.stop(p, child.HurriedGrace, out)
				return ending{lapsed: true}
			}
		case <-timeout:
			if hasEnded(p) {
				return ending{}
			}
			r.stop(p, r.cfg.Grace, out)
			return ending{timeout: timeoutText(req.Timeout), recoverable: req.TimeoutRecoverable}
		case <-ctx.Done():
			if hasEnded(p) {
				return ending{}
			}
			if r.leaving.Load() && p.hold.prolong() {
				return ending{canceled: context.Cause(ctx), left: true}
			}
			r.stop(p, child.Grace(ctx, r.cfg.Grace), out)
			return ending{canceled: context.Cause(ctx)}
		}
	}
}

func hasEnded(p *running) bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop ends a process, its group, and whatever else it started, and returns when
// all are gone.
func (r *Runner) stop(p *running, grace time.Duration, out *output) {
	child.Process{PID: p.pid, Run: p.run, Ended: p.done}.Stop(grace, r.cfg.Logger, func() { out.poll() })
}

func exitCode(s syscall.WaitStatus) int {
	if s.Signaled() {
		return -int(s.Signal())
	}
	return s.ExitStatus()
}
