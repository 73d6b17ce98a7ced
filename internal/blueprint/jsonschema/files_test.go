package jsonschema_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("nothing in %s: %v", pattern, err)
	}
	return names
}

// archived reads several files in one, each below a line -- name --.
func archived(t *testing.T, path string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files, name := map[string]string{}, ""
	for _, line := range strings.SplitAfter(string(data), "\n") {
		if n, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "-- "); ok && strings.HasSuffix(n, " --") {
			name = strings.TrimSuffix(n, " --")
			continue
		}
		files[name] += line
	}
	return files
}

func walkYAML(tree fs.FS, visit func(name, text string)) error {
	return fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".yaml") {
			return err
		}
		text, err := fs.ReadFile(tree, name)
		if err == nil {
			visit(name, string(text))
		}
		return err
	})
}
