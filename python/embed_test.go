package python_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"windlass/python"
)

func TestUnpack(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	var wg sync.WaitGroup
	roots := make([]string, 10)
	for i := range roots {
		wg.Go(func() {
			var err error
			if roots[i], err = python.Unpack(dir); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, root := range roots {
		if root != roots[0] {
			t.Errorf("%s and %s", root, roots[0])
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("something is left beside the framework: %v %v", entries, err)
	}
	err = fs.WalkDir(python.Files(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		want, err := fs.ReadFile(python.Files(), path)
		if err != nil {
			return err
		}
		got, err := os.ReadFile(filepath.Join(roots[0], path))
		if string(got) != string(want) {
			t.Errorf("%s differs", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestUnpackWhereItCannot(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := python.Unpack(filepath.Join(file, "x")); err == nil || !strings.HasPrefix(err.Error(), "unpack the Python framework: ") {
		t.Errorf("%v", err)
	}
}

// All modules can be imported, with the standard library alone, and none uses
// syntax that is newer than Python 3.8. _original.py is for where the original's
// package is.
func TestModules(t *testing.T) {
	t.Parallel()
	root, err := python.Unpack(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const check = `
import ast, glob, importlib, os, sys
sys.path.insert(0, sys.argv[1])
for path in glob.glob(os.path.join(sys.argv[1], '**', '*.py'), recursive=True):
    with open(path, encoding='utf-8') as f:
        ast.parse(f.read(), path, feature_version=(3, 8))
for base in (sys.argv[1], os.path.join(sys.argv[1], 'client')):
    for path in glob.glob(os.path.join(base, 'cloudify*', '**', '*.py'), recursive=True):
        name = os.path.relpath(path, base)[:-3].replace(os.sep, '.')
        if name == 'cloudify._original':
            continue
        importlib.import_module(name[:-len('.__init__')] if name.endswith('.__init__') else name)
`
	out, err := exec.CommandContext(t.Context(), "python3", "-I", "-S", "-c", check, root).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
