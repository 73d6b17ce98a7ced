package lsp

import (
	"os"
	"strings"
	"testing"

	"windlass/internal/blueprint"
	"windlass/internal/blueprint/yaml"
)

const example = "../../examples/webapp/"

// readExample gives the example with all of what it imports.
func readExample(tb testing.TB) (string, *model) {
	tb.Helper()
	text, err := os.ReadFile(example + "blueprint.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	found := blueprint.Look(tb.Context(), blueprint.Source{Path: example + "blueprint.yaml", Text: text}, blueprint.Options{})
	if found.Root == nil || found.Problems.Err() != nil {
		tb.Fatal(found.Problems)
	}
	return string(text), &model{layers: []*yaml.Node{found.Root}}
}

// Whatever an author has typed so far, there is an answer, and one without any
// function or name twice.
func TestEverywhere(t *testing.T) {
	t.Parallel()
	text, m := readExample(t)
	withSubject := 0
	for i := range text {
		start := text[:i]
		_, c := readLoosely(start)
		for _, rest := range []string{"", text[i:]} {
			tree, _ := readLoosely(start + rest)
			twice := map[string]bool{}
			for _, p := range complete(c, tree, m, "") {
				if twice[p.label] {
					t.Fatalf("%q is there twice after %q", p.label, start)
				}
				twice[p.label] = true
			}
			line := strings.Count(start, "\n")
			if _, ok := about(tree, m, line, i-strings.LastIndex(start, "\n")-1, nil); ok && rest != "" {
				withSubject++
			}
		}
	}
	if withSubject < 500 {
		t.Errorf("only %d of %d places are about something", withSubject, len(text))
	}
}

// FuzzComplete: no text is too strange for an answer.
func FuzzComplete(f *testing.F) {
	text, m := readExample(f)
	f.Add(text, 500)
	f.Add("node_templates: {a: {properties: {b: {get_property: [SELF, ", 60)
	f.Add("node_types:\n  a: {derived_from: a}\nnode_templates:\n  n: {type: a, interfaces: {i: {o: ", 80)
	f.Add("groups: {g: {policies: {p: {type: x, properties: {", 50)
	f.Add("deployment_settings: {default_schedules: {s: {workflow: install, workflow_parameters: {", 90)
	f.Add("data_types: {a: {properties: {x: {type: a}}}}\ninputs: {i: {type: a}}\noutputs: {o: {value: {get_input: [i, x, x, ", 100)
	f.Fuzz(func(t *testing.T, text string, at int) {
		if at < 0 || at > len(text) {
			return
		}
		_, c := readLoosely(text[:at])
		tree, _ := readLoosely(text)
		own := &model{layers: append([]*yaml.Node{tree.yaml(&yaml.File{Name: "f"})}, m.layers...)}
		complete(c, tree, own, "")
		about(tree, own, strings.Count(text[:at], "\n"), at-strings.LastIndex(text[:at], "\n")-1, nil)
	})
}
