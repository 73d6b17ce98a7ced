package catalog

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"

	"windlass/internal/blueprint/imports"
	"windlass/internal/blueprint/nearest"
	"windlass/internal/blueprint/plan"
	"windlass/internal/plugin"
	"windlass/internal/store"
)

// PluginShelf finds uploaded plugins for what needs them.
type PluginShelf struct {
	Store   store.Reader
	Library *Library
}

var _ plugin.Catalog = PluginShelf{}

// Plugins implements plugin.Catalog.
func (s PluginShelf) Plugins(ctx context.Context, tenant string, p plan.Plugin) ([]plugin.Uploaded, error) {
	found, err := s.fitting(ctx, tenant, p)
	if err != nil {
		return nil, err
	}
	list := make([]plugin.Uploaded, len(found))
	for i, record := range found {
		list[i] = uploaded(record)
	}
	return list, nil
}

// fitting lists the plugins that a plan's plugin may mean, the newest first.
func (s PluginShelf) fitting(ctx context.Context, tenant string, p plan.Plugin) ([]store.Plugin, error) {
	u := planPlugin{p}
	if u.name() == "" {
		return nil, nil
	}
	q := store.Query{Tenants: []string{tenant}, Filters: []store.Filter{{Field: "package_key", Values: []string{store.PackageKey(u.name())}}}}
	page, err := s.Store.ListPlugins(ctx, q)
	if err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(page.Items, func(record store.Plugin) bool { return !u.accepts(record) })
	newestFirst(found, tenant)
	return found, nil
}

// newestFirst orders plugins by their versions; of two of the same version the
// tenant's own goes before others', and the one that came last before others.
func newestFirst(list []store.Plugin, tenant string) {
	slices.SortStableFunc(list, func(a, b store.Plugin) int {
		if c := plugin.CompareVersions(b.PackageVersion, a.PackageVersion); c != 0 {
			return c
		}
		if own := a.Tenant == tenant; own != (b.Tenant == tenant) {
			if own {
				return -1
			}
			return 1
		}
		return b.CreatedAt.Compare(a.CreatedAt)
	})
}

// uploaded is a record as the plugin room sees it.
func uploaded(p store.Plugin) plugin.Uploaded {
	kind := plugin.Wagon
	switch {
	case strings.HasSuffix(p.ArchiveName, ".whl"):
		kind = plugin.Wheel
	case len(p.Wheels) == 0:
		kind = plugin.Source
	}
	return plugin.Uploaded{ID: p.ID, Tenant: p.Tenant, Metadata: &plugin.Metadata{
		Kind: kind, PackageName: p.PackageName, PackageVersion: p.PackageVersion, ArchiveName: p.ArchiveName,
		SupportedPlatform: p.SupportedPlatform, Distribution: p.Distribution, DistributionVersion: p.DistributionVersion,
		DistributionRelease: p.DistributionRelease, SupportedPythonVersions: p.SupportedPyVersions,
		Wheels: p.Wheels, ExcludedWheels: p.ExcludedWheels,
	}}
}

// Uploaded finds a plugin by its id.
func (s PluginShelf) Uploaded(ctx context.Context, tenant, id string) (plugin.Uploaded, error) {
	p, err := s.Store.GetPlugin(ctx, tenant, id)
	return uploaded(p), err
}

// Archive implements plugin.Catalog.
func (s PluginShelf) Archive(ctx context.Context, u plugin.Uploaded) (string, error) {
	p, err := s.Store.GetPlugin(ctx, u.Tenant, u.ID)
	if err != nil {
		return "", err
	}
	return s.Library.fetch(ctx, p.ArchiveHash, strings.TrimPrefix(filepath.Ext(p.ArchiveName), "."))
}

// document answers a plugin: import.
func (s PluginShelf) document(ctx context.Context, tenant, rest, dslVersion string) (*imports.Document, error) {
	q, err := imports.ParsePluginQuery(rest)
	if err != nil {
		return nil, err
	}
	page, err := s.Store.ListPlugins(ctx, store.Query{
		Tenants: []string{tenant}, Filters: []store.Filter{{Field: "package_key", Values: []string{store.PackageKey(q.Name)}}},
	})
	if err != nil {
		return nil, err
	}
	newestFirst(page.Items, tenant)
	for _, p := range page.Items {
		fits, err := fitsQuery(p, q)
		if err != nil {
			return nil, fmt.Errorf("import of plugin %s: %w", q.Name, err)
		}
		if fits {
			return s.read(ctx, p, dslVersion)
		}
	}
	return nil, s.unknown(ctx, tenant, q, page.Items)
}

func fitsQuery(p store.Plugin, q imports.PluginQuery) (bool, error) {
	if q.Distribution != "" && !strings.EqualFold(q.Distribution, p.Distribution) {
		return false, nil
	}
	for _, specifier := range q.Versions {
		if specifier == p.PackageVersion { // also versions of no known form
			continue
		}
		if fits, err := plugin.Satisfies(p.PackageVersion, specifier); err != nil || !fits {
			return false, err
		}
	}
	return true, nil
}

func (s PluginShelf) read(ctx context.Context, p store.Plugin, dslVersion string) (*imports.Document, error) {
	full, err := s.Store.GetPlugin(ctx, p.Tenant, p.ID)
	if err != nil {
		return nil, err
	}
	y, ok := importedDocument(full.YAMLFiles, dslVersion)
	if !ok {
		return nil, fmt.Errorf("the plugin %s %s was uploaded without a plugin.yaml; upload it with one: %w",
			p.PackageName, p.PackageVersion, imports.ErrNotFound)
	}
	return &imports.Document{
		Text: []byte(y.Text), Location: "plugin:" + p.PackageName + "/" + p.PackageVersion + "/" + y.Name,
		Plugin: &imports.PluginRecord{Labels: full.Labels, BlueprintLabels: full.BlueprintLabels, ResourceTags: full.ResourceTags},
	}, nil
}

// importedDocument chooses the document for blueprints of a version: the one
// made for it, else the first that is made for none, else the last.
func importedDocument(all []store.PluginYAML, dslVersion string) (store.PluginYAML, bool) {
	if len(all) == 0 {
		return store.PluginYAML{}, false
	}
	if dslVersion != "" {
		for _, y := range all {
			if strings.Contains(y.Name, dslVersion+".yaml") {
				return y, true
			}
		}
	}
	for _, y := range all {
		if plugin.Document(y.Name, nil).DSLVersion == "" {
			return y, true
		}
	}
	return all[len(all)-1], true
}

// unknown tells that no plugin fits an import, and what there is.
func (s PluginShelf) unknown(ctx context.Context, tenant string, q imports.PluginQuery, same []store.Plugin) error {
	wanted := fmt.Sprintf("%q", q.Name)
	if len(q.Versions) > 0 {
		wanted += " with version " + strings.Join(q.Versions, ",")
	}
	if q.Distribution != "" {
		wanted += " for " + q.Distribution
	}
	hint := "no plugin is uploaded: use cfy plugins upload"
	if len(same) > 0 {
		var versions []string
		for _, p := range same {
			versions = append(versions, p.PackageVersion)
		}
		hint = "uploaded are the versions " + strings.Join(slices.Compact(versions), ", ")
	} else if all, err := s.Store.ListPlugins(ctx, store.Query{Tenants: []string{tenant}}); err == nil && len(all.Items) > 0 {
		names := make([]string, len(all.Items))
		for i, p := range all.Items {
			names[i] = p.PackageName
		}
		slices.Sort(names)
		names = slices.Compact(names)
		if near, ok := nearest.Among(q.Name, names); ok {
			hint = "did you mean " + near + "?"
		} else {
			hint = "uploaded are " + strings.Join(names, ", ")
		}
	}
	return missing("Couldn't find plugin %s; %s", wanted, hint)
}

// planPlugin is a plugin as a plan names it.
type planPlugin struct{ plan.Plugin }

// given is what a plan says, "" for what it leaves out.
func given(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (u planPlugin) name() string { return given(u.PackageName) }

// accepts tells whether a record is what the plan asks for, by the version and
// the distribution that it names.
func (u planPlugin) accepts(p store.Plugin) bool {
	version := given(u.PackageVersion)
	if version != "" && version != p.PackageVersion {
		if same, err := plugin.Satisfies(p.PackageVersion, "=="+version); err != nil || !same {
			return false
		}
	}
	for _, pair := range [][2]string{
		{given(u.Distribution), p.Distribution}, {given(u.DistributionVersion), p.DistributionVersion},
		{given(u.DistributionRelease), p.DistributionRelease},
	} {
		// A plugin that says nothing is for all.
		if pair[0] != "" && pair[1] != "" && !strings.EqualFold(pair[0], pair[1]) {
			return false
		}
	}
	return true
}

// is tells whether the plan means the record.
func (u planPlugin) is(p store.Plugin) bool {
	return u.name() != "" && store.PackageKey(u.name()) == store.PackageKey(p.PackageName) && u.accepts(p)
}

// plansPlugins lists all plugins that a plan uses.
func plansPlugins(p *plan.Plan) []planPlugin {
	list := slices.Concat(planPlugins(p.DeploymentPlugins), planPlugins(p.WorkflowPlugins), planPlugins(p.HostAgentPlugins))
	for _, n := range p.Nodes {
		list = append(list, planPlugins(n.Plugins)...)
	}
	return list
}

// checkPlugins refuses a plan that uses packages which were not uploaded.
func (s PluginShelf) checkPlugins(ctx context.Context, tenant string, p *plan.Plan) error {
	seen := map[string]bool{}
	for _, u := range slices.Concat(planPlugins(p.DeploymentPlugins), planPlugins(p.WorkflowPlugins)) {
		key := u.name() + " " + given(u.PackageVersion)
		if !u.Install || u.name() == "" || given(u.Source) != "" || plugin.Own(u.Name) || seen[key] {
			continue
		}
		seen[key] = true
		found, err := s.fitting(ctx, tenant, u.Plugin)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			version := given(u.PackageVersion)
			if version == "" {
				version = "`any`"
			}
			return refusal(http.StatusBadRequest, "deployment_plugin_not_found", fmt.Sprintf(
				"Required plugin %s, version %s is not installed on the manager", u.name(), version))
		}
	}
	return nil
}

func planPlugins(list []plan.Plugin) []planPlugin {
	out := make([]planPlugin, len(list))
	for i, p := range list {
		out[i] = planPlugin{p}
	}
	return out
}
