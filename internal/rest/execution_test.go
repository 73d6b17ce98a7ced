package rest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/store"
)

func TestExecutions(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.deployment("d1")
	run := a.execution(store.Execution{DeploymentID: "d1", Status: store.Started})
	a.execution(store.Execution{DeploymentID: "d1", Status: store.Terminated, IsSystemWorkflow: true, WorkflowID: "create_snapshot"})
	if got := a.get("/executions").column("id"); len(got) != 1 || got[0] != run.ID {
		t.Errorf("listed: %v", got)
	}
	if got := a.get("/executions?_include_system_workflows=True").column("id"); len(got) != 2 {
		t.Errorf("with system workflows: %v", got)
	}
	if got := a.get("/executions?is_system_workflow=True").column("workflow_id"); len(got) != 1 || got[0] != "create_snapshot" {
		t.Errorf("only system workflows: %v", got)
	}
	post := func(action string) answered {
		return a.do(ask{method: "POST", path: "/executions/" + run.ID, body: object{"action": action}})
	}
	for _, action := range []string{"cancel", "force-cancel", "kill", "requeue", "resume", "force-resume"} {
		post(action).is(http.StatusOK)
	}
	post("explode").refused("bad_parameters_error", "Invalid action: explode, Valid action values are: ['cancel', 'force-cancel', 'kill', 'resume', 'force-resume', 'requeue', 'pause', 'continue']")
	a.do(ask{method: "PATCH", path: "/executions/" + run.ID, body: object{"status": "failed", "error": "boom"}}).is(http.StatusOK)
	a.do(ask{method: "PATCH", path: "/executions/" + run.ID, body: object{"status": "dancing"}}).refused("bad_parameters_error", "dancing")
	want := "cancel,force-cancel,kill,cancel,resume force=false,resume force=true,status failed boom"
	if got := strings.Join(a.rooms.acts, ","); got != want {
		t.Errorf("done: %s\nwant: %s", got, want)
	}
	a.do(ask{method: "POST", path: "/executions/nope", body: object{"action": "cancel"}}).refused("not_found_error", "Requested `Execution` ['nope'] was not found")
	a.get("/executions/nope").refused("not_found_error", "Requested `Execution` with ID `nope` was not found")

	why := a.get("/executions/" + run.ID + "/why").is(http.StatusOK).object()
	if why["text"] != "It waits." || why["position"] != int64(2) || len(why["blocked_by"].([]any)) != 1 {
		t.Errorf("why: %v", why)
	}
}

// Of an operation that was tried again, the last attempt that failed is named.
func TestWhyNamesFailures(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.deployment("d1")
	run := a.execution(store.Execution{Owned: owned("admin"), DeploymentID: "d1", WorkflowID: "install", Status: store.Failed})
	about := object{"kwargs": object{"__cloudify_context": object{"node_id": "db_1", "operation": "test.it"}}}
	a.write(func(tx store.Tx) error {
		return tx.AddGraph(t.Context(), store.Graph{ID: "g", ExecutionID: run.ID, Name: "install", CreatedAt: started}, []store.Operation{
			{ID: "1", GraphID: "g", ExecutionID: run.ID, Name: "script.run", Type: "RemoteWorkflowTask", State: "failed", CreatedAt: started, Error: "first",
				Parameters: object{"current_retries": int64(0), "total_retries": int64(1), "retried_task": nil, "task_kwargs": about}},
			{ID: "2", GraphID: "g", ExecutionID: run.ID, Name: "script.run", Type: "RemoteWorkflowTask", State: "failed", CreatedAt: started.Add(time.Second), Error: "second",
				Parameters: object{"current_retries": int64(1), "total_retries": int64(1), "retried_task": "1", "task_kwargs": about}},
			{ID: "3", GraphID: "g", ExecutionID: run.ID, Name: "db_1", Type: "SubgraphTask", State: "failed", CreatedAt: started.Add(time.Second), Error: "second"},
		})
	})
	got := a.get("/executions/" + run.ID + "/why").is(http.StatusOK).object()
	want := []any{object{
		"id": "2", "name": "script.run (db_1:test.it)", "type": "RemoteWorkflowTask", "error": "second", "retry": int64(1), "max_retries": int64(1),
	}}
	if diff := cmp.Diff(want, got["failed_operations"]); diff != "" || got["failed_operations_total"] != int64(3) {
		t.Errorf("total %v, failures: %s", got["failed_operations_total"], diff)
	}
}

func TestDeleteExecutions(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.deployment("d1")
	for i, e := range []store.Execution{
		{WorkflowID: "create_deployment_environment", Status: store.Terminated}, {Status: store.Terminated}, {Status: store.Failed},
		{Status: store.Cancelled}, {Status: store.Started},
	} {
		e.Owned, e.DeploymentID = owned("admin"), "d1"
		e.CreatedAt = started.Add(time.Duration(i) * time.Hour)
		a.execution(e)
	}
	remove := func(body object) answered { return a.do(ask{method: "DELETE", path: "/executions", body: body}) }
	remove(object{}).refused("bad_parameters_error", "Must provide either a `to_datetime` timestamp or a `keep_last`")
	remove(object{"keep_last": 0}).refused("bad_parameters_error", "greater than 0")
	if n := remove(object{"to_datetime": started.Add(90 * time.Minute).Format("2006-01-02T15:04:05")}).items()[0]["count"]; n != int64(1) {
		t.Errorf("%v deleted, want 1", n)
	}
	if n := remove(object{"keep_last": 1}).items()[0]["count"]; n != int64(1) {
		t.Errorf("%v deleted, want 1", n)
	}
	got := strings.Join(a.get("/executions?_sort=created_at").column("status"), " ")
	if got != "terminated cancelled started" {
		t.Errorf("left: %s", got)
	}
}
