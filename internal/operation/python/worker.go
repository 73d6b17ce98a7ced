package python

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"windlass/internal/operation"
	"windlass/internal/operation/child"
	"windlass/internal/value"
)

// worker is a Python process that forks children.
type worker struct {
	cmd     *exec.Cmd
	control *net.UnixConn
	stderr  *lastBytes
	gone    chan struct{} // closed when the process has ended and all children are told so
	ready   chan struct{} // closed when it can run children
	sending sync.Mutex    // keeps frames whole, with their descriptors in order

	// What follows is set before ready is closed.
	framework string // what serves as the package cloudify
	trouble   string // why it is not the one that the environment brings

	mu       sync.Mutex // guards what follows
	last     int64
	known    map[string]bool // modules that it was told to import
	children map[int64]*forked
	heardAt  time.Time // when it told something last
	ended    bool
}

// forked is one forked process.
type forked struct {
	worker  *worker
	conn    *net.UnixConn // its connection
	started chan struct{} // closed when it has been forked, or never will be
	ended   chan struct{} // closed when it has ended
	// What follows is set before started or ended is closed.
	pid    int
	err    error // why it could not be started
	status int   // as Python counts: -15 if it was ended by signal 15
	lost   bool  // the worker ended before it could tell
}

// process is the child as what it is started for is known.
func (c *forked) process(run string) child.Process {
	return child.Process{PID: c.pid, Run: run, Ended: c.ended}
}

// errWorkerGone tells that a worker ended before it could start a child.
var errWorkerGone = errors.New("the Python worker has ended")

// startWorker starts the interpreter and waits until it is ready.
func (r *Runner) startWorker(ctx context.Context, env Environment) (*worker, error) {
	interpreter, err := r.interpreter(env.Python)
	if err != nil {
		return nil, err
	}
	dir, err := r.frameworkDir()
	if err != nil {
		return nil, err
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("start a Python worker: %w", err)
	}
	defer theirs.Close()
	w := &worker{
		control: ours, stderr: &lastBytes{most: 8 << 10}, gone: make(chan struct{}), ready: make(chan struct{}),
		known: map[string]bool{}, children: map[int64]*forked{},
	}
	const control = "3" // the first of ExtraFiles
	w.cmd = exec.Command(interpreter, append([]string{filepath.Join(dir, "run_worker.py"), control}, env.Path...)...)
	w.cmd.Env, w.cmd.Dir = r.workerEnv(interpreter), r.cfg.Root
	w.cmd.Stdout, w.cmd.Stderr = w.stderr, w.stderr
	w.cmd.ExtraFiles = []*os.File{theirs}
	w.cmd.SysProcAttr = child.Attributes()
	w.cmd.WaitDelay = time.Second
	if err := r.pool.spawner.Start(w.cmd); err != nil {
		_ = ours.Close()
		return nil, fmt.Errorf("start the Python worker %s: %w", interpreter, err)
	}
	theirs.Close()
	go w.listen()                     // ends with the process; whoever stops the worker waits for gone
	go w.supervise(r.cfg.Patience, r) // ends with the process, too
	timer := time.NewTimer(r.cfg.StartTimeout)
	defer timer.Stop()
	select {
	case <-w.ready:
		if w.trouble != "" {
			r.cfg.Logger.Warn("a plugin's environment brings a package cloudify that can't be used", "python", interpreter, "error", w.trouble)
		}
		r.cfg.Logger.Debug("Python worker started", "python", interpreter, "pid", w.cmd.Process.Pid, "framework", w.framework)
		return w, nil
	case <-w.gone:
		return nil, nonRecoverable("the Python worker %s ended before it was ready (%s); it wrote:\n%s",
			interpreter, w.cmd.ProcessState, w.stderr.text())
	case <-timer.C:
		w.stop(0)
		return nil, fmt.Errorf("the Python worker %s was not ready after %s; it wrote:\n%s", interpreter, r.cfg.StartTimeout, w.stderr.text())
	case <-ctx.Done():
		w.stop(0)
		return nil, context.Cause(ctx)
	}
}

// listen reads what the worker tells, until it has ended.
func (w *worker) listen() {
	scanner := bufio.NewScanner(w.control)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		frame, err := value.DecodeMap(scanner.Bytes())
		if err != nil {
			break // it is no worker that speaks so
		}
		w.heard(frame)
	}
	_ = w.control.Close()
	_ = w.cmd.Process.Kill() // a worker without a connection is of no use
	_ = w.cmd.Wait()
	w.mu.Lock()
	w.ended = true
	for id, c := range w.children {
		w.end(id, c, -int(syscall.SIGKILL), true)
	}
	w.mu.Unlock()
	close(w.gone)
}

// supervise ends a worker that runs something and does not answer: it was
// stopped, or it hangs. Its children end with it.
func (w *worker) supervise(patience time.Duration, r *Runner) {
	tick := time.NewTicker(patience / 3)
	defer tick.Stop()
	for {
		select {
		case <-w.gone:
			return
		case <-tick.C:
		}
		w.mu.Lock()
		busy, silent := len(w.children) > 0, time.Since(w.heardAt)
		w.mu.Unlock()
		switch {
		case busy && silent > patience:
			r.cfg.Logger.Warn("a Python worker does not answer and is ended", "pid", w.cmd.Process.Pid, "silent", silent.Round(time.Millisecond))
			_ = w.cmd.Process.Kill()
			return
		case busy:
			w.send([]byte("{\"ping\": true}\n"))
		}
	}
}

func (w *worker) heard(frame map[string]any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heardAt = time.Now()
	if _, ok := frame["ready"]; ok {
		w.framework, _ = frame["framework"].(string)
		w.trouble, _ = frame["trouble"].(string)
		close(w.ready)
		return
	}
	for _, what := range []string{"started", "refused", "ended"} {
		id, ok := frame[what].(int64)
		c := w.children[id]
		if !ok || c == nil {
			continue
		}
		switch what {
		case "started":
			pid, _ := frame["pid"].(int64)
			c.pid = int(pid)
			close(c.started)
		case "refused":
			c.err = fmt.Errorf("the Python worker could not start an operation: %s", value.Text(frame["error"]))
			w.end(id, c, 0, true)
		case "ended":
			status, _ := frame["status"].(int64)
			w.end(id, c, int(status), false)
		}
	}
}

// end notes the end of a child. The caller holds mu.
func (w *worker) end(id int64, c *forked, status int, lost bool) {
	delete(w.children, id)
	select {
	case <-c.started:
	default:
		if c.err == nil {
			c.err = errWorkerGone
		}
		close(c.started)
	}
	c.status, c.lost = status, lost
	close(c.ended)
}

// job is what a child is to run.
type job struct {
	kind   string // the framework's module: operation or workflow
	task   string // the function of an operation
	env    map[string]any
	cwd    string
	memory int64
}

// start has the worker run a job in a child. It gives errWorkerGone if the worker has ended; then nothing was
// started.
func (w *worker) start(j job, output *os.File) (*forked, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("start a Python operation: %w", err)
	}
	defer theirs.Close()
	c := &forked{conn: ours, started: make(chan struct{}), ended: make(chan struct{})}
	w.mu.Lock()
	if w.ended {
		w.mu.Unlock()
		_ = ours.Close()
		return nil, errWorkerGone
	}
	if len(w.children) == 0 {
		w.heardAt = time.Now()
	}
	w.last++
	id := w.last
	w.children[id] = c
	w.mu.Unlock()
	frame := append(value.Encode(map[string]any{
		"run": id, "kind": j.kind, "task": j.task, "env": j.env, "cwd": j.cwd, "memory": j.memory,
	}), '\n')
	w.send(frame, int(theirs.Fd()), int(output.Fd()))
	<-c.started
	if c.err != nil {
		_ = ours.Close()
		return nil, c.err
	}
	return c, nil
}

// mostModules bounds what a worker is told to import; operations that behave
// oddly may name anything of the standard library.
const mostModules = 500

// warm has the worker import modules of the standard library that an operation
// has imported, so that the next one finds them.
func (w *worker) warm(modules []any) {
	var fresh []any
	w.mu.Lock()
	for _, m := range modules {
		name, ok := m.(string)
		if ok && !w.known[name] && len(w.known) < mostModules {
			w.known[name] = true
			fresh = append(fresh, name)
		}
	}
	w.mu.Unlock()
	if len(fresh) > 0 {
		w.send(append(value.Encode(map[string]any{"import": fresh}), '\n'))
	}
}

// send writes a frame with descriptors. If it can't be sent the worker is as
// good as gone; listen notices.
func (w *worker) send(frame []byte, descriptors ...int) {
	w.sending.Lock()
	defer w.sending.Unlock()
	var rights []byte
	if len(descriptors) > 0 {
		rights = syscall.UnixRights(descriptors...)
	}
	n, _, err := w.control.WriteMsgUnix(frame, rights, nil)
	if err == nil && n < len(frame) {
		_, err = w.control.Write(frame[n:])
	}
	if err != nil {
		_ = w.control.Close()
	}
}

// stop ends the worker: by closing its connection, and by force if that does
// not end it in time. It returns when it is gone.
func (w *worker) stop(grace time.Duration) {
	_ = w.control.CloseWrite()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-w.gone:
		return
	case <-timer.C:
	}
	_ = w.cmd.Process.Kill()
	_ = w.control.Close()
	<-w.gone
}

// socketPair returns two connected sockets: one for us, one for a child.
func socketPair() (*net.UnixConn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "worker"), os.NewFile(uintptr(fds[1]), "worker")
	defer ours.Close() // the connection has a copy
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return conn.(*net.UnixConn), theirs, nil
}

// lastBytes keeps the end of what is written to it.
type lastBytes struct {
	most int
	mu   sync.Mutex // guards data
	data []byte
}

func (l *lastBytes) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.data = append(l.data, p...)
	if extra := len(l.data) - l.most; extra > 0 {
		l.data = append(l.data[:0], l.data[extra:]...)
	}
	return len(p), nil
}

func (l *lastBytes) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(string(bytes.ToValidUTF8(l.data, []byte("\uFFFD"))))
}

// unreachable is the failure of an operation whose worker could not be started
// although it was tried again.
func unreachable(err error) error {
	return &operation.Error{Verdict: operation.Recoverable, Type: "RecoverableError", Message: err.Error()}
}
