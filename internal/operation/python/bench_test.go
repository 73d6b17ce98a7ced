package python_test

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// BenchmarkWarmOperation is an operation in a worker that runs already.
func BenchmarkWarmOperation(b *testing.B) {
	r := newRunner(b, nil)
	req := request(b, "nothing", nil)
	if _, err := r.Run(b.Context(), req, newHost()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := r.Run(b.Context(), req, newHost()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkColdOperation is the first operation of a deployment, with the
// start of its worker.
func BenchmarkColdOperation(b *testing.B) {
	r := newRunner(b, nil)
	for b.Loop() {
		req := request(b, "nothing", nil)
		if _, err := r.Run(b.Context(), req, newHost()); err != nil {
			b.Fatal(err)
		}
		r.Forget(req.Tenant, req.DeploymentID)
	}
}

// BenchmarkPlainPython is what a process for each operation costs at least.
func BenchmarkPlainPython(b *testing.B) {
	plugin, err := filepath.Abs("testdata/plugin")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		c := exec.Command(interpreter(), "-c", "import json, logging, socket, threading, traceback")
		c.Dir = plugin
		if err := c.Run(); err != nil {
			b.Fatal(err)
		}
	}
}
