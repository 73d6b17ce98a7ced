package execution

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
	"windlass/internal/value"
)

// StartUpdate starts the update of a deployment: an execution of the workflow
// update, and the record of it. Errors are those of Start; what is refused for
// the deployment's state leaves both as failed.
func (s *Service) StartUpdate(ctx context.Context, q StartRequest) (store.DeploymentUpdate, error) {
	q.WorkflowID, q.AllowCustomParameters = updateWorkflows[0], true
	e, err := s.Start(ctx, q)
	if err != nil {
		return store.DeploymentUpdate{}, err
	}
	id, _ := e.Parameters["update_id"].(string)
	return s.store.GetDeploymentUpdate(ctx, e.Tenant, id)
}

// addUpdate makes the record of the update that e is about to be. A record that
// is there already, made by hand, becomes that of e.
func (s *Service) addUpdate(ctx context.Context, tx store.Tx, d store.Deployment, e *store.Execution) error {
	if !slices.Contains(updateWorkflows, e.WorkflowID) {
		return nil
	}
	parameters := maps.Clone(e.Parameters)
	if parameters == nil {
		parameters = map[string]any{}
	}
	e.Parameters = parameters
	id, _ := parameters["update_id"].(string)
	if id == "" {
		id = d.ID + "-" + uuid.NewString()
		parameters["update_id"] = id
	}
	u, err := tx.GetDeploymentUpdate(ctx, d.Tenant, id)
	if err == nil {
		if u.DeploymentID != d.ID {
			return refuse(CodeConflict, "DeploymentUpdate with ID `%s` is one of deployment %s", id, u.DeploymentID)
		}
		u.ExecutionID, u.State = e.ID, store.UpdateUpdating
		return tx.UpdateDeploymentUpdate(ctx, u)
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	given, _ := parameters["inputs"].(map[string]any)
	inputs := maps.Clone(d.Inputs)
	if inputs == nil {
		inputs = map[string]any{}
	}
	maps.Copy(inputs, given)
	u = store.DeploymentUpdate{
		Owned: e.Owned, ID: id, DeploymentID: d.ID, ExecutionID: e.ID, OldBlueprintID: d.BlueprintID, NewBlueprintID: d.BlueprintID,
		State: store.UpdateUpdating, RuntimeOnlyEvaluation: d.RuntimeOnlyEvaluation, OldInputs: d.Inputs, NewInputs: inputs,
	}
	if b, ok := parameters["blueprint_id"].(string); ok && b != "" {
		u.NewBlueprintID = b
	}
	if b, ok := parameters["runtime_only_evaluation"].(bool); ok {
		u.RuntimeOnlyEvaluation = b
	}
	return tx.AddDeploymentUpdate(ctx, u)
}

// followUpdate gives the record of an update the state that its execution's
// status means.
func followUpdate(ctx context.Context, tx store.Tx, e store.Execution) error {
	id, _ := e.Parameters["update_id"].(string)
	if id == "" || !slices.Contains(updateWorkflows, e.WorkflowID) {
		return nil
	}
	u, err := tx.GetDeploymentUpdate(ctx, e.Tenant, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && u.ExecutionID != e.ID {
		return nil
	} else if err != nil {
		return err
	}
	state := store.UpdateUpdating
	preview, _ := e.Parameters["preview"].(bool)
	switch {
	case e.Status == store.Terminated && (preview || e.IsDryRun):
		state = store.UpdatePreview
	case e.Status == store.Terminated:
		state = store.UpdateSuccessful
	case e.Status.IsEnd():
		state = store.UpdateFailed
	case e.Status == store.Started:
		state = store.UpdateExecuting
	}
	if u.State == state {
		return nil
	}
	u.State = state
	return tx.UpdateDeploymentUpdate(ctx, u)
}

// describe stores what the update changes in its record.
func (p *updatePlan) describe(ctx context.Context, tx store.Tx, r *run, steps []updateStep, before *shape, to *plan.Deployment,
	parameters map[string]any, notes []string,
) error {
	u, err := tx.GetDeploymentUpdate(ctx, r.e.Tenant, p.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil // the execution is older than the records of updates
	} else if err != nil {
		return err
	}
	install, uninstall := []plan.Plugin{}, []plan.Plugin{}
	if on, ok := parameters["update_plugins"].(bool); !ok || on {
		install, uninstall = before.pluginChanges(to)
	}
	details := map[string]any{
		"steps": steps, "deployment_plan": to, "modified_entity_ids": p.modifiedEntities(steps),
		"deployment_update_nodes":          nodeChanges(steps),
		"deployment_update_node_instances": p.instanceChanges(),
		"central_plugins_to_install":       install, "central_plugins_to_uninstall": uninstall,
		"keep_old_deployment_dependencies": false, "warnings": append([]string{}, notes...),
	}
	if p.Preview {
		if details["recursive_dependencies"], err = dependentTree(ctx, tx, before.deployment); err != nil {
			return err
		}
		if details["schedules_to_create"], err = r.s.scheduleChanges(before.deployment, p.Settings); err != nil {
			return err
		}
		details["schedules_to_delete"], details["labels_to_create"] = []any{}, newLabels(before.deployment, to)
	}
	known, err := value.Of(details)
	if err != nil {
		return err
	}
	u.Details, _ = known.(map[string]any)
	return tx.UpdateDeploymentUpdate(ctx, u)
}

// nodeChanges sorts the steps by what happens to which node.
func nodeChanges(steps []updateStep) map[string]any {
	added, removed, changed := []any{}, []any{}, map[string]any{}
	for _, s := range steps {
		switch {
		case s.EntityType == "node" && s.Action == stepAdd:
			added = append(added, s.EntityID[1])
		case s.EntityType == "node" && s.Action == stepRemove:
			removed = append(removed, s.EntityID[1])
		case s.EntityID[0] == "nodes" && len(s.EntityID) > 2:
			attributes, _ := changed[s.EntityID[1]].([]any)
			if !slices.Contains(attributes, any(s.EntityID[2])) {
				attributes = append(attributes, s.EntityID[2])
			}
			changed[s.EntityID[1]] = attributes
		case s.EntityType == "plugin":
			attributes, _ := changed[s.EntityID[1]].([]any)
			if !slices.Contains(attributes, any(s.EntityID[0])) {
				attributes = append(attributes, s.EntityID[0])
			}
			changed[s.EntityID[1]] = attributes
		}
	}
	return map[string]any{"add": added, "remove": removed, "modify_attributes": changed}
}

func (p *updatePlan) instanceChanges() map[string]any {
	return map[string]any{
		"added_and_related": orNone(p.Result.Added), "removed_and_related": orNone(p.Result.Removed),
		"extended_and_related": orNone(p.Result.Extended), "reduced_and_related": orNone(p.Result.Reduced),
		"relationships_changed": append([]string{}, p.Rewired...),
	}
}

func orNone(list []plan.NodeInstance) []plan.NodeInstance {
	if list == nil {
		return []plan.NodeInstance{}
	}
	return list
}

// pluginChanges lists the plugins for the manager that nodes use now and did
// not before, and the other way round.
func (s *shape) pluginChanges(to *plan.Deployment) (install, uninstall []plan.Plugin) {
	install, uninstall = []plan.Plugin{}, []plan.Plugin{}
	var old, now []plan.Plugin
	for _, n := range s.nodes {
		old = append(old, n.Plugins...)
	}
	for _, n := range to.Nodes {
		now = append(now, n.Plugins...)
	}
	return missing(install, now, old), missing(uninstall, old, now)
}

// missing appends the plugins to install of one list that the other doesn't
// have, each once.
func missing(to, of, from []plan.Plugin) []plan.Plugin {
	for _, p := range of {
		same := func(o plan.Plugin) bool { return sameData(o, p) }
		if p.Install && p.Executor == plan.Central && !slices.ContainsFunc(from, same) && !slices.ContainsFunc(to, same) {
			to = append(to, p)
		}
	}
	return to
}

// newLabels lists the labels of the new plan that the deployment doesn't have.
func newLabels(d store.Deployment, to *plan.Deployment) []any {
	list := []any{}
	for _, key := range value.SortedKeys(to.Labels) {
		for _, v := range to.Labels[key].Values {
			name, text := strings.ToLower(key), value.Text(v)
			if !slices.ContainsFunc(d.Labels, func(l store.Label) bool { return l.Key == name && l.Value == text }) {
				list = append(list, map[string]any{"key": name, "value": text})
			}
		}
	}
	return list
}

// dependentTree lists the deployments that depend on d, and those that depend on
// them.
func dependentTree(ctx context.Context, r store.Reader, d store.Deployment) ([]any, error) {
	list, seen := []any{}, map[string]bool{d.ID: true}
	for next := []string{d.ID}; len(next) > 0; next = next[1:] {
		users, err := r.ListDependencies(ctx, store.Query{
			Tenants: []string{d.Tenant}, Filters: []store.Filter{{Field: "target_deployment_id", Values: []string{next[0]}}},
		})
		if err != nil {
			return nil, fmt.Errorf("read what depends on %s: %w", next[0], err)
		}
		for _, dep := range users.Items {
			if dep.SourceDeployment == "" {
				continue
			}
			kind, node, _ := strings.Cut(dep.Creator, ".")
			if kind != "component" && kind != "sharedresource" {
				kind = "capability"
				node, _, _ = strings.Cut(node, ".")
			}
			list = append(list, map[string]any{"deployment": dep.SourceDeployment, "dependency_type": kind, "dependent_node": node, "tenant": dep.Tenant})
			if !seen[dep.SourceDeployment] {
				seen[dep.SourceDeployment] = true
				next = append(next, dep.SourceDeployment)
			}
		}
	}
	return list, nil
}
