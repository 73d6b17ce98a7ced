package catalog

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestFilesInside(t *testing.T) {
	t.Parallel()
	outside, dir := t.TempDir(), t.TempDir()
	for name, in := range map[string]string{"secret": outside, "app/b": dir, "app/a/deep": dir, "alone": dir} {
		file := filepath.Join(in, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range []string{"app/link", "out"} {
		if err := os.Symlink(outside, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for directory, want := range map[string][]string{
		"app":        {"a/deep", "b"}, // links are no files
		"/app/":      {"a/deep", "b"},
		"../x/../ap": nil,
		"app/a":      {"deep"},
		"alone":      nil,
		"":           nil,
		"..":         nil,
		"out":        nil,
		"gone":       nil,
	} {
		got, err := filesInside(dir, directory)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %v, %v; want %v", directory, got, err, want)
		}
	}
	if got, err := filesInside(filepath.Join(dir, "gone"), "app"); err != nil || got != nil {
		t.Errorf("in no folder: got %v, %v", got, err)
	}
}
