package rest

import (
	"net/http"

	"windlass/internal/access"
	"windlass/internal/approval"
	"windlass/internal/store"
)

var approvalShape = shape[store.Approval]{name: "Approval", fields: append([]field[store.Approval]{
	{"id", text, func(a store.Approval) any { return a.ID }},
	{"status", text, func(a store.Approval) any { return string(a.Status) }},
	{"question", text, func(a store.Approval) any { return a.Question }},
	{"details", any_, func(a store.Approval) any { return a.Details }},
	{"execution_id", text, func(a store.Approval) any { return a.ExecutionID }},
	{"deployment_id", text, func(a store.Approval) any { return a.DeploymentID }},
	{"operation_id", text, func(a store.Approval) any { return a.OperationID }},
	{"operation", text, func(a store.Approval) any { return a.OperationName }},
	{"node_id", text, func(a store.Approval) any { return a.NodeID }},
	{"node_instance_id", text, func(a store.Approval) any { return a.InstanceID }},
	{"approvers", list, func(a store.Approval) any { return array(a.Approvers) }},
	{"not_by_starter", boolean, func(a store.Approval) any { return a.NotByStarter }},
	{"created_at", moment, func(a store.Approval) any { return date(a.CreatedAt) }},
	{"expires_at", moment, func(a store.Approval) any { return date(a.ExpiresAt) }},
	{"on_timeout", text, func(a store.Approval) any {
		if a.ApproveOnExpiry {
			return "approve"
		}
		return "reject"
	}},
	{"decided_by", text, func(a store.Approval) any { return orNull(a.DecidedBy) }},
	{"decided_at", moment, func(a store.Approval) any { return date(a.DecidedAt) }},
	{"comment", text, func(a store.Approval) any { return orNull(a.Comment) }},
}, ownedFields(func(a store.Approval) store.Owned { return a.Owned })...)}

var approvalList = listed{
	filters: []string{"id", "status", "execution_id", "deployment_id", "operation_id", "node_id", "decided_by", "created_by", "tenant_name", "visibility"},
	sorts:   []string{"id", "status", "deployment_id", "created_at", "expires_at"},
}

func (s *server) listApprovals(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, approvalList)
	if err != nil {
		return err
	}
	page, err := s.Store.ListApprovals(r.Context(), q.Query)
	if err != nil {
		return err
	}
	return reply(w, q, approvalShape, page)
}

// visibleApproval reads the approval that the request names.
func (s *server) visibleApproval(r *request) (store.Approval, error) {
	id := r.PathValue("id")
	a, err := s.Store.GetApproval(r.Context(), r.tenant, id)
	if err != nil {
		return a, err
	}
	return a, r.sees(a.Owned, "Approval", id)
}

func (s *server) getApproval(w http.ResponseWriter, r *request) error {
	a, err := s.visibleApproval(r)
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, approvalShape, a)
}

func (s *server) answerApproval(w http.ResponseWriter, r *request) error {
	action := r.str("action")
	if action != "approve" && action != "reject" {
		return badParameter("action must be approve or reject, found `%s`", action)
	}
	a, err := s.visibleApproval(r)
	if err != nil {
		return err
	}
	a, err = s.Approvals.Answer(r.Context(), approval.Answer{
		Tenant: a.Tenant, ID: a.ID, Approve: action == "approve", Comment: r.str("comment"), By: r.caller.Username,
		Role: r.caller.TenantRole(r.tenant), IsAdmin: r.caller.IsAdmin(), IsExecution: r.caller.Method == access.ByExecution,
	})
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, approvalShape, a)
}
