package rest

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"windlass/internal/access"
	"windlass/internal/catalog"
	"windlass/internal/store"
)

// Plugins is what the API needs of the catalog room for plugins.
type Plugins interface {
	UploadPlugins(ctx context.Context, u catalog.PluginUpload) (plugins []store.Plugin, bundle bool, err error)
	DeletePlugin(ctx context.Context, tenant, id string, force bool) error
	// PluginArchive opens a plugin's archive, or a zip with all that came with
	// it, and names it; the caller closes it.
	PluginArchive(ctx context.Context, p store.Plugin, full bool) (io.ReadCloser, string, error)
	// UpdatePlugins starts an update of a blueprint's plugins.
	UpdatePlugins(ctx context.Context, r catalog.PluginsUpdateRequest) (store.PluginsUpdate, error)
}

var pluginShape = shape[store.Plugin]{name: "Plugin", fields: append([]field[store.Plugin]{
	{"id", text, func(x store.Plugin) any { return x.ID }},
	{"title", text, func(x store.Plugin) any { return orNull(x.Title) }},
	{"package_name", text, func(x store.Plugin) any { return x.PackageName }},
	{"package_version", text, func(x store.Plugin) any { return x.PackageVersion }},
	{"package_source", text, func(x store.Plugin) any { return orNull(x.PackageSource) }},
	{"archive_name", text, func(x store.Plugin) any { return x.ArchiveName }},
	{"distribution", text, func(x store.Plugin) any { return orNull(x.Distribution) }},
	{"distribution_version", text, func(x store.Plugin) any { return orNull(x.DistributionVersion) }},
	{"distribution_release", text, func(x store.Plugin) any { return orNull(x.DistributionRelease) }},
	{"supported_platform", text, func(x store.Plugin) any { return orNull(x.SupportedPlatform) }},
	{"supported_py_versions", list, func(x store.Plugin) any { return textsOrNull(x.SupportedPyVersions) }},
	{"wheels", list, func(x store.Plugin) any { return textsOrNull(x.Wheels) }},
	{"excluded_wheels", list, func(x store.Plugin) any { return textsOrNull(x.ExcludedWheels) }},
	{"uploaded_at", moment, func(x store.Plugin) any { return date(x.CreatedAt) }},
	{"installation_state", list, func(x store.Plugin) any { return installationsOut(x.Installations) }},
	{"yaml_url_path", text, func(x store.Plugin) any { return yamlURL(x) }},
	{"yaml_files_paths", list, func(x store.Plugin) any {
		paths := []any{}
		for _, name := range x.YAMLNames {
			paths = append(paths, "plugins/"+x.ID+"/"+name)
		}
		return paths
	}},
	{"file_server_path", text, func(x store.Plugin) any {
		if len(x.YAMLNames) == 0 {
			return ""
		}
		return "plugins/" + x.ID + "/" + x.YAMLNames[0]
	}},
	{"labels", dict, func(x store.Plugin) any { return mapOrNull(x.Labels) }},
	{"blueprint_labels", dict, func(x store.Plugin) any { return mapOrNull(x.BlueprintLabels) }},
	{"resource_tags", dict, func(x store.Plugin) any { return mapOrNull(x.ResourceTags) }},
}, ownedFields(func(x store.Plugin) store.Owned { return x.Owned })...)}

var pluginList = listed{
	filters: []string{"id", "title", "package_name", "package_version", "package_source", "archive_name", "distribution",
		"distribution_version", "distribution_release", "supported_platform", "uploaded_at", "created_by", "tenant_name", "visibility"},
}

func textsOrNull(texts []string) any {
	if texts == nil {
		return nil
	}
	out := make([]any, len(texts))
	for i, t := range texts {
		out[i] = t
	}
	return out
}

// yamlURL is how blueprints import the plugin; "" if it brings nothing to import.
func yamlURL(p store.Plugin) string {
	if len(p.YAMLNames) == 0 {
		return ""
	}
	u := "plugin:" + p.PackageName + "?version=" + p.PackageVersion
	if p.Distribution != "" {
		u += "&distribution=" + p.Distribution
	}
	return u
}

func installationsOut(all []store.PluginInstallation) []any {
	out := []any{}
	for _, i := range all {
		out = append(out, object{
			"manager": orNull(i.Manager), "agent": orNull(i.Agent), "state": i.State, "error": orNull(i.Error),
		})
	}
	return out
}

func (s *server) listPlugins(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, pluginList)
	if err != nil {
		return err
	}
	page, err := s.Store.ListPlugins(r.Context(), q.Query)
	if err != nil {
		return err
	}
	return reply(w, q, pluginShape, page)
}

// findPlugin reads the plugin that the path names, if the caller sees it.
func (s *server) findPlugin(r *request) (store.Plugin, error) {
	id := r.PathValue("id")
	p, err := s.Store.GetPlugin(r.Context(), r.tenant, id)
	if err != nil {
		return p, err
	}
	return p, r.sees(p.Owned, "Plugin", id)
}

func (s *server) getPlugin(w http.ResponseWriter, r *request) error {
	p, err := s.findPlugin(r)
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, pluginShape, p)
}

func (s *server) deletePlugin(w http.ResponseWriter, r *request) error {
	p, err := s.findPlugin(r)
	if err != nil {
		return err
	}
	if err := s.noSystemExecution(r.Context()); err != nil {
		return err
	}
	if err := s.Plugins.DeletePlugin(r.Context(), r.tenant, p.ID, r.flag("force")); err != nil {
		return err
	}
	return done(w)
}

// noSystemExecution refuses while an execution for the manager as a whole runs
// or waits: it may be copying or replacing what is about to go.
func (s *server) noSystemExecution(ctx context.Context) error {
	var statuses []string
	for _, status := range append(slices.Clone(store.ActiveStatuses), store.Queued) {
		statuses = append(statuses, string(status))
	}
	page, err := s.Store.ListExecutions(ctx, store.Query{Limit: 1, Filters: []store.Filter{
		{Field: "is_system_workflow", Values: []string{"true"}}, {Field: "status", Values: statuses},
	}})
	if err != nil || len(page.Items) == 0 {
		return err
	}
	return fail("existing_running_execution_error",
		"Cannot delete a plugin while the system-wide execution %s (%s) runs or is queued. Try again when it has ended",
		page.Items[0].ID, page.Items[0].WorkflowID)
}

func (s *server) getPluginArchive(w http.ResponseWriter, r *request) error {
	full, err := r.queryFlag("full_archive", false)
	if err != nil {
		return err
	}
	p, err := s.findPlugin(r)
	if err != nil {
		return err
	}
	return s.sendPluginArchive(w, r, p, full)
}

func (s *server) sendPluginArchive(w http.ResponseWriter, r *request, p store.Plugin, full bool) error {
	content, name, err := s.Plugins.PluginArchive(r.Context(), p, full)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	return s.sendFile(w, content, name)
}

func (s *server) getPluginYAML(w http.ResponseWriter, r *request) error {
	p, err := s.findPlugin(r)
	if err != nil {
		return err
	}
	y, ok := catalog.PluginDocument(p, strings.TrimPrefix(r.query.Get("dsl_version"), "cloudify_dsl_"))
	if !ok {
		return fail("not_found_error", "Plugin `%s` was uploaded without a plugin.yaml", p.ID)
	}
	return s.sendFile(w, strings.NewReader(y.Text), y.Name)
}

// getPluginResource sends a file of /resources/plugins/<id>/<file>.
func (s *server) getPluginResource(w http.ResponseWriter, r *request) error {
	parts := strings.Split(r.PathValue("path"), "/")
	id, name := at(parts, 1), from(parts, 2)
	missing := fail("not_found_error", "File not found: %s", r.URL.Path)
	page, err := s.Store.ListPlugins(r.Context(), store.Query{Full: true, Limit: 1, Filters: []store.Filter{{Field: "id", Values: []string{id}}}})
	if err != nil {
		return err
	}
	if len(page.Items) == 0 {
		return missing
	}
	p := page.Items[0]
	tenant := p.Tenant
	if p.Visibility == store.Global && r.tenant != "" {
		tenant = r.tenant
	}
	if err := r.caller.Check(tenant, "plugin_download"); err != nil {
		return err
	}
	if !r.caller.Sees(tenant, p.Owned) {
		return missing
	}
	if decoded, err := url.PathUnescape(name); err == nil {
		name = decoded
	}
	if name == p.ArchiveName {
		return s.sendPluginArchive(w, r, p, false)
	}
	for _, y := range p.YAMLFiles {
		if y.Name == name {
			return s.sendFile(w, strings.NewReader(y.Text), y.Name)
		}
	}
	if name == "icon.png" && p.Icon != nil {
		return s.sendFile(w, strings.NewReader(string(p.Icon)), name)
	}
	return missing
}

var installationStates = []string{
	store.PluginPendingInstall, store.PluginInstalling, store.PluginInstalled, store.PluginError,
	store.PluginPendingUninstall, store.PluginUninstalling, store.PluginUninstalled,
}

// putPlugin takes the report of an installer.
func (s *server) putPlugin(w http.ResponseWriter, r *request) error {
	i := store.PluginInstallation{State: r.str("state"), Manager: r.str("manager"), Agent: r.str("agent"), Error: r.str("error")}
	switch {
	case (i.Manager == "") == (i.Agent == ""):
		return badParameter("Expected agent or manager, not both and not none")
	case !slices.Contains(installationStates, i.State):
		return badParameter("Invalid state: `%s`. Valid plugin states are: %s", i.State, pyList(installationStates))
	}
	return s.changePlugin(w, r, func(tx store.Tx, p store.Plugin) error {
		return tx.SetPluginState(r.Context(), p.Tenant, p.ID, i)
	})
}

// installPlugin asks managers to install the plugin before it is needed.
func (s *server) installPlugin(w http.ResponseWriter, r *request) error {
	if action := r.str("action"); action != "install" {
		return fail("unknown_action", "Unknown action `%s`; a plugin can be told to `install`", action)
	}
	if agents := r.list("agents"); len(agents) > 0 {
		return fail("not_found_error", "Requested `Agent` with ID `%v` was not found", agents[0])
	}
	var managers []string
	for _, m := range r.list("managers") {
		name, isText := m.(string)
		if !isText || name == "" {
			return badParameter("managers must be a list of names")
		}
		managers = append(managers, name)
	}
	if len(managers) == 0 {
		managers = []string{s.Host}
	}
	return s.changePlugin(w, r, func(tx store.Tx, p store.Plugin) error {
		for _, m := range managers {
			i := store.PluginInstallation{Manager: m, State: store.PluginPendingInstall}
			if err := tx.SetPluginState(r.Context(), p.Tenant, p.ID, i); err != nil {
				return err
			}
		}
		return nil
	})
}

// changePlugin changes the plugin that the path names and answers with it.
func (s *server) changePlugin(w http.ResponseWriter, r *request, change func(tx store.Tx, p store.Plugin) error) error {
	p, err := s.findPlugin(r)
	if err != nil {
		return err
	}
	if err := r.caller.CheckChange(r.tenant, p.Owned, p.ID); err != nil {
		return err
	}
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		if p, err = tx.GetPlugin(r.Context(), p.Tenant, p.ID); err != nil {
			return err
		}
		if err := change(tx, p); err != nil {
			return err
		}
		p, err = tx.GetPlugin(r.Context(), p.Tenant, p.ID)
		return err
	})
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, pluginShape, p)
}

func (s *server) patchPlugin(w http.ResponseWriter, r *request) error {
	return s.changePlugin(w, r, func(tx store.Tx, p store.Plugin) (err error) {
		if p.CreatedBy, err = r.owner("creator", p.CreatedBy); err != nil {
			return err
		}
		if r.has("creator") {
			if _, err := tx.GetUser(r.Context(), p.CreatedBy); err != nil {
				return err
			}
		}
		if r.has("title") {
			p.Title = r.str("title")
		}
		for name, target := range map[string]*map[string]any{"labels": &p.Labels, "blueprint_labels": &p.BlueprintLabels} {
			if !r.has(name) {
				continue
			}
			if *target, err = labelLists(name, r.dict(name)); err != nil {
				return err
			}
		}
		if r.has("resource_tags") {
			p.ResourceTags = r.dict("resource_tags")
		}
		return tx.UpdatePlugin(r.Context(), p)
	})
}

// labelLists reads labels as {key: [value, ...]}; a single value stands for a
// list of it.
func labelLists(name string, given map[string]any) (map[string]any, error) {
	labels := make(map[string]any, len(given))
	for key, v := range given {
		switch v := v.(type) {
		case []any:
			labels[key] = v
		case string:
			labels[key] = []any{v}
		default:
			return nil, badParameter("%s must be a dictionary of keys and lists of values; the value of `%s` is none", name, key)
		}
	}
	return labels, nil
}

func (s *server) setPluginVisibility(w http.ResponseWriter, r *request) error {
	v, err := r.newVisibility()
	if err != nil {
		return err
	}
	return s.changePlugin(w, r, func(tx store.Tx, p store.Plugin) error {
		if err := r.widen(p.ID, p.Visibility, v); err != nil {
			return err
		}
		p.Visibility = v
		return tx.UpdatePlugin(r.Context(), p)
	})
}

// pluginUpload checks what an upload says of itself.
func (s *server) pluginUpload(r *request, params map[string]any) (catalog.PluginUpload, error) {
	r.body = params
	u := catalog.PluginUpload{Tenant: r.tenant, Title: r.str("title"), ID: r.str("id")}
	if u.ID != "" {
		if err := access.CheckName("id", u.ID, true); err != nil {
			return u, err
		}
	}
	if v, given := params["private_resource"]; given {
		private, err := parseBool("private_resource", v)
		if err != nil {
			return u, err
		}
		params["private_resource"] = private
	}
	var err error
	if u.Visibility, err = r.visibility(); err != nil {
		return u, err
	}
	if u.CreatedBy, err = r.owner("created_by", r.caller.Username); err != nil {
		return u, err
	}
	if text := r.str("uploaded_at"); text != "" {
		if err := r.need("set_timestamp"); err != nil {
			return u, err
		}
		u.CreatedAt, err = parseTime("uploaded_at", text)
	}
	return u, err
}
