package execution

import "testing"

func TestNamesFitPatterns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		patterns any
		want     bool
	}{
		{"capability2", nil, true},
		{"capability2", map[string]any{"starts_with": "cap", "ends_with": int64(2)}, true}, // YAML has numbers for some
		{"capability1", map[string]any{"starts_with": "cap", "ends_with": int64(2)}, false},
		{"capability1", map[string]any{"contains": []any{"x", "bili"}}, true},
		{"capability1", map[string]any{"contains": []any{"x", "q"}}, false},
		{"v1.5", map[string]any{"equals_to": "v1.5"}, true},
		{"v1.5", map[string]any{"unheard_of": "v1.5"}, false},
	} {
		if got := fits(tt.name, tt.patterns); got != tt.want {
			t.Errorf("%s fits %v: %t, want %t", tt.name, tt.patterns, got, tt.want)
		}
	}
}
