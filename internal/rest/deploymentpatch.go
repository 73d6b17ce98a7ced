package rest

import (
	"net/http"
	"slices"

	"windlass/internal/blueprint/plan"
	"windlass/internal/catalog"
	"windlass/internal/store"
	"windlass/internal/value"
)

// onceOnly are attributes that are set while the environment is created, and
// later by updates only.
var onceOnly = []string{"description", "workflows", "inputs", "policy_types", "policy_triggers", "groups", "scaling_groups", "outputs",
	"capabilities", "runtime_only_evaluation", "resource_tags", "create_execution", "latest_execution", "blueprint_id"}

func (s *server) patchDeployment(w http.ResponseWriter, r *request) error {
	if len(r.body) == 0 {
		return fail("illegal_action_error", "An update deployment request must include at least one parameter to update")
	}
	known := append([]string{"labels", "display_name", "creator", "created_at"}, onceOnly...)
	for _, k := range value.SortedKeys(r.body) {
		if !slices.Contains(known, k) {
			return badParameter("Unknown parameters: %s", k)
		}
	}
	d, err := s.findDeployment(r)
	if err != nil {
		return err
	}
	if err := r.caller.CheckChange(r.tenant, d.Owned, d.ID); err != nil {
		return err
	}
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		if d, err = tx.GetDeployment(r.Context(), d.Tenant, d.ID); err != nil {
			return err
		}
		before := d.Labels
		if err := s.applyToDeployment(r, &d); err != nil {
			return err
		}
		if err := catalog.Relabel(r.Context(), tx, d, before, d.Labels); err != nil {
			return err
		}
		return tx.UpdateDeployment(r.Context(), d)
	})
	if err != nil {
		return err
	}
	return s.replyDeployment(w, r, http.StatusOK, d)
}

func (s *server) applyToDeployment(r *request, d *store.Deployment) (err error) {
	if d.CreatedBy, err = r.owner("creator", d.CreatedBy); err != nil {
		return err
	}
	if d.CreatedAt, err = r.createdAt(d.CreatedAt); err != nil {
		return err
	}
	if r.has("display_name") {
		d.DisplayName = r.str("display_name")
		if d.DisplayName == "" {
			return badParameter("The `display_name` argument is empty")
		}
	}
	if r.has("labels") {
		labels, err := parseLabels(r.list("labels"), r.caller.Username, s.Now())
		if err != nil {
			return err
		}
		if err := s.checkParents(r, labels); err != nil {
			return err
		}
		d.Labels = replaceLabels(d.Labels, labels)
	}
	updating := r.caller.Execution != nil && isUpdate(r.caller.Execution.WorkflowID)
	for _, name := range onceOnly {
		if !r.has(name) {
			continue
		}
		if name == "blueprint_id" && !updating {
			return fail("only_deployment_update", "The blueprint of a deployment can only be changed by a deployment update")
		}
		if !updating && isSet(*d, name) {
			return fail("conflict_error", "%s is already set", name)
		}
		if err := setAttribute(r, d, name); err != nil {
			return err
		}
	}
	return nil
}

func isUpdate(workflow string) bool {
	return workflow == "update" || workflow == "csys_new_deployment_update"
}

// isSet tells whether an attribute that is set once has its value.
func isSet(d store.Deployment, name string) bool {
	switch name {
	case "description":
		return d.Description != nil
	case "workflows":
		return d.Workflows != nil
	case "inputs":
		return d.Inputs != nil
	case "policy_types":
		return d.PolicyTypes != nil
	case "policy_triggers":
		return d.PolicyTriggers != nil
	case "groups":
		return d.Groups != nil
	case "scaling_groups":
		return d.ScalingGroups != nil
	case "outputs":
		return d.Outputs != nil
	case "capabilities":
		return d.Capabilities != nil
	case "runtime_only_evaluation":
		return d.RuntimeOnlyEvaluation
	case "resource_tags":
		return d.ResourceTags != nil
	case "create_execution":
		return d.CreateExecutionID != ""
	case "latest_execution":
		return d.LatestExecutionID != ""
	}
	return true
}

func setAttribute(r *request, d *store.Deployment, name string) error {
	var err error
	switch name {
	case "description":
		t := r.str(name)
		d.Description = &t
	case "workflows":
		d.Workflows, err = decodeTyped[plan.Workflow](r, name)
	case "inputs":
		d.Inputs = r.dict(name)
	case "policy_types":
		d.PolicyTypes, err = decodeTyped[plan.PolicyType](r, name)
	case "policy_triggers":
		d.PolicyTriggers, err = decodeTyped[plan.PolicyTrigger](r, name)
	case "groups":
		d.Groups, err = decodeTyped[plan.Group](r, name)
	case "scaling_groups":
		d.ScalingGroups, err = decodeTyped[plan.ScalingGroup](r, name)
	case "outputs":
		d.Outputs, err = decodeTyped[plan.Output](r, name)
	case "capabilities":
		d.Capabilities, err = decodeTyped[plan.Output](r, name)
	case "runtime_only_evaluation":
		d.RuntimeOnlyEvaluation = r.flag(name)
	case "resource_tags":
		d.ResourceTags = r.dict(name)
	case "create_execution":
		d.CreateExecutionID = r.str(name)
	case "latest_execution":
		d.LatestExecutionID = r.str(name)
	case "blueprint_id":
		d.BlueprintID = r.str(name)
	}
	return err
}

func decodeTyped[V any](r *request, name string) (map[string]V, error) {
	m := map[string]V{}
	if err := value.Into(r.dict(name), &m); err != nil {
		return nil, badParameter("%s has not the form of a plan: %s", name, err)
	}
	return m, nil
}
