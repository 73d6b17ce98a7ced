package lsp_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint"
	"windlass/internal/blueprint/imports"
	"windlass/internal/lsp"
)

const types = `node_types:
  own.nodes.Base:
    derived_from: cloudify.nodes.Root
    properties:
      size: {type: integer, default: 3, description: How many.}
      place: {type: own.data.Place}
      open: {type: boolean, default: true}
    interfaces:
      own.interfaces.tools:
        sharpen:
          implementation: tools.sharpen
          inputs:
            angle: {type: integer, default: 30, description: In degrees.}
        store: {}
  own.nodes.Tool:
    derived_from: own.nodes.Base
    properties:
      color: {default: red}
    runtime_properties:
      worn: {type: integer}
data_types:
  own.data.Place:
    properties:
      shelf: {type: string, description: Which shelf.}
      floor: {type: integer, default: 0}
relationships:
  own.relationships.beside:
    derived_from: cloudify.relationships.connected_to
    properties: {distance: {type: integer, default: 1}}
    source_interfaces:
      own.interfaces.near:
        measure: {implementation: tools.measure, inputs: {unit: {default: m}}}
plugins:
  tools: {executor: central_deployment_agent, package_name: tools-plugin, package_version: '1.0'}
`

const top = `tosca_definitions_version: cloudify_dsl_1_5
imports:
  - cloudify/types/types.yaml
  - types.yaml
inputs:
  count: {type: integer, default: 1, description: The number of tools.}
  where: {type: own.data.Place, default: {shelf: a}}
node_templates:
  hammer:
    type: own.nodes.Tool
    properties: {size: {get_input: count}, place: {get_input: where}}
`

func TestLifeCycle(t *testing.T) {
	t.Parallel()
	c := start(t, lsp.Options{Version: "1.2"}, nil)
	if m := c.request("textDocument/hover", nil); m["error"].(map[string]any)["code"].(float64) != -32002 {
		t.Errorf("before initialize: %v", m)
	}
	result := c.call("initialize", map[string]any{"capabilities": map[string]any{
		"general": map[string]any{"positionEncodings": []string{"utf-16", "utf-8"}}}}).(map[string]any)
	capabilities := result["capabilities"].(map[string]any)
	if capabilities["positionEncoding"] != "utf-8" || result["serverInfo"].(map[string]any)["version"] != "1.2" {
		t.Errorf("got %v", result)
	}
	if m := c.request("initialize", map[string]any{}); m["error"] == nil {
		t.Error("initialize twice")
	}
	if m := c.request("workspace/symbol", nil); m["error"].(map[string]any)["code"].(float64) != -32601 {
		t.Errorf("unknown method: %v", m)
	}
	if m := c.request("textDocument/hover", map[string]any{"textDocument": map[string]any{"uri": "file:///no"}}); m["error"] == nil {
		t.Error("hover in a document that is not open")
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = fmt.Fprint(c.in, "Content-Length: 8\r\n\r\n{no json")
	}()
	if m := c.read(); m["error"].(map[string]any)["code"].(float64) != -32700 || m["id"] != nil {
		t.Errorf("no JSON: %v", m)
	}
	<-written
	if err := c.close(); err != nil {
		t.Error(err)
	}
}

func TestWaysToEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(c *client){
		"exit without shutdown": func(c *client) { c.tell("exit", nil) },
		"end of input":          func(c *client) { _ = c.in.Close() },
		"no message":            func(c *client) { _, _ = io.WriteString(c.in, "hello\r\n\r\n") },
	} {
		c := dial(t, lsp.Options{}, nil)
		go end(c)
		if err := <-c.done; err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	in, _ := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- lsp.Serve(ctx, in, io.Discard, lsp.Options{}) }()
	cancel()
	if err := <-done; err == nil {
		t.Error("no error though the context ended")
	}
}

// A read that nothing interrupts does not keep the server from ending.
func TestEndDuringARead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		in, release := io.Pipe()
		done := make(chan error, 1)
		go func() { done <- lsp.Serve(ctx, struct{ io.Reader }{in}, io.Discard, lsp.Options{}) }()
		synctest.Wait()
		cancel()
		if err := <-done; err == nil {
			t.Error("no error though the context ended")
		}
		_ = release.Close()
	})
}

func TestDiagnostics(t *testing.T) {
	t.Parallel()
	c := dial(t, lsp.Options{}, map[string]string{"types.yaml": types})
	c.open("blueprint.yaml", top+"  saw: {type: own.nodes.Tol}\noutputs: {o: {valu: 1}}\n")
	want := []string{
		"11:14-27 1 Could not locate node type",
		"12:10-11 1 'value' key is required",
		"12:14-18 1 'valu' is not in schema",
	}
	got := c.diagnostics("blueprint.yaml", 1)
	for i, w := range want {
		if i >= len(got) || !strings.HasPrefix(got[i], w) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	if !strings.HasSuffix(got[0], "did you mean 'own.nodes.Tool'?") {
		t.Errorf("no hint: %q", got[0])
	}
	c.replace("blueprint.yaml", 2, top+"  saw: [\n")
	if got := c.diagnostics("blueprint.yaml", 2); len(got) != 1 || !strings.Contains(got[0], "Illegal yaml") {
		t.Errorf("got %q", got)
	}
	c.replace("blueprint.yaml", 3, top)
	if got := c.diagnostics("blueprint.yaml", 3); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	c.tell("textDocument/didChange", map[string]any{
		"textDocument": map[string]any{"uri": c.uri("blueprint.yaml"), "version": 4},
		"contentChanges": []any{
			map[string]any{"text": "unused", "range": map[string]any{
				"start": map[string]any{"line": 5, "character": 2}, "end": map[string]any{"line": 5, "character": 7}}},
			map[string]any{"text": "where", "range": map[string]any{
				"start": map[string]any{"line": 10, "character": 35}, "end": map[string]any{"line": 10, "character": 40}}},
		},
	})
	if diff := cmp.Diff([]string{"5:2-8 2 the input unused is not used\nremove it, or use it: { get_input: unused }"},
		c.diagnostics("blueprint.yaml", 4)); diff != "" {
		t.Error(diff)
	}
	c.tell("textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": c.uri("blueprint.yaml")}})
	if got := c.diagnostics("blueprint.yaml", 0); len(got) != 0 {
		t.Errorf("after closing: %q", got)
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}

// What is wrong in an imported file is shown in that file, whether it is open
// or not; its text in the editor counts, not the one on the disk.
func TestDiagnosticsOfImports(t *testing.T) {
	t.Parallel()
	c := dial(t, lsp.Options{}, map[string]string{"types.yaml": strings.Replace(types, "derived_from: own.nodes.Base", "derived_from: own.nodes.Bas", 1)})
	c.open("blueprint.yaml", top)
	if got := c.diagnostics("types.yaml", 0); len(got) != 1 || !strings.HasPrefix(got[0], "15:18-31 1 Missing definition") {
		t.Errorf("got %q", got)
	}
	c.open("types.yaml", types)
	if got := c.diagnostics("types.yaml", 1); len(got) != 0 {
		t.Errorf("the buffer does not count: %q", got)
	}
	c.replace("types.yaml", 2, strings.Replace(types, "type: own.data.Place", "type: own.data.Plac", 1))
	if got := c.diagnostics("types.yaml", 2); len(got) != 1 || !strings.Contains(got[0], "own.data.Plac") {
		t.Errorf("got %q", got)
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}

func TestDiagnosticsOfADocumentAlone(t *testing.T) {
	t.Parallel()
	c := dial(t, lsp.Options{}, nil)
	c.open("types.yaml", types)
	if got := c.diagnostics("types.yaml", 1); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	c.replace("types.yaml", 2, types+"node_type: {}\nimports: [nowhere.yaml]\n")
	if got := c.diagnostics("types.yaml", 2); len(got) != 2 {
		t.Errorf("got %q", got)
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	const saw = top + "  saw:\n    type: own.nodes.Tool\n"
	for name, tc := range map[string]struct {
		text    string
		want    []string
		without []string
	}{
		"section":               {top + "out|", []string{"outputs", "groups"}, []string{"inputs"}},
		"key of a template":     {saw + "    |", []string{"properties", "relationships"}, []string{"type"}},
		"node type":             {top + "  saw: {type: |}", []string{"own.nodes.Tool", "cloudify.nodes.Compute"}, []string{"own.data.Place"}},
		"property":              {saw + "    properties:\n      |", []string{"color", "size", "place", "open"}, []string{"worn"}},
		"property in braces":    {saw + "    properties: {color: x, |", []string{"size", "place"}, []string{"color"}},
		"property of data type": {saw + "    properties:\n      place:\n        |", []string{"shelf", "floor", "get_input"}, []string{"size"}},
		"value of a boolean":    {saw + "    properties:\n      open: |", []string{"true", "false", "get_input"}, nil},
		"function":              {saw + "    properties:\n      size: { get_|", []string{"get_input", "get_property"}, nil},
		"input":                 {saw + "    properties:\n      size: { get_input: |", []string{"count", "where"}, nil},
		"input in a list":       {saw + "    properties: {size: {get_input: [where, |", []string{"shelf", "floor"}, []string{"where"}},
		"node of a function":    {saw + "    properties:\n      size: { get_property: [ |", []string{"SELF", "hammer"}, []string{"saw"}},
		"property of self":      {saw + "    properties:\n      size: { get_property: [ SELF, |", []string{"color", "size"}, []string{"worn"}},
		"attribute":             {top + "outputs:\n  o:\n    value: { get_attribute: [ hammer, | ] }", []string{"color", "worn"}, nil},
		"nested attribute":      {top + "outputs:\n  o:\n    value: { get_attribute: [ hammer, place, |", []string{"shelf"}, []string{"color"}},
		"interface":             {saw + "    interfaces:\n      |", []string{"own.interfaces.tools", "cloudify.interfaces.lifecycle"}, nil},
		"operation":             {saw + "    interfaces:\n      own.interfaces.tools:\n        |", []string{"sharpen", "store"}, nil},
		"operation key":         {saw + "    interfaces:\n      own.interfaces.tools:\n        sharpen:\n          |", []string{"implementation", "executor"}, nil},
		"operation input":       {saw + "    interfaces:\n      own.interfaces.tools:\n        sharpen:\n          inputs:\n            |", []string{"angle"}, nil},
		"implementation":        {saw + "    interfaces:\n      own.interfaces.tools:\n        store: |", []string{"tools", "tools.sharpen", "scripts/run.sh"}, nil},
		"executor":              {saw + "    interfaces: {i: {o: {executor: |", []string{"host_agent"}, nil},
		"relationship key":      {saw + "    relationships:\n      - |", []string{"type", "target"}, nil},
		"relationship type":     {saw + "    relationships:\n      - type: own|", []string{"own.relationships.beside"}, nil},
		"target":                {saw + "    relationships:\n      - type: own.relationships.beside\n        target: |", []string{"hammer"}, []string{"saw"}},
		"target's property": {saw + "    relationships:\n      - type: own.relationships.beside\n        target: hammer\n" +
			"        source_interfaces:\n          own.interfaces.near:\n            measure:\n              inputs:\n" +
			"                unit: { get_property: [ TARGET, |", []string{"color"}, nil},
		"relationship's interface": {saw + "    relationships:\n      - type: own.relationships.beside\n        target: hammer\n" +
			"        source_interfaces:\n          |", []string{"own.interfaces.near"}, nil},
		"input's type":   {top + "outputs:\n  a: {value: 1}\ninputs:\n  b:\n    type: |", []string{"integer", "own.data.Place"}, nil},
		"constraint":     {top + "workflows:\n  w:\n    mapping: tools.x\n    parameters:\n      p:\n        constraints:\n          - in|", []string{"in_range"}, nil},
		"import":         {"tosca_definitions_version: cloudify_dsl_1_5\nimports:\n  - |", []string{"types.yaml", "cloudify/types/types.yaml", "plugin:"}, nil},
		"version":        {"tosca_definitions_version: |", []string{"cloudify_dsl_1_5"}, nil},
		"broken before":  {strings.Replace(top, "{type: integer", "{{type: [integer", 1) + "  saw: {type: |", []string{"own.nodes.Tool"}, nil},
		"new and broken": {top + "  saw: {type: [\n  axe: {type: own.nodes.Tool, relationships: [{target: |", []string{"hammer", "saw"}, nil},
		"comment":        {top + "# |", nil, []string{"inputs"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, lsp.Options{}, map[string]string{"types.yaml": types, "scripts/run.sh": "", ".hidden/x.sh": ""})
			c.open("blueprint.yaml", top) // what was there before the document broke
			c.at("hover", "blueprint.yaml", "|"+top)
			labels := c.labels("blueprint.yaml", tc.text)
			for _, w := range tc.want {
				if !slices.Contains(labels, w) {
					t.Errorf("%s is missing in %v", w, labels)
				}
			}
			for _, w := range tc.without {
				if slices.Contains(labels, w) {
					t.Errorf("%s should not be in %v", w, labels)
				}
			}
			if err := c.close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A completion replaces the whole word, also what is behind the cursor.
func TestEdits(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, label, want string }{
		"key":             {top + "out|", "outputs", "13:0-3 outputs:"},
		"key with colon":  {top + "outp|s: {}", "outputs", "13:0-5 outputs"},
		"key with value":  {top + "descr|", "description", "13:0-5 description: "},
		"after colon":     {top + "  saw:\n    type:|", "own.nodes.Tool", "14:9-9  own.nodes.Tool"},
		"value":           {top + "  saw:\n    type: own.n|odes.X # x", "own.nodes.Tool", "14:10-21 own.nodes.Tool"},
		"function":        {top + "outputs: {o: {value: |}}", "get_property", "13:21-21 { get_property: [ $0 ] }"},
		"function's name": {top + "outputs: {o: {value: {get|}}}", "get_input", "13:22-25 get_input: $0"},
	} {
		c := dial(t, lsp.Options{}, map[string]string{"types.yaml": types})
		result := c.at("completion", "blueprint.yaml", strings.Replace(tc.text, top, top+"# x\n# y\n", 1)).(map[string]any)
		found := "nothing"
		for _, item := range result["items"].([]any) {
			item := item.(map[string]any)
			if item["label"] == tc.label {
				edit := item["textEdit"].(map[string]any)
				r := edit["range"].(map[string]any)
				s, e := r["start"].(map[string]any), r["end"].(map[string]any)
				found = fmt.Sprintf("%v:%v-%v %v", s["line"], s["character"], e["character"], edit["newText"])
			}
		}
		if found != tc.want {
			t.Errorf("%s: got %q, want %q", name, found, tc.want)
		}
		if err := c.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestHover(t *testing.T) {
	t.Parallel()
	c := dial(t, lsp.Options{}, map[string]string{"types.yaml": types})
	c.open("blueprint.yaml", top)
	for text, want := range map[string][]string{
		strings.Replace(top, "own.nodes.Tool", "own.nod|es.Tool", 1):              {"own.nodes.Tool", "own.nodes.Base", "How many.", "color"},
		strings.Replace(top, "{get_input: count", "{get_input: cou|nt", 1):        {"input", "The number of tools."},
		strings.Replace(top, "{size:", "{si|ze:", 1):                              {"integer", "own.nodes.Base", "How many."},
		strings.Replace(top, "get_input: count", "get_in|put: count", 1):          {"{ get_input:"},
		strings.Replace(top, "node_temp", "node_|temp", 1):                        {"The nodes."},
		top + "outputs: {o: {value: {get_attribute: [ham|mer, worn]}}}":           {"node template", "own.nodes.Tool"},
		top + "outputs: {o: {value: {get_attribute: [hammer, wo|rn]}}}":           {"worn", "integer"},
		top + "outputs: {o: {value: {get_attribute: [hammer, place, shel|f]}}}":   {"Which shelf."},
		top + "    interfaces: {own.interfaces.tools: {sharp|en: {}}}":            {"tools.sharpen", "In degrees."},
		top + "    interfaces: {own.interfaces.tools: {sharpen: tools.shar|pen}}": {"tools-plugin"},
	} {
		result, ok := c.at("hover", "blueprint.yaml", text).(map[string]any)
		if !ok {
			t.Errorf("nothing, want %v", want)
			continue
		}
		shown := result["contents"].(map[string]any)["value"].(string)
		for _, w := range want {
			if !strings.Contains(shown, w) {
				t.Errorf("%q is missing in %q", w, shown)
			}
		}
	}
	if got := c.at("hover", "blueprint.yaml", top+"# com|ment"); got != nil {
		t.Errorf("a comment: %v", got)
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}

func TestDefinition(t *testing.T) {
	t.Parallel()
	bundled := t.TempDir()
	c := dial(t, lsp.Options{Bundled: bundled}, map[string]string{"types.yaml": types, "run.sh": ""})
	for text, want := range map[string]string{
		strings.Replace(top, "type: own.nodes.Tool", "type: own.nod|es.Tool", 1):         "types.yaml:14:2-16",
		strings.Replace(top, "{get_input: count", "{get_input: cou|nt", 1):               "blueprint.yaml:5:2-7",
		strings.Replace(top, "{size:", "{si|ze:", 1):                                     "types.yaml:4:6-10",
		strings.Replace(top, "- types.yaml", "- typ|es.yaml", 1):                         "types.yaml:0:0-0",
		top + "outputs: {o: {value: {get_attribute: [ham|mer, worn]}}}":                  "blueprint.yaml:8:2-8",
		top + "outputs: {o: {value: {get_property: [hammer, place, shel|f]}}}":           "types.yaml:23:6-11",
		top + "    interfaces: {own.interfaces.tools: {sharp|en: {}}}":                   "types.yaml:9:8-15",
		top + "    interfaces: {own.interf|aces.tools: {sharpen: {}}}":                   "types.yaml:8:6-26",
		top + "    interfaces: {own.interfaces.tools: {sharpen: run|.sh}}":               "run.sh:0:0-0",
		top + "    interfaces: {own.interfaces.tools: {sharpen: too|ls.x}}":              "types.yaml:33:2-7",
		top + "    relationships: [{type: own.relationships.bes|ide, target: saw}]":      "types.yaml:26:2-26",
		top + "    relationships: [{type: own.relationships.beside, target: ham|mer}, {": "blueprint.yaml:8:2-8",
		strings.Replace(top, "type: own.data.Place", "type: own.data.P|lace", 1):         "types.yaml:21:2-16",
	} {
		result, ok := c.at("definition", "blueprint.yaml", text).(map[string]any)
		if !ok {
			t.Errorf("nothing, want %s", want)
			continue
		}
		r := result["range"].(map[string]any)
		s, e := r["start"].(map[string]any), r["end"].(map[string]any)
		got := fmt.Sprintf("%s:%v:%v-%v", strings.TrimPrefix(result["uri"].(string), c.uri("")+"/"), s["line"], s["character"], e["character"])
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	got := c.at("definition", "blueprint.yaml", top+"  saw: {type: cloudify.nodes.Com|pute}").(map[string]any)
	if !strings.HasPrefix(got["uri"].(string), "file://"+filepath.ToSlash(bundled)) {
		t.Errorf("a built-in type: %v", got)
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}

// A part is completed with what the blueprint that imports it has.
func TestCompletionInAPart(t *testing.T) {
	t.Parallel()
	c := dial(t, lsp.Options{}, map[string]string{"types.yaml": types, "more.yaml": ""})
	c.open("more.yaml", "inputs: {}\n")
	c.open("blueprint.yaml", strings.Replace(top, "  - types.yaml\n", "  - types.yaml\n  - more.yaml\n", 1))
	c.diagnostics("blueprint.yaml", 1)
	labels := c.labels("more.yaml", "node_templates: {saw: {type: |")
	if !slices.Contains(labels, "own.nodes.Tool") {
		t.Errorf("got %v", labels)
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}

// The blueprint that imports a part is found beside or above it, and tells what
// is wrong in the part though only the part is open.
func TestPartWithoutItsBlueprintOpen(t *testing.T) {
	t.Parallel()
	c := dial(t, lsp.Options{}, map[string]string{
		"blueprint.yaml": strings.Replace(top, "- types.yaml", "- lib/types.yaml", 1), "lib/types.yaml": types,
		"unrelated.yaml": "tosca_definitions_version: cloudify_dsl_1_5\nnode_types: 5\ndescription: not about types.yaml\n",
	})
	c.open("lib/types.yaml", types)
	if got := c.diagnostics("lib/types.yaml", 1); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	c.replace("lib/types.yaml", 2, strings.Replace(types, "size: {type: integer", "size: {type: boolean", 1))
	if got := c.diagnostics("lib/types.yaml", 2); len(got) != 1 || !strings.Contains(got[0], "boolean") {
		t.Errorf("got %q", got)
	}
	labels := c.labels("lib/types.yaml", types+"outputs: {o: {value: {get_input: |")
	if !slices.Contains(labels, "count") {
		t.Errorf("the inputs of the blueprint are missing in %v", labels)
	}
	c.tell("textDocument/didClose", map[string]any{"textDocument": map[string]any{"uri": c.uri("lib/types.yaml")}})
	if got := c.diagnostics("lib/types.yaml", 0); len(got) != 0 {
		t.Errorf("after closing: %q", got)
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}

// Of a quick succession of changes the last counts; a request that was cancelled
// is answered as such.
func TestOnlyTheLastChangeIsChecked(t *testing.T) {
	t.Parallel()
	c := dial(t, lsp.Options{Delay: 20 * time.Millisecond}, map[string]string{"types.yaml": types})
	c.open("blueprint.yaml", top)
	for version := 2; version < 30; version++ {
		c.replace("blueprint.yaml", version, top+fmt.Sprintf("  saw: {type: own.nodes.T%d}\n", version))
	}
	if got := c.diagnostics("blueprint.yaml", 29); len(got) != 1 || !strings.Contains(got[0], "own.nodes.T29") {
		t.Errorf("got %q", got)
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}

// A check that waits for a server ends when the text changes, and at the end.
func TestChecksAreCancelled(t *testing.T) {
	t.Parallel()
	asked, released := make(chan struct{}, 8), make(chan struct{}, 8)
	c := dial(t, lsp.Options{Blueprint: blueprint.Options{Resolver: endless{asked, released}}}, nil)
	const slow = "tosca_definitions_version: cloudify_dsl_1_5\nimports: ['http://example.com/slow.yaml']\n"
	c.open("blueprint.yaml", slow)
	<-asked
	c.replace("blueprint.yaml", 2, slow+"inputs: {}\n")
	<-released
	<-asked
	c.replace("blueprint.yaml", 3, "tosca_definitions_version: cloudify_dsl_1_5\n")
	<-released
	if got := c.diagnostics("blueprint.yaml", 3); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	c.replace("blueprint.yaml", 4, slow)
	<-asked
	if err := c.close(); err != nil {
		t.Error(err)
	}
	<-released
}

// endless is a resolver whose server never answers.
type endless struct{ asked, released chan struct{} }

func (e endless) Fetch(ctx context.Context, _, _ string) (*imports.Document, error) {
	e.asked <- struct{}{}
	<-ctx.Done()
	e.released <- struct{}{}
	return nil, ctx.Err()
}

// A file that changes on the disk makes a difference to those that import it.
func TestFilesThatChangeOutside(t *testing.T) {
	t.Parallel()
	c := start(t, lsp.Options{}, map[string]string{"types.yaml": types})
	c.call("initialize", map[string]any{"capabilities": map[string]any{
		"workspace": map[string]any{"didChangeWatchedFiles": map[string]any{"dynamicRegistration": true}}}})
	c.tell("initialized", map[string]any{})
	m := c.read()
	if m["method"] != "client/registerCapability" || m["id"] != "watch" {
		t.Fatalf("got %v", m)
	}
	c.write(map[string]any{"id": "watch", "result": nil})
	c.open("blueprint.yaml", top)
	if got := c.diagnostics("blueprint.yaml", 1); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	changed := strings.Replace(types, "own.nodes.Tool:", "own.nodes.Device:", 1)
	if err := os.WriteFile(filepath.Join(c.dir, "types.yaml"), []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	c.tell("workspace/didChangeWatchedFiles", map[string]any{"changes": []any{}})
	if got := c.diagnostics("blueprint.yaml", 1); len(got) != 1 || !strings.Contains(got[0], "own.nodes.Tool") {
		t.Errorf("got %q", got)
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}
