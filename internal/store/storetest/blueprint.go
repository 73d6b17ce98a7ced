package storetest

import (
	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
	"windlass/internal/value"
)

func samplePlan() *plan.Plan {
	return &plan.Plan{
		Body: plan.Body{
			Version: plan.Version{Raw: "cloudify_dsl_1_4", Name: "cloudify_dsl", Definitions: []int{1, 4}},
			Outputs: map[string]plan.Output{"o": {Value: value.Any{V: []any{int64(2), 2.0, "zwei <&> \u2028"}}}},
			Nodes:   []*plan.Node{{ID: "vm", Properties: value.Map{"n": int64(1) << 60, "f": 1.0, "none": nil}}},
		},
		Inputs: map[string]plan.Schema{"i": {Default: &value.Any{}}},
	}
}

func sampleBlueprint(id string) store.Blueprint {
	return store.Blueprint{
		Owned: owned("a", 1), ID: id, MainFileName: "blueprint.yaml", Description: ptr("über alles"), Plan: samplePlan(),
		Requirements: map[string]any{"secrets": []any{"k"}}, UpdatedAt: at(2), IsHidden: true, State: store.BlueprintUploaded,
		Error: "oh", ErrorTraceback: "line 1\nline 2", Labels: []store.Label{{Key: "env", Value: "prod", CreatedAt: at(3), CreatedBy: "admin"}},
		UploadExecutionID: "e1", ArchiveHash: "abc", ArchiveSuffix: "tar.gz",
	}
}

var blueprintTests = []test{
	{"round trip", func(s *subject) {
		b := sampleBlueprint("b")
		filled(s, b)
		s.write(func(tx store.Tx) error { return tx.AddBlueprint(s.ctx(), b) })
		got, err := s.GetBlueprint(s.ctx(), "a", "b")
		s.must(err)
		same(s, got, b)
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddBlueprint(s.ctx(), b) })
		b = store.Blueprint{Owned: owned("a", 1), ID: "b", State: store.BlueprintInvalid, Labels: []store.Label{}, Requirements: map[string]any{}}
		s.write(func(tx store.Tx) error { return tx.UpdateBlueprint(s.ctx(), b) })
		got, err = s.GetBlueprint(s.ctx(), "a", "b")
		s.must(err)
		same(s, got, b)
		s.write(func(tx store.Tx) error { return tx.DeleteBlueprint(s.ctx(), "a", "b") })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteBlueprint(s.ctx(), "a", "b") })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UpdateBlueprint(s.ctx(), b) })
		_, err = s.GetBlueprint(s.ctx(), "a", "b")
		s.missing(err, "Blueprint", "b")
	}},
	{"lists leave the plan out unless asked", func(s *subject) {
		b := sampleBlueprint("b")
		s.write(func(tx store.Tx) error { return tx.AddBlueprint(s.ctx(), b) })
		for _, limit := range []int{0, 1} {
			full, err := s.ListBlueprints(s.ctx(), store.Query{Full: true, Limit: limit})
			s.must(err)
			same(s, full.Items, []store.Blueprint{b})
			light, err := s.ListBlueprints(s.ctx(), store.Query{Limit: limit})
			s.must(err)
			want := b
			want.Plan = nil
			same(s, light.Items, []store.Blueprint{want})
		}
	}},
	{"where the files are", func(s *subject) {
		own, shared := sampleBlueprint("b"), sampleBlueprint("b")
		shared.Tenant, shared.Visibility, shared.ArchiveHash = "b", store.Global, "other"
		s.write(func(tx store.Tx) error {
			s.must(tx.AddBlueprint(s.ctx(), own))
			return tx.AddBlueprint(s.ctx(), shared)
		})
		for tenant, b := range map[string]store.Blueprint{"a": own, "b": shared, "c": shared} {
			got, err := s.GetBlueprintArchive(s.ctx(), tenant, "b")
			s.must(err)
			same(s, got, store.BlueprintArchive{Hash: b.ArchiveHash, Suffix: b.ArchiveSuffix, State: b.State})
		}
		_, err := s.GetBlueprintArchive(s.ctx(), "a", "c")
		s.missing(err, "Blueprint", "c")
	}},
	{"the same id in two tenants", func(s *subject) {
		one, two := sampleBlueprint("b"), sampleBlueprint("b")
		two.Tenant, two.State = "b", store.BlueprintParsing
		s.write(func(tx store.Tx) error {
			s.must(tx.AddBlueprint(s.ctx(), one))
			return tx.AddBlueprint(s.ctx(), two)
		})
		s.write(func(tx store.Tx) error { return tx.DeleteBlueprint(s.ctx(), "a", "b") })
		got, err := s.GetBlueprint(s.ctx(), "b", "b")
		s.must(err)
		same(s, got, two)
		_, err = s.GetBlueprint(s.ctx(), "a", "b")
		s.missing(err, "Blueprint", "b")
	}},
}
