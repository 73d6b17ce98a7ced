package stdio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"windlass/internal/operation"
	"windlass/internal/operation/child"
	"windlass/internal/operation/ctxproxy"
	"windlass/internal/value"
)

// talk is what is said with one process.
type talk struct {
	session *ctxproxy.Session
	req     *operation.Request
	out     *child.Output
	broken  error // why it can't be talked to, if so
}

// ending is how a process ended.
type ending struct {
	status   int
	signal   syscall.Signal // that ended it; 0 for none
	timeout  bool           // it was stopped for that
	canceled error          // the cause, if it was stopped from outside
}

// talk starts the command, tells it what to do, and answers it until it has
// ended, or is stopped: when ctx ends, its time is up, or it stays although it
// has told its result.
func (r *Runner) talk(ctx, alive context.Context, cmd *exec.Cmd, run *child.Run, s *talk) (ending, error) {
	input, toProcess, err := os.Pipe()
	if err != nil {
		return ending{}, fmt.Errorf("start the plugin: %w", err)
	}
	fromProcess, output, err := os.Pipe()
	if err != nil {
		_, _ = input.Close(), toProcess.Close()
		return ending{}, fmt.Errorf("start the plugin: %w", err)
	}
	defer func() { _, _ = toProcess.Close(), fromProcess.Close() }()
	cmd.Stdin, cmd.Stdout = input, output
	err = r.spawner.Start(cmd)
	_, _ = input.Close(), output.Close()
	if err != nil {
		return ending{}, nonRecoverable("start the plugin's program: %s", err)
	}
	ended := make(chan struct{})
	go func() { // ends with the process
		_ = cmd.Wait() // its error is in the state
		close(ended)
	}()
	p := child.Process{PID: cmd.Process.Pid, Run: run.Path, Ended: ended}
	if err := run.Note(p.PID, s.req); err != nil {
		p.Stop(r.cfg.Grace, r.cfg.Logger, func() {})
		return ending{}, err
	}
	said := make(chan struct{}) // closed when the process has told its result, or can't be talked to
	served := make(chan struct{})
	go func() { // waited for below
		defer close(served)
		s.serve(alive, fromProcess, toProcess, said)
	}()
	e := r.watch(ctx, p, s, said)
	if e.canceled == nil && !e.timeout {
		e.status = cmd.ProcessState.ExitCode()
		if w, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && w.Signaled() {
			e.signal = w.Signal()
		}
	}
	// All it sent is in the pipe; a process that it left may keep the other end open.
	_ = fromProcess.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	_ = toProcess.Close()
	<-served
	s.out.Finish()
	return e, nil
}

// The pace of looking for output: quick while there is some, slow when idle.
const (
	fastPoll = 4 * time.Millisecond
	slowPoll = 200 * time.Millisecond
)

func (r *Runner) watch(ctx context.Context, p child.Process, s *talk, said <-chan struct{}) ending {
	stop := func() { p.Stop(child.Grace(ctx, r.cfg.Grace), r.cfg.Logger, func() { s.out.Poll() }) }
	var timeout, late <-chan time.Time
	if s.req.Timeout > 0 {
		timer := time.NewTimer(s.req.Timeout)
		defer timer.Stop()
		timeout = timer.C
	}
	pause := fastPoll
	poll := time.NewTimer(pause)
	defer poll.Stop()
	for {
		select {
		case <-p.Ended:
			return ending{}
		case <-poll.C:
			pause = min(2*pause, slowPoll)
			if s.out.Poll() {
				pause = fastPoll
			}
			poll.Reset(pause)
		case <-said: // it may end now, but not take for ever
			said = nil
			timer := time.NewTimer(r.cfg.Grace)
			defer timer.Stop()
			late = timer.C
		case <-late:
			stop()
			return ending{}
		case <-timeout:
			if p.HasEnded() {
				return ending{}
			}
			stop()
			return ending{timeout: true}
		case <-ctx.Done():
			if p.HasEnded() {
				return ending{}
			}
			stop()
			return ending{canceled: context.Cause(ctx)}
		}
	}
}

// maxLine bounds one line of the protocol, in bytes.
const maxLine = 16 << 20

// serve tells the process what to do and answers it until its output ends.
func (s *talk) serve(ctx context.Context, from io.Reader, to io.WriteCloser, said chan<- struct{}) {
	over := false
	end := func() { // nothing more is said to it
		if !over {
			over = true
			close(said)
			_ = to.Close()
		}
	}
	defer end()
	first, err := s.task(ctx)
	if err != nil {
		s.broken = err
		return
	}
	if _, err := to.Write(first); err != nil {
		first = nil // it may have something to say all the same
	}
	reader := bufio.NewReaderSize(from, 16<<10)
	for {
		line, err := readLine(reader)
		if errors.Is(err, io.ErrShortBuffer) {
			s.broken = nonRecoverable("the plugin sent a line of more than %d MiB", maxLine>>20)
			return
		}
		if len(line) > 0 {
			reply := s.heard(ctx, line)
			if reply != nil && !over {
				_, _ = to.Write(reply) // one that doesn't read gets nothing
			}
			if o := s.session.Outcome(); o.Reported {
				end()
			}
		}
		if err != nil {
			return
		}
	}
}

// task is the first line: what to do, and for whom.
func (s *talk) task(ctx context.Context) ([]byte, error) {
	described, err := value.DecodeMap(s.session.Answer(ctx, map[string]any{"method": "context"}))
	if err != nil {
		return nil, err
	}
	about, ok := described["payload"].(map[string]any)
	if !ok || described["type"] != "result" {
		return nil, fmt.Errorf("describe the operation to the plugin: %s", value.Text(described["payload"]))
	}
	inputs := about["inputs"]
	delete(about, "inputs")
	line := value.Encode(map[string]any{
		"type": "run", "protocol": int64(Protocol), "operation": s.req.Implementation, "inputs": inputs, "context": about,
	})
	return append(line, '\n'), nil
}

// heard performs a request of the process. What is none is its output.
func (s *talk) heard(ctx context.Context, line []byte) []byte {
	request, err := value.DecodeMap(line)
	method, asks := request["method"].(string)
	_, commands := request["args"].([]any)
	if err != nil || !asks && !commands {
		s.out.Say(line)
		return nil
	}
	if method == "fail" {
		params, _ := request["params"].(map[string]any)
		request["params"] = completed(params)
	}
	body := s.session.Answer(ctx, request)
	id, wanted := request["id"]
	if !wanted || id == nil {
		return nil
	}
	reply, err := value.DecodeMap(body)
	if err != nil {
		return nil
	}
	reply["id"] = id
	return append(value.Encode(reply), '\n')
}

// completed is a failure with what may be left out of it.
func completed(p map[string]any) map[string]any {
	full := map[string]any{"verdict": "recoverable", "message": ""}
	for k, v := range p {
		full[k] = v
	}
	if t, _ := full["type"].(string); t == "" {
		switch full["verdict"] {
		case "non_recoverable":
			full["type"] = "NonRecoverableError"
		case "reschedule":
			full["type"] = "OperationRetry"
		default:
			full["type"] = "RecoverableError"
		}
	}
	return full
}

// readLine reads a line without its end. With an error it may give the
// beginning of one.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case err != bufio.ErrBufferFull:
			return line, err
		case len(line) > maxLine:
			return nil, io.ErrShortBuffer
		}
	}
}

// conclude turns the end of a process and what it said into the end of the
// operation.
func (s *talk) conclude(e ending) (any, error) {
	said := s.session.Outcome()
	switch {
	case e.canceled != nil:
		return nil, e.canceled
	case said.Stop != nil:
		return nil, s.withOutput(said.Stop)
	case said.Failure != nil:
		return nil, s.withOutput(said.Failure)
	case said.Reported && said.Retry != nil:
		return nil, said.Retry
	case said.Reported:
		return said.Result, nil
	case e.timeout:
		verdict, class := operation.NonRecoverable, "NonRecoverableError"
		if s.req.TimeoutRecoverable {
			verdict, class = operation.Recoverable, "RecoverableError"
		}
		return nil, &operation.Error{Verdict: verdict, Type: class, Message: timeoutText(s.req.Timeout), Output: s.out.Text()}
	case s.broken != nil:
		return nil, s.broken
	}
	return nil, s.vanished(e)
}

// withOutput is a failure that the plugin told itself, with its last output.
// The failure may be held by the session, so it is copied.
func (s *talk) withOutput(failure *operation.Error) error {
	e := *failure
	if e.Verdict != operation.Reschedule {
		e.Output = s.out.Text()
	}
	return &e
}

// vanished is the failure of a process that ended without telling a result.
func (s *talk) vanished(e ending) error {
	failure := &operation.Error{Verdict: operation.Recoverable, Type: "RecoverableError", Output: s.out.Text()}
	if e.signal != 0 {
		failure.Message = fmt.Sprintf("the plugin's process was ended by signal %d (%s)", e.signal, e.signal)
		return failure
	}
	failure.ExitCode = &e.status
	failure.Message = fmt.Sprintf("the plugin's process ended with status %d before it told a result", e.status)
	return failure
}

// timeoutText tells the timeout in seconds.
func timeoutText(d time.Duration) string {
	seconds := strconv.FormatFloat(math.Round(d.Seconds()*1000)/1000, 'f', -1, 64)
	return fmt.Sprintf("Process killed due to timeout of %s seconds", seconds)
}
