package rest

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
)

func (a *api) grouped(n int) {
	a.write(func(tx store.Tx) error {
		for k := range n {
			if err := tx.AddDeployment(a.t.Context(), store.Deployment{
				Owned: owned("admin"), ID: fmt.Sprint("d", k), BlueprintID: "b", Workflows: map[string]plan.Workflow{"install": {}},
				Labels: []store.Label{{Key: "n", Value: fmt.Sprint(k % 2)}},
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestDeploymentGroups(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.grouped(4)
	put := func(id string, body object) object {
		t.Helper()
		return a.do(ask{method: "PUT", path: "/deployment-groups/" + id, body: body}).is(http.StatusOK).object()
	}
	members := func(g object, want ...any) {
		t.Helper()
		if diff := cmp.Diff(append([]any{}, want...), g["deployment_ids"]); diff != "" {
			t.Error(diff)
		}
	}
	members(put("g", object{"description": "all", "deployment_ids": []any{"d0", "d1"}, "labels": []any{object{"team": "a"}}}), "d0", "d1")
	if d := a.get("/deployments/d0").object(); len(d["labels"].([]any)) != 2 {
		t.Errorf("the group's label was not pushed: %v", d["labels"])
	}
	even := object{"key": "n", "values": []any{"0"}, "operator": "any_of", "type": "label"}
	members(put("even", object{"filter_rules": []any{even}}), "d0", "d2")
	members(put("both", object{"deployments_from_group": "even", "deployment_ids": []any{"d1"}}), "d0", "d1", "d2")
	members(put("g", object{"labels": []any{}}), "d0", "d1") // members stay
	if d := a.get("/deployments/d0").object(); len(d["labels"].([]any)) != 1 {
		t.Errorf("the group's label was not taken away: %v", d["labels"])
	}
	g := a.do(ask{method: "PATCH", path: "/deployment-groups/g", body: object{
		"add": object{"deployment_ids": []any{"d3"}}, "remove": object{"deployments_from_group": "even"}}}).is(http.StatusOK).object()
	members(g, "d1", "d3")
	if list := a.get("/deployments?_group_id=g").items(); len(list) != 2 {
		t.Errorf("%d deployments of the group are listed", len(list))
	}
	if list := a.get("/deployment-groups").items(); len(list) != 3 {
		t.Errorf("%d groups are listed", len(list))
	}
	a.do(ask{method: "PUT", path: "/deployment-groups/x", body: object{"deployment_ids": []any{"none"}}}).refused("not_found_error", "none")
	a.get("/deployment-groups/x").refused("not_found_error", "DeploymentGroup")
	a.do(ask{method: "PUT", path: "/deployment-groups/g", body: object{"new_deployments": []any{object{}}}}).refused("conflict_error", "has no default blueprint set")
	a.do(ask{method: "DELETE", path: "/deployment-groups/g"}).is(http.StatusNoContent)
	a.get("/deployment-groups/g").refused("not_found_error", "DeploymentGroup")
	a.get("/deployments/d1").is(http.StatusOK)
}

func TestExecutionGroups(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.grouped(3)
	a.do(ask{method: "PUT", path: "/deployment-groups/g", body: object{"deployment_ids": []any{"d0", "d1", "d2"}}}).is(http.StatusOK)
	g := a.do(ask{method: "POST", path: "/execution-groups", body: object{
		"deployment_group_id": "g", "workflow_id": "install", "concurrency": int64(2)}}).is(http.StatusOK).object()
	if g["status"] != "queued" || len(g["execution_ids"].([]any)) != 3 || g["concurrency"] != int64(2) {
		t.Errorf("the group is %v", g)
	}
	path := "/execution-groups/" + g["id"].(string)
	if list := a.get("/executions?_group_id=" + g["id"].(string)).items(); len(list) != 3 {
		t.Errorf("%d executions of the group are listed", len(list))
	}
	for _, filter := range []string{"execution_group_id=" + g["id"].(string), "deployment_group_id=g", "total_operations=0&resume=false"} {
		if list := a.get("/executions?workflow_id=install&" + filter).items(); len(list) != 3 {
			t.Errorf("%d executions are listed by %s", len(list), filter)
		}
	}
	if list := a.get("/executions?execution_group_id=none").items(); len(list) != 0 {
		t.Errorf("%d executions of no group are listed", len(list))
	}
	if list := a.get("/deployments?deployment_group_id=g").items(); len(list) != 3 {
		t.Errorf("%d deployments of the group are listed", len(list))
	}
	if list := a.get("/execution-groups").items(); len(list) != 1 || list[0]["execution_ids"] != nil {
		t.Errorf("the list is %v", list)
	}
	if list := a.get("/execution-groups?_get_data=true").items(); len(list[0]["execution_ids"].([]any)) != 3 {
		t.Errorf("the list with data is %v", list)
	}
	a.do(ask{method: "PATCH", path: path, body: object{"concurrency": int64(0), "success_group_id": "g"}}).is(http.StatusOK)
	a.do(ask{method: "PATCH", path: path, body: object{"failure_group_id": "none"}}).refused("not_found_error", "none")
	a.do(ask{method: "POST", path: path, body: object{"action": "stop"}}).refused("bad_parameters_error", "Valid action values")
	a.do(ask{method: "POST", path: path, body: object{"action": "cancel"}}).is(http.StatusOK)
	a.do(ask{method: "POST", path: "/execution-groups", body: object{"deployment_group_id": "none", "workflow_id": "install"}}).refused("not_found_error", "none")
}

// TestRestoreExecutionGroup: a group from elsewhere takes executions that there
// are as its members, and starts none.
func TestRestoreExecutionGroup(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.grouped(2)
	a.do(ask{method: "PUT", path: "/deployment-groups/g", body: object{"deployment_ids": []any{"d0", "d1"}}}).is(http.StatusOK)
	a.write(func(tx store.Tx) error {
		for _, id := range []string{"e1", "e2", "e3"} {
			if err := tx.AddExecution(a.t.Context(), store.Execution{
				Owned: owned("admin"), ID: id, DeploymentID: "d0", WorkflowID: "install", Status: store.Terminated,
			}); err != nil {
				return err
			}
		}
		return nil
	})
	restore := func(members ...any) ask {
		return ask{method: "POST", path: "/execution-groups", body: object{
			"deployment_group_id": "g", "workflow_id": "install", "id": "restored", "created_at": "2024-05-06T07:08:09.000Z",
			"associated_executions": members,
		}}
	}
	a.do(restore("e1", "none")).refused("not_found_error", "none")
	g := a.do(restore("e1", "e2")).is(http.StatusOK).object()
	if diff := cmp.Diff([]any{"e1", "e2"}, g["execution_ids"]); diff != "" || g["id"] != "restored" || g["created_at"] != "2024-05-06T07:08:09.000Z" || g["status"] != "terminated" {
		t.Errorf("got %v\n%s", g, diff)
	}
	if all := a.get("/executions").items(); len(all) != 3 {
		t.Errorf("%d executions", len(all))
	}
	a.do(restore("e3")).refused("conflict_error", "already exists")
}

// TestNoRulesChooseNothing: clients send an empty list of rules along with
// what they really ask for. It must not stand for all deployments.
func TestNoRulesChooseNothing(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.grouped(3)
	members := func() []any { return a.get("/deployment-groups/g").object()["deployment_ids"].([]any) }
	a.do(ask{method: "PUT", path: "/deployment-groups/g", body: object{"deployment_ids": []any{"d0"}, "filter_rules": []any{}}}).is(http.StatusOK)
	a.do(ask{method: "PATCH", path: "/deployment-groups/g", body: object{"add": object{"filter_rules": []any{}, "deployment_ids": []any{"d1"}}}}).is(http.StatusOK)
	if diff := cmp.Diff([]any{"d0", "d1"}, members()); diff != "" {
		t.Error(diff)
	}
	a.do(ask{method: "PATCH", path: "/deployment-groups/g", body: object{"remove": object{"filter_rules": []any{}, "deployment_ids": []any{"d1"}}}}).is(http.StatusOK)
	if diff := cmp.Diff([]any{"d0"}, members()); diff != "" {
		t.Error(diff)
	}
}
