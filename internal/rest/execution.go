package rest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"windlass/internal/execution"
	"windlass/internal/store"
)

var executionShape = shape[store.Execution]{name: "Execution", fields: append([]field[store.Execution]{
	{"id", text, func(e store.Execution) any { return orNull(e.ID) }},
	{"workflow_id", text, func(e store.Execution) any { return e.WorkflowID }},
	{"deployment_id", text, func(e store.Execution) any { return orNull(e.DeploymentID) }},
	{"deployment_display_name", text, func(e store.Execution) any { return orNull(e.DeploymentDisplayName) }},
	{"blueprint_id", text, func(e store.Execution) any { return orNull(e.BlueprintID) }},
	{"status", text, func(e store.Execution) any { return string(e.Status) }},
	{"status_display", text, func(e store.Execution) any { return e.Status.Display() }},
	{"parameters", dict, func(e store.Execution) any { return mapOrEmpty(e.Parameters) }},
	{"error", text, func(e store.Execution) any { return pointer(e.Error) }},
	{"created_at", moment, func(e store.Execution) any { return date(e.CreatedAt) }},
	{"started_at", moment, func(e store.Execution) any { return date(e.StartedAt) }},
	{"ended_at", moment, func(e store.Execution) any { return date(e.EndedAt) }},
	{"scheduled_for", moment, func(e store.Execution) any { return date(e.ScheduledFor) }},
	{"is_system_workflow", boolean, func(e store.Execution) any { return e.IsSystemWorkflow }},
	{"is_paused", boolean, func(e store.Execution) any { return e.IsPaused() }},
	{"is_dry_run", boolean, func(e store.Execution) any { return e.IsDryRun }},
	{"resume", boolean, func(e store.Execution) any { return e.Resume }},
	{"allow_custom_parameters", boolean, func(e store.Execution) any { return e.AllowCustomParameters }},
	{"total_operations", integer, func(e store.Execution) any { return e.TotalOperations }},
	{"finished_operations", integer, func(e store.Execution) any { return e.FinishedOperations }},
}, ownedFields(func(e store.Execution) store.Owned { return e.Owned })...)}

var executionList = listed{
	filters: []string{"id", "deployment_id", "blueprint_id", "workflow_id", "status", "status_display", "tenant_name", "created_by",
		"visibility", "is_system_workflow", "is_dry_run", "created_at", "started_at", "ended_at", "scheduled_for", "error",
		"deployment_display_name", "resume", "allow_custom_parameters", "total_operations", "finished_operations",
		"execution_group_id", "deployment_group_id"},
	booleans: []string{"is_system_workflow", "is_dry_run", "resume", "allow_custom_parameters"},
}

// executionListing reads the parameters of an execution list; system workflows
// are left out unless asked for.
func (s *server) executionListing(r *request) (listing, error) {
	q, err := s.listing(r, executionList)
	if err != nil {
		return q, err
	}
	system, err := r.queryFlag("_include_system_workflows", false)
	if err != nil {
		return q, err
	}
	if !system && !q.filters("is_system_workflow") {
		q.with(store.Filter{Field: "is_system_workflow", Values: []string{"false"}})
	}
	if err := s.replaceGroups(r, &q, "deployment_id"); err != nil {
		return q, err
	}
	if group := r.query.Get("_group_id"); group != "" {
		if _, err := s.Store.GetExecutionGroup(r.Context(), r.tenant, group); err != nil {
			return q, err
		}
		q.with(store.Filter{Field: "group_id", Values: []string{group}})
	}
	return q, nil
}

func (s *server) listExecutions(w http.ResponseWriter, r *request) error {
	q, err := s.executionListing(r)
	if err != nil {
		return err
	}
	page, err := s.Store.ListExecutions(r.Context(), q.Query)
	if err != nil {
		return err
	}
	return reply(w, q, executionShape, page)
}

// findExecution reads the execution that the path names, if the caller sees it.
func (s *server) findExecution(r *request) (store.Execution, error) {
	return s.visibleExecution(r, r.PathValue("id"))
}

func (s *server) visibleExecution(r *request, id string) (store.Execution, error) {
	e, err := s.Store.GetExecution(r.Context(), id)
	if err != nil {
		return e, err
	}
	return e, r.sees(e.Owned, "Execution", id)
}

func (s *server) getExecution(w http.ResponseWriter, r *request) error {
	e, err := s.findExecution(r)
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, executionShape, e)
}

func (s *server) startExecution(w http.ResponseWriter, r *request) error {
	if r.has("force_status") || r.has("id") || r.has("started_at") || r.has("ended_at") || r.has("error") || r.has("is_system_workflow") {
		return s.restoreExecution(w, r)
	}
	start := execution.StartRequest{
		Tenant: r.tenant, DeploymentID: r.str("deployment_id"), WorkflowID: r.str("workflow_id"), Parameters: r.dict("parameters"),
		AllowCustomParameters: r.flag("allow_custom_parameters"), Force: r.flag("force"), DryRun: r.flag("dry_run"), Queue: r.flag("queue"),
		Caller: r.actsFor(), MayRunGlobal: r.caller.Can(r.tenant, "execute_global_workflow"),
	}
	if start.DeploymentID == "" {
		return notYet("Starting a workflow without a deployment")
	}
	if r.has("wait_after_fail") {
		seconds := r.num("wait_after_fail")
		if seconds < 0 {
			return badParameter("wait_after_fail must not be negative, got %d", seconds)
		}
		start.WaitAfterFail = &seconds
	}
	var err error
	if start.CreatedBy, err = r.owner("created_by", r.caller.Username); err != nil {
		return err
	}
	if _, err := r.createdAt(time.Time{}); err != nil {
		return err
	}
	if _, err := s.visibleDeployment(r, start.DeploymentID); err != nil {
		return err
	}
	e, err := s.startNowOrLater(r, start)
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusCreated, executionShape, e)
}

func (s *server) startNowOrLater(r *request, start execution.StartRequest) (store.Execution, error) {
	if !r.has("scheduled_time") {
		return s.Executions.Start(r.Context(), start)
	}
	at, err := parseScheduled(r.str("scheduled_time"))
	if err != nil {
		return store.Execution{}, err
	}
	return s.Executions.StartLater(r.Context(), start, at)
}

// parseScheduled reads the time of a scheduled start, which has a zone.
func parseScheduled(text string) (time.Time, error) {
	for _, form := range []string{"200601021504-0700", time.RFC3339} {
		if t, err := time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, badParameter("%s is not a legal scheduled time: write it as YYYYMMDDHHMM+HHMM or YYYYMMDDHHMM-HHMM, "+
		"such as 201801032230-0500", text)
}

// restoreExecution stores the record of an execution that ran elsewhere.
// Nothing runs.
func (s *server) restoreExecution(w http.ResponseWriter, r *request) error {
	if err := r.need("set_execution_details"); err != nil {
		return err
	}
	status := store.Status(r.str("force_status"))
	if !execution.KnownStatus(status) {
		return badParameter("Force status was set to invalid state \"%s\". Valid states are: pending, queued, scheduled, started, "+
			"cancelling, force_cancelling, kill_cancelling, terminated, failed, cancelled", status)
	}
	if !status.IsEnd() {
		return badParameter("Only an execution that has ended can be restored, not one in state %s", status)
	}
	if r.has("scheduled_time") {
		return badParameter("A status cannot be forced when scheduling an execution.")
	}
	e := store.Execution{
		Owned: store.Owned{Tenant: r.tenant, Visibility: store.Tenants, CreatedAt: s.Now()},
		ID:    r.str("id"), WorkflowID: r.str("workflow_id"), DeploymentID: r.str("deployment_id"), Status: status,
		Parameters: r.dict("parameters"), IsSystemWorkflow: r.flag("is_system_workflow"), IsDryRun: r.flag("dry_run"),
		AllowCustomParameters: r.flag("allow_custom_parameters"),
	}
	if e.ID == "" {
		e.ID = uuid.NewString()
	}
	if r.has("error") {
		message := r.str("error")
		e.Error = &message
	}
	var err error
	if e.CreatedBy, err = r.owner("created_by", r.caller.Username); err != nil {
		return err
	}
	if e.CreatedAt, err = r.createdAt(e.CreatedAt); err != nil {
		return err
	}
	for name, target := range map[string]*time.Time{"started_at": &e.StartedAt, "ended_at": &e.EndedAt} {
		if r.has(name) {
			if *target, err = parseTime(name, r.str(name)); err != nil {
				return err
			}
		}
	}
	if e.DeploymentID != "" {
		d, err := s.visibleDeployment(r, e.DeploymentID)
		if err != nil {
			return err
		}
		e.BlueprintID, e.Visibility = d.BlueprintID, d.Visibility
	}
	if err := s.Store.Write(r.Context(), func(tx store.Tx) error { return tx.AddExecution(r.Context(), e) }); err != nil {
		return err
	}
	return replyOne(w, r, http.StatusCreated, executionShape, e)
}

func (s *server) actOnExecution(w http.ResponseWriter, r *request) error {
	action := r.str("action")
	permission := "execution_cancel"
	if strings.HasSuffix(action, "resume") {
		permission = "execution_resume"
	}
	if err := r.need(permission); err != nil {
		return err
	}
	if _, err := s.findExecution(r); isMissing(err) {
		return fail("not_found_error", "Requested `Execution` ['%s'] was not found", r.PathValue("id"))
	} else if err != nil {
		return err
	}
	var e store.Execution
	var err error
	switch action {
	case "cancel", "force-cancel", "kill":
		e, err = s.Executions.Cancel(r.Context(), r.tenant, r.PathValue("id"), execution.Action(action))
	case "requeue":
		e, err = s.Executions.Cancel(r.Context(), r.tenant, r.PathValue("id"), execution.Cancel)
	case "resume", "force-resume":
		e, err = s.Executions.Resume(r.Context(), r.tenant, r.PathValue("id"), action == "force-resume")
	case "pause":
		e, err = s.Executions.Pause(r.Context(), r.tenant, r.PathValue("id"))
	case "continue":
		e, err = s.Executions.Continue(r.Context(), r.tenant, r.PathValue("id"))
	default:
		return badParameter("Invalid action: %s, Valid action values are: "+
			"['cancel', 'force-cancel', 'kill', 'resume', 'force-resume', 'requeue', 'pause', 'continue']", action)
	}
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, executionShape, e)
}

func (s *server) patchExecution(w http.ResponseWriter, r *request) error {
	if _, err := s.findExecution(r); err != nil {
		return err
	}
	status := store.Status(r.str("status"))
	if !execution.KnownStatus(status) {
		return badParameter("Invalid execution status: `%s`", status)
	}
	e, err := s.Executions.UpdateStatus(r.Context(), execution.StatusUpdate{
		Tenant: r.tenant, ID: r.PathValue("id"), Status: status, Error: r.str("error"),
	})
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, executionShape, e)
}

// deleteExecutions removes ended executions up to a time, or all but the
// newest ones. The one that made a deployment's environment stays.
func (s *server) deleteExecutions(w http.ResponseWriter, r *request) error {
	q, err := s.executionListing(r)
	if err != nil {
		return err
	}
	var until time.Time
	keep := 0
	switch {
	case r.has("to_datetime") && r.has("keep_last"):
		return badParameter("Must provide either a `to_datetime` timestamp or a `keep_last` number of executions to keep")
	case r.has("to_datetime"):
		if until, err = parseNaive(r.str("to_datetime")); err != nil {
			return err
		}
	case r.has("keep_last"):
		if keep = r.num("keep_last"); keep <= 0 {
			return badParameter("`keep_last` must be an integer greater than 0. got %d instead.", keep)
		}
	default:
		return badParameter("Must provide either a `to_datetime` timestamp or a `keep_last` number of executions to keep")
	}
	ids, err := s.deletable(r.Context(), q, until, keep)
	if err != nil {
		return err
	}
	count := 0
	slices.Sort(ids) // all lock in one order
	for chunk := range slices.Chunk(ids, 500) {
		n, err := s.Executions.Remove(r.Context(), chunk)
		if err != nil {
			return err
		}
		count += n
	}
	return ok(w, q.envelope([]any{object{"count": count}}, 1, nil))
}

// deletable lists the ended executions that match, newest first, after the
// first keep of them or up to a time, without those that must stay.
func (s *server) deletable(ctx context.Context, q listing, until time.Time, keep int) ([]string, error) {
	plain := q.Query
	if !q.filters("status") {
		ends := make([]string, len(store.EndStatuses))
		for i, e := range store.EndStatuses {
			ends[i] = string(e)
		}
		plain.Filters = append(plain.Filters, store.Filter{Field: "status", Values: ends})
	}
	plain.Sort = []store.SortKey{{Field: "created_at", Descending: true}}
	var ids []string
	made := map[string]bool{} // deployments whose newest successful creation was seen
	seen := 0
	err := each(ctx, plain, s.Store.ListExecutions, func(e store.Execution) error {
		if !e.Status.IsEnd() {
			return nil
		}
		if e.WorkflowID == "create_deployment_environment" && e.Status == store.Terminated && !made[e.Tenant+"/"+e.DeploymentID] {
			made[e.Tenant+"/"+e.DeploymentID] = true
			return nil
		}
		seen++
		if keep > 0 && seen <= keep || !until.IsZero() && e.CreatedAt.After(until) {
			return nil
		}
		ids = append(ids, e.ID)
		return nil
	})
	return ids, err
}

// parseNaive reads a date that, without a zone, is in UTC.
func parseNaive(s string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return parseTime("date", s)
}
