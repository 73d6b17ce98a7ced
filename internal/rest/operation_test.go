package rest

import (
	"net/http"
	"strings"
	"testing"

	"windlass/internal/access"
	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
)

func TestGraphsAndOperations(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.deployment("d1")
	e := a.execution(store.Execution{DeploymentID: "d1", Status: store.Started, TokenHash: access.HashToken("tok")})
	a.write(func(tx store.Tx) error {
		if err := tx.AddNodes(t.Context(), []store.Node{{Tenant: access.DefaultTenant, DeploymentID: "d1", BlueprintID: "bp-d1", ID: "n", Type: "t", Visibility: store.Tenants, CreatedBy: "admin"}}); err != nil {
			return err
		}
		return tx.AddInstances(t.Context(), []store.NodeInstance{{Tenant: access.DefaultTenant, DeploymentID: "d1", NodeID: "n", ID: "n_1", Index: 1, State: "starting", Version: 1,
			Visibility: store.Tenants, CreatedBy: "admin", Relationships: []plan.InstanceRelationship{}}})
	})
	engine := map[string]string{"Execution-Token": "tok"}
	g := a.do(ask{method: "POST", path: "/tasks_graphs/tasks_graphs", user: "-", header: engine, body: object{"name": "install", "execution_id": e.ID, "operations": []any{
		object{"id": "op1", "name": "start", "type": "RemoteWorkflowTask", "dependencies": []any{}, "parameters": object{"current_retries": 1, "total_retries": 3,
			"task_kwargs": object{"kwargs": object{"__cloudify_context": object{"task_name": "script.run", "node_id": "n_1", "operation": object{"name": "lifecycle.start"}}}}}},
		object{"id": "op2", "name": "state", "type": "SetNodeInstanceStateTask", "dependencies": []any{"op1"}, "parameters": object{"task_kwargs": object{"node_instance_id": "n_1", "state": "started"}}},
		object{"id": "op3", "name": "nop", "type": "NOPLocalWorkflowTask", "dependencies": []any{}, "parameters": object{}},
	}}}).is(http.StatusCreated).object()
	a.write(func(tx store.Tx) error {
		return tx.AddGraph(t.Context(), store.Graph{ID: "noted", ExecutionID: e.ID, Name: store.DecisionPrefix + "which"}, nil)
	})
	if got := a.get("/tasks_graphs?execution_id=" + e.ID).column("id"); len(got) != 1 || got[0] != g["id"] {
		t.Errorf("graphs: %v, and the one that keeps a decision shouldn't be told of", got)
	}
	if got := a.get("/tasks_graphs?execution_id=" + e.ID + "&name=install").column("id"); len(got) != 1 || got[0] != g["id"] {
		t.Errorf("graphs: %v", got)
	}
	graph := g["id"].(string)
	if got := a.get("/operations?graph_id=" + graph).column("id"); strings.Join(got, " ") != "op1 op2 op3" {
		t.Errorf("operations: %v", got)
	}
	if got := a.get("/operations?execution_id=" + e.ID + "&skip_internal=True").column("id"); strings.Join(got, " ") != "op1" {
		t.Errorf("without internal ones: %v", got)
	}
	a.get("/operations").refused("bad_parameters_error", "Missing required param: graph_id or execution_id")
	set := func(id string, body object) answered {
		return a.do(ask{method: "PATCH", path: "/operations/" + id, user: "-", header: engine, body: body})
	}
	set("op1", object{"state": "started"}).is(http.StatusOK)
	set("op1", object{"state": "failed", "exception": "boom", "exception_causes": []any{object{"message": "m", "type": "T", "traceback": "x"}}}).is(http.StatusOK)
	set("op2", object{"state": "succeeded"}).is(http.StatusOK)
	set("op2", object{"state": "dancing"}).refused("bad_parameters_error", "dancing")
	if got := a.get("/node-instances/n_1").object()["state"]; got != "started" {
		t.Errorf("the instance is %v", got)
	}
	got := a.get("/executions/" + e.ID).object()
	if got["total_operations"] != int64(2) || got["finished_operations"] != int64(2) {
		t.Errorf("counted %v of %v", got["finished_operations"], got["total_operations"])
	}
	messages := a.get("/events?execution_id=" + e.ID + "&_sort=timestamp").column("message")
	want := "Task started 'script.run' [retry 1/3],Task failed 'script.run' -> boom [retry 1/3]"
	if strings.Join(messages, ",") != want {
		t.Errorf("events: %v", messages)
	}
	a.do(ask{method: "PUT", path: "/operations/op4", body: object{"name": "more", "graph_id": graph, "dependencies": []any{}, "parameters": object{}, "type": "LocalWorkflowTask"}}).is(http.StatusCreated)
	if total := a.get("/executions/" + e.ID).object()["total_operations"]; total != int64(3) {
		t.Errorf("total %v, want 3", total)
	}
	a.do(ask{method: "DELETE", path: "/operations/op4"}).is(http.StatusOK)
	a.get("/operations/op4").refused("not_found_error", "op4")
}
