package script_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"windlass/internal/operation"
	"windlass/internal/operation/script"
)

const (
	benchScript    = "#!/bin/sh\necho hello\n"
	benchCtxScript = "#!/bin/sh\nctx logger info hello\n"
)

// measure reports the median beside the mean: neighbours disturb the mean.
func measure(b *testing.B, once func()) {
	var times []time.Duration
	for b.Loop() {
		start := time.Now()
		once()
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
}

// BenchmarkPlainExec is what BenchmarkScript is measured against: the same
// script by fork and exec alone.
func BenchmarkPlainExec(b *testing.B) {
	path := filepath.Join(b.TempDir(), "script.sh")
	if err := os.WriteFile(path, []byte(benchScript), 0o755); err != nil {
		b.Fatal(err)
	}
	measure(b, func() {
		if err := exec.Command(path).Run(); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkScript(b *testing.B)    { benchmarkOperation(b, "script.sh", benchScript) }
func BenchmarkScriptCtx(b *testing.B) { benchmarkOperation(b, "script.sh", benchCtxScript) }

// BenchmarkScriptOutlives and BenchmarkScriptHeld are scripts that outlive their
// manager, in the second for as long as a lease.
func BenchmarkScriptOutlives(b *testing.B) {
	benchmarkUnder(b, theWarden, nil, "script.sh", benchScript)
}
func BenchmarkScriptHeld(b *testing.B) {
	benchmarkUnder(b, theWarden, leaseFor(time.Hour), "script.sh", benchScript)
}
func BenchmarkPython(b *testing.B) {
	benchmarkOperation(b, "script.py", "from cloudify import ctx\nctx.returns(1)\n")
}

// BenchmarkCtxCommand is the start and end of this program, which answers the
// help text: what a ctx command costs without any request.
func BenchmarkCtxCommand(b *testing.B) {
	link := filepath.Join(b.TempDir(), "ctx")
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	if err := os.Symlink(self, link); err != nil {
		b.Fatal(err)
	}
	measure(b, func() {
		if err := exec.Command(link, "--help").Run(); err != nil {
			b.Fatal(err)
		}
	})
}

func benchmarkOperation(b *testing.B, name, source string) {
	benchmarkUnder(b, alone, nil, name, source)
}

func benchmarkUnder(b *testing.B, warden []string, lease *operation.Lease, name, source string) {
	r, err := script.New(script.Config{Root: b.TempDir(), Python: python(), Warden: warden})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	host := newHost()
	host.Resources[name] = source
	req := request(b, map[string]any{"script_path": name})
	req.Lease = lease
	measure(b, func() {
		if _, err := r.Run(b.Context(), req, host); err != nil {
			b.Fatal(err)
		}
		r.Settled(req.TaskID)
	})
}
