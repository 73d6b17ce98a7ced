package crash

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Each execution of the workflow runs one operation, whose script notes when it
// begins and ends. Before it ends it waits to be let go.
const many = `tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs:
  record: {type: string}
node_types:
  step:
    derived_from: cloudify.nodes.Root
    interfaces:
      test:
        run:
          implementation: run.sh
          executor: central_deployment_agent
          inputs: {record: {default: {get_input: record}}, which: {default: ''}}
node_templates:
  one: {type: step}
`

const runScript = `#!/bin/sh
echo "begin $which" >>"$record"
while [ ! -e "$record.go" ]; do sleep 0.1; done
echo "end $which" >>"$record"
`

// How many executions are there when the manager is killed.
const (
	runningAtOnce = 500
	queuedBehind  = 500
	scheduledNext = 100
)

// TestKillWithAFullQueue kills the manager with 500 executions running, 500
// queued behind them and 100 scheduled, and checks that all of them end once it
// is back: those of a deployment one after the other, in the order in which
// they were asked for, and none recorded as done twice.
func TestKillWithAFullQueue(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	dir := filepath.Join(m.home, "many")
	record := filepath.Join(m.home, "record")
	write(t, filepath.Join(dir, "blueprint.yaml"), many, 0o644)
	write(t, filepath.Join(dir, "run.sh"), runScript, 0o755)
	m.start()
	c := m.client()
	began := time.Now()
	m.must("blueprints", "upload", dir, "-b", "many")
	c.each(runningAtOnce, func(i int) error {
		return c.do(http.MethodPut, fmt.Sprintf("/deployments/d%d", i), map[string]any{"blueprint_id": "many", "inputs": map[string]any{"record": record}}, nil)
	})
	c.must(c.do(http.MethodPut, "/config/max_concurrent_workflows", map[string]any{"value": 2 * runningAtOnce}, nil))

	t.Logf("%s to make the deployments", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	first := c.startAll(runningAtOnce, "first", false)
	second := c.startAll(queuedBehind, "second", true)
	t.Logf("%s to start them", time.Since(began).Round(time.Millisecond))
	due := time.Now().UTC().Add(6 * time.Second).Truncate(time.Second)
	c.each(scheduledNext, func(i int) error {
		return c.do(http.MethodPut, fmt.Sprintf("/execution-schedules/s%d?deployment_id=d%d", i, i), map[string]any{
			"workflow_id": "execute_operation", "since": due.Format("2006-01-02T15:04:05"), "count": 1, "slip": 5,
			"parameters": parameters(fmt.Sprintf("third-%d", i)),
		}, nil)
	})
	counts := c.statuses()
	t.Logf("killed with %v, and %d scheduled", counts, scheduledNext)
	if counts["started"] != runningAtOnce || counts["queued"] != queuedBehind {
		t.Errorf("%v is not what was to be killed", counts)
	}
	m.kill()
	killed := time.Now()
	m.start()
	write(t, record+".go", "", 0o644)

	wanted := runningAtOnce + queuedBehind + scheduledNext
	for deadline := time.Now().Add(90 * time.Second); ; {
		if counts = c.statuses(); counts["terminated"] >= wanted {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s after the kill there are %v, want %d that terminated", time.Since(killed), counts, wanted)
		}
		pause := time.NewTimer(200 * time.Millisecond)
		<-pause.C
	}
	t.Logf("all %d ended %s after the kill", wanted, time.Since(killed).Round(100*time.Millisecond))
	if len(counts) != 1 {
		t.Errorf("some did not end well: %v", counts)
	}
	checkQueue(t, record, len(first), len(second))
	c.checkOnce(wanted)
	c.checkOrder(wanted)
}

// parameters are those of one run of the operation.
func parameters(which string) map[string]any {
	return map[string]any{"operation": "test.run", "allow_kwargs_override": true, "operation_kwargs": map[string]any{"which": which}}
}

// checkQueue checks what the scripts wrote: all ran once, though the manager was
// killed, and none of a deployment began before the one before it had ended.
func checkQueue(t *testing.T, record string, first, second int) {
	t.Helper()
	data, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	begun, ended := map[string]int{}, map[string]int{}
	for line := range strings.Lines(string(data)) {
		word := strings.Fields(line)
		if len(word) != 2 {
			t.Fatalf("line %q", line)
		}
		turn, deployment, _ := strings.Cut(word[1], "-")
		if word[0] == "end" {
			ended[word[1]]++
			continue
		}
		begun[word[1]]++
		if turn == "second" && ended["first-"+deployment] == 0 {
			t.Errorf("%s began before the one before it had ended", word[1])
		}
	}
	for turn, n := range map[string]int{"first": first, "second": second, "third": scheduledNext} {
		for i := range n {
			if which := fmt.Sprintf("%s-%d", turn, i); begun[which] != 1 || ended[which] != 1 {
				t.Errorf("%s began %d times and ended %d times", which, begun[which], ended[which])
			}
		}
	}
}

// client speaks REST to the manager.
type client struct {
	t    *testing.T
	base string
	auth [2]string
}

func (m *manager) client() *client {
	m.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.home, "log"))
	if err != nil {
		m.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "password:")
	return &client{m.t, "http://" + m.address + "/api/v3.1", [2]string{"admin", strings.Fields(rest + " none")[0]}}
}

func (c *client) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) do(method, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.SetBasicAuth(c.auth[0], c.auth[1])
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Tenant", "default_tenant")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, data)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(data, answer)
}

// each makes n requests, some at once.
func (c *client) each(n int, request func(i int) error) {
	c.t.Helper()
	const clients = 16
	errs := make([]error, clients)
	var all sync.WaitGroup
	for k := range clients {
		all.Go(func() {
			for i := k; i < n && errs[k] == nil; i += clients {
				errs[k] = request(i)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		c.must(err)
	}
}

// startAll starts the operation once on each deployment.
func (c *client) startAll(n int, turn string, queue bool) []string {
	c.t.Helper()
	ids := make([]string, n)
	c.each(n, func(i int) error {
		var e struct{ ID string }
		err := c.do(http.MethodPost, "/executions", map[string]any{
			"deployment_id": fmt.Sprint("d", i), "workflow_id": "execute_operation", "queue": queue, "parameters": parameters(fmt.Sprintf("%s-%d", turn, i)),
		}, &e)
		ids[i] = e.ID
		return err
	})
	return ids
}

// statuses counts the executions of the workflow by status.
func (c *client) statuses() map[string]int {
	c.t.Helper()
	var page struct{ Items []struct{ Status string } }
	c.must(c.do(http.MethodGet, "/executions?_get_all_results=true&_include=status&workflow_id=execute_operation", nil, &page))
	counts := map[string]int{}
	for _, e := range page.Items {
		counts[e.Status]++
	}
	return counts
}

// checkOnce checks that the manager itself recorded each operation as done once.
func (c *client) checkOnce(wanted int) {
	c.t.Helper()
	var page struct {
		Items []struct {
			Execution string `json:"execution_id"`
		}
	}
	c.must(c.do(http.MethodGet, "/events?_get_all_results=true&_size=10000&event_type=task_succeeded&operation=test.run&_include=execution_id", nil, &page))
	done := map[string]int{}
	for _, e := range page.Items {
		done[e.Execution]++
	}
	if len(done) != wanted {
		c.t.Errorf("%d operations are recorded as done, want %d", len(done), wanted)
	}
	for id, n := range done {
		if n != 1 {
			c.t.Errorf("the operation of execution %s is recorded as done %d times", id, n)
		}
	}
}

// checkOrder checks that each execution went through its statuses in a legal
// order, each of them told by one event: with or without the queue before.
func (c *client) checkOrder(wanted int) {
	c.t.Helper()
	var page struct {
		Items []struct {
			Execution string `json:"execution_id"`
			Type      string `json:"event_type"`
			Message   string
			Workflow  string `json:"workflow_id"`
		}
	}
	c.must(c.do(http.MethodGet, "/events?_size=10000&_sort=timestamp&type=cloudify_event&event_type=execution_state_change&event_type=workflow_started"+
		"&event_type=workflow_succeeded&event_type=workflow_failed&event_type=workflow_cancelled", nil, &page))
	changes := map[string][]string{}
	for _, e := range page.Items {
		if e.Workflow != "execute_operation" {
			continue
		}
		change := e.Type
		if _, to, is := strings.Cut(e.Message, "changed state to "); is {
			change = to
		}
		changes[e.Execution] = append(changes[e.Execution], change)
	}
	if len(changes) != wanted {
		c.t.Errorf("%d executions tell of their changes, want %d", len(changes), wanted)
	}
	for id, all := range changes {
		switch strings.Join(all, " ") {
		case "workflow_started workflow_succeeded", "'queued' 'pending' workflow_started workflow_succeeded":
		default:
			c.t.Errorf("execution %s went through %v", id, all)
		}
	}
}
