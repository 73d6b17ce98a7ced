package storetest

import "windlass/internal/store"

var secretTests = []test{
	{"round trip", func(s *subject) {
		k := store.Secret{
			Owned: owned("a", 1), Key: "password", Sealed: []byte{0, 255, 1}, IsHidden: true, UpdatedAt: at(2),
			Schema: map[string]any{"type": "string", "min": int64(2), "half": 2.0}, ProviderName: "vault", ProviderOptions: map[string]any{"path": nil},
		}
		filled(s, k)
		s.write(func(tx store.Tx) error { return tx.AddSecret(s.ctx(), k) })
		got, err := s.GetSecret(s.ctx(), "a", "password")
		s.must(err)
		same(s, got, k)
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddSecret(s.ctx(), k) })
		k = store.Secret{Owned: owned("a", 1), Key: "password", Sealed: []byte("x")}
		s.write(func(tx store.Tx) error { return tx.UpdateSecret(s.ctx(), k) })
		got, err = s.GetSecret(s.ctx(), "a", "password")
		s.must(err)
		same(s, got, k)
		s.write(func(tx store.Tx) error { return tx.DeleteSecret(s.ctx(), "a", "password") })
		_, err = s.GetSecret(s.ctx(), "a", "password")
		s.missing(err, "Secret", "password")
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteSecret(s.ctx(), "a", "password") })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UpdateSecret(s.ctx(), k) })
	}},
	{"own before global of another tenant", func(s *subject) {
		everywhere := store.Secret{Owned: owned("a", 1), Key: "k", Sealed: []byte("a")}
		everywhere.Visibility = store.Global
		own := store.Secret{Owned: owned("b", 2), Key: "k", Sealed: []byte("b")}
		s.write(func(tx store.Tx) error {
			s.must(tx.AddSecret(s.ctx(), everywhere))
			return tx.AddSecret(s.ctx(), own)
		})
		for tenant, want := range map[string]store.Secret{"a": everywhere, "b": own, "c": everywhere} {
			got, err := s.GetSecret(s.ctx(), tenant, "k")
			s.must(err)
			same(s, got, want)
		}
	}},
}
