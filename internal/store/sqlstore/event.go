package sqlstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"windlass/internal/store"
)

const isLogType = "(CASE WHEN t.is_log THEN '" + store.TypeLog + "' ELSE '" + store.TypeEvent + "' END)"

var events = view[store.Event]{
	listing: &listing{
		kind: "Event", from: "events t", num: "t.storage_id", search: "t.message",
		tenant: "x.tenant", visibility: "x.visibility", creator: "x.created_by", ownerJoin: "execution",
		joins: map[string]string{
			"execution": "JOIN executions x ON x.num = t.execution_num",
			"instance":  "JOIN executions y ON y.num = t.execution_num LEFT JOIN node_instances i ON i.id = t.node_id AND i.tenant = y.tenant",
		},
		fields: map[string]column{
			"type":               {expr: isLogType},
			"execution_id":       {expr: "x.id", join: "execution"},
			"execution_group_id": {expr: "t.execution_group_id"},
			"deployment_id":      {expr: "x.deployment_id", join: "execution"},
			"blueprint_id":       {expr: "x.blueprint_id", join: "execution"},
			"workflow_id":        {expr: "x.workflow_id", join: "execution"},
			"tenant_name":        {expr: "x.tenant", join: "execution"},
			"node_id":            {expr: "i.node_id", join: "instance", nullable: true},
			"node_instance_id":   {expr: "t.node_id"},
			"operation":          {expr: "t.operation"},
			"event_type":         {expr: "t.event_type"},
			"level":              {expr: "t.level"},
			"message":            {expr: "t.message"},
			"timestamp":          {expr: "t.timestamp", kind: instant},
			"reported_timestamp": {expr: "t.reported_timestamp", kind: instant},
		},
		order: []column{{expr: "t.timestamp", kind: instant}, {expr: "t.storage_id", kind: number}},
		ties:  []column{{expr: "t.storage_id", kind: number}},
	},
	from: "events t\n JOIN executions x ON x.num = t.execution_num LEFT JOIN deployments d ON d.id = x.deployment_id AND d.tenant = x.tenant " +
		"LEFT JOIN node_instances i ON i.id = t.node_id AND i.tenant = x.tenant",
	columns: "t.storage_id, t.seq, t.is_log, x.id, t.execution_group_id, x.tenant, t.timestamp, t.reported_timestamp, t.event_type, t.level, " +
		"t.logger, t.message, t.message_code, t.operation, t.node_id, t.source_id, t.target_id, t.error_causes, t.manager_name, " +
		"t.agent_name, x.workflow_id, x.deployment_id, d.display_name, x.blueprint_id, i.node_id",
	targets: func(e *store.Event) []any {
		return []any{
			&e.StorageID, &e.Seq, typeCell{&e.Type}, &e.ExecutionID, &e.ExecutionGroupID, &e.Tenant, timeCell{&e.Timestamp},
			timeCell{&e.ReportedTimestamp}, &e.EventType, &e.Level, &e.Logger, &e.Message, &e.MessageCode, &e.Operation, &e.NodeID,
			&e.SourceID, &e.TargetID, jsonTo(&e.ErrorCauses), &e.ManagerName, &e.AgentName, &e.WorkflowID, &e.DeploymentID,
			textCell{&e.DeploymentDisplayName}, &e.BlueprintID, nodeCell{e},
		}
	},
}

// fewEvents is events for lists that are a small part of them all: sorting the
// part is better than walking through everybody's in order.
var fewEvents = func() view[store.Event] {
	v := events.with("timestamp", column{expr: "(t.timestamp + 0)", kind: instant})
	v = v.with("reported_timestamp", column{expr: "(t.reported_timestamp + 0)", kind: instant})
	v.order = []column{v.fields["timestamp"], {expr: "t.storage_id", kind: number}}
	return v
}()

// with is the view with another column for a field.
func (v view[T]) with(field string, c column) view[T] {
	l := *v.listing
	l.fields = maps.Clone(l.fields)
	l.fields[field] = c
	v.listing = &l
	return v
}

// typeCell reads is_log as the event's type.
type typeCell struct{ s *string }

func (c typeCell) Scan(src any) error {
	*c.s = store.TypeEvent
	switch v := src.(type) {
	case bool:
		if v {
			*c.s = store.TypeLog
		}
	case int64:
		if v != 0 {
			*c.s = store.TypeLog
		}
	default:
		return fmt.Errorf("expected a boolean, found %T", src)
	}
	return nil
}

// nodeCell reads the node's name. Of an instance that is gone, the id tells it.
type nodeCell struct{ e *store.Event }

func (c nodeCell) Scan(src any) error {
	if err := (textCell{&c.e.NodeName}).Scan(src); err != nil || c.e.NodeName != "" {
		return err
	}
	if i := strings.LastIndexByte(c.e.NodeID, '_'); i > 0 {
		c.e.NodeName = c.e.NodeID[:i]
	}
	return nil
}

// ListEvents lists events, by default by the time they were stored.
func (r Reader) ListEvents(ctx context.Context, q store.Query) (store.Page[store.Event], error) {
	if err := events.known(q); err != nil {
		return store.Page[store.Event]{}, err
	}
	few := false
	for i, f := range q.Filters {
		switch {
		case f.Op != store.In || len(f.Values) == 0:
		case f.Field == "execution_id" && len(f.Values) == 1:
			return r.eventsOfExecution(ctx, q, i)
		case f.Field == "execution_id", f.Field == "deployment_id":
			few = true
		}
	}
	switch {
	case few:
		return r.pageOfEvents(ctx, fewEvents, q)
	case len(q.Tenants) > 0:
		return r.eventsOfTenants(ctx, q)
	}
	return r.pageOfEvents(ctx, events, q)
}

// eventsOfExecution lists the events of the one execution that the filter at i
// names. Its number leads in the indexes.
func (r Reader) eventsOfExecution(ctx context.Context, q store.Query, i int) (store.Page[store.Event], error) {
	var num int64
	found, err := row(ctx, r.conn, "SELECT num FROM progress WHERE execution_id = ?", []any{q.Filters[i].Values[0]}, &num)
	if err != nil {
		return store.Page[store.Event]{}, fmt.Errorf("list events: %w", err)
	}
	if !found {
		return store.Page[store.Event]{}, nil
	}
	q.Filters = slices.Clone(q.Filters)
	q.Filters[i].Values = []string{strconv.FormatInt(num, 10)}
	v := fewEvents.with("execution_id", column{expr: "t.execution_num", kind: number})
	return r.pageOfEvents(ctx, v.with("reported_timestamp", events.fields["reported_timestamp"]), q)
}

// manyEvents is how many a tenant needs for its part not to be a small one.
const manyEvents = 50_000

// eventsOfTenants lists the events of tenants. For tenants with few it starts
// from their executions.
func (r Reader) eventsOfTenants(ctx context.Context, q store.Query) (store.Page[store.Event], error) {
	n, err := r.totalOfEvents(ctx, store.Query{Tenants: q.Tenants, Viewer: q.Viewer}, events, "c.events + c.logs")
	if err != nil {
		return store.Page[store.Event]{}, err
	}
	if n >= manyEvents {
		return r.pageOfEvents(ctx, events, q)
	}
	v := fewEvents
	l := *v.listing
	l.scope = func(s *statement) {
		args := make([]any, len(q.Tenants))
		for i, t := range q.Tenants {
			args[i] = t
		}
		s.and("t.execution_num IN (SELECT e.num FROM executions e WHERE e.tenant IN "+rowOf(len(args))+" OR e.visibility = 'global')", args...)
	}
	v.listing = &l
	return r.pageOfEvents(ctx, v, q)
}

// pageOfEvents is page with the total taken from counters where they tell it:
// counting millions of events takes too long.
func (r Reader) pageOfEvents(ctx context.Context, v view[store.Event], q store.Query) (store.Page[store.Event], error) {
	p, err := uncounted(ctx, r, v, q)
	if err != nil || p.Total >= 0 {
		return p, err
	}
	if kinds, told := counters(q); told {
		p.Total, err = r.totalOfEvents(ctx, withoutType(q), v, kinds)
		return p, err
	}
	s, err := v.condition(r.dialect, q)
	if err != nil {
		return p, err
	}
	p.Total, err = count(ctx, r, s)
	return p, err
}

// totalOfEvents adds up counters of the executions that the query selects.
func (r Reader) totalOfEvents(ctx context.Context, q store.Query, v view[store.Event], kinds string) (n int, err error) {
	l := *v.listing
	l.from, l.scope = "progress c", nil
	l.joins = map[string]string{"execution": "JOIN executions x ON x.num = c.num"}
	if c := l.fields["execution_id"]; c.join == "" {
		v = v.with("execution_id", column{expr: "c.num", kind: c.kind})
		l.fields = v.fields
	}
	s, err := l.condition(r.dialect, q)
	if err != nil {
		return 0, err
	}
	if _, err := row(ctx, r.conn, "SELECT CAST(COALESCE(SUM("+kinds+"), 0) AS BIGINT)"+s.tables(), s.args, &n); err != nil {
		return 0, fmt.Errorf("count events: %w", err)
	}
	return n, nil
}

// counters returns which counters of executions add up to the total; told is
// false for queries that select by more than execution and type.
func counters(q store.Query) (kinds string, told bool) {
	if q.Search != "" {
		return "", false
	}
	isEvent, isLog := true, true
	for _, f := range q.Filters {
		switch f.Field {
		case "execution_id", "deployment_id", "blueprint_id", "workflow_id", "tenant_name":
		case "type":
			if f.Op != store.In {
				return "", false
			}
			isEvent = isEvent && slices.Contains(f.Values, store.TypeEvent)
			isLog = isLog && slices.Contains(f.Values, store.TypeLog)
		default:
			return "", false
		}
	}
	switch {
	case isEvent && isLog:
		return "c.events + c.logs", true
	case isEvent:
		return "c.events", true
	case isLog:
		return "c.logs", true
	}
	return "0", true
}

func withoutType(q store.Query) store.Query {
	q.Filters = slices.DeleteFunc(slices.Clone(q.Filters), func(f store.Filter) bool { return f.Field == "type" })
	return q
}

// TailEvents returns events of an execution by their numbers.
func (r Reader) TailEvents(ctx context.Context, executionID string, after int64, limit int) ([]store.Event, error) {
	found, err := all(ctx, r.conn, events.targets, "SELECT "+events.columns+" FROM "+events.from+
		" WHERE t.execution_num = (SELECT num FROM progress WHERE execution_id = ?) AND t.seq > ? ORDER BY t.seq LIMIT ?",
		executionID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read events of execution %s: %w", executionID, err)
	}
	return found, nil
}

// AddEvents stores events of any executions, or gives ErrNotFound for one that
// there is not.
func (t *Tx) AddEvents(ctx context.Context, added []store.Event) error {
	of := map[string][]store.Event{}
	var ids []string
	for _, e := range added {
		if of[e.ExecutionID] == nil {
			ids = append(ids, e.ExecutionID)
		}
		of[e.ExecutionID] = append(of[e.ExecutionID], e)
	}
	slices.Sort(ids) // all lock in one order
	for _, id := range ids {
		if err := t.addEvents(ctx, id, of[id]); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tx) addEvents(ctx context.Context, execution string, added []store.Event) error {
	var num, seq int64
	nEvents, nLogs := tallyEvents(added)
	found, err := row(ctx, t.conn, `UPDATE progress SET event_seq = event_seq + ?, events = events + ?, logs = logs + ?
		WHERE execution_id = ? RETURNING num, event_seq`, []any{len(added), nEvents, nLogs, execution}, &num, &seq)
	if err != nil {
		return err
	}
	if !found {
		return recordError("Execution", execution, store.ErrNotFound)
	}
	t.Notify(store.TopicEvents(execution))
	return t.insertEvents(ctx, num, seq-int64(len(added)), added)
}

func tallyEvents(list []store.Event) (events, logs int) {
	for _, e := range list {
		if e.Type == store.TypeLog {
			logs++
		}
	}
	return len(list) - logs, logs
}

var eventColumns = []string{
	"execution_num", "seq", "is_log", "timestamp", "reported_timestamp", "execution_group_id", "event_type", "level", "logger",
	"message", "message_code", "operation", "node_id", "source_id", "target_id", "manager_name", "agent_name", "error_causes",
}

// insertEvents stores events of one execution under the numbers after seq.
func (t *Tx) insertEvents(ctx context.Context, execution, seq int64, added []store.Event) error {
	now := t.now()
	args := make([]any, 0, len(added)*len(eventColumns))
	for _, e := range added {
		seq++
		if e.Timestamp.IsZero() {
			e.Timestamp = now
		}
		if e.ReportedTimestamp.IsZero() {
			e.ReportedTimestamp = e.Timestamp
		}
		args = append(args, execution, seq, e.Type == store.TypeLog, e.Timestamp.UnixMicro(), e.ReportedTimestamp.UnixMicro(),
			e.ExecutionGroupID, e.EventType, e.Level, e.Logger, e.Message, e.MessageCode, e.Operation, e.NodeID, e.SourceID,
			e.TargetID, e.ManagerName, e.AgentName, jsonArg(e.ErrorCauses))
	}
	return chunks(len(added), func(from, to int) error {
		w := len(eventColumns)
		_, err := t.conn.Exec(ctx, eventStatement(to-from), args[from*w:to*w]...)
		return err
	})
}

func eventStatement(rows int) string {
	return "INSERT INTO events (" + strings.Join(eventColumns, ", ") + ") VALUES " + list(rowOf(len(eventColumns)), rows)
}

// DeleteEvents removes events of a deployment's executions.
func (t *Tx) DeleteEvents(ctx context.Context, tenant, deployment string, types []string, before time.Time) (int, error) {
	where, args := "execution_num IN (SELECT num FROM executions WHERE deployment_id = ? AND tenant = ?)", []any{deployment, tenant}
	if len(types) > 0 {
		where += " AND (1 = 0"
		if slices.Contains(types, store.TypeEvent) {
			where += " OR NOT is_log"
		}
		if slices.Contains(types, store.TypeLog) {
			where += " OR is_log"
		}
		where += ")"
	}
	if !before.IsZero() {
		where, args = where+" AND timestamp < ?", append(args, before.UnixMicro())
	}
	these := "num IN (SELECT num FROM executions WHERE deployment_id = ? AND tenant = ?)"
	// The first statement holds off those who store events.
	if _, err := t.conn.Exec(ctx, "UPDATE progress SET events = events WHERE "+these, deployment, tenant); err != nil {
		return 0, err
	}
	n, err := t.conn.Exec(ctx, "DELETE FROM events WHERE "+where, args...)
	if err != nil || n == 0 {
		return int(n), err
	}
	_, err = t.conn.Exec(ctx, `UPDATE progress SET
		events = (SELECT COUNT(*) FROM events e WHERE e.execution_num = progress.num AND NOT e.is_log),
		logs = (SELECT COUNT(*) FROM events e WHERE e.execution_num = progress.num AND e.is_log) WHERE `+these, deployment, tenant)
	return int(n), err
}

// TrimEvents removes the oldest events of an execution.
func (t *Tx) TrimEvents(ctx context.Context, executionID string, limit int) (int, error) {
	// The first statement holds off those who store events.
	if _, err := t.conn.Exec(ctx, "UPDATE progress SET events = events WHERE execution_id = ?", executionID); err != nil {
		return 0, err
	}
	type oldest struct {
		num, seq int64
		isLog    bool
	}
	found, err := all(ctx, t.conn, func(o *oldest) []any { return []any{&o.num, &o.seq, &o.isLog} },
		"SELECT execution_num, seq, is_log FROM events WHERE execution_num = (SELECT num FROM progress WHERE execution_id = ?) ORDER BY seq LIMIT ?",
		executionID, limit)
	if err != nil || len(found) == 0 {
		return 0, err
	}
	logs := 0
	for _, o := range found {
		if o.isLog {
			logs++
		}
	}
	last := found[len(found)-1]
	if _, err := t.conn.Exec(ctx, "DELETE FROM events WHERE execution_num = ? AND seq <= ?", last.num, last.seq); err != nil {
		return 0, err
	}
	_, err = t.conn.Exec(ctx, "UPDATE progress SET events = events - ?, logs = logs - ? WHERE execution_id = ?", len(found)-logs, logs, executionID)
	return len(found), err
}
