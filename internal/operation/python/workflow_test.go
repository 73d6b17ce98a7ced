package python_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"windlass/internal/graph"
	"windlass/internal/operation/operationtest"
	"windlass/internal/operation/python"
)

func runFlow(t testing.TB, r *python.Runner, h *flowHost, function string, parameters map[string]any) error {
	t.Helper()
	if parameters == nil {
		parameters = map[string]any{}
	}
	f, ok := r.Lookup("test", "flows."+function)
	if !ok {
		t.Fatalf("no workflow %s", function)
	}
	return f(within(t, time.Minute), h, parameters)
}

// However a workflow ends, that is told, and ends nothing else.
func TestWorkflowsEnd(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ how, want string }{
		{"well", ""},
		{"os._exit", "workflow flow: its process ended with status 0 without telling how it went: it may have called " +
			"os._exit or os.exec; its last output:\nlast words"},
		{"segv", "its process was ended by signal 11"},
		{"worker", "the Python worker of the deployment ended, and the workflow with it"},
		{"sys.exit", "gave up"},
		{"sys.exit(0)", ""},
		{"raise", "ValueError: bad luck"},
		{"nonrecoverable", "no use"},
		{"cancelled", "cancelled"},
		{"old cancelled", "cancelled"},
		{"memory", "MemoryError"},
		{"unspeakable", "its text cannot be had, because of ValueError"},
		{"long text", "the end"},
		{"forks", "the parent"},
		{"handler raises", "failed: bad handler"},
		{"handler executes", "failed: this graph is being executed"},
		{"handler dies", "its process ended with status 4"},
	} {
		t.Run(test.how, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t, func(c *python.Config) { c.Memory = 2 << 30 })
			h := newFlowHost(t, r)
			err := runFlow(t, r, h, "ends", map[string]any{"how": test.how})
			if err != nil && len(err.Error()) > 200<<10 {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			switch {
			case test.want == "":
				if err != nil {
					t.Error(err)
				}
			case test.want == "cancelled":
				if !errors.As(err, &graph.Cancelled{}) {
					t.Errorf("it ended with %v", err)
				}
			case err == nil || !strings.Contains(err.Error(), test.want):
				t.Errorf("it ended with %v, want %s", err, test.want)
			}
		})
	}
}

func TestWorkflowNotFound(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	for function, want := range map[string]string{
		"absent":      "flows has no function named 'absent'",
		"HandlerNone": "flows has no function named 'HandlerNone'",
		"os":          "flows.os is not callable",
	} {
		if err := runFlow(t, r, newFlowHost(t, r), function, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", function, err, want)
		}
	}
	if _, ok := r.Lookup("default_workflows", "cloudify.plugins.workflows.install"); !ok {
		t.Error("the built-in install is not found")
	}
	if _, ok := r.Lookup("default_workflows", "cloudify.plugins.workflows.nothing"); ok {
		t.Error("a built-in workflow was found that there is none of")
	}
	err := runFlow(t, r, newFlowHost(t, r), "unserializable", nil)
	if err == nil || !strings.Contains(err.Error(), "object") {
		t.Errorf("an input that is no JSON: %v", err)
	}
}

func TestWorkflowLeavesChildren(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	h := newFlowHost(t, r)
	if err := runFlow(t, r, h, "leaves_children", nil); err != nil {
		t.Error(err)
	}
	for _, l := range h.Lines() {
		var left [2]int
		if _, err := fmt.Sscanf(l.Message, "left %d %d", &left[0], &left[1]); err != nil {
			continue
		}
		for _, pid := range left {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Errorf("what it left in the background is gone: %v", err)
			}
		}
		return
	}
	t.Errorf("it left nothing: %v", h.Lines())
}

func TestWorkflowFloodsItsLog(t *testing.T) {
	t.Parallel()
	r := newRunner(t, func(c *python.Config) { c.Log.Lines, c.Output.Lines = 100, 50 })
	h := newFlowHost(t, r)
	if err := runFlow(t, r, h, "floods", map[string]any{"lines": int64(20_000)}); err != nil {
		t.Fatal(err)
	}
	if lines := h.Lines(); len(lines) != 100+50+2 {
		t.Errorf("%d lines were logged", len(lines))
	}
	for _, want := range []string{"19900 more log lines of this workflow were dropped", "<out> (19950 more lines of output were dropped)"} {
		if !slices.ContainsFunc(h.Lines(), func(l operationtest.Line) bool { return l.Message == want }) {
			t.Errorf("%q was not logged", want)
		}
	}
}

// A workflow hears of a cancel. One that doesn't listen is ended by force.
func TestWorkflowIsCancelled(t *testing.T) {
	t.Parallel()
	for _, deaf := range []bool{false, true} {
		t.Run(fmt.Sprint("deaf ", deaf), func(t *testing.T) {
			t.Parallel()
			r := newRunner(t, func(c *python.Config) { c.Grace = 50 * time.Millisecond })
			h := newFlowHost(t, r)
			ended := make(chan error, 1)
			go func() { ended <- runFlow(t, r, h, "waits", map[string]any{"deaf": deaf}) }()
			awaitLine(t, h, "waiting")
			close(h.asked)
			if deaf {
				close(h.killed)
				close(h.forced)
			} else {
				awaitLine(t, h, "asked, killed: False")
			}
			if err := <-ended; !errors.As(err, &graph.Cancelled{}) {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}

func awaitLine(t *testing.T, h *flowHost, want string) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	ctx := within(t, time.Minute)
	for !slices.ContainsFunc(h.Lines(), func(l operationtest.Line) bool { return l.Message == want }) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%q was never logged, but %v", want, h.Lines())
		}
	}
}

// The context of the run ends: so does the workflow, with its cause.
func TestWorkflowLosesItsRun(t *testing.T) {
	t.Parallel()
	r := newRunner(t, func(c *python.Config) { c.Grace = 50 * time.Millisecond })
	h := newFlowHost(t, r)
	ctx, cancel := context.WithCancelCause(within(t, time.Minute))
	lost := errors.New("lost")
	ended := make(chan error, 1)
	f, _ := r.Lookup("test", "flows.waits")
	go func() { ended <- f(ctx, h, map[string]any{"deaf": true}) }()
	awaitLine(t, h, "waiting")
	cancel(lost)
	if err := <-ended; !errors.Is(err, lost) {
		t.Errorf("it ended with %v", err)
	}
}

// More of a workflow's own tasks than it has threads, each waiting for an operation.
func TestWorkflowTasksWaitForOperations(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	if err := runFlow(t, r, newFlowHost(t, r), "nested", nil); err != nil {
		t.Error(err)
	}
}

// Graphs without a name are found again by what they do.
func TestGraphNames(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	ran := func(skip int64) []string {
		h := newFlowHost(t, r)
		if err := runFlow(t, r, h, "names", map[string]any{"skip": skip}); err != nil {
			t.Fatal(err)
		}
		return h.graphs
	}
	all, some := ran(0), ran(1)
	if len(all) != 4 || !slices.Equal(some, all[1:]) {
		t.Errorf("all: %q, without the first: %q", all, some)
	}
	if seen := map[string]bool{all[0]: true, all[1]: true, all[2]: true, all[3]: true}; len(seen) != 4 {
		t.Errorf("names repeat: %q", all)
	}
}

// Workers of a deployment that is gone end, those in use with what they run.
func TestForget(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	h := newFlowHost(t, r)
	ended := make(chan error, 1)
	go func() { ended <- runFlow(t, r, h, "waits", nil) }()
	awaitLine(t, h, "waiting")
	r.Forget("t", "another")
	r.Forget("t", "dep")
	if n := r.Workers(); n != 1 {
		t.Errorf("%d workers while it is in use", n)
	}
	close(h.asked)
	if err := <-ended; !errors.As(err, &graph.Cancelled{}) {
		t.Errorf("it ended with %v", err)
	}
	if n := r.Workers(); n != 0 {
		t.Errorf("%d workers are left", n)
	}
	if err := runFlow(t, r, newFlowHost(t, r), "ends", map[string]any{"how": "well"}); err != nil {
		t.Error(err)
	}
	r.Forget("t", "dep")
	if n := r.Workers(); n != 0 {
		t.Errorf("%d workers are left", n)
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	r := newRunner(t, func(c *python.Config) { c.Memory = 1 << 30 })
	if _, _, err := run(t, r, "eats", map[string]any{"mib": int64(16)}); err != nil {
		t.Error(err)
	}
	_, _, err := run(t, r, "eats", map[string]any{"mib": int64(2048)})
	if e := operationError(t, err); e.Type != "MemoryError" || e.Message != "it needed more memory than it may have, which is 1024 MiB" {
		t.Errorf("%+v", e)
	}
}
