package stdio_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// BenchmarkProgram is an operation that a program in Go performs.
func BenchmarkProgram(b *testing.B) {
	folder := b.TempDir()
	manifest := fmt.Sprintf(`{"protocol": 1, "command": [%q]}`, "bin/notes")
	if err := os.WriteFile(filepath.Join(folder, "plugin-manifest.json"), []byte(manifest), 0o644); err != nil {
		b.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(folder, "bin", "notes"), "windlass/examples/plugin-go")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	r := newRunner(b, folder, nil)
	req := request(b, "remove", nil)
	for b.Loop() {
		if _, err := r.Run(b.Context(), req, newHost()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "per-s")
}
