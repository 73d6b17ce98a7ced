package rest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestNodeInstances(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.deployment("d1")
	a.do(ask{method: "POST", path: "/nodes", body: object{"deployment_id": "d1", "nodes": []any{}}}).is(http.StatusNoContent)
	a.do(ask{method: "POST", path: "/nodes", body: object{"deployment_id": "d1", "nodes": []any{
		object{"id": "n", "name": "n", "type": "t.n", "type_hierarchy": []any{"cloudify.nodes.Root", "t.n"}, "properties": object{"f": 2.0}, "relationships": []any{},
			"capabilities": object{"scalable": object{"properties": object{"min_instances": 0, "max_instances": -1, "default_instances": 1, "current_instances": 1, "planned_instances": 1}}}},
	}}}).is(http.StatusCreated)
	a.do(ask{method: "POST", path: "/node-instances", body: object{"deployment_id": "d1", "node_instances": []any{
		object{"id": "n_1", "node_id": "n", "relationships": []any{}}, object{"id": "n_2", "node_id": "n", "relationships": []any{}},
	}}}).is(http.StatusCreated)
	a.deployment("d2")
	clash := a.do(ask{method: "POST", path: "/node-instances", body: object{"deployment_id": "d2", "node_instances": []any{
		object{"id": "n_1", "node_id": "n", "relationships": []any{}},
		object{"id": "m_1", "node_id": "m", "host_id": "n_1", "relationships": []any{object{"type": "r", "target_id": "n_1", "target_name": "n"}}},
	}}}).is(http.StatusCreated).object()["items"].([]any)
	fresh := clash[0].(object)["id"]
	if fresh == "n_1" || clash[1].(object)["host_id"] != fresh || clash[1].(object)["relationships"].([]any)[0].(object)["target_id"] != fresh {
		t.Errorf("clashing ids: %v", clash)
	}
	if got := a.get("/nodes?deployment_id=d1&blueprint_id=elsewhere").items(); len(got) != 0 {
		t.Errorf("of another blueprint: %v", got)
	}
	nodes := a.get("/nodes?deployment_id=d1&blueprint_id=bp-d1&id=n").items()
	if len(nodes) != 1 || nodes[0]["max_number_of_instances"] != int64(-1) || nodes[0]["actual_number_of_instances"] != int64(2) || nodes[0]["deployment_display_name"] != "d1" {
		t.Errorf("nodes: %v", nodes)
	}
	if got := a.get("/node-instances?deployment_id=d1&_sort=id").column("index"); strings.Join(got, " ") != "1 2" {
		t.Errorf("indices: %v", got)
	}
	patch := func(query string, body object) answered {
		return a.do(ask{method: "PATCH", path: "/node-instances/n_1" + query, body: body})
	}
	got := patch("", object{"version": 1, "state": "started", "runtime_properties": object{"f": 1.0}}).is(http.StatusOK).object()
	if got["version"] != int64(2) || got["state"] != "started" || got["runtime_properties"].(object)["f"] != 1.0 {
		t.Errorf("changed: %v", got)
	}
	patch("", object{"version": 1, "state": "x"}).refused("conflict_error", "Node instance update conflict [current version=2, update version=1]")
	patch("?force=True", object{"version": 1, "state": "stopped"}).is(http.StatusOK)
	patch("", object{"version": 99, "runtime_properties": nil}).is(http.StatusOK)
	if got := a.get("/node-instances/n_1").object(); got["runtime_properties"].(object)["f"] != 1.0 || got["version"] != int64(3) {
		t.Errorf("null must change nothing: %v", got)
	}
	patch("", object{"version": -1}).refused("bad_parameters_error", "negative")
	patch("", object{}).refused("bad_parameters_error", "Missing version")
	patch("", object{"version": 9, "relationships": []any{}}).refused("only_deployment_update", "")
	a.get("/node-instances/nope").refused("not_found_error", "Requested `NodeInstance` with ID `nope` was not found")
	if got := a.get("/node-instances/n_1?_evaluate_functions=True").is(http.StatusOK); got.status != 200 || fmt.Sprint(a.rooms.evals) != "[map[self:n_1]]" {
		t.Errorf("evaluated in %v", a.rooms.evals)
	}
}
