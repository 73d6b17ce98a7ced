package rest

import (
	"context"
	"net/http"

	"windlass/internal/execution"
	"windlass/internal/store"
	"windlass/internal/value"
)

// executionGroup is a stored group with its members, where they were read.
type executionGroup struct {
	store.ExecutionGroup
	members []store.Execution
	read    bool
}

var executionGroupShape = shape[executionGroup]{name: "ExecutionGroup", fields: append([]field[executionGroup]{
	{"id", text, func(g executionGroup) any { return g.ID }},
	{"created_at", moment, func(g executionGroup) any { return date(g.CreatedAt) }},
	{"deployment_group_id", text, func(g executionGroup) any { return orNull(g.DeploymentGroupID) }},
	{"workflow_id", text, func(g executionGroup) any { return g.WorkflowID }},
	{"concurrency", integer, func(g executionGroup) any { return int64(g.Concurrency) }},
	{"success_group_id", text, func(g executionGroup) any { return orNull(g.SuccessGroupID) }},
	{"failure_group_id", text, func(g executionGroup) any { return orNull(g.FailureGroupID) }},
	{"execution_ids", list, func(g executionGroup) any {
		if !g.read {
			return nil
		}
		ids := []any{}
		for _, e := range g.members {
			ids = append(ids, e.ID)
		}
		return ids
	}},
	{"status", text, func(g executionGroup) any { return orNull(string(execution.GroupStatus(g.members))) }},
}, ownedFields(func(g executionGroup) store.Owned { return g.Owned })...)}

var executionGroupList = listed{
	filters: []string{"id", "deployment_group_id", "workflow_id", "created_by", "tenant_name", "visibility"},
	sorts:   []string{"id", "deployment_group_id", "workflow_id", "created_at"},
}

func (s *server) withMembers(ctx context.Context, g store.ExecutionGroup) (executionGroup, error) {
	page, err := s.Store.ListExecutions(ctx, store.Query{Filters: []store.Filter{{Field: "group_id", Values: []string{g.ID}}}})
	return executionGroup{ExecutionGroup: g, members: page.Items, read: true}, err
}

func (s *server) listExecutionGroups(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, executionGroupList)
	if err != nil {
		return err
	}
	full, err := r.queryFlag("_get_data", false)
	if err != nil {
		return err
	}
	page, err := s.Store.ListExecutionGroups(r.Context(), q.Query)
	if err != nil {
		return err
	}
	out := store.Page[executionGroup]{Total: page.Total, Next: page.Next, Items: make([]executionGroup, len(page.Items))}
	for i, g := range page.Items {
		out.Items[i].ExecutionGroup = g
		if !full {
			continue
		}
		if out.Items[i], err = s.withMembers(r.Context(), g); err != nil {
			return err
		}
	}
	return reply(w, q, executionGroupShape, out)
}

func (s *server) findExecutionGroup(r *request) (store.ExecutionGroup, error) {
	id := r.PathValue("id")
	g, err := s.Store.GetExecutionGroup(r.Context(), r.tenant, id)
	if err != nil {
		return g, err
	}
	return g, r.sees(g.Owned, "ExecutionGroup", id)
}

func (s *server) replyExecutionGroup(w http.ResponseWriter, r *request, g store.ExecutionGroup) error {
	out, err := s.withMembers(r.Context(), g)
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, executionGroupShape, out)
}

func (s *server) getExecutionGroup(w http.ResponseWriter, r *request) error {
	g, err := s.findExecutionGroup(r)
	if err != nil {
		return err
	}
	return s.replyExecutionGroup(w, r, g)
}

const defaultConcurrency = 5

func (s *server) postExecutionGroup(w http.ResponseWriter, r *request) error {
	q := execution.GroupRequest{
		Tenant: r.tenant, DeploymentGroupID: r.str("deployment_group_id"), WorkflowID: r.str("workflow_id"),
		DefaultParameters: r.dict("default_parameters"), Force: r.flag("force"), Concurrency: defaultConcurrency,
		CreatedBy: r.caller.Username, Caller: r.actsFor(), Parameters: map[string]map[string]any{},
	}
	if r.has("concurrency") {
		q.Concurrency = r.num("concurrency")
	}
	for deployment, v := range r.dict("parameters") {
		one, ok := v.(map[string]any)
		if !ok {
			return badParameter("parameters must map deployments to their parameters; for %s it has %s", deployment, value.Repr(v))
		}
		q.Parameters[deployment] = one
	}
	err := s.targets(r, &q)
	if err != nil {
		return err
	}
	if q.ID = r.str("id"); q.ID != "" {
		if err := r.need("set_execution_group_details"); err != nil {
			return err
		}
	}
	if q.CreatedBy, err = r.owner("created_by", r.caller.Username); err != nil {
		return err
	}
	if q.CreatedAt, err = r.createdAt(s.Now()); err != nil {
		return err
	}
	if q.Restored, err = s.associated(r); err != nil {
		return err
	}
	g, err := s.Executions.StartGroup(r.Context(), q)
	if err != nil {
		return err
	}
	return s.replyExecutionGroup(w, r, g)
}

// targets finds the deployments that a group works on: those of a deployment
// group, or those that ids and filters choose now.
func (s *server) targets(r *request, q *execution.GroupRequest) error {
	if q.DeploymentGroupID != "" {
		group, err := s.Store.GetDeploymentGroup(r.Context(), r.tenant, q.DeploymentGroupID)
		if err != nil {
			return err
		}
		return r.sees(group.Owned, "DeploymentGroup", group.ID)
	}
	var err error
	if q.Deployments, err = s.chosen(r, r.body); err == nil && len(q.Deployments) == 0 {
		return badParameter("No deployment is meant: give deployment_group_id, or deployment_ids, filter_id and filter_rules that choose some")
	}
	return err
}

// associated reads the ids of the executions that a group which is restored had.
func (s *server) associated(r *request) ([]string, error) {
	var ids []string
	for _, v := range r.list("associated_executions") {
		id, isText := v.(string)
		if !isText {
			return nil, wrongType("associated_executions", text, v)
		}
		if _, err := s.visibleExecution(r, id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (s *server) actOnExecutionGroup(w http.ResponseWriter, r *request) error {
	g, err := s.findExecutionGroup(r)
	if err != nil {
		return err
	}
	how := execution.Action(r.str("action"))
	switch how {
	case execution.Cancel, execution.ForceCancel, execution.Kill, execution.Resume, execution.ForceResume:
	default:
		return badParameter("Invalid action: %s, Valid action values are: ['cancel', 'force-cancel', 'kill', 'resume', 'force-resume']", how)
	}
	if err := s.Executions.ActOnGroup(r.Context(), g.Tenant, g.ID, how); err != nil {
		return err
	}
	return s.replyExecutionGroup(w, r, g)
}

func (s *server) patchExecutionGroup(w http.ResponseWriter, r *request) error {
	g, err := s.findExecutionGroup(r)
	if err != nil {
		return err
	}
	var concurrency *int
	if r.has("concurrency") {
		n := r.num("concurrency")
		concurrency = &n
	}
	given := func(name string) *string {
		if !r.has(name) {
			return nil
		}
		id := r.str(name)
		return &id
	}
	g, err = s.Executions.UpdateGroup(r.Context(), g.Tenant, g.ID, concurrency, given("success_group_id"), given("failure_group_id"))
	if err != nil {
		return err
	}
	return s.replyExecutionGroup(w, r, g)
}
