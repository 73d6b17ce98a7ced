package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint/plan"
	"windlass/internal/value"
)

func TestMissingCapabilities(t *testing.T) {
	t.Parallel()
	there := map[string]plan.Output{
		"net": {Value: value.Any{V: map[string]any{
			"cidrs": []any{"a", map[string]any{"size": int64(8)}},
			"name":  map[string]any{"get_attribute": []any{"node", "name"}},
		}}},
		"late": {Value: value.Any{V: map[string]any{"get_attribute": []any{"node", "all"}}}},
		"text": {Value: value.Any{V: "abc"}},
	}
	for path, want := range map[*[]any]bool{
		{"net"}:                                  true,
		{"net", "cidrs", int64(0)}:               true,
		{"net", "cidrs", int64(-1), "size"}:      true,
		{"net", "name", "x", int64(3)}:           true, // known when it is evaluated
		{"late", "anything"}:                     true,
		{map[string]any{"get_input": "which"}}:   true,
		{"none"}:                                 false,
		{"net", "cidrs", int64(2)}:               false,
		{"net", "cidrs", int64(-3)}:              false,
		{"net", "cidrs", "0"}:                    false,
		{"net", "gone"}:                          false,
		{"text", "abc"}:                          false,
		{"net", "cidrs", int64(0), "into", "it"}: false,
	} {
		missing := missingCapabilities([][]any{*path}, there)
		if got := len(missing) == 0; got != want {
			t.Errorf("%v: there is %t, want %t", *path, got, want)
		}
		if !want {
			if diff := cmp.Diff([][]any{*path}, missing); diff != "" {
				t.Error(diff)
			}
		}
	}
	if got := pathsText([][]any{{"a"}, {"b", int64(0), "c"}}); got != "a, b.0.c" {
		t.Errorf("told as %q", got)
	}
}
