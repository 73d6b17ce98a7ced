package rest

import (
	"net/http"
	"strings"
	"testing"

	"windlass/internal/access"
	"windlass/internal/store"
)

func TestDeploymentUpdates(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.deployment("d", func(d *store.Deployment) { d.Inputs = map[string]any{"a": int64(1), "b": int64(1)} })
	e := a.execution(store.Execution{Owned: owned("admin"), DeploymentID: "d", WorkflowID: "update", Status: store.Started, TokenHash: access.HashToken("run-token")})
	const path = "/deployment-updates"
	call := func(method, path string, body object, token bool) answered {
		t.Helper()
		q := ask{method: method, path: path, body: body}
		if token {
			q.user, q.header = "-", map[string]string{"Execution-Token": "run-token"}
		}
		return a.do(q)
	}
	call("POST", path+"/none/update/initiate", object{}, false).refused("not_found_error", "none")
	call("POST", path+"/d/update/initiate", object{"blueprint_id": "none"}, false).refused("not_found_error", "none")

	u := call("PUT", path+"/d-own", object{"deployment_id": "d", "blueprint_id": "b2", "inputs": object{"a": int64(2)}}, true).is(http.StatusOK).object()
	for name, want := range map[string]any{
		"id": "d-own", "deployment_id": "d", "execution_id": e.ID, "state": "updating", "new_blueprint_id": "b2", "deployment_plan": nil,
		"deployment_update_node_instances": nil, "schedules_to_create": nil, "recursive_dependencies": nil,
		"keep_old_deployment_dependencies": false, "created_by": "admin", "tenant_name": "default_tenant",
	} {
		if got, ok := u[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if list, ok := u["steps"].([]any); !ok || len(list) != 0 {
		t.Errorf("steps are %v", u["steps"])
	}
	call("PUT", path+"/d-own", object{"deployment_id": "d"}, true).is(http.StatusConflict)
	call("PUT", path+"/d-other", object{"deployment_id": "d"}, false).refused("forbidden_error", "")
	call("PUT", path+"/d-other", object{"deployment_id": "none"}, true).refused("not_found_error", "none")

	step := object{"action": "add", "entity_type": "node", "entity_id": []any{"nodes", "n"}}
	u = call("PATCH", path+"/d-own", object{"steps": []any{step}, "plan": object{"nodes": []any{}}, "nodes": object{"add": []any{"n"}}, "node_instances": object{"x": int64(1)}}, true).
		is(http.StatusOK).object()
	if list, _ := u["steps"].([]any); len(list) != 1 || u["deployment_plan"] == nil || u["deployment_update_nodes"] == nil || u["deployment_update_node_instances"] == nil {
		t.Errorf("after the change: %v", u)
	}
	call("PATCH", path+"/d-own", object{"state": "done"}, true).refused("bad_parameters_error", "successful")
	before := a.get("/deployments/d").object()["updated_at"]
	if u = call("PATCH", path+"/d-own", object{"state": "successful"}, true).is(http.StatusOK).object(); u["state"] != "successful" || len(u["steps"].([]any)) != 1 {
		t.Errorf("after its end: %v", u)
	}
	if after := a.get("/deployments/d").object()["updated_at"]; after == before {
		t.Errorf("updated_at stays %v", after)
	}
	if u = call("POST", path+"/d-own/update/finalize", nil, false).is(http.StatusOK).object(); u["id"] != "d-own" {
		t.Errorf("finalize gives %v", u)
	}

	call("POST", path, object{"deployment_updates": []any{
		object{"id": "d-old", "deployment_id": "d", "state": "failed", "old_blueprint_id": "b0", "new_inputs": object{"a": int64(3)}, "steps": []any{step}},
	}}, false).is(http.StatusCreated)
	u = a.get(path + "/d-old").is(http.StatusOK).object()
	if u["state"] != "failed" || u["old_blueprint_id"] != "b0" || u["execution_id"] != nil || len(u["steps"].([]any)) != 1 {
		t.Errorf("restored: %v", u)
	}
	call("POST", path, object{"deployment_updates": []any{object{"deployment_id": "d"}}}, false).refused("bad_parameters_error", "id")
	if got := strings.Join(a.get(path+"?deployment_id=d&_sort=id").column("id"), " "); got != "d-old d-own" {
		t.Errorf("listed %s", got)
	}
	if got := strings.Join(a.get(path+"?state=failed").column("id"), " "); got != "d-old" {
		t.Errorf("failed ones are %s", got)
	}
	a.get(path+"/none").refused("not_found_error", "none")
}
