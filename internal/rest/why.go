package rest

import (
	"context"
	"fmt"
	"net/http"

	"windlass/internal/store"
)

// An explanation names so many failed operations, the newest, and looks for them
// among so many attempts.
const (
	failedShown  = 20
	failedLooked = 200
)

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
	failures, total, err := s.failures(r.Context(), e.ID)
	if err != nil {
		return err
	}
	return ok(w, object{
		"execution_id": e.ID, "status": string(e.Status), "status_display": e.Status.Display(), "error": pointer(e.Error),
		"text": orNull(why.Text), "position": why.Position, "blocked_by": blockers, "waiting": waiting, "waiting_total": why.WaitingTotal,
		"failed_operations": failures, "failed_operations_total": total,
	})
}

// failures lists the operations of an execution that failed, the newest first: of
// several attempts the last. The total counts attempts.
func (s *server) failures(ctx context.Context, execution string) ([]any, int, error) {
	failed, err := s.Store.ListOperations(ctx, store.Query{
		Limit: failedLooked, Sort: []store.SortKey{{Field: "created_at", Descending: true}},
		Filters: []store.Filter{{Field: "execution_id", Values: []string{execution}}, {Field: "state", Values: []string{"failed"}}},
	})
	if err != nil {
		return nil, 0, err
	}
	failures := []any{}
	followed := map[any]bool{} // attempts that were followed by another
	for _, op := range failed.Items {
		attempt := op.Parameters["current_retries"]
		isLast := !followed[op.ID]
		if before := op.Parameters["retried_task"]; before != nil {
			followed[before] = true
		}
		if !isLast || op.Type == "SubgraphTask" || len(failures) == failedShown {
			continue
		}
		failures = append(failures, object{
			"id": op.ID, "name": describeOperation(op), "type": op.Type, "error": op.Error,
			"retry": attempt, "max_retries": op.Parameters["total_retries"],
		})
	}
	return failures, failed.Total, nil
}

// describeOperation names an operation as messages do: what is run, and where and
// what for.
func describeOperation(op store.Operation) string {
	task, _ := op.Parameters["task_kwargs"].(map[string]any)
	kwargs, _ := task["kwargs"].(map[string]any)
	about, _ := kwargs["__cloudify_context"].(map[string]any)
	instance, _ := about["node_id"].(string)
	operation, _ := about["operation"].(string)
	if instance == "" && operation == "" {
		return op.Name
	}
	return fmt.Sprintf("%s (%s:%s)", op.Name, instance, operation)
}
