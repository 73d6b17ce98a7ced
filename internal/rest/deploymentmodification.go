package rest

import (
	"context"
	"net/http"

	"windlass/internal/execution"
	"windlass/internal/store"
)

var modificationShape = shape[store.Modification]{name: "DeploymentModification", fields: append([]field[store.Modification]{
	{"id", text, func(m store.Modification) any { return m.ID }},
	{"deployment_id", text, func(m store.Modification) any { return m.DeploymentID }},
	{"status", text, func(m store.Modification) any { return m.Status }},
	{"created_at", moment, func(m store.Modification) any { return date(m.CreatedAt) }},
	{"ended_at", moment, func(m store.Modification) any { return date(m.EndedAt) }},
	{"modified_nodes", dict, func(m store.Modification) any { return mapOrEmpty(m.ModifiedNodes) }},
	{"node_instances", dict, func(m store.Modification) any { return mapOrEmpty(m.NodeInstances) }},
	{"context", dict, func(m store.Modification) any { return mapOrEmpty(m.Context) }},
}, ownedFields(func(m store.Modification) store.Owned { return m.Owned })...)}

var modificationList = listed{
	filters: []string{"id", "deployment_id", "status", "created_by", "tenant_name", "visibility"},
	sorts:   []string{"id", "deployment_id", "status", "created_at", "ended_at"},
}

func (s *server) listModifications(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, modificationList)
	if err != nil {
		return err
	}
	page, err := s.Store.ListModifications(r.Context(), q.Query)
	if err != nil {
		return err
	}
	return reply(w, q, modificationShape, page)
}

// visibleModification reads the modification that the request names.
func (s *server) visibleModification(r *request) (store.Modification, error) {
	id := r.PathValue("id")
	m, err := s.Store.GetModification(r.Context(), r.tenant, id)
	if err != nil {
		return m, err
	}
	return m, r.sees(m.Owned, "DeploymentModification", id)
}

func (s *server) getModification(w http.ResponseWriter, r *request) error {
	m, err := s.visibleModification(r)
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, modificationShape, m)
}

func (s *server) startModification(w http.ResponseWriter, r *request) error {
	d, err := s.visibleDeployment(r, r.str("deployment_id"))
	if err != nil {
		return err
	}
	changes, err := execution.ReadChanges(r.dict("nodes"))
	if err != nil {
		return err
	}
	m, err := s.Executions.StartModification(r.Context(), execution.ModificationRequest{
		Tenant: d.Tenant, DeploymentID: d.ID, Changes: changes, Context: r.dict("context"), ExecutionID: r.actsFor(), CreatedBy: r.caller.Username,
	})
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusCreated, modificationShape, m)
}

func (s *server) finishModification(w http.ResponseWriter, r *request) error {
	return s.endModification(w, r, s.Executions.FinishModification)
}

func (s *server) rollbackModification(w http.ResponseWriter, r *request) error {
	return s.endModification(w, r, s.Executions.RollbackModification)
}

func (s *server) endModification(w http.ResponseWriter, r *request,
	end func(ctx context.Context, tenant, id string) (store.Modification, error),
) error {
	m, err := s.visibleModification(r)
	if err != nil {
		return err
	}
	if m, err = end(r.Context(), m.Tenant, m.ID); err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, modificationShape, m)
}
