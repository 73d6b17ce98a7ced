package rest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
)

func TestSchedules(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	want := func(status int, method, path string, body object) object {
		t.Helper()
		got := a.do(ask{method: method, path: path, body: body}).is(status)
		if status == http.StatusNoContent {
			return nil
		}
		return got.object()
	}
	a.write(func(tx store.Tx) error {
		return tx.AddDeployment(t.Context(), store.Deployment{
			Owned: owned("admin"), ID: "d", BlueprintID: "b", Workflows: map[string]plan.Workflow{"backup": {}},
		})
	})
	const path = "/execution-schedules/nightly?deployment_id=d"
	body := object{"workflow_id": "backup", "since": "2096-01-31T22:00:00.000000", "recurrence": "1 days", "weekdays": []any{"sa", "su"},
		"slip": int64(5), "execution_arguments": object{"dry_run": true}, "until": nil}
	got := want(http.StatusCreated, "PUT", path, body)
	for name, want := range map[string]any{
		"id": "nightly", "deployment_id": "d", "workflow_id": "backup", "since": "2096-01-31T22:00:00.000Z", "until": nil,
		"next_occurrence": "2096-02-04T22:00:00.000Z", "slip": int64(5), "enabled": true, "stop_on_fail": false, "latest_execution_status": nil,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if all, _ := got["all_next_occurrences"].([]any); len(all) != 1000 || all[1] != "2096-02-05 22:00:00" {
		t.Errorf("all_next_occurrences has %d entries", len(all))
	}
	if args, _ := got["execution_arguments"].(object); args["is_dry_run"] != true || args["dry_run"] != nil {
		t.Errorf("execution_arguments are %v", args)
	}
	want(http.StatusConflict, "PUT", path, body)

	got = want(http.StatusCreated, "PATCH", path, object{"enabled": false, "slip": nil})
	if got["enabled"] != false || got["slip"] != int64(5) || len(got["all_next_occurrences"].([]any)) != 0 {
		t.Errorf("after the change: %v", got)
	}
	got = want(http.StatusCreated, "PATCH", path, object{"enabled": true, "rrule": "FREQ=MONTHLY", "time_zone": "Europe/Berlin", "since": "2096-07-31 10:00:00"})
	if got["next_occurrence"] != "2096-07-31T08:00:00.000Z" {
		t.Errorf("ten o'clock in Berlin is %v", got["next_occurrence"])
	}
	if list := want(http.StatusOK, "GET", "/execution-schedules?deployment_id=d", nil); len(list["items"].([]any)) != 1 {
		t.Errorf("the list is %v", list)
	}
	for name, bad := range map[string]object{
		"Workflow nothing does not exist in deployment d":                {"workflow_id": "nothing", "since": "2096-01-01", "count": int64(1)},
		"recurrence must be specified for execution count larger than 1": {"workflow_id": "backup", "since": "2096-01-01", "count": int64(2)},
		"is not a time":     {"workflow_id": "backup", "since": "soon", "count": int64(1)},
		"is not a weekday":  {"workflow_id": "backup", "since": "2096-01-01", "recurrence": "1 w", "weekdays": []any{"someday"}},
		"unknown time zone": {"workflow_id": "backup", "since": "2096-01-01", "count": int64(1), "time_zone": "Moon/Base"},
	} {
		answer := want(http.StatusBadRequest, "PUT", "/execution-schedules/bad?deployment_id=d", bad)
		if text, _ := answer["message"].(string); !strings.Contains(text, name) {
			t.Errorf("got %q, want %q", text, name)
		}
	}
	want(http.StatusBadRequest, "GET", "/execution-schedules/nightly", nil)
	want(http.StatusNotFound, "GET", "/execution-schedules/nightly?deployment_id=none", nil)
	want(http.StatusNoContent, "DELETE", path, nil)
	want(http.StatusNotFound, "DELETE", path, nil)
}

func TestStartLater(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	want := func(status int, method, path string, body object) object {
		t.Helper()
		got := a.do(ask{method: method, path: path, body: body}).is(status)
		if status == http.StatusNoContent {
			return nil
		}
		return got.object()
	}
	a.write(func(tx store.Tx) error {
		return tx.AddDeployment(t.Context(), store.Deployment{
			Owned: owned("admin"), ID: "d", BlueprintID: "b", Workflows: map[string]plan.Workflow{"install": {}},
		})
	})
	at := time.Now().Add(48 * time.Hour)
	got := want(http.StatusCreated, "POST", "/executions", object{
		"deployment_id": "d", "workflow_id": "install", "scheduled_time": at.Format("200601021504-0700"),
	})
	if got["status"] != "scheduled" || got["id"] != nil || got["scheduled_for"] == nil {
		t.Errorf("got %v", got)
	}
	list := want(http.StatusOK, "GET", "/execution-schedules?deployment_id=d", nil)["items"].([]any)
	if len(list) != 1 || !strings.HasPrefix(list[0].(object)["id"].(string), "install_") {
		t.Errorf("the schedules are %v", list)
	}
	for _, bad := range []string{"200101010000+0000", "tomorrow", at.Format("200601021504")} {
		want(http.StatusBadRequest, "POST", "/executions", object{"deployment_id": "d", "workflow_id": "install", "scheduled_time": bad})
	}
}
