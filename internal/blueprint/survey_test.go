package blueprint_test

import (
	"testing"

	"windlass/internal/blueprint"
)

// One import that cannot be read does not hide what the others have.
func TestLookGoesOn(t *testing.T) {
	t.Parallel()
	s := blueprint.Look(t.Context(), blueprint.Source{Text: []byte(
		"imports: [nowhere.yaml, cloudify/types/types.yaml]\nnode_templates: {a: {typ: x}}\n")}, blueprint.Options{})
	if s.Root.Get("node_types").Get("cloudify.nodes.Root") == nil {
		t.Error("the built-in types are missing")
	}
	if len(s.Read) != 2 {
		t.Errorf("%d documents", len(s.Read))
	}
	codes := map[int]bool{}
	for _, p := range s.Problems {
		codes[*p.Code] = true
	}
	if !codes[13] || !codes[1] || len(s.Problems) != 3 {
		t.Errorf("got %v", s.Problems)
	}
}

func TestLookAtWhatIsNoBlueprint(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a: [", "- a\n- b\n", "text"} {
		s := blueprint.Look(t.Context(), blueprint.Source{Text: []byte(text)}, blueprint.Options{})
		if s.Root != nil || len(s.Problems) != 1 {
			t.Errorf("%q: %v", text, s.Problems)
		}
	}
}
