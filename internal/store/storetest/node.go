package storetest

import (
	"errors"
	"fmt"
	"slices"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
	"windlass/internal/value"
)

func sampleNode(id string) store.Node {
	return store.Node{
		Tenant: "a", DeploymentID: "d", BlueprintID: "bp", ID: id, Type: "cloudify.nodes.Compute", TypeHierarchy: []string{"root", "compute"},
		Properties: map[string]any{"n": int64(1), "f": 1.0}, Operations: map[string]*plan.Operation{"create": {
			Plugin: "p", Operation: "p.m.f", Inputs: value.Map{"a": int64(1)}, MaxRetries: ptr(int64(-1)), RetryInterval: &value.Any{V: 0.5},
		}},
		Relationships: []plan.Relationship{{Type: "contained_in", TargetID: "host", Properties: value.Map{"x": "y"}}},
		Plugins:       []plan.Plugin{{Name: "p", PackageName: ptr("pkg")}}, PluginsToInstall: []plan.Plugin{}, HostID: "host",
		Scalable: store.NodeScale{Current: 1, Planned: 2, Deploy: 3, Min: 4, Max: -1}, Visibility: store.Tenants, CreatedBy: "jo", Position: 5,
	}
}

var nodeTests = []test{
	{"round trip", func(s *subject) {
		n := sampleNode("vm")
		filled(s, n, "ActualInstances", "UnavailableInstances", "DriftedInstances")
		s.write(func(tx store.Tx) error { return tx.AddNodes(s.ctx(), []store.Node{n, sampleNode("other")}) })
		got, err := s.GetNode(s.ctx(), "a", "d", "vm")
		s.must(err)
		same(s, got, n)
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddNodes(s.ctx(), []store.Node{n}) })
		n = store.Node{Tenant: "a", DeploymentID: "d", ID: "vm", Type: "x"}
		s.write(func(tx store.Tx) error { return tx.UpdateNode(s.ctx(), n) })
		got, err = s.GetNode(s.ctx(), "a", "d", "vm")
		s.must(err)
		same(s, got, n)
		n.ID = "none"
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UpdateNode(s.ctx(), n) })
		_, err = s.GetNode(s.ctx(), "a", "other", "vm")
		s.missing(err, "Node", "vm")
		s.write(func(tx store.Tx) error { return tx.AddNodes(s.ctx(), nil) })
	}},
	{"some go", func(s *subject) {
		elsewhere := sampleNode("vm")
		elsewhere.DeploymentID = "other"
		s.write(func(tx store.Tx) error {
			return tx.AddNodes(s.ctx(), []store.Node{sampleNode("vm"), sampleNode("net"), elsewhere})
		})
		s.write(func(tx store.Tx) error { return tx.DeleteNodes(s.ctx(), "a", "d", []string{"vm", "none"}) })
		page, err := s.ListNodes(s.ctx(), store.Query{})
		s.must(err)
		if page.Total != 2 || page.Items[0].ID != "net" || page.Items[1].DeploymentID != "other" {
			s.Errorf("left are %+v", page.Items)
		}
	}},
	{"types and states of several deployments", func(s *subject) {
		node := func(tenant, deployment, id string, types ...string) store.Node {
			return store.Node{Tenant: tenant, DeploymentID: deployment, ID: id, TypeHierarchy: types}
		}
		instance := func(tenant, deployment, id, state string) store.NodeInstance {
			return store.NodeInstance{Tenant: tenant, DeploymentID: deployment, ID: id, NodeID: "n", State: state}
		}
		s.write(func(tx store.Tx) error {
			return errors.Join(tx.AddNodes(s.ctx(), []store.Node{
				node("a", "d", "n1", "root", "vm"), node("a", "d", "n2", "root", "net"), node("a", "d", "n3", "root", "vm"),
				node("a", "e", "n1", "root"), node("a", "f", "n1"), node("b", "d", "n1", "other"), node("a", "g", "n1", "more"),
			}), tx.AddInstances(s.ctx(), []store.NodeInstance{
				instance("a", "d", "1", "started"), instance("a", "d", "2", "started"), instance("a", "d", "3", "deleted"),
				instance("a", "e", "4", "started"), instance("b", "d", "5", "creating"), instance("a", "g", "6", "stopping"),
			}))
		})
		key := func(tenant, id string) store.DeploymentKey { return store.DeploymentKey{Tenant: tenant, ID: id} }
		sorted := func(lists map[store.DeploymentKey][]string, err error) map[store.DeploymentKey][]string {
			s.must(err)
			for _, list := range lists {
				slices.Sort(list)
			}
			return lists
		}
		asked := []store.DeploymentKey{key("a", "d"), key("a", "e"), key("a", "f"), key("b", "d"), key("a", "none")}
		same(s, sorted(s.NodeTypes(s.ctx(), asked)), map[store.DeploymentKey][]string{
			key("a", "d"): {"net", "root", "vm"}, key("a", "e"): {"root"}, key("b", "d"): {"other"}})
		same(s, sorted(s.InstanceStates(s.ctx(), asked)), map[store.DeploymentKey][]string{
			key("a", "d"): {"deleted", "started"}, key("a", "e"): {"started"}, key("b", "d"): {"creating"}})
		same(s, sorted(s.InstanceStates(s.ctx(), asked[1:2])), map[store.DeploymentKey][]string{key("a", "e"): {"started"}})
		same(s, sorted(s.NodeTypes(s.ctx(), nil)), map[store.DeploymentKey][]string{})
	}},
	{"many in the order of insertion, with counts", func(s *subject) {
		var list []store.Node
		for i := range 300 {
			list = append(list, store.Node{Tenant: "a", DeploymentID: "d", ID: fmt.Sprintf("n%d", 999-i), Position: i, Visibility: store.Tenants})
		}
		s.write(func(tx store.Tx) error { return tx.AddNodes(s.ctx(), list) })
		s.instances("a", "d", "n999", 5)
		s.write(func(tx store.Tx) error {
			for i, system := range []map[string]any{
				{"status": map[string]any{"ok": true}},
				{"status": map[string]any{"ok": false}, "configuration_drift": map[string]any{"ok": true, "result": nil}},
				{"configuration_drift": map[string]any{"ok": true, "result": "changed"}},
				{"status": map[string]any{"ok": true}, "target_relationships_configuration_drift": map[string]any{"x": map[string]any{"ok": false}}},
			} {
				_, err := tx.UpdateInstance(s.ctx(), store.InstanceUpdate{Tenant: "a", ID: fmt.Sprintf("n999_%d", i), Version: 1, SystemProperties: system})
				s.must(err)
			}
			return nil
		})
		list[0].ActualInstances, list[0].UnavailableInstances, list[0].DriftedInstances = 5, 3, 2
		page, err := s.ListNodes(s.ctx(), store.Query{Tenants: []string{"a"}, Filters: []store.Filter{field("deployment_id", "d")}, Limit: 200})
		s.must(err)
		same(s, page, store.Page[store.Node]{Items: list[:200], Next: page.Next, Total: 300})
		got, err := s.GetNode(s.ctx(), "a", "d", "n999")
		s.must(err)
		same(s, got, list[0])
	}},
}
