// Package bench measures the real binary from outside: start-up, memory, and
// whole installs against a plain shell that runs the same scripts.
package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// manager is a running `cfy manager start` with an empty data directory.
type manager struct {
	cfy, home, address string
	options            []string
	process            *exec.Cmd
	ready              time.Duration // from start to the first answer
}

func startManager(b *testing.B, extra ...string) *manager {
	b.Helper()
	cfy := os.Getenv("WINDLASS_TEST_CFY")
	if cfy == "" {
		b.Skip("WINDLASS_TEST_CFY is not set: run `make bench`")
	}
	m := &manager{cfy: cfy, home: b.TempDir(), address: freeAddress(b)}
	m.options = extra
	m.restart(b)
	b.Cleanup(func() {
		_ = m.process.Process.Signal(os.Interrupt)
		_ = m.process.Wait()
	})
	return m
}

// restart starts the manager on its data, and waits until it answers.
func (m *manager) restart(b *testing.B) {
	b.Helper()
	m.process = exec.Command(m.cfy, append([]string{"manager", "start", "--data-dir", filepath.Join(m.home, "data"), "--listen", m.address}, m.options...)...)
	m.process.Env = m.env()
	log, err := os.OpenFile(filepath.Join(m.home, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = log.Close() }() // the manager has its own
	m.process.Stdout, m.process.Stderr = log, log
	began := time.Now()
	if err := m.process.Start(); err != nil {
		b.Fatal(err)
	}
	for {
		res, err := http.Get("http://" + m.address + "/api/v3.1/ok")
		if err == nil {
			_ = res.Body.Close()
			break
		}
		if time.Since(began) > 20*time.Second {
			text, _ := os.ReadFile(log.Name())
			b.Fatalf("the manager did not come up: %s", text)
		}
	}
	m.ready = time.Since(began)
}

func freeAddress(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func (m *manager) env() []string {
	return append(os.Environ(), "CFY_HOME="+filepath.Join(m.home, "client"))
}

func (m *manager) run(b *testing.B, args ...string) []byte {
	b.Helper()
	c := exec.Command(m.cfy, args...)
	c.Env = m.env()
	out, err := c.CombinedOutput()
	if err != nil {
		b.Fatalf("cfy %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// resident is the manager's memory in MB, now and at its highest.
func (m *manager) resident(b *testing.B) (now, peak float64) {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.process.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var kb float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kb); err == nil {
			now = kb / 1024
		}
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kb); err == nil {
			peak = kb / 1024
		}
	}
	return now, peak
}

func BenchmarkStartup(b *testing.B) {
	var ready time.Duration
	var rss float64
	for range b.N {
		m := startManager(b)
		ready += m.ready
		now, _ := m.resident(b)
		rss += now
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(ready.Milliseconds())/float64(b.N), "ms-to-serving")
	b.ReportMetric(rss/float64(b.N), "MB-resident")
}

const scaled = `tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
node_templates:
  worker:
    type: cloudify.nodes.Root
    capabilities: {scalable: {properties: {default_instances: %d}}}
    interfaces:
      cloudify.interfaces.lifecycle:
        create: {implementation: noop.sh, executor: central_deployment_agent}
        configure: {implementation: noop.sh, executor: central_deployment_agent}
        start: {implementation: noop.sh, executor: central_deployment_agent}
`

const script = "#!/bin/sh\nexit 0\n"

// BenchmarkInstall installs 1,000 instances with three scripts each, and runs
// the same 3,000 scripts from a shell with the same parallelism. All events and
// logs are stored; nobody watches them scroll by, as nobody watches the shell.
func BenchmarkInstall(b *testing.B) {
	const instances, parallel = 1000, 20
	for range b.N {
		m := startManager(b)
		dir := filepath.Join(m.home, "scaled")
		write(b, filepath.Join(dir, "blueprint.yaml"), fmt.Sprintf(scaled, instances), 0o644)
		write(b, filepath.Join(dir, "noop.sh"), script, 0o755)

		plain := timed(b, exec.Command("sh", "-c", fmt.Sprintf(
			`seq %d | xargs -P %d -I{} sh -c %s`, 3*instances, parallel, filepath.Join(dir, "noop.sh"))))

		m.run(b, "blueprints", "upload", dir, "-b", "scaled")
		began := time.Now()
		m.run(b, "deployments", "create", "scaled", "-b", "scaled")
		create := time.Since(began)
		m.runUnwatched(b, "install")
		install := m.lasted(b, "install")
		_, peak := m.resident(b)

		b.ReportMetric(0, "ns/op")
		b.ReportMetric(create.Seconds(), "s-create")
		b.ReportMetric(install.Seconds(), "s-install")
		b.ReportMetric(plain.Seconds(), "s-plain-shell")
		b.ReportMetric(install.Seconds()/plain.Seconds(), "install/shell")
		b.ReportMetric(peak, "MB-peak")
	}
}

// runUnwatched starts a workflow and looks now and then whether it has ended.
func (m *manager) runUnwatched(b *testing.B, workflow string) {
	b.Helper()
	start := exec.Command(m.cfy, "executions", "start", workflow, "-d", "scaled", "--timeout", "0", "--json")
	start.Env = m.env()
	_ = start.Run()                      // it says that the time is up
	pause := time.NewTicker(time.Second) // each look is a process of its own
	defer pause.Stop()
	for began := time.Now(); time.Since(began) < 10*time.Minute; <-pause.C {
		var runs []struct {
			WorkflowID string `json:"workflow_id"`
			Status     string `json:"status"`
		}
		if err := json.Unmarshal(m.run(b, "executions", "list", "-d", "scaled", "--json"), &runs); err != nil {
			b.Fatal(err)
		}
		for _, r := range runs {
			switch {
			case r.WorkflowID != workflow:
			case r.Status == "completed", r.Status == "terminated":
				return
			case r.Status == "failed", r.Status == "cancelled":
				b.Fatalf("%s ended %s", workflow, r.Status)
			}
		}
	}
	b.Fatalf("%s doesn't end", workflow)
}

// lasted tells how long the newest execution of the workflow ran.
func (m *manager) lasted(b *testing.B, workflow string) time.Duration {
	b.Helper()
	var runs []struct {
		WorkflowID string    `json:"workflow_id"`
		ID         string    `json:"id"`
		StartedAt  time.Time `json:"started_at"`
		EndedAt    time.Time `json:"ended_at"`
	}
	if err := json.Unmarshal(m.run(b, "executions", "list", "-d", "scaled", "--json"), &runs); err != nil {
		b.Fatal(err)
	}
	for _, r := range runs {
		if r.WorkflowID == workflow {
			var got struct {
				StartedAt time.Time `json:"started_at"`
				EndedAt   time.Time `json:"ended_at"`
			}
			if err := json.Unmarshal(m.run(b, "executions", "get", r.ID, "--json"), &got); err != nil {
				b.Fatal(err)
			}
			return got.EndedAt.Sub(got.StartedAt)
		}
	}
	b.Fatalf("no execution of %s", workflow)
	return 0
}

func write(b *testing.B, file, text string, mode os.FileMode) {
	b.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		b.Fatal(err)
	}
}

func timed(b *testing.B, c *exec.Cmd) time.Duration {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	began := time.Now()
	done := make(chan error, 1)
	go func() { done <- c.Run() }()
	select {
	case err := <-done:
		if err != nil {
			b.Fatal(err)
		}
	case <-ctx.Done():
		_ = c.Process.Kill()
		b.Fatal(<-done)
	}
	return time.Since(began)
}
