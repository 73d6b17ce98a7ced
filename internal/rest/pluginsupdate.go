package rest

import (
	"net/http"

	"windlass/internal/catalog"
	"windlass/internal/store"
)

var pluginsUpdateShape = shape[store.PluginsUpdate]{name: "PluginsUpdate", fields: append([]field[store.PluginsUpdate]{
	{"id", text, func(u store.PluginsUpdate) any { return u.ID }},
	{"state", text, func(u store.PluginsUpdate) any { return u.State }},
	{"blueprint_id", text, func(u store.PluginsUpdate) any { return u.BlueprintID }},
	{"temp_blueprint_id", text, func(u store.PluginsUpdate) any { return orNull(u.TempBlueprintID) }},
	{"execution_id", text, func(u store.PluginsUpdate) any { return orNull(u.ExecutionID) }},
	{"deployments_to_update", list, func(u store.PluginsUpdate) any {
		own, _ := u.Deployments[u.Tenant].([]any)
		return array(own)
	}},
	{"deployments_per_tenant", dict, func(u store.PluginsUpdate) any { return mapOrEmpty(u.Deployments) }},
	{"forced", boolean, func(u store.PluginsUpdate) any { return u.Forced }},
	{"all_tenants", boolean, func(u store.PluginsUpdate) any { return u.AllTenants }},
	{"created_at", moment, func(u store.PluginsUpdate) any { return date(u.CreatedAt) }},
}, ownedFields(func(u store.PluginsUpdate) store.Owned { return u.Owned })...)}

var pluginsUpdateList = listed{
	filters: []string{"id", "blueprint_id", "execution_id", "state", "created_by", "tenant_name", "visibility"},
	sorts:   []string{"id", "created_at", "blueprint_id", "state"},
}

func (s *server) listPluginsUpdates(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, pluginsUpdateList)
	if err != nil {
		return err
	}
	page, err := s.Store.ListPluginsUpdates(r.Context(), q.Query)
	if err != nil {
		return err
	}
	return reply(w, q, pluginsUpdateShape, page)
}

func (s *server) getPluginsUpdate(w http.ResponseWriter, r *request) error {
	id := r.PathValue("id")
	u, err := s.Store.GetPluginsUpdate(r.Context(), r.tenant, id)
	if err != nil {
		return err
	}
	if err := r.sees(u.Owned, "PluginsUpdate", id); err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, pluginsUpdateShape, u)
}

// initiatePluginsUpdate starts an update of a blueprint's plugins: id is the
// blueprint's. Without a choice the newest versions are taken.
func (s *server) initiatePluginsUpdate(w http.ResponseWriter, r *request) error {
	b, err := s.Store.GetBlueprint(r.Context(), r.tenant, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := r.sees(b.Owned, "Blueprint", b.ID); err != nil {
		return err
	}
	if b.Tenant != r.tenant {
		return fail("illegal_action_error", "Can't modify the global resource `%s` from outside its tenant `%s`", b.ID, b.Tenant)
	}
	choice := map[string]any{"all_to_latest": r.flag("all_to_latest"), "all_to_minor": r.flag("all_to_minor"), "mapping": mapOrEmpty(r.dict("mapping"))}
	for _, name := range []string{"plugin_names", "to_latest", "to_minor"} {
		choice[name] = array(r.list(name))
	}
	u, err := s.Plugins.UpdatePlugins(r.Context(), catalog.PluginsUpdateRequest{
		Blueprint: b, Choice: choice, Force: r.flag("force"), AllTenants: r.flag("all_tenants"), CreatedBy: r.caller.Username, Caller: r.actsFor(),
		Flags: map[string]any{"auto_correct_types": r.flag("auto_correct_types"), "reevaluate_active_statuses": r.flag("reevaluate_active_statuses")},
	})
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, pluginsUpdateShape, u)
}

// passPluginsUpdate answers calls for the end of an update, which comes by itself.
func (s *server) passPluginsUpdate(w http.ResponseWriter, r *request) error {
	return s.getPluginsUpdate(w, r)
}
