package rest

import (
	"net/http"
	"testing"

	"windlass/internal/store"
)

func TestDeploymentModifications(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.deployment("d")
	a.write(func(tx store.Tx) error {
		node := store.Node{Tenant: "default_tenant", DeploymentID: "d", BlueprintID: "b", ID: "web", Type: "t", Visibility: store.Tenants}
		node.Scalable = store.NodeScale{Current: 1, Planned: 1, Deploy: 1, Max: -1}
		if err := tx.AddNodes(t.Context(), []store.Node{node}); err != nil {
			return err
		}
		return tx.AddInstances(t.Context(), []store.NodeInstance{{
			Tenant: "default_tenant", DeploymentID: "d", NodeID: "web", ID: "web_1", Index: 1, State: "started", Version: 1, Visibility: store.Tenants,
		}})
	})
	const path = "/deployment-modifications"
	post := func(path string, body object) answered {
		t.Helper()
		return a.do(ask{method: "POST", path: path, body: body})
	}
	if got := a.get(path).is(http.StatusOK).items(); len(got) != 0 {
		t.Errorf("before any there are %v", got)
	}
	change := func(n any) object { return object{"web": object{"instances": n}} }
	post(path, object{"deployment_id": "none", "nodes": change(int64(2))}).refused("not_found_error", "none")
	post(path, object{"deployment_id": "d", "nodes": change("two")}).refused("bad_parameters_error", "instances")
	post(path, object{"deployment_id": "d", "nodes": object{"db": object{"instances": int64(2)}}}).refused("not_found_error", "db")

	m := post(path, object{"deployment_id": "d", "nodes": change(int64(2)), "context": object{"execution_id": "x"}}).is(http.StatusCreated).object()
	id, _ := m["id"].(string)
	for name, want := range map[string]any{"deployment_id": "d", "status": "started", "ended_at": nil, "tenant_name": "default_tenant", "created_by": "admin"} {
		if m[name] != want {
			t.Errorf("%s is %v, want %v", name, m[name], want)
		}
	}
	lists, _ := m["node_instances"].(object)
	for name, n := range map[string]int{"added_and_related": 1, "removed_and_related": 0, "before_modification": 1} {
		if list, ok := lists[name].([]any); !ok || len(list) != n {
			t.Errorf("%s is %v", name, lists[name])
		}
	}
	if c, _ := m["context"].(object); c["execution_id"] != "x" {
		t.Errorf("the context is %v", m["context"])
	}
	post(path, object{"deployment_id": "d", "nodes": change(int64(3))}).refused("existing_started_deployment_modification_error", id)
	if got := a.get(path + "?deployment_id=d&status=started").is(http.StatusOK).items(); len(got) != 1 || got[0]["id"] != id {
		t.Errorf("listed %v", got)
	}
	if got := a.get(path + "?deployment_id=other").is(http.StatusOK).items(); len(got) != 0 {
		t.Errorf("of another deployment: %v", got)
	}
	a.get(path+"/none").refused("not_found_error", "none")

	if m = post(path+"/"+id+"/rollback", nil).is(http.StatusOK).object(); m["status"] != "rolledback" || m["ended_at"] == nil {
		t.Errorf("rolled back: %v", m)
	}
	post(path+"/"+id+"/finish", nil).refused("deployment_modification_already_ended_error", "Cannot finish deployment modification")
	m = post(path, object{"deployment_id": "d", "nodes": change(int64(2))}).is(http.StatusCreated).object()
	id, _ = m["id"].(string)
	if m = post(path+"/"+id+"/finish", nil).is(http.StatusOK).object(); m["status"] != "finished" {
		t.Errorf("finished: %v", m)
	}
	if m = a.get(path + "/" + id).is(http.StatusOK).object(); m["status"] != "finished" {
		t.Errorf("read again: %v", m)
	}
	if got := a.get("/nodes?deployment_id=d").is(http.StatusOK).items(); got[0]["number_of_instances"] != int64(2) {
		t.Errorf("the node is %v", got[0])
	}
}
