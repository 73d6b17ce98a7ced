package storetest

import (
	"errors"
	"slices"
	"time"

	"windlass/internal/store"
)

var groupTests = []test{
	{"deployment groups and their members", func(s *subject) {
		at := time.UnixMicro(1_700_000_000_123_456).UTC()
		g := store.DeploymentGroup{
			Owned: store.Owned{Tenant: "a", Visibility: store.Tenants, CreatedBy: "jo", CreatedAt: at}, ID: "g", Description: "all",
			BlueprintID: "b", DefaultInputs: map[string]any{"n": int64(1)}, CreationCounter: 3,
			Labels: []store.Label{{Key: "k", Value: "v", CreatedAt: at, CreatedBy: "jo"}},
		}
		filled(s, g)
		bare := store.DeploymentGroup{Owned: store.Owned{Tenant: "a", CreatedAt: at.Add(time.Second)}, ID: "bare"}
		for _, one := range []store.DeploymentGroup{g, bare} {
			s.write(func(tx store.Tx) error { return tx.AddDeploymentGroup(s.ctx(), one) })
			got, err := s.GetDeploymentGroup(s.ctx(), "a", one.ID)
			s.must(err)
			same(s, got, one)
		}
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddDeploymentGroup(s.ctx(), g) })
		members := func(want ...string) {
			got, err := s.GroupMembers(s.ctx(), "a", "g")
			s.must(err)
			if !slices.Equal(got, want) {
				s.Errorf("the members are %v, want %v", got, want)
			}
		}
		s.write(func(tx store.Tx) error { return tx.AddGroupMembers(s.ctx(), "a", "g", []string{"d2", "d1", "d3"}) })
		s.write(func(tx store.Tx) error { return tx.AddGroupMembers(s.ctx(), "a", "g", []string{"d1"}) })
		members("d1", "d2", "d3")
		s.write(func(tx store.Tx) error { return tx.RemoveGroupMembers(s.ctx(), "a", "g", []string{"d2", "none"}) })
		d := store.Deployment{Owned: store.Owned{Tenant: "a", CreatedAt: at}, ID: "d3", BlueprintID: "b"}
		s.write(func(tx store.Tx) error {
			return errors.Join(tx.AddDeployment(s.ctx(), d), tx.DeleteDeployment(s.ctx(), "a", "d3"))
		})
		members("d1")
		g.Description = ""
		s.write(func(tx store.Tx) error { return tx.UpdateDeploymentGroup(s.ctx(), g) })
		page, err := s.ListDeploymentGroups(s.ctx(), store.Query{Tenants: []string{"a"}})
		s.must(err)
		same(s, page, store.Page[store.DeploymentGroup]{Items: []store.DeploymentGroup{g, bare}, Total: 2})
		s.write(func(tx store.Tx) error { return tx.DeleteDeploymentGroup(s.ctx(), "a", "g") })
		members()
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteDeploymentGroup(s.ctx(), "a", "g") })
	}},
	{"execution groups, and which are full", func(s *subject) {
		at := time.UnixMicro(1_700_000_000_123_456).UTC()
		g := store.ExecutionGroup{
			Owned: store.Owned{Tenant: "a", Visibility: store.Tenants, CreatedBy: "jo", CreatedAt: at}, ID: "e", DeploymentGroupID: "g",
			WorkflowID: "install", Concurrency: 1, SuccessGroupID: "good", FailureGroupID: "bad",
		}
		filled(s, g)
		s.write(func(tx store.Tx) error { return tx.AddExecutionGroup(s.ctx(), g) })
		got, err := s.GetExecutionGroup(s.ctx(), "a", "e")
		s.must(err)
		same(s, got, g)
		full := func(want ...string) {
			got, err := s.FullGroups(s.ctx())
			s.must(err)
			if !slices.Equal(got, want) {
				s.Errorf("full are %v, want %v", got, want)
			}
		}
		add := func(id string, status store.Status) store.Execution {
			x := store.Execution{Owned: store.Owned{Tenant: "a", CreatedAt: at}, ID: id, Status: status, GroupID: "e"}
			s.write(func(tx store.Tx) error { return tx.AddExecution(s.ctx(), x) })
			return x
		}
		running := add("x1", store.Started)
		full("e")
		add("x2", store.Queued)
		full("e")
		running.Status = store.Terminated
		s.write(func(tx store.Tx) error { return tx.UpdateExecution(s.ctx(), running) })
		full()
		g.Concurrency = 0
		s.write(func(tx store.Tx) error { return tx.UpdateExecutionGroup(s.ctx(), g) })
		full("e")
		page, err := s.ListExecutions(s.ctx(), store.Query{Filters: []store.Filter{{Field: "group_id", Values: []string{"e"}}}})
		s.must(err)
		if page.Total != 2 || page.Items[0].GroupID != "e" {
			s.Errorf("the members are %v", page.Items)
		}
	}},
}
