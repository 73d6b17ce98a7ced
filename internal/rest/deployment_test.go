package rest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/store"
)

func TestDeployments(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.write(func(tx store.Tx) error {
		return tx.AddBlueprint(t.Context(), store.Blueprint{Owned: owned("admin"), ID: "bp", State: store.BlueprintUploaded})
	})
	put := func(id string, body object) answered {
		return a.do(ask{method: "PUT", path: "/deployments/" + id, body: body})
	}
	d := put("1st", object{"blueprint_id": "bp", "inputs": object{"f": 2.0}, "labels": []any{object{"a": []any{"1", "2"}}}, "display_name": "First"}).
		is(http.StatusCreated).object()
	if diff := cmp.Diff(object{"f": 2.0}, d["inputs"]); diff != "" {
		t.Error(diff)
	}
	put("bad name", object{"blueprint_id": "bp"}).refused("bad_parameters_error", "illegal characters")
	put("x", object{"blueprint_id": "nope"}).refused("not_found_error", "Requested `Blueprint` with ID `nope` was not found")
	put("x", object{}).refused("bad_parameters_error", "Missing blueprint_id")
	put("x", object{"blueprint_id": "bp", "labels": []any{"x"}}).refused("bad_parameters_error", "Labels must be a list of 1-entry dictionaries")
	put("x", object{"blueprint_id": "bp", "labels": []any{object{"csys-obj-parent": "nope"}}}).
		refused("deployment_parent_not_found_error", "Environment referenced by `csys-obj-parent` not found: nope")
	put("x", object{"blueprint_id": "bp", "created_by": "ann"}).is(http.StatusCreated)

	patch := func(body object) answered { return a.do(ask{method: "PATCH", path: "/deployments/1st", body: body}) }
	patch(object{}).refused("illegal_action_error", "at least one parameter")
	patch(object{"nonsense": 1}).refused("bad_parameters_error", "Unknown parameters: nonsense")
	patch(object{"inputs": object{}}).refused("conflict_error", "inputs is already set")
	patch(object{"blueprint_id": "x"}).refused("only_deployment_update", "")
	labels := patch(object{"labels": []any{object{"b": "3"}}, "display_name": "New"}).is(http.StatusOK).object()["labels"].([]any)
	if len(labels) != 1 || labels[0].(object)["key"] != "b" {
		t.Errorf("labels: %v", labels)
	}
	out := a.get("/deployments/1st/outputs").is(http.StatusOK).object()
	want := object{"deployment_id": "1st", "outputs": object{"url": "http://x", "n": int64(1), "f": 1.0}}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	a.do(ask{method: "PATCH", path: "/deployments/1st/set-visibility", body: object{"visibility": "global"}}).
		refused("illegal_action_error", "can't be wider than that of its blueprint")
	a.do(ask{method: "DELETE", path: "/deployments/1st?force=True"}).is(http.StatusNoContent)
	a.get("/deployments/1st").refused("not_found_error", "Requested `Deployment` with ID `1st` was not found")

	a.rooms.mu.Lock()
	a.rooms.stuck = true
	a.rooms.mu.Unlock()
	if r := put("slow", object{"blueprint_id": "bp"}); r.status != http.StatusInternalServerError || !strings.Contains(string(r.body), "still being created") {
		t.Errorf("a stuck creation: %d %s", r.status, r.body)
	}
	a.do(ask{method: "PUT", path: "/deployments/later?async_create=True", body: object{"blueprint_id": "bp"}}).is(http.StatusCreated)
}
