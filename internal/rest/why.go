package rest

import (
	"net/http"

	"windlass/internal/store"
)

// failedShown is how many failed operations an explanation names.
const failedShown = 20

// explainExecution tells where an execution stands: what it waits for, or
// which of its operations failed.
func (s *server) explainExecution(w http.ResponseWriter, r *request) error {
	e, err := s.findExecution(r)
	if err != nil {
		return err
	}
	if s.Why == nil {
		return notYet("Explaining an execution")
	}
	why, err := s.Why(r.Context(), e.Tenant, e.ID)
	if err != nil {
		return err
	}
	blockers := make([]any, len(why.BlockedBy))
	for i, b := range why.BlockedBy {
		blockers[i] = executionShape.encode(b, []string{"id", "workflow_id", "deployment_id", "status", "created_at", "created_by"})
	}
	waiting := make([]any, len(why.Waiting))
	for i, t := range why.Waiting {
		waiting[i] = object{"id": t.ID, "name": t.Name, "for": t.For}
	}
	failed, err := s.Store.ListOperations(r.Context(), store.Query{Limit: failedShown, Filters: []store.Filter{
		{Field: "execution_id", Values: []string{e.ID}}, {Field: "state", Values: []string{"failed"}},
	}})
	if err != nil {
		return err
	}
	failures := make([]any, len(failed.Items))
	for i, op := range failed.Items {
		failures[i] = object{"id": op.ID, "name": op.Name, "type": op.Type, "error": op.Parameters["error"]}
	}
	return ok(w, object{
		"execution_id": e.ID, "status": string(e.Status), "status_display": e.Status.Display(), "error": pointer(e.Error),
		"text": orNull(why.Text), "position": why.Position, "blocked_by": blockers, "waiting": waiting,
		"failed_operations": failures, "failed_operations_total": failed.Total,
	})
}
