package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"windlass/internal/store"
)

// Benchmark measures state changes: each is a task's new state and the event
// that tells of it, journalled under the execution's claim.
func Benchmark(b *testing.B, open Opener) {
	b.Run("journal", func(b *testing.B) {
		for _, tt := range []struct{ executions, batch int }{{1, 1}, {1, 10}, {1, 50}, {32, 1}, {32, 10}, {32, 50}} {
			b.Run(fmt.Sprintf("executions=%d/batch=%d", tt.executions, tt.batch), func(b *testing.B) {
				benchmarkJournal(b, open, tt.executions, tt.batch)
			})
		}
	})
}

// tasks is how many each execution of the benchmark has.
const tasks = 1000

func benchmarkJournal(b *testing.B, open Opener, executions, batch int) {
	st, err := open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	}()
	run := benchRuns.Add(1)
	fences := make([]store.Fence, executions)
	for i := range fences {
		if fences[i], err = benchExecution(b.Context(), st, fmt.Sprintf("00000000-0000-4000-8000-%06d%06d", run, i)); err != nil {
			b.Fatal(err)
		}
	}
	var next atomic.Int64
	var callers sync.WaitGroup
	b.ResetTimer()
	for _, f := range fences {
		callers.Go(func() {
			for at := 0; next.Add(1) <= int64(b.N); at += batch {
				changes := benchBatch(f.ExecutionID, at, batch)
				if err := st.Write(b.Context(), func(tx store.Tx) error { return tx.Journal(b.Context(), f, changes) }); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	callers.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "changes/s")
	b.ReportMetric(0, "ns/op")
}

var benchRuns atomic.Int64 // keeps the ids of runs on one database apart

func benchExecution(ctx context.Context, st store.Store, id string) (f store.Fence, err error) {
	ops := make([]store.Operation, tasks)
	for i := range ops {
		ops[i] = store.Operation{
			ID: benchTask(id, i), GraphID: "g-" + id, Position: i, Name: "script_runner.tasks.run", Type: "RemoteWorkflowTask", State: "pending",
			Dependencies: []string{benchTask(id, i-1)}, CreatedAt: at(0),
			Parameters: map[string]any{"total_retries": int64(60), "current_retries": int64(0), "task_kwargs": map[string]any{"kwargs": map[string]any{
				"script_path": "scripts/create.sh", "__cloudify_context": map[string]any{
					"deployment_id": "d", "node_id": "vm_1", "operation": map[string]any{"name": "cloudify.interfaces.lifecycle.create"},
				},
			}}},
		}
	}
	err = st.Write(ctx, func(tx store.Tx) error {
		if err := tx.AddExecution(ctx, store.Execution{Owned: owned("a", 0), ID: id, DeploymentID: "d", Status: store.Started}); err != nil {
			return err
		}
		if err := tx.AddGraph(ctx, store.Graph{ID: "g-" + id, ExecutionID: id, Name: "install"}, ops); err != nil {
			return err
		}
		e, err := tx.ClaimExecution(ctx, store.Execution{ID: id}, "one", lasting(at(0), at(60)))
		f = store.Fence{ExecutionID: id, Epoch: e.Epoch}
		return err
	})
	return f, err
}

func benchTask(execution string, n int) string { return fmt.Sprintf("%s-%04d", execution, n) }

func benchBatch(execution string, first, n int) store.JournalBatch {
	states := []string{"sending", "sent", "started", "succeeded"}
	var b store.JournalBatch
	for i := first; i < first+n; i++ {
		b.Changed = append(b.Changed, store.OperationChange{ID: benchTask(execution, i%tasks), Type: "RemoteWorkflowTask", State: states[i/tasks%len(states)]})
		b.Events = append(b.Events, store.Event{
			Type: store.TypeEvent, ExecutionID: execution, Tenant: "a", ReportedTimestamp: at(i), EventType: "task_started",
			Message: "Task started 'script_runner.tasks.run' with a text that is as long as those of events usually are, about this",
			NodeID:  "vm_1a2b3c", Operation: "cloudify.interfaces.lifecycle.create", ManagerName: "manager",
		})
	}
	return b
}
