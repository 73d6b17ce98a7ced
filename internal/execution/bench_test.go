package execution

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"windlass/internal/graph"
	"windlass/internal/operation"
	"windlass/internal/store"
	"windlass/internal/workflow"
)

// stopwatch is a runner that does nothing and notes when operations began and ended.
type stopwatch struct {
	mu           sync.Mutex
	began, ended map[string]time.Time
}

func (s *stopwatch) Run(ctx context.Context, req *operation.Request, host operation.Host) (any, error) {
	now := time.Now()
	if err := host.Started(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.began[req.TaskID], s.ended[req.TaskID] = now, time.Now()
	s.mu.Unlock()
	return nil, nil
}

// chains is a workflow of many sequences of tasks that do nothing.
func chains(width, length int, kind graph.Kind) workflow.Func {
	return func(ctx context.Context, h workflow.Host, _ map[string]any) error {
		return h.Execute(ctx, "chains", nil, func(ids graph.IDs) (*graph.Graph, error) {
			g := graph.New(ids)
			for range width {
				seq := g.NewSequence(nil)
				for range length {
					t := &graph.Task{Kind: kind, Name: "noop"}
					if kind == graph.Operation {
						t.SendEvents = true
						t.Payload = &workflow.OperationPayload{
							Operation: "cloudify.interfaces.lifecycle.create", Plugin: "script", Implementation: "noop",
							InstanceID: "d0-db_b00001", NodeID: "db",
						}
					}
					seq.Add(t)
				}
			}
			return g, nil
		})
	}
}

// BenchmarkEngine runs graphs of operations that do nothing, journalled with
// sync and with all their events, and reports tasks a second and the time from
// a task's end to the beginning of the one that waits for it.
func BenchmarkEngine(b *testing.B) {
	for _, c := range []struct {
		kind                          graph.Kind
		executions, operations, width int
	}{
		{graph.NOP, 1, 20, 0}, {graph.Operation, 1, 20, 0}, {graph.Operation, 1, 256, 0}, {graph.Operation, 20, 256, 0},
		{graph.Operation, 1, 20, 1},
	} {
		b.Run(fmt.Sprintf("%s/executions=%d/slots=%d/width=%d", c.kind, c.executions, c.operations, c.width), func(b *testing.B) {
			length, width := 10, max(1, b.N/10/c.executions)
			if c.width > 0 { // few enough for all to run at once: this shows the time of a step
				length, width = max(2, b.N/c.width/20), c.width
			}
			watch := &stopwatch{began: map[string]time.Time{}, ended: map[string]time.Time{}}
			st := openStore(b)
			for i := range c.executions {
				addDeployment(b, st, fmt.Sprintf("d%d", i), nil)
			}
			s := newService(b, Config{
				Store: st, Runners: map[string]operation.Runner{"": watch}, Limits: Limits{Operations: c.operations},
				Timing:    Timing{Poll: time.Second},
				Workflows: func(string, string) (workflow.Func, bool) { return chains(width, length, c.kind), true },
			})
			serve(b, s)
			b.ResetTimer()
			start := time.Now()
			var ids []string
			for i := range c.executions {
				ids = append(ids, install(b, s, fmt.Sprintf("d%d", i), nil).ID)
			}
			for _, id := range ids {
				waitEnd(b, s, id, store.Terminated)
			}
			elapsed := time.Since(start)
			b.StopTimer()
			b.ReportMetric(float64(width*length*c.executions)/elapsed.Seconds(), "tasks/s")
			if c.width == 0 {
				return
			}
			plain := plainSyncs(b, 200)
			b.ReportMetric(float64(plain[len(plain)/2].Microseconds()), "us/plain-sync-p50")
			steps := latencies(b, st, ids[0], watch)
			for name, share := range map[string]float64{"us/step-p50": 0.5, "us/step-p99": 0.99} {
				b.ReportMetric(float64(steps[int(share*float64(len(steps)-1))].Microseconds()), name)
			}
		})
	}
}

// latencies are the times from an operation's end to the start of the one that
// waits for it, shortest first.
func latencies(b *testing.B, st store.Store, execution string, watch *stopwatch) []time.Duration {
	ops, err := st.ListOperations(b.Context(), store.Query{Filters: []store.Filter{{Field: "execution_id", Values: []string{execution}}}})
	if err != nil {
		b.Fatal(err)
	}
	var steps []time.Duration
	for _, op := range ops.Items {
		for _, before := range op.Dependencies {
			steps = append(steps, watch.began[op.ID].Sub(watch.ended[before]))
		}
	}
	slices.Sort(steps)
	return steps
}

// plainSyncs are the times that it takes to append a page to a file and sync it,
// shortest first: no step that is journalled can be quicker.
func plainSyncs(b *testing.B, n int) []time.Duration {
	f, err := os.Create(filepath.Join(b.TempDir(), "plain"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	page := make([]byte, 4096)
	took := make([]time.Duration, n)
	for i := range took {
		began := time.Now()
		_, err := f.Write(page)
		if err = errors.Join(err, f.Sync()); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took
}
