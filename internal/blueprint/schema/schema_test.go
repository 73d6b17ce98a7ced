package schema_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/schema"
	"windlass/internal/value"
)

func decode(t testing.TB, text string) any {
	t.Helper()
	v, err := value.Decode([]byte(text))
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

func schemas(t testing.TB, text string) map[string]plan.Schema {
	t.Helper()
	var s map[string]plan.Schema
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return s
}

func types(t testing.TB) map[string]plan.DataType {
	t.Helper()
	return map[string]plan.DataType{
		"port":    {Properties: schemas(t, `{"number": {"type": "integer"}, "protocol": {"type": "string", "default": "tcp"}}`)},
		"service": {Properties: schemas(t, `{"port": {"type": "port", "default": {"protocol": "tcp"}}, "name": {"required": false}}`)},
	}
}

func TestConform(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		schema, v, want string // want: the value, or the code and part of the message
	}{
		{`{}`, `{"any": [1]}`, `{"any": [1]}`},
		{`{"type": "integer"}`, `1`, `1`},
		{`{"type": "integer"}`, `"1"`, `105: 'in': property 'p' type is 'integer', yet it was assigned with the value '1'`},
		{`{"type": "integer"}`, `null`, `105: value 'None'`},
		{`{"type": "string"}`, `[1]`, `[1]`},
		{`{"type": "integer"}`, `{"get_input": "x"}`, `{"get_input": "x"}`},
		{`{"type": "integer"}`, `{"get_input": "x", "foo": 1}`, `105:`},
		{`{"type": "list", "item_type": "integer"}`, `[1, {"get_input": "x"}]`, `[1, {"get_input": "x"}]`},
		{`{"type": "list", "item_type": "integer"}`, `[1, "x"]`, `105: type is 'integer'`},
		{`{"type": "port"}`, `{"number": 1}`, `{"number": 1, "protocol": "tcp"}`},
		{`{"type": "port"}`, `{}`, `107: Value of input in is missing property p.number.`},
		{`{"type": "port"}`, `{"number": 1, "nr": 1}`, `106: Undefined property p.nr in value of input in.`},
		{`{"type": "port"}`, `{"number": "1"}`, `105: property 'p.number' type is 'integer'`},
		{`{"type": "port"}`, `1`, `105: 'port'`},
		{`{"type": "service"}`, `{"port": {"number": 2}}`, `{"port": {"number": 2, "protocol": "tcp"}}`},
		{`{"type": "service"}`, `{}`, `107: p.port.number`},
		{`{"type": "service"}`, `{"port": {"get_input": "x"}}`, `{"port": {"get_input": "x"}}`},
		{`{"type": "nothing"}`, `1`, `None: unknown type is 'nothing'`},
	} {
		t.Run(c.schema+c.v, func(t *testing.T) {
			t.Parallel()
			s := schemas(t, `{"p": `+c.schema+`}`)["p"]
			got, p := schema.Conform(decode(t, c.v), s, types(t), schema.Options{Name: "in", Path: "p"})
			if p == nil {
				if diff := cmp.Diff(decode(t, c.want), got); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				return
			}
			code, says, _ := strings.Cut(c.want, ":")
			if codeOf(p) != code || !strings.Contains(p.Message, strings.TrimSpace(says)) {
				t.Errorf("got %s %q, want %s", codeOf(p), p.Message, c.want)
			}
		})
	}
}

func codeOf(p *problem.Problem) string {
	if p.Code == nil {
		return "None"
	}
	return value.Text(int64(*p.Code))
}

func TestProperties(t *testing.T) {
	t.Parallel()
	s := schemas(t, `{"a": {"type": "integer"}, "b": {"default": 2}, "c": {"required": false}, "use_external_resource": {"default": false}}`)
	opts := schema.Options{Name: "web", Undefined: schema.UndefinedInNode, Missing: schema.MissingInNode}
	for _, c := range []struct {
		given string
		want  string   // the result
		codes []string // or the problems
	}{
		{`{"a": 1}`, `{"a": 1, "b": 2, "use_external_resource": false}`, nil},
		{`{"a": 1, "b": null, "c": 3}`, `{"a": 1, "b": null, "c": 3, "use_external_resource": false}`, nil},
		{`{"use_external_resource": true}`, `{"b": 2, "use_external_resource": true}`, nil},
		{`{"use_external_resource": {"get_input": "x"}}`, ``, []string{"219"}},
		{`{}`, ``, []string{"107 'web' node does not provide a value for mandatory 'a' property which is part of its type schema"}},
		{`{"d": 1, "e": 2, "a": "x"}`, ``, []string{
			"106 'web' node 'd' property is not part of the derived type properties schema", "106", "105",
		}},
	} {
		got, problems := schema.Properties(decode(t, c.given).(map[string]any), s, types(t), opts)
		if len(problems) != len(c.codes) {
			t.Errorf("%s: %d problems: %v", c.given, len(problems), problems)
			continue
		}
		for i, p := range problems {
			code, says, _ := strings.Cut(c.codes[i], " ")
			if codeOf(p) != code || !strings.Contains(p.Message, says) {
				t.Errorf("%s: got %s %s, want %s", c.given, codeOf(p), p.Message, c.codes[i])
			}
		}
		if c.want == "" {
			continue
		}
		if diff := cmp.Diff(decode(t, c.want), any(got)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", c.given, diff)
		}
	}
}

func TestInherit(t *testing.T) {
	t.Parallel()
	parent, problems := schema.Inherit(nil, schemas(t, `{"port": {"type": "port", "default": {"number": 1, "protocol": "udp"}},
		"old": {"default": 1}, "replaced": {"type": "string", "default": "x", "description": "d"}, "implied": {"type": "service"}}`), types(t), "parent")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if diff := cmp.Diff(decode(t, `{"port": {"protocol": "tcp"}}`), parent["implied"].Default.V); diff != "" {
		t.Errorf("implied default:\n%s", diff)
	}
	got, problems := schema.Inherit(parent, schemas(t, `{"port": {"type": "port", "default": {"number": 2}}, "replaced": {"type": "string"}, "own": {}}`),
		types(t), "child")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if diff := cmp.Diff(decode(t, `{"number": 2, "protocol": "udp"}`), got["port"].Default.V); diff != "" {
		t.Errorf("completed default:\n%s", diff)
	}
	if got["replaced"].HasDefault() || got["old"].Default.V != int64(1) || len(got) != 5 {
		t.Errorf("got %+v", got)
	}
	if _, problems = schema.Inherit(nil, schemas(t, `{"a": {"type": "integer", "default": "x"}, "b": {"type": "port", "default": {"z": 1}}}`),
		types(t), "bad"); len(problems) != 2 || codeOf(problems[0]) != "105" || codeOf(problems[1]) != "106" {
		t.Errorf("got %v", problems)
	}
}

func TestValidateConstraint(t *testing.T) {
	t.Parallel()
	for text, code := range map[string]string{
		`{"equal": 1}`: "", `{"equal": 1.5}`: "", `{"equal": true}`: "212", `{"equal": "1"}`: "212",
		`{"in_range": [1, 2]}`: "", `{"in_range": [1]}`: "212", `{"in_range": [1, "2"]}`: "212",
		`{"valid_values": []}`: "", `{"valid_values": {}}`: "212", `{"length": 3}`: "", `{"length": [3]}`: "212",
		`{"pattern": "a+"}`: "", `{"pattern": "("}`: "212", `{"pattern": 1}`: "212",
		`{"filter_id": "f"}`: "", `{"filter_id": 1}`: "212", `{"labels": []}`: "", `{"tenants": "t"}`: "212",
		`{"name_pattern": {"contains": "x"}}`: "", `{"name_pattern": []}`: "212", `{"deployment_id": "d"}`: "",
		`{"equal": {"get_input": "x"}}`: "", `{"equals": 1}`: "103", `{}`: "103", `{"error_message": "x"}`: "103",
		`{"max_length": 1, "error_message": "x"}`: "",
	} {
		p := schema.ValidateConstraint(decode(t, text).(map[string]any))
		if got := ""; p != nil {
			if got = codeOf(p); got != code {
				t.Errorf("%s: got %s, want %q", text, got, code)
			}
		} else if code != "" {
			t.Errorf("%s was accepted", text)
		}
	}
}

func TestCheckConstraints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ schema, v, says string }{
		{`{"constraints": [{"in_range": [1, 9]}]}`, `9`, ""},
		{`{"constraints": [{"in_range": [1, 9]}]}`, `10`, "Value 10 of input in violates constraint in_range(1, 9) operator."},
		{`{"constraints": [{"in_range": [1, 9]}]}`, `"x"`, "Value is not comparable, the Constraint argument type  is 'list' but value type is 'str'."},
		{`{"constraints": [{"in_range": [1, 9], "error_message": "One to nine!"}]}`, `0`, "Value 0 of input in is invalid. One to nine!"},
		{`{"constraints": [{"equal": 1}]}`, `1.0`, ""},
		{`{"constraints": [{"equal": 1}]}`, `true`, ""},
		{`{"constraints": [{"equal": 1}]}`, `"1"`, "violates constraint equal(1) operator"},
		{`{"constraints": [{"greater_than": 1}]}`, `1`, "violates"}, {`{"constraints": [{"greater_or_equal": 1}]}`, `1`, ""},
		{`{"constraints": [{"less_than": 1}]}`, `1`, "violates"}, {`{"constraints": [{"less_or_equal": 1.5}]}`, `1`, ""},
		{`{"constraints": [{"less_than": 1}]}`, `null`, "'int' but value type is 'NoneType'"},
		{`{"constraints": [{"less_than": 9007199254740993}]}`, `9007199254740992`, ""},
		{`{"constraints": [{"valid_values": ["a", [1]]}]}`, `[1.0]`, ""},
		{`{"constraints": [{"valid_values": ["a", 1]}]}`, `"b"`, "valid_values(a, 1) operator"},
		{`{"constraints": [{"length": 2}]}`, `"äö"`, ""}, {`{"constraints": [{"min_length": 2}]}`, `[1]`, "violates"},
		{`{"constraints": [{"max_length": 1}]}`, `{"a": 1}`, ""}, {`{"constraints": [{"length": 2}]}`, `12`, "length could not be computed. Value type is 'int'"},
		{`{"constraints": [{"pattern": "ab"}]}`, `"abc"`, ""}, {`{"constraints": [{"pattern": "b"}]}`, `"abc"`, "pattern(b) operator"},
		{`{"constraints": [{"pattern": "b"}]}`, `1`, "Value must be of type string, got type 'int'"},
		{`{"constraints": [{"equal": 1}, {"equal": 2}]}`, `1`, "equal(2)"},
		{`{"constraints": [{"equal": 1}]}`, `{"get_input": "x"}`, "cannot contain an intrinsic function and also have constraints"},
		{`{"constraints": []}`, `{"get_input": "x"}`, ""},
		{`{"type": "list", "item_type": "integer", "constraints": [{"less_than": 3}]}`, `[1, 2]`, ""},
		{`{"type": "list", "item_type": "integer", "constraints": [{"less_than": 3}]}`, `[1, 3]`, "Value 3 of input in"},
		{`{"type": "list", "item_type": "integer"}`, `["x"]`, "type is 'integer', yet it was assigned with the value 'x'"},
		{`{"type": "list", "constraints": [{"max_length": 1}]}`, `[1, 3]`, "max_length"},
		{`{"constraints": [{"filter_id": "f"}]}`, `"x"`, "'filter_id' constraint is not defined for '' data types"},

		{`{"type": "blueprint_id"}`, `"b1"`, ""},
		{`{"type": "blueprint_id"}`, `"b2"`, "Value 'b2' of 'in' is not a valid value for data type 'blueprint_id'."},
		{`{"type": "blueprint_id", "constraints": [{"name_pattern": {"starts_with": "b"}}, {"labels": []}]}`, `"b1"`, ""},
		{`{"type": "blueprint_id", "constraints": [{"name_pattern": {"starts_with": "x"}}]}`, `"b1"`, "does not match any relevant entity"},
		{`{"type": "blueprint_id", "constraints": [{"valid_values": ["b1"]}]}`, `"b1"`, ""},
		{`{"type": "blueprint_id", "constraints": [{"deployment_id": "d"}]}`, `"b1"`, "'deployment_id' constraint is not defined for 'blueprint_id' data types"},
		{`{"type": "node_id"}`, `"n"`, "lacks 'blueprint_id' or 'deployment_id' constraint"},
		{`{"type": "node_id", "constraints": [{"deployment_id": "d"}]}`, `"n"`, ""},
		{`{"type": "node_instance"}`, `"n_1"`, "lacks 'deployment_id' constraint"},
		{`{"type": "capability_value", "constraints": [{"deployment_id": "d"}]}`, `"n"`, "does not match"},
		{`{"type": "list", "item_type": "blueprint_id"}`, `["b1", "b2"]`, "'b2'"},
		{`{"type": "secret_key"}`, `"broken"`, "out of order"},
	} {
		t.Run(c.schema+c.v, func(t *testing.T) {
			t.Parallel()
			s := schemas(t, `{"p": `+c.schema+`}`)["p"]
			p := schema.CheckConstraints("in", decode(t, c.v), s, objects{})
			switch {
			case p == nil && c.says != "":
				t.Errorf("accepted, want %q", c.says)
			case p != nil && (c.says == "" || !strings.Contains(p.Message, c.says)):
				t.Errorf("got %q, want %q", p.Message, c.says)
			}
		})
	}
	if p := schema.CheckConstraints("in", "b1", schemas(t, `{"p": {"type": "blueprint_id"}}`)["p"], nil); p == nil || p.Kind != problem.Constraint {
		t.Errorf("without candidates: %v", p)
	}
}

// objects are candidates without a deployment or blueprint at hand.
type objects struct{}

func (objects) HasDeployment() bool { return false }
func (objects) HasBlueprint() bool  { return false }

func (objects) Values(typeName string, wanted any, query map[string]any) ([]any, error) {
	if wanted == "broken" {
		return nil, errors.New("out of order")
	}
	if specs, ok := query["id_specs"].(map[string]any); ok && specs["starts_with"] != "b" {
		return nil, nil
	}
	switch {
	case typeName == "blueprint_id":
		return []any{"b1", "other"}, nil
	case typeName == "node_id" && query["deployment_id"] == "d":
		return []any{"n"}, nil
	}
	return nil, nil
}
