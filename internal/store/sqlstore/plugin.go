package sqlstore

import (
	"context"
	"slices"

	"windlass/internal/store"
)

var pluginColumns = columnsOf([]string{"tenant", "id"}, ownedColumns, []string{
	"title", "package_name", "package_version", "package_key", "package_source", "archive_name", "archive_hash",
	"supported_platform", "distribution", "distribution_version", "distribution_release",
	"supported_py_versions", "wheels", "excluded_wheels", "labels", "blueprint_labels", "resource_tags", "yaml_names",
	"installations", "icon", "yaml_files",
})

const (
	pluginLarge         = 2 // columns at the end that lists leave out
	pluginInstallations = 3 // how far from the end the installations are
)

func pluginValues(p store.Plugin) []any {
	return append(append([]any{p.Tenant, p.ID}, ownedValues(p.Owned)...),
		p.Title, p.PackageName, p.PackageVersion, store.PackageKey(p.PackageName), p.PackageSource, p.ArchiveName, p.ArchiveHash,
		p.SupportedPlatform, p.Distribution, p.DistributionVersion, p.DistributionRelease,
		jsonArg(p.SupportedPyVersions), jsonArg(p.Wheels), jsonArg(p.ExcludedWheels), mapArg(p.Labels), mapArg(p.BlueprintLabels),
		mapArg(p.ResourceTags), jsonArg(p.YAMLNames), jsonArg(p.Installations), p.Icon, jsonArg(p.YAMLFiles))
}

var plugins = view[store.Plugin]{
	listing: &listing{
		kind: "Plugin", from: "plugins t", num: "t.num", search: "t.package_name",
		tenant: "t.tenant", visibility: "t.visibility", creator: "t.created_by",
		fields: ownedFields(map[string]column{
			"id":                   {expr: "t.id"},
			"title":                {expr: "t.title"},
			"package_name":         {expr: "t.package_name"},
			"package_version":      {expr: "t.package_version"},
			"package_key":          {expr: "t.package_key"},
			"package_source":       {expr: "t.package_source"},
			"archive_name":         {expr: "t.archive_name"},
			"archive_hash":         {expr: "t.archive_hash"},
			"supported_platform":   {expr: "t.supported_platform"},
			"distribution":         {expr: "t.distribution"},
			"distribution_version": {expr: "t.distribution_version"},
			"distribution_release": {expr: "t.distribution_release"},
			"uploaded_at":          {expr: "t.created_at", kind: instant},
		}),
		order: byCreation,
	},
	from: "plugins t", columns: qualified("t", pluginColumns),
	targets: func(p *store.Plugin) []any {
		var key string // told by the name
		return append(append([]any{&p.Tenant, &p.ID}, ownedTargets(&p.Owned)...),
			&p.Title, &p.PackageName, &p.PackageVersion, &key, &p.PackageSource, &p.ArchiveName, &p.ArchiveHash,
			&p.SupportedPlatform, &p.Distribution, &p.DistributionVersion, &p.DistributionRelease,
			jsonTo(&p.SupportedPyVersions), jsonTo(&p.Wheels), jsonTo(&p.ExcludedWheels), mapCell{&p.Labels}, mapCell{&p.BlueprintLabels},
			mapCell{&p.ResourceTags}, jsonTo(&p.YAMLNames), jsonTo(&p.Installations), &p.Icon, jsonTo(&p.YAMLFiles))
	},
}

// GetPlugin reads the tenant's plugin, or a global one.
func (r Reader) GetPlugin(ctx context.Context, tenant, id string) (store.Plugin, error) {
	return pick(ctx, r, plugins, id, plugins.visible("t.id"), id, tenant, tenant)
}

// ListPlugins lists plugins, with their documents and pictures only if q.Full
// is set.
func (r Reader) ListPlugins(ctx context.Context, q store.Query) (store.Page[store.Plugin], error) {
	v := plugins
	if !q.Full {
		v.columns = qualified("t", pluginColumns[:len(pluginColumns)-pluginLarge]) + ", NULL, NULL"
	}
	return page(ctx, r, v, q)
}

// AddPlugin adds a plugin, or gives ErrExists.
func (t *Tx) AddPlugin(ctx context.Context, p store.Plugin) error {
	t.Notify(store.TopicPlugins)
	added, err := insert(ctx, t.conn, "plugins", pluginColumns, pluginValues(p))
	return taken(added, err, "Plugin", p.ID)
}

// UpdatePlugin replaces a plugin but for its installations, or gives
// ErrNotFound.
func (t *Tx) UpdatePlugin(ctx context.Context, p store.Plugin) error {
	columns, values := slices.Clone(pluginColumns), pluginValues(p)
	at := len(columns) - pluginInstallations
	columns, values = slices.Delete(columns, at, at+1), slices.Delete(values, at, at+1)
	n, err := t.conn.Exec(ctx, updateStatement("plugins", columns[2:], "tenant = ? AND id = ?"),
		append(values[2:], p.Tenant, p.ID)...)
	return one(n, err, "Plugin", p.ID, store.ErrNotFound)
}

// SetPluginState notes how far an installation is, or gives ErrNotFound.
func (t *Tx) SetPluginState(ctx context.Context, tenant, id string, i store.PluginInstallation) error {
	t.Notify(store.TopicPlugins)
	// Managers report at once; each must see what the others noted.
	if err := t.Lock("plugin:" + id); err != nil {
		return err
	}
	p, err := t.GetPlugin(ctx, tenant, id)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(p.Installations, func(o store.PluginInstallation) bool {
		return o.Manager == i.Manager && o.Agent == i.Agent
	})
	if at < 0 {
		p.Installations = append(p.Installations, i)
	} else {
		p.Installations[at] = i
	}
	n, err := t.conn.Exec(ctx, "UPDATE plugins SET installations = ? WHERE tenant = ? AND id = ?",
		jsonArg(p.Installations), p.Tenant, p.ID)
	return one(n, err, "Plugin", id, store.ErrNotFound)
}

// DeletePlugin removes a plugin, or gives ErrNotFound.
func (t *Tx) DeletePlugin(ctx context.Context, tenant, id string) error {
	t.Notify(store.TopicPlugins)
	n, err := t.conn.Exec(ctx, "DELETE FROM plugins WHERE tenant = ? AND id = ?", tenant, id)
	return one(n, err, "Plugin", id, store.ErrNotFound)
}
