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
