package sqlstore

import (
	"context"
	"fmt"

	"windlass/internal/store"
)

// The conditions are written with literals, so that the databases see that
// their partial indexes serve.
const (
	queuedOrdinary = "t.status = 'queued' AND NOT t.is_system_workflow"
	queuedWide     = "t.status = 'queued' AND t.is_system_workflow"
)

// headOfQueue is how far the queue is looked through one by one.
const headOfQueue = 256

// NextQueued finds the first in the queue that may start: among the first few
// one by one, and behind them by the first of each deployment, so that many who
// wait for the same deployment are passed over at once.
func (r Reader) NextQueued(ctx context.Context, busy []store.DeploymentKey, full []string, exempt string) (store.Execution, error) {
	var none store.Execution
	isBusy, isFull := map[store.DeploymentKey]bool{}, map[string]bool{}
	for _, d := range busy {
		isBusy[d] = true
	}
	for _, id := range full {
		isFull[id] = true
	}
	limit := int64(headOfQueue)
	if len(busy)+len(full) == 0 { // the first will do
		limit = 1
	}
	type place struct {
		num             int64
		of              store.DeploymentKey
		workflow, group string
	}
	head, err := all(ctx, r.conn, func(p *place) []any { return []any{&p.num, &p.of.Tenant, &p.of.ID, &p.workflow, &p.group} },
		"SELECT t.num, t.tenant, t.deployment_id, t.workflow_id, t.group_id FROM "+r.by("executions_queue")+" WHERE "+queuedOrdinary+
			" ORDER BY t.created_at, t.num LIMIT ?", limit)
	if err != nil {
		return none, fmt.Errorf("read the queue: %w", err)
	}
	for _, p := range head {
		free := p.of.ID == "" || p.workflow == exempt && exempt != "" || !isBusy[p.of]
		if free && !isFull[p.group] {
			return pick(ctx, r, executions, "next in the queue", "t.num = ?", p.num)
		}
	}
	if len(head) < headOfQueue {
		return none, recordError(executions.kind, "next in the queue", store.ErrNotFound)
	}
	return r.nextBehind(ctx, busy, full)
}

// nextBehind walks through the deployments that anybody waits for.
func (r Reader) nextBehind(ctx context.Context, busy []store.DeploymentKey, full []string) (store.Execution, error) {
	byDeployment := r.by("executions_queue_by_deployment")
	keys := make([]string, len(busy))
	for i, d := range busy {
		keys[i] = d.Tenant + "/" + d.ID // neither has a slash
	}
	return pick(ctx, r, executions, "next in the queue", `t.num = (
		WITH RECURSIVE waiting (deployment, tenant) AS (
			SELECT * FROM (SELECT t.deployment_id, t.tenant FROM `+byDeployment+` WHERE `+queuedOrdinary+` ORDER BY t.deployment_id, t.tenant LIMIT 1) AS least
			UNION ALL
			SELECT n.deployment_id, n.tenant FROM waiting w JOIN executions n ON n.num = (
				SELECT t.num FROM `+byDeployment+` WHERE `+queuedOrdinary+` AND (t.deployment_id, t.tenant) > (w.deployment, w.tenant)
				ORDER BY t.deployment_id, t.tenant LIMIT 1)
		)
		SELECT x.num FROM waiting w JOIN executions x ON x.num = (
			SELECT t.num FROM `+byDeployment+` WHERE `+queuedOrdinary+` AND t.deployment_id = w.deployment AND t.tenant = w.tenant
			AND NOT (`+fmt.Sprintf(r.dialect.Member, "t.group_id")+`) ORDER BY t.created_at, t.num LIMIT 1)
		WHERE NOT (`+fmt.Sprintf(r.dialect.Member, "w.tenant || '/' || w.deployment")+`) ORDER BY x.created_at, x.num LIMIT 1)`,
		jsonTexts(full), jsonTexts(keys))
}

// QueuedOf lists a deployment's queue.
func (r Reader) QueuedOf(ctx context.Context, d store.DeploymentKey, limit int) ([]store.Execution, error) {
	return r.executionsIn(ctx, "executions_queue_by_deployment", queuedOrdinary+" AND t.deployment_id = ? AND t.tenant = ?", limit, d.ID, d.Tenant)
}

// QueuedSystemWide lists the system-wide executions in the queue.
func (r Reader) QueuedSystemWide(ctx context.Context) ([]store.Execution, error) {
	return r.executionsIn(ctx, "executions_queue_wide", queuedWide, 0)
}

// ActiveBeside lists the executions that may be in the way of one of the deployment.
func (r Reader) ActiveBeside(ctx context.Context, d store.DeploymentKey) ([]store.Execution, error) {
	return r.executionsIn(ctx, "executions_active", "t.is_active AND (t.is_system_workflow OR t.deployment_id = ? AND t.tenant = ?)", 0, d.ID, d.Tenant)
}

// ActiveExecutions lists what is active.
func (r Reader) ActiveExecutions(ctx context.Context, limit int) ([]store.Execution, error) {
	return r.executionsIn(ctx, "executions_active", "t.is_active", limit)
}

// executionsIn lists executions by a condition, oldest first, with what decides
// who may start and no more: large parameters are only read where they matter.
func (r Reader) executionsIn(ctx context.Context, index, where string, limit int, args ...any) ([]store.Execution, error) {
	limits := ""
	if limit > 0 {
		limits = " LIMIT ?"
		args = append(args, int64(limit))
	}
	found, err := all(ctx, r.conn, func(e *store.Execution) []any {
		return []any{&e.ID, &e.Tenant, &e.CreatedBy, timeCell{&e.CreatedAt}, &e.WorkflowID, &e.DeploymentID, &e.Status, timeCell{&e.QueuedAt},
			&e.IsSystemWorkflow, &e.GroupID, mapCell{&e.Parameters}}
	}, `SELECT t.id, t.tenant, t.created_by, t.created_at, t.workflow_id, t.deployment_id, t.status, t.queued_at, t.is_system_workflow, t.group_id,
		CASE WHEN t.is_system_workflow THEN t.parameters END FROM `+r.by(index)+" WHERE "+where+" ORDER BY t.created_at, t.num"+limits, args...)
	if err != nil {
		return nil, fmt.Errorf("list executions: %w", err)
	}
	return found, nil
}

// by is the executions' table, read by an index.
func (r Reader) by(index string) string {
	return "executions t" + fmt.Sprintf(r.dialect.ByIndex, index)
}
