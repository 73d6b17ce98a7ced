package functions_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
)

// planWith is a plan in which the word VALUE stands at one place.
func planWith(t testing.TB, where, v string) *plan.Plan {
	t.Helper()
	at := map[string]string{
		"property": "null", "operation": "null", "relationship": "null", "output": "null", "capability": "null",
		"label": "null", "setting": "null", "policy": "0", "group": "0", "relationship property": "null", "scale": "1",
	}
	if _, ok := at[where]; !ok {
		t.Fatalf("no place %s", where)
	}
	at[where] = v
	text := `{
	 "version": {"raw": "cloudify_dsl_1_4", "definitions_name": "cloudify_dsl", "definitions_version": [1, 4]},
	 "inputs": {"size": {"default": 2}},
	 "nodes": [
	  {"name": "db", "id": "db", "properties": {"port": 5432, "deep": {"list": [1, {"k": "v"}]}, "of": {"get_input": "size"}}},
	  {"name": "web", "id": "web", "properties": {"p": ` + at["property"] + `},
	   "capabilities": {"scalable": {"properties": {"default_instances": ` + at["scale"] + `}}},
	   "operations": {"create": {"inputs": {"q": ` + at["operation"] + `}}},
	   "relationships": [{"type": "to", "target_id": "db", "properties": {"x": ` + at["relationship property"] + `},
	     "source_operations": {"est": {"inputs": {"r": ` + at["relationship"] + `}}}}]}],
	 "outputs": {"o": {"value": ` + at["output"] + `}},
	 "capabilities": {"c": {"value": ` + at["capability"] + `}},
	 "labels": {"l": {"values": ["x", ` + at["label"] + `]}},
	 "policies": {"sc": {"properties": {"default_instances": ` + at["policy"] + `}}},
	 "scaling_groups": {"g": {"properties": {"default_instances": ` + at["group"] + `}}},
	 "deployment_settings": {"display_name": ` + at["setting"] + `}}`
	p := &plan.Plan{}
	if err := json.Unmarshal([]byte(text), p); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return p
}

func TestValidatePlan(t *testing.T) {
	t.Parallel()
	const fine = problem.Kind("")
	for _, c := range []struct {
		where, v string
		want     problem.Kind
		says     string // part of the message
	}{
		{"property", `{"get_input": "size"}`, fine, ""},
		{"property", `{"get_input": "sise"}`, problem.UnknownInput, "unknown input 'sise'"},
		{"property", `{"get_input": ["size", 0, "k"]}`, fine, ""},
		{"property", `{"get_input": {"get_input": "size"}}`, fine, ""},
		{"property", `{"get_input": [{"get_input": "sise"}]}`, problem.UnknownInput, "sise"},
		{"property", `{"get_input": []}`, problem.BadValue, "Illegal argument(s)"},
		{"property", `{"get_input": [1.5]}`, problem.BadValue, ""},
		{"property", `{"get_input": {"a": 1}}`, problem.BadValue, ""},
		{"property", `{"get_input": "sise", "foo": 1}`, fine, ""},

		{"property", `{"get_property": ["SELF", "p"]}`, fine, ""},
		{"property", `{"get_property": ["db", "port"]}`, fine, ""},
		{"property", `{"get_property": ["db", "deep", "list", 1, "k"]}`, fine, ""},
		{"property", `{"get_property": ["db", "of", "part"]}`, fine, ""},
		{"property", `{"get_property": ["db", "deep", "list", -1, "k"]}`, fine, ""},
		{"property", `{"get_property": ["db", "deep", "list", 2]}`, problem.FunctionEvaluation, "index is out of range. Got 2 but list size is 2"},
		{"property", `{"get_property": ["db", "deep", "list", "k"]}`, problem.FunctionEvaluation, "is expected k to be an int but it is a str"},
		{"property", `{"get_property": ["db", "prt"]}`, problem.FunctionEvaluation, "'db.properties.prt' referenced from 'nodes.web.properties.p' doesn't exist"},
		{"property", `{"get_property": ["bd", "port"]}`, problem.KeyMissing, "Node bd does not exist"},
		{"property", `{"get_property": ["db"]}`, problem.BadValue, ""},
		{"property", `{"get_property": "db"}`, problem.BadValue, ""},
		{"property", `{"get_property": ["SOURCE", "port"]}`, problem.BadValue, "can only be used within a relationship"},
		{"property", `{"get_property": [{"get_input": "size"}, "x"]}`, fine, ""},
		{"operation", `{"get_property": ["SELF", "p"]}`, fine, ""},
		{"scale", `{"get_property": ["SELF", "p"]}`, fine, ""},
		{"relationship", `{"get_property": ["SOURCE", "p"]}`, fine, ""},
		{"relationship", `{"get_property": ["TARGET", "port"]}`, fine, ""},
		{"relationship", `{"get_property": ["TARGET", "p"]}`, problem.FunctionEvaluation, "db.properties.p"},
		{"relationship", `{"get_property": ["SELF", "p"]}`, problem.BadValue, "context of node template"},
		{"output", `{"get_property": ["SELF", "p"]}`, problem.BadValue, "appears in outputs"},
		{"capability", `{"get_property": ["SELF", "p"]}`, problem.BadValue, "appears in capabilities"},
		{"setting", `{"get_property": ["SELF", "p"]}`, problem.BadValue, "deployment_settings"},

		{"property", `{"get_attribute": ["SELF", "x"]}`, fine, ""},
		{"property", `{"get_attribute": ["TARGET", "x"]}`, problem.BadValue, "TARGET cannot be used with get_attribute function in nodes.web.properties.p"},
		{"relationship", `{"get_attribute": ["TARGET", "x"]}`, fine, ""},
		{"relationship", `{"get_attribute": ["SELF", "x"]}`, problem.BadValue, ""},
		{"output", `{"get_attribute": ["db", "x"]}`, fine, ""},
		{"output", `{"get_attribute": ["bd", "x"]}`, problem.KeyMissing, "get_attribute function node reference 'bd' does not exist"},
		{"output", `{"get_attribute": ["SELF", "x"]}`, problem.BadValue, ""},
		{"capability", `{"get_attribute": ["SELF", "x"]}`, problem.KeyMissing, "SELF"},
		{"label", `{"get_attribute": ["SOURCE", "x"]}`, problem.KeyMissing, ""},
		{"output", `{"get_attribute": ["db"]}`, problem.BadValue, ""},
		{"output", `{"get_attributes_list": ["db", "x", 0]}`, fine, ""},
		{"output", `{"get_attributes_list": ["bd", "x"]}`, problem.KeyMissing, ""},
		{"output", `{"get_attributes_dict": ["db", "x", ["y", "z"]]}`, fine, ""},
		{"output", `{"get_attributes_dict": ["db", "y.z", ["y", "z"]]}`, problem.FunctionEvaluation, "duplicated or ambiguous attribute paths found: y.z"},
		{"output", `{"get_attributes_dict": ["db", {"x": 1}]}`, problem.BadValue, ""},
		{"output", `{"get_attributes_dict": "db"}`, problem.BadValue, ""},

		{"property", `{"get_secret": "s"}`, fine, ""},
		{"property", `{"get_secret": ["s", "k"]}`, fine, ""},
		{"property", `{"get_secret": ["s"]}`, problem.FunctionValidation, ""},
		{"property", `{"get_secret": 5}`, problem.FunctionValidation, ""},
		{"property", `{"get_capability": ["d", "c", 0]}`, fine, ""},
		{"property", `{"get_capability": ["d"]}`, problem.BadValue, "2 elements at least"},
		{"property", `{"get_capability": "d"}`, problem.BadValue, "should be a list"},
		{"property", `{"get_capability": ["d", ["c"]]}`, problem.BadValue, "complex values"},
		{"property", `{"get_group_capability": ["d", ["c", "e"]]}`, fine, ""},
		{"property", `{"get_group_capability": ["d", "c", ["e"]]}`, problem.BadValue, ""},
		{"property", `{"get_environment_capability": "c"}`, fine, ""},
		{"property", `{"get_environment_capability": ["c", 1]}`, fine, ""},
		{"property", `{"get_environment_capability": ["c"]}`, problem.FunctionValidation, ""},
		{"property", `{"get_environment_capability": {"get_input": "size"}}`, problem.FunctionValidation, ""},
		{"property", `{"get_environment_capability": ["c", [1]]}`, problem.BadValue, ""},
		{"property", `{"get_label": "k"}`, fine, ""},
		{"property", `{"get_label": ["k", "1"]}`, fine, ""},
		{"property", `{"get_label": ["k", "one"]}`, problem.FunctionValidation, ""},
		{"property", `{"get_label": ["k"]}`, problem.FunctionValidation, ""},
		{"property", `{"get_label": [1, 1]}`, problem.FunctionValidation, ""},
		{"property", `{"get_sys": ["deployment", "owner"]}`, fine, ""},
		{"property", `{"get_sys": ["manager", "name"]}`, problem.UnknownSysEntity, ""},
		{"property", `{"get_sys": ["tenant", "id"]}`, problem.UnknownSysProperty, ""},
		{"property", `{"get_sys": "tenant"}`, problem.BadValue, ""},
		{"property", `{"get_consumers": "ids"}`, fine, ""},
		{"property", `{"get_consumers": "all"}`, problem.BadValue, ""},

		{"property", `{"concat": ["a", 1, null]}`, fine, ""},
		{"property", `{"concat": "a"}`, problem.BadValue, ""},
		{"property", `{"concat": [{"get_input": "sise"}]}`, problem.UnknownInput, ""},
		{"property", `{"merge": [{"a": 1}, {"get_input": "size"}]}`, fine, ""},
		{"property", `{"merge": [{"a": 1}, 2]}`, problem.FunctionValidation, "non-dict"},
		{"property", `{"string_find": ["a", "b"]}`, fine, ""},
		{"property", `{"string_find": ["a"]}`, problem.FunctionValidation, "exactly two"},
		{"property", `{"string_find": ["a", 1]}`, problem.FunctionValidation, "needle"},
		{"property", `{"string_replace": ["a", "b", "c", 1]}`, fine, ""},
		{"property", `{"string_replace": ["a", "b", "c", "d"]}`, problem.FunctionValidation, "count"},
		{"property", `{"string_split": ["a", "b", {"get_input": "size"}]}`, fine, ""},
		{"property", `{"string_split": ["a", "b", "c"]}`, problem.FunctionValidation, "index"},
		{"property", `{"string_split": ["a", "b", 0, 0]}`, problem.FunctionValidation, ""},
		{"property", `{"string_lower": "A"}`, fine, ""},
		{"property", `{"string_upper": 1}`, problem.FunctionValidation, ""},
		{"property", `{"string_upper": {"a": 1}}`, problem.FunctionValidation, ""},

		{"policy", `{"get_input": "sise"}`, problem.UnknownInput, ""},
		{"group", `{"get_input": "sise"}`, problem.UnknownInput, ""},
		{"label", `{"get_input": "sise"}`, problem.UnknownInput, ""},
		{"setting", `{"concat": [{"get_input": "sise"}]}`, problem.UnknownInput, ""},
		{"relationship property", `{"get_input": "sise"}`, fine, ""},
	} {
		t.Run(c.where+" "+c.v, func(t *testing.T) {
			t.Parallel()
			found := functions.ValidatePlan(planWith(t, c.where, c.v), nil)
			kind, message := problem.Kind(""), ""
			if p := found.First(); p != nil {
				kind, message = p.Kind, p.Message
			}
			if kind != c.want || !strings.Contains(message, c.says) {
				t.Errorf("got %s %q, want %s with %q", kind, message, c.want, c.says)
			}
		})
	}
}

func TestValidatePlanVersions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v       string
		version []int
		refused bool
	}{
		{`{"concat": []}`, []int{1, 0}, true},
		{`{"concat": []}`, []int{1, 1}, false},
		{`{"merge": []}`, []int{1, 2}, true},
		{`{"merge": []}`, []int{1, 3}, false},
		{`{"merge": []}`, nil, false}, // the plan's own is 1_4
	} {
		found := functions.ValidatePlan(planWith(t, "output", c.v), c.version)
		if got := found.First() != nil && found.First().Kind == problem.FunctionValidation; got != c.refused {
			t.Errorf("%s in %v: %v", c.v, c.version, found)
		}
	}
}

// All that is wrong is reported at once, each with its path.
func TestValidatePlanReportsAll(t *testing.T) {
	t.Parallel()
	p := planWith(t, "output", `{"concat": [{"get_input": "a"}, {"k": {"get_secret": 1}}, {"get_input": "size"}]}`)
	p.Nodes[1].Properties["p"] = map[string]any{"get_input": "b"}
	var got []string
	for _, found := range functions.ValidatePlan(p, nil) {
		got = append(got, found.Place.Path+" "+string(found.Kind))
	}
	want := []string{
		"nodes.web.properties.p UnknownInputError",
		"outputs.o.value.concat[0] UnknownInputError",
		"outputs.o.value.concat[1].k FunctionValidationError",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestHintNamesTheNearest(t *testing.T) {
	t.Parallel()
	found := functions.ValidatePlan(planWith(t, "output", `{"get_property": ["db", "prt"]}`), nil)
	if p := found.First(); p == nil || p.Hint != "did you mean port?" {
		t.Errorf("got %+v", p)
	}
}

func TestRequirements(t *testing.T) {
	t.Parallel()
	p := planWith(t, "output", `[{"get_secret": "a"}, {"get_secret": ["b", "k", 0]}, {"get_secret": {"get_input": "size"}},
		{"get_environment_capability": "c"}, {"concat": [{"get_environment_capability": ["d", 1]}]}, {"get_secret": 5}]`)
	want := plan.Requirements{
		ParentCapabilities: [][]any{{"c"}, {"d", int64(1)}},
		Secrets:            []any{"a", []any{"b", "k", int64(0)}, map[string]any{"get_input": "size"}},
	}
	if diff := cmp.Diff(want, functions.Requirements(p)); diff != "" {
		t.Error(diff)
	}
}
