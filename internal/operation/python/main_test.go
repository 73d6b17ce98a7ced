package python_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"windlass/internal/blueprint/plan"
	"windlass/internal/ctxcli"
	"windlass/internal/operation"
	"windlass/internal/operation/operationtest"
	"windlass/internal/operation/python"
)

// TestMain makes this program the ctx command when it is started by that name,
// as cfy is.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "ctx" {
		os.Exit(ctxcli.Main(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

// environments is one environment for all plugins.
type environments python.Environment

func (e environments) Environment(context.Context, python.Query) (python.Environment, error) {
	return python.Environment(e), nil
}

// newRunner makes a runner whose plugins are in testdata/plugin.
func newRunner(t testing.TB, change func(*python.Config)) *python.Runner {
	t.Helper()
	plugin, err := filepath.Abs("testdata/plugin")
	if err != nil {
		t.Fatal(err)
	}
	cfg := python.Config{
		Root: t.TempDir(), Python: interpreter(), Environments: environments{Key: "test", Path: []string{plugin}},
		Env: append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1"),
	}
	if change != nil {
		change(&cfg)
	}
	r, err := python.New(cfg)
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

// interpreter prefers the system's, which has no wrappers around it.
func interpreter() string {
	if chosen := os.Getenv("WINDLASS_TEST_INTERPRETER"); chosen != "" {
		return chosen
	}
	if _, err := os.Stat("/usr/bin/python3"); err == nil {
		return "/usr/bin/python3"
	}
	return "python3"
}

func newHost() *operationtest.Host {
	h := operationtest.NewHost(
		operation.Instance{
			ID: "web_1", NodeID: "web", HostID: "vm_1", Index: 2, RuntimeProperties: map[string]any{"a": int64(1)},
			Relationships: []operation.InstanceRelationship{{
				Type: "cloudify.relationships.contained_in", TypeHierarchy: []string{"cloudify.relationships.contained_in"},
				Target: operation.Subject{NodeID: "vm", InstanceID: "vm_1"},
			}},
		},
		operation.Instance{ID: "vm_1", NodeID: "vm", HostID: "vm_1", RuntimeProperties: map[string]any{"ip": "10.0.0.1"}},
	)
	web := h.Nodes["web"]
	web.Properties = map[string]any{"port": int64(80)}
	h.Nodes["web"] = web
	h.Resources["conf/a.txt"] = "the text"
	return h
}

func request(t testing.TB, function string, inputs map[string]any) *operation.Request {
	t.Helper()
	pkg, version := "test-plugin", "1.2"
	return &operation.Request{
		TaskID: "task-1", ExecutionID: "exec-1", WorkflowID: "install", Tenant: "default_tenant", DeploymentID: "dep",
		DeploymentDisplayName: "Dep", BlueprintID: "bp", ExecutionCreator: "admin", MaxRetries: 3,
		ResourceTags: map[string]any{"owner": "me"}, RuntimeOnlyEvaluation: true,
		Name: "cloudify.interfaces.lifecycle.create", Implementation: "ops." + function, Inputs: maps.Clone(inputs),
		Plugin: plan.Plugin{Name: "test", PackageName: &pkg, PackageVersion: &version},
		Self:   operation.Subject{NodeID: "web", InstanceID: "web_1"}, WorkDir: t.TempDir(),
	}
}

// within bounds tests that would otherwise wait for ever.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func run(t testing.TB, r *python.Runner, function string, inputs map[string]any) (any, *operationtest.Host, error) {
	t.Helper()
	host := newHost()
	result, err := r.Run(within(t, time.Minute), request(t, function, inputs), host)
	return result, host, err
}

func operationError(t testing.TB, err error) *operation.Error {
	t.Helper()
	e, ok := errors.AsType[*operation.Error](err)
	if !ok {
		t.Fatalf("no operation.Error: %v", err)
	}
	return e
}
