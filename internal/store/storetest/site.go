package storetest

import (
	"windlass/internal/store"
)

var siteTests = []test{
	{"round trip", func(s *subject) {
		full := store.Site{Owned: owned("a", 3), Name: "oslo", Location: "59.9,10.7"}
		filled(s, full)
		bare := store.Site{Owned: owned("a", 4), Name: "nowhere"}
		for _, one := range []store.Site{full, bare} {
			s.write(func(tx store.Tx) error { return tx.AddSite(s.ctx(), one) })
			got, err := s.GetSite(s.ctx(), "a", one.Name)
			s.must(err)
			same(s, got, one)
		}
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddSite(s.ctx(), full) })
		page, err := s.ListSites(s.ctx(), store.Query{Search: "OSL"})
		s.must(err)
		same(s, page, store.Page[store.Site]{Items: []store.Site{full}, Total: 1})
		_, err = s.GetSite(s.ctx(), "b", "oslo")
		s.missing(err, "Site", "oslo")
	}},
	{"deployments follow", func(s *subject) {
		site := store.Site{Owned: owned("a", 3), Name: "oslo"}
		d := sampleDeployment("d")
		d.SiteName = "oslo"
		s.write(func(tx store.Tx) error {
			return firstOf(
				func() error { return tx.AddSite(s.ctx(), site) },
				func() error { return tx.AddSite(s.ctx(), store.Site{Owned: owned("a", 4), Name: "taken"}) },
				func() error { return tx.AddDeployment(s.ctx(), d) },
			)
		})
		where := func() string {
			got, err := s.GetDeployment(s.ctx(), "a", "d")
			s.must(err)
			return got.SiteName
		}
		site.Name = "taken"
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.UpdateSite(s.ctx(), "oslo", site) })
		site.Name, site.Location = "bergen", "60.4,5.3"
		s.write(func(tx store.Tx) error { return tx.UpdateSite(s.ctx(), "oslo", site) })
		same(s, where(), "bergen")
		got, err := s.GetSite(s.ctx(), "a", "bergen")
		s.must(err)
		same(s, got, site)
		s.refused(store.ErrNotFound, func(tx store.Tx) error {
			return tx.UpdateSite(s.ctx(), "oslo", store.Site{Owned: site.Owned, Name: "oslo"})
		})
		s.write(func(tx store.Tx) error { return tx.DeleteSite(s.ctx(), "a", "bergen") })
		same(s, where(), "")
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteSite(s.ctx(), "a", "bergen") })
	}},
}
