package script_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"windlass/internal/ctxcli"
	"windlass/internal/operation"
	"windlass/internal/operation/operationtest"
	"windlass/internal/operation/script"
	"windlass/internal/operation/warden"
)

// TestMain makes this program the ctx command when it is started by that name,
// as cfy is.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "ctx" {
		os.Exit(ctxcli.Main(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
	}
	if len(os.Args) > 1 && os.Args[1] == "script-warden" {
		if warden.Serve(os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "manager-that-dies" {
		beManagerThatDies(os.Args[2])
	}
	goleak.VerifyTestMain(m)
}

// theWarden makes scripts outlive their manager; alone makes them end with it.
var (
	theWarden = []string{os.Args[0], os.Args[0], "script-warden"}
	alone     = []string{}
)

func newRunner(t testing.TB, change func(*script.Config)) *script.Runner {
	t.Helper()
	cfg := script.Config{Root: t.TempDir(), Python: python()}
	if change != nil {
		change(&cfg)
	}
	if cfg.Warden == nil {
		cfg.Warden = theWarden
	}
	r, err := script.New(cfg)
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

// python prefers the system's interpreter, which has no wrappers around it.
func python() string {
	if chosen := os.Getenv("WINDLASS_TEST_INTERPRETER"); chosen != "" {
		return chosen
	}
	if _, err := os.Stat("/usr/bin/python3"); err == nil {
		return "/usr/bin/python3"
	}
	return "python3"
}

func newHost() *operationtest.Host {
	return operationtest.NewHost(
		operation.Instance{
			ID: "web_1", NodeID: "web", HostID: "vm_1", Version: 1, Index: 1,
			RuntimeProperties: map[string]any{"greeting": "hello"},
			Relationships: []operation.InstanceRelationship{{
				Type: "cloudify.relationships.contained_in", TypeHierarchy: []string{"cloudify.relationships.contained_in"},
				Target: operation.Subject{NodeID: "vm", InstanceID: "vm_1"},
			}},
		},
		operation.Instance{ID: "vm_1", NodeID: "vm", HostID: "vm_1", Version: 1, RuntimeProperties: map[string]any{"ip": "10.0.0.7"}},
	)
}

func request(t testing.TB, inputs map[string]any) *operation.Request {
	return &operation.Request{
		TaskID: "task-1", ExecutionID: "exec-1", WorkflowID: "install", Tenant: "default_tenant",
		DeploymentID: "dep", BlueprintID: "bp", Name: "cloudify.interfaces.lifecycle.create",
		Implementation: "script_runner.tasks.run", Inputs: inputs, MaxRetries: 60,
		Self:    operation.Subject{NodeID: "web", InstanceID: "web_1"},
		WorkDir: t.TempDir(),
	}
}

// run runs a script given as a resource.
func run(t testing.TB, name, source string, inputs map[string]any) (any, *operationtest.Host, error) {
	t.Helper()
	host := newHost()
	host.Resources[name] = source
	all := map[string]any{"script_path": name}
	for k, v := range inputs {
		all[k] = v
	}
	result, err := newRunner(t, nil).Run(t.Context(), request(t, all), host)
	return result, host, err
}

func operationError(t testing.TB, err error) *operation.Error {
	t.Helper()
	e, ok := errors.AsType[*operation.Error](err)
	if !ok {
		t.Fatalf("not an operation.Error: %v", err)
	}
	return e
}

func mustSucceed(t testing.TB, err error, host *operationtest.Host) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v\n%v", err, host.Lines())
	}
}

func join(lines []string) string { return strings.Join(lines, "\n") }

// eventually waits for something that another process does.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited too long: %s", what)
		}
	}
}
