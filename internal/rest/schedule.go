package rest

import (
	"context"
	"net/http"
	"time"

	"windlass/internal/access"
	"windlass/internal/execution"
	"windlass/internal/execution/recurrence"
	"windlass/internal/store"
	"windlass/internal/value"
)

// schedule is a stored schedule with what is worked out for an answer.
type schedule struct {
	store.Schedule
	status      any
	occurrences []any
}

var scheduleShape = shape[schedule]{name: "ExecutionSchedule", fields: append([]field[schedule]{
	{"id", text, func(x schedule) any { return x.ID }},
	{"deployment_id", text, func(x schedule) any { return x.DeploymentID }},
	{"workflow_id", text, func(x schedule) any { return x.WorkflowID }},
	{"created_at", moment, func(x schedule) any { return date(x.CreatedAt) }},
	{"since", moment, func(x schedule) any { return date(x.Since) }},
	{"until", moment, func(x schedule) any { return date(x.Until) }},
	{"next_occurrence", moment, func(x schedule) any { return date(x.NextOccurrence) }},
	{"rule", dict, func(x schedule) any { return mapOrEmpty(x.Rule) }},
	{"time_zone", text, func(x schedule) any { return orNull(x.TimeZone) }},
	{"slip", integer, func(x schedule) any { return int64(x.Slip) }},
	{"catch_up", text, func(x schedule) any { return orNull(x.CatchUp) }},
	{"parameters", dict, func(x schedule) any { return mapOrEmpty(x.Parameters) }},
	{"execution_arguments", dict, func(x schedule) any { return mapOrEmpty(x.Arguments) }},
	{"stop_on_fail", boolean, func(x schedule) any { return x.StopOnFail }},
	{"enabled", boolean, func(x schedule) any { return x.Enabled }},
	{"latest_execution_status", text, func(x schedule) any { return x.status }},
	{"all_next_occurrences", list, func(x schedule) any { return x.occurrences }},
}, ownedFields(func(x schedule) store.Owned { return x.Owned })...)}

var scheduleList = listed{
	filters:  []string{"id", "deployment_id", "workflow_id", "enabled", "stop_on_fail", "created_by", "tenant_name", "visibility"},
	booleans: []string{"enabled", "stop_on_fail"},
	sorts:    []string{"id", "deployment_id", "workflow_id", "created_at", "since", "until", "next_occurrence"},
}

const shownOccurrences = 1000

// withOccurrences completes a schedule for an answer.
func (s *server) withOccurrences(ctx context.Context, sc store.Schedule, limit int) (schedule, error) {
	out := schedule{Schedule: sc, occurrences: []any{}}
	if sc.LatestExecutionID != "" {
		if e, err := s.Store.GetExecution(ctx, sc.LatestExecutionID); err == nil {
			out.status = string(e.Status)
		}
	}
	if !sc.Enabled || limit == 0 {
		return out, nil
	}
	times, err := execution.Occurrences(sc, s.Now().Add(-time.Second), limit)
	if err != nil {
		return out, err
	}
	for _, t := range times {
		out.occurrences = append(out.occurrences, t.Format(time.DateTime))
	}
	return out, nil
}

func (s *server) listSchedules(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, scheduleList)
	if err != nil {
		return err
	}
	page, filtered, err := filtering(r.Context(), q, nil, s.Store.ListSchedules, func(store.Schedule) []store.Label { return nil })
	if err != nil {
		return err
	}
	out := store.Page[schedule]{Total: page.Total, Next: page.Next, Items: make([]schedule, len(page.Items))}
	for i, sc := range page.Items {
		if out.Items[i], err = s.withOccurrences(r.Context(), sc, shownOccurrences); err != nil {
			return err
		}
	}
	return replyFiltered(w, q, scheduleShape, out, filtered)
}

// scheduled reads the schedule that the request names.
func (s *server) scheduled(r *request) (store.Schedule, error) {
	d, err := s.scheduleDeployment(r)
	if err != nil {
		return store.Schedule{}, err
	}
	return s.Store.GetSchedule(r.Context(), d.Tenant, d.ID, r.PathValue("id"))
}

func (s *server) scheduleDeployment(r *request) (store.Deployment, error) {
	id := r.query.Get("deployment_id")
	if id == "" {
		return store.Deployment{}, badParameter("Missing parameter deployment_id: the id of a schedule is that of its deployment only")
	}
	return s.visibleDeployment(r, id)
}

func (s *server) replySchedule(w http.ResponseWriter, r *request, status int, sc store.Schedule) error {
	out, err := s.withOccurrences(r.Context(), sc, shownOccurrences)
	if err != nil {
		return err
	}
	return replyOne(w, r, status, scheduleShape, out)
}

func (s *server) getSchedule(w http.ResponseWriter, r *request) error {
	sc, err := s.scheduled(r)
	if err != nil {
		return err
	}
	return s.replySchedule(w, r, http.StatusOK, sc)
}

func (s *server) putSchedule(w http.ResponseWriter, r *request) error {
	id := r.PathValue("id")
	if err := access.CheckName("id", id, false); err != nil {
		return err
	}
	d, err := s.scheduleDeployment(r)
	if err != nil {
		return err
	}
	if !r.has("workflow_id") || !r.has("since") {
		return badParameter("A schedule needs workflow_id and since")
	}
	sc := store.Schedule{
		Owned: store.Owned{Tenant: d.Tenant, Visibility: d.Visibility, CreatedBy: r.caller.Username, CreatedAt: s.Now()},
		ID:    id, DeploymentID: d.ID, Enabled: true, Parameters: map[string]any{}, Arguments: map[string]any{},
	}
	if err := s.changeSchedule(r, &sc); err != nil {
		return err
	}
	if sc, err = s.Executions.AddSchedule(r.Context(), nil, sc); err != nil {
		return err
	}
	return s.replySchedule(w, r, http.StatusCreated, sc)
}

func (s *server) patchSchedule(w http.ResponseWriter, r *request) error {
	sc, err := s.scheduled(r)
	if err != nil {
		return err
	}
	sc, err = s.Executions.ChangeSchedule(r.Context(), sc.Tenant, sc.DeploymentID, sc.ID, func(sc *store.Schedule) error {
		return s.changeSchedule(r, sc)
	})
	if err != nil {
		return err
	}
	return s.replySchedule(w, r, http.StatusCreated, sc)
}

func (s *server) deleteSchedule(w http.ResponseWriter, r *request) error {
	sc, err := s.scheduled(r)
	if err != nil {
		return err
	}
	if err := s.Store.Write(r.Context(), func(tx store.Tx) error {
		return tx.DeleteSchedule(r.Context(), sc.Tenant, sc.DeploymentID, sc.ID)
	}); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// changeSchedule sets what the body has; what it leaves out or gives as null stays.
func (s *server) changeSchedule(r *request, sc *store.Schedule) (err error) {
	if r.has("workflow_id") {
		sc.WorkflowID = r.str("workflow_id")
	}
	if r.has("time_zone") {
		sc.TimeZone = r.str("time_zone")
	}
	zone, err := time.LoadLocation(sc.TimeZone)
	if err != nil {
		return badParameter("time_zone: %v", err)
	}
	for name, t := range map[string]*time.Time{"since": &sc.Since, "until": &sc.Until} {
		if !r.has(name) {
			continue
		}
		if *t, err = recurrence.ParseTime(r.str(name), zone, s.Now()); err != nil {
			return badParameter("%s: %v", name, err)
		}
		*t = t.UTC()
	}
	if err := changeRule(r, sc); err != nil {
		return err
	}
	if r.has("slip") {
		sc.Slip = r.num("slip")
	}
	if r.has("catch_up") {
		sc.CatchUp = r.str("catch_up")
	}
	if r.has("stop_on_fail") {
		sc.StopOnFail = r.flag("stop_on_fail")
	}
	if r.has("enabled") {
		sc.Enabled = r.flag("enabled")
	}
	if r.has("parameters") {
		sc.Parameters = r.dict("parameters")
	}
	if r.has("execution_arguments") {
		sc.Arguments = r.dict("execution_arguments")
		if dry, ok := sc.Arguments["dry_run"]; ok {
			delete(sc.Arguments, "dry_run")
			sc.Arguments["is_dry_run"] = dry
		}
	}
	return nil
}

// changeRule takes a new rule from the body: an rrule replaces all of it, parts
// of the other form replace the same parts.
func changeRule(r *request, sc *store.Schedule) error {
	rule := value.CopyMap(sc.Rule)
	switch {
	case r.has("rrule"):
		rule = map[string]any{"rrule": r.str("rrule")}
	case r.has("recurrence") || r.has("count") || r.has("weekdays"):
		delete(rule, "rrule")
	}
	if rule == nil {
		rule = map[string]any{}
	}
	for _, name := range []string{"recurrence", "count", "weekdays"} {
		if r.has(name) {
			rule[name] = r.body[name]
		}
	}
	if weekdays, ok := rule["weekdays"]; ok {
		if _, ok := weekdays.([]any); !ok {
			return badParameter("weekdays must be a list of days such as mo and fr, found %s", value.Repr(weekdays))
		}
	}
	sc.Rule = rule
	return nil
}
