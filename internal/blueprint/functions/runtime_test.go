package functions_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// world is a deployment of: two hosts with a web in each, connected to one of
// two dbs; a lone lb; and a group g of two, each with an app and a cache in it,
// the cache inside of a box.
const world = `{
 "nodes": [
  {"id": "vm", "properties": {"ip": "10.0.0.1", "mine": {"get_attribute": ["SELF", "ip"]}}},
  {"id": "web", "properties": {"port": 80, "url": {"concat": ["http://", {"get_attribute": ["vm", "ip"]}, ":", {"get_property": ["SELF", "port"]}]},
     "loop": {"get_attribute": ["SELF", "loop"]}, "cfg": {"a": [1, {"get_input": "size"}]}},
   "relationships": [{"type": "in", "type_hierarchy": ["cloudify.relationships.contained_in", "in"], "target_id": "vm"},
                     {"type": "to", "type_hierarchy": ["to"], "target_id": "db"}]},
  {"id": "db", "properties": {}}, {"id": "lb", "properties": {"up": {"get_attribute": ["SELF", "up"]}}}, {"id": "none", "properties": {}},
  {"id": "app", "properties": {}}, {"id": "box", "properties": {}},
  {"id": "cache", "properties": {}, "relationships": [{"type": "in", "type_hierarchy": ["cloudify.relationships.contained_in"], "target_id": "box"}]}],
 "node_instances": [
  {"id": "vm_1", "node_id": "vm", "index": 1, "runtime_properties": {"ip": "1.1.1.1"}},
  {"id": "vm_2", "node_id": "vm", "index": 2, "runtime_properties": {}},
  {"id": "web_1", "node_id": "web", "index": 1, "runtime_properties": {"up": true, "deep": {"l": [1, {"k": "v"}]}, "call": {"get_input": "size"}},
   "relationships": [{"type": "in", "target_name": "vm", "target_id": "vm_1"}, {"type": "to", "target_name": "db", "target_id": "db_2"}]},
  {"id": "web_2", "node_id": "web", "index": 2, "relationships": [{"type": "in", "target_name": "vm", "target_id": "vm_2"},
    {"type": "to", "target_name": "db", "target_id": "db_1"}, {"type": "to", "target_name": "db", "target_id": "db_2"}]},
  {"id": "db_1", "node_id": "db", "runtime_properties": {"x": 1}}, {"id": "db_2", "node_id": "db", "runtime_properties": {"x": 2}},
  {"id": "lb_1", "node_id": "lb", "index": 1, "runtime_properties": {"up": null}},
  {"id": "app_1", "node_id": "app", "scaling_groups": [{"name": "g", "id": "g_1"}]},
  {"id": "app_2", "node_id": "app", "scaling_groups": [{"name": "g", "id": "g_2"}]},
  {"id": "box_1", "node_id": "box", "scaling_groups": [{"name": "g", "id": "g_1"}]},
  {"id": "box_2", "node_id": "box", "scaling_groups": [{"name": "g", "id": "g_2"}]},
  {"id": "cache_1", "node_id": "cache", "runtime_properties": {"x": "one"}, "relationships": [{"type": "in", "target_name": "box", "target_id": "box_1"}]},
  {"id": "cache_2", "node_id": "cache", "runtime_properties": {"x": "two"}, "relationships": [{"type": "in", "target_name": "box", "target_id": "box_2"}]}],
 "inputs": {"size": 2, "ref": {"get_input": "size"}},
 "secrets": {"s": "text", "json": "{\"k\": [1, 2.5]}", "bad": "{"},
 "capabilities": {"dep": {"c": {"list": [1, 2]}}, "env": {"e": {"k": "v"}}},
 "group_capabilities": {"grp": {"c": {"list": [1, 2]}}},
 "labels": {"csys-obj-parent": ["env", "other"], "colour": ["red", "blue"]},
 "consumers": {"b": "Bee", "a": "Ay"},
 "deployment": {"id": "d1", "name": "One"}, "tenant": {"name": "T"}}`

func state(t testing.TB) functions.State {
	t.Helper()
	m := &functions.Memory{}
	if err := json.Unmarshal([]byte(world), m); err != nil {
		t.Fatal(err)
	}
	return m.State()
}

func TestEvaluate(t *testing.T) {
	t.Parallel()
	none := functions.Scope{}
	web1 := functions.Scope{Self: "web_1"}
	edge := functions.Scope{Source: "web_1", Target: "db_2"}
	outputs := functions.Scope{Outputs: true}
	for _, c := range []struct {
		v     string
		scope functions.Scope
		want  string
	}{
		{`{"a": [1, "x", null]}`, none, `{"a": [1, "x", null]}`},
		{`{"get_attribute": ["lb", "up"]}`, none, "!EvaluationRecursionLimitReached"},
		{`{"get_attribute": ["lb", "node_instance_id"]}`, none, `"lb_1"`},
		{`{"get_attribute": ["lb", "node_instance_index"]}`, none, `1`},
		{`{"get_attribute": ["lb", "nothing"]}`, none, `null`},
		{`{"get_attribute": ["lb", "nothing", "deeper", 0]}`, none, `null`},
		{`{"get_attribute": ["SELF", "up"]}`, web1, `true`},
		{`{"get_attribute": ["SELF", "deep", "l", 1, "k"]}`, web1, `"v"`},
		{`{"get_attribute": ["SELF", "deep", "l", -1]}`, web1, `{"k": "v"}`},
		{`{"get_attribute": ["SELF", "deep", "l", 9]}`, web1, `null`},
		{`{"get_attribute": ["SELF", "deep", "l", "x"]}`, web1, "!FunctionEvaluationError"},
		{`{"get_attribute": ["SELF", "port"]}`, web1, `80`},
		{`{"get_attribute": ["SELF", "call"]}`, web1, `2`},
		{`{"get_attribute": ["SELF", "cfg", "a", 1]}`, web1, `2`},
		{`{"get_attribute": ["SELF", "loop"]}`, web1, "!EvaluationRecursionLimitReached"},
		{`{"get_attribute": ["SELF", "url"]}`, web1, `"http://1.1.1.1:80"`},
		{`{"get_attribute": ["SELF", "x"]}`, none, "!FunctionEvaluationError"},
		{`{"get_attribute": ["SOURCE", "up"]}`, edge, `true`},
		{`{"get_attribute": ["TARGET", "x"]}`, edge, `2`},
		{`{"get_attribute": ["SELF", "x"]}`, edge, "!FunctionEvaluationError"},
		{`{"get_attribute": ["none", "x"]}`, none, "!FunctionEvaluationError"},
		{`{"get_attribute": ["unknown", "x"]}`, none, "!FunctionEvaluationError"},
		{`{"get_attribute": [{"concat": ["l", "b"]}, "node_instance_id"]}`, none, `"lb_1"`},

		// which of several: by relationship, by group, or not at all
		{`{"get_attribute": ["db", "x"]}`, web1, `2`},
		{`{"get_attribute": ["vm", "ip"]}`, web1, `"1.1.1.1"`},
		{`{"get_attribute": ["vm", "mine"]}`, functions.Scope{Self: "web_1"}, `"1.1.1.1"`},
		{`{"get_attribute": ["db", "x"]}`, functions.Scope{Self: "web_2"}, "!FunctionEvaluationError"},
		{`{"get_attribute": ["db", "x"]}`, none, "!FunctionEvaluationError"},
		{`{"get_attribute": ["db", "x"]}`, functions.Scope{Self: "db_2"}, "!FunctionEvaluationError"},
		{`{"get_attribute": ["db", "x"]}`, functions.Scope{Self: "db_2", Node: "db"}, `2`},
		{`{"get_attribute": ["db", "x"]}`, outputs, `"<ERROR: Unable to evaluate get_attribute function: More than one node instance found for node \"db\". Cannot resolve a node instance unambiguously.>"`},
		{`{"get_attribute": ["none", "x"]}`, outputs, `"<ERROR: Unable to evaluate get_attribute function: Node none has no instances.>"`},
		{`{"get_attribute": ["cache", "x"]}`, functions.Scope{Self: "app_2"}, `"two"`},
		{`{"get_attribute": ["cache", "x"]}`, functions.Scope{Source: "app_1", Target: "lb_1"}, `"one"`},
		{`{"get_attribute": ["cache", "x"]}`, functions.Scope{Source: "lb_1", Target: "app_2"}, `"two"`},
		{`{"get_attribute": ["app", "node_instance_id"]}`, functions.Scope{Self: "cache_1"}, `"app_1"`},

		{`{"get_attributes_list": ["db", "x"]}`, none, `[1, 2]`},
		{`{"get_attributes_list": ["vm", "ip"]}`, none, `["1.1.1.1", "10.0.0.1"]`},
		{`{"get_attributes_list": ["vm", "mine"]}`, none, `["1.1.1.1", "10.0.0.1"]`},
		{`{"get_attributes_list": ["none", "x"]}`, none, `[]`},
		{`{"get_attributes_list": ["unknown", "x"]}`, none, "!KeyError"},
		{`{"get_attributes_list": ["SELF", "port"]}`, web1, `[80, 80]`},
		{`{"get_attributes_dict": ["web", "up", ["deep", "l", 0]]}`, none, `{"web_1": {"up": true, "deep.l.0": 1}, "web_2": {"up": null, "deep.l.0": null}}`},

		{`{"get_property": ["web", "port"]}`, none, `80`},
		{`{"get_property": ["SELF", "port"]}`, web1, `80`},
		{`{"get_property": ["SOURCE", "cfg", "a", 1]}`, edge, `2`},
		{`{"get_property": ["web", "cfg", "b"]}`, none, "!FunctionEvaluationError"},
		{`{"get_property": ["SELF", "port"]}`, none, "!ValueError"},
		{`{"get_input": "ref"}`, none, `2`},
		{`{"get_input": "unknown"}`, none, "!KeyError"},

		{`{"get_secret": "s"}`, none, `"text"`},
		{`{"get_secret": ["json", "k", 1]}`, none, `2.5`},
		{`{"get_secret": ["json", "x"]}`, none, "!FunctionEvaluationError"},
		{`{"get_secret": ["bad", "x"]}`, none, "!FunctionEvaluationError"},
		{`{"get_secret": "unknown"}`, none, "!KeyError"},
		{`{"get_secret": {"concat": ["s"]}}`, none, `"text"`},
		{`{"concat": ["<", {"get_secret": "s"}, {"get_attribute": ["lb", "nothing"]}, ">"]}`, none, `"<textNone>"`},
		{`{"string_upper": {"get_secret": "s"}}`, none, `"TEXT"`},
		{`{"get_capability": ["dep", "c", "list", -1]}`, none, `2`},
		{`{"get_capability": ["dep", "c", "list", 2]}`, none, "!FunctionEvaluationError"},
		{`{"get_capability": ["dep", "c", "x"]}`, none, "!FunctionEvaluationError"},
		{`{"get_capability": ["dep", "unknown"]}`, none, "!KeyError"},
		{`{"get_capability": [{"get_label": ["csys-obj-parent", 0]}, "e", "k"]}`, none, `"v"`},
		{`{"get_environment_capability": "e"}`, none, `{"k": "v"}`},
		{`{"get_environment_capability": ["e", "k"]}`, none, `"v"`},
		{`{"get_group_capability": ["grp", "c", "list"]}`, none, `[1, 2]`},
		{`{"get_group_capability": ["grp", ["c", "c"], "list", 0]}`, none, `[1, 1]`},
		{`{"get_group_capability": ["grp", "unknown"]}`, none, "!KeyError"},
		{`{"get_label": "colour"}`, none, `["red", "blue"]`},
		{`{"get_label": ["colour", "1"]}`, none, `"blue"`},
		{`{"get_label": ["colour", 2]}`, none, "!FunctionEvaluationError"},
		{`{"get_label": "unknown"}`, none, "!KeyError"},
		{`{"get_sys": ["deployment", "name"]}`, none, `"One"`},
		{`{"get_sys": ["deployment", "owner"]}`, none, "!KeyError"},
		{`{"get_sys": ["tenant", "name"]}`, none, `"T"`},
		{`{"get_sys": ["tenant", "id"]}`, none, "!UnknownSysPropertyError"},
		{`{"get_consumers": "ids"}`, none, `["a", "b"]`},
		{`{"get_consumers": "names"}`, none, `["Ay", "Bee"]`},
		{`{"get_consumers": "count"}`, none, `2`},
	} {
		t.Run(c.v, func(t *testing.T) {
			t.Parallel()
			payload := decode(t, c.v)
			got, err := functions.Evaluate(t.Context(), payload, c.scope, state(t))
			if kind, failing := strings.CutPrefix(c.want, "!"); failing {
				if l := problem.All(err); len(l) != 1 || string(l[0].Kind) != kind {
					t.Fatalf("got %v, %v; want %s", got, err, kind)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(decode(t, c.want), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(decode(t, c.v), payload); diff != "" {
				t.Errorf("the payload was changed:\n%s", diff)
			}
		})
	}
}

func TestEvaluateNode(t *testing.T) {
	t.Parallel()
	n := &plan.Node{Name: "web", ID: "web", Properties: decode(t, `{"id": {"get_attribute": ["SELF", "node_instance_id"]},
		"port": 81, "own": {"get_property": ["SELF", "port"]}}`).(map[string]any)}
	n.Capabilities.Scalable.Properties.Default = value.Any{V: decode(t, `{"get_input": "size"}`)}
	got, err := functions.EvaluateNode(t.Context(), n, functions.Scope{Self: "web_2"}, state(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(value.Map{"id": "web_2", "port": int64(81), "own": int64(81)}, got.Properties); diff != "" {
		t.Error(diff)
	}
	if got.Capabilities.Scalable.Properties.Default.V != int64(2) || !functions.Contains(n.Properties) {
		t.Errorf("got %+v from %+v", got.Capabilities, n.Properties)
	}
	if _, err := functions.EvaluateNode(t.Context(), n, functions.Scope{}, state(t)); err == nil {
		t.Error("SELF of a node with two instances was found without one being named")
	}
}

// A State that fails, or a context that has ended, ends the evaluation.
func TestEvaluateStops(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	_, err := functions.Evaluate(t.Context(), decode(t, `[{"get_input": "x"}]`), functions.Scope{Outputs: true}, failing{err: down})
	if !errors.Is(err, down) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = functions.Evaluate(ctx, decode(t, `{"get_input": "size"}`), functions.Scope{}, state(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

type failing struct {
	functions.State
	err error
}

func (f failing) Input(context.Context, string) (any, error) { return nil, f.err }

// Each question is asked once in an evaluation.
func TestEvaluateAsksOnce(t *testing.T) {
	t.Parallel()
	c := &counting{State: state(t)}
	if _, err := functions.Evaluate(t.Context(), decode(t, `[{"get_secret": "s"}, {"get_secret": "s"}]`), functions.Scope{}, c); err != nil {
		t.Fatal(err)
	}
	if c.asked != 1 {
		t.Errorf("the secret was asked for %d times", c.asked)
	}
}

type counting struct {
	functions.State
	asked int
}

func (c *counting) Secret(ctx context.Context, key string) (string, error) {
	c.asked++
	return c.State.Secret(ctx, key)
}

func TestCollectGroup(t *testing.T) {
	t.Parallel()
	group := map[string]map[string]any{
		"b": {"ip": "2", "cfg": map[string]any{"p": int64(2)}},
		"a": {"ip": "1"},
		"c": {"other": true},
	}
	for _, c := range []struct {
		names any
		steps []any
		want  string
	}{
		{"ip", nil, `["1", "2"]`},
		{"deployment_id:ip", nil, `{"a": "1", "b": "2"}`},
		{[]any{"ip", "cfg"}, nil, `[["1", null], ["2", {"p": 2}]]`},
		{"cfg", []any{"p"}, `[2]`},
		{"cfg", []any{"x"}, `[null]`},
		{"nothing", nil, `[]`},
		{"deployment_id:nothing", nil, `{}`},
	} {
		if diff := cmp.Diff(decode(t, c.want), functions.CollectGroup(group, c.names, c.steps)); diff != "" {
			t.Errorf("%v:\n%s", c.names, diff)
		}
	}
}

func FuzzEvaluate(f *testing.F) {
	for _, seed := range []string{
		`{"get_attribute": ["SELF", "deep", "l", 1, "k"]}`, `{"concat": [{"get_input": "ref"}, {"get_secret": ["json", "k"]}]}`,
		`{"merge": [{"a": 1}, {"get_capability": ["dep", "c"]}]}`, `{"get_attributes_dict": ["web", "up", ["deep", "l"]]}`,
		`[{"string_split": ["a-b", "-", {"get_input": "size"}]}]`, `{"get_label": ["colour", "1"]}`, `{"get_property": ["SELF", "url"]}`,
		`{"get_group_capability": ["grp", ["c"]]}`, `{"get_environment_capability": ["e", "k"]}`, `{"get_sys": ["tenant", "name"]}`,
		`{"string_replace": ["aa", "", "b", -1]}`, `{"get_input": [{"get_attribute": ["lb", "up"]}], "type": 5}`, `{"get_consumers": "ids"}`,
		`{"get_attributes_list": ["vm", "mine"]}`, `{"get_secret": []}`, `{"get_label": [null, null]}`, `[[[[{"get_input": "loop"}]]]]`,
	} {
		f.Add(seed, "web_1", false)
		f.Add(seed, "", true)
	}
	s := state(f)
	f.Fuzz(func(t *testing.T, text, self string, outputs bool) {
		payload, err := value.Decode([]byte(text))
		if err != nil {
			return
		}
		before := string(value.Encode(payload))
		got, err := functions.Evaluate(t.Context(), payload, functions.Scope{Self: self, Outputs: outputs}, s)
		if after := string(value.Encode(payload)); after != before {
			t.Fatalf("the payload was changed from %s to %s", before, after)
		}
		if err != nil {
			if problem.All(err) == nil {
				t.Fatalf("not a problem: %v", err)
			}
			return
		}
		// What is evaluated stays as it is: all functions were worked out.
		again, err := functions.Evaluate(t.Context(), got, functions.Scope{Self: self, Outputs: outputs}, s)
		if err == nil && !value.Equal(again, got) {
			t.Fatalf("%s gave %s, and that %s", text, value.Encode(got), value.Encode(again))
		}
		// The same, as a part of a plan that is checked and prepared.
		p := &plan.Plan{Body: plan.Body{Outputs: map[string]plan.Output{"o": {Value: value.Any{V: payload}}}}}
		functions.ValidatePlan(p, []int{1, 4})
		functions.Requirements(p)
		if b, err := functions.Prepare(&p.Body, map[string]any{"size": int64(2)}, false); err == nil {
			functions.Secrets(b)
			functions.Dependencies(b)
		}
	})
}
