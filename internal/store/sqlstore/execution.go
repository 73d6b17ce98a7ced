package sqlstore

import (
	"context"
	"fmt"

	"windlass/internal/store"
)

var executionColumns = columnsOf([]string{"id", "tenant"}, ownedColumns, []string{
	"workflow_id", "deployment_id", "blueprint_id", "status", "is_active", "started_at", "ended_at", "scheduled_for", "queued_at",
	"is_system_workflow", "is_dry_run", "resume", "allow_custom_parameters", "force", "wait_after_fail", "token_hash", "error",
	"arguments", "parameters", "group_id",
})

func executionValues(e store.Execution) []any {
	return append(append([]any{e.ID, e.Tenant}, ownedValues(e.Owned)...),
		e.WorkflowID, e.DeploymentID, e.BlueprintID, string(e.Status), e.Status.IsActive(), timeArg(e.StartedAt), timeArg(e.EndedAt),
		timeArg(e.ScheduledFor), timeArg(e.QueuedAt), e.IsSystemWorkflow, e.IsDryRun, e.Resume, e.AllowCustomParameters, e.Force,
		e.WaitAfterFail, e.TokenHash, textArg(e.Error), mapArg(e.Arguments), mapArg(e.Parameters), e.GroupID)
}

var executions = view[store.Execution]{
	listing: &listing{
		kind: "Execution", from: "executions t", num: "t.num", search: "t.id",
		tenant: "t.tenant", visibility: "t.visibility", creator: "t.created_by",
		joins: map[string]string{
			"progress":   "JOIN progress p ON p.num = t.num",
			"deployment": "LEFT JOIN deployments d ON d.id = t.deployment_id AND d.tenant = t.tenant",
		},
		fields: ownedFields(map[string]column{
			"id":                      {expr: "t.id"},
			"deployment_id":           {expr: "t.deployment_id"},
			"blueprint_id":            {expr: "t.blueprint_id"},
			"workflow_id":             {expr: "t.workflow_id"},
			"deployment_display_name": {expr: "d.display_name", join: "deployment", nullable: true},
			"group_id":                {expr: "t.group_id"},
			"execution_group_id":      {expr: "t.group_id"},
			"status":                  {expr: "t.status"},
			"status_display":          {expr: "(CASE WHEN t.status = 'terminated' THEN 'completed' ELSE t.status END)"},
			"is_system_workflow":      {expr: "t.is_system_workflow", kind: boolean},
			"is_dry_run":              {expr: "t.is_dry_run", kind: boolean},
			"resume":                  {expr: "t.resume", kind: boolean},
			"force":                   {expr: "t.force", kind: boolean},
			"allow_custom_parameters": {expr: "t.allow_custom_parameters", kind: boolean},
			"created_at":              {expr: "t.created_at", kind: instant},
			"started_at":              {expr: "t.started_at", kind: instant, nullable: true},
			"ended_at":                {expr: "t.ended_at", kind: instant, nullable: true},
			"queued_at":               {expr: "t.queued_at", kind: instant, nullable: true},
			"scheduled_for":           {expr: "t.scheduled_for", kind: instant, nullable: true},
			"error":                   {expr: "t.error", nullable: true},
			"stored_events":           {expr: "(p.events + p.logs)", kind: number, join: "progress"},
			"total_operations":        {expr: "p.total_operations", kind: number, join: "progress"},
			"finished_operations":     {expr: "p.finished_operations", kind: number, join: "progress"},
		}),
		order: byCreation,
	},
	from: "executions t\n JOIN progress p ON p.num = t.num LEFT JOIN deployments d ON d.id = t.deployment_id AND d.tenant = t.tenant",
	columns: qualified("t", executionColumns) +
		", d.display_name, p.owner, p.epoch, p.lease_until, p.total_operations, p.finished_operations",
	targets: func(e *store.Execution) []any {
		var active bool
		return append(append([]any{&e.ID, &e.Tenant}, ownedTargets(&e.Owned)...),
			&e.WorkflowID, &e.DeploymentID, &e.BlueprintID, &e.Status, &active, timeCell{&e.StartedAt}, timeCell{&e.EndedAt},
			timeCell{&e.ScheduledFor}, timeCell{&e.QueuedAt}, &e.IsSystemWorkflow, &e.IsDryRun, &e.Resume, &e.AllowCustomParameters,
			&e.Force, &e.WaitAfterFail, &e.TokenHash, &e.Error, mapCell{&e.Arguments}, mapCell{&e.Parameters}, &e.GroupID,
			textCell{&e.DeploymentDisplayName}, &e.Owner, &e.Epoch, timeCell{&e.LeaseUntil}, &e.TotalOperations, &e.FinishedOperations)
	},
}

// GetExecution reads an execution of any tenant.
func (r Reader) GetExecution(ctx context.Context, id string) (store.Execution, error) {
	return pick(ctx, r, executions, id, "t.id = ?", id)
}

// FindExecutionByToken finds the execution whose token has this hash.
func (r Reader) FindExecutionByToken(ctx context.Context, tokenHash string) (store.Execution, error) {
	if tokenHash == "" {
		return store.Execution{}, recordError("Execution", "of a token", store.ErrNotFound)
	}
	return pick(ctx, r, executions, "of a token", "t.token_hash = ? AND t.token_hash <> ''", tokenHash)
}

// ListExecutions lists executions.
func (r Reader) ListExecutions(ctx context.Context, q store.Query) (store.Page[store.Execution], error) {
	return page(ctx, r, executions, q)
}

// Claimable lists active executions that nobody has a lease on, oldest first.
func (r Reader) Claimable(ctx context.Context, h store.Holding, limit int) ([]store.Execution, error) {
	found, err := all(ctx, r.conn, executions.targets, "SELECT "+executions.columns+" FROM "+executions.from+
		" WHERE t.is_active AND (p.owner = '' OR p.lease_until IS NULL OR p.lease_until <= ? OR p.lease_until > ?) ORDER BY t.created_at, t.num LIMIT ?",
		micros(h.From), latest(h.To), limit)
	if err != nil {
		return nil, fmt.Errorf("list claimable executions: %w", err)
	}
	return found, nil
}

// AddExecution adds an execution with its counters, unclaimed whatever e says
// of a claim, or gives ErrExists.
func (t *Tx) AddExecution(ctx context.Context, e store.Execution) error {
	added, err := insert(ctx, t.conn, "executions", executionColumns, executionValues(e))
	if err := taken(added, err, "Execution", e.ID); err != nil {
		return err
	}
	_, err = t.conn.Exec(ctx, `INSERT INTO progress (num, execution_id, owner, epoch, lease_until, total_operations,
		finished_operations, event_seq, events, logs) SELECT num, id, '', 0, NULL, ?, ?, 0, 0, 0 FROM executions WHERE id = ?`,
		e.TotalOperations, e.FinishedOperations, e.ID)
	t.Notify(store.TopicExecutions)
	return err
}

// UpdateExecution replaces what is not key, claim or counter.
func (t *Tx) UpdateExecution(ctx context.Context, e store.Execution) error {
	t.Notify(store.TopicExecutions)
	n, err := t.conn.Exec(ctx, updateStatement("executions", executionColumns[1:], "id = ?"), append(executionValues(e)[1:], e.ID)...)
	return one(n, err, "Execution", e.ID, store.ErrNotFound)
}

// DeleteExecutions removes executions with their graphs, operations and
// events; ids that there are not are no error.
func (t *Tx) DeleteExecutions(ctx context.Context, ids []string) error {
	return t.deleteExecutions(ctx, fmt.Sprintf(t.dialect.Member, "id"), jsonTexts(ids))
}

func (t *Tx) deleteExecutions(ctx context.Context, where string, args ...any) error {
	these := "(SELECT num FROM executions WHERE " + where + ")"
	for _, statement := range []string{
		"DELETE FROM operations WHERE graph_num IN (SELECT num FROM graphs WHERE execution_num IN " + these + ")",
		"DELETE FROM graphs WHERE execution_num IN " + these,
		"DELETE FROM progress WHERE num IN " + these,
		"DELETE FROM events WHERE execution_num IN " + these,
		"DELETE FROM approvals WHERE execution_id IN (SELECT id FROM executions WHERE " + where + ")",
		"DELETE FROM executions WHERE " + where,
	} {
		if _, err := t.conn.Exec(ctx, statement, args...); err != nil {
			return err
		}
	}
	return nil
}
