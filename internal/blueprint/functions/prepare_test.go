package functions_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

func inputs(t testing.TB) map[string]any {
	t.Helper()
	return decode(t, `{"size": 2, "text": "a-b", "d": {"k": {"l": 5}, "n": "k"}, "l": [1, "two", {"k": "v"}],
		"fn": {"get_property": ["SELF", "p"]}, "loop": {"get_input": "pool"}, "pool": {"get_input": "loop"}, "me": {"get_input": "me"},
		"part": {"merge": [{"a": {"get_input": "size"}}]}}`).(map[string]any)
}

// What comes of a value that stands as an output, or as the property p of the
// node web.
func TestPrepareValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ where, v, want string }{
		{"output", `{"get_input": "size"}`, `2`},
		{"output", `{"get_input": "size", "type": "integer"}`, `2`},
		{"output", `{"get_input": ["d", "k", "l"]}`, `5`},
		{"output", `{"get_input": ["l", 1]}`, `"two"`},
		{"output", `{"get_input": ["l", -1, "k"]}`, `"v"`},
		{"output", `{"get_input": ["d", {"get_input": ["d", "n"]}, "l"]}`, `5`},
		{"output", `{"get_input": {"concat": ["si", "ze"]}}`, `2`},
		{"output", `{"get_input": "me"}`, `{"get_input": "me"}`},
		{"output", `{"get_input": ["part", "a"]}`, `2`},
		{"output", `{"get_input": "size", "foo": 1}`, `{"get_input": "size", "foo": 1}`},
		{"property", `{"get_input": "size"}`, `2`},

		{"output", `{"get_property": ["db", "port"]}`, `5432`},
		{"output", `{"get_property": ["db", "deep", "list", 1, "k"]}`, `"v"`},
		{"output", `{"get_property": ["db", "of"]}`, `2`},
		{"output", `[{"get_property": ["db", "deep"]}, {"a": {"get_input": "size"}}]`, `[{"list": [1, {"k": "v"}]}, {"a": 2}]`},
		{"property", `{"get_property": ["SELF", "p"]}`, `{"get_property": ["SELF", "p"]}`},
		{"relationship", `{"concat": [{"get_property": ["TARGET", "port"]}, {"get_property": ["SOURCE", "p"]}]}`, `"5432None"`},
		{"scale", `{"get_input": "size"}`, `2`},
		{"policy", `{"get_input": "size"}`, `2`},
		{"group", `{"get_input": "size"}`, `2`},
		{"label", `{"get_input": "text"}`, `"a-b"`},
		{"setting", `{"concat": [{"get_input": "text"}, "!"]}`, `"a-b!"`},
		{"relationship property", `{"get_input": "size"}`, `{"get_input": "size"}`},

		{"output", `{"concat": []}`, `""`},
		{"output", `{"concat": ["a", 1, true, null, 2.0, [1, "x", false], {"k": null}]}`, `"a1TrueNone2.0[1, 'x', False]{'k': None}"`},
		{"output", `{"concat": ["a", {"get_attribute": ["db", "x"]}, {"get_input": "size"}]}`, `{"concat": ["a", {"get_attribute": ["db", "x"]}, 2]}`},
		{"output", `{"concat": [{"concat": ["a", {"get_input": "size"}]}, "b"]}`, `"a2b"`},
		{"output", `{"merge": [{"a": 1, "b": {"x": 1}}, {"b": {"y": 2}}, {"get_input": "d"}]}`, `{"a": 1, "b": {"y": 2}, "k": {"l": 5}, "n": "k"}`},
		{"output", `{"merge": [{"a": {"get_secret": "s"}}, {"b": 1}]}`, `{"a": {"get_secret": "s"}, "b": 1}`},
		{"output", `{"merge": [{"get_secret": "s"}, {"b": 1}]}`, `{"merge": [{"get_secret": "s"}, {"b": 1}]}`},
		{"output", `{"string_find": ["größe", "e"]}`, `4`},
		{"output", `{"string_find": ["abc", "x"]}`, `-1`},
		{"output", `{"string_replace": ["aaa", "a", "b"]}`, `"bbb"`},
		{"output", `{"string_replace": ["aaa", "a", "b", 2]}`, `"bba"`},
		{"output", `{"string_replace": ["ab", "", "-"]}`, `"-a-b-"`},
		{"output", `{"string_split": [{"get_input": "text"}, "-"]}`, `["a", "b"]`},
		{"output", `{"string_split": ["a-b", "-", 1]}`, `"b"`},
		{"output", `{"string_split": ["a-b", "-", -2]}`, `"a"`},
		{"output", `{"string_upper": {"string_lower": "aBc"}}`, `"ABC"`},
		{"output", `{"get_secret": {"concat": ["s", {"get_input": "size"}]}}`, `{"get_secret": "s2"}`},
		{"output", `{"get_capability": [{"get_input": "text"}, "c"]}`, `{"get_capability": ["a-b", "c"]}`},
		{"output", `{"get_sys": ["deployment", "id"]}`, `{"get_sys": ["deployment", "id"]}`},
	} {
		t.Run(c.where+" "+c.v, func(t *testing.T) {
			t.Parallel()
			p := planWith(t, c.where, c.v)
			before := value.Encode(mustOf(t, p))
			b, err := functions.Prepare(&p.Body, inputs(t), false)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(decode(t, c.want), standing(b, c.where)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if after := value.Encode(mustOf(t, p)); string(after) != string(before) {
				t.Errorf("the plan was changed:\n%s", cmp.Diff(string(before), string(after)))
			}
		})
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

// standing gives what stands where planWith put its value.
func standing(b *plan.Body, where string) any {
	web := b.Nodes[1]
	return map[string]any{
		"property":              web.Properties["p"],
		"operation":             web.Operations["create"].Inputs["q"],
		"relationship":          web.Relationships[0].SourceOperations["est"].Inputs["r"],
		"relationship property": web.Relationships[0].Properties["x"],
		"scale":                 web.Capabilities.Scalable.Properties.Default.V,
		"output":                b.Outputs["o"].Value.V,
		"capability":            b.Capabilities["c"].Value.V,
		"label":                 b.Labels["l"].Values[1],
		"setting":               b.DeploymentSettings["display_name"],
		"policy":                b.Policies["sc"].Properties.Default.V,
		"group":                 b.ScalingGroups["g"].Properties.Default.V,
	}[where]
}

func TestPrepareFailures(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 60) + `{"get_input": "size"}` + strings.Repeat("]", 60)
	for _, c := range []struct {
		where, v string
		want     problem.Kind
		says     string
	}{
		{"output", `{"get_input": "sise"}`, problem.UnknownInput, "sise"},
		{"output", `{"get_input": ["d", "x"]}`, problem.InputEvaluation, "Input attribute 'x' of 'd', doesn't exist"},
		{"output", `{"get_input": ["l", 7]}`, problem.InputEvaluation, "List size of 'l' is 3 but index 7 is retrieved"},
		{"output", `{"get_input": ["l", "x"]}`, problem.InputEvaluation, "expected to be an int but got str"},
		{"output", `{"get_input": ["size", "x"]}`, problem.FunctionEvaluation, "Object size has no attribute x"},
		{"output", `{"get_input": "size", "type": "string"}`, "", ""},
		{"output", `{"get_input": "text", "type": "integer"}`, problem.InputEvaluation, "does not match data type declared for 'outputs.o.value': 'integer'"},
		{"output", `{"get_input": "text", "type": "my.type"}`, problem.InputEvaluation, "my.type"},
		{"output", `{"get_input": {"get_secret": "s"}}`, problem.FunctionEvaluation, "unresolved argument"},
		{"output", `{"get_property": [{"get_secret": "s"}, "x"]}`, problem.FunctionEvaluation, "unresolved argument in path"},
		{"output", `{"get_property": ["nope", "x"]}`, problem.KeyMissing, "Node nope does not exist"},
		{"output", `{"get_property": ["db", "nope"]}`, problem.FunctionEvaluation, "db.properties.nope"},
		{"output", `{"merge": [{"get_input": "size"}]}`, problem.FunctionEvaluation, "non-dict"},
		{"output", `{"string_find": [{"get_secret": "s"}, "x"]}`, problem.FunctionEvaluation, "`haystack` should not be a function"},
		{"output", `{"string_lower": {"get_input": "size"}}`, problem.FunctionValidation, "exactly one parameter"},
		{"output", `{"string_split": ["a", "-", 3]}`, problem.FunctionEvaluation, "there are 1 parts"},
		{"output", `{"string_split": ["a", ""]}`, problem.BadValue, "empty separator"},
		{"output", `{"concat": 5}`, problem.BadValue, ""},
		{"output", deep, problem.EvaluationRecursion, "Limit was reached with the following path - outputs.o.value"},
		{"output", `{"get_input": "loop"}`, problem.EvaluationRecursion, "inputs.loop -> inputs.pool -> inputs.loop"},
		{"property", `{"get_input": "fn"}`, problem.EvaluationRecursion, "inputs.fn -> nodes.web.properties.p -> inputs.fn"},
		{"property", `{"k": {"get_property": ["SELF", "p"]}}`, problem.EvaluationRecursion, "nodes.web.properties.p -> nodes.web.properties.p"},
		{"property", `{"get_property": ["SELF", "p", "k"]}`, problem.EvaluationRecursion, ""},
		{"property", `{"get_input": {"get_property": ["web", "p"]}}`, problem.EvaluationRecursion, ".get_input."},
	} {
		t.Run(c.where+" "+c.v[:min(len(c.v), 60)], func(t *testing.T) {
			t.Parallel()
			_, err := functions.Prepare(&planWith(t, c.where, c.v).Body, inputs(t), false)
			kind, message := problem.Kind(""), ""
			if l := problem.All(err); len(l) > 0 {
				kind, message = l[0].Kind, l[0].Message
			}
			if kind != c.want || !strings.Contains(message, c.says) {
				t.Errorf("got %s %q, want %s with %q", kind, message, c.want, c.says)
			}
		})
	}
}

// nodesWith is a plan of nodes with these properties.
func nodesWith(t testing.TB, order []string, properties map[string]string) *plan.Body {
	t.Helper()
	b := &plan.Body{}
	for _, name := range order {
		b.Nodes = append(b.Nodes, &plan.Node{
			Name: name, ID: name, Properties: decode(t, properties[name]).(map[string]any),
		})
	}
	return b
}

func TestPrepareDoesNotDependOnTheOrderOfNodes(t *testing.T) {
	t.Parallel()
	properties := map[string]string{
		"a": `{"x": {"get_property": ["b", "y"]}, "own": {"get_property": ["b", "self"]}, "name": "a"}`,
		"b": `{"y": {"get_property": ["c", "z", "k"]}, "self": {"get_property": ["SELF", "name"]}, "name": "b"}`,
		"c": `{"z": {"get_input": "d"}, "late": {"get_property": ["SELF", "run", "k"]}, "run": {"get_attribute": ["SELF", "r"]}}`,
	}
	want := map[string]any{
		"a": decode(t, `{"x": {"l": 5}, "own": "b", "name": "a"}`),
		"b": decode(t, `{"y": {"l": 5}, "self": "b", "name": "b"}`),
		// What leads through a value of run time waits for run time.
		"c": decode(t, `{"z": {"k": {"l": 5}, "n": "k"}, "late": {"get_property": ["SELF", "run", "k"]}, "run": {"get_attribute": ["SELF", "r"]}}`),
	}
	for _, order := range [][]string{{"a", "b", "c"}, {"c", "b", "a"}, {"b", "a", "c"}} {
		b, err := functions.Prepare(nodesWith(t, order, properties), inputs(t), false)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range b.Nodes {
			if diff := cmp.Diff(want[n.Name], any(map[string]any(n.Properties))); diff != "" {
				t.Errorf("%v, node %s:\n%s", order, n.Name, diff)
			}
		}
	}
}

func TestPrepareNamesTheCircle(t *testing.T) {
	t.Parallel()
	b := nodesWith(t, []string{"a", "b"}, map[string]string{
		"a": `{"x": {"get_property": ["b", "y"]}}`,
		"b": `{"y": {"get_property": ["a", "x"]}}`,
	})
	_, err := functions.Prepare(b, nil, false)
	l := problem.All(err)
	if len(l) == 0 || l[0].Kind != problem.EvaluationRecursion {
		t.Fatalf("got %v", err)
	}
	want := []any{"nodes.b.properties.y", "nodes.a.properties.x", "nodes.b.properties.y"}
	if diff := cmp.Diff(want, l[0].Details["circular_dependency"]); diff != "" {
		t.Error(diff)
	}
}

// A reference to the other parts of the same property is no circle.
func TestPrepareReferenceIntoTheSameProperty(t *testing.T) {
	t.Parallel()
	b, err := functions.Prepare(nodesWith(t, []string{"a"}, map[string]string{
		"a": `{"x": {"k": 1, "l": {"get_property": ["SELF", "x", "k"]}}}`,
	}), nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(decode(t, `{"k": 1, "l": 1}`), b.Nodes[0].Properties["x"]); diff != "" {
		t.Error(diff)
	}
}

// A long chain of references is not deep, and each link is worked out once.
func TestPrepareLongChain(t *testing.T) {
	t.Parallel()
	properties := map[string]any{"p0": "end"}
	for i := 1; i < 2000; i++ {
		properties["p"+strconv.Itoa(i)] = map[string]any{"get_property": []any{"SELF", "p" + strconv.Itoa(i-1)}}
	}
	for i := 1; i < 24; i++ { // twice the one before: 2^24 references if each was followed anew
		before := map[string]any{"get_property": []any{"SELF", "q" + strconv.Itoa(i-1)}}
		properties["q"+strconv.Itoa(i)] = map[string]any{"string_replace": []any{before, before, "x"}}
	}
	properties["q0"] = "x"
	b, err := functions.Prepare(&plan.Body{Nodes: []*plan.Node{{Name: "a", ID: "a", Properties: properties}}}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Nodes[0].Properties["p1999"]; got != "end" {
		t.Errorf("got %v", got)
	}
}

func TestPrepareMarksOperations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v           string
		runtimeOnly bool
		marked      bool
		left        string
	}{
		{`{"get_input": "size"}`, false, false, `2`},
		{`{"get_input": "size"}`, true, true, `{"get_input": "size"}`},
		{`[{"k": {"get_attribute": ["web", "x"]}}]`, false, true, `[{"k": {"get_attribute": ["web", "x"]}}]`},
		{`{"concat": ["a", {"get_secret": "s"}]}`, false, true, `{"concat": ["a", {"get_secret": "s"}]}`},
		{`"plain"`, true, false, `"plain"`},
	} {
		for _, where := range []string{"operation", "relationship"} {
			b, err := functions.Prepare(&planWith(t, where, c.v).Body, inputs(t), c.runtimeOnly)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(decode(t, c.left), standing(b, where)); diff != "" {
				t.Errorf("%s in %s:\n%s", c.v, where, diff)
			}
			marks := map[string]bool{
				"operation":    b.Nodes[1].Operations["create"].HasIntrinsicFunctions,
				"relationship": b.Nodes[1].Relationships[0].SourceOperations["est"].HasIntrinsicFunctions,
			}
			for at, marked := range marks {
				if marked != (c.marked && at == where) {
					t.Errorf("%s in %s: %s marked: %v", c.v, where, at, marked)
				}
			}
		}
	}
}

func TestSecretsAndDependencies(t *testing.T) {
	t.Parallel()
	p := planWith(t, "operation", `{"a": {"get_secret": ["s", "k"]}, "b": {"get_secret": {"get_attribute": ["SELF", "x"]}},
		"c": {"get_capability": [{"get_capability": ["inner", "id"]}, "x"]}}`)
	p.Outputs["o"] = plan.Output{Value: value.Any{V: decode(t, `{"concat": [{"get_capability": ["dep", "x"]}, {"get_secret": "other"}]}`)}}
	p.Nodes[1].Relationships[0].SourceOperations["est"].Inputs["r"] = decode(t, `{"get_capability": ["rel", "x"]}`)
	if diff := cmp.Diff([]string{"other", "s"}, functions.Secrets(&p.Body)); diff != "" {
		t.Error(diff)
	}
	want := []functions.Dependency{
		{Identifier: "nodes.web.operations.create.inputs.q.c.get_capability[0].get_capability", Deployment: "inner", Node: "web"},
		{
			Identifier: "nodes.web.operations.create.inputs.q.c.get_capability",
			Deployment: decode(t, `{"get_capability": ["inner", "id"]}`), Node: "web",
		},
		{Identifier: "nodes.web.to.est.inputs.r.get_capability", Deployment: "rel", Node: "web", Target: "db", Relationship: "to"},
		{Identifier: "outputs.o.value.concat[0].get_capability", Deployment: "dep"},
	}
	if diff := cmp.Diff(want, functions.Dependencies(&p.Body)); diff != "" {
		t.Error(diff)
	}
}
