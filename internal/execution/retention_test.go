package execution

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"windlass/internal/store"
)

func TestRetention(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	for name, tc := range map[string]struct {
		settings   map[string]int64
		kept       []string // of old-1 (oldest) to old-4 (400, 300, 200, 100 days ago), running
		withEvents []string
	}{
		"by default":      {kept: []string{"old-2", "old-3", "old-4", "running"}, withEvents: []string{"running"}},
		"all is kept":     {settings: map[string]int64{"retention_events_days": 0, "retention_executions_days": 0}, kept: []string{"old-1", "old-2", "old-3", "old-4", "running"}, withEvents: []string{"old-1", "old-2", "old-3", "old-4", "running"}},
		"by count":        {settings: map[string]int64{"retention_events_days": 0, "retention_executions_count": 2}, kept: []string{"old-3", "old-4", "running"}, withEvents: []string{"old-3", "old-4", "running"}},
		"events by count": {settings: map[string]int64{"retention_events_days": 0, "retention_executions_days": 0, "retention_events_count": 8}, kept: []string{"old-1", "old-2", "old-3", "old-4", "running"}, withEvents: []string{"old-4", "running"}},
		"the latest stay": {settings: map[string]int64{"retention_executions_days": 1, "retention_events_days": 250}, kept: []string{"old-4", "running"}, withEvents: []string{"old-4", "running"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := openStore(t)
			addDeployment(t, st, "d", nil)
			s := newService(t, Config{Store: st, Clock: store.NewTestClock(func() time.Time { return now })})
			add := func(id string, status store.Status, ended time.Time) {
				e := store.Execution{
					Owned: store.Owned{Tenant: "default_tenant", CreatedAt: now.AddDate(-2, 0, 0)},
					ID:    id, DeploymentID: "d", WorkflowID: "custom", Status: status, EndedAt: ended,
				}
				write(t, st, func(ctx context.Context, tx store.Tx) error {
					if err := tx.AddExecution(ctx, e); err != nil {
						return err
					}
					return tx.AddEvents(ctx, []store.Event{s.workflowEvent(e, "workflow_event", "one"), s.logEvent(e), s.workflowEvent(e, "workflow_event", "two")})
				})
			}
			for k := 1; k <= 4; k++ {
				add(fmt.Sprint("old-", k), store.Terminated, now.AddDate(0, 0, -100*(5-k)))
			}
			add("running", store.Started, time.Time{})
			write(t, st, func(ctx context.Context, tx store.Tx) error {
				d, err := tx.GetDeployment(ctx, "default_tenant", "d")
				if err != nil {
					return err
				}
				d.LatestExecutionID = "old-4"
				if err := tx.UpdateDeployment(ctx, d); err != nil {
					return err
				}
				for name, n := range tc.settings {
					if err := tx.PutSetting(ctx, store.Setting{Scope: "retention", Name: name, Value: n}); err != nil {
						return err
					}
				}
				return nil
			})
			for range 2 { // the second time there is nothing left to do
				if err := s.Expire(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			var kept, withEvents []string
			for _, e := range executionsOf(t, st) {
				kept = append(kept, e.ID)
				events, err := st.TailEvents(t.Context(), e.ID, 0, 10)
				if err != nil {
					t.Fatal(err)
				}
				if len(events) > 0 {
					withEvents = append(withEvents, e.ID)
				}
			}
			if slices.Sort(kept); !slices.Equal(kept, tc.kept) {
				t.Errorf("kept %v, want %v", kept, tc.kept)
			}
			if slices.Sort(withEvents); !slices.Equal(withEvents, tc.withEvents) {
				t.Errorf("%v have events, want %v", withEvents, tc.withEvents)
			}
		})
	}
}

// TestResumedMeanwhile: what is chosen for removal, and resumed before it goes, stays.
func TestResumedMeanwhile(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	s := newService(t, Config{Store: st})
	stored(t, st, "gone", "d", "custom", store.Terminated)
	stored(t, st, "resumed", "d", "custom", store.Failed)
	if _, err := s.Resume(t.Context(), "", "resumed", false); err != nil {
		t.Fatal(err)
	}
	if n, err := s.trim(t.Context(), "resumed"); n != 0 || err != nil {
		t.Errorf("%d of its events went, %v", n, err)
	}
	if n, err := s.Remove(t.Context(), []string{"gone", "none", "resumed"}); n != 1 || err != nil {
		t.Errorf("%d went, %v", n, err)
	}
	if all := executionsOf(t, st); len(all) != 1 || all[0].ID != "resumed" {
		t.Errorf("left are %v", all)
	}
}

// logEvent is a log line of an execution.
func (s *Service) logEvent(e store.Execution) store.Event {
	line := s.workflowEvent(e, "", "log")
	line.Type, line.Level = store.TypeLog, "info"
	return line
}

// TestQueueBehindSystemWide: the original's 7.x made such starts wait unasked.
func TestQueueBehindSystemWide(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	s := newService(t, Config{Store: st})
	snapshot := store.Execution{
		Owned: store.Owned{Tenant: "default_tenant", CreatedAt: time.Now().UTC()}, ID: "wide", WorkflowID: "restore_snapshot",
		Status: store.Started, IsSystemWorkflow: true,
	}
	write(t, st, func(ctx context.Context, tx store.Tx) error { return tx.AddExecution(ctx, snapshot) })
	r := StartRequest{Tenant: "default_tenant", DeploymentID: "d", WorkflowID: "install"}
	if _, err := s.Start(t.Context(), r); err == nil {
		t.Fatal("it was let in beside a system-wide execution")
	}
	write(t, st, func(ctx context.Context, tx store.Tx) error {
		return tx.PutSetting(ctx, store.Setting{Scope: "rest", Name: "queue_behind_system_wide", Value: true})
	})
	e, err := s.Start(t.Context(), r)
	if err != nil || e.Status != store.Queued {
		t.Errorf("it is %s, %v; want queued", e.Status, err)
	}
}
