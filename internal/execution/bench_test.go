package execution

import (
	"context"
	"fmt"
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

// chains is a workflow of many sequences of operations that do nothing.
func chains(width, length int) workflow.Func {
	return func(ctx context.Context, h workflow.Host, _ map[string]any) error {
		return h.Execute(ctx, "chains", nil, func(ids graph.IDs) (*graph.Graph, error) {
			g := graph.New(ids)
			for range width {
				seq := g.NewSequence(nil)
				for range length {
					seq.Add(&graph.Task{Kind: graph.Operation, Name: "noop", SendEvents: true, Payload: &workflow.OperationPayload{
						Operation: "cloudify.interfaces.lifecycle.create", Plugin: "script", Implementation: "noop",
						InstanceID: "d0-db_b00001", NodeID: "db",
					}})
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
	for _, c := range []struct{ executions, operations, width int }{{1, 20, 0}, {1, 256, 0}, {20, 256, 0}, {1, 20, 1}} {
		b.Run(fmt.Sprintf("executions=%d/slots=%d/width=%d", c.executions, c.operations, c.width), func(b *testing.B) {
			length, width := 10, max(1, b.N/10/c.executions)
			if c.width > 0 { // few enough for all to run at once: this shows the time of a step
				length, width = max(1, b.N/c.width/20), c.width
			}
			watch := &stopwatch{began: map[string]time.Time{}, ended: map[string]time.Time{}}
			st := openStore(b)
			for i := range c.executions {
				addDeployment(b, st, fmt.Sprintf("d%d", i), nil)
			}
			s := newService(b, Config{
				Store: st, Runners: map[string]operation.Runner{"": watch}, Limits: Limits{Operations: c.operations},
				Timing:    Timing{Poll: time.Second},
				Workflows: func(string, string) (workflow.Func, bool) { return chains(width, length), true },
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
			b.ReportMetric(float64(latency(b, st, ids[0], watch).Microseconds()), "us/step")
		})
	}
}

// latency is the mean time from an operation's end to the start of the one
// that waits for it.
func latency(b *testing.B, st store.Store, execution string, watch *stopwatch) time.Duration {
	ops, err := st.ListOperations(b.Context(), store.Query{Filters: []store.Filter{{Field: "execution_id", Values: []string{execution}}}})
	if err != nil {
		b.Fatal(err)
	}
	var sum time.Duration
	n := 0
	for _, op := range ops.Items {
		for _, before := range op.Dependencies {
			sum += watch.began[op.ID].Sub(watch.ended[before])
			n++
		}
	}
	return sum / time.Duration(max(n, 1))
}
