package rest

import (
	"context"
	"net/http"
	"slices"

	"windlass/internal/access"
	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
	"windlass/internal/value"
)

// blueprint is a stored blueprint with the execution that uploaded it.
type blueprint struct {
	store.Blueprint
	upload *store.Execution // nil: none, or not asked for
}

var blueprintShape = shape[blueprint]{name: "Blueprint", fields: append([]field[blueprint]{
	{"id", text, func(b blueprint) any { return b.ID }},
	{"main_file_name", text, func(b blueprint) any { return b.MainFileName }},
	{"description", text, func(b blueprint) any { return pointer(b.Description) }},
	{"plan", dict, func(b blueprint) any {
		if b.Plan == nil {
			return nil
		}
		return b.Plan
	}},
	{"requirements", dict, func(b blueprint) any { return mapOrNull(b.Requirements) }},
	{"created_at", moment, func(b blueprint) any { return date(b.CreatedAt) }},
	{"updated_at", moment, func(b blueprint) any { return date(b.UpdatedAt) }},
	{"is_hidden", boolean, func(b blueprint) any { return b.IsHidden }},
	{"state", text, func(b blueprint) any { return b.State }},
	{"error", text, func(b blueprint) any { return orNull(b.Error) }},
	{"error_traceback", text, func(b blueprint) any { return orNull(b.ErrorTraceback) }},
	{"labels", list, func(b blueprint) any { return labelsOut(b.Labels) }},
	{"upload_execution", dict, func(b blueprint) any {
		e := store.Execution{}
		if b.upload != nil {
			e = *b.upload
		}
		return nested(executionShape, e, b.upload != nil)
	}},
}, ownedFields(func(b blueprint) store.Owned { return b.Owned })...)}

var blueprintList = listed{
	filters:  []string{"id", "state", "created_by", "tenant_name", "visibility", "main_file_name", "is_hidden"},
	booleans: []string{"is_hidden"},
	sorts:    []string{"created_at", "updated_at", "description"},
}

// ownedFields are what every record of a tenant carries.
func ownedFields[T any](owned func(T) store.Owned) []field[T] {
	return []field[T]{
		{"visibility", text, func(x T) any { return string(owned(x).Visibility) }},
		{"tenant_name", text, func(x T) any { return owned(x).Tenant }},
		{"created_by", text, func(x T) any { return owned(x).CreatedBy }},
		{"resource_availability", text, func(x T) any { return string(owned(x).Visibility) }},
		{"private_resource", boolean, func(x T) any { return owned(x).Visibility == store.Private }},
	}
}

// nested is an object inside another; if it is not there all its members are
// null, or 0 for numbers.
func nested[T any](s shape[T], x T, there bool) object {
	if there {
		return s.encode(x, nil)
	}
	o := object{}
	for _, f := range s.fields {
		o[f.name] = nil
		if f.kind == integer {
			o[f.name] = 0
		}
	}
	return o
}

// withUploads adds the uploading executions to blueprints, in one read.
func (s *server) withUploads(ctx context.Context, page store.Page[store.Blueprint], wanted bool) (store.Page[blueprint], error) {
	out := mapPage(page, func(b store.Blueprint) blueprint { return blueprint{Blueprint: b} })
	if !wanted || len(page.Items) == 0 {
		return out, nil
	}
	var ids []string
	for _, b := range page.Items {
		if b.UploadExecutionID != "" {
			ids = append(ids, b.UploadExecutionID)
		}
	}
	found := map[string]*store.Execution{}
	for chunk := range slices.Chunk(ids, 500) {
		executions, err := s.Store.ListExecutions(ctx, store.Query{Filters: []store.Filter{{Field: "id", Values: chunk}}})
		if err != nil {
			return out, err
		}
		for i := range executions.Items {
			found[executions.Items[i].ID] = &executions.Items[i]
		}
	}
	for i := range out.Items {
		out.Items[i].upload = found[out.Items[i].UploadExecutionID]
	}
	return out, nil
}

func (s *server) withUpload(ctx context.Context, b store.Blueprint) (blueprint, error) {
	page, err := s.withUploads(ctx, store.Page[store.Blueprint]{Items: []store.Blueprint{b}, Total: 1}, true)
	if err != nil {
		return blueprint{}, err
	}
	return page.Items[0], nil
}

func (s *server) listBlueprints(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, blueprintList)
	if err != nil {
		return err
	}
	rules, err := s.rules(r, blueprintSearch, &q)
	if err != nil {
		return err
	}
	return s.replyBlueprints(w, r, q, rules)
}

// replyBlueprints lists blueprints, of those that match the rules if any are given.
func (s *server) replyBlueprints(w http.ResponseWriter, r *request, q listing, rules []rule) error {
	if !q.filters("is_hidden") {
		q.with(store.Filter{Field: "is_hidden", Values: []string{"false"}})
	}
	q.Full = slices.Contains(q.include, "plan")
	page, filtered, err := filtering(r.Context(), q, rules, s.Store.ListBlueprints, func(b store.Blueprint) []store.Label { return b.Labels })
	if err != nil {
		return err
	}
	full, err := s.withUploads(r.Context(), page, q.wants("upload_execution"))
	if err != nil {
		return err
	}
	return replyFiltered(w, q, blueprintShape, full, filtered)
}

// findBlueprint reads the blueprint that the path names, if the caller sees it.
func (s *server) findBlueprint(r *request) (store.Blueprint, error) {
	id := r.PathValue("id")
	b, err := s.Store.GetBlueprint(r.Context(), r.tenant, id)
	if err != nil {
		return b, err
	}
	return b, r.sees(b.Owned, "Blueprint", id)
}

func (s *server) getBlueprint(w http.ResponseWriter, r *request) error {
	b, err := s.findBlueprint(r)
	if err != nil {
		return err
	}
	return s.replyBlueprint(w, r, http.StatusOK, b)
}

func (s *server) replyBlueprint(w http.ResponseWriter, r *request, status int, b store.Blueprint) error {
	full, err := s.withUpload(r.Context(), b)
	if err != nil {
		return err
	}
	return replyOne(w, r, status, blueprintShape, full)
}

func (s *server) deleteBlueprint(w http.ResponseWriter, r *request) error {
	force, err := r.queryFlag("force", false)
	if err != nil {
		return err
	}
	b, err := s.findBlueprint(r)
	if err != nil {
		return err
	}
	if err := s.Catalog.DeleteBlueprint(r.Context(), r.tenant, b.ID, force); err != nil {
		return err
	}
	return done(w)
}

func (s *server) getBlueprintArchive(w http.ResponseWriter, r *request) error {
	b, err := s.findBlueprint(r)
	if err != nil {
		return err
	}
	if b.ArchiveHash == "" {
		return fail("not_found_error", "Could not find blueprint's archive; Blueprint ID: %s", b.ID)
	}
	archive, name, err := s.Catalog.BlueprintArchive(r.Context(), r.tenant, b.ID)
	if err != nil {
		return err
	}
	defer archive.Close()
	return s.sendFile(w, archive, name)
}

// blueprintPatch lists what PATCH may change.
var blueprintPatch = []string{"plan", "requirements", "description", "main_file_name", "visibility", "state", "error",
	"error_traceback", "labels", "creator", "created_at", "upload_execution"}

func (s *server) patchBlueprint(w http.ResponseWriter, r *request) error {
	for _, k := range value.SortedKeys(r.body) {
		if !slices.Contains(blueprintPatch, k) {
			return badParameter("Unknown parameters: %s", k)
		}
	}
	if len(r.body) == 0 {
		return badParameter("Update a blueprint request must include at least one parameter to update")
	}
	b, err := s.findBlueprint(r)
	if err != nil {
		return err
	}
	if err := r.caller.CheckChange(r.tenant, b.Owned, b.ID); err != nil {
		return err
	}
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		if b, err = tx.GetBlueprint(r.Context(), b.Tenant, b.ID); err != nil {
			return err
		}
		if err := s.applyToBlueprint(r, &b); err != nil {
			return err
		}
		return tx.UpdateBlueprint(r.Context(), b)
	})
	if err != nil {
		return err
	}
	return s.replyBlueprint(w, r, http.StatusOK, b)
}

func (s *server) applyToBlueprint(r *request, b *store.Blueprint) error {
	by, err := r.owner("creator", b.CreatedBy)
	if err != nil {
		return err
	}
	b.CreatedBy = by
	if b.CreatedAt, err = r.createdAt(b.CreatedAt); err != nil {
		return err
	}
	if r.has("visibility") {
		v, err := access.ParseVisibility(r.str("visibility"), false)
		if err != nil {
			return err
		}
		if err := r.widen(b.ID, b.Visibility, v); err != nil {
			return err
		}
		b.Visibility = v
	}
	for name, target := range map[string]*string{
		"main_file_name": &b.MainFileName, "state": &b.State, "error": &b.Error, "error_traceback": &b.ErrorTraceback,
	} {
		if r.has(name) {
			*target = r.str(name)
		}
	}
	if r.has("description") {
		d := r.str("description")
		b.Description = &d
	}
	if id, given := r.body["upload_execution"].(string); given {
		b.UploadExecutionID = id
	}
	if r.has("requirements") {
		b.Requirements = r.dict("requirements")
	}
	if r.has("plan") {
		b.Plan = &plan.Plan{}
		if err := value.Into(r.dict("plan"), b.Plan); err != nil {
			return badParameter("plan is not a parsed blueprint: %s", err)
		}
	}
	if r.has("labels") {
		if b.State != store.BlueprintUploaded {
			return fail("conflict_error", "Blueprint labels can be created only if the blueprint state is uploaded")
		}
		labels, err := parseLabels(r.list("labels"), r.caller.Username, s.Now())
		if err != nil {
			return err
		}
		b.Labels = replaceLabels(b.Labels, labels)
	}
	b.UpdatedAt = s.Now()
	return nil
}

func (s *server) setBlueprintVisibility(w http.ResponseWriter, r *request) error {
	v, err := r.newVisibility()
	if err != nil {
		return err
	}
	b, err := s.findBlueprint(r)
	if err != nil {
		return err
	}
	if err := r.caller.CheckChange(r.tenant, b.Owned, b.ID); err != nil {
		return err
	}
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		if b, err = tx.GetBlueprint(r.Context(), b.Tenant, b.ID); err != nil {
			return err
		}
		if err := r.widen(b.ID, b.Visibility, v); err != nil {
			return err
		}
		b.Visibility, b.UpdatedAt = v, s.Now()
		return tx.UpdateBlueprint(r.Context(), b)
	})
	if err != nil {
		return err
	}
	return s.replyBlueprint(w, r, http.StatusOK, b)
}
