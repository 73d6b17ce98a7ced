package blueprint_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"windlass/internal/blueprint"
	"windlass/internal/blueprint/problem"
)

// Equal sources give equal bytes.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	text := generated("tree", 60)
	var before []byte
	for range 5 {
		p, _, err := blueprint.Parse(t.Context(), blueprint.Source{Text: text}, blueprint.Options{})
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if before != nil && !bytes.Equal(before, data) {
			t.Fatal("two runs differ")
		}
		before = data
	}
}

const scripted = "imports: [cloudify/types/types.yaml]\nnode_templates:\n  n:\n    type: cloudify.nodes.Root\n" +
	"    interfaces: {life: {make: scripts/make.sh}}\n"

// Scripts count where they lie beside the blueprint or in an additional folder.
func TestScriptsAreLookedFor(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	write(t, filepath.Join(dir, "here", "scripts", "make.sh"), "#!/bin/sh")
	write(t, filepath.Join(other, "scripts", "make.sh"), "#!/bin/sh")
	if err := os.MkdirAll(filepath.Join(dir, "folder", "scripts", "make.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "linked", "scripts"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(other, "scripts", "make.sh"), filepath.Join(dir, "linked", "scripts", "make.sh")); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		path  string
		opts  blueprint.Options
		found bool
	}{
		"beside it":                {filepath.Join(dir, "here", "b.yaml"), blueprint.Options{}, true},
		"beside it, confined":      {filepath.Join(dir, "here", "b.yaml"), blueprint.Options{Confine: true}, true},
		"nowhere":                  {filepath.Join(dir, "b.yaml"), blueprint.Options{}, false},
		"no path":                  {"", blueprint.Options{}, false},
		"a folder":                 {filepath.Join(dir, "folder", "b.yaml"), blueprint.Options{}, false},
		"additional":               {filepath.Join(dir, "b.yaml"), blueprint.Options{AdditionalResources: []string{"file:" + other}}, true},
		"a link outside":           {filepath.Join(dir, "linked", "b.yaml"), blueprint.Options{}, true},
		"a link outside, confined": {filepath.Join(dir, "linked", "b.yaml"), blueprint.Options{Confine: true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _, err := blueprint.Parse(t.Context(), blueprint.Source{Path: tc.path, Text: []byte(head + scripted)}, tc.opts)
			switch {
			case !tc.found && code(err) != 10:
				t.Errorf("error %v, want code 10", err)
			case tc.found && err != nil:
				t.Error(err)
			case tc.found && p.Nodes[0].Operations["make"].Inputs["script_path"] != "scripts/make.sh":
				t.Errorf("operation %+v", p.Nodes[0].Operations["make"])
			}
		})
	}
}

// What is left out on request.
func TestChecksCanBeLeftOut(t *testing.T) {
	t.Parallel()
	const old = "tosca_definitions_version: cloudify_dsl_1_0\n"
	for name, tc := range map[string]struct {
		text string
		opts blueprint.Options
	}{
		"versions":  {old + "description: x\ndata_types: {}", blueprint.Options{NoVersionCheck: true}},
		"functions": {old + "outputs: {o: {value: {get_input: nothing}}}", blueprint.Options{NoFunctionCheck: true}},
		"defaults":  {old + "inputs: {i: {default: 5, constraints: [{less_than: 3}]}}", blueprint.Options{NoInputDefaultCheck: true}},
	} {
		if _, _, err := blueprint.Parse(t.Context(), blueprint.Source{Text: []byte(tc.text)}, blueprint.Options{}); err == nil {
			t.Errorf("%s: passes when checked", name)
		}
		if _, _, err := blueprint.Parse(t.Context(), blueprint.Source{Text: []byte(tc.text)}, tc.opts); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMainDocumentThatCannotBeRead(t *testing.T) {
	t.Parallel()
	_, _, err := blueprint.Parse(t.Context(), blueprint.Source{Path: filepath.Join(t.TempDir(), "none.yaml")}, blueprint.Options{})
	if p := problem.All(err).First(); p == nil || p.Kind != problem.FileNotFound {
		t.Errorf("error %v", err)
	}
}

func TestContextThatHasEnded(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := blueprint.Parse(ctx, blueprint.Source{Text: []byte(head + "imports: ['" + server.URL + "']")}, blueprint.Options{})
	if err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("error %v", err)
	}
}

// A mistake that is repeated ten thousand times costs no more than a plan, and
// its report has an end.
func TestManyProblems(t *testing.T) {
	t.Parallel()
	text := bytes.ReplaceAll(generated("star", 3000), []byte("cloudify.nodes.WebServer"), []byte("cloudify.nodes.WebSrver"))
	_, _, err := blueprint.Parse(t.Context(), blueprint.Source{Text: text}, blueprint.Options{})
	problems := problem.All(err)
	if len(problems) == 0 || len(problems) > 1000 || problems[0].Hint != "did you mean 'cloudify.nodes.WebServer'?" {
		t.Errorf("%d problems, the first with the hint %q", len(problems), problems[0].Hint)
	}
}
