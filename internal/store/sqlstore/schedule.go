package sqlstore

import (
	"context"
	"time"

	"windlass/internal/store"
)

var scheduleColumns = columnsOf([]string{"tenant", "deployment_id", "id"}, ownedColumns, []string{
	"workflow_id", "parameters", "arguments", "rule", "since", "until", "time_zone", "slip", "stop_on_fail", "enabled",
	"next_occurrence", "latest_execution_id", "catch_up",
})

func scheduleValues(s store.Schedule) []any {
	return append(append([]any{s.Tenant, s.DeploymentID, s.ID}, ownedValues(s.Owned)...),
		s.WorkflowID, mapArg(s.Parameters), mapArg(s.Arguments), mapArg(s.Rule), timeArg(s.Since), timeArg(s.Until), s.TimeZone,
		s.Slip, s.StopOnFail, s.Enabled, timeArg(s.NextOccurrence), s.LatestExecutionID, s.CatchUp)
}

var schedules = view[store.Schedule]{
	listing: &listing{
		kind: "ExecutionSchedule", from: "execution_schedules t", num: "t.num", search: "t.id",
		tenant: "t.tenant", visibility: "t.visibility", creator: "t.created_by",
		fields: ownedFields(map[string]column{
			"id":              {expr: "t.id"},
			"deployment_id":   {expr: "t.deployment_id"},
			"workflow_id":     {expr: "t.workflow_id"},
			"enabled":         {expr: "t.enabled", kind: boolean},
			"stop_on_fail":    {expr: "t.stop_on_fail", kind: boolean},
			"created_at":      {expr: "t.created_at", kind: instant},
			"since":           {expr: "t.since", kind: instant},
			"until":           {expr: "t.until", kind: instant, nullable: true},
			"next_occurrence": {expr: "t.next_occurrence", kind: instant, nullable: true},
		}),
		order: byCreation,
	},
	from: "execution_schedules t", columns: qualified("t", scheduleColumns),
	targets: func(s *store.Schedule) []any {
		return append(append([]any{&s.Tenant, &s.DeploymentID, &s.ID}, ownedTargets(&s.Owned)...),
			&s.WorkflowID, mapCell{&s.Parameters}, mapCell{&s.Arguments}, mapCell{&s.Rule}, timeCell{&s.Since}, timeCell{&s.Until},
			&s.TimeZone, &s.Slip, &s.StopOnFail, &s.Enabled, timeCell{&s.NextOccurrence}, &s.LatestExecutionID, &s.CatchUp)
	},
}

// GetSchedule reads a deployment's schedule.
func (r Reader) GetSchedule(ctx context.Context, tenant, deploymentID, id string) (store.Schedule, error) {
	return pick(ctx, r, schedules, id, "t.tenant = ? AND t.deployment_id = ? AND t.id = ?", tenant, deploymentID, id)
}

// ListSchedules lists schedules.
func (r Reader) ListSchedules(ctx context.Context, q store.Query) (store.Page[store.Schedule], error) {
	return page(ctx, r, schedules, q)
}

// DueSchedules lists what is due.
func (r Reader) DueSchedules(ctx context.Context, now time.Time, limit int) ([]store.Schedule, error) {
	return all(ctx, r.conn, schedules.targets, "SELECT "+schedules.columns+" FROM "+schedules.from+
		" WHERE t.enabled AND t.next_occurrence <= ? ORDER BY t.next_occurrence, t.num LIMIT ?", now.UnixMicro(), limit)
}

// NextDue is when the next schedule is due.
func (r Reader) NextDue(ctx context.Context) (next time.Time, err error) {
	_, err = row(ctx, r.conn, "SELECT MIN(next_occurrence) FROM execution_schedules WHERE enabled AND next_occurrence IS NOT NULL",
		nil, timeCell{&next})
	return next, err
}

// AddSchedule adds a schedule, or gives ErrExists.
func (t *Tx) AddSchedule(ctx context.Context, s store.Schedule) error {
	t.Notify(store.TopicSchedules)
	added, err := insert(ctx, t.conn, "execution_schedules", scheduleColumns, scheduleValues(s))
	return taken(added, err, "ExecutionSchedule", s.ID)
}

const scheduleKey = "tenant = ? AND deployment_id = ? AND id = ?"

// UpdateSchedule replaces a schedule, or gives ErrNotFound.
func (t *Tx) UpdateSchedule(ctx context.Context, s store.Schedule) error {
	t.Notify(store.TopicSchedules)
	n, err := t.conn.Exec(ctx, updateStatement("execution_schedules", scheduleColumns[3:], scheduleKey),
		append(scheduleValues(s)[3:], s.Tenant, s.DeploymentID, s.ID)...)
	return one(n, err, "ExecutionSchedule", s.ID, store.ErrNotFound)
}

// DeleteSchedule removes a schedule, or gives ErrNotFound.
func (t *Tx) DeleteSchedule(ctx context.Context, tenant, deploymentID, id string) error {
	n, err := t.conn.Exec(ctx, "DELETE FROM execution_schedules WHERE "+scheduleKey, tenant, deploymentID, id)
	return one(n, err, "ExecutionSchedule", id, store.ErrNotFound)
}
