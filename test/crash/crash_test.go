// Package crash kills the real manager with SIGKILL in the middle of
// executions, starts it again, and checks from outside, by a record that the
// scripts themselves write, that nothing was lost, doubled or stuck.
package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const blueprint = `tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs:
  record: {type: string}
node_types:
  step:
    derived_from: cloudify.nodes.Root
    interfaces:
      cloudify.interfaces.lifecycle:
        create: {implementation: step.sh, executor: central_deployment_agent, inputs: {record: {default: {get_input: record}}}}
        configure: {implementation: step.sh, executor: central_deployment_agent, inputs: {record: {default: {get_input: record}}}}
        start: {implementation: step.sh, executor: central_deployment_agent, inputs: {record: {default: {get_input: record}}}}
        stop: {implementation: step.sh, executor: central_deployment_agent, inputs: {record: {default: {get_input: record}}}}
node_templates:
  first: {type: step, capabilities: {scalable: {properties: {default_instances: 4}}}}
  second:
    type: step
    capabilities: {scalable: {properties: {default_instances: 4}}}
    relationships: [{type: cloudify.relationships.depends_on, target: first}]
  third:
    type: step
    relationships: [{type: cloudify.relationships.depends_on, target: second}]
`

// Each run writes one line when it begins, with the time, and one when it is done;
// both are single appends, so that lines of concurrent scripts don't mix.
const step = `#!/bin/bash
set -e
id="$(ctx instance id)"
op="$(ctx operation name)"
echo "begin $id $op $EPOCHREALTIME" >>"$record"
ctx instance runtime-properties "${op##*.}" done
sleep 0.02
echo "end $id $op $EPOCHREALTIME" >>"$record"
`

type manager struct {
	t       *testing.T
	cfy     string
	home    string
	address string
	extra   []string
	process *exec.Cmd
}

func newManager(t *testing.T, extra ...string) *manager {
	t.Helper()
	cfy := os.Getenv("WINDLASS_TEST_CFY")
	if cfy == "" {
		t.Skip("WINDLASS_TEST_CFY is not set: run `make test`")
	}
	m := &manager{t: t, cfy: cfy, home: t.TempDir(), address: lastingAddress(t), extra: extra}
	t.Cleanup(m.kill)
	return m
}

// lastingAddress is a free one that no connection takes by itself while the
// manager is down: its port is below those that systems give away.
func lastingAddress(t *testing.T) string {
	t.Helper()
	var err error
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", 23000+rand.IntN(7000)) // other tests use others
		var l net.Listener
		if l, err = net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatalf("no port is free: %v", err)
	return ""
}

func (m *manager) env() []string {
	return append(os.Environ(), "CFY_HOME="+filepath.Join(m.home, "client"))
}

func (m *manager) start() {
	m.t.Helper()
	log, err := os.OpenFile(filepath.Join(m.home, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	args := append([]string{"manager", "start", "--data-dir", filepath.Join(m.home, "data"), "--listen", m.address}, m.extra...)
	m.process = exec.Command(m.cfy, args...)
	m.process.Env, m.process.Stdout, m.process.Stderr = m.env(), log, log
	if err := m.process.Start(); err != nil {
		m.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(m.t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.address+"/api/v3.1/ok", nil)
		if err != nil {
			m.t.Fatal(err)
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			return
		}
		select {
		case <-ctx.Done():
			text, _ := os.ReadFile(log.Name())
			m.t.Fatalf("the manager did not come up:\n%s", text)
		case <-tick.C:
		}
	}
}

func (m *manager) kill() {
	if m.process != nil {
		_ = m.process.Process.Kill()
		_ = m.process.Wait()
		m.process = nil
	}
}

func (m *manager) cfyOut(args ...string) ([]byte, error) {
	c := exec.CommandContext(m.t.Context(), m.cfy, args...)
	c.Env = m.env()
	out, err := c.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("cfy %s: %w\n%s%s", strings.Join(args, " "), err, out, exit.Stderr)
	}
	return out, err
}

func (m *manager) must(args ...string) []byte {
	m.t.Helper()
	out, err := m.cfyOut(args...)
	if err != nil {
		m.t.Fatal(err)
	}
	return out
}

type run struct {
	ID         string `json:"id"`
	WorkflowID string `json:"workflow_id"`
	Status     string `json:"status"`
	Error      string `json:"error"`
}

func (m *manager) execution(id string) run {
	m.t.Helper()
	var r run
	if err := json.Unmarshal(m.must("executions", "get", id, "--json"), &r); err != nil {
		m.t.Fatal(err)
	}
	return r
}

// waitEnd polls until the execution has ended.
func (m *manager) waitEnd(id string) run {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		r := m.execution(id)
		switch r.Status {
		case "terminated", "completed", "failed", "cancelled":
			return r
		}
		select {
		case <-ctx.Done():
			text, _ := os.ReadFile(filepath.Join(m.home, "log"))
			m.t.Fatalf("execution %s is stuck in %s\n%s", id, r.Status, text)
		case <-tick.C:
		}
	}
}

func (m *manager) newest(deployment, workflow string) string {
	m.t.Helper()
	var runs []run
	if err := json.Unmarshal(m.must("executions", "list", "-d", deployment, "--json"), &runs); err != nil {
		m.t.Fatal(err)
	}
	for _, r := range runs {
		if r.WorkflowID == workflow {
			return r.ID
		}
	}
	m.t.Fatalf("no execution of %s among %v", workflow, runs)
	return ""
}

func write(t *testing.T, file, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// kills is how many kills each database gets in an ordinary run.
const kills = 100

func TestKillInTheMiddleOnSQLite(t *testing.T) {
	t.Parallel()
	killLoop(t, newManager(t), budget(t))
}

func TestKillInTheMiddleOnPostgres(t *testing.T) {
	t.Parallel()
	server := os.Getenv("WINDLASS_TEST_POSTGRES")
	if server == "" {
		t.Skip("WINDLASS_TEST_POSTGRES is not set: run `make test`")
	}
	killLoop(t, newManager(t, "--database", freshDatabase(t, server)), budget(t))
}

// budget tells whether to go on after so many kills: for SOAK_SECONDS seconds
// if that is set, else for an ordinary run's kills.
func budget(t *testing.T) func(kills int) bool {
	t.Helper()
	text := os.Getenv("SOAK_SECONDS")
	if text == "" {
		return func(done int) bool { return done < kills }
	}
	seconds, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("SOAK_SECONDS: %v", err)
	}
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	return func(int) bool { return time.Now().Before(end) }
}

// killLoop installs and uninstalls one deployment after the other, and kills
// the manager at random moments meanwhile.
func killLoop(t *testing.T, m *manager, more func(kills int) bool) {
	dir := filepath.Join(m.home, "bp")
	write(t, filepath.Join(dir, "blueprint.yaml"), blueprint, 0o644)
	write(t, filepath.Join(dir, "step.sh"), step, 0o755)
	m.start()
	m.must("blueprints", "upload", dir, "-b", "bp")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	done, rounds := 0, 0
	for ; more(done) && !t.Failed(); rounds++ {
		d := fmt.Sprintf("d%d", rounds)
		record := filepath.Join(m.home, "record-"+d)
		m.must("deployments", "create", d, "-b", "bp", "-i", "record="+record)
		for _, w := range []workflow{install, uninstall} {
			k := m.killedWhile(random, d, w, record)
			done += k
		}
		m.must("deployments", "delete", d)
	}
	t.Logf("%d kills in %d rounds: every execution ended, nothing was lost or done again after it was recorded", done, rounds)
	database := "sqlite"
	if len(m.extra) > 0 {
		database = "postgres"
	}
	t.Logf("totals: kills_%s=%d real_executions=%d", database, done, 2*rounds) // summed up by scripts/soak.sh
}

// workflow is what is run while the manager is killed.
type workflow struct {
	name       string
	operations []string // of each instance
	up         bool     // dependants come last
}

var (
	install   = workflow{"install", []string{"create", "configure", "start"}, true}
	uninstall = workflow{"uninstall", []string{"stop"}, false}
)

// instances is how many the blueprint has.
const instances = 4 + 4 + 1

// withinLease is how soon after the first of several kills all must be over so that
// what was under way then surely was taken up within the lease of a shared database,
// even if no life in between came to that.
const withinLease = 5 * time.Second

// most bounds the kills of one execution, so that it gets somewhere.
const most = 12

// killedWhile runs a workflow, kills the manager meanwhile, and checks all that
// is known afterwards. It returns how many kills there were.
func (m *manager) killedWhile(random *rand.Rand, deployment string, w workflow, record string) int {
	m.t.Helper()
	if err := os.Remove(record); err != nil && !errors.Is(err, os.ErrNotExist) {
		m.t.Fatal(err)
	}
	_, _ = m.cfyOut("executions", "start", w.name, "-d", deployment, "--timeout", "0")
	id := m.newest(deployment, w.name)
	k, firstKill := 0, time.Time{}
	for ; k < most; k++ {
		pause := time.NewTimer(time.Duration(random.IntN(250)) * time.Millisecond)
		<-pause.C
		if s := m.execution(id).Status; s == "terminated" || s == "completed" {
			break
		}
		if k == 0 {
			firstKill = time.Now()
		}
		m.kill()
		m.start()
	}
	r := m.waitEnd(id)
	quick := k == 0 || time.Since(firstKill) < withinLease
	if r.Status != "terminated" && r.Status != "completed" {
		m.t.Fatalf("%s ended %s: %s", w.name, r.Status, r.Error)
	}
	w.checkRecord(m.t, record, k, m.done(id, instances*len(w.operations)), len(m.extra) == 0 || quick)
	return k
}

// done tells when the manager itself recorded each operation as done, and checks
// that it did so exactly once.
func (m *manager) done(id string, operations int) map[string]time.Time {
	m.t.Helper()
	succeeded, at := map[string]int{}, map[string]time.Time{}
	for line := range strings.Lines(string(m.must("events", "list", id, "--json", "--no-logs"))) {
		var e struct {
			Type      string    `json:"event_type"`
			Instance  string    `json:"node_instance_id"`
			Operation string    `json:"operation"`
			Reported  time.Time `json:"reported_timestamp"`
		}
		if err := json.Unmarshal([]byte(line), &e); err == nil && e.Type == "task_succeeded" && e.Operation != "" {
			key := e.Instance + " " + e.Operation
			succeeded[key]++
			at[key] = e.Reported
		}
	}
	if len(succeeded) != operations {
		m.t.Errorf("%d operations are recorded as done, want %d", len(succeeded), operations)
	}
	for key, n := range succeeded {
		if n != 1 {
			m.t.Errorf("%s is recorded as done %d times", key, n)
		}
	}
	return at
}

// checkRecord checks what the scripts wrote: each operation of each instance
// was done; none began again after the manager had recorded it as done;
// dependants began after what they depend on. Where another manager may take
// over meanwhile, whatever was under way at a kill may begin once more, all of it at
// each kill; where none can (alone), scripts outlive the manager and run once.
func (w workflow) checkRecord(t *testing.T, record string, kills int, done map[string]time.Time, alone bool) {
	t.Helper()
	data, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	began, ended := map[string]int{}, map[string]bool{}
	started := map[string]bool{} // nodes any of whose operations began
	for i, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		word := strings.Fields(line)
		if len(word) != 4 {
			t.Fatalf("line %d: %q", i+1, line)
		}
		key := word[1] + " " + word[2]
		node, _, _ := strings.Cut(word[1], "_")
		if word[0] == "end" {
			ended[key] = true
			continue
		}
		began[key]++
		if at := clock(t, word[3]); began[key] > 1 && at.After(done[key]) {
			t.Errorf("line %d: %s began again at %s, although it was recorded as done at %s", i+1, key, at, done[key])
		}
		started[node] = true
		if late := w.before(node); late != "" && started[late] {
			t.Errorf("line %d: %s began after %s", i+1, key, late)
		}
	}
	if want := instances * len(w.operations); len(ended) != want {
		t.Errorf("%s: %d operations were done, want %d", w.name, len(ended), want)
	}
	most := 1 + kills
	if alone {
		most = 1
	}
	for key, n := range began {
		if n > most {
			t.Errorf("%s began %d times with %d kills", key, n, kills)
		}
	}
}

// clock reads bash's EPOCHREALTIME, whose point is the locale's.
func clock(t *testing.T, text string) time.Time {
	t.Helper()
	micros, err := strconv.ParseInt(strings.NewReplacer(".", "", ",", "").Replace(text), 10, 64)
	if err != nil {
		t.Fatalf("time %q: %v", text, err)
	}
	return time.UnixMicro(micros)
}

// before is the node that must not begin before node has.
func (w workflow) before(node string) string {
	up := map[string]string{"first": "second", "second": "third"}
	down := map[string]string{"third": "second", "second": "first"}
	if w.up {
		return up[node]
	}
	return down[node]
}

func freshDatabase(t *testing.T, server string) string {
	t.Helper()
	name := fmt.Sprintf("crash_%d", time.Now().UnixNano())
	psql := exec.CommandContext(t.Context(), "psql", server, "-qc", "CREATE DATABASE "+name)
	if out, err := psql.CombinedOutput(); err != nil {
		t.Fatalf("create a database: %v\n%s", err, out)
	}
	i := strings.LastIndex(server, "/")
	base, options, _ := strings.Cut(server[i+1:], "?")
	_ = base
	url := server[:i+1] + name
	if options != "" {
		url += "?" + options
	}
	return url
}
