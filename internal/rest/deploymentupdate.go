package rest

import (
	"net/http"
	"strings"

	"github.com/google/uuid"

	"windlass/internal/execution"
	"windlass/internal/store"
)

// updateWorkflow is what carries out a deployment update. An update is this
// execution, told in other words.
const updateWorkflow = "update"

var updateShape = shape[store.Execution]{name: "DeploymentUpdate", fields: append([]field[store.Execution]{
	{"id", text, func(e store.Execution) any { return e.Parameters["update_id"] }},
	{"deployment_id", text, func(e store.Execution) any { return e.DeploymentID }},
	{"execution_id", text, func(e store.Execution) any { return e.ID }},
	{"old_blueprint_id", text, func(e store.Execution) any { return e.Parameters["old_blueprint_id"] }},
	{"new_blueprint_id", text, func(e store.Execution) any { return e.Parameters["blueprint_id"] }},
	{"old_inputs", dict, func(e store.Execution) any { return e.Parameters["old_inputs"] }},
	{"new_inputs", dict, func(e store.Execution) any { return e.Parameters["inputs"] }},
	{"state", text, func(e store.Execution) any { return updateState(e) }},
	{"steps", list, func(store.Execution) any { return []any{} }},
	{"deployment_plan", dict, func(store.Execution) any { return nil }},
	{"runtime_only_evaluation", boolean, func(e store.Execution) any { return e.Parameters["runtime_only_evaluation"] }},
	{"created_at", moment, func(e store.Execution) any { return date(e.CreatedAt) }},
}, ownedFields(func(e store.Execution) store.Owned { return e.Owned })...)}

func updateState(e store.Execution) string {
	preview, _ := e.Parameters["preview"].(bool)
	switch {
	case e.Status == store.Terminated && preview:
		return "preview"
	case e.Status == store.Terminated:
		return "successful"
	case e.Status.IsEnd():
		return "failed"
	case e.Status == store.Started:
		return "executing_workflow"
	}
	return "updating"
}

var updateList = listed{
	filters: []string{"deployment_id", "created_by", "tenant_name", "visibility"}, sorts: []string{"created_at", "deployment_id"},
}

func (s *server) listUpdates(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, updateList)
	if err != nil {
		return err
	}
	q.with(store.Filter{Field: "workflow_id", Values: []string{updateWorkflow}})
	page, err := s.Store.ListExecutions(r.Context(), q.Query)
	if err != nil {
		return err
	}
	return reply(w, q, updateShape, page)
}

// uuidSuffix is how long the end of an update's id is, after its deployment's.
const uuidSuffix = 37

func (s *server) getUpdate(w http.ResponseWriter, r *request) error {
	id := r.PathValue("id")
	if len(id) > uuidSuffix {
		page, err := s.Store.ListExecutions(r.Context(), store.Query{Tenants: []string{r.tenant}, Filters: []store.Filter{
			{Field: "workflow_id", Values: []string{updateWorkflow}}, {Field: "deployment_id", Values: []string{id[:len(id)-uuidSuffix]}},
		}})
		if err != nil {
			return err
		}
		for _, e := range page.Items {
			if e.Parameters["update_id"] == id && r.sees(e.Owned, "DeploymentUpdate", id) == nil {
				return replyOne(w, r, http.StatusOK, updateShape, e)
			}
		}
	}
	return notFound("DeploymentUpdate", id)
}

// updateFlags are the switches of an update; all but update_plugins are off.
var updateFlags = []string{
	"skip_install", "skip_uninstall", "skip_reinstall", "skip_drift_check", "skip_heal", "force_reinstall", "ignore_failure", "install_first",
	"auto_correct_types", "reevaluate_active_statuses",
}

func (s *server) initiateUpdate(w http.ResponseWriter, r *request) error {
	d, err := s.visibleDeployment(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	blueprint := d.BlueprintID
	if r.has("blueprint_id") {
		b, err := s.Store.GetBlueprint(r.Context(), r.tenant, r.str("blueprint_id"))
		if err != nil {
			return err
		}
		if err := r.sees(b.Owned, "Blueprint", b.ID); err != nil {
			return err
		}
		blueprint = b.ID
	}
	parameters := map[string]any{
		"update_id": d.ID + "-" + uuid.NewString(), "blueprint_id": blueprint, "inputs": mapOrEmpty(r.dict("inputs")),
		"preview": r.flag("preview"), "force": r.flag("force"), "runtime_only_evaluation": d.RuntimeOnlyEvaluation,
		"update_plugins":   !r.has("update_plugins") || r.flag("update_plugins"),
		"old_blueprint_id": d.BlueprintID, "old_inputs": mapOrEmpty(d.Inputs),
	}
	if r.has("runtime_only_evaluation") {
		parameters["runtime_only_evaluation"] = r.flag("runtime_only_evaluation")
	}
	if r.has("reinstall_list") {
		parameters["reinstall_list"] = r.list("reinstall_list")
	}
	if name := strings.TrimSpace(r.str("workflow_id")); name != "" {
		parameters["workflow_id"] = name
	}
	for _, name := range updateFlags {
		parameters[name] = r.flag(name)
	}
	e, err := s.Executions.Start(r.Context(), execution.StartRequest{
		Tenant: d.Tenant, DeploymentID: d.ID, WorkflowID: updateWorkflow, Parameters: parameters, AllowCustomParameters: true,
		Force: r.flag("force"), CreatedBy: r.caller.Username, Caller: r.actsFor(),
	})
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, updateShape, e)
}
