package rest

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"windlass/internal/store"
	"windlass/internal/value"
)

var eventFields = []field[store.Event]{
	{"_storage_id", integer, func(e store.Event) any { return e.StorageID }},
	{"timestamp", moment, func(e store.Event) any { return date(e.Timestamp) }},
	{"reported_timestamp", moment, func(e store.Event) any { return date(e.ReportedTimestamp) }},
	{"type", text, func(e store.Event) any { return e.Type }},
	{"message", text, func(e store.Event) any { return e.Message }},
	{"execution_id", text, func(e store.Event) any { return orNull(e.ExecutionID) }},
	{"execution_group_id", text, func(e store.Event) any { return orNull(e.ExecutionGroupID) }},
	{"workflow_id", text, func(e store.Event) any { return orNull(e.WorkflowID) }},
	{"deployment_id", text, func(e store.Event) any { return orNull(e.DeploymentID) }},
	{"deployment_display_name", text, func(e store.Event) any { return orNull(e.DeploymentDisplayName) }},
	{"blueprint_id", text, func(e store.Event) any { return orNull(e.BlueprintID) }},
	{"node_name", text, func(e store.Event) any { return orNull(e.NodeName) }},
	{"node_instance_id", text, func(e store.Event) any { return orNull(e.NodeID) }},
	{"source_id", text, func(e store.Event) any { return orNull(e.SourceID) }},
	{"target_id", text, func(e store.Event) any { return orNull(e.TargetID) }},
	{"operation", text, func(e store.Event) any { return orNull(e.Operation) }},
	{"error_causes", list, func(e store.Event) any {
		if len(e.ErrorCauses) == 0 {
			return nil
		}
		return array(e.ErrorCauses)
	}},
	{"manager_name", text, func(e store.Event) any { return orNull(e.ManagerName) }},
	{"agent_name", text, func(e store.Event) any { return orNull(e.AgentName) }},
}

// Events and logs have one member more, and logs two.
var (
	eventOnly = []field[store.Event]{{"event_type", text, func(e store.Event) any { return orNull(e.EventType) }}}
	logOnly   = []field[store.Event]{
		{"logger", text, func(e store.Event) any { return orNull(e.Logger) }},
		{"level", text, func(e store.Event) any { return orNull(e.Level) }},
	}
	eventShape = shape[store.Event]{name: "Event", fields: slices.Concat(eventFields, eventOnly, logOnly)}
)

// encodeEvent leaves out what the kind of item has not.
func encodeEvent(e store.Event, include []string) object {
	o := eventShape.encode(e, include)
	missing := logOnly
	if e.Type == store.TypeLog {
		missing = eventOnly
	}
	for _, f := range missing {
		delete(o, f.name)
	}
	return o
}

var eventList = listed{
	filters: []string{"type", "execution_id", "execution_group_id", "deployment_id", "blueprint_id", "node_id", "node_instance_id",
		"operation", "event_type", "level", "message"},
	sorts: []string{"timestamp", "reported_timestamp", "workflow_id"},
	size:  eventPageSize,
}

// eventListing reads the parameters of an event list, which differ from other
// lists': message and operation are patterns, and ranges narrow the time.
func (s *server) eventListing(r *request) (listing, error) {
	if v, given := r.query["message.text"]; given {
		r.query["message"] = append(r.query["message"], v...)
		delete(r.query, "message.text")
	}
	for name := range r.query {
		if !strings.HasPrefix(name, "_") && !slices.Contains(eventList.filters, name) && !slices.Contains(r.route.flags, name) {
			return listing{}, badParameter("Unknown field to filter by: %s. Allowed values: %s", name, strings.Join(eventList.filters, ", "))
		}
	}
	q, err := s.listing(r, eventList)
	if err != nil {
		return q, err
	}
	for i, f := range q.Filters {
		switch f.Field {
		case "message", "operation":
			q.Filters[i].Op = store.Like
		case "level", "type":
			for j, v := range f.Values {
				q.Filters[i].Values[j] = strings.ToLower(v)
			}
		}
	}
	if groups := r.query["execution_group_id"]; len(groups) > 0 {
		// By the members, whose events are found by an index.
		page, err := s.Store.ListExecutions(r.Context(), store.Query{Tenants: q.Tenants, Filters: []store.Filter{{Field: "group_id", Values: groups}}})
		if err != nil {
			return q, err
		}
		members := make([]string, len(page.Items))
		for i, e := range page.Items {
			members[i] = e.ID
		}
		q.with(store.Filter{Field: "execution_id", Values: members})
	}
	return q, readRanges(r, &q)
}

// readRanges reads _range=<field>,<from>,<to>: from inclusive, to exclusive.
func readRanges(r *request, q *listing) error {
	for _, text := range r.query["_range"] {
		parts := strings.Split(text, ",")
		if len(parts) != 3 {
			return badParameter("Range parameter should be a comma-separated list with three elements: field,from,to; got `%s`", text)
		}
		name := strings.TrimPrefix(strings.TrimSpace(parts[0]), "@")
		if name != "timestamp" && name != "reported_timestamp" {
			return badParameter("Unknown field to filter by range: %s. Allowed values: timestamp, reported_timestamp", name)
		}
		for i, op := range []store.Op{store.AtLeast, store.Below} {
			limit := strings.TrimSpace(parts[i+1])
			if limit == "" {
				continue
			}
			t, err := parseNaive(strings.ReplaceAll(limit, " ", "T"))
			if err != nil {
				if t, err = parseNaive(strings.ReplaceAll(limit, " ", "+")); err != nil { // a plus lost in the query
					return err
				}
			}
			q.with(store.Filter{Field: name, Op: op, Values: []string{t.UTC().Format(time.RFC3339Nano)}})
		}
	}
	return nil
}

func (s *server) listEvents(w http.ResponseWriter, r *request) error {
	q, err := s.eventListing(r)
	if err != nil {
		return err
	}
	if err := eventShape.check(q.include); err != nil {
		return err
	}
	page, err := s.Store.ListEvents(r.Context(), q.Query)
	if err != nil {
		return err
	}
	items := make([]any, len(page.Items))
	for i, e := range page.Items {
		items[i] = encodeEvent(e, q.include)
	}
	return ok(w, q.envelopeOf(items, page.Total, page.Next, nil))
}

func (s *server) postEvents(w http.ResponseWriter, r *request) error {
	events, logs := r.list("events"), r.list("logs")
	if len(events) == 0 && len(logs) == 0 {
		return done(w)
	}
	id := r.str("execution_id")
	if group := r.str("execution_group_id"); group != "" {
		if id != "" {
			return fail("conflict_error", "Pass either execution_id or execution_group_id, not both")
		}
		return notFound("ExecutionGroup", group)
	}
	if id == "" {
		if id = r.actsFor(); id == "" {
			return badParameter("No execution passed, and not authenticated by an execution token")
		}
	}
	e, err := s.visibleExecution(r, id)
	if err != nil {
		return err
	}
	batch := make([]store.Event, 0, len(events)+len(logs))
	for i, items := range [][]any{events, logs} {
		kind := []string{store.TypeEvent, store.TypeLog}[i]
		for _, item := range items {
			m, isMap := item.(map[string]any)
			if !isMap {
				return wrongType("event", dict, item)
			}
			ev, err := s.postedEvent(r, m, kind)
			if err != nil {
				return err
			}
			ev.ExecutionID, ev.Tenant = e.ID, e.Tenant
			batch = append(batch, ev)
		}
	}
	if err := s.Store.Write(r.Context(), func(tx store.Tx) error { return tx.AddEvents(r.Context(), batch) }); err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, nil)
	return nil
}

// postedEvent reads one event or log as clients post them.
func (s *server) postedEvent(r *request, m map[string]any, kind string) (store.Event, error) {
	scope, _ := m["context"].(map[string]any)
	ev := store.Event{
		Type: kind, Message: messageOf(m["message"]), MessageCode: textOf(m["message_code"]), Operation: textOf(m["operation"]),
		NodeID: textOf(scope["node_id"]), SourceID: textOf(scope["source_id"]), TargetID: textOf(scope["target_id"]),
		ManagerName: r.str("manager_name"), AgentName: r.str("agent_name"), ReportedTimestamp: s.Now(),
	}
	if kind == store.TypeLog {
		ev.Level, ev.Logger = strings.ToLower(textOf(m["level"])), textOf(m["logger"])
		if ev.Operation == "" {
			ev.Operation = textOf(scope["operation"])
		}
	} else {
		ev.EventType = textOf(m["event_type"])
		causes, given := scope["task_error_causes"]
		if !given {
			causes = m["error_causes"]
		}
		if causes != nil {
			if err := value.Into(causes, &ev.ErrorCauses); err != nil {
				return ev, badParameter("task_error_causes must be a list of {message, type, traceback}")
			}
		}
	}
	stamp := textOf(m["timestamp"])
	if forced := textOf(m["reported_timestamp"]); forced != "" {
		if err := r.need("set_timestamp"); err != nil {
			return ev, err
		}
		stamp = forced
	}
	if stamp != "" {
		t, err := parseNaive(stamp)
		if err != nil {
			return ev, err
		}
		ev.ReportedTimestamp = t
	}
	return ev, nil
}

func messageOf(v any) string {
	if m, isMap := v.(map[string]any); isMap {
		v = m["text"]
	}
	return textOf(v)
}

// textOf is v as text, "" for null; NUL, which databases refuse, is spelled out.
func textOf(v any) string {
	if v == nil {
		return ""
	}
	return strings.ReplaceAll(value.Text(v), "\x00", "<NUL>")
}

// deleteEvents removes a deployment's events, and its logs if asked to.
func (s *server) deleteEvents(w http.ResponseWriter, r *request) error {
	types := r.query["type"]
	if !slices.Contains(types, store.TypeEvent) {
		return badParameter("At least `type=%s` filter is expected", store.TypeEvent)
	}
	id := r.query.Get("deployment_id")
	if id == "" {
		return badParameter("The `deployment_id` argument is empty")
	}
	d, err := s.visibleDeployment(r, id)
	if err != nil {
		return err
	}
	q := listing{size: pageSize}
	if err := readRanges(r, &q); err != nil {
		return err
	}
	var before time.Time
	for _, f := range q.Filters {
		if f.Op == store.AtLeast {
			return notYet("Deleting events from a certain time on")
		}
		before, _ = time.Parse(time.RFC3339Nano, f.Values[0])
	}
	if t := r.query.Get("store_before"); t != "" {
		if before, err = parseNaive(t); err != nil {
			return err
		}
	}
	count := 0
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		count, err = tx.DeleteEvents(r.Context(), d.Tenant, d.ID, types, before)
		return err
	})
	if err != nil {
		return err
	}
	return ok(w, q.envelope([]any{count}, 1, nil))
}
