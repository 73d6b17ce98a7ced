package preparation_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/preparation"
	"windlass/internal/topology"
	"windlass/internal/value"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func counter() topology.IDSource {
	n := 0
	return func() string {
		n++
		return strconv.Itoa(n)
	}
}

func readPlan(t testing.TB, name string) *plan.Plan {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name + ".plan.json")
	if err != nil {
		t.Fatal(err)
	}
	p := &plan.Plan{}
	if err := json.Unmarshal(data, p); err != nil {
		t.Fatal(err)
	}
	return p
}

func allSecrets(string) (bool, error) { return true, nil }

// TestDeployGolden prepares whole plans.
func TestDeployGolden(t *testing.T) {
	t.Parallel()
	for name, inputs := range map[string]map[string]any{
		"worked":    nil,
		"functions": {"owner": "boss", "addr": map[string]any{"port": int64(8080)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := readPlan(t, name)
			before := encode(t, p)
			d, err := preparation.Deploy(p, preparation.Options{Inputs: inputs, HasSecret: allSecrets, IDs: counter()})
			if err != nil {
				t.Fatal(err)
			}
			compare(t, "testdata/"+name+".deployment.json", encode(t, d))
			if diff := cmp.Diff(before, encode(t, p)); diff != "" {
				t.Errorf("the plan was changed:\n%s", diff)
			}
		})
	}
}

func encode(t testing.TB, v any) string {
	t.Helper()
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data) + "\n"
}

func compare(t testing.TB, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDeployRuntimeOnly(t *testing.T) {
	t.Parallel()
	p := readPlan(t, "worked")
	d, err := preparation.Deploy(p, preparation.Options{RuntimeOnly: true, IDs: counter()})
	if err != nil {
		t.Fatal(err)
	}
	create := d.Nodes[0].Operations["life.create"]
	if !create.HasIntrinsicFunctions || !cmp.Equal(create.Inputs, value.Map{"n": map[string]any{"get_input": "size"}}) {
		t.Errorf("got %+v", create)
	}
	if d.Nodes[0].Operations["life.start"].HasIntrinsicFunctions {
		t.Error("an operation without functions is marked")
	}
}

func TestDeploySecrets(t *testing.T) {
	t.Parallel()
	inputs := map[string]any{"owner": "boss"}
	for _, c := range []struct {
		has  func(string) (bool, error)
		kind problem.Kind
		says string
	}{
		{nil, problem.UnsupportedGetSecret, "not supported"},
		{func(string) (bool, error) { return false, nil }, problem.UnknownSecret, "Required secrets: [store] don't exist in this tenant"},
	} {
		_, err := preparation.Deploy(readPlan(t, "functions"), preparation.Options{Inputs: inputs, HasSecret: c.has, IDs: counter()})
		if l := problem.All(err); len(l) != 1 || l[0].Kind != c.kind || !strings.Contains(l[0].Message, c.says) {
			t.Errorf("got %v, want %s", err, c.kind)
		}
	}
	down := errors.New("down")
	_, err := preparation.Deploy(readPlan(t, "functions"), preparation.Options{
		Inputs: inputs, HasSecret: func(string) (bool, error) { return false, down }, IDs: counter(),
	})
	if !errors.Is(err, down) || problem.All(err) != nil {
		t.Errorf("got %v", err)
	}
}

// All calls that fail are reported, the failures of instances too.
func TestDeployFailures(t *testing.T) {
	t.Parallel()
	p := readPlan(t, "worked")
	p.Outputs["bad"] = plan.Output{Value: value.Any{V: map[string]any{"get_input": "a"}}}
	p.Outputs["worse"] = plan.Output{Value: value.Any{V: map[string]any{"get_property": []any{"b", "c"}}}}
	_, err := preparation.Deploy(p, preparation.Options{IDs: counter()})
	var kinds []problem.Kind
	for _, found := range problem.All(err) {
		kinds = append(kinds, found.Kind)
	}
	if diff := cmp.Diff([]problem.Kind{problem.UnknownInput, problem.KeyMissing}, kinds); diff != "" {
		t.Error(diff)
	}
	p = readPlan(t, "functions")
	p.Nodes[0].Relationships[0].Properties["connection_type"] = map[string]any{"get_input": "region"} // is not worked out there
	_, err = preparation.Deploy(p, preparation.Options{Inputs: map[string]any{"owner": "x"}, HasSecret: allSecrets, IDs: counter()})
	if l := problem.All(err); len(l) != 1 || l[0].Kind != problem.IllegalConnectionType {
		t.Errorf("got %v", err)
	}
}

// A dependency from a node without instances, or to one, is nobody's.
func TestDependenciesOfNoInstance(t *testing.T) {
	t.Parallel()
	for zero, want := range map[int]int{0: 3, 1: 5} { // of web, of db
		p := readPlan(t, "functions")
		p.Nodes[zero].Capabilities.Scalable.Properties.Current = value.Any{V: int64(0)}
		d, err := preparation.Deploy(p, preparation.Options{Inputs: map[string]any{"owner": "x"}, HasSecret: allSecrets, IDs: counter()})
		if err != nil {
			t.Fatal(err)
		}
		if len(d.InterDeploymentFunctions) != want {
			t.Errorf("without %s: %d: %+v", p.Nodes[zero].Name, len(d.InterDeploymentFunctions), d.InterDeploymentFunctions)
		}
	}
}

func TestTakenIDs(t *testing.T) {
	t.Parallel()
	d, err := preparation.Deploy(readPlan(t, "worked"), preparation.Options{Taken: []string{"vm_2"}, IDs: counter()})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range d.NodeInstances {
		if i.ID == "vm_2" {
			t.Error("an id that is taken was given")
		}
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	var deploy preparation.DeployRequest
	planText := bytes.TrimSpace([]byte(encode(t, readPlan(t, "functions"))))
	text := `{"op": "deploy", "id": 1, "plan": ` + string(planText) + `, "inputs": {"owner": "boss"}, "secrets": ["store"]}`
	if err := json.Unmarshal([]byte(text), &deploy); err != nil {
		t.Fatal(err)
	}
	d, err := preparation.HandleDeploy(deploy, counter())
	if err != nil || len(d.NodeInstances) != 3 || d.Inputs["owner"] != "boss" {
		t.Errorf("got %+v, %v", d, err)
	}
	if _, err := preparation.HandleDeploy(preparation.DeployRequest{}, counter()); problem.All(err) == nil {
		t.Errorf("without a plan: %v", err)
	}
	if _, err := preparation.HandleDeploy(preparation.DeployRequest{Plan: &plan.Plan{Body: plan.Body{Nodes: []*plan.Node{nil}}}}, counter()); problem.All(err) == nil {
		t.Errorf("with a null node: %v", err)
	}

	instances, err := preparation.HandleExpand(preparation.ExpandRequest{Nodes: d.Nodes, Groups: d.ScalingGroups}, counter())
	if err != nil || len(instances) != 3 {
		t.Errorf("got %v, %v", instances, err)
	}
	var modify preparation.ModifyRequest
	text = `{"nodes": [{"id": "a", "capabilities": {"scalable": {"properties": {"current_instances": 1}}}}],
		"previous_nodes": [{"name": "a"}], "previous_node_instances": [{"id": "a_x", "node_id": "a"}, {"id": "a_y", "node_id": "a"}],
		"modified": {"a": {"instances": 1, "removed_ids_include_hint": ["a_x"]}}, "scaling_groups": {}}`
	if err := json.Unmarshal([]byte(text), &modify); err != nil {
		t.Fatal(err)
	}
	r, err := preparation.HandleModify(modify, counter())
	if err != nil || len(r.Removed) != 1 || r.Removed[0].ID != "a_x" {
		t.Errorf("got %+v, %v", r, err)
	}
	if got := string(value.Encode(mustOf(t, r))); !strings.Contains(got, `"added_and_related":[]`) {
		t.Errorf("empty lists are not lists: %s", got)
	}
}

func mustOf(t testing.TB, v any) any {
	t.Helper()
	got, err := value.Of(v)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestEvaluateRequest(t *testing.T) {
	t.Parallel()
	const state = `"state": {"nodes": [{"id": "n", "properties": {"p": 1.0}}], "node_instances": [{"id": "n_1", "node_id": "n", "index": 4}],
		"labels": {"l": ["x", 2]}}`
	for text, want := range map[string]string{
		`{"payload": {"a": {"get_attribute": ["SELF", "p"]}}, "context": {"self": "n_1"}, ` + state + `}`: `{"a":1.0}`,
		`{"payload": {"get_label": ["l", 1]}, ` + state + `}`:                                             `"2"`,
		`{"payload": null}`: `null`,
		`{"payload": {"get_attribute": ["x", "p"]}, "context": {"outputs": true}, ` + state + `}`: `"<ERROR: Unable to evaluate get_attribute function: Node x has no instances.>"`,
		`{"node": {"id": "n", "extra": 1, "properties": {"i": {"get_attribute": ["SELF", "node_instance_index"]}},
		   "capabilities": {"scalable": {"properties": {"max_instances": {"get_property": ["n", "q"]}}}}}, ` + state + `}`: `!FunctionEvaluationError`,
		`{"node": {"id": "n", "extra": 1, "properties": {"q": 3, "i": {"get_attribute": ["SELF", "node_instance_index"]}},
		   "capabilities": {"scalable": {"properties": {"max_instances": {"get_property": ["n", "q"]}}}}}, ` + state + `}`: `{"capabilities":{"scalable":{"properties":{"max_instances":3}}},"extra":1,"id":"n","properties":{"i":4,"q":3}}`,
		`{"node": {"properties": {}}}`: `!KeyError`,
	} {
		var r preparation.EvaluateRequest
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got, err := preparation.HandleEvaluate(t.Context(), r)
		if kind, failing := strings.CutPrefix(want, "!"); failing {
			if l := problem.All(err); len(l) != 1 || string(l[0].Kind) != kind {
				t.Errorf("%s: got %v, %v; want %s", text, got, err, kind)
			}
			continue
		}
		if err != nil || string(value.Encode(got)) != want {
			t.Errorf("%s: got %s, %v; want %s", text, value.Encode(got), err, want)
		}
	}
}

// BenchmarkDeploy prepares 10,000 nodes with sixty operations each, a few of
// them with functions.
func BenchmarkDeploy(b *testing.B) {
	p := readPlan(b, "functions")
	web := p.Nodes[0]
	for i := range 60 {
		web.Operations["life.noop"+strconv.Itoa(i)] = &plan.Operation{}
	}
	for i := range 10000 {
		n := *web
		n.Name, n.ID = "web"+strconv.Itoa(i), "web"+strconv.Itoa(i)
		p.Nodes = append(p.Nodes, &n)
	}
	opts := preparation.Options{Inputs: map[string]any{"owner": "x"}, HasSecret: allSecrets}
	b.Run("validate", func(b *testing.B) {
		for b.Loop() {
			if l := functions.ValidatePlan(p, nil); len(l) > 0 {
				b.Fatal(l)
			}
		}
	})
	b.Run("deploy", func(b *testing.B) {
		for b.Loop() {
			opts.IDs = counter()
			if _, err := preparation.Deploy(p, opts); err != nil {
				b.Fatal(err)
			}
		}
	})
}
