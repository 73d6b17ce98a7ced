package rest

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"windlass/internal/access"
	"windlass/internal/store"
	"windlass/internal/value"
)

var filterShape = shape[store.StoredFilter]{name: "Filter", fields: append([]field[store.StoredFilter]{
	{"id", text, func(f store.StoredFilter) any { return f.ID }},
	{"value", list, func(f store.StoredFilter) any { return array(f.Rules) }},
	{"labels_filter_rules", list, func(f store.StoredFilter) any { return rulesOfType(f.Rules, "label") }},
	{"attrs_filter_rules", list, func(f store.StoredFilter) any { return rulesOfType(f.Rules, "attribute") }},
	{"is_system_filter", boolean, func(f store.StoredFilter) any { return isSystemFilter(f.ID) }},
	{"created_at", moment, func(f store.StoredFilter) any { return date(f.CreatedAt) }},
	{"updated_at", moment, func(f store.StoredFilter) any { return date(f.UpdatedAt) }},
}, ownedFields(func(f store.StoredFilter) store.Owned { return f.Owned })...)}

var filterList = listed{
	filters: []string{"id", "created_by", "tenant_name", "visibility"}, sorts: []string{"created_at", "updated_at"},
}

// filterKinds are what filters are about, with the attributes that their rules
// may name.
var filterKinds = map[string][]string{
	store.FilterBlueprints: blueprintAttributes, store.FilterDeployments: deploymentAttributes, store.FilterWorkflows: deploymentAttributes,
}

func isSystemFilter(id string) bool { return strings.HasPrefix(id, reservedPrefix) }

func rulesOfType(rules []any, wanted string) []any {
	found := []any{}
	for _, r := range rules {
		if m, _ := r.(map[string]any); m["type"] == wanted {
			found = append(found, r)
		}
	}
	return found
}

// filterKind is what the path says the filter is about.
func filterKind(r *request) (string, error) {
	kind := r.PathValue("kind")
	if filterKinds[kind] == nil {
		return "", notFound("Filters", kind)
	}
	return kind, nil
}

func (s *server) listFilters(w http.ResponseWriter, r *request) error {
	kind, err := filterKind(r)
	if err != nil {
		return err
	}
	q, err := s.listing(r, filterList)
	if err != nil {
		return err
	}
	plain := !q.filters("id") && !q.filters("created_by") && !q.filters("visibility") && !q.filters("tenant_name")
	q.with(store.Filter{Field: "kind", Values: []string{kind}})
	var all []store.StoredFilter
	if plain {
		for _, id := range value.SortedKeys(store.SystemFilters) {
			if f, ok := store.SystemFilter(r.tenant, kind, id); ok && containsFold(id, q.Search) {
				all = append(all, f)
			}
		}
	}
	err = each(r.Context(), q.Query, s.Store.ListFilters, func(f store.StoredFilter) error {
		all = append(all, f)
		return nil
	})
	if err != nil {
		return err
	}
	return reply(w, q, filterShape, slicePage(all, q))
}

// findFilter reads a filter that the caller sees.
func (s *server) findFilter(r *request, kind, id string) (store.StoredFilter, error) {
	if f, ok := store.SystemFilter(r.tenant, kind, id); ok {
		return f, nil
	}
	f, err := s.Store.GetFilter(r.Context(), r.tenant, kind, id)
	if err != nil {
		return f, err
	}
	return f, r.sees(f.Owned, "Filter", id)
}

func (s *server) getFilter(w http.ResponseWriter, r *request) error {
	kind, err := filterKind(r)
	if err != nil {
		return err
	}
	f, err := s.findFilter(r, kind, r.PathValue("id"))
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, filterShape, f)
}

func (s *server) putFilter(w http.ResponseWriter, r *request) error {
	kind, err := filterKind(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if err := access.CheckName("filter_id", id, true); err != nil {
		return err
	}
	if isSystemFilter(id) {
		return badParameter("All filters with a `%s` prefix are reserved for internal use.", reservedPrefix)
	}
	f := store.StoredFilter{Kind: kind, ID: id, Rules: r.list("filter_rules"), UpdatedAt: s.Now()}
	if err := checkRules(kind, f.Rules); err != nil {
		return err
	}
	f.Tenant = r.tenant
	if f.Visibility, err = r.visibility(); err != nil {
		return err
	}
	if f.CreatedBy, err = r.owner("created_by", r.caller.Username); err != nil {
		return err
	}
	if f.CreatedAt, err = r.createdAt(s.Now()); err != nil {
		return err
	}
	if err := s.Store.Write(r.Context(), func(tx store.Tx) error { return tx.AddFilter(r.Context(), f) }); err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, filterShape, f)
}

// checkRules refuses rules that no search could follow.
func checkRules(kind string, rules []any) error {
	if len(rules) == 0 {
		return badParameter("The filter rules list must contain at least one rule")
	}
	_, err := parseRules(rules, filterKinds[kind], true)
	return err
}

func (s *server) patchFilter(w http.ResponseWriter, r *request) error {
	f, err := s.ownFilter(r, "modify")
	if err != nil {
		return err
	}
	if !r.has("filter_rules") && !r.has("visibility") {
		return badParameter("Update a filter request must include at least one of filter_rules and visibility")
	}
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		if f, err = tx.GetFilter(r.Context(), f.Tenant, f.Kind, f.ID); err != nil {
			return err
		}
		if r.has("filter_rules") {
			if err := checkRules(f.Kind, r.list("filter_rules")); err != nil {
				return err
			}
			f.Rules = replaceRules(f.Rules, r.list("filter_rules"))
		}
		if r.has("visibility") {
			v, err := r.newVisibility()
			if err == nil {
				err = r.widen(f.ID, f.Visibility, v)
			}
			if err != nil {
				return err
			}
			f.Visibility = v
		}
		f.UpdatedAt = s.Now()
		return tx.UpdateFilter(r.Context(), f)
	})
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, filterShape, f)
}

// replaceRules puts rules in the place of those of the same types.
func replaceRules(old, wanted []any) []any {
	kept := []any{}
	for _, typ := range []string{"label", "attribute"} {
		if len(rulesOfType(wanted, typ)) == 0 {
			kept = append(kept, rulesOfType(old, typ)...)
		}
	}
	return append(kept, wanted...)
}

// ownFilter reads the filter of the path, if the caller may change it.
func (s *server) ownFilter(r *request, doing string) (store.StoredFilter, error) {
	kind, err := filterKind(r)
	if err != nil {
		return store.StoredFilter{}, err
	}
	if isSystemFilter(r.PathValue("id")) {
		return store.StoredFilter{}, fail("illegal_action_error", "Cannot %s a system filter", doing)
	}
	f, err := s.findFilter(r, kind, r.PathValue("id"))
	if err != nil {
		return f, err
	}
	return f, r.caller.CheckChange(r.tenant, f.Owned, f.ID)
}

func (s *server) deleteFilter(w http.ResponseWriter, r *request) error {
	f, err := s.ownFilter(r, "delete")
	if err != nil {
		return err
	}
	if err := s.Store.Write(r.Context(), func(tx store.Tx) error {
		return tx.DeleteFilter(r.Context(), f.Tenant, f.Kind, f.ID)
	}); err != nil {
		return err
	}
	return done(w)
}

// storedRules gives the rules of the first filter of the name among the kinds.
func (s *server) storedRules(r *request, id string, kinds ...string) (rules []any, err error) {
	for _, kind := range kinds {
		f, missing := s.findFilter(r, kind, id)
		if missing == nil {
			return slices.Clone(f.Rules), nil
		}
		if err = missing; !isMissing(missing) {
			return nil, err
		}
	}
	if err == nil {
		err = notFound("Filter", id)
	}
	return nil, err
}

// withSchedules replaces a rule on the schedules of deployments by one on the
// ids of those that have some.
func (s *server) withSchedules(ctx context.Context, q *listing) error {
	ids := []string{""} // so that none at all gives nothing
	of := store.Query{Tenants: q.Tenants, Viewer: q.Viewer}
	err := each(ctx, of, s.Store.ListSchedules, func(sc store.Schedule) error {
		if !slices.Contains(ids, sc.DeploymentID) {
			ids = append(ids, sc.DeploymentID)
		}
		return nil
	})
	q.with(store.Filter{Field: "id", Values: ids})
	return err
}
