package rest

import (
	"testing"

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
