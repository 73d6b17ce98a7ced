package storetest

import (
	"time"

	"windlass/internal/store"
)

func sampleModification(id string) store.Modification {
	at := time.UnixMicro(1_700_000_000_123_456).UTC()
	return store.Modification{
		Owned: store.Owned{Tenant: "a", Visibility: store.Tenants, CreatedBy: "jo", CreatedAt: at},
		ID:    id, DeploymentID: "d", ExecutionID: "x", Status: store.ModificationFinished, EndedAt: at.Add(time.Second),
		Context: map[string]any{"why": "load"}, ModifiedNodes: map[string]any{"vm": map[string]any{"instances": int64(3)}},
		NodeInstances: map[string]any{"added_and_related": []any{map[string]any{"id": "vm_1"}}},
	}
}

var modificationTests = []test{
	{"round trip", func(s *subject) {
		m := sampleModification("m1")
		filled(s, m)
		bare := store.Modification{Owned: store.Owned{Tenant: "a", CreatedAt: m.CreatedAt.Add(time.Second)}, ID: "m2", DeploymentID: "other"}
		for _, one := range []store.Modification{m, bare} {
			s.write(func(tx store.Tx) error { return tx.AddModification(s.ctx(), one) })
			got, err := s.GetModification(s.ctx(), "a", one.ID)
			s.must(err)
			same(s, got, one)
		}
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddModification(s.ctx(), m) })
		_, err := s.GetModification(s.ctx(), "b", "m1")
		s.missing(err, "DeploymentModification", "m1")
	}},
	{"changes and lists", func(s *subject) {
		m := sampleModification("m1")
		m.Status, m.EndedAt = store.ModificationStarted, time.Time{}
		s.write(func(tx store.Tx) error { return tx.AddModification(s.ctx(), m) })
		m.Status, m.EndedAt = store.ModificationRolledBack, m.CreatedAt.Add(time.Minute)
		m.NodeInstances["before_rollback"] = []any{}
		s.write(func(tx store.Tx) error { return tx.UpdateModification(s.ctx(), m) })
		for status, want := range map[string]int{store.ModificationStarted: 0, store.ModificationRolledBack: 1} {
			page, err := s.ListModifications(s.ctx(), store.Query{Tenants: []string{"a"}, Filters: []store.Filter{
				{Field: "deployment_id", Values: []string{"d"}}, {Field: "execution_id", Values: []string{"x"}}, {Field: "status", Values: []string{status}},
			}})
			s.must(err)
			if page.Total != want {
				s.Errorf("%d are %s, want %d", page.Total, status, want)
			}
		}
		m.ID = "none"
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UpdateModification(s.ctx(), m) })
	}},
	{"go with the deployment", func(s *subject) {
		d := store.Deployment{Owned: store.Owned{Tenant: "a", CreatedAt: time.UnixMicro(1).UTC()}, ID: "d", BlueprintID: "b"}
		other := sampleModification("m2")
		other.DeploymentID = "other"
		s.write(func(tx store.Tx) error { return tx.AddDeployment(s.ctx(), d) })
		s.write(func(tx store.Tx) error { return tx.AddModification(s.ctx(), sampleModification("m1")) })
		s.write(func(tx store.Tx) error { return tx.AddModification(s.ctx(), other) })
		s.write(func(tx store.Tx) error { return tx.DeleteDeployment(s.ctx(), "a", "d") })
		page, err := s.ListModifications(s.ctx(), store.Query{})
		s.must(err)
		same(s, page, store.Page[store.Modification]{Items: []store.Modification{other}, Total: 1})
	}},
}
