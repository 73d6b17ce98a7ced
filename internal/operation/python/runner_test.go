package python_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/operation"
	"windlass/internal/operation/operationtest"
	"windlass/internal/operation/python"
)

func TestContext(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	req := request(t, "about", map[string]any{"size": int64(5), "color": "red"})
	req.RestURL, req.Token = serveREST(t), "secret"
	host := newHost()
	result, err := r.Run(within(t, time.Minute), req, host)
	if err != nil {
		t.Fatalf("%v: %v", err, host.Lines())
	}
	want := map[string]any{
		"properties": map[string]any{"port": int64(80)}, "type": "node-instance", "task_type": "operation", "node": "web",
		"instance": "web_1", "index": int64(2), "ip": "10.0.0.1", "text": "the text",
		"plugin": []any{"test", "test", "test-plugin", "1.2"}, "prefix": true, "workdir": true,
		"operation":  []any{"cloudify.interfaces.lifecycle.create", int64(0), int64(3)},
		"deployment": []any{"dep", "Dep", map[string]any{"owner": "me"}, true}, "blueprint": "bp",
		"execution": []any{"exec-1", "install", "task-1", "ops.about"}, "tenant": "default_tenant",
		"target": []any{"cloudify.relationships.contained_in", []any{"cloudify.relationships.contained_in"}, "vm_1"}, "capability": "10.0.0.1", "cwd": true,
		"vm": map[string]any{"ip": "10.0.0.1"},
	}
	if d := cmp.Diff(want, result); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]any{"a": int64(1), "size": int64(5), "nested": map[string]any{"a": []any{int64(1), nil}}}, host.Runtime("web_1")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"hello"}, host.Events()); d != "" {
		t.Error(d)
	}
	var levels []string
	for _, l := range host.Lines() {
		if text, ok := strings.CutPrefix(l.Message, "at "); ok {
			levels = append(levels, l.Level+"="+text)
		}
	}
	if d := cmp.Diff([]string{"debug=debug", "info=info", "warning=warning", "error=error"}, levels); d != "" {
		t.Error(d)
	}
	if started, _ := host.Counts(); started != 1 {
		t.Errorf("started %d times", started)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	three, seven := 3*time.Second, 7*time.Second
	for _, c := range []struct {
		name, function string
		inputs         map[string]any
		want           operation.Error
		output         string
	}{
		{name: "non-recoverable", function: "nonrecoverable", output: "some output", want: operation.Error{
			Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: "no use",
			Causes: []operation.Cause{{Message: "m", Type: "t"}},
		}},
		{name: "recoverable", function: "recoverable", want: operation.Error{Type: "RecoverableError", Message: "later [retry_after=7]", RetryAfter: &seven}},
		{name: "ordinary", function: "ordinary", want: operation.Error{Type: "KeyError", Message: "'missing'"}},
		{name: "retry", function: "retry", want: operation.Error{
			Verdict: operation.Reschedule, Type: "OperationRetry", Message: "again [retry_after=3]", RetryAfter: &three,
		}},
		{name: "raised retry", function: "raise_retry", want: operation.Error{Verdict: operation.Reschedule, Type: "OperationRetry", Message: "raised"}},
		{name: "unserializable", function: "unserializable", want: operation.Error{
			Verdict: operation.NonRecoverable, Type: "NonRecoverableError",
			Message: "the result of the operation must be JSON serializable: Object of type object is not JSON serializable",
		}},
		{name: "arguments", function: "about", want: operation.Error{
			Type: "TypeError", Message: "about() missing 1 required positional argument: 'size'",
		}},
		{name: "sys.exit(0)", function: "leaves", inputs: map[string]any{"how": "exit0"}, want: operation.Error{Type: "SystemExit", Message: "0"}},
		{name: "sys.exit(text)", function: "leaves", inputs: map[string]any{"how": "exit"}, want: operation.Error{Type: "SystemExit", Message: "text"}},
		{name: "interrupt", function: "leaves", inputs: map[string]any{"how": "interrupt"}, want: operation.Error{Type: "KeyboardInterrupt"}},
		{name: "os._exit(0)", function: "leaves", inputs: map[string]any{"how": "os._exit0"}, want: operation.Error{
			Verdict: operation.NonRecoverable, Type: "NonRecoverableError",
			Message: "the operation ended its process without telling a result (rc=0): it may have called os._exit or os.exec",
		}},
		{name: "os._exit(3)", function: "leaves", inputs: map[string]any{"how": "os._exit3"}, output: "last words", want: operation.Error{
			Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: "Unhandled exception occurred in operation dispatch (rc=3)",
		}},
		{name: "crash", function: "leaves", inputs: map[string]any{"how": "segv"}, want: operation.Error{
			Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: "Process terminated (rc=-11)",
		}},
		{name: "no function", function: "no_such", want: operation.Error{
			Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: "ops has no function named 'no_such' ",
		}},
		{name: "not callable", function: "NOT_A_FUNCTION", want: operation.Error{
			Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: "ops.NOT_A_FUNCTION is not callable",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			result, _, err := run(t, r, c.function, c.inputs)
			e := operationError(t, err)
			if result != nil {
				t.Errorf("result %v", result)
			}
			if e.Output != c.output {
				t.Errorf("output %q", e.Output)
			}
			if e.ExitCode == nil && e.Verdict != operation.Reschedule && !strings.Contains(e.Traceback, e.Type) {
				t.Errorf("traceback %q", e.Traceback)
			}
			if strings.Contains(e.Traceback, "_script.py") {
				t.Errorf("the framework's own frames are in the traceback: %s", e.Traceback)
			}
			got := *e
			got.Output, got.ExitCode, got.Traceback = "", nil, ""
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
	t.Run("no module", func(t *testing.T) {
		t.Parallel()
		req := request(t, "x", nil)
		req.Implementation = "no_such.module.f"
		_, err := r.Run(within(t, time.Minute), req, newHost())
		e := operationError(t, err)
		if e.Verdict != operation.NonRecoverable || e.Message != "No module named no_such.module (No module named 'no_such')" {
			t.Errorf("%+v", e)
		}
	})
	t.Run("changes are kept on failure", func(t *testing.T) {
		t.Parallel()
		if _, host, _ := run(t, r, "recoverable", nil); host.Runtime("web_1")["kept"] != true {
			t.Errorf("%v", host.Runtime("web_1"))
		}
	})
}

func TestResume(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	req := request(t, "resumable", nil)
	req.Resume = true
	if result, err := r.Run(within(t, time.Minute), req, newHost()); err != nil || result != true {
		t.Errorf("%v %v", result, err)
	}
	req.Implementation = "ops.nothing"
	_, err := r.Run(within(t, time.Minute), req, newHost())
	if e := operationError(t, err); e.Verdict != operation.NonRecoverable || e.Message != "Cannot resume - operation not resumable: ops.nothing" {
		t.Errorf("%+v", e)
	}
}

// Operations share a worker and nothing else.
func TestChildrenAreClean(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	var parent any
	seen := map[any]bool{}
	for range 3 {
		result, _, err := run(t, r, "state", nil)
		if err != nil {
			t.Fatal(err)
		}
		list := result.([]any)
		if list[0] != int64(1) || list[4] != nil {
			t.Errorf("state is left: %v", list)
		}
		if parent == nil {
			parent = list[1]
		}
		if list[1] != parent {
			t.Errorf("another worker: %v, not %v", list[1], parent)
		}
		if seen[list[2]] || seen[list[3]] {
			t.Errorf("the same process or random numbers: %v", list)
		}
		seen[list[2]], seen[list[3]] = true, true
	}
	other := request(t, "state", nil)
	other.DeploymentID = "other"
	result, err := r.Run(within(t, time.Minute), other, newHost())
	if err != nil || result.([]any)[1] == parent {
		t.Errorf("deployments share a worker: %v %v", result, err)
	}
}

// What an operation has imported of the standard library the next one finds.
func TestModulesAreImportedAhead(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	req := request(t, "", nil)
	req.Implementation = "ahead.known"
	ctx := within(t, time.Minute)
	for first := true; ; first = false {
		known, err := r.Run(ctx, req, newHost())
		if err != nil {
			t.Fatal(err)
		}
		if known == true {
			if first {
				t.Error("the worker has imported it by itself")
			}
			return
		}
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			req := request(t, "sleeps", map[string]any{"seconds": float64(i%4) / 20})
			req.DeploymentID = fmt.Sprint("d", i%2)
			if result, err := r.Run(within(t, time.Minute), req, newHost()); err != nil || result != float64(i%4)/20 {
				t.Errorf("%v %v", result, err)
			}
		})
	}
	wg.Wait()
}

func TestOutput(t *testing.T) {
	t.Parallel()
	r := newRunner(t, func(c *python.Config) { c.Output.Lines = 5; c.Output.LineBytes = 30_000; c.Log.Lines = 4 })
	_, host, err := run(t, r, "prints", map[string]any{"lines": int64(1000)})
	if err != nil {
		t.Fatal(err)
	}
	got := host.Output("<out> ")
	if len(got) != 4 || !strings.HasPrefix(got[0], "line 0 xxx") { // the log's limit comes first
		t.Errorf("%q", got)
	}
	last := host.Lines()[len(host.Lines())-1]
	if last.Level != "warning" || !strings.Contains(last.Message, "more log lines of this operation were dropped") {
		t.Errorf("%v", last)
	}
	r = newRunner(t, func(c *python.Config) { c.Output.Lines = 5; c.Output.LineBytes = 30_000 })
	_, host, err = run(t, r, "prints", map[string]any{"lines": int64(1000)})
	if err != nil {
		t.Fatal(err)
	}
	if got := host.Output("<out> "); len(got) != 6 || got[5] != "(996 more lines of output were dropped)" {
		t.Errorf("%q", got)
	}
	_, host, err = run(t, r, "long_line", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := host.Output("<out> "); len(got) != 2 || !strings.HasPrefix(got[0], "\uFFFD<NUL>yyy") || len(got[1]) != 50002-30000 {
		t.Errorf("%d lines", len(got))
	}
	_, host, err = run(t, r, "prints", map[string]any{"lines": int64(0)})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{`unfinished ÿ\udc80to stderr`}, host.Output("<out> ")); d != "" {
		t.Error(d)
	}
}

func TestLogFlood(t *testing.T) {
	t.Parallel()
	r := newRunner(t, func(c *python.Config) { c.Log.Lines = 100 })
	_, host, err := run(t, r, "logs", map[string]any{"lines": int64(20_000)})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(host.Lines()); n != 101 {
		t.Errorf("%d lines", n)
	}
}

func TestThreadsAndExitHandlers(t *testing.T) {
	t.Parallel()
	result, host, err := run(t, newRunner(t, nil), "threads", nil)
	if err != nil || result != "returned" {
		t.Fatal(result, err)
	}
	if got := len(host.Output("from a thread")); got != 5 {
		t.Errorf("%d threads", got)
	}
	if got := len(host.Output("at exit")); got != 1 {
		t.Errorf("%d exit handlers", got)
	}
}

func TestContextOfOtherProcesses(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "ctx")); err != nil {
		t.Fatal(err)
	}
	r := newRunner(t, func(c *python.Config) { c.Bin = bin })
	result, host, err := run(t, r, "forks", nil)
	if err != nil || result != "80" {
		t.Fatalf("%v %v: %v", result, err, host.Lines())
	}
	for _, line := range []string{"from a fork: 80", "from the command line"} {
		if len(host.Output(line)) != 1 {
			t.Errorf("%q is missing: %v", line, host.Lines())
		}
	}
}

// What an operation leaves in the background neither holds it up nor is ended.
func TestBackgroundProcessesLiveOn(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	began := time.Now()
	result, _, err := run(t, r, "background", nil)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	for _, pid := range result.([]any) {
		if err := syscall.Kill(int(pid.(int64)), syscall.SIGKILL); err != nil {
			t.Errorf("%d was ended: %v", pid, err)
		}
	}
}

func alive(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// pids waits for the line in which an operation tells its processes.
func pids(t *testing.T, host *operationtest.Host) (list [3]int) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		for _, l := range host.Output("pids ") {
			if _, err := fmt.Sscan(l, &list[0], &list[1], &list[2]); err == nil {
				return list
			}
		}
	}
	t.Fatal("the operation did not start")
	return list
}

func TestStop(t *testing.T) {
	t.Parallel()
	r := newRunner(t, func(c *python.Config) { c.Grace = 500 * time.Millisecond })
	for _, ignore := range []bool{false, true} {
		t.Run(fmt.Sprint("cancel ", ignore), func(t *testing.T) {
			t.Parallel()
			host := newHost()
			ctx, cancel := context.WithCancelCause(within(t, time.Minute))
			reason := errors.New("enough")
			done := make(chan error)
			go func() {
				_, err := r.Run(ctx, request(t, "hangs", map[string]any{"ignore": ignore}), host)
				done <- err
			}()
			list := pids(t, host)
			cancel(reason)
			if err := <-done; !errors.Is(err, reason) {
				t.Errorf("%v", err)
			}
			for _, pid := range list {
				if alive(pid) {
					t.Errorf("%d of %v lives", pid, list)
				}
			}
		})
		t.Run(fmt.Sprint("timeout ", ignore), func(t *testing.T) {
			t.Parallel()
			host := newHost()
			req := request(t, "hangs", map[string]any{"ignore": ignore})
			req.Timeout, req.TimeoutRecoverable = 1500*time.Millisecond, ignore
			_, err := r.Run(within(t, time.Minute), req, host)
			e := operationError(t, err)
			if e.Message != "Process killed due to timeout of 1.5 seconds" || (e.Verdict == operation.Recoverable) != ignore {
				t.Errorf("%+v", e)
			}
			for _, pid := range pids(t, host) {
				if alive(pid) {
					t.Errorf("%d lives", pid)
				}
			}
		})
	}
}

func TestWorkerKilled(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	_, _, err := run(t, r, "leaves", map[string]any{"how": "worker"})
	if e := operationError(t, err); e.Verdict != operation.Recoverable || !strings.Contains(e.Message, "worker of the deployment ended") {
		t.Errorf("%+v", e)
	}
	if result, _, err := run(t, r, "sleeps", map[string]any{"seconds": int64(0)}); err != nil || result != int64(0) {
		t.Errorf("afterwards: %v %v", result, err)
	}
}

// A worker that does not answer any more is ended. An operation that has told
// its result has that; others may be tried again, with another worker.
func TestWorkerThatHangs(t *testing.T) {
	t.Parallel()
	r := newRunner(t, func(c *python.Config) { c.Patience = 500 * time.Millisecond })
	if result, _, err := run(t, r, "leaves", map[string]any{"how": "worker stopped"}); err != nil || result != nil {
		t.Errorf("%v %v", result, err)
	}
	_, _, err := run(t, r, "leaves", map[string]any{"how": "worker stopped, then hang"})
	if e := operationError(t, err); e.Verdict != operation.Recoverable || !strings.Contains(e.Message, "worker of the deployment ended") {
		t.Errorf("%+v", e)
	}
	// On a loaded machine a worker may seem to hang so soon although it doesn't.
	for again := 0; ; again++ {
		result, _, err := run(t, r, "sleeps", map[string]any{"seconds": 1.5})
		var e *operation.Error
		if errors.As(err, &e) && e.Verdict == operation.Recoverable && again < 10 {
			continue
		}
		if err != nil || result != 1.5 {
			t.Errorf("afterwards: %v %v", result, err)
		}
		break
	}
}

// What is too large to be taken is that operation's failure, at once.
func TestOversized(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	const refusal = "this is too much to be sent to the orchestrator: 65 MiB, and 64 may be"
	for how, want := range map[string]string{"result": refusal, "property": refusal, "raw": "orchestrator"} {
		_, _, err := run(t, r, "oversized", map[string]any{"how": how})
		if e := operationError(t, err); e.Verdict != operation.NonRecoverable || !strings.Contains(e.Message+e.Output, want) {
			t.Errorf("%s: %+v", how, e)
		}
	}
	if result, _, err := run(t, r, "oversized", map[string]any{"how": "log"}); err != nil || result != "went on" {
		t.Errorf("%v %v", result, err)
	}
}

func TestIdleWorkersEnd(t *testing.T) {
	t.Parallel()
	r := newRunner(t, func(c *python.Config) { c.Idle = 50 * time.Millisecond })
	result, _, err := run(t, r, "state", nil)
	if err != nil {
		t.Fatal(err)
	}
	worker := int(result.([]any)[1].(int64))
	for deadline := time.Now().Add(20 * time.Second); alive(worker); {
		if time.Now().After(deadline) {
			t.Fatal("the worker lives")
		}
	}
	if n := r.Workers(); n != 0 {
		t.Errorf("%d workers", n)
	}
}

func TestAsManyWorkersAsAllowed(t *testing.T) {
	t.Parallel()
	r := newRunner(t, func(c *python.Config) { c.Workers = 2 })
	for i := range 5 {
		req := request(t, "nothing", nil)
		req.DeploymentID = fmt.Sprint("d", i)
		if _, err := r.Run(within(t, time.Minute), req, newHost()); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.Workers(); n != 2 {
		t.Errorf("%d workers", n)
	}
	r.Forget("default_tenant", "d4")
	if n := r.Workers(); n != 1 {
		t.Errorf("%d workers", n)
	}
}

func TestNoInterpreter(t *testing.T) {
	t.Parallel()
	r := newRunner(t, func(c *python.Config) { c.Python = "no-such-python" })
	_, _, err := run(t, r, "nothing", nil)
	if e := operationError(t, err); e.Verdict != operation.NonRecoverable || !strings.Contains(e.Message, "no-such-python was not found") {
		t.Errorf("%+v", e)
	}
	r = newRunner(t, func(c *python.Config) { c.Python = "/bin/false" })
	_, _, err = run(t, r, "nothing", nil)
	if e := operationError(t, err); !strings.Contains(e.Message, "ended before it was ready (exit status 1)") {
		t.Errorf("%+v", e)
	}
	r = newRunner(t, func(c *python.Config) { c.Python, c.StartTimeout = "/bin/cat", 10*time.Millisecond })
	if _, _, err = run(t, r, "nothing", nil); err == nil || !strings.Contains(err.Error(), "ready") {
		t.Errorf("%v", err)
	}
}

func TestCancelledBeforeTheStart(t *testing.T) {
	t.Parallel()
	r := newRunner(t, func(c *python.Config) { c.Python = "/bin/cat" })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Run(ctx, request(t, "nothing", nil), newHost()); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("WINDLASS_SECRET", "x")
	r := newRunner(t, func(c *python.Config) { c.Env = nil })
	result, _, err := run(t, r, "environment", nil)
	if err != nil {
		t.Fatal(err)
	}
	got := result.(map[string]any)
	if got["secret"] != nil || got["dispatch"] != "true" {
		t.Errorf("%v", got)
	}
}
