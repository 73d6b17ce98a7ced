package storetest

import (
	"time"

	"windlass/internal/store"
)

func samplePluginsUpdate(id string) store.PluginsUpdate {
	return store.PluginsUpdate{
		Owned: store.Owned{Tenant: "a", Visibility: store.Tenants, CreatedBy: "jo", CreatedAt: time.UnixMicro(1_700_000_000_123_456).UTC()},
		ID:    id, BlueprintID: "b", TempBlueprintID: "temp", ExecutionID: "x", State: store.UpdateUpdating, Forced: true, AllTenants: true,
		Deployments: map[string]any{"a": []any{"d"}},
	}
}

var pluginsUpdateTests = []test{
	{"round trip", func(s *subject) {
		u := samplePluginsUpdate("u1")
		filled(s, u)
		bare := store.PluginsUpdate{Owned: store.Owned{Tenant: "a", CreatedAt: u.CreatedAt.Add(time.Second)}, ID: "u2"}
		for _, one := range []store.PluginsUpdate{u, bare} {
			s.write(func(tx store.Tx) error { return tx.AddPluginsUpdate(s.ctx(), one) })
			got, err := s.GetPluginsUpdate(s.ctx(), "a", one.ID)
			s.must(err)
			same(s, got, one)
		}
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddPluginsUpdate(s.ctx(), u) })
		_, err := s.GetPluginsUpdate(s.ctx(), "b", "u1")
		s.missing(err, "PluginsUpdate", "u1")
	}},
	{"changes and lists", func(s *subject) {
		u := samplePluginsUpdate("u1")
		s.write(func(tx store.Tx) error { return tx.AddPluginsUpdate(s.ctx(), u) })
		u.State, u.Deployments = store.UpdateSuccessful, map[string]any{}
		s.write(func(tx store.Tx) error { return tx.UpdatePluginsUpdate(s.ctx(), u) })
		for state, want := range map[string]int{store.UpdateUpdating: 0, store.UpdateSuccessful: 1} {
			page, err := s.ListPluginsUpdates(s.ctx(), store.Query{Tenants: []string{"a"}, Filters: []store.Filter{
				{Field: "blueprint_id", Values: []string{"b"}}, {Field: "execution_id", Values: []string{"x"}}, {Field: "state", Values: []string{state}},
			}})
			s.must(err)
			if page.Total != want {
				s.Errorf("%d are %s, want %d", page.Total, state, want)
			}
		}
		u.ID = "none"
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UpdatePluginsUpdate(s.ctx(), u) })
	}},
	{"go with the blueprint", func(s *subject) {
		other := samplePluginsUpdate("u2")
		other.BlueprintID = "other"
		b := store.Blueprint{Owned: store.Owned{Tenant: "a", CreatedAt: time.UnixMicro(1).UTC()}, ID: "b", MainFileName: "b.yaml"}
		s.write(func(tx store.Tx) error { return tx.AddBlueprint(s.ctx(), b) })
		s.write(func(tx store.Tx) error { return tx.AddPluginsUpdate(s.ctx(), samplePluginsUpdate("u1")) })
		s.write(func(tx store.Tx) error { return tx.AddPluginsUpdate(s.ctx(), other) })
		s.write(func(tx store.Tx) error { return tx.DeleteBlueprint(s.ctx(), "a", "b") })
		page, err := s.ListPluginsUpdates(s.ctx(), store.Query{})
		s.must(err)
		same(s, page, store.Page[store.PluginsUpdate]{Items: []store.PluginsUpdate{other}, Total: 1})
	}},
}
