package stdio_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"windlass/internal/blueprint/plan"
	"windlass/internal/ctxcli"
	"windlass/internal/operation"
	"windlass/internal/operation/operationtest"
	"windlass/internal/operation/stdio"
)

// TestMain makes this program the ctx command when it is started by that name,
// as cfy is.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "ctx" {
		os.Exit(ctxcli.Main(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

// newRunner makes a runner for the plugin in the folder.
func newRunner(t testing.TB, folder string, change func(*stdio.Config)) *stdio.Runner {
	t.Helper()
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "ctx")); err != nil {
		t.Fatal(err)
	}
	cfg := stdio.Config{
		Root: t.TempDir(), Bin: bin, Grace: 100 * time.Millisecond, Env: append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1"),
		Folder: func(context.Context, *operation.Request) (string, error) { return folder, nil },
	}
	if change != nil {
		change(&cfg)
	}
	r, err := stdio.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		left, err := os.ReadDir(filepath.Join(cfg.Root, "runs"))
		if err != nil || len(left) > 0 {
			t.Errorf("run directories left: %v %v", left, err)
		}
	})
	return r
}

func pluginFolder(t testing.TB) string {
	t.Helper()
	folder, err := filepath.Abs("testdata/plugin")
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func newHost() *operationtest.Host {
	h := operationtest.NewHost(operation.Instance{ID: "web_1", NodeID: "web", RuntimeProperties: map[string]any{"a": int64(1), "b": 2.0}})
	web := h.Nodes["web"]
	web.Properties = map[string]any{"port": int64(80)}
	h.Nodes["web"] = web
	return h
}

func request(t testing.TB, function string, inputs map[string]any) *operation.Request {
	t.Helper()
	if inputs == nil {
		inputs = map[string]any{}
	}
	return &operation.Request{
		TaskID: "task-1", ExecutionID: "exec-1", WorkflowID: "install", Tenant: "default_tenant", DeploymentID: "dep", BlueprintID: "bp",
		Name: "test.op", Implementation: function, Inputs: inputs, Plugin: plan.Plugin{Name: "test"},
		Self: operation.Subject{NodeID: "web", InstanceID: "web_1"}, WorkDir: t.TempDir(),
	}
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestOperation(t *testing.T) {
	t.Parallel()
	t.Run("", func(t *testing.T) {
		r := newRunner(t, pluginFolder(t), nil)
		host := newHost()
		result, err := r.Run(within(t, time.Minute), request(t, "about", map[string]any{"text": "hi"}), host)
		if err != nil {
			t.Fatalf("%v\n%v", err, host.Lines())
		}
		want := map[string]any{
			"operation": []any{int64(1), "about", "test.op"}, "runtime": map[string]any{"a": int64(1), "b": 2.0}, "type": "test.Node",
			"port": []any{"text", "result", int64(80)}, "ctx": "hi", "cwd": true, "secret": nil,
		}
		if d := cmp.Diff(want, result); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(map[string]any{"b": 2.0, "said": "hi"}, host.Runtime("web_1")); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]string{"an event"}, host.Events()); d != "" {
			t.Error(d)
		}
		out := host.Output("<out> ")
		slices.Sort(out)
		if d := cmp.Diff([]string{"and so is this", "this is output", `{"also": "output"}`}, out); d != "" {
			t.Error(d)
		}
		for _, line := range []operationtest.Line{{Level: "warning", Message: "a line"}, {Level: "info", Message: "error"}} {
			if !slices.Contains(host.Lines(), line) {
				t.Errorf("%v was not logged, but %v", line, host.Lines())
			}
		}
	})
}

func TestEnds(t *testing.T) {
	t.Parallel()
	code := func(n int) *int { return &n }
	for _, test := range []struct {
		operation string
		inputs    map[string]any
		want      operation.Error
	}{
		{"ends", map[string]any{"how": "exit"}, operation.Error{
			Type: "RecoverableError", ExitCode: code(3), Output: "last words", Message: "the plugin's process ended with status 3 before it told a result"}},
		{"ends", map[string]any{"how": "silence"}, operation.Error{
			Type: "RecoverableError", ExitCode: code(0), Output: "last words", Message: "the plugin's process ended with status 0 before it told a result"}},
		{"ends", map[string]any{"how": "signal"}, operation.Error{
			Type: "RecoverableError", Output: "last words", Message: "the plugin's process was ended by signal 9 (killed)"}},
		{"ends", map[string]any{"how": "unknown"}, operation.Error{
			Type: "RecoverableError", ExitCode: code(0), Output: "last words", Message: "the plugin's process ended with status 0 before it told a result"}},
		{"ends", map[string]any{"how": "strange"}, operation.Error{
			Type: "RecoverableError", ExitCode: code(0), Output: "last words", Message: "the plugin's process ended with status 0 before it told a result"}},
		{"ends", map[string]any{"how": "long"}, operation.Error{
			Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: "the plugin sent a line of more than 16 MiB"}},
		{"fails", map[string]any{"message": "later"}, operation.Error{Type: "RecoverableError", Message: "later"}},
		{"fails", map[string]any{"message": "never", "verdict": "non_recoverable"}, operation.Error{
			Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: "never"}},
		{"fails", map[string]any{"message": "soon", "verdict": "reschedule", "retry_after": 1.5}, operation.Error{
			Verdict: operation.Reschedule, Type: "OperationRetry", Message: "soon", RetryAfter: new(1500 * time.Millisecond)}},
		{"fails", map[string]any{"message": "mine", "type": "MyError", "traceback": "here"}, operation.Error{
			Type: "MyError", Message: "mine", Traceback: "here"}},
	} {
		t.Run(test.operation+" "+test.want.Message, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t, pluginFolder(t), nil)
			host := newHost()
			_, err := r.Run(within(t, time.Minute), request(t, test.operation, test.inputs), host)
			e, ok := errors.AsType[*operation.Error](err)
			if !ok {
				t.Fatalf("it ended with %v", err)
			}
			if d := cmp.Diff(&test.want, e); d != "" {
				t.Error(d)
			}
		})
	}
}

// A result stands, however long the process stays after it.
func TestStaysAfterItsResult(t *testing.T) {
	t.Parallel()
	for _, inputs := range []map[string]any{{"leaves": true}, {}, {"deaf": true}} {
		r := newRunner(t, pluginFolder(t), nil)
		host := newHost()
		if result, err := r.Run(within(t, time.Minute), request(t, "stays", inputs), host); err != nil || result != "told" {
			t.Errorf("%v: %v, %v", inputs, result, err)
		}
		left := 0
		for _, l := range host.Lines() {
			_, _ = fmt.Sscanf(l.Message, "left %d", &left)
		}
		if inputs["leaves"] != true {
			continue
		}
		// What it leaves when it ends by itself lives on.
		if err := syscall.Kill(left, syscall.SIGKILL); left == 0 || err != nil {
			t.Errorf("it left %d: %v", left, err)
		}
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	for _, deaf := range []bool{false, true} {
		r := newRunner(t, pluginFolder(t), nil)
		req := request(t, "stays", map[string]any{"told": false, "deaf": deaf})
		host := newHost()
		ctx, cancel := context.WithCancelCause(within(t, time.Minute))
		cause := errors.New("enough")
		ended := make(chan error, 1)
		go func() {
			_, err := r.Run(ctx, req, host)
			ended <- err
		}()
		tick := time.NewTicker(time.Millisecond)
		for !slices.Contains(host.Lines(), operationtest.Line{Level: "info", Message: "staying"}) {
			<-tick.C
		}
		tick.Stop()
		cancel(cause)
		if err := <-ended; !errors.Is(err, cause) {
			t.Errorf("it ended with %v", err)
		}
		req.Timeout = 50 * time.Millisecond
		_, err := r.Run(within(t, time.Minute), req, newHost())
		if e, ok := errors.AsType[*operation.Error](err); !ok || e.Verdict != operation.NonRecoverable ||
			e.Message != "Process killed due to timeout of 0.05 seconds" {
			t.Errorf("it ended with %v", err)
		}
	}
}

// A plugin that asks and never reads the answers holds up nobody else.
func TestDeaf(t *testing.T) {
	t.Parallel()
	r := newRunner(t, pluginFolder(t), nil)
	req := request(t, "ends", map[string]any{"how": "deaf"})
	req.Timeout = 500 * time.Millisecond
	if _, err := r.Run(within(t, time.Minute), req, newHost()); err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("it ended with %v", err)
	}
}

func TestFlood(t *testing.T) {
	t.Parallel()
	r := newRunner(t, pluginFolder(t), func(c *stdio.Config) { c.Log.Lines, c.Output.Lines = 100, 50 })
	host := newHost()
	if _, err := r.Run(within(t, time.Minute), request(t, "floods", map[string]any{"lines": int64(20_000)}), host); err != nil {
		t.Fatal(err)
	}
	if n := len(host.Lines()); n != 100+50+2 {
		t.Errorf("%d lines were logged", n)
	}
}

func TestManifests(t *testing.T) {
	t.Parallel()
	for manifest, want := range map[string]string{
		`nonsense`:                                  "it is no JSON object",
		`{"protocol": 1}`:                           `it must say how to run the plugin: "command": ["bin/plugin"]`,
		`{"command": ["a"]}`:                        `it must say which protocol the plugin speaks: "protocol": 1`,
		`{"protocol": 2}`:                           "the plugin speaks protocol 2, and this manager 1",
		`{"protocol": "1"}`:                         "protocol is of the wrong type",
		`{"command": "a"}`:                          "command is of the wrong type",
		`{"command": ["a", 1]}`:                     "command is of the wrong type",
		`{"comand": ["a"]}`:                         `"comand" is nothing it may have`,
		`{"command": ["a\u0000"]}`:                  "command is of the wrong type",
		`{"protocol": 1, "command": ["../plugin"]}`: "the plugin's command ../plugin is not in its folder",
		`{"protocol": 1, "command": ["bin/none"]}`:  "the plugin has no program bin/none; is it built for this machine",
		`{"protocol": 1, "command": ["./plugin-manifest.json"]}`: "can't be executed",
		`{"protocol": 1, "command": ["no-such-program"]}`:        "the plugin needs no-such-program, which was not found on the PATH",
	} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, stdio.ManifestFile), []byte(manifest), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := newRunner(t, folder, nil).Run(t.Context(), request(t, "x", nil), newHost())
		e, ok := errors.AsType[*operation.Error](err)
		if !ok || e.Verdict != operation.NonRecoverable || !strings.Contains(e.Message, want) {
			t.Errorf("%s: %v, want %s", manifest, err, want)
		}
	}
}

// Plugins of other kinds are somebody else's.
func TestOthers(t *testing.T) {
	t.Parallel()
	if _, err := newRunner(t, "", nil).Run(t.Context(), request(t, "x", nil), newHost()); err == nil ||
		err.Error() != "plugin test has no plugin-manifest.json" {
		t.Errorf("it ended with %v", err)
	}
	r := newRunner(t, "", func(c *stdio.Config) { c.Others = answers{} })
	if result, err := r.Run(t.Context(), request(t, "x", nil), newHost()); err != nil || result != "answer" {
		t.Errorf("%v, %v", result, err)
	}
}

type answers struct{}

func (answers) Run(context.Context, *operation.Request, operation.Host) (any, error) {
	return "answer", nil
}
