package rest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/store"
)

func TestLists(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for i := range 5 {
		a.deployment(fmt.Sprintf("dep%d", i), func(d *store.Deployment) {
			d.CreatedAt = started.Add(time.Duration(i) * time.Minute)
			d.DisplayName = fmt.Sprintf("Name %d", 4-i)
			d.BlueprintID = fmt.Sprintf("bp%d", i%2)
			d.Labels = []store.Label{{Key: "n", Value: fmt.Sprint(9 - i), CreatedAt: started, CreatedBy: "admin"}}
		})
	}
	for path, want := range map[string]string{
		"/deployments":                                    "dep0 dep1 dep2 dep3 dep4",
		"/deployments?_sort=-created_at":                  "dep4 dep3 dep2 dep1 dep0",
		"/deployments?_sort=display_name":                 "dep4 dep3 dep2 dep1 dep0",
		"/deployments?_sort=label:n":                      "dep4 dep3 dep2 dep1 dep0",
		"/deployments?_sort=-label:n&_size=2&_offset=1":   "dep1 dep2",
		"/deployments?_sort=-id&_size=2&_offset=1":        "dep3 dep2",
		"/deployments?_size=2&_get_all_results=True":      "dep0 dep1 dep2 dep3 dep4",
		"/deployments?blueprint_id=bp1":                   "dep1 dep3",
		"/deployments?blueprint_id=bp1&blueprint_id=bp0":  "dep0 dep1 dep2 dep3 dep4",
		"/deployments?blueprint_id=bp1&id=dep3":           "dep3",
		"/deployments?_search=P3":                         "dep3",
		"/deployments?_search=dep_":                       "", // taken literally
		"/deployments?_search_name=name%203":              "dep1",
		"/deployments?_search=dep3&_search_name=name%203": "dep1 dep3",
		"/deployments?_search=3&_search_name=3":           "dep1 dep3",
		"/deployments?_unknown=ignored":                   "dep0 dep1 dep2 dep3 dep4",
		"/deployments?_offset=99":                         "",
		"/deployments?_size=0":                            "",
		"/deployments?_size=0&_get_all_results=true":      "dep0 dep1 dep2 dep3 dep4",
		"/deployments?_environments_only=false&id=dep0":   "dep0",
	} {
		if got := strings.Join(a.get(path).column("id"), " "); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	page := a.get("/deployments?_size=2&_offset=1").object()["metadata"].(object)
	delete(page["pagination"].(object), "next")
	want := object{"pagination": object{"total": int64(5), "size": int64(2), "offset": int64(1)}, "filtered": nil}
	if diff := cmp.Diff(want, page); diff != "" {
		t.Error(diff)
	}
	// A page of none tells how many there are.
	for _, path := range []string{"/deployments?_size=0&_offset=1", "/workflows?_size=0&_offset=1"} {
		none := a.get(path).object()
		of := none["metadata"].(object)["pagination"].(object)
		if items := none["items"].([]any); len(items) != 0 || of["size"] != int64(0) || of["offset"] != int64(1) || of["next"] != nil {
			t.Errorf("%s: got %v", path, none)
		}
	}
	var ids []string
	for path := "/deployments?_sort=-id&_size=2"; path != ""; {
		r := a.get(path)
		ids = append(ids, r.column("id")...)
		next, goesOn := r.object()["metadata"].(object)["pagination"].(object)["next"].(string)
		if path = ""; goesOn {
			path = "/deployments?_sort=-id&_size=2&_after=" + next
		}
	}
	if got := strings.Join(ids, " "); got != "dep4 dep3 dep2 dep1 dep0" {
		t.Errorf("by key: %s", got)
	}
	a.get("/deployments?_after=x").refused("bad_parameters_error", "the place to go on from")
	a.get("/deployments?_after=x&_offset=1").refused("bad_parameters_error", "exclude each other")
	a.get("/deployments?_after=x&_sort=label:n").refused("bad_parameters_error", "_after can't go with")
	if got := a.get("/deployments?_include=id,display_name&_size=1").items(); len(got) != 1 || len(got[0]) != 2 {
		t.Errorf("included: %v", got)
	}
	a.get("/deployments?_size=-1").refused("bad_parameters_error", "_size")
	a.get("/deployments?_offset=x").refused("bad_parameters_error", "_offset")
	a.get("/deployments?nonsense=1").refused("bad_parameters_error", "Filter keys '['nonsense']' do not exist. Allowed keys are: [")
	a.get("/deployments?_include=id,nonsense").refused("no_such_include_field_error", "Include keys '['nonsense']' do not exist. Allowed keys are: [")
	a.get("/deployments?_sort=nonsense").refused("bad_parameters_error", "nonsense")
	a.get("/deployments?_get_all_results=maybe").refused("bad_parameters_error", "must be <true/false>, got maybe")
	a.get("/deployments?_filter_id=f").refused("not_found_error", "Filter")

	search := func(rules ...any) answered {
		return a.do(ask{method: "POST", path: "/searches/deployments", body: object{"filter_rules": rules}})
	}
	label := object{"key": "n", "values": []any{"9", "8"}, "operator": "any_of", "type": "label"}
	r := search(label, object{"key": "id", "values": []any{"DEP1"}, "operator": "ends_with", "type": "attribute"})
	if got := strings.Join(r.column("id"), " "); got != "dep1" {
		t.Errorf("searched: %s", got)
	}
	if filtered := r.object()["metadata"].(object)["filtered"]; filtered != int64(4) {
		t.Errorf("filtered is %v", filtered)
	}
	bad := search(object{"key": "n"})
	bad.refused("invalid_filter_rule", "is not in the right format")
	if o := bad.object(); o["err_filter_rule"] == nil || o["err_reason"] == nil {
		t.Errorf("the client needs more: %v", o)
	}
	byName := a.do(ask{method: "POST", path: "/searches/deployments", body: object{"constraints": object{"name_pattern": object{"starts_with": "name 1"}}}})
	if got := strings.Join(byName.column("id"), " "); got != "dep3" {
		t.Errorf("by name: %s", got)
	}
}
