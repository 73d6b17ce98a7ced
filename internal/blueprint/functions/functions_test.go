package functions_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint/functions"
	"windlass/internal/value"
)

// decode reads JSON that a test has written.
func decode(t testing.TB, text string) any {
	t.Helper()
	v, err := value.Decode([]byte(text))
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

func TestIs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{"get_input": "x"}`:                   true,
		`{"get_input": "x", "type": "string"}`: true,
		`{"get_input": null}`:                  true,
		`{"get_input": "x", "foo": 1}`:         false,
		`{"get_input": "x", "concat": []}`:     false,
		`{"type": "string"}`:                   false,
		`{"get_inputs": "x"}`:                  false,
		`{}`:                                   false,
		`["get_input"]`:                        false,
		`"get_input"`:                          false,
		`null`:                                 false,
	} {
		if got := functions.Is(decode(t, text)); got != want {
			t.Errorf("Is(%s) = %v", text, got)
		}
	}
}

func TestContains(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{"a": [1, {"b": {"get_input": "x"}}]}`:     true,
		`{"get_input": "x", "foo": {"concat": []}}`: true,
		`{"a": [1, {"b": {"get_inputs": "x"}}]}`:    false,
	} {
		if got := functions.Contains(decode(t, text)); got != want {
			t.Errorf("Contains(%s) = %v", text, got)
		}
	}
}

// What editors are told about each function must be there, and name what Is
// recognises.
func TestDefinitions(t *testing.T) {
	t.Parallel()
	var names []string
	for _, d := range functions.Definitions() {
		names = append(names, d.Name)
		if d.Summary == "" || len(d.Forms) == 0 || d.Argument == nil {
			t.Errorf("%s is not described: %+v", d.Name, d)
		}
		if !functions.Is(map[string]any{d.Name: nil}) {
			t.Errorf("%s is not recognised", d.Name)
		}
		if _, err := value.Of(d.Argument); err != nil {
			t.Errorf("%s: %v", d.Name, err)
		}
	}
	if diff := cmp.Diff(functions.Names(), names); diff != "" {
		t.Error(diff)
	}
	if len(names) != 19 || len(slices.Compact(slices.Sorted(slices.Values(names)))) != 19 {
		t.Errorf("%d functions: %v", len(names), names)
	}
}
