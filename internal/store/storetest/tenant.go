package storetest

import "windlass/internal/store"

var tenantTests = []test{
	{"round trip", func(s *subject) {
		want := store.Tenant{Name: "zwölf", CreatedAt: at(1)}
		s.write(func(tx store.Tx) error { return tx.AddTenant(s.ctx(), want) })
		got, err := s.GetTenant(s.ctx(), "zwölf")
		s.must(err)
		same(s, got, want)
		_, err = s.GetTenant(s.ctx(), "other")
		s.missing(err, "Tenant", "other")
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddTenant(s.ctx(), want) })
	}},
	{"members", func(s *subject) {
		s.write(func(tx store.Tx) error {
			for _, name := range []string{"a", "b"} {
				s.must(tx.AddTenant(s.ctx(), store.Tenant{Name: name}))
				s.must(tx.AddUser(s.ctx(), store.User{Username: name + "-user"}))
			}
			s.must(tx.SetMember(s.ctx(), store.TenantMember{Tenant: "a", Username: "a-user", Role: "viewer"}))
			s.must(tx.SetMember(s.ctx(), store.TenantMember{Tenant: "a", Username: "b-user", Role: "user"}))
			s.must(tx.SetMember(s.ctx(), store.TenantMember{Tenant: "b", Username: "a-user", Role: "user"}))
			return tx.SetMember(s.ctx(), store.TenantMember{Tenant: "a", Username: "a-user", Role: "manager"})
		})
		a := store.TenantMember{Tenant: "a", Username: "a-user", Role: "manager"}
		ab := store.TenantMember{Tenant: "a", Username: "b-user", Role: "user"}
		b := store.TenantMember{Tenant: "b", Username: "a-user", Role: "user"}
		for _, tt := range []struct {
			tenant, user string
			want         []store.TenantMember
		}{
			{"", "", []store.TenantMember{a, ab, b}},
			{"a", "", []store.TenantMember{a, ab}},
			{"", "a-user", []store.TenantMember{a, b}},
			{"b", "b-user", nil},
		} {
			got, err := s.ListMembers(s.ctx(), tt.tenant, tt.user)
			s.must(err)
			same(s, got, tt.want)
		}
		s.missing(s.Write(s.ctx(), func(tx store.Tx) error {
			return tx.SetMember(s.ctx(), store.TenantMember{Tenant: "none", Username: "a-user"})
		}), "Tenant", "none")
		s.missing(s.Write(s.ctx(), func(tx store.Tx) error {
			return tx.SetMember(s.ctx(), store.TenantMember{Tenant: "a", Username: "none"})
		}), "User", "none")
		s.write(func(tx store.Tx) error { return tx.DeleteMember(s.ctx(), "a", "b-user") })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteMember(s.ctx(), "a", "b-user") })
		s.write(func(tx store.Tx) error { return tx.DeleteTenant(s.ctx(), "a") })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteTenant(s.ctx(), "a") })
		got, err := s.ListMembers(s.ctx(), "", "")
		s.must(err)
		same(s, got, []store.TenantMember{b})
	}},
}
