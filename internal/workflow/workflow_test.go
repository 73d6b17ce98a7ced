package workflow

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint/plan"
	"windlass/internal/value"
)

// small is a host, a server in it, and an application connected to the server.
func small(state string) *Deployment {
	central := plan.Central
	op := func(name string) *plan.Operation {
		return &plan.Operation{Plugin: "script", Operation: "script_runner.tasks.run", Executor: &central,
			Inputs: value.Map{"script_path": name + ".sh"}}
	}
	plugins := []plan.Plugin{{Name: "script"}}
	host := &Node{ID: "host", Count: 1, Plugins: plugins, Type: "cloudify.nodes.Compute", TypeHierarchy: []string{"cloudify.nodes.Root", "cloudify.nodes.Compute"}}
	server := &Node{
		ID: "server", Count: 1, Plugins: plugins, TypeHierarchy: []string{"cloudify.nodes.Root"},
		Operations: map[string]*plan.Operation{
			lifecycle + "create": op("create"), lifecycle + "start": op("start"), lifecycle + "stop": op("stop"),
		},
		Relationships: []plan.Relationship{{Type: "cloudify.relationships.contained_in", TypeHierarchy: []string{"cloudify.relationships.contained_in"}, TargetID: "host"}},
	}
	app := &Node{
		ID: "app", Count: 1, Plugins: plugins, TypeHierarchy: []string{"cloudify.nodes.Root"},
		Operations: map[string]*plan.Operation{lifecycle + "configure": op("configure"), lifecycle + "delete": op("delete")},
		Relationships: []plan.Relationship{{
			Type: "cloudify.relationships.connected_to", TargetID: "server",
			SourceOperations: map[string]*plan.Operation{relLife + "establish": op("establish"), relLife + "unlink": op("unlink")},
			TargetOperations: map[string]*plan.Operation{relLife + "preconfigure": op("preconfigure")},
		}},
	}
	d := &Deployment{
		ID: "d", Nodes: map[string]*Node{"host": host, "server": server, "app": app},
		Settings: Settings{TaskRetries: 1, RetryInterval: time.Second},
		Instances: []*Instance{
			{ID: "host_1", NodeID: "host", Node: host, State: state},
			{ID: "server_1", NodeID: "server", Node: server, State: state, Relationships: []plan.InstanceRelationship{
				{Type: "cloudify.relationships.contained_in", TargetName: "host", TargetID: "host_1"}}},
			{ID: "app_1", NodeID: "app", Node: app, State: state, Relationships: []plan.InstanceRelationship{
				{Type: "cloudify.relationships.connected_to", TargetName: "server", TargetID: "server_1"}}},
		},
	}
	return d
}

func TestTranscripts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		workflow   string
		state      string
		parameters map[string]any
		fail       map[string]int
		dry        bool
		subgraph   int
	}{
		"install":                 {workflow: "install", state: "uninitialized"},
		"install_dry_run":         {workflow: "install", state: "uninitialized", dry: true},
		"install_retry":           {workflow: "install", state: "uninitialized", fail: map[string]int{"server_1 start": 1}},
		"install_failed":          {workflow: "install", state: "uninitialized", fail: map[string]int{"server_1 start": 2}},
		"install_subgraph_retry":  {workflow: "install", state: "uninitialized", subgraph: 1, fail: map[string]int{"server_1 start": 2}},
		"install_one_node":        {workflow: "install", state: "started", parameters: map[string]any{"node_ids": []any{"server"}}},
		"uninstall":               {workflow: "uninstall", state: "started"},
		"uninstall_ignore":        {workflow: "uninstall", state: "started", parameters: map[string]any{"ignore_failure": true}, fail: map[string]int{"server_1 stop": 1}},
		"uninstall_after_failure": {workflow: "uninstall", state: "starting"},
		"restart":                 {workflow: "restart", state: "started", parameters: map[string]any{"run_by_dependency_order": true}},
		"execute_operation": {workflow: "execute_operation", state: "started", parameters: map[string]any{
			"operation": lifecycle + "configure", "operation_kwargs": map[string]any{"x": int64(1)}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := small(tc.state)
			d.ID, d.ExecutionID, d.WorkflowID = "d", "x", tc.workflow
			d.DryRun, d.Settings.SubgraphRetries = tc.dry, tc.subgraph
			s := &stage{t: t, d: d, fail: tc.fail}
			f, ok := Lookup(Plugin, "cloudify.plugins.workflows."+tc.workflow)
			if !ok {
				t.Fatalf("no workflow %s", tc.workflow)
			}
			if err := f(t.Context(), s, tc.parameters); err != nil {
				s.lines = append(s.lines, "ERROR "+err.Error())
			}
			golden(t, name, strings.Join(s.lines, "\n")+"\n")
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

func TestDuplicateDefinitionIsRefused(t *testing.T) {
	t.Parallel()
	f, _ := Lookup(Plugin, "cloudify.plugins.workflows.execute_operation")
	err := f(t.Context(), &stage{t: t, d: small("started")}, map[string]any{
		"operation": lifecycle + "create", "operation_kwargs": map[string]any{"script_path": "other.sh"},
	})
	if err == nil || !strings.Contains(err.Error(), "Duplicate definition of script_path") {
		t.Errorf("got %v", err)
	}
}
