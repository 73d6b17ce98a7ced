package rest

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"windlass/internal/execution"
	"windlass/internal/store"
	"windlass/internal/value"
)

// knownOf reads one of the details of an update, which are null until they are
// worked out.
func knownOf(name string) func(store.DeploymentUpdate) any {
	return func(u store.DeploymentUpdate) any { return u.Details[name] }
}

var updateShape = shape[store.DeploymentUpdate]{name: "DeploymentUpdate", fields: append([]field[store.DeploymentUpdate]{
	{"id", text, func(u store.DeploymentUpdate) any { return u.ID }},
	{"deployment_id", text, func(u store.DeploymentUpdate) any { return u.DeploymentID }},
	{"execution_id", text, func(u store.DeploymentUpdate) any { return orNull(u.ExecutionID) }},
	{"old_blueprint_id", text, func(u store.DeploymentUpdate) any { return orNull(u.OldBlueprintID) }},
	{"new_blueprint_id", text, func(u store.DeploymentUpdate) any { return orNull(u.NewBlueprintID) }},
	{"state", text, func(u store.DeploymentUpdate) any { return u.State }},
	{"old_inputs", dict, func(u store.DeploymentUpdate) any { return mapOrEmpty(u.OldInputs) }},
	{"new_inputs", dict, func(u store.DeploymentUpdate) any { return mapOrEmpty(u.NewInputs) }},
	{"steps", list, func(u store.DeploymentUpdate) any {
		steps, _ := u.Details["steps"].([]any)
		return array(steps)
	}},
	{"deployment_plan", dict, knownOf("deployment_plan")},
	{"deployment_update_nodes", dict, knownOf("deployment_update_nodes")},
	{"deployment_update_node_instances", dict, knownOf("deployment_update_node_instances")},
	{"modified_entity_ids", dict, knownOf("modified_entity_ids")},
	{"central_plugins_to_install", list, knownOf("central_plugins_to_install")},
	{"central_plugins_to_uninstall", list, knownOf("central_plugins_to_uninstall")},
	{"keep_old_deployment_dependencies", boolean, func(u store.DeploymentUpdate) any { return u.Details["keep_old_deployment_dependencies"] == true }},
	{"runtime_only_evaluation", boolean, func(u store.DeploymentUpdate) any { return u.RuntimeOnlyEvaluation }},
	{"recursive_dependencies", list, knownOf("recursive_dependencies")},
	{"schedules_to_create", list, knownOf("schedules_to_create")},
	{"schedules_to_delete", list, knownOf("schedules_to_delete")},
	{"labels_to_create", list, knownOf("labels_to_create")},
	{"warnings", list, knownOf("warnings")},
	{"created_at", moment, func(u store.DeploymentUpdate) any { return date(u.CreatedAt) }},
}, ownedFields(func(u store.DeploymentUpdate) store.Owned { return u.Owned })...)}

var updateList = listed{
	filters: []string{"id", "deployment_id", "execution_id", "state", "old_blueprint_id", "new_blueprint_id", "created_by", "tenant_name", "visibility"},
	sorts:   []string{"id", "created_at", "deployment_id", "state"},
}

func (s *server) listUpdates(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, updateList)
	if err != nil {
		return err
	}
	page, err := s.Store.ListDeploymentUpdates(r.Context(), q.Query)
	if err != nil {
		return err
	}
	return reply(w, q, updateShape, page)
}

// visibleUpdate reads the update that the request names.
func (s *server) visibleUpdate(r *request) (store.DeploymentUpdate, error) {
	id := r.PathValue("id")
	u, err := s.Store.GetDeploymentUpdate(r.Context(), r.tenant, id)
	if err != nil {
		return u, err
	}
	return u, r.sees(u.Owned, "DeploymentUpdate", id)
}

func (s *server) getUpdate(w http.ResponseWriter, r *request) error {
	u, err := s.visibleUpdate(r)
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, updateShape, u)
}

// updateFlags are the switches of an update; all but update_plugins are off.
var updateFlags = []string{
	"skip_install", "skip_uninstall", "skip_reinstall", "skip_drift_check", "skip_heal", "force_reinstall", "ignore_failure", "install_first",
	"auto_correct_types", "reevaluate_active_statuses",
}

// initiateUpdate starts an update. It waits for a preview, which then says what
// would change.
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
		"update_plugins": !r.has("update_plugins") || r.flag("update_plugins"),
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
	u, err := s.Executions.StartUpdate(r.Context(), execution.StartRequest{
		Tenant: d.Tenant, DeploymentID: d.ID, Parameters: parameters, Force: r.flag("force"), CreatedBy: r.caller.Username, Caller: r.actsFor(),
	})
	if err != nil {
		return err
	}
	if r.flag("preview") {
		if u, err = s.awaitPreview(r, u); err != nil {
			return err
		}
	}
	return replyOne(w, r, http.StatusOK, updateShape, u)
}

// awaitPreview waits for what an update would change; if that takes long it
// gives the update as it is.
func (s *server) awaitPreview(r *request, u store.DeploymentUpdate) (store.DeploymentUpdate, error) {
	ctx, cancel := s.patient(r)
	defer cancel()
	if _, err := s.Executions.Wait(ctx, u.ExecutionID); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return u, err
	}
	return s.Store.GetDeploymentUpdate(r.Context(), u.Tenant, u.ID)
}

// passUpdate answers calls for stages of an update that pass by themselves.
func (s *server) passUpdate(w http.ResponseWriter, r *request) error { return s.getUpdate(w, r) }

// updateStates are those that a record may be given.
var updateStates = map[string]bool{
	store.UpdateUpdating: true, store.UpdateExecuting: true, store.UpdateFinalizing: true, store.UpdateSuccessful: true,
	store.UpdateFailed: true, store.UpdatePreview: true,
}

// updateDetails are the names in bodies of what is kept as details.
var updateDetails = map[string]string{
	"steps": "steps", "plan": "deployment_plan", "deployment_plan": "deployment_plan", "nodes": "deployment_update_nodes",
	"deployment_update_nodes": "deployment_update_nodes", "node_instances": "deployment_update_node_instances",
	"deployment_update_node_instances": "deployment_update_node_instances", "modified_entity_ids": "modified_entity_ids",
	"central_plugins_to_install": "central_plugins_to_install", "central_plugins_to_uninstall": "central_plugins_to_uninstall",
	"keep_old_deployment_dependencies": "keep_old_deployment_dependencies",
}

// putUpdate makes the record of an update that an execution carries out by itself.
func (s *server) putUpdate(w http.ResponseWriter, r *request) error {
	if r.caller.Execution == nil {
		return fail("forbidden_error", "Deployment update objects can only be created by executions")
	}
	u, err := s.writtenUpdate(r, r.PathValue("id"))
	if err != nil {
		return err
	}
	if !r.has("execution_id") {
		u.ExecutionID = r.actsFor()
	}
	if err := s.Store.Write(r.Context(), func(tx store.Tx) error { return tx.AddDeploymentUpdate(r.Context(), u) }); err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, updateShape, u)
}

// postUpdates restores records of updates, all or none.
func (s *server) postUpdates(w http.ResponseWriter, r *request) error {
	var all []store.DeploymentUpdate
	for _, item := range r.list("deployment_updates") {
		body, ok := item.(map[string]any)
		if !ok {
			return badParameter("deployment_updates must be a list of objects, found %s in it", value.Repr(item))
		}
		one := *r
		one.body = body
		id := one.str("id")
		if id == "" {
			id = one.str("update_id")
		}
		if id == "" {
			return badParameter("deployment_updates: each must have an id")
		}
		u, err := s.writtenUpdate(&one, id)
		if err != nil {
			return err
		}
		all = append(all, u)
	}
	err := s.Store.Write(r.Context(), func(tx store.Tx) error {
		for _, u := range all {
			if err := tx.AddDeploymentUpdate(r.Context(), u); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, nil)
	return nil
}

// writtenUpdate reads a record from the body.
func (s *server) writtenUpdate(r *request, id string) (store.DeploymentUpdate, error) {
	var none store.DeploymentUpdate
	d, err := s.visibleDeployment(r, r.str("deployment_id"))
	if err != nil {
		return none, err
	}
	u := store.DeploymentUpdate{
		Owned: store.Owned{Tenant: d.Tenant, Visibility: d.Visibility, CreatedBy: r.caller.Username, CreatedAt: s.Now()},
		ID:    id, DeploymentID: d.ID, ExecutionID: r.str("execution_id"), OldBlueprintID: d.BlueprintID, NewBlueprintID: d.BlueprintID,
		State: store.UpdateUpdating, RuntimeOnlyEvaluation: d.RuntimeOnlyEvaluation, OldInputs: d.Inputs, NewInputs: d.Inputs,
	}
	for _, set := range []struct {
		to    *string
		names []string
	}{{&u.OldBlueprintID, []string{"old_blueprint_id"}}, {&u.NewBlueprintID, []string{"blueprint_id", "new_blueprint_id"}}} {
		for _, name := range set.names {
			if r.str(name) != "" {
				*set.to = r.str(name)
			}
		}
	}
	for name, to := range map[string]*map[string]any{"old_inputs": &u.OldInputs, "inputs": &u.NewInputs, "new_inputs": &u.NewInputs} {
		if m := r.dict(name); m != nil {
			*to = m
		}
	}
	if r.has("runtime_only_evaluation") {
		u.RuntimeOnlyEvaluation = r.flag("runtime_only_evaluation")
	}
	if err := r.readUpdate(&u); err != nil {
		return none, err
	}
	if r.has("visibility") {
		if u.Visibility, err = r.visibility(); err != nil {
			return none, err
		}
	}
	if u.CreatedBy, err = r.owner("created_by", u.CreatedBy); err != nil {
		return none, err
	}
	u.CreatedAt, err = r.createdAt(u.CreatedAt)
	return u, err
}

// readUpdate reads the state and details that the body gives.
func (r *request) readUpdate(u *store.DeploymentUpdate) error {
	if r.has("state") {
		state := r.str("state")
		if !updateStates[state] {
			return badParameter("state `%s` is not one of a deployment update: %s", state, strings.Join(value.SortedKeys(updateStates), ", "))
		}
		u.State = state
	}
	details := map[string]any{}
	for name, v := range u.Details {
		details[name] = v
	}
	for name, kept := range updateDetails {
		if v := r.body[name]; v != nil {
			details[kept] = v
		}
	}
	if len(details) > 0 {
		u.Details = details
	}
	return nil
}

// patchUpdate changes what is known of an update.
func (s *server) patchUpdate(w http.ResponseWriter, r *request) error {
	u, err := s.visibleUpdate(r)
	if err != nil {
		return err
	}
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		if u, err = tx.GetDeploymentUpdate(r.Context(), u.Tenant, u.ID); err != nil {
			return err
		}
		if err := r.readUpdate(&u); err != nil {
			return err
		}
		if r.str("state") == store.UpdateSuccessful {
			if err := s.touchUpdated(r.Context(), tx, u); err != nil {
				return err
			}
		}
		return tx.UpdateDeploymentUpdate(r.Context(), u)
	})
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, updateShape, u)
}

// touchUpdated notes that the deployment was changed now, unless the update was
// only a preview.
func (s *server) touchUpdated(ctx context.Context, tx store.Tx, u store.DeploymentUpdate) error {
	e, err := tx.GetExecution(ctx, u.ExecutionID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if e.Parameters["preview"] == true {
		return nil
	}
	d, err := tx.GetDeployment(ctx, u.Tenant, u.DeploymentID)
	if err != nil {
		return err
	}
	d.UpdatedAt = s.Now()
	return tx.UpdateDeployment(ctx, d)
}
