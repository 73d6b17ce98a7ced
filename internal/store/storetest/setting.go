package storetest

import "windlass/internal/store"

var settingTests = []test{
	{"put replaces", func(s *subject) {
		list := []store.Setting{
			{Scope: "agent", Name: "port", Value: int64(5671), UpdatedAt: at(1), UpdatedBy: "admin"},
			{Scope: "rest", Name: "ratio", Value: 1.0, UpdatedAt: at(2), UpdatedBy: "admin"},
			{Scope: "rest", Name: "x", Value: map[string]any{"a": []any{true, nil}}, UpdatedAt: at(3), UpdatedBy: "jo"},
		}
		s.write(func(tx store.Tx) error {
			for _, v := range list {
				old := v
				old.Value = "old"
				s.must(tx.PutSetting(s.ctx(), old))
				s.must(tx.PutSetting(s.ctx(), v))
			}
			return nil
		})
		got, err := s.ListSettings(s.ctx())
		s.must(err)
		same(s, got, list)
	}},
}
