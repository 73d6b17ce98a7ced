package storetest

import (
	"windlass/internal/store"
)

func sampleDependency(id string) store.Dependency {
	return store.Dependency{
		Owned: owned("a", 3), ID: id, Creator: "component.vm_1", SourceDeployment: "d", TargetDeployment: "t",
		TargetFunc:     map[string]any{"get_input": "where"},
		ExternalSource: map[string]any{"host": "h"}, ExternalTarget: map[string]any{"host": "i"},
	}
}

var dependencyTests = []test{
	{"round trip", func(s *subject) {
		full := sampleDependency("1")
		filled(s, full)
		bare := store.Dependency{Owned: owned("a", 4), ID: "2", Creator: "c", SourceDeployment: "e", TargetDeployment: "t"}
		for _, one := range []store.Dependency{full, bare} {
			s.write(func(tx store.Tx) error { _, err := tx.PutDependency(s.ctx(), one); return err })
			got, err := s.GetDependency(s.ctx(), "a", one.SourceDeployment, one.Creator)
			s.must(err)
			same(s, got, one)
		}
		page, err := s.ListDependencies(s.ctx(), where(field("target_deployment_id", "t"), field("source_deployment_id", "e")))
		s.must(err)
		same(s, page, store.Page[store.Dependency]{Items: []store.Dependency{bare}, Total: 1})
		_, err = s.GetDependency(s.ctx(), "b", "d", full.Creator)
		s.missing(err, "InterDeploymentDependencies", full.Creator)
	}},
	{"again, and gone", func(s *subject) {
		one := sampleDependency("1")
		put := func(d store.Dependency) (got store.Dependency) {
			s.write(func(tx store.Tx) (err error) { got, err = tx.PutDependency(s.ctx(), d); return err })
			return got
		}
		put(one)
		again := one
		again.ID, again.TargetDeployment, again.CreatedAt = "2", "other", at(9)
		got := put(again)
		again.ID, again.CreatedAt = one.ID, one.CreatedAt
		same(s, got, again)
		stored, err := s.GetDependency(s.ctx(), "a", "d", one.Creator)
		s.must(err)
		same(s, stored, again)
		clash := sampleDependency("1")
		clash.SourceDeployment = "e"
		s.refused(store.ErrExists, func(tx store.Tx) error { _, err := tx.PutDependency(s.ctx(), clash); return err })
		s.write(func(tx store.Tx) error { return tx.DeleteDependency(s.ctx(), "a", "1") })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteDependency(s.ctx(), "a", "1") })
	}},
	{"goes with its source, and loses its target", func(s *subject) {
		source, target := sampleDependency("1"), sampleDependency("2")
		target.SourceDeployment, target.TargetDeployment = "x", "d"
		s.write(func(tx store.Tx) error {
			return firstOf(
				func() error { return tx.AddDeployment(s.ctx(), sampleDeployment("d")) },
				func() error { _, err := tx.PutDependency(s.ctx(), source); return err },
				func() error { _, err := tx.PutDependency(s.ctx(), target); return err },
				func() error { return tx.DeleteDeployment(s.ctx(), "a", "d") },
			)
		})
		page, err := s.ListDependencies(s.ctx(), store.Query{})
		s.must(err)
		target.TargetDeployment = ""
		same(s, page.Items, []store.Dependency{target})
	}},
}
