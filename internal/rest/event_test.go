package rest

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/store"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.deployment("d1")
	e := a.execution(store.Execution{DeploymentID: "d1", Status: store.Started})
	post := func(body object) answered { return a.do(ask{method: "POST", path: "/events", body: body}) }
	post(object{}).is(http.StatusNoContent)
	post(object{"events": []any{}, "logs": []any{}, "execution_id": e.ID}).is(http.StatusNoContent)
	post(object{"logs": []any{object{"message": "x"}}}).refused("bad_parameters_error", "")
	post(object{"logs": []any{object{"message": "x"}}, "execution_id": "a", "execution_group_id": "b"}).refused("conflict_error", "not both")
	post(object{
		"execution_id": e.ID, "manager_name": "m",
		"events": []any{object{"event_type": "task_failed", "message": object{"text": "Task\x00failed"}, "operation": "op", "timestamp": "2026-05-01T10:00:00.500Z",
			"context": object{"node_id": "n_1", "task_error_causes": []any{object{"message": "m", "type": "T", "traceback": "tb"}}}}},
		"logs": []any{object{"level": "WARNING", "logger": "l", "message": object{"text": "50% done"}, "context": object{"operation": "lifecycle.start"}}},
	}).is(http.StatusCreated)

	items := a.get("/events?execution_id=" + e.ID + "&_sort=timestamp").items()
	if len(items) != 2 {
		t.Fatalf("%d items", len(items))
	}
	ev, log := items[0], items[1]
	if ev["type"] == "cloudify_log" {
		ev, log = log, ev
	}
	if ev["message"] != "Task<NUL>failed" || ev["reported_timestamp"] != "2026-05-01T10:00:00.500Z" || ev["deployment_id"] != "d1" || ev["workflow_id"] != "install" ||
		ev["node_instance_id"] != "n_1" || ev["manager_name"] != "m" || len(ev["error_causes"].([]any)) != 1 {
		t.Errorf("event: %v", ev)
	}
	if log["level"] != "warning" || log["operation"] != "lifecycle.start" || log["logger"] != "l" || log["error_causes"] != nil {
		t.Errorf("log: %v", log)
	}
	for path, want := range map[string]int{
		"/events": 2, "/events?type=cloudify_event": 1, "/events?type=cloudify_event&type=cloudify_log": 2, "/events?level=WARNING": 1,
		"/events?message=%2550%5C%25%25": 1, "/events?message.text=%25TASK%25": 1, "/events?message=task": 0, "/events?deployment_id=d1": 2,
		"/events?deployment_id=d2": 0, "/events?operation=life%25": 1, "/events?_range=reported_timestamp,,2026-05-01T10:00:00.500Z": 0,
		"/events?_range=@reported_timestamp,2026-05-01T10:00:00.500Z,2026-05-01T10:00:00.501Z": 1, "/events?event_type=task_failed": 1,
		"/events?_range=reported_timestamp,2026-05-01T10:00:00+00:00,": 2,
	} {
		if got := a.get(path).items(); len(got) != want {
			t.Errorf("%s: %d items, want %d", path, len(got), want)
		}
	}
	if size := a.get("/events").object()["metadata"].(object)["pagination"].(object)["size"]; size != int64(10000) {
		t.Errorf("page size %v", size)
	}
	a.get("/events?nonsense=1").refused("bad_parameters_error", "Unknown field to filter by: nonsense. Allowed values: ")
	a.get("/events?_range=timestamp").refused("bad_parameters_error", "three elements")
	a.get("/events?_range=level,a,b").refused("bad_parameters_error", "level")

	a.do(ask{method: "DELETE", path: "/events?deployment_id=d1&type=cloudify_log"}).refused("bad_parameters_error", "type=cloudify_event")
	r := a.do(ask{method: "DELETE", path: "/events?deployment_id=d1&type=cloudify_event"}).is(http.StatusOK).object()
	if diff := cmp.Diff([]any{int64(1)}, r["items"]); diff != "" {
		t.Error(diff)
	}
}
