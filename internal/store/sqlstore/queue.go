package sqlstore

import (
	"context"
	"fmt"
	"strings"

	"windlass/internal/store"
)

// The conditions are written with literals, so that the databases see that
// their partial indexes serve.
const (
	queuedOrdinary = "t.status = 'queued' AND NOT t.is_system_workflow"
	queuedWide     = "t.status = 'queued' AND t.is_system_workflow"
)

// NextQueued walks through the deployments that anybody waits for, and takes
// the first who waits for one that is not busy.
func (r Reader) NextQueued(ctx context.Context, busy []store.DeploymentKey, full []string) (store.Execution, error) {
	byDeployment := r.by("executions_queue_by_deployment")
	keys := make([]string, len(busy))
	for i, d := range busy {
		keys[i] = d.Tenant + "/" + d.ID // neither has a slash
	}
	found, err := r.executionsIn(ctx, "", `t.num = (
		WITH RECURSIVE waiting (deployment, tenant) AS (
			SELECT * FROM (SELECT t.deployment_id, t.tenant FROM `+byDeployment+` WHERE `+queuedOrdinary+` ORDER BY t.deployment_id, t.tenant LIMIT 1) AS least
			UNION ALL
			SELECT n.deployment_id, n.tenant FROM waiting w JOIN executions n ON n.num = COALESCE(
				(SELECT t.num FROM `+byDeployment+` WHERE `+queuedOrdinary+` AND t.deployment_id = w.deployment AND t.tenant > w.tenant
					ORDER BY t.tenant LIMIT 1),
				(SELECT t.num FROM `+byDeployment+` WHERE `+queuedOrdinary+` AND t.deployment_id > w.deployment
					ORDER BY t.deployment_id, t.tenant LIMIT 1))
		)
		SELECT x.num FROM waiting w JOIN executions x ON x.num = (
			SELECT t.num FROM `+byDeployment+` WHERE `+queuedOrdinary+` AND t.deployment_id = w.deployment AND t.tenant = w.tenant
			AND NOT (`+fmt.Sprintf(r.dialect.Member, "t.group_id")+`) ORDER BY t.created_at, t.num LIMIT 1)
		WHERE NOT (`+fmt.Sprintf(r.dialect.Member, "w.tenant || '/' || w.deployment")+`) ORDER BY x.created_at, x.num LIMIT 1)`,
		1, jsonTexts(full), jsonTexts(keys))
	if err == nil && len(found) == 0 {
		err = recordError(executions.kind, "next in the queue", store.ErrNotFound)
	}
	if err != nil {
		return store.Execution{}, err
	}
	return found[0], nil
}

// HeadOfQueue lists the system-wide executions in the queue and the first of
// the others.
func (r Reader) HeadOfQueue(ctx context.Context, limit int) (systemWide, others []store.Execution, err error) {
	lists, err := r.standing(ctx, []standing{
		{index: "executions_queue_wide", where: queuedWide},
		{index: "executions_queue", where: queuedOrdinary, limit: limit},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("read the queue: %w", err)
	}
	return lists[0], lists[1], nil
}

// ExecutionsBeside reads what may be in the way of an execution of the deployment.
func (r Reader) ExecutionsBeside(ctx context.Context, d store.DeploymentKey, limit int) (store.Beside, error) {
	lists, err := r.standing(ctx, []standing{
		{index: "executions_active", where: "t.is_active AND (t.is_system_workflow OR t.deployment_id = ? AND t.tenant = ?)", args: []any{d.ID, d.Tenant}},
		{index: "executions_queue_wide", where: queuedWide},
		{index: "executions_queue_by_deployment", where: queuedOrdinary + " AND t.deployment_id = ? AND t.tenant = ?", args: []any{d.ID, d.Tenant}, limit: limit},
	})
	if err != nil {
		return store.Beside{}, fmt.Errorf("list executions: %w", err)
	}
	return store.Beside{Active: lists[0], SystemWide: lists[1], Queued: lists[2]}, nil
}

// ActiveExecutions lists what is active.
func (r Reader) ActiveExecutions(ctx context.Context, limit int) ([]store.Execution, error) {
	return r.executionsIn(ctx, "executions_active", "t.is_active", limit)
}

// standing are executions that meet a condition: up to limit, or all for 0.
type standing struct {
	index, where string
	args         []any
	limit        int
}

// executionsIn lists executions by one condition.
func (r Reader) executionsIn(ctx context.Context, index, where string, limit int, args ...any) ([]store.Execution, error) {
	lists, err := r.standing(ctx, []standing{{index: index, where: where, args: args, limit: limit}})
	if err != nil {
		return nil, fmt.Errorf("list executions: %w", err)
	}
	return lists[0], nil
}

// standing lists executions by conditions in one statement, each list oldest
// first, with what decides who may start and no more: large parameters are only
// read where they matter.
func (r Reader) standing(ctx context.Context, conditions []standing) ([][]store.Execution, error) {
	type placed struct {
		list int
		num  int64
		e    store.Execution
	}
	var parts []string
	var args []any
	for i, c := range conditions {
		part := fmt.Sprintf(`SELECT %d AS list, t.num AS num, t.id, t.tenant, t.created_by, t.created_at AS created_at, t.workflow_id, t.deployment_id,
			t.status, t.queued_at, t.is_system_workflow, t.group_id, CASE WHEN t.is_system_workflow THEN t.parameters END AS parameters
			FROM %s WHERE %s`, i, r.by(c.index), c.where)
		args = append(args, c.args...)
		if c.limit > 0 {
			part = "SELECT * FROM (" + part + " ORDER BY created_at, num LIMIT ?) AS first"
			args = append(args, int64(c.limit))
		}
		parts = append(parts, part)
	}
	found, err := all(ctx, r.conn, func(p *placed) []any {
		e := &p.e
		return []any{&p.list, &p.num, &e.ID, &e.Tenant, &e.CreatedBy, timeCell{&e.CreatedAt}, &e.WorkflowID, &e.DeploymentID, &e.Status,
			timeCell{&e.QueuedAt}, &e.IsSystemWorkflow, &e.GroupID, mapCell{&e.Parameters}}
	}, strings.Join(parts, " UNION ALL ")+" ORDER BY list, created_at, num", args...)
	lists := make([][]store.Execution, len(conditions))
	for _, p := range found {
		lists[p.list] = append(lists[p.list], p.e)
	}
	return lists, err
}

// by is the executions' table, read by an index; "" leaves the choice.
func (r Reader) by(index string) string {
	if index == "" {
		return "executions t"
	}
	return "executions t" + fmt.Sprintf(r.dialect.ByIndex, index)
}
