package rest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/store"
)

// family stores deployments as "id" or "id<parent", where capital letters are
// environments, each with the status after a colon.
func (a *api) family(list ...string) {
	a.t.Helper()
	a.write(func(tx store.Tx) error {
		labels := map[string][]store.Label{}
		for _, one := range list {
			name, _, _ := strings.Cut(one, ":")
			id, parent, isChild := strings.Cut(name, "<")
			if isChild {
				labels[id] = append(labels[id], store.Label{Key: "csys-obj-parent", Value: parent})
				labels[parent] = append(labels[parent], store.Label{Key: "csys-consumer-id", Value: id})
			}
			if strings.ToUpper(id) == id {
				labels[id] = append(labels[id], store.Label{Key: "csys-obj-type", Value: "environment"})
			}
		}
		for _, one := range list {
			name, status, _ := strings.Cut(one, ":")
			id, _, _ := strings.Cut(name, "<")
			if err := tx.AddDeployment(a.t.Context(), store.Deployment{
				Owned: owned("admin"), ID: id, BlueprintID: "b", Labels: labels[id], DeploymentStatus: status,
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestFamilies: what a deployment shows of what it contains.
func TestFamilies(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.family("TOP:good", "ENV<TOP:good", "s1<ENV:in_progress", "s2<s1:requires_attention", "s3<TOP:good", "alone:good")
	shows := func(path string) string {
		d := a.get(path).object()
		return fmt.Sprint(d["deployment_status"], " ", d["sub_services_count"], " ", d["sub_services_status"], " ",
			d["sub_environments_count"], " ", d["sub_environments_status"], " ", d["has_sub_deployments"])
	}
	for path, want := range map[string]string{
		"TOP":                           "requires_attention 3 requires_attention 1 requires_attention true",
		"TOP?all_sub_deployments=false": "requires_attention 1 good 1 requires_attention true",
		"ENV":                           "requires_attention 2 requires_attention 0 <nil> true",
		"s1":                            "requires_attention 1 requires_attention 0 <nil> true",
		"s2":                            "requires_attention 0 <nil> 0 <nil> false",
		"alone":                         "good 0 <nil> 0 <nil> false",
	} {
		if got := shows("/deployments/" + path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	list := a.get("/deployments?_include=id,deployment_status,sub_services_count&id=TOP").items()
	if diff := cmp.Diff([]object{{"id": "TOP", "deployment_status": "requires_attention", "sub_services_count": int64(3)}}, list); diff != "" {
		t.Error(diff)
	}
}

// TestDependenciesOf: what a deployment needs, however it needs it.
func TestDependenciesOf(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.family("P:good", "d1<P:good", "d2:good", "d3:good", "d4:good")
	for creator, ends := range map[string][2]string{"x.get_capability": {"d1", "d2"}, "component.vm_1": {"d2", "d3"}, "sharedresource.db_1": {"d4", "d3"}} {
		a.do(ask{method: "PUT", path: dependenciesPath, body: object{
			"dependency_creator": creator, "source_deployment": ends[0], "target_deployment": ends[1],
		}}).is(http.StatusOK)
	}
	ids := func(path string) string {
		found := a.get(path).column("id")
		slices.Sort(found)
		return strings.Join(found, " ")
	}
	for path, want := range map[string]string{
		"/deployments?_dependencies_of=d1": "P d2 d3", "/deployments?_dependencies_of=d2": "d3", "/deployments?_dependencies_of=P": "",
		"/deployments?_environments_only=true": "P d1 d2 d4", // d3 is a component
	} {
		if got := ids(path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	a.get("/deployments?_dependencies_of=nobody").refused("not_found_error", "nobody")
}

// TestGroupsOfDeployments: a deployment names its groups.
func TestGroupsOfDeployments(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.grouped(3)
	for _, group := range []string{"g2", "g1"} {
		a.do(ask{method: "PUT", path: "/deployment-groups/" + group, body: object{"deployment_ids": []any{"d0", "d1"}}}).is(http.StatusOK)
	}
	for id, want := range map[string][]any{"d0": {"g1", "g2"}, "d2": {}} {
		if diff := cmp.Diff(want, a.get("/deployments/" + id).object()["deployment_groups"]); diff != "" {
			t.Errorf("%s: %s", id, diff)
		}
	}
}
