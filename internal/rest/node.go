package rest

import (
	"net/http"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
	"windlass/internal/value"
)

// node is a node with the names around it.
type node struct {
	store.Node
	displayName string // of the deployment
}

var nodeShape = shape[node]{name: "Node", fields: append([]field[node]{
	{"id", text, func(n node) any { return n.ID }},
	{"deployment_id", text, func(n node) any { return n.DeploymentID }},
	{"deployment_display_name", text, func(n node) any { return n.displayName }},
	{"blueprint_id", text, func(n node) any { return n.BlueprintID }},
	{"type", text, func(n node) any { return n.Type }},
	{"type_hierarchy", list, func(n node) any { return array(n.TypeHierarchy) }},
	{"properties", dict, func(n node) any { return mapOrEmpty(n.Properties) }},
	{"operations", dict, func(n node) any { return typed(n.Operations) }},
	{"relationships", list, func(n node) any { return array(n.Relationships) }},
	{"plugins", list, func(n node) any { return array(n.Plugins) }},
	{"plugins_to_install", list, func(n node) any { return array(n.PluginsToInstall) }},
	{"host_id", text, func(n node) any { return orNull(n.HostID) }},
	{"number_of_instances", integer, func(n node) any { return n.Scalable.Current }},
	{"planned_number_of_instances", integer, func(n node) any { return n.Scalable.Planned }},
	{"deploy_number_of_instances", integer, func(n node) any { return n.Scalable.Deploy }},
	{"min_number_of_instances", integer, func(n node) any { return n.Scalable.Min }},
	{"max_number_of_instances", integer, func(n node) any { return n.Scalable.Max }},
	{"actual_number_of_instances", integer, func(n node) any { return n.ActualInstances }},
	{"actual_planned_number_of_instances", integer, func(n node) any { return n.Scalable.Planned }},
	{"unavailable_instances", integer, func(n node) any { return n.UnavailableInstances }},
	{"drifted_instances", integer, func(n node) any { return n.DriftedInstances }},
}, ownedFields(func(n node) store.Owned {
	return store.Owned{Tenant: n.Tenant, Visibility: n.Visibility, CreatedBy: n.CreatedBy}
})...)}

var nodeList = listed{filters: []string{"deployment_id", "blueprint_id", "id", "type", "host_id", "tenant_name", "created_by"}}

func (s *server) listNodes(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, nodeList)
	if err != nil {
		return err
	}
	return s.replyNodes(w, r, q, nil)
}

func (s *server) replyNodes(w http.ResponseWriter, r *request, q listing, rules []rule) error {
	evaluate, err := r.queryFlag("_evaluate_functions", false)
	if err != nil {
		return err
	}
	page, filtered, err := filtering(r.Context(), q, rules, s.Store.ListNodes, func(store.Node) []store.Label { return nil })
	if err != nil {
		return err
	}
	names := s.displayNames(r)
	out := mapPage(page, func(n store.Node) node { return node{Node: n, displayName: names(n.Tenant, n.DeploymentID)} })
	if evaluate {
		for i := range out.Items {
			if err := s.evaluateNode(r, &out.Items[i]); err != nil {
				return err
			}
		}
	}
	return replyFiltered(w, q, nodeShape, out, filtered)
}

// displayNames looks up the names of deployments, each once a request. A
// deployment that has gone meanwhile is called by its id.
func (s *server) displayNames(r *request) func(tenant, id string) string {
	known := map[[2]string]string{}
	return func(tenant, id string) string {
		key := [2]string{tenant, id}
		if _, ok := known[key]; !ok {
			known[key] = id
			if d, err := s.Store.GetDeployment(r.Context(), tenant, id); err == nil {
				known[key] = d.DisplayName
			}
		}
		return known[key]
	}
}

// evaluateNode replaces the functions in a node's properties by their values.
func (s *server) evaluateNode(r *request, n *node) error {
	scope := object{"node": n.ID}
	if instance := r.query.Get("_instance_context"); instance != "" {
		scope["self"] = instance
	}
	properties, err := s.Catalog.EvaluateFunctions(r.Context(), n.Tenant, n.DeploymentID, mapOrEmpty(n.Properties).(object), scope)
	if err != nil {
		return err
	}
	n.Properties = properties
	return nil
}

// postNodes stores nodes in bulk, in the form of a plan.
func (s *server) postNodes(w http.ResponseWriter, r *request) error {
	raw := r.list("nodes")
	if len(raw) == 0 {
		return done(w)
	}
	d, err := s.visibleDeployment(r, r.str("deployment_id"))
	if err != nil {
		return err
	}
	if err := r.caller.CheckChange(r.tenant, d.Owned, d.ID); err != nil {
		return err
	}
	nodes := make([]store.Node, len(raw))
	for i, item := range raw {
		if nodes[i], err = postedNode(item); err != nil {
			return err
		}
		n := &nodes[i]
		n.Tenant, n.DeploymentID, n.BlueprintID, n.Visibility, n.Position = d.Tenant, d.ID, d.BlueprintID, d.Visibility, i
		if n.CreatedBy == "" {
			n.CreatedBy = r.caller.Username
		}
	}
	if err := s.Store.Write(r.Context(), func(tx store.Tx) error { return tx.AddNodes(r.Context(), nodes) }); err != nil {
		return err
	}
	writeJSON(w, http.StatusCreated, nil)
	return nil
}

// postedNode reads a node in the plan's form, or in that of GET /nodes.
func postedNode(item any) (store.Node, error) {
	m, isMap := item.(map[string]any)
	if !isMap {
		return store.Node{}, wrongType("node", dict, item)
	}
	var p plan.Node
	if err := value.Into(m, &p); err != nil {
		return store.Node{}, badParameter("A node has not the form of a plan: %s", err)
	}
	n := store.Node{
		ID: p.ID, Type: p.Type, TypeHierarchy: p.TypeHierarchy, Properties: p.Properties, Operations: p.Operations,
		Relationships: p.Relationships, Plugins: p.Plugins, PluginsToInstall: p.PluginsToInstall, HostID: p.HostID,
		CreatedBy: textOf(m["creator"]),
	}
	if n.ID == "" || n.Type == "" {
		return n, badParameter("A node needs an id and a type")
	}
	scalable := p.Capabilities.Scalable.Properties
	for _, c := range []struct {
		target *int
		flat   string
		plan   any
		def    int
	}{
		{&n.Scalable.Current, "number_of_instances", scalable.Current.V, 1},
		{&n.Scalable.Planned, "planned_number_of_instances", scalable.Planned.V, 1},
		{&n.Scalable.Deploy, "deploy_number_of_instances", scalable.Default.V, 1},
		{&n.Scalable.Min, "min_number_of_instances", scalable.Min.V, 1},
		{&n.Scalable.Max, "max_number_of_instances", scalable.Max.V, plan.Unbounded},
	} {
		*c.target = c.def
		for _, v := range []any{c.plan, m[c.flat]} {
			if i, isInt := v.(int64); isInt {
				*c.target = int(i)
			}
		}
	}
	return n, nil
}

// duringUpdate refuses calls that only a deployment update may make.
func (r *request) duringUpdate() error {
	if r.caller.Execution != nil && isUpdate(r.caller.Execution.WorkflowID) {
		return nil
	}
	return fail("only_deployment_update", "Only a deployment update may do this")
}

func (s *server) patchNode(w http.ResponseWriter, r *request) error {
	if err := r.duringUpdate(); err != nil {
		return err
	}
	err := s.Store.Write(r.Context(), func(tx store.Tx) error {
		n, err := tx.GetNode(r.Context(), r.tenant, r.PathValue("deployment"), r.PathValue("id"))
		if err != nil {
			return err
		}
		if err := applyToNode(r, &n); err != nil {
			return err
		}
		return tx.UpdateNode(r.Context(), n)
	})
	if err != nil {
		return err
	}
	return done(w)
}

func applyToNode(r *request, n *store.Node) error {
	for _, part := range []struct {
		name   string
		target any
	}{{"plugins", &n.Plugins}, {"operations", &n.Operations}, {"relationships", &n.Relationships}} {
		if !r.has(part.name) {
			continue
		}
		if err := value.Into(r.body[part.name], part.target); err != nil {
			return badParameter("%s has not the form of a plan: %s", part.name, err)
		}
	}
	if r.has("properties") {
		n.Properties = r.dict("properties")
	}
	if r.has("capabilities") {
		var c plan.NodeCapabilities
		if err := value.Into(r.dict("capabilities"), &c); err != nil {
			return badParameter("capabilities has not the form of a plan: %s", err)
		}
		p := c.Scalable.Properties
		for target, v := range map[*int]any{
			&n.Scalable.Current: p.Current.V, &n.Scalable.Planned: p.Planned.V, &n.Scalable.Deploy: p.Default.V,
			&n.Scalable.Min: p.Min.V, &n.Scalable.Max: p.Max.V,
		} {
			if i, isInt := v.(int64); isInt {
				*target = int(i)
			}
		}
	}
	return nil
}
