package storetest

import (
	"fmt"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
	"windlass/internal/value"
)

func sampleDeployment(id string) store.Deployment {
	out := map[string]plan.Output{"o": {Description: ptr("d"), Value: value.Any{V: map[string]any{"get_attribute": []any{"vm", "ip"}}}}}
	return store.Deployment{
		Owned: owned("a", 1), ID: id, DisplayName: "Gerät", Description: ptr(""), BlueprintID: "bp", SiteName: "oslo", UpdatedAt: at(2),
		Inputs: map[string]any{"count": int64(2), "ratio": 2.0, "big": int64(1) << 62, "list": []any{}, "none": nil}, Outputs: out, Capabilities: out,
		Groups: map[string]plan.Group{"g": {Members: []string{"vm"}, Policies: map[string]plan.GroupPolicy{}}},
		ScalingGroups: map[string]plan.ScalingGroup{"sg": {Members: []string{"vm"}, Properties: plan.Scalable{
			Min: value.Any{V: int64(0)}, Max: value.Any{V: int64(-1)}, Default: value.Any{V: int64(1)}, Current: value.Any{V: int64(1)}, Planned: value.Any{V: int64(1)},
		}}},
		PolicyTypes:    map[string]plan.PolicyType{"p": {Source: "s", Properties: map[string]plan.Schema{}}},
		PolicyTriggers: map[string]plan.PolicyTrigger{"t": {Source: "s", Parameters: map[string]plan.Schema{}}},
		Workflows: map[string]plan.Workflow{"install": {Plugin: "default_workflows", Operation: "x.y", Parameters: map[string]plan.Schema{
			"p": {Default: &value.Any{V: int64(1)}}, "q": {Default: &value.Any{}},
		}}},
		ResourceTags: map[string]any{"k": "v"}, DeploymentSettings: map[string]any{"s": 1.5},
		Labels:                []store.Label{{Key: "csys-env-type", Value: "x", CreatedAt: at(3), CreatedBy: "jo"}},
		RuntimeOnlyEvaluation: true, InstallationStatus: "active", DeploymentStatus: "good", LatestExecutionID: "e-latest",
		CreateExecutionID: "e-create", UnavailableInstances: 3, DriftedInstances: 4,
	}
}

var deploymentTests = []test{
	{"round trip", func(s *subject) {
		d := sampleDeployment("d")
		computed := []string{"LatestExecutionStatus", "LatestExecutionWorkflow", "LatestExecutionTotal", "LatestExecutionFinished"}
		filled(s, d, computed...)
		s.write(func(tx store.Tx) error { return tx.AddDeployment(s.ctx(), d) })
		got, err := s.GetDeployment(s.ctx(), "a", "d")
		s.must(err)
		same(s, got, d)
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddDeployment(s.ctx(), d) })
		s.write(func(tx store.Tx) error {
			return tx.AddExecution(s.ctx(), store.Execution{
				Owned: owned("a", 1), ID: "e-latest", WorkflowID: "heal", DeploymentID: "d", Status: store.Terminated, TotalOperations: 7, FinishedOperations: 5,
			})
		})
		d.LatestExecutionStatus, d.LatestExecutionWorkflow, d.LatestExecutionTotal, d.LatestExecutionFinished = "terminated", "heal", 7, 5
		page, err := s.ListDeployments(s.ctx(), store.Query{Limit: 5})
		s.must(err)
		same(s, page, store.Page[store.Deployment]{Items: []store.Deployment{d}, Total: 1})
		d = store.Deployment{Owned: owned("a", 1), ID: "d", BlueprintID: "other"}
		s.write(func(tx store.Tx) error { return tx.UpdateDeployment(s.ctx(), d) })
		got, err = s.GetDeployment(s.ctx(), "a", "d")
		s.must(err)
		same(s, got, d)
		d.ID = "none"
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UpdateDeployment(s.ctx(), d) })
		_, err = s.GetDeployment(s.ctx(), "b", "d")
		s.missing(err, "Deployment", "d")
	}},
	{"delete takes everything with it and nothing else", func(s *subject) {
		for _, d := range []string{"d", "kept"} {
			f := s.seed("a", d, "e-"+d)
			s.graph("e-"+d, "g-"+d, 3)
			s.write(func(tx store.Tx) error {
				return tx.AddNodes(s.ctx(), []store.Node{{Tenant: "a", DeploymentID: d, ID: "vm-" + d}})
			})
			s.instances("a", d, "vm-"+d, 2)
			s.write(func(tx store.Tx) error {
				return tx.Journal(s.ctx(), f, store.JournalBatch{Events: []store.Event{{Message: "m"}}})
			})
		}
		s.write(func(tx store.Tx) error { return tx.DeleteDeployment(s.ctx(), "a", "d") })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteDeployment(s.ctx(), "a", "d") })
		counts := func() (n []int) {
			deployments, err := s.ListDeployments(s.ctx(), store.Query{})
			s.must(err)
			nodes, err := s.ListNodes(s.ctx(), store.Query{})
			s.must(err)
			instances, err := s.ListInstances(s.ctx(), store.Query{})
			s.must(err)
			executions, err := s.ListExecutions(s.ctx(), store.Query{})
			s.must(err)
			graphs, err := s.ListGraphs(s.ctx(), store.Query{})
			s.must(err)
			operations, err := s.ListOperations(s.ctx(), store.Query{})
			s.must(err)
			events, err := s.ListEvents(s.ctx(), store.Query{})
			s.must(err)
			return []int{deployments.Total, nodes.Total, instances.Total, executions.Total, graphs.Total, operations.Total, events.Total}
		}
		same(s, counts(), []int{1, 1, 2, 1, 1, 3, 1})
		s.write(func(tx store.Tx) error { return tx.DeleteDeployment(s.ctx(), "a", "kept") })
		same(s, counts(), []int{0, 0, 0, 0, 0, 0, 0})
	}},
	{"status", func(s *subject) {
		for i, tt := range []struct {
			latest       store.Status // "" for none
			states       []string
			installation string
			status       string
		}{
			{"", nil, "active", "good"},
			{"", []string{"started", "started"}, "active", "good"},
			{"", []string{"started", "stopped"}, "inactive", "requires_attention"},
			{store.Terminated, []string{"started"}, "active", "good"},
			{store.Cancelled, []string{"started"}, "active", "good"},
			{store.Scheduled, []string{"started"}, "active", "good"},
			{store.Failed, []string{"started"}, "active", "requires_attention"},
			{store.Terminated, []string{"uninitialized"}, "inactive", "requires_attention"},
			{store.Pending, []string{"uninitialized"}, "inactive", "in_progress"},
			{store.Queued, []string{"started"}, "active", "in_progress"},
			{store.Started, []string{"started"}, "active", "in_progress"},
			{store.KillCancelling, []string{"started"}, "active", "in_progress"},
		} {
			id := fmt.Sprintf("d%d", i)
			d := store.Deployment{Owned: owned("a", 1), ID: id}
			s.write(func(tx store.Tx) error {
				if tt.latest != "" {
					d.LatestExecutionID = "e" + id
					s.must(tx.AddExecution(s.ctx(), store.Execution{Owned: owned("a", 1), ID: "e" + id, DeploymentID: id, Status: tt.latest}))
				}
				s.must(tx.AddDeployment(s.ctx(), d))
				var list []store.NodeInstance
				for j, state := range tt.states {
					list = append(list, store.NodeInstance{Tenant: "a", DeploymentID: id, NodeID: "n", ID: fmt.Sprintf("%s_%d", id, j), State: state})
				}
				s.must(tx.AddInstances(s.ctx(), list))
				if i%2 == 0 { // naming the latest execution tells the same
					return tx.SetLatestExecution(s.ctx(), "a", id, d.LatestExecutionID)
				}
				return tx.RefreshDeploymentStatus(s.ctx(), "a", id)
			})
			got, err := s.GetDeployment(s.ctx(), "a", id)
			s.must(err)
			if got.InstallationStatus != tt.installation || got.DeploymentStatus != tt.status || got.UnavailableInstances != len(tt.states) {
				s.Errorf("latest %q, instances %v: got %s, %s, %d unavailable; want %s, %s, %d", tt.latest, tt.states,
					got.InstallationStatus, got.DeploymentStatus, got.UnavailableInstances, tt.installation, tt.status, len(tt.states))
			}
		}
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.RefreshDeploymentStatus(s.ctx(), "a", "none") })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.SetLatestExecution(s.ctx(), "a", "none", "e") })
		s.write(func(tx store.Tx) error { return tx.SetLatestExecution(s.ctx(), "a", "d4", "ed6") })
		got, err := s.GetDeployment(s.ctx(), "a", "d4")
		s.must(err)
		same(s, got.LatestExecutionID+" "+got.DeploymentStatus, "ed6 requires_attention")
	}},
}
