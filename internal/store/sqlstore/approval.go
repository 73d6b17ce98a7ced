package sqlstore

import (
	"context"
	"time"

	"windlass/internal/store"
)

var approvalColumns = columnsOf([]string{"tenant", "id"}, ownedColumns, []string{
	"execution_id", "deployment_id", "operation_id", "node_id", "instance_id", "operation_name", "question", "details", "approvers",
	"not_by_starter", "expires_at", "approve_on_expiry", "status", "decided_by", "decided_at", "comment",
})

func approvalValues(a store.Approval) []any {
	return append(append([]any{a.Tenant, a.ID}, ownedValues(a.Owned)...),
		a.ExecutionID, a.DeploymentID, a.OperationID, a.NodeID, a.InstanceID, a.OperationName, a.Question, valueArg(a.Details),
		jsonArg(a.Approvers), a.NotByStarter, timeArg(a.ExpiresAt), a.ApproveOnExpiry, string(a.Status), a.DecidedBy,
		timeArg(a.DecidedAt), a.Comment)
}

var approvals = view[store.Approval]{
	listing: &listing{
		kind: "Approval", from: "approvals t", num: "t.num", search: "t.id",
		tenant: "t.tenant", visibility: "t.visibility", creator: "t.created_by",
		fields: ownedFields(map[string]column{
			"id":            {expr: "t.id"},
			"execution_id":  {expr: "t.execution_id"},
			"deployment_id": {expr: "t.deployment_id"},
			"operation_id":  {expr: "t.operation_id"},
			"node_id":       {expr: "t.node_id"},
			"status":        {expr: "t.status"},
			"decided_by":    {expr: "t.decided_by"},
			"created_at":    {expr: "t.created_at", kind: instant},
			"expires_at":    {expr: "t.expires_at", kind: instant, nullable: true},
		}),
		order: byCreation,
	},
	from: "approvals t", columns: qualified("t", approvalColumns),
	targets: func(a *store.Approval) []any {
		return append(append([]any{&a.Tenant, &a.ID}, ownedTargets(&a.Owned)...),
			&a.ExecutionID, &a.DeploymentID, &a.OperationID, &a.NodeID, &a.InstanceID, &a.OperationName, &a.Question,
			valueCell{&a.Details}, jsonTo(&a.Approvers), &a.NotByStarter, timeCell{&a.ExpiresAt}, &a.ApproveOnExpiry,
			(*string)(&a.Status), &a.DecidedBy, timeCell{&a.DecidedAt}, &a.Comment)
	},
}

// GetApproval reads an approval.
func (r Reader) GetApproval(ctx context.Context, tenant, id string) (store.Approval, error) {
	return pick(ctx, r, approvals, id, "t.tenant = ? AND t.id = ?", tenant, id)
}

// GetOperationApproval reads what an attempt of an operation asked for last.
func (r Reader) GetOperationApproval(ctx context.Context, operationID string) (store.Approval, error) {
	return pick(ctx, r, approvals, operationID, "t.num = (SELECT MAX(num) FROM approvals WHERE operation_id = ?)", operationID)
}

// ListApprovals lists approvals.
func (r Reader) ListApprovals(ctx context.Context, q store.Query) (store.Page[store.Approval], error) {
	return page(ctx, r, approvals, q)
}

// AddApproval adds an approval, or gives ErrExists.
func (t *Tx) AddApproval(ctx context.Context, a store.Approval) error {
	t.Notify(store.TopicApprovals)
	added, err := insert(ctx, t.conn, "approvals", approvalColumns, approvalValues(a))
	return taken(added, err, "Approval", a.ID)
}

// DecideApproval stores an answer, or gives ErrVersion if there is one.
func (t *Tx) DecideApproval(ctx context.Context, a store.Approval) error {
	t.Notify(store.TopicApprovals)
	n, err := t.conn.Exec(ctx, "UPDATE approvals SET status = ?, decided_by = ?, decided_at = ?, comment = ? "+
		"WHERE tenant = ? AND id = ? AND status = ?",
		string(a.Status), a.DecidedBy, timeArg(a.DecidedAt), a.Comment, a.Tenant, a.ID, string(store.ApprovalWaiting))
	return one(n, err, "Approval", a.ID, store.ErrVersion)
}

// WithdrawApprovals ends what an execution still asks for.
func (t *Tx) WithdrawApprovals(ctx context.Context, executionID string, now time.Time) error {
	_, err := t.conn.Exec(ctx, "UPDATE approvals SET status = ?, decided_at = ? WHERE execution_id = ? AND status = 'waiting'",
		string(store.ApprovalWithdrawn), timeArg(now), executionID)
	return err
}
