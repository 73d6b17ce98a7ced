package preparation_test

import (
	"encoding/json"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/preparation"
	"windlass/internal/value"
)

func planOf(t testing.TB, inputs string) *plan.Plan {
	t.Helper()
	p := &plan.Plan{}
	text := `{"inputs": ` + inputs + `, "data_types": {
		"addr": {"properties": {"host": {"default": "localhost"}, "port": {"type": "integer", "default": 80}}},
		"user": {"properties": {"name": {"type": "string"}}}}}`
	if err := json.Unmarshal([]byte(text), p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestResolveInputs(t *testing.T) {
	t.Parallel()
	huge, _ := new(big.Int).SetString("123456789012345678901234567890", 10)
	for _, c := range []struct {
		inputs, given string
		correct       bool
		want          any
	}{
		{`{"a": {}}`, `{"a": [1]}`, false, []any{int64(1)}},
		{`{"a": {"default": 1}}`, `{}`, false, int64(1)},
		{`{"a": {"default": 1}}`, `{"a": null}`, false, nil},
		{`{"a": {"required": false}}`, `{}`, false, nil},
		{`{"a": {"required": false, "type": "integer", "constraints": [{"equal": 1}]}}`, `{}`, false, nil},
		{`{"a": {"default": null, "required": false}}`, `{}`, false, nil},
		{`{"a": {"type": "addr"}}`, `{}`, false, map[string]any{"host": "localhost", "port": int64(80)}},
		{`{"a": {"type": "addr", "default": {"port": 1}}}`, `{}`, false, map[string]any{"host": "localhost", "port": int64(1)}},
		{`{"a": {"type": "addr"}}`, `{"a": {"host": "h"}}`, false, map[string]any{"host": "h", "port": int64(80)}},
		{`{"a": {"default": {"get_input": "b"}}, "b": {"default": 1}}`, `{}`, false, map[string]any{"get_input": "b"}},
		{`{"a": {"type": "integer"}}`, `{"a": "3"}`, true, int64(3)},
		{`{"a": {"type": "integer"}}`, `{"a": " -1_000 "}`, true, int64(-1000)},
		{`{"a": {"type": "integer"}}`, `{"a": "123456789012345678901234567890"}`, true, huge},
		{`{"a": {"type": "float"}}`, `{"a": "2"}`, true, 2.0},
		{`{"a": {"type": "boolean"}}`, `{"a": "false"}`, true, false},
		{`{"a": {"type": "string"}}`, `{"a": "3"}`, true, "3"},
		{`{"a": {"type": "integer", "constraints": [{"less_than": {"get_input": "b"}}]}, "b": {"default": 5}}`, `{"a": 4}`, false, int64(4)},
	} {
		given := value.Map{}
		if err := json.Unmarshal([]byte(c.given), &given); err != nil {
			t.Fatal(err)
		}
		got, err := preparation.ResolveInputs(planOf(t, c.inputs), preparation.Options{Inputs: given, AutoCorrect: c.correct})
		if err != nil {
			t.Errorf("%s with %s: %v", c.inputs, c.given, err)
			continue
		}
		if !value.Equal(c.want, got["a"]) {
			t.Errorf("%s with %s: got %v, want %v", c.inputs, c.given, got["a"], c.want)
		}
		if again, _ := value.DecodeMap([]byte(c.given)); !value.Equal(again, map[string]any(given)) {
			t.Errorf("the inputs were changed: %v", given)
		}
	}
}

func TestInputProblems(t *testing.T) {
	t.Parallel()
	type found struct {
		Kind problem.Kind
		Code int
	}
	for _, c := range []struct {
		inputs, given string
		correct       bool
		want          []found
	}{
		{`{"a": {}, "b": {}, "c": {"default": 1}}`, `{"d": 1, "e": 2}`, false, []found{{problem.MissingRequiredInput, 0}, {problem.UnknownInput, 0}}},
		{`{"a": {"default": null}}`, `{}`, false, []found{{problem.MissingRequiredInput, 0}}},
		{`{"a": {"type": "user"}}`, `{}`, false, []found{{problem.MissingRequiredInput, 0}}},
		{`{"a": {"type": "integer"}}`, `{"a": "3"}`, false, []found{{problem.Parsing, 214}}},
		{`{"a": {"type": "integer"}}`, `{"a": "3.5"}`, true, []found{{problem.Parsing, 214}}},
		{`{"a": {"type": "integer"}}`, `{"a": "1__0"}`, true, []found{{problem.Parsing, 214}}},
		{`{"a": {"type": "float"}}`, `{"a": "nan"}`, true, []found{{problem.Parsing, 214}}},
		{`{"a": {"type": "boolean"}}`, `{"a": "True"}`, true, []found{{problem.Parsing, 214}}},
		{`{"a": {"type": "integer", "required": false}}`, `{"a": null}`, false, []found{{problem.Parsing, 214}}},
		{`{"a": {"type": "addr"}}`, `{"a": {"prt": 1}}`, false, []found{{problem.Parsing, 214}}},
		{`{"a": {"type": "user"}}`, `{"a": {}}`, false, []found{{problem.Parsing, 214}}},
		{`{"a": {"type": "list", "item_type": "integer"}}`, `{"a": ["x"]}`, false, []found{{problem.Logic, 105}}},
		{`{"a": {"type": "list", "item_type": "integer"}}`, `{"a": 5}`, false, []found{{problem.Parsing, 214}}},
		{`{"a": {"constraints": [{"equal": 1}]}, "b": {"constraints": [{"equal": 1}]}, "c": {}}`, `{"a": 2, "b": 3, "d": 4}`, false,
			[]found{{problem.Constraint, 0}, {problem.Constraint, 0}, {problem.MissingRequiredInput, 0}, {problem.UnknownInput, 0}}},
		{`{"a": {"constraints": [{"equal": 1}]}}`, `{"a": {"get_input": "a"}}`, false, []found{{problem.Parsing, 213}}},
		{`{"a": {"type": "blueprint_id"}}`, `{"a": "b"}`, false, []found{{problem.Constraint, 0}}},
	} {
		given := value.Map{}
		if err := json.Unmarshal([]byte(c.given), &given); err != nil {
			t.Fatal(err)
		}
		_, err := preparation.ResolveInputs(planOf(t, c.inputs), preparation.Options{Inputs: given, AutoCorrect: c.correct})
		var got []found
		for _, p := range problem.All(err) {
			f := found{Kind: p.Kind}
			if p.Code != nil {
				f.Code = *p.Code
			}
			got = append(got, f)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s with %s: -want +got:\n%s", c.inputs, c.given, diff)
		}
	}
}

func TestInputMessages(t *testing.T) {
	t.Parallel()
	_, err := preparation.ResolveInputs(planOf(t, `{"a": {}, "b": {"type": "integer"}}`), preparation.Options{Inputs: map[string]any{"b": "1", "c": 1}})
	var got []string
	for _, p := range problem.All(err) {
		got = append(got, p.Message)
	}
	want := []string{
		"Property type validation failed in 'b': the defined type is 'integer', yet it was assigned with the value '1'",
		"Required inputs ['a'] were not specified - expected inputs: ['a', 'b']",
		"Unknown inputs ['c'] specified - expected inputs: ['a', 'b']",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCheckInputs(t *testing.T) {
	t.Parallel()
	p := planOf(t, `{"a": {"type": "blueprint_id"}, "b": {"type": "integer"}}`)
	if err := preparation.CheckInputs(p, map[string]any{"a": "any", "b": int64(1)}); err != nil {
		t.Error(err)
	}
	if err := preparation.CheckInputs(p, map[string]any{"a": "any", "b": "1"}); len(problem.All(err)) != 1 {
		t.Errorf("got %v", err)
	}
}
