package python_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"windlass/internal/operation/python"
)

// A module that is used again and again is imported once by the worker, unless
// that made a difference to its operations.
func TestPluginsAreImportedAhead(t *testing.T) {
	t.Parallel()
	r := newRunner(t, func(c *python.Config) { c.Env = append(c.Env, "PYTHONUNBUFFERED=1") })
	ctx := within(t, 2*time.Minute)
	where := func(module string) (imported, runs, worker any) {
		t.Helper()
		req := request(t, "", nil)
		req.Implementation = "odd." + module + ".where"
		result, err := r.Run(ctx, req, newHost())
		if err != nil {
			t.Fatalf("%s: %v", module, err)
		}
		told := result.(map[string]any)
		return told["imported"], told["runs"], told["worker"]
	}
	files, err := os.ReadDir("testdata/plugin/odd")
	if err != nil {
		t.Fatal(err)
	}
	var odd []string
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), ".py"); ok && name != "__init__" && name != "nothing" {
			odd = append(odd, name)
		}
	}
	if len(odd) < 10 {
		t.Fatalf("modules are missing: %v", odd)
	}
	for range 2 { // that is often enough
		for _, module := range odd {
			where(module)
		}
	}
	for { // it is tried after the others, so then they have been
		imported, runs, worker := where("nothing")
		if imported == worker {
			break
		}
		if imported != runs {
			t.Fatalf("imported in %v, runs in %v, the worker is %v", imported, runs, worker)
		}
	}
	for _, module := range odd {
		if imported, runs, _ := where(module); imported != runs {
			t.Errorf("%s runs in %v and was imported in %v", module, runs, imported)
		}
	}
}
