package workflow

import (
	"slices"
	"strings"
	"testing"

	"windlass/internal/blueprint/plan"
	"windlass/internal/graph"
	"windlass/internal/value"
)

// transcript runs a workflow over a deployment and returns its lines, those
// that mention the instance only if one is named.
func transcript(t *testing.T, d *Deployment, name, instance string, parameters map[string]any) []string {
	t.Helper()
	f, ok := Lookup(Plugin, "cloudify.plugins.workflows."+name)
	if !ok {
		t.Fatalf("no workflow %s", name)
	}
	s := &stage{t: t, d: d}
	if err := f(t.Context(), s, parameters); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(s.lines, func(l string) bool { return instance != "" && !strings.HasPrefix(l, instance) })
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	// Tasks side by side have no order; the lines as such must agree.
	g, w := slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(g, w) {
		t.Errorf("got:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// The expectations of the following four were taken from runs of the original.

func TestAHostWithoutOperationsGoesThroughAllPhases(t *testing.T) {
	t.Parallel()
	d := small("uninitialized")
	d.Node("host").Properties = map[string]any{"install_agent": false}
	wantLines(t, transcript(t, d, "install", "host_1", nil),
		"host_1 -> initializing",
		"host_1: Validating node instance before creation: nothing to do",
		"host_1: Precreating node instance: nothing to do",
		"host_1: Creating node instance: nothing to do",
		"host_1: Configuring node instance: nothing to do",
		"host_1: Starting node instance: nothing to do",
		"host_1: Poststarting node instance: nothing to do",
		"host_1 -> started",
		"host_1: Node instance started")
}

func TestPhasesSkippedByStateAreTold(t *testing.T) {
	t.Parallel()
	wantLines(t, transcript(t, small("created"), "install", "server_1", map[string]any{"node_ids": []any{"server"}}),
		"server_1 -> initializing",
		"server_1: Validating node instance before creation: nothing to do",
		"server_1: Precreating node instance: nothing to do",
		"server_1: Creating node instance: nothing to do",
		"server_1: Configuring node instance: nothing to do",
		"server_1: Starting node instance", "server_1 -> starting",
		"server_1 cloudify.interfaces.lifecycle.start: succeeded",
		"server_1: Poststarting node instance: nothing to do",
		"server_1 -> started", "server_1: Node instance started")
	wantLines(t, transcript(t, small("stopped"), "uninstall", "host_1", nil),
		"host_1: Validating node instance after deletion: nothing to do",
		"host_1: Stop: instance already stopped",
		"host_1: Deleting node instance: nothing to do",
		"host_1 -> deleted", "host_1: Deleted node instance")
}

func TestRollbackOfStarting(t *testing.T) {
	t.Parallel()
	wantLines(t, transcript(t, small("starting"), "rollback", "server_1", nil),
		"server_1 -> stopping", "server_1: Stopping node instance",
		"server_1: Validating node instance after deletion: nothing to do",
		"server_1 cloudify.interfaces.lifecycle.stop: succeeded",
		"server_1: Stopped node instance",
		"server_1 -> configured",
		"server_1: Rollback Delete: nothing to do, instance state is starting",
		"server_1: Rollbacked node instance")
}

func TestRollbackOfCreating(t *testing.T) {
	t.Parallel()
	wantLines(t, transcript(t, small("creating"), "rollback", "server_1", nil),
		"server_1: Validating node instance after deletion: nothing to do",
		"server_1: Rollback Stop: nothing to do, instance state is creating",
		"server_1: Deleting node instance: nothing to do",
		"server_1 -> uninitialized",
		"server_1: Rollbacked node instance")
}

// Of several relationships to one target the last one's operations run, once.
func TestSeveralRelationshipsToOneTarget(t *testing.T) {
	t.Parallel()
	d := small("uninitialized")
	app, i := d.Node("app"), d.Instance("app_1")
	last := app.Relationships[0]
	last.TargetOperations = nil
	app.Relationships = append(app.Relationships, last)
	i.Relationships = append(i.Relationships, i.Relationships[0])
	lines := transcript(t, d, "install", "app_1 cloudify.interfaces.relationship_lifecycle", nil)
	if len(lines) != 1 {
		t.Errorf("establish runs %d times: %v", len(lines), lines)
	}
}

// chain is instances a1 <- a2 <- ... <- an, each depending on the one before.
func chain(n int, state string) *Deployment {
	d := &Deployment{ID: "d", Nodes: map[string]*Node{}}
	for k := range n {
		id := string(rune('a' + k))
		node := &Node{ID: id, Plugins: []plan.Plugin{{Name: "script"}}, Operations: map[string]*plan.Operation{
			lifecycle + "create": {Plugin: "script", Operation: "x"}, lifecycle + "delete": {Plugin: "script", Operation: "x"},
		}}
		i := &Instance{ID: id + "_1", NodeID: id, Node: node, State: state}
		if k > 0 {
			before := string(rune('a' + k - 1))
			node.Relationships = []plan.Relationship{{TargetID: before}}
			i.Relationships = []plan.InstanceRelationship{{TargetName: before, TargetID: before + "_1"}}
		}
		d.Nodes[id], d.Instances = node, append(d.Instances, i)
	}
	return d
}

// Order holds between selected instances also through several that are not
// acted on.
func TestOrderThroughIntactInstances(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"install", "uninstall"} {
		state := map[string]string{"install": "uninitialized", "uninstall": "started"}[name]
		d := chain(4, state)
		var last *graph.Graph
		h := &keeper{stage: stage{t: t, d: d}, keep: &last}
		f, _ := Lookup(Plugin, "cloudify.plugins.workflows."+name)
		if err := f(t.Context(), h, map[string]any{"node_ids": []any{"a", "d"}}); err != nil {
			t.Fatal(err)
		}
		first, second := "install_a_1", "install_d_1"
		if name == "uninstall" {
			first, second = "d_1", "a_1"
		}
		if !reaches(last, second, first) {
			t.Errorf("%s: %s does not wait for %s", name, second, first)
		}
	}
}

// Relationship subgraphs tell of themselves as other subgraphs do.
func TestRelationshipSubgraphsSendEvents(t *testing.T) {
	t.Parallel()
	var g *graph.Graph
	h := &keeper{stage: stage{t: t, d: small("uninitialized")}, keep: &g}
	f, _ := Lookup(Plugin, "cloudify.plugins.workflows.install")
	if err := f(t.Context(), h, nil); err != nil {
		t.Fatal(err)
	}
	for _, task := range g.Tasks() {
		if task.Kind == graph.Subgraph && strings.HasSuffix(task.Name, "_subgraph") && !task.SendEvents {
			t.Errorf("%s sends no events", task.Name)
		}
	}
}

// Event texts as the original writes them.
func TestEventTextsOfSubgraphs(t *testing.T) {
	t.Parallel()
	_, text := EventText(&graph.Task{Kind: graph.Subgraph, Name: "install_a", State: graph.Failed, Failure: &graph.Failure{Message: "broken"}}, false)
	if text != "Subgraph failed 'install_a'" {
		t.Errorf("got %q", text)
	}
}

// An operation of a plugin that the node doesn't use is refused when the graph
// is built.
func TestPluginNotFound(t *testing.T) {
	t.Parallel()
	d := chain(1, "uninitialized")
	d.Nodes["a"].Plugins = []plan.Plugin{{Name: "other"}}
	f, _ := Lookup(Plugin, "cloudify.plugins.workflows.install")
	err := f(t.Context(), &stage{t: t, d: d}, nil)
	if err == nil || !strings.Contains(err.Error(), "Plugin not found: script") {
		t.Errorf("got %v", err)
	}
}

// Inputs with declared types are checked when an operation is called.
func TestInputTypesAreChecked(t *testing.T) {
	t.Parallel()
	d := chain(1, "started")
	op := d.Nodes["a"].Operations[lifecycle+"create"]
	op.Inputs, op.InputsTypes = value.Map{"n": int64(1)}, map[string]string{"n": "integer"}
	f, _ := Lookup(Plugin, "cloudify.plugins.workflows.execute_operation")
	err := f(t.Context(), &stage{t: t, d: d}, map[string]any{
		"operation": lifecycle + "create", "operation_kwargs": map[string]any{"n": "many"}, "allow_kwargs_override": true,
	})
	if err == nil || !strings.Contains(err.Error(), "does not match the definition") {
		t.Errorf("got %v", err)
	}
}

// All workflows of the bundled types are there.
func TestBuiltinsAreThere(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"install", "uninstall", "reinstall", "start", "stop", "restart", "pull", "execute_operation", "rollback",
		"check_status", "check_drift", "auto_heal_reinstall_node_subgraph", "scale_entity", "scale",
		"install_new_agents", "validate_agents",
	} {
		if _, ok := Lookup(Plugin, "cloudify.plugins.workflows."+name); !ok {
			t.Errorf("no workflow %s", name)
		}
	}
}
