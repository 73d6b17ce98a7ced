package execution

import (
	"context"
	"testing"
	"time"

	"windlass/internal/store"
)

// queued stores an execution that stands in the queue.
func queued(t *testing.T, st store.Store, id, deployment, workflow string, createdAt, queuedAt time.Time) {
	t.Helper()
	write(t, st, func(ctx context.Context, tx store.Tx) error {
		return tx.AddExecution(ctx, store.Execution{
			Owned: store.Owned{Tenant: "default_tenant", Visibility: store.Tenants, CreatedBy: "admin", CreatedAt: createdAt}, ID: id,
			WorkflowID: workflow, DeploymentID: deployment, Status: store.Queued, QueuedAt: queuedAt, IsSystemWorkflow: IsSystemWide(workflow),
			Parameters: map[string]any{},
		})
	})
}

// The clocks of managers differ, and are put right: two that wait for each other
// by the times that they were given must not wait for ever.
func TestQueueOutlivesClocks(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	now := time.Now().UTC().Truncate(time.Second)
	queued(t, st, "first", "", "restore_snapshot", now, now.Add(5*time.Millisecond))
	queued(t, st, "second", "", "restore_snapshot", now.Add(time.Millisecond), now.Add(2*time.Millisecond))
	s := newService(t, Config{Store: st})
	write(t, st, func(ctx context.Context, tx store.Tx) error { return s.LetIn(ctx, tx) })
	if one, other := get(t, s, "first").Status, get(t, s, "second").Status; one != store.Pending || other != store.Queued {
		t.Errorf("the first is %s and the second %s", one, other)
	}
}

// Those that wait for a place go in when there are more places, though nothing ends.
func TestQueueHeedsItsLimit(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	s := newService(t, Config{Store: st})
	limit := func(n int64) {
		t.Helper()
		write(t, st, func(ctx context.Context, tx store.Tx) error {
			if err := tx.PutSetting(ctx, store.Setting{Scope: "rest", Name: "max_concurrent_workflows", Value: n}); err != nil {
				return err
			}
			return s.LetIn(ctx, tx)
		})
	}
	now := time.Now().UTC()
	for i, id := range []string{"d0", "d1", "d2"} {
		addDeployment(t, st, id, nil)
		queued(t, st, "e"+id, id, "install", now.Add(time.Duration(i)*time.Second), now)
	}
	for _, tt := range []struct{ limit, pending int64 }{{0, 0}, {2, 2}, {20, 3}} {
		limit(tt.limit)
		page, err := st.ListExecutions(t.Context(), store.Query{Filters: []store.Filter{statusIs(store.Pending)}})
		if err != nil || int64(page.Total) != tt.pending {
			t.Errorf("of a limit of %d %d are let in, want %d; %v", tt.limit, page.Total, tt.pending, err)
		}
	}
}

// Of the same instant, each has its own place in the queue.
func TestPlacesInTheQueue(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	s := newService(t, Config{Store: st})
	now := time.Now().UTC()
	for _, id := range []string{"a", "b", "c"} {
		queued(t, st, id, "d", "install", now, now)
	}
	for i, id := range []string{"a", "b", "c"} {
		why, err := s.Why(t.Context(), "default_tenant", id)
		if err != nil || why.Position != i+1 {
			t.Errorf("%s is number %d, want %d; %v", id, why.Position, i+1, err)
		}
	}
}

// A start that is due as maintenance begins is not lost: it is made afterwards.
func TestMaintenanceKeepsSchedules(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	due := time.Now().Add(-time.Second).Truncate(time.Second).UTC()
	storeSchedule(t, st, nightly(due, nil), due)
	s := newService(t, Config{Store: st, Clock: store.NewTestClock(func() time.Time { return due.Add(time.Second) })})
	if _, _, err := s.SetMaintenance(t.Context(), true, "ann"); err != nil {
		t.Fatal(err)
	}
	// It looked for what is due before, and comes to start it now.
	write(t, st, s.startBatch)
	if sc := scheduleIn(t, st); !sc.NextOccurrence.Equal(due) {
		t.Errorf("its next start is at %v, want %v", sc.NextOccurrence, due)
	}
	if _, _, err := s.SetMaintenance(t.Context(), false, "ann"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.startDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(executionsOf(t, st)); n != 1 {
		t.Errorf("%d executions were started", n)
	}
}
