package rest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/store"
)

func TestSummary(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.deployment("d1")
	for _, s := range []store.Status{store.Started, store.Failed, store.Failed} {
		a.execution(store.Execution{DeploymentID: "d1", Status: s})
	}
	got := a.get("/summary/executions?_target_field=deployment_id&_sub_field=status").items()
	want := []object{{"deployment_id": "d1", "executions": int64(3), "by status": []any{
		object{"status": "failed", "executions": int64(2)}, object{"status": "started", "executions": int64(1)}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	a.get("/summary/executions?_target_field=error").refused("bad_parameters_error", "not a valid field")
	a.get("/summary/executions").refused("bad_parameters_error", "not a valid field")
	a.get("/summary/cats?_target_field=x").refused("not_found_error", "")
}

// TestSummaryOfSchedules: clients ask how many come once, and how many again.
func TestSummaryOfSchedules(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.deployment("d1")
	a.write(func(tx store.Tx) error {
		for id, rule := range map[string]map[string]any{
			"once": {"count": int64(1)}, "also": {"recurrence": "1 days", "count": int64(1)}, "daily": {"recurrence": "1 days"},
			"rule": {"rrule": "RRULE:FREQ=DAILY;COUNT=2"}, "rule1": {"rrule": "RRULE:FREQ=DAILY;COUNT=1"},
		} {
			if err := tx.AddSchedule(t.Context(), store.Schedule{
				Owned: owned("admin"), ID: id, DeploymentID: "d1", WorkflowID: "install", Rule: rule, Since: time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC),
			}); err != nil {
				return err
			}
		}
		return nil
	})
	got := a.get("/summary/execution_schedules?_target_field=deployment_id&_sub_field=recurrence").items()
	want := []object{{"deployment_id": "d1", "execution_schedules": int64(5), "by recurrence": []any{
		object{"recurrence": "recurring", "execution_schedules": int64(2)}, object{"recurrence": "single", "execution_schedules": int64(3)}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
