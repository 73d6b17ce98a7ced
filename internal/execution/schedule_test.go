package execution

import (
	"context"
	"errors"
	"testing"
	"time"

	"windlass/internal/operation"
	"windlass/internal/store"
)

func nightly(since time.Time, edit func(*store.Schedule)) store.Schedule {
	sc := store.Schedule{
		Owned: store.Owned{Tenant: "default_tenant", Visibility: store.Tenants, CreatedBy: "admin", CreatedAt: time.Now().UTC()},
		ID:    "s", DeploymentID: "d", WorkflowID: "install", Rule: map[string]any{"recurrence": "1 day"}, Since: since, Enabled: true,
	}
	if edit != nil {
		edit(&sc)
	}
	return sc
}

// storeSchedule stores a schedule as it was left by somebody: due when it says.
func storeSchedule(t *testing.T, st store.Store, sc store.Schedule, due time.Time) {
	t.Helper()
	sc.NextOccurrence = due.UTC()
	write(t, st, func(ctx context.Context, tx store.Tx) error { return tx.AddSchedule(ctx, sc) })
}

func scheduleIn(t *testing.T, st store.Store) store.Schedule {
	t.Helper()
	sc, err := st.GetSchedule(t.Context(), "default_tenant", "d", "s")
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

func executionsOf(t *testing.T, st store.Store) []store.Execution {
	t.Helper()
	list, err := executionsWhere(t.Context(), st, 0, store.Filter{Field: "deployment_id", Values: []string{"d"}})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestDueOnce: several managers, one start; and the schedule goes on.
func TestDueOnce(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	due := time.Now().Add(-time.Second).Truncate(time.Second).UTC()
	storeSchedule(t, st, nightly(due, nil), due)
	done := make(chan error, 3)
	for _, name := range []string{"m1", "m2", "m3"} {
		s := newService(t, Config{Store: st, ManagerName: name, Clock: store.NewTestClock(func() time.Time { return due.Add(time.Second) })})
		go func() { _, err := s.startDue(t.Context()); done <- err }()
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	list := executionsOf(t, st)
	if len(list) != 1 || list[0].WorkflowID != "install" || list[0].CreatedBy != "admin" {
		t.Fatalf("%d executions started: %v", len(list), list)
	}
	sc := scheduleIn(t, st)
	if sc.LatestExecutionID != list[0].ID || !sc.NextOccurrence.Equal(due.AddDate(0, 0, 1)) {
		t.Errorf("latest %s, next %v", sc.LatestExecutionID, sc.NextOccurrence)
	}
}

// TestChangedJustAfterItWasDue: a change in the very second of an occurrence neither
// repeats one that was started nor loses one that was not.
func TestChangedJustAfterItWasDue(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	due := time.Now().Add(-time.Hour).Truncate(time.Second).UTC()
	now := due.Add(100 * time.Millisecond)
	storeSchedule(t, st, nightly(due, nil), due)
	s := newService(t, Config{Store: st, Clock: store.NewTestClock(func() time.Time { return now })})
	change := func(want time.Time) {
		t.Helper()
		now = now.Add(100 * time.Millisecond)
		sc, err := s.ChangeSchedule(t.Context(), "default_tenant", "d", "s", func(sc *store.Schedule) error { sc.Slip++; return nil })
		if err != nil || !sc.NextOccurrence.Equal(want) {
			t.Fatalf("it is due at %v, %v, want %v", sc.NextOccurrence, err, want)
		}
	}
	change(due)
	if _, err := s.startDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	change(due.AddDate(0, 0, 1))
	if _, err := s.startDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if list := executionsOf(t, st); len(list) != 1 {
		t.Errorf("%d executions started", len(list))
	}
}

// TestSchedulerIsPunctual: what is added while the manager runs starts when it is due.
func TestSchedulerIsPunctual(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"script": newScripted()}})
	serve(t, s)
	wake, stop := st.Subscribe(store.TopicExecutions)
	defer stop()
	due := time.Now().Add(time.Second).Truncate(time.Second)
	sc, err := s.AddSchedule(t.Context(), nil, nightly(due, func(sc *store.Schedule) { sc.Rule = map[string]any{"count": int64(1)} }))
	if err != nil {
		t.Fatal(err)
	}
	if !sc.NextOccurrence.Equal(due) {
		t.Fatalf("due at %v, want %v", sc.NextOccurrence, due)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for len(executionsOf(t, st)) == 0 {
		select {
		case <-wake:
		case <-ctx.Done():
			t.Fatal("it was never started")
		}
	}
	e := executionsOf(t, st)[0]
	if e.CreatedAt.Before(due) {
		t.Errorf("started at %v, due at %v", e.CreatedAt, due)
	}
	waitEnd(t, s, e.ID, store.Terminated)
	if sc := scheduleIn(t, st); !sc.NextOccurrence.IsZero() {
		t.Errorf("it is due again at %v", sc.NextOccurrence)
	}
}

func TestWhatIsNotStarted(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Second).UTC()
	for name, tc := range map[string]struct {
		due     time.Time
		latest  store.Status // of the last execution; "" for none
		edit    func(*store.Schedule)
		starts  bool
		enabled bool
	}{
		"the last one runs":             {due: now, latest: store.Started, enabled: true},
		"the last one waits":            {due: now, latest: store.Queued, enabled: true},
		"the last one failed":           {due: now, latest: store.Failed, enabled: true, starts: true},
		"failed, and that ends it":      {due: now, latest: store.Failed, edit: func(sc *store.Schedule) { sc.StopOnFail = true }},
		"ended well":                    {due: now, latest: store.Terminated, enabled: true, starts: true, edit: func(sc *store.Schedule) { sc.StopOnFail = true }},
		"too late":                      {due: now.Add(-2 * time.Minute), enabled: true},
		"late within the slip":          {due: now.Add(-2 * time.Minute), enabled: true, starts: true, edit: func(sc *store.Schedule) { sc.Slip = 2 }},
		"a rule that can't be followed": {due: now, edit: func(sc *store.Schedule) { sc.Rule = map[string]any{"recurrence": "often"} }},
		"a workflow that is gone":       {due: now, enabled: true, edit: func(sc *store.Schedule) { sc.WorkflowID = "gone" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := openStore(t)
			addDeployment(t, st, "d", nil)
			sc := nightly(tc.due.AddDate(0, 0, -3), tc.edit)
			before := 0
			if tc.latest != "" {
				before, sc.LatestExecutionID = 1, "last"
				write(t, st, func(ctx context.Context, tx store.Tx) error {
					return tx.AddExecution(ctx, store.Execution{Owned: sc.Owned, ID: "last", WorkflowID: "custom", DeploymentID: "d", Status: tc.latest})
				})
			}
			storeSchedule(t, st, sc, tc.due)
			s := newService(t, Config{Store: st, Clock: store.NewTestClock(func() time.Time { return now })})
			if _, err := s.startDue(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := len(executionsOf(t, st)) - before; (got == 1) != tc.starts {
				t.Errorf("%d executions started", got)
			}
			after := scheduleIn(t, st)
			if after.Enabled != tc.enabled {
				t.Errorf("enabled: %v", after.Enabled)
			}
			if tc.enabled && !after.NextOccurrence.After(now) {
				t.Errorf("next at %v: the schedule does not go on", after.NextOccurrence)
			}
		})
	}
}

func TestBadSchedules(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	s := newService(t, Config{Store: st})
	for name, edit := range map[string]func(*store.Schedule){
		"workflow":   func(sc *store.Schedule) { sc.WorkflowID = "gone" },
		"rule":       func(sc *store.Schedule) { sc.Rule = nil },
		"slip":       func(sc *store.Schedule) { sc.Slip = -1 },
		"time zone":  func(sc *store.Schedule) { sc.TimeZone = "Moon/Base" },
		"ends first": func(sc *store.Schedule) { sc.Until = sc.Since.Add(-time.Hour) },
	} {
		var refusal *Refusal
		if _, err := s.AddSchedule(t.Context(), nil, nightly(time.Now(), edit)); !errors.As(err, &refusal) {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
	if _, err := s.StartLater(t.Context(), StartRequest{Tenant: "default_tenant", DeploymentID: "d", WorkflowID: "install"}, time.Now()); err == nil {
		t.Error("a start in the past passed")
	}
}
