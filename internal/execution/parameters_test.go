package execution

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint/plan"
	"windlass/internal/value"
)

func TestMerge(t *testing.T) {
	t.Parallel()
	typed := func(name string) plan.Schema { return plan.Schema{Type: &name} }
	withDefault := func(s plan.Schema, v any) plan.Schema { s.Default = &value.Any{V: v}; return s }
	no, item := false, "integer"
	optional := typed("string")
	optional.Required = &no
	ints := typed("list")
	ints.ItemType = &item
	declared := map[string]plan.Schema{
		"n": withDefault(typed("integer"), int64(1)), "f": withDefault(typed("float"), 1.5), "b": withDefault(typed("boolean"), nil),
		"s": optional, "l": withDefault(ints, []any{}), "must": {}, "custom": withDefault(typed("my.type"), map[string]any{}),
	}
	base := map[string]any{"n": int64(1), "f": 1.5, "b": nil, "l": []any{}, "must": "x", "custom": map[string]any{}}
	with := func(kv ...any) map[string]any {
		m := value.CopyMap(base)
		for i := 0; i < len(kv); i += 2 {
			m[kv[i].(string)] = kv[i+1]
		}
		return m
	}
	tests := []struct {
		name   string
		given  map[string]any
		custom bool
		want   map[string]any
		err    string
	}{
		{"defaults", map[string]any{"must": "x"}, false, base, ""},
		{"texts", map[string]any{"must": "x", "n": " 12", "f": "2", "b": "TRUE", "l": []any{"3", int64(4)}}, false,
			with("n", int64(12), "f", 2.0, "b", true, "l", []any{int64(3), int64(4)}), ""},
		{"whole float as integer", map[string]any{"must": "x", "n": 2.0}, false, with("n", int64(2)), ""},
		{"null for an optional one", map[string]any{"must": nil, "s": nil}, false, with("must", nil, "s", nil), ""},
		{"custom", map[string]any{"must": "x", "more": []any{"y"}}, true, with("more", []any{"y"}), ""},
		{"undeclared", map[string]any{"z": "x", "a": "y"}, false, nil, `Workflow "w" does not have the following parameters declared: a,z. ` +
			`Remove these parameters or use the flag for allowing custom parameters`},
		{"wrong types", map[string]any{"must": "x", "n": true, "f": "one", "s": int64(1), "l": []any{"a"}, "b": "yes"}, false, nil,
			"Parameter \"b\" must be of type boolean\nParameter \"f\" must be of type float\nParameter \"l\" must be of type list of integers\n" +
				"Parameter \"n\" must be of type integer\nParameter \"s\" must be of type string"},
		{"broken constraint", map[string]any{"must": "bad"}, false, nil, `Parameter "must" does not meet its constraints: it is bad`},
		{"missing", nil, false, nil, `Workflow "w" must be provided with the following parameters to execute: must`},
	}
	check := func(_ string, _ plan.Schema, v any) error {
		if v == "bad" {
			return errors.New("it is bad")
		}
		return nil
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := Declared{Workflow: "w", Parameters: declared}.Merge(tt.given, tt.custom, nil, check)
			if tt.err != "" {
				wantRefusal(t, err, CodeParameters, http.StatusBadRequest, tt.err)
				return
			}
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	}
	_, err := Declared{}.Merge(nil, false, func(map[string]any) (map[string]any, error) { return nil, errors.New("no such secret") }, nil)
	wantRefusal(t, err, CodeFunctions, http.StatusBadRequest, "no such secret")
}
