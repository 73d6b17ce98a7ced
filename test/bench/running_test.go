package bench

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

const waits = `tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
node_templates:
  one:
    type: cloudify.nodes.Root
    interfaces:
      test: {wait: {implementation: later.sh, executor: central_deployment_agent, max_retries: -1}}
`

const later = "#!/bin/sh\nctx operation retry 'not yet' 3600\n"

// BenchmarkRunning has 1,000 executions under way at once, each of which ran a
// script that wants to be tried again. It reports the manager's memory, how long
// its answers take meanwhile, and, after the manager was killed, how long a new
// one takes from its start until it runs them all.
func BenchmarkRunning(b *testing.B) {
	const count, answers = 1000, 2000
	for range b.N {
		m := startManager(b)
		dir := filepath.Join(m.home, "waits")
		write(b, filepath.Join(dir, "blueprint.yaml"), waits, 0o644)
		write(b, filepath.Join(dir, "later.sh"), later, 0o755)
		m.run(b, "blueprints", "upload", dir, "-b", "waits")
		began := time.Now()
		m.each(b, count, func(i int) error {
			return m.ask(http.MethodPut, fmt.Sprint("/deployments/d", i), map[string]any{"blueprint_id": "waits"}, nil)
		})
		b.ReportMetric(count/time.Since(began).Seconds(), "deployments/s")
		m.each(b, count, func(i int) error {
			return m.ask(http.MethodPost, "/executions", map[string]any{
				"deployment_id": fmt.Sprint("d", i), "workflow_id": "execute_operation", "parameters": map[string]any{"operation": "test.wait"},
			}, nil)
		})
		for m.total(b, "/events?event_type=task_rescheduled") < count {
			time.Sleep(100 * time.Millisecond)
		}
		now, peak := m.resident(b)
		b.ReportMetric(now, "MB-resident")
		b.ReportMetric(peak, "MB-peak")

		ids := m.ids(b)
		if len(ids) != count {
			b.Fatalf("%d executions run", len(ids))
		}
		took := m.answers(b, answers, ids)
		b.ReportMetric(took[answers/2].Seconds()*1000, "ms-answer-p50")
		b.ReportMetric(took[answers*99/100].Seconds()*1000, "ms-answer-p99")

		m.kill(b)
		began = time.Now()
		m.restart(b)
		for _, id := range ids {
			for !m.runs(b, id) {
				time.Sleep(10 * time.Millisecond)
			}
		}
		b.ReportMetric(time.Since(began).Seconds(), "s-to-resume")
		b.ReportMetric(0, "ns/op")
	}
}

// each makes n requests by several clients at once.
func (m *manager) each(b *testing.B, n int, request func(i int) error) {
	b.Helper()
	const clients = 16
	var all sync.WaitGroup
	errs := make([]error, clients)
	for k := range clients {
		all.Go(func() {
			for i := k; i < n && errs[k] == nil; i += clients {
				errs[k] = request(i)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			b.Fatal(err)
		}
	}
}

// total is how many items a list has.
func (m *manager) total(b *testing.B, list string) int {
	b.Helper()
	var page struct {
		Metadata struct{ Pagination struct{ Total int } }
	}
	if err := m.ask(http.MethodGet, list+"&_size=1", nil, &page); err != nil {
		b.Fatal(err)
	}
	return page.Metadata.Pagination.Total
}

// ids are those of the executions that run.
func (m *manager) ids(b *testing.B) []string {
	b.Helper()
	var ids []string
	for {
		var page struct{ Items []struct{ ID string } }
		if err := m.ask(http.MethodGet, fmt.Sprintf("/executions?_include=id&status=started&_size=500&_offset=%d", len(ids)), nil, &page); err != nil {
			b.Fatal(err)
		}
		if len(page.Items) == 0 {
			return ids
		}
		for _, item := range page.Items {
			ids = append(ids, item.ID)
		}
	}
}

// answers tells how long n requests of several kinds take, shortest first.
func (m *manager) answers(b *testing.B, n int, ids []string) []time.Duration {
	b.Helper()
	took := make([]time.Duration, n)
	for i := range took {
		id := ids[i%len(ids)]
		paths := []string{
			"/executions/" + id, "/executions?_size=50", "/deployments?_size=50", "/executions/" + id + "/why",
			"/events?_size=50&" + url.Values{"execution_id": {id}}.Encode(),
		}
		began := time.Now()
		if err := m.ask(http.MethodGet, paths[i%len(paths)], nil, nil); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took
}

// runs tells whether the manager runs the execution and knows what it waits for.
func (m *manager) runs(b *testing.B, id string) bool {
	b.Helper()
	var why struct{ Waiting []any }
	if err := m.ask(http.MethodGet, "/executions/"+id+"/why", nil, &why); err != nil {
		b.Fatal(err)
	}
	return len(why.Waiting) > 0
}

func (m *manager) kill(b *testing.B) {
	b.Helper()
	if err := m.process.Process.Kill(); err != nil {
		b.Fatal(err)
	}
	_ = m.process.Wait() // it says that it was killed
}
