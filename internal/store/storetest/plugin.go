package storetest

import (
	"windlass/internal/store"
)

func samplePlugin(id, version string) store.Plugin {
	return store.Plugin{
		Owned: owned("a", 1), ID: id, Title: "Demo", PackageName: "Demo_Plugin", PackageVersion: version, PackageSource: "https://example.com",
		ArchiveName: "demo_plugin-" + version + ".wgn", ArchiveHash: "abc", SupportedPlatform: "linux_x86_64", Distribution: "centos",
		DistributionVersion: "7.9", DistributionRelease: "core", SupportedPyVersions: []string{"py311"}, Wheels: []string{"a.whl", "b.whl"},
		ExcludedWheels: []string{"c.whl"}, Labels: map[string]any{"team": []any{"net"}}, BlueprintLabels: map[string]any{"env": []any{"x", "y"}},
		ResourceTags: map[string]any{"tag": "v"}, YAMLNames: []string{"plugin.yaml", "plugin_1_4.yaml"},
		Installations: []store.PluginInstallation{{Manager: "m1", State: store.PluginInstalled}},
		Icon:          []byte{0x89, 'P', 0, 'N'},
		YAMLFiles:     []store.PluginYAML{{Name: "plugin.yaml", Text: "plugins: {}\n"}, {Name: "plugin_1_4.yaml", Text: "# über\n"}},
	}
}

var pluginTests = []test{
	{"round trip", func(s *subject) {
		p := samplePlugin("p1", "1.0")
		filled(s, p)
		bare := store.Plugin{Owned: owned("a", 2), ID: "p2", PackageName: "bare", ArchiveName: "bare.zip"}
		for _, one := range []store.Plugin{p, bare} {
			s.write(func(tx store.Tx) error { return tx.AddPlugin(s.ctx(), one) })
			got, err := s.GetPlugin(s.ctx(), "a", one.ID)
			s.must(err)
			same(s, got, one)
		}
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddPlugin(s.ctx(), p) })
		_, err := s.GetPlugin(s.ctx(), "b", "p1")
		s.missing(err, "Plugin", "p1")
		p.Title, p.Visibility, p.Labels, p.YAMLFiles = "other", store.Global, nil, nil
		kept := p
		p.Installations = nil
		s.write(func(tx store.Tx) error { return tx.UpdatePlugin(s.ctx(), p) })
		got, err := s.GetPlugin(s.ctx(), "b", "p1")
		s.must(err)
		same(s, got, kept)
		s.write(func(tx store.Tx) error { return tx.DeletePlugin(s.ctx(), "a", "p1") })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeletePlugin(s.ctx(), "a", "p1") })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UpdatePlugin(s.ctx(), p) })
	}},
	{"one archive of a package in a tenant, one id in all", func(s *subject) {
		p := samplePlugin("p1", "1.0")
		s.write(func(tx store.Tx) error { return tx.AddPlugin(s.ctx(), p) })
		again := p
		again.ID = "p2"
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddPlugin(s.ctx(), again) })
		again.Tenant = "b"
		s.write(func(tx store.Tx) error { return tx.AddPlugin(s.ctx(), again) })
		elsewhere := p
		elsewhere.Tenant = "c"
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddPlugin(s.ctx(), elsewhere) })
		newer := samplePlugin("p3", "1.1")
		s.write(func(tx store.Tx) error { return tx.AddPlugin(s.ctx(), newer) })
	}},
	{"lists leave documents out unless asked", func(s *subject) {
		one, two := samplePlugin("p1", "1.0"), samplePlugin("p2", "1.1")
		two.CreatedAt, two.PackageName = at(9), "other"
		s.write(func(tx store.Tx) error {
			s.must(tx.AddPlugin(s.ctx(), one))
			return tx.AddPlugin(s.ctx(), two)
		})
		full, err := s.ListPlugins(s.ctx(), store.Query{Full: true, Tenants: []string{"a"}})
		s.must(err)
		same(s, full, store.Page[store.Plugin]{Items: []store.Plugin{one, two}, Total: 2})
		light := one
		light.YAMLFiles, light.Icon = nil, nil
		for _, q := range []store.Query{
			where(field("package_key", "demo-plugin")), where(field("id", "p1")), {Search: "DEMO"}, where(field("package_version", "1.0")),
			{Limit: 1}, {Limit: 1, Sort: []store.SortKey{{Field: "uploaded_at"}}},
		} {
			got, err := s.ListPlugins(s.ctx(), q)
			s.must(err)
			same(s, got.Items, []store.Plugin{light})
		}
	}},
	{"installations of several managers", func(s *subject) {
		p := samplePlugin("p1", "1.0")
		s.write(func(tx store.Tx) error { return tx.AddPlugin(s.ctx(), p) })
		wake, stop := s.Subscribe(store.TopicPlugins)
		defer stop()
		failed := store.PluginInstallation{Manager: "m1", State: store.PluginError, Error: "no disk"}
		agent := store.PluginInstallation{Agent: "ag", State: store.PluginPendingInstall}
		for _, i := range []store.PluginInstallation{{Manager: "m2", State: store.PluginInstalling}, failed, agent, {Manager: "m2", State: store.PluginInstalled}} {
			s.write(func(tx store.Tx) error { return tx.SetPluginState(s.ctx(), "a", "p1", i) })
		}
		<-wake
		got, err := s.GetPlugin(s.ctx(), "a", "p1")
		s.must(err)
		same(s, got.Installations, []store.PluginInstallation{failed, {Manager: "m2", State: store.PluginInstalled}, agent})
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.SetPluginState(s.ctx(), "b", "p1", agent) })
	}},
}
