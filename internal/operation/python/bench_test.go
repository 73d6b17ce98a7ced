package python_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"windlass/internal/operation/python"
	framework "windlass/python"
)

// BenchmarkWarmOperation is an operation in a worker that runs already, alone
// and as many at once as there are processors.
func BenchmarkWarmOperation(b *testing.B) {
	for name, atOnce := range map[string]int{"alone": 1, "side-by-side": runtime.GOMAXPROCS(0)} {
		b.Run(name, func(b *testing.B) {
			r := newRunner(b, cached(b))
			warm := request(b, "nothing", nil)
			if _, err := r.Run(b.Context(), warm, newHost()); err != nil {
				b.Fatal(err)
			}
			took := timed(b, atOnce, func() error {
				_, err := r.Run(b.Context(), warm, newHost())
				return err
			})
			report(b, took)
		})
	}
}

// cached has the plugin in a folder of its own, where the interpreter keeps what
// it has compiled, as in a manager.
func cached(b *testing.B) func(*python.Config) {
	b.Helper()
	folder := b.TempDir()
	if err := os.CopyFS(folder, os.DirFS("testdata/plugin")); err != nil {
		b.Fatal(err)
	}
	return func(c *python.Config) {
		c.Env, c.Environments = os.Environ(), environments{Key: "test", Path: []string{folder}}
	}
}

// timed calls f b.N times, so many at once, and returns how long each took.
func timed(b *testing.B, atOnce int, f func() error) []time.Duration {
	b.Helper()
	took := make([]time.Duration, b.N)
	next := make(chan int)
	var work sync.WaitGroup
	b.ResetTimer()
	for range atOnce {
		work.Go(func() {
			for i := range next {
				began := time.Now()
				if err := f(); err != nil {
					b.Error(err)
				}
				took[i] = time.Since(began)
			}
		})
	}
	for i := range b.N {
		next <- i
	}
	close(next)
	work.Wait()
	b.StopTimer()
	return took
}

func report(b *testing.B, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	milliseconds := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(milliseconds(took[len(took)/2]), "p50-ms")
	b.ReportMetric(milliseconds(took[len(took)*99/100]), "p99-ms")
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "per-s")
}

// BenchmarkColdOperation is the first operation of a deployment, with the
// start of its worker.
func BenchmarkColdOperation(b *testing.B) {
	r := newRunner(b, cached(b))
	took := timed(b, 1, func() error {
		req := request(b, "nothing", nil)
		_, err := r.Run(b.Context(), req, newHost())
		r.Forget(req.Tenant, req.DeploymentID)
		return err
	})
	report(b, took)
}

// BenchmarkPlainPython is the same function in an interpreter of its own; and
// for comparison an interpreter that does nothing, and one that imports what an
// operation needs of the standard library.
func BenchmarkPlainPython(b *testing.B) {
	plugin, err := filepath.Abs("testdata/plugin")
	if err != nil {
		b.Fatal(err)
	}
	root, err := framework.Unpack(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	for name, program := range map[string]string{
		"same-function": "import ops; ops.nothing()",
		"bare":          "pass",
		"with-modules":  "import json, logging, socket, threading, traceback",
	} {
		b.Run(name, func(b *testing.B) {
			report(b, timed(b, 1, func() error {
				c := exec.Command(interpreter(), "-c", program)
				c.Dir, c.Env = plugin, append(os.Environ(), "PYTHONPATH="+root)
				return c.Run()
			}))
		})
	}
}

// BenchmarkWorkflowOfTasks is a workflow whose graph has 1,000 tasks of its own.
func BenchmarkWorkflowOfTasks(b *testing.B) {
	const count = 1000
	r := newRunner(b, cached(b))
	for b.Loop() {
		if err := runFlow(b, r, newFlowHost(b, r), "many", map[string]any{"count": int64(count)}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(count*float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}
