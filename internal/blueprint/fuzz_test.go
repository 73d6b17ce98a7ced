package blueprint_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint"
	"windlass/internal/blueprint/imports"
	"windlass/internal/blueprint/problem"
)

// FuzzParse feeds anything to the parser: it gives a plan or problems with
// places, and the same ones again.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/problems/*.txtar", "testdata/plans/*.txtar"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			_, rest, _ := cutLine(string(text))
			for i := range rest {
				if len(rest[i:]) > 4 && rest[i:i+4] == "\n-- " {
					rest = rest[:i+1]
					break
				}
			}
			f.Add([]byte(rest))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) == 0 {
			return
		}
		opts := blueprint.Options{
			Confine: true,
			Imports: map[string]imports.Text{"self.yaml": {Text: text}},
			Resolver: imports.New(imports.Config{Web: &imports.Web{
				Transport: nowhere{}, Attempts: 1,
			}}),
		}
		first, err := outcome(text, opts)
		again, _ := outcome(text, opts)
		if diff := cmp.Diff(first, again); diff != "" {
			t.Fatalf("two runs differ: %s", diff)
		}
		for _, p := range problem.All(err) {
			if p.Message == "" || p.Kind == "" {
				t.Fatalf("an empty problem: %+v", p)
			}
		}
	})
}

func cutLine(s string) (line, rest string, ok bool) {
	for i := range s {
		if s[i] == '\n' {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

func outcome(text []byte, opts blueprint.Options) (string, error) {
	p, warnings, err := blueprint.Parse(context.Background(), blueprint.Source{Text: text}, opts)
	var result string
	if err == nil {
		data, encodeErr := json.Marshal(p)
		if encodeErr != nil {
			return "", encodeErr
		}
		result = string(data)
	}
	for _, w := range append(problem.All(err), warnings...) {
		result += w.Text()
	}
	return result, err
}

// FuzzImports merges anything with anything, with and without a namespace. What
// can be merged can be written and read again.
func FuzzImports(f *testing.F) {
	f.Add([]byte("node_types: {a: {}}\n"), []byte("node_types: {b: {derived_from: a}}\ninputs: {i: {}}\n"))
	f.Add([]byte("workflows: {a: b.c}\nplugins: {b: {executor: central_deployment_agent, install: false}}\n"),
		[]byte("workflows: {a: {mapping: b.d}}\nnode_templates: {n: {type: t, relationships: [{type: r, target: m}]}}\n"))
	f.Add([]byte("imports: [n--self.yaml]\nlabels: {a: {values: [b]}}\n"), []byte("imports: [other.yaml]\nlabels: {a: {values: [c]}}\n"))
	f.Add([]byte("builtin_entries: {node_types: [a]}\nnode_types: {a: &a {<<: {}}}\n"),
		[]byte("outputs: {o: {value: [{get_input: a}, {get_property: [SELF, x]}]}}\nnamespaces_mapping: {a: b}\n"))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		text := []byte("tosca_definitions_version: cloudify_dsl_1_5\nimports: [self.yaml, other.yaml, a--other.yaml, b--self.yaml]\n")
		opts := blueprint.Options{
			Confine: true,
			Imports: map[string]imports.Text{"self.yaml": {Text: one}, "other.yaml": {Text: two}},
			Resolver: imports.New(imports.Config{Web: &imports.Web{
				Transport: nowhere{}, Attempts: 1,
			}}),
		}
		if len(one) == 0 || len(two) == 0 {
			return
		}
		merged, _, err := blueprint.ParseImported(context.Background(), blueprint.Source{Text: text}, opts)
		if err != nil {
			return
		}
		_, _, err = blueprint.ParseImported(context.Background(), blueprint.Source{Text: merged}, blueprint.Options{Confine: true})
		if err != nil {
			t.Fatalf("%v\nmerged:\n%s", err, merged)
		}
	})
}
