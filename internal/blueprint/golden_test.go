package blueprint_test

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata from what is found")

// TestProblems parses every file of testdata/problems: a blueprint with what it
// imports, and below what is to be found wrong with it.
func TestProblems(t *testing.T) {
	t.Parallel()
	eachArchive(t, "testdata/problems", func(t *testing.T, files *bundle, dir string) {
		_, warnings, err := parseIn(t, files, dir)
		var b strings.Builder
		for _, p := range append(problem.All(err), warnings...) {
			b.WriteString(strings.ReplaceAll(p.Text(), dir+"/", ""))
		}
		expect(t, files, "problems", b.String())
	})
}

// TestPlans parses every file of testdata/plans: a blueprint with what it
// imports, and below the plan that it becomes.
func TestPlans(t *testing.T) {
	t.Parallel()
	eachArchive(t, "testdata/plans", func(t *testing.T, files *bundle, dir string) {
		p, _, err := parseIn(t, files, dir)
		if err != nil {
			t.Fatal(err)
		}
		v, err := value.Of(p)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.MarshalIndent(condensed(v), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		expect(t, files, "plan.json", string(data)+"\n")
	})
}

// condensed leaves out what only repeats the built-in types: operations that do
// nothing, built-in workflows and relationship types, fields that are null.
func condensed(v any) any {
	switch t := v.(type) {
	case []any:
		for i := range t {
			t[i] = condensed(t[i])
		}
	case map[string]any:
		for k, e := range t {
			m, _ := e.(map[string]any)
			switch {
			case e == nil,
				m["implementation"] == "" && len(m["inputs"].(map[string]any)) == 0,
				m["plugin"] == "" && m["operation"] == "",
				m["plugin"] == "default_workflows",
				strings.HasPrefix(k, "cloudify.relationships.") && m["type_hierarchy"] != nil,
				strings.HasPrefix(k, "cloudify.datatypes."), strings.HasPrefix(k, "cloudify.policies."):
				delete(t, k)
				continue
			}
			t[k] = condensed(e)
			if m != nil && len(m) == 0 && (strings.HasPrefix(k, "cloudify.interfaces.") || k == "source_interfaces" || k == "target_interfaces") {
				delete(t, k)
			}
		}
	}
	return v
}

func eachArchive(t *testing.T, dir string, run func(t *testing.T, files *bundle, dir string)) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			files := readBundle(t, name)
			run(t, files, t.TempDir())
		})
	}
}

func parseIn(t *testing.T, files *bundle, dir string) (*plan.Plan, problem.List, error) {
	t.Helper()
	for _, f := range files.files[:len(files.files)-1] {
		file := filepath.Join(dir, f.name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(f.text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return blueprint.Parse(context.Background(), blueprint.Source{Path: filepath.Join(dir, "blueprint.yaml")}, blueprint.Options{
		Confine: true, Now: func() time.Time { return time.Date(2030, 5, 6, 7, 8, 9, 0, time.UTC) },
	})
}

// expect compares with the last file of the archive, or rewrites it.
func expect(t *testing.T, files *bundle, name, got string) {
	t.Helper()
	last := &files.files[len(files.files)-1]
	if last.name != name {
		t.Fatalf("the last file is %s, not %s", last.name, name)
	}
	if *update {
		last.text = got
		files.write(t)
		return
	}
	if diff := cmp.Diff(last.text, got); diff != "" {
		t.Errorf("(-want +got; -update accepts)\n%s", diff)
	}
}

// bundle is several files in one, each below a line -- name --.
type bundle struct {
	path  string
	files []bundled
}

type bundled struct{ name, text string }

func readBundle(t *testing.T, path string) *bundle {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{path: path}
	for _, line := range strings.SplitAfter(string(data), "\n") {
		name, isHead := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "-- ")
		if name, closed := strings.CutSuffix(name, " --"); isHead && closed {
			b.files = append(b.files, bundled{name: name})
		} else if len(b.files) > 0 {
			b.files[len(b.files)-1].text += line
		}
	}
	if len(b.files) < 2 {
		t.Fatalf("%s holds fewer than two files", path)
	}
	return b
}

func (b *bundle) write(t *testing.T) {
	t.Helper()
	var out strings.Builder
	for _, f := range b.files {
		out.WriteString("-- " + f.name + " --\n" + f.text)
	}
	if err := os.WriteFile(b.path, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
