package jsonschema_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"windlass/internal/blueprint"
	"windlass/internal/blueprint/builtin"
	"windlass/internal/blueprint/jsonschema"
	"windlass/internal/blueprint/yaml"
	"windlass/internal/value"
)

var update = flag.Bool("update", false, "rewrite the schemas in testdata")

func TestGolden(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]jsonschema.Kind{"blueprint": jsonschema.Blueprint, "imported": jsonschema.Imported} {
		got, err := jsonschema.Write(kind)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name+".schema.json")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got; -update accepts)\n%s", file, diff)
		}
	}
}

func compiled(t *testing.T, kind jsonschema.Kind) *validator.Schema {
	t.Helper()
	text, err := jsonschema.Write(kind)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := validator.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource("blueprint.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("blueprint.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// check validates YAML as blueprints have it.
func check(t *testing.T, s *validator.Schema, text string) error {
	t.Helper()
	n, problems := yaml.Load(&yaml.File{Name: "blueprint.yaml", Text: []byte(text)})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	doc, err := validator.UnmarshalJSON(bytes.NewReader(value.Encode(n.Plain())))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

// Every document that the parser takes is valid.
func TestGoodDocuments(t *testing.T) {
	t.Parallel()
	main, imported := compiled(t, jsonschema.Blueprint), compiled(t, jsonschema.Imported)
	count := 0
	good := func(name, text string) {
		count++
		s := imported
		if strings.HasPrefix(text, "tosca_definitions_version") {
			s = main
		}
		if err := check(t, s, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, version := range []string{"1_3", "1_4", "1_5"} {
		name, text := builtin.Types(version)
		good(name, string(text))
	}
	for _, name := range glob(t, "../testdata/plans/*.txtar") {
		for file, text := range archived(t, name) {
			if strings.HasSuffix(file, ".yaml") {
				good(name+"/"+file, text)
			}
		}
	}
	examples := os.DirFS("../../../examples")
	err := walkYAML(examples, func(name, text string) { good(name, text) })
	if err != nil {
		t.Fatal(err)
	}
	if count < 10 {
		t.Errorf("only %d documents", count)
	}
}

// What the schema refuses, the parser refuses too.
func TestSchemaIsNoStricterThanTheParser(t *testing.T) {
	t.Parallel()
	main := compiled(t, jsonschema.Blueprint)
	refused := 0
	for _, name := range glob(t, "../testdata/problems/*.txtar") {
		text := archived(t, name)["blueprint.yaml"]
		n, problems := yaml.Load(&yaml.File{Name: name, Text: []byte(text)})
		if problems.Err() != nil || n == nil {
			continue
		}
		if check(t, main, text) == nil {
			continue
		}
		refused++
		_, _, err := blueprint.Parse(t.Context(), blueprint.Source{Text: []byte(text)}, blueprint.Options{Confine: true})
		if err == nil {
			t.Errorf("%s: only the schema refuses it: %v", name, check(t, main, text))
		}
	}
	if refused < 10 {
		t.Errorf("the schema refuses only %d of the documents with problems", refused)
	}
}

func TestBadDocuments(t *testing.T) {
	t.Parallel()
	s := compiled(t, jsonschema.Blueprint)
	const head = "tosca_definitions_version: cloudify_dsl_1_5\n"
	if err := check(t, s, head); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"version missing":         "inputs: {}",
		"version unknown":         "tosca_definitions_version: cloudify_dsl_1_9",
		"unknown section":         head + "node_type: {}",
		"template without type":   head + "node_templates: {a: {properties: {}}}",
		"template null":           head + "node_templates: {a: }",
		"section of another type": head + "inputs: []",
		"input key":               head + "inputs: {a: {typ: string}}",
		"executor":                head + "plugins: {p: {executor: somewhere}}",
		"import of two":           head + "imports: [{a: {}, b: {}}]",
		"operation number":        head + "node_types: {t: {interfaces: {i: {o: 5}}}}",
		"operator":                head + "inputs: {a: {constraints: [{in_rang: [1, 2]}]}}",
		"operator argument":       head + "inputs: {a: {constraints: [{in_range: [1]}]}}",
		"only a message":          head + "inputs: {a: {constraints: [{error_message: x}]}}",
		"function argument":       head + "outputs: {a: {value: {get_property: x}}}",
		"nested function":         head + "outputs: {a: {value: [{b: {concat: x}}]}}",
		"output without value":    head + "outputs: {a: {description: x}}",
		"group without members":   head + "groups: {a: {}}",
		"availability":            head + "workflows: {w: {mapping: a.b, availability_rules: {node_instances_active: [some]}}}",
		"retries":                 head + "node_types: {t: {interfaces: {i: {o: {max_retries: often}}}}}",
	} {
		if check(t, s, text) == nil {
			t.Errorf("%s is taken for valid", name)
		}
	}
}
