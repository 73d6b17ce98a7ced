package execution

import (
	"context"
	"testing"
	"time"

	"windlass/internal/store"
)

// TestCatchUp lets a schedule that is due every hour miss four times.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Second)
	due := now.Add(-3*time.Hour - 10*time.Minute)
	for name, c := range map[string]struct {
		own     string
		setting any
		step    string
		slip    int
		want    int
	}{
		"by default":            {"", nil, "1 hours", 0, 0},
		"skip":                  {CatchUpSkip, CatchUpAll, "1 hours", 0, 0},
		"once":                  {CatchUpOnce, nil, "1 hours", 0, 1},
		"all":                   {CatchUpAll, nil, "1 hours", 0, 4},
		"all, bounded":          {CatchUpAll, nil, "1 minutes", 0, mostMissed},
		"the manager's setting": {"", CatchUpOnce, "1 hours", 0, 1},
		"not missed at all":     {CatchUpAll, nil, "1 hours", 300, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := openStore(t)
			addDeployment(t, st, "d", nil)
			if c.setting != nil {
				write(t, st, func(ctx context.Context, tx store.Tx) error {
					return tx.PutSetting(ctx, store.Setting{Scope: "rest", Name: CatchUpSetting, Value: c.setting})
				})
			}
			storeSchedule(t, st, nightly(due, func(sc *store.Schedule) {
				sc.CatchUp, sc.Slip, sc.Rule = c.own, c.slip, map[string]any{"recurrence": c.step}
			}), due)
			s := newService(t, Config{Store: st, Clock: store.NewTestClock(func() time.Time { return now })})
			if _, err := s.startDue(t.Context()); err != nil {
				t.Fatal(err)
			}
			list := executionsOf(t, st)
			if len(list) != c.want {
				t.Fatalf("%d executions, want %d", len(list), c.want)
			}
			for i, e := range list {
				want := store.Queued
				if i == 0 {
					want = store.Pending
				}
				if e.Status != want {
					t.Errorf("execution %d is %s, want %s", i, e.Status, want)
				}
			}
			sc := scheduleIn(t, st)
			if len(list) > 0 && sc.LatestExecutionID != list[len(list)-1].ID {
				t.Errorf("the latest execution is %q", sc.LatestExecutionID)
			}
			if !sc.NextOccurrence.After(now) {
				t.Errorf("the next occurrence is %s, which is over", sc.NextOccurrence)
			}
		})
	}
}
