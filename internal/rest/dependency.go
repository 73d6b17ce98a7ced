package rest

import (
	"net/http"

	"github.com/google/uuid"

	"windlass/internal/catalog"
	"windlass/internal/store"
	"windlass/internal/value"
)

var dependencyShape = shape[store.Dependency]{name: "InterDeploymentDependency", fields: append([]field[store.Dependency]{
	{"id", text, func(x store.Dependency) any { return x.ID }},
	{"created_at", moment, func(x store.Dependency) any { return date(x.CreatedAt) }},
	{"dependency_creator", text, func(x store.Dependency) any { return x.Creator }},
	{"source_deployment_id", text, func(x store.Dependency) any { return orNull(x.SourceDeployment) }},
	{"target_deployment_id", text, func(x store.Dependency) any { return orNull(x.TargetDeployment) }},
	{"target_deployment_func", any_, func(x store.Dependency) any { return x.TargetFunc }},
	{"external_source", dict, func(x store.Dependency) any { return mapOrNull(x.ExternalSource) }},
	{"external_target", dict, func(x store.Dependency) any { return mapOrNull(x.ExternalTarget) }},
}, ownedFields(func(x store.Dependency) store.Owned { return x.Owned })...)}

var dependencyList = listed{
	filters: []string{"id", "dependency_creator", "source_deployment_id", "target_deployment_id", "created_by", "tenant_name", "visibility"},
	sorts:   []string{"created_at"},
}

func (s *server) listDependencies(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, dependencyList)
	if err != nil {
		return err
	}
	page, err := s.Store.ListDependencies(r.Context(), q.Query)
	if err != nil {
		return err
	}
	return reply(w, q, dependencyShape, page)
}

// dependencyOf reads a dependency from an object of a body.
func (s *server) dependencyOf(r *request, source string, body map[string]any) (store.Dependency, error) {
	str := func(name string) string { t, _ := body[name].(string); return t }
	dict := func(name string) map[string]any { m, _ := body[name].(map[string]any); return m }
	d := store.Dependency{
		ID: str("id"), Creator: str("dependency_creator"), SourceDeployment: source, TargetDeployment: str("target_deployment"),
		TargetFunc: body["target_deployment_func"], ExternalSource: dict("external_source"), ExternalTarget: dict("external_target"),
	}
	if d.Creator == "" {
		return d, badParameter("A dependency needs a dependency_creator")
	}
	if d.ID == "" {
		d.ID = uuid.NewString()
	}
	d.Tenant, d.Visibility, d.CreatedBy, d.CreatedAt = r.tenant, store.Tenants, r.caller.Username, s.Now()
	return d, nil
}

func (s *server) putDependency(w http.ResponseWriter, r *request) error {
	d, err := s.dependencyOf(r, r.str("source_deployment"), r.body)
	if err != nil {
		return err
	}
	if d.Visibility, err = r.visibility(); err != nil {
		return err
	}
	if d.CreatedBy, err = r.owner("created_by", d.CreatedBy); err != nil {
		return err
	}
	if d.CreatedAt, err = r.createdAt(d.CreatedAt); err != nil {
		return err
	}
	if err := s.Store.Write(r.Context(), func(tx store.Tx) error {
		d, err = catalog.Depend(r.Context(), tx, d)
		return err
	}); err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, dependencyShape, d)
}

// postDependencies adds the dependencies of one deployment.
func (s *server) postDependencies(w http.ResponseWriter, r *request) error {
	return s.dependOn(w, r, r.str("source_deployment_id"), false)
}

// replaceDependencies sets what a deployment depends on.
func (s *server) replaceDependencies(w http.ResponseWriter, r *request) error {
	d, err := s.findDeployment(r)
	if err != nil {
		return err
	}
	return s.dependOn(w, r, d.ID, true)
}

func (s *server) dependOn(w http.ResponseWriter, r *request, source string, instead bool) error {
	var wanted []store.Dependency
	for _, item := range r.list("inter_deployment_dependencies") {
		m, ok := item.(map[string]any)
		if !ok {
			return badParameter("inter_deployment_dependencies must be a list of objects, found %s in it", value.Repr(item))
		}
		d, err := s.dependencyOf(r, source, m)
		if err != nil {
			return err
		}
		wanted = append(wanted, d)
	}
	var ids []any
	err := s.Store.Write(r.Context(), func(tx store.Tx) error {
		ids = []any{}
		if instead {
			if err := releaseAll(r, tx, source); err != nil {
				return err
			}
		}
		for _, d := range wanted {
			d, err := catalog.Depend(r.Context(), tx, d)
			if err != nil {
				return err
			}
			ids = append(ids, object{"id": d.ID})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return ok(w, ids)
}

func releaseAll(r *request, tx store.Tx, source string) error {
	page, err := tx.ListDependencies(r.Context(), store.Query{
		Tenants: []string{r.tenant}, Filters: []store.Filter{{Field: "source_deployment_id", Values: []string{source}}},
	})
	if err != nil {
		return err
	}
	for _, d := range page.Items {
		if err := catalog.Release(r.Context(), tx, d); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) deleteDependency(w http.ResponseWriter, r *request) error {
	err := s.Store.Write(r.Context(), func(tx store.Tx) error {
		d, err := tx.GetDependency(r.Context(), r.tenant, r.str("source_deployment"), r.str("dependency_creator"))
		if isMissing(err) && r.flag("is_component_deletion") { // it goes with what it was about, which may have gone first
			return nil
		}
		if err != nil {
			return err
		}
		return catalog.Release(r.Context(), tx, d)
	})
	if err != nil {
		return err
	}
	return done(w)
}
