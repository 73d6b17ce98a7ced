package crash

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const lastingBlueprint = `tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs:
  record: {type: string}
node_types:
  lasting:
    derived_from: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create: {implementation: lasting.sh, max_retries: 0, executor: central_deployment_agent, inputs: {record: {default: {get_input: record}}}}
node_templates:
  it: {type: lasting}
`

// A script that would not end when it is asked to, and what it starts in a session of
// its own, write down that they live until there is a file named go.
const lasting = `#!/bin/bash
trap '' TERM
echo "begin $$" >>"$record"
heart() { while [ ! -e "$record.go" ]; do echo "alive $1" >>"$record"; sleep 0.01; done; }
export -f heart
setsid bash -c "trap '' TERM; heart $$" &
heart $$
ctx instance runtime-properties ended-as $$
echo "end $$" >>"$record"
`

// leased is managers on one database, and an execution whose script lasts.
type leased struct {
	t      *testing.T
	first  *manager
	record string
	id     string
	other  func() *manager // one more, with a data directory of its own
}

func startLasting(t *testing.T) leased {
	t.Helper()
	server := os.Getenv("WINDLASS_TEST_POSTGRES")
	if server == "" {
		t.Skip("WINDLASS_TEST_POSTGRES is not set: run `make test`")
	}
	database := freshDatabase(t, server)
	m := newManager(t, "--database", database)
	dir := filepath.Join(m.home, "bp")
	write(t, filepath.Join(dir, "blueprint.yaml"), lastingBlueprint, 0o644)
	write(t, filepath.Join(dir, "lasting.sh"), lasting, 0o755)
	m.start()
	m.must("blueprints", "upload", dir, "-b", "bp")
	l := leased{t: t, first: m, record: filepath.Join(m.home, "record")}
	t.Cleanup(func() { _ = os.WriteFile(l.record+".go", nil, 0o600) }) // whatever lives ends
	m.must("deployments", "create", "d", "-b", "bp", "-i", "record="+l.record)
	_, _ = m.cfyOut("executions", "start", "install", "-d", "d", "--timeout", "0")
	l.id = m.newest("d", "install")
	l.awaitBegun(1)
	l.other = func() *manager { return newManager(t, "--database", database) }
	return l
}

func (l leased) lines() []string {
	data, err := os.ReadFile(l.record)
	if err != nil && !os.IsNotExist(err) {
		l.t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

// begun are the numbers of the scripts that began, in order.
func (l leased) begun() []string {
	var pids []string
	for _, line := range l.lines() {
		if pid, ok := strings.CutPrefix(line, "begin "); ok {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (l leased) awaitBegun(n int) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for len(l.begun()) < n {
		select {
		case <-look.C:
		case <-ctx.Done():
			text, _ := os.ReadFile(filepath.Join(l.first.home, "log"))
			l.t.Fatalf("%d scripts never began\n%s", n, text)
		}
	}
}

// finish lets the scripts end, and waits for the execution, on a manager.
func (l leased) finish(m *manager) {
	l.t.Helper()
	write(l.t, l.record+".go", "", 0o600)
	if r := m.waitEnd(l.id); r.Status != "terminated" && r.Status != "completed" {
		l.t.Fatalf("it ended %s: %s", r.Status, r.Error)
	}
	m.done(l.id, 1)
}

// awaitNothingLeft waits until the first manager has cleared up what it left.
func (l leased) awaitNothingLeft() {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		left, err := os.ReadDir(filepath.Join(l.first.home, "data", "run", "runs"))
		if err == nil && len(left) == 0 {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			l.t.Fatalf("the first manager has left %v, %v", left, err)
		}
	}
}

// checkNoTwoAtOnce checks that nothing of a script lived when the next began, and
// that only the last came to its end.
func (l leased) checkNoTwoAtOnce() {
	l.t.Helper()
	now, over := "", map[string]bool{}
	for i, line := range l.lines() {
		what, pid, _ := strings.Cut(line, " ")
		if over[pid] {
			l.t.Fatalf("line %d: %s, although %s has begun", i+1, line, now)
		}
		if what == "begin" {
			over[now], now = true, pid
		}
	}
}

// stopOrderly ends a manager as a service manager does.
func (m *manager) stopOrderly() {
	m.t.Helper()
	if err := m.process.Process.Signal(syscall.SIGTERM); err != nil {
		m.t.Fatal(err)
	}
	if err := m.process.Wait(); err != nil {
		m.t.Errorf("the manager stopped with %v", err)
	}
	m.process = nil
}

// On a shared database, too, a script goes on without its manager, and the manager's
// next life takes it up if it comes soon.
func TestScriptOutlivesItsManagerOnPostgres(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*manager){"killed": (*manager).kill, "stopped": (*manager).stopOrderly} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := startLasting(t)
			began := time.Now()
			for range 2 {
				end(l.first)
				l.first.start()
				idle(300 * time.Millisecond) // or so: it may take the script up or not
			}
			l.finish(l.first)
			if time.Since(began) > withinLease {
				t.Skip("this machine is too slow to start a manager in time")
			}
			if pids := l.begun(); len(pids) != 1 {
				text, _ := os.ReadFile(filepath.Join(l.first.home, "log"))
				t.Errorf("ran as %v\n%s", pids, text)
			}
			l.checkNoTwoAtOnce()
		})
	}
}

// Another manager that takes an execution over never runs a script beside one that the
// first has left, whatever became of that: nor when it comes back.
func TestScriptIsDeadWhenItIsTakenOver(t *testing.T) {
	t.Parallel()
	ends := map[string]func(*manager){
		"killed": (*manager).kill, "stopped": (*manager).stopOrderly,
		"hung": func(m *manager) { _ = m.process.Process.Signal(syscall.SIGSTOP) },
	}
	worlds := map[string]leased{}
	for name, end := range ends {
		l := startLasting(t)
		l.other().start()
		end(l.first)
		worlds[name] = l
	}
	for name, l := range worlds { // they all wait for their leases to end at the same time
		t.Run(name, func(t *testing.T) {
			l.t = t
			l.awaitBegun(2)
			if l.first.process == nil {
				l.first.start()
			} else if err := l.first.process.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			idle(300 * time.Millisecond) // it looks about
			l.finish(l.first)            // either tells how it ended
			if pids := l.begun(); len(pids) != 2 {
				t.Errorf("ran as %v", pids)
			}
			l.checkNoTwoAtOnce()
			l.awaitNothingLeft()
		})
	}
}
