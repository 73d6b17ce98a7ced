package rest

import (
	"strings"
	"testing"

	"windlass/internal/access"
	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
)

// What starting a workflow would refuse, lists and deployments say before.
func TestAvailabilityOfWorkflows(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	no := false
	workflows := map[string]plan.Workflow{
		"always": {}, "never": {AvailabilityRules: &plan.Availability{Available: &no}},
		"install":   {AvailabilityRules: &plan.Availability{NodeInstancesActive: []string{"none", "partial"}}},
		"uninstall": {AvailabilityRules: &plan.Availability{NodeInstancesActive: []string{"all", "partial"}}},
		"agents":    {AvailabilityRules: &plan.Availability{NodeTypesRequired: []string{"vm"}}},
		"vms":       {AvailabilityRules: &plan.Availability{NodeInstancesActive: []string{"all"}, NodeTypesRequired: []string{"x", "vm"}}},
	}
	for id, it := range map[string]struct{ state, kind string }{"new": {"uninitialized", "vm"}, "up": {"started", "vm"}, "net": {"started", "net"}} {
		a.deployment(id, func(d *store.Deployment) { d.Workflows = workflows })
		a.write(func(tx store.Tx) error {
			if err := tx.AddNodes(t.Context(), []store.Node{{Tenant: access.DefaultTenant, DeploymentID: id, ID: "n", TypeHierarchy: []string{"root", it.kind}}}); err != nil {
				return err
			}
			return tx.AddInstances(t.Context(), []store.NodeInstance{{Tenant: access.DefaultTenant, DeploymentID: id, NodeID: "n", ID: id + "_1", State: it.state}})
		})
	}
	available := func(list any) string {
		var names []string
		for _, item := range list.([]any) {
			if w := item.(map[string]any); w["is_available"] == true {
				names = append(names, w["name"].(string))
			}
		}
		return strings.Join(names, " ")
	}
	want := map[string]string{"new": "agents always install", "up": "agents always uninstall vms", "net": "always uninstall"}
	for _, d := range a.get("/deployments").items() {
		id := d["id"].(string)
		if got := available(d["workflows"]); got != want[id] {
			t.Errorf("of the list's %s are available: %s", id, got)
		}
		if got := available(a.get("/deployments/" + id + "?_include=workflows").object()["workflows"]); got != want[id] {
			t.Errorf("of %s are available: %s", id, got)
		}
		if got := available(a.get("/workflows?id=" + id).object()["items"]); got != want[id] {
			t.Errorf("of the workflows of %s are available: %s", id, got)
		}
	}
	if got := available(a.get("/workflows").object()["items"]); got != "agents always install uninstall vms" {
		t.Errorf("available for any: %s", got)
	}
	if got := available(a.get("/workflows?_common_only=true").object()["items"]); got != "always" {
		t.Errorf("available for all: %s", got)
	}
}
