package storetest

import "windlass/internal/store"

var userTests = []test{
	{"round trip", func(s *subject) {
		u := store.User{
			Username: "jo", PasswordHash: "argon2id$…", Role: "sys_admin", Active: true, Bootstrap: true, CreatedAt: at(1),
			FirstLoginAt: at(2), LastLoginAt: at(3), FailedLogins: 4, LastFailedLoginAt: at(5), GettingStarted: true,
		}
		filled(s, u)
		s.write(func(tx store.Tx) error { return tx.AddUser(s.ctx(), u) })
		got, err := s.GetUser(s.ctx(), "jo")
		s.must(err)
		same(s, got, u)
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddUser(s.ctx(), u) })
		u = store.User{Username: "jo", Role: "default"}
		s.write(func(tx store.Tx) error { return tx.UpdateUser(s.ctx(), u) })
		got, err = s.GetUser(s.ctx(), "jo")
		s.must(err)
		same(s, got, u)
		s.missing(s.Write(s.ctx(), func(tx store.Tx) error { return tx.UpdateUser(s.ctx(), store.User{Username: "no"}) }), "User", "no")
		page, err := s.ListUsers(s.ctx(), where(field("active", "false"), field("role", "default")))
		s.must(err)
		same(s, page, store.Page[store.User]{Items: []store.User{u}, Total: 1})
	}},
	{"tokens go with their user", func(s *subject) {
		k := store.Token{
			ID: "t1", Username: "jo", SecretHash: "ab", Description: "ci", CreatedAt: at(1), ExpiresAt: at(2), LastUsed: at(3),
		}
		filled(s, k)
		s.write(func(tx store.Tx) error {
			s.must(tx.AddTenant(s.ctx(), store.Tenant{Name: "a"}))
			s.must(tx.AddUser(s.ctx(), store.User{Username: "jo"}))
			s.must(tx.AddUser(s.ctx(), store.User{Username: "mo"}))
			s.must(tx.SetMember(s.ctx(), store.TenantMember{Tenant: "a", Username: "jo"}))
			s.must(tx.AddToken(s.ctx(), store.Token{ID: "t2", Username: "mo", CreatedAt: at(2)}))
			return tx.AddToken(s.ctx(), k)
		})
		got, err := s.GetToken(s.ctx(), "t1")
		s.must(err)
		same(s, got, k)
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddToken(s.ctx(), k) })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.AddToken(s.ctx(), store.Token{ID: "t3", Username: "none"}) })
		k.Description, k.ExpiresAt = "", at(0).AddDate(1, 0, 0)
		s.write(func(tx store.Tx) error { return tx.UpdateToken(s.ctx(), k) })
		page, err := s.ListTokens(s.ctx(), "jo", store.Query{})
		s.must(err)
		same(s, page, store.Page[store.Token]{Items: []store.Token{k}, Total: 1})
		page, err = s.ListTokens(s.ctx(), "", store.Query{})
		s.must(err)
		same(s, page.Total, 2)
		s.write(func(tx store.Tx) error { return tx.DeleteUser(s.ctx(), "jo") })
		_, err = s.GetToken(s.ctx(), "t1")
		s.missing(err, "Token", "t1")
		members, err := s.ListMembers(s.ctx(), "", "jo")
		s.must(err)
		same(s, len(members), 0)
		s.write(func(tx store.Tx) error { return tx.DeleteToken(s.ctx(), "t2") })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteToken(s.ctx(), "t2") })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteUser(s.ctx(), "jo") })
	}},
}
