package rest

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const dependenciesPath = "/deployments/inter-deployment-dependencies"

func TestDependencies(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.grouped(3)
	put := func(source, creator, target string) answered {
		return a.do(ask{method: "PUT", path: dependenciesPath, body: object{
			"dependency_creator": creator, "source_deployment": source, "target_deployment": target, "target_deployment_func": object{"get_input": "x"},
		}})
	}
	first := put("d0", "sharedresource.db_1", "d1").is(http.StatusOK).object()
	for name, want := range map[string]any{
		"dependency_creator": "sharedresource.db_1", "source_deployment_id": "d0", "target_deployment_id": "d1",
		"target_deployment_func": object{"get_input": "x"}, "external_source": nil, "visibility": "tenant", "created_by": "admin",
	} {
		if diff := cmp.Diff(want, first[name]); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	if labels := a.get("/deployments/d1").object()["labels"].([]any); len(labels) != 2 {
		t.Errorf("who shares the resource is not told: %v", labels)
	}
	if again := put("d0", "sharedresource.db_1", "d2").is(http.StatusOK).object(); again["id"] != first["id"] || again["target_deployment_id"] != "d2" {
		t.Errorf("put again: %v", again)
	}
	put("d1", "nodes.vm.properties.port.get_capability", "d0").is(http.StatusOK)
	put("d2", "component.vm_1", "d1").refused("conflict_error", "cyclic dependency between deployments d2 and d1")
	put("d2", "component.vm_1", "nobody").refused("not_found_error", "Requested `Deployment` with ID `nobody` was not found")
	put("nobody", "component.vm_1", "d1").refused("not_found_error", "Requested `Deployment` with ID `nobody` was not found")
	put("d0", "", "d1").refused("bad_parameters_error", "A dependency needs a dependency_creator")
	ids := a.do(ask{method: "POST", path: dependenciesPath, body: object{
		"source_deployment_id": "d1", "inter_deployment_dependencies": []any{object{"dependency_creator": "a", "target_deployment": "d2"},
			object{"dependency_creator": "b", "external_target": object{"host": "h"}}},
	}}).is(http.StatusOK).value().([]any)
	if len(ids) != 2 {
		t.Errorf("got %v", ids)
	}
	if diff := cmp.Diff([]string{"nodes.vm.properties.port.get_capability", "a", "b"},
		a.get(dependenciesPath+"?source_deployment_id=d1").column("dependency_creator")); diff != "" {
		t.Error(diff)
	}
	a.do(ask{method: "PUT", path: "/deployments/d1/inter-deployment-dependencies", body: object{
		"inter_deployment_dependencies": []any{object{"dependency_creator": "c", "target_deployment": "d2"}},
	}}).is(http.StatusOK)
	if diff := cmp.Diff([]string{"c"}, a.get(dependenciesPath+"?source_deployment_id=d1").column("dependency_creator")); diff != "" {
		t.Error(diff)
	}
	remove := func(source, creator string, component bool) answered {
		return a.do(ask{method: "DELETE", path: dependenciesPath, body: object{
			"dependency_creator": creator, "source_deployment": source, "is_component_deletion": component,
		}})
	}
	remove("d1", "c", false).is(http.StatusNoContent)
	remove("d1", "c", false).is(http.StatusNotFound)
	remove("d1", "c", true).is(http.StatusNoContent)
	remove("d0", "sharedresource.db_1", false).is(http.StatusNoContent)
	if labels := a.get("/deployments/d2").object()["labels"].([]any); len(labels) != 1 {
		t.Errorf("who no longer shares the resource is still told: %v", labels)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.grouped(4)
	rule := func(typ, key, operator string, values ...any) object {
		return object{"type": typ, "key": key, "operator": operator, "values": append([]any{}, values...)}
	}
	label, attribute := rule("label", "n", "any_of", "0"), rule("attribute", "id", "any_of", "d0", "d1")
	put := func(kind, id string, rules ...any) answered {
		return a.do(ask{method: "PUT", path: "/filters/" + kind + "/" + id, body: object{"filter_rules": append([]any{}, rules...)}})
	}
	f := put("deployments", "f", label, attribute).is(http.StatusOK).object()
	if diff := cmp.Diff([]any{label}, f["labels_filter_rules"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]any{attribute}, f["attrs_filter_rules"]); diff != "" {
		t.Error(diff)
	}
	for _, path := range []string{"/deployments?_filter_id=f", "/workflows?_filter_id=f"} {
		if n := len(a.get(path).items()); n != 1 {
			t.Errorf("%s: %d items", path, n)
		}
	}
	search := func(path string, body object) []string {
		t.Helper()
		return a.do(ask{method: "POST", path: path, body: body}).is(http.StatusOK).column("id")
	}
	for want, body := range map[string]object{"d0": {}, "": {"filter_rules": []any{rule("attribute", "id", "any_of", "d1")}}} {
		got := append(search("/searches/deployments?_filter_id=f", body), "")
		if got[0] != want {
			t.Errorf("found %v, want %q", got, want)
		}
	}
	if got := search("/searches/deployments", object{"constraints": object{"filter_id": "f"}}); len(got) != 1 {
		t.Errorf("by a constraint: %v", got)
	}
	patched := a.do(ask{method: "PATCH", path: "/filters/deployments/f", body: object{"filter_rules": []any{rule("attribute", "id", "any_of", "d2")}}}).
		is(http.StatusOK).object()
	if diff := cmp.Diff([]any{label, rule("attribute", "id", "any_of", "d2")}, patched["value"]); diff != "" {
		t.Error(diff)
	}
	put("blueprints", "f", rule("attribute", "state", "any_of", "uploaded")).is(http.StatusOK)
	put("workflows", "w", label).is(http.StatusOK)
	put("deployments", "f", label).is(http.StatusConflict)
	put("deployments", "empty").is(http.StatusBadRequest)
	put("blueprints", "g", rule("attribute", "site_name", "any_of", "x")).is(http.StatusBadRequest)
	put("wishes", "g", label).is(http.StatusNotFound)
	put("deployments", "csys-x", label).is(http.StatusBadRequest)
	if got := a.get("/filters/deployments").column("id"); len(got) != 3 {
		t.Errorf("listed: %v", got)
	}
	if got := a.get("/filters/blueprints").column("id"); len(got) != 1 {
		t.Errorf("listed: %v", got)
	}
	if got := search("/searches/deployments?_filter_id=csys-service-filter", object{}); len(got) != 4 {
		t.Errorf("services: %v", got)
	}
	if got := a.get("/deployments?_filter_id=csys-environment-filter").column("id"); len(got) != 0 {
		t.Errorf("environments: %v", got)
	}
	a.do(ask{method: "PATCH", path: "/filters/deployments/csys-service-filter", body: object{"visibility": "global"}}).
		refused("illegal_action_error", "Cannot modify a system filter")
	a.do(ask{method: "DELETE", path: "/filters/deployments/f"}).is(http.StatusNoContent)
	a.get("/filters/deployments/f").is(http.StatusNotFound)
	if got := search("/searches/deployments", object{"filter_rules": []any{rule("attribute", "schedules", "is_not_empty")}}); len(got) != 0 {
		t.Errorf("deployments with schedules: %v", got)
	}
}

func TestSites(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.grouped(1)
	put := func(name string, body object) answered {
		return a.do(ask{method: "PUT", path: "/sites/" + name, body: body})
	}
	site := put("oslo", object{"location": "59.9, 10.7"}).is(http.StatusOK).object()
	if site["latitude"] != 59.9 || site["longitude"] != 10.7 || site["location"] != "59.9, 10.7" || site["visibility"] != "tenant" {
		t.Errorf("got %v", site)
	}
	put("oslo", object{}).is(http.StatusConflict)
	for _, bad := range []string{"1", "1,2,3", "91,0", "0,181", "NaN,0", "a,b"} {
		put("bad", object{"location": bad}).is(http.StatusBadRequest)
	}
	put("secret", object{"visibility": "private"}).is(http.StatusOK)
	set := func(body object) answered {
		return a.do(ask{method: "POST", path: "/deployments/d0/set-site", body: body})
	}
	if d := set(object{"site_name": "oslo"}).is(http.StatusOK).object(); d["site_name"] != "oslo" {
		t.Errorf("the deployment is at %v", d["site_name"])
	}
	set(object{}).is(http.StatusBadRequest)
	set(object{"site_name": "oslo", "detach_site": true}).is(http.StatusBadRequest)
	set(object{"site_name": "secret"}).is(http.StatusBadRequest)
	set(object{"site_name": "nowhere"}).is(http.StatusNotFound)
	a.do(ask{method: "POST", path: "/sites/oslo", body: object{"new_name": "secret"}}).is(http.StatusConflict)
	a.do(ask{method: "POST", path: "/sites/oslo", body: object{"new_name": "bergen", "location": "60,5"}}).is(http.StatusOK)
	if d := a.get("/deployments/d0").object(); d["site_name"] != "bergen" {
		t.Errorf("the deployment is at %v", d["site_name"])
	}
	if d := set(object{"detach_site": true}).is(http.StatusOK).object(); d["site_name"] != nil {
		t.Errorf("the deployment is at %v", d["site_name"])
	}
	a.do(ask{method: "DELETE", path: "/sites/bergen"}).is(http.StatusNoContent)
	if got := a.get("/sites").column("name"); len(got) != 1 {
		t.Errorf("sites: %v", got)
	}
}
