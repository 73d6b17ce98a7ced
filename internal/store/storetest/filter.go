package storetest

import (
	"windlass/internal/store"
)

func sampleFilter(id string) store.StoredFilter {
	return store.StoredFilter{
		Owned: owned("a", 3), Kind: store.FilterDeployments, ID: id, UpdatedAt: at(4),
		Rules: []any{map[string]any{"key": "env", "values": []any{"prod"}, "operator": "any_of", "type": "label"}},
	}
}

var filterTests = []test{
	{"round trip", func(s *subject) {
		full := sampleFilter("f")
		filled(s, full)
		bare := store.StoredFilter{Owned: owned("a", 5), Kind: store.FilterBlueprints, ID: "f", Rules: []any{}}
		for _, one := range []store.StoredFilter{full, bare} {
			s.write(func(tx store.Tx) error { return tx.AddFilter(s.ctx(), one) })
			got, err := s.GetFilter(s.ctx(), "a", one.Kind, one.ID)
			s.must(err)
			same(s, got, one)
		}
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddFilter(s.ctx(), full) })
		page, err := s.ListFilters(s.ctx(), where(field("kind", store.FilterDeployments)))
		s.must(err)
		same(s, page, store.Page[store.StoredFilter]{Items: []store.StoredFilter{full}, Total: 1})
		_, err = s.GetFilter(s.ctx(), "b", full.Kind, "f")
		s.missing(err, "Filter", "f")
		full.Rules, full.Visibility = []any{}, store.Global
		s.write(func(tx store.Tx) error { return tx.UpdateFilter(s.ctx(), full) })
		got, err := s.GetFilter(s.ctx(), "b", full.Kind, "f")
		s.must(err)
		same(s, got, full)
		s.write(func(tx store.Tx) error { return tx.DeleteFilter(s.ctx(), "a", full.Kind, "f") })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteFilter(s.ctx(), "a", full.Kind, "f") })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UpdateFilter(s.ctx(), full) })
	}},
}
