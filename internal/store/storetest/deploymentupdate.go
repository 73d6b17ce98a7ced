package storetest

import (
	"time"

	"windlass/internal/store"
)

func sampleUpdate(id string) store.DeploymentUpdate {
	return store.DeploymentUpdate{
		Owned: store.Owned{Tenant: "a", Visibility: store.Tenants, CreatedBy: "jo", CreatedAt: time.UnixMicro(1_700_000_000_123_456).UTC()},
		ID:    id, DeploymentID: "d", ExecutionID: "x", OldBlueprintID: "one", NewBlueprintID: "two", State: store.UpdateUpdating,
		RuntimeOnlyEvaluation: true, OldInputs: map[string]any{"n": int64(1)}, NewInputs: map[string]any{"n": int64(2)},
		Details: map[string]any{"steps": []any{map[string]any{"action": "add"}}},
	}
}

var updateTests = []test{
	{"round trip", func(s *subject) {
		u := sampleUpdate("u1")
		filled(s, u)
		bare := store.DeploymentUpdate{Owned: store.Owned{Tenant: "a", CreatedAt: u.CreatedAt.Add(time.Second)}, ID: "u2", DeploymentID: "other"}
		for _, one := range []store.DeploymentUpdate{u, bare} {
			s.write(func(tx store.Tx) error { return tx.AddDeploymentUpdate(s.ctx(), one) })
			got, err := s.GetDeploymentUpdate(s.ctx(), "a", one.ID)
			s.must(err)
			same(s, got, one)
		}
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddDeploymentUpdate(s.ctx(), u) })
		_, err := s.GetDeploymentUpdate(s.ctx(), "b", "u1")
		s.missing(err, "DeploymentUpdate", "u1")
	}},
	{"changes and lists", func(s *subject) {
		u := sampleUpdate("u1")
		s.write(func(tx store.Tx) error { return tx.AddDeploymentUpdate(s.ctx(), u) })
		u.State, u.Details = store.UpdateSuccessful, map[string]any{}
		s.write(func(tx store.Tx) error { return tx.UpdateDeploymentUpdate(s.ctx(), u) })
		for state, want := range map[string]int{store.UpdateUpdating: 0, store.UpdateSuccessful: 1} {
			page, err := s.ListDeploymentUpdates(s.ctx(), store.Query{Tenants: []string{"a"}, Filters: []store.Filter{
				{Field: "deployment_id", Values: []string{"d"}}, {Field: "execution_id", Values: []string{"x"}}, {Field: "state", Values: []string{state}},
				{Field: "old_blueprint_id", Values: []string{"one"}}, {Field: "new_blueprint_id", Values: []string{"two"}},
			}})
			s.must(err)
			if page.Total != want {
				s.Errorf("%d are %s, want %d", page.Total, state, want)
			}
		}
		u.ID = "none"
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UpdateDeploymentUpdate(s.ctx(), u) })
	}},
	{"go with the deployment", func(s *subject) {
		d := store.Deployment{Owned: store.Owned{Tenant: "a", CreatedAt: time.UnixMicro(1).UTC()}, ID: "d", BlueprintID: "b"}
		other := sampleUpdate("u2")
		other.DeploymentID = "other"
		s.write(func(tx store.Tx) error { return tx.AddDeployment(s.ctx(), d) })
		s.write(func(tx store.Tx) error { return tx.AddDeploymentUpdate(s.ctx(), sampleUpdate("u1")) })
		s.write(func(tx store.Tx) error { return tx.AddDeploymentUpdate(s.ctx(), other) })
		s.write(func(tx store.Tx) error { return tx.DeleteDeployment(s.ctx(), "a", "d") })
		page, err := s.ListDeploymentUpdates(s.ctx(), store.Query{})
		s.must(err)
		same(s, page, store.Page[store.DeploymentUpdate]{Items: []store.DeploymentUpdate{other}, Total: 1})
	}},
}
