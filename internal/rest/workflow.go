package rest

import (
	"net/http"
	"slices"

	"windlass/internal/blueprint/plan"
	"windlass/internal/execution"
	"windlass/internal/store"
	"windlass/internal/value"
)

// workflow is a workflow with its name, and whether its rules let it run as
// things are.
type workflow struct {
	name string
	plan.Workflow
	available bool
}

var workflowShape = shape[workflow]{name: "Workflow", fields: []field[workflow]{
	{"name", text, func(w workflow) any { return w.name }},
	{"plugin", text, func(w workflow) any { return w.Plugin }},
	{"operation", text, func(w workflow) any { return w.Operation }},
	{"parameters", dict, func(w workflow) any { return typed(w.Parameters) }},
	{"is_cascading", boolean, func(w workflow) any { return w.IsCascading }},
	{"is_available", boolean, func(w workflow) any { return w.available }},
	{"availability_rules", dict, func(w workflow) any {
		if w.AvailabilityRules == nil {
			return nil
		}
		return w.AvailabilityRules
	}},
}}

func workflowsOut(d deployment) any {
	out := make([]any, 0, len(d.Workflows))
	for _, name := range value.SortedKeys(d.Workflows) {
		w := d.Workflows[name]
		out = append(out, workflowShape.encode(workflow{name, w, execution.IsAvailable(w.AvailabilityRules, d.topology)}, nil))
	}
	return out
}

func (s *server) listWorkflows(w http.ResponseWriter, r *request) error {
	q, rules, err := s.deploymentSearch(r, workflowSearch)
	if err != nil {
		return err
	}
	return s.replyWorkflows(w, r, q, rules)
}

// replyWorkflows lists the workflows of the deployments that match: those that any
// of them has, available if it is for one; or those that all of them have,
// available if it is for all.
func (s *server) replyWorkflows(w http.ResponseWriter, r *request, q listing, rules []rule) error {
	commonOnly, err := r.queryFlag("_common_only", false)
	if err != nil {
		return err
	}
	all := q
	all.Limit, all.Offset = 0, 0
	page, filtered, err := s.findDeployments(r, all, rules)
	if err != nil {
		return err
	}
	topologies, err := execution.Topologies(r.Context(), s.Store, page.Items)
	if err != nil {
		return err
	}
	found, count, available := map[string]plan.Workflow{}, map[string]int{}, map[string]int{}
	for _, d := range page.Items {
		topology := topologies[store.DeploymentKey{Tenant: d.Tenant, ID: d.ID}]
		for name, wf := range d.Workflows {
			if _, known := found[name]; !known {
				found[name] = wf
			}
			count[name]++
			if execution.IsAvailable(wf.AvailabilityRules, topology) {
				available[name]++
			}
		}
	}
	var items []workflow
	for _, name := range value.SortedKeys(found) {
		switch {
		case !commonOnly:
			items = append(items, workflow{name, found[name], available[name] > 0})
		case count[name] == len(page.Items):
			items = append(items, workflow{name, found[name], available[name] == len(page.Items)})
		}
	}
	items = slices.Clip(items)
	var out store.Page[workflow] = slicePage(items, q)
	return replyFiltered(w, q, workflowShape, out, filtered)
}

func (s *server) evaluateFunctions(w http.ResponseWriter, r *request) error {
	d, err := s.visibleDeployment(r, r.str("deployment_id"))
	if err != nil {
		return err
	}
	payload, err := s.Catalog.EvaluateFunctions(r.Context(), d.Tenant, d.ID, r.dict("payload"), r.dict("context"))
	if err != nil {
		return err
	}
	return ok(w, object{"deployment_id": d.ID, "payload": mapOrEmpty(payload)})
}
