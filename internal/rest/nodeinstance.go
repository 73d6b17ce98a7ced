package rest

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
	"windlass/internal/value"
)

var instanceShape = shape[store.NodeInstance]{name: "NodeInstance", fields: append([]field[store.NodeInstance]{
	{"id", text, func(n store.NodeInstance) any { return n.ID }},
	{"node_id", text, func(n store.NodeInstance) any { return n.NodeID }},
	{"deployment_id", text, func(n store.NodeInstance) any { return n.DeploymentID }},
	{"host_id", text, func(n store.NodeInstance) any { return orNull(n.HostID) }},
	{"index", integer, func(n store.NodeInstance) any { return n.Index }},
	{"state", text, func(n store.NodeInstance) any { return n.State }},
	{"version", integer, func(n store.NodeInstance) any { return n.Version }},
	{"runtime_properties", dict, func(n store.NodeInstance) any { return mapOrEmpty(n.RuntimeProperties) }},
	{"system_properties", dict, func(n store.NodeInstance) any { return mapOrNull(n.SystemProperties) }},
	{"relationships", list, func(n store.NodeInstance) any { return array(n.Relationships) }},
	{"scaling_groups", list, func(n store.NodeInstance) any { return array(n.ScalingGroups) }},
	{"is_status_check_ok", boolean, func(n store.NodeInstance) any { return statusIsOK(n.SystemProperties) }},
	{"has_configuration_drift", boolean, func(n store.NodeInstance) any { return hasDrift(n.SystemProperties) }},
}, ownedFields(func(n store.NodeInstance) store.Owned {
	return store.Owned{Tenant: n.Tenant, Visibility: n.Visibility, CreatedBy: n.CreatedBy}
})...)}

var instanceList = listed{
	filters: []string{"deployment_id", "node_id", "id", "host_id", "state", "tenant_name", "created_by", "index"},
}

// statusIsOK tells whether the last status check went well.
func statusIsOK(system map[string]any) bool {
	status, _ := system["status"].(map[string]any)
	good, _ := status["ok"].(bool)
	return good
}

// hasDrift tells whether the last drift check, of the instance or of one of
// its relationships, found something.
func hasDrift(system map[string]any) bool {
	if drifted(system["configuration_drift"]) {
		return true
	}
	for _, side := range []string{"source_relationships_configuration_drift", "target_relationships_configuration_drift"} {
		entries, _ := system[side].(map[string]any)
		for _, e := range entries {
			if drifted(e) {
				return true
			}
		}
	}
	return false
}

func drifted(entry any) bool {
	m, isMap := entry.(map[string]any)
	if !isMap {
		return false
	}
	if good, given := m["ok"].(bool); given && !good {
		return true
	}
	return m["result"] != nil
}

func (s *server) listInstances(w http.ResponseWriter, r *request) error {
	q, err := s.listing(r, instanceList)
	if err != nil {
		return err
	}
	return s.replyInstances(w, r, q, nil)
}

func (s *server) replyInstances(w http.ResponseWriter, r *request, q listing, rules []rule) error {
	evaluate, err := r.queryFlag("_evaluate_functions", false)
	if err != nil {
		return err
	}
	page, filtered, err := filtering(r.Context(), q, rules, s.Store.ListInstances, func(store.NodeInstance) []store.Label { return nil })
	if err != nil {
		return err
	}
	if evaluate {
		for i := range page.Items {
			if err := s.evaluateInstance(r, &page.Items[i]); err != nil {
				return err
			}
		}
	}
	return replyFiltered(w, q, instanceShape, page, filtered)
}

func (s *server) evaluateInstance(r *request, n *store.NodeInstance) error {
	values, err := s.Catalog.EvaluateFunctions(r.Context(), n.Tenant, n.DeploymentID,
		mapOrEmpty(n.RuntimeProperties).(object), object{"self": n.ID})
	if err != nil {
		return err
	}
	n.RuntimeProperties = values
	return nil
}

// findInstance reads the instance that the path names, if the caller sees it.
func (s *server) findInstance(r *request) (store.NodeInstance, error) {
	id := r.PathValue("id")
	n, err := s.Store.GetInstance(r.Context(), r.tenant, id)
	if err != nil {
		return n, err
	}
	return n, r.sees(store.Owned{Tenant: n.Tenant, Visibility: n.Visibility, CreatedBy: n.CreatedBy}, "NodeInstance", id)
}

func (s *server) getInstance(w http.ResponseWriter, r *request) error {
	evaluate, err := r.queryFlag("_evaluate_functions", false)
	if err != nil {
		return err
	}
	n, err := s.findInstance(r)
	if err != nil {
		return err
	}
	if evaluate {
		if err := s.evaluateInstance(r, &n); err != nil {
			return err
		}
	}
	return replyOne(w, r, http.StatusOK, instanceShape, n)
}

func (s *server) patchInstance(w http.ResponseWriter, r *request) error {
	force, err := r.queryFlag("force", false)
	if err != nil {
		return err
	}
	version := r.num("version")
	if version < 0 {
		return badParameter("version parameter must not be negative, got %d", version)
	}
	n, err := s.findInstance(r)
	if err != nil {
		return err
	}
	u := store.InstanceUpdate{
		Tenant: n.Tenant, ID: n.ID, Version: version, Force: force, State: r.str("state"),
		RuntimeProperties: r.dict("runtime_properties"), SystemProperties: r.dict("system_properties"),
	}
	if r.has("relationships") {
		if err := r.duringUpdate(); err != nil {
			return err
		}
		u.Relationships = []plan.InstanceRelationship{}
		if err := value.Into(r.list("relationships"), &u.Relationships); err != nil {
			return badParameter("relationships must be a list of {type, target_name, target_id}")
		}
	}
	current := 0
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		was, err := tx.GetInstance(r.Context(), u.Tenant, u.ID)
		if err != nil {
			return err
		}
		current = was.Version
		n, err = tx.UpdateInstance(r.Context(), u)
		return err
	})
	if errors.Is(err, store.ErrVersion) {
		return fail("conflict_error", "Node instance update conflict [current version=%d, update version=%d]", current, version)
	}
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, instanceShape, n)
}

// postInstances stores instances in bulk, in the form of a plan.
func (s *server) postInstances(w http.ResponseWriter, r *request) error {
	raw := r.list("node_instances")
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
	instances := make([]store.NodeInstance, len(raw))
	next := map[string]int{}
	for i, item := range raw {
		n, err := postedInstance(item)
		if err != nil {
			return err
		}
		n.Tenant, n.DeploymentID, n.Visibility = d.Tenant, d.ID, d.Visibility
		if n.CreatedBy == "" {
			n.CreatedBy = r.caller.Username
		}
		if n.Index == 0 {
			if next[n.NodeID] == 0 {
				q := store.Query{Tenants: []string{d.Tenant}, Limit: 1, Filters: []store.Filter{
					{Field: "deployment_id", Values: []string{d.ID}}, {Field: "node_id", Values: []string{n.NodeID}},
				}}
				page, err := s.Store.ListInstances(r.Context(), q)
				if err != nil {
					return err
				}
				next[n.NodeID] = page.Total
			}
			next[n.NodeID]++
			n.Index = next[n.NodeID]
		}
		instances[i] = n
	}
	if err := renameClashing(r.Context(), s.Store, instances); err != nil {
		return err
	}
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		if err := tx.AddInstances(r.Context(), instances); err != nil {
			return err
		}
		return tx.RefreshDeploymentStatus(r.Context(), d.Tenant, d.ID)
	})
	if err != nil {
		return err
	}
	q := listing{size: len(instances)}
	items := make([]any, len(instances))
	for i, n := range instances {
		items[i] = instanceShape.encode(n, nil)
	}
	writeJSON(w, http.StatusCreated, q.envelope(items, len(items), nil))
	return nil
}

// renameClashing gives new ids to instances whose ids are taken in the tenant,
// and puts right what refers to them.
func renameClashing(ctx context.Context, known store.NodeReader, instances []store.NodeInstance) error {
	renamed := map[string]string{}
	for i := range instances {
		n := &instances[i]
		if _, err := known.GetInstance(ctx, n.Tenant, n.ID); errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return err
		}
		fresh := n.NodeID + "_" + strings.ReplaceAll(uuid.NewString(), "-", "")[:8]
		renamed[n.ID], n.ID = fresh, fresh
	}
	if len(renamed) == 0 {
		return nil
	}
	for i := range instances {
		n := &instances[i]
		if fresh, is := renamed[n.HostID]; is {
			n.HostID = fresh
		}
		for j, rel := range n.Relationships {
			if fresh, is := renamed[rel.TargetID]; is {
				n.Relationships[j].TargetID = fresh
			}
		}
	}
	return nil
}

func postedInstance(item any) (store.NodeInstance, error) {
	m, isMap := item.(map[string]any)
	if !isMap {
		return store.NodeInstance{}, wrongType("node_instance", dict, item)
	}
	var p plan.NodeInstance
	if err := value.Into(m, &p); err != nil {
		return store.NodeInstance{}, badParameter("A node instance has not the form of a plan: %s", err)
	}
	n := store.NodeInstance{
		ID: p.ID, NodeID: p.NodeID, HostID: p.HostID, State: textOf(m["state"]), Version: 1,
		Relationships: p.Relationships, ScalingGroups: p.ScalingGroups, CreatedBy: textOf(m["creator"]),
	}
	if n.NodeID == "" {
		n.NodeID = p.Name
	}
	if n.NodeID == "" {
		n.NodeID, _, _ = strings.Cut(n.ID, "_")
	}
	if n.ID == "" || n.NodeID == "" {
		return n, badParameter("A node instance needs an id and a node_id")
	}
	if n.State == "" {
		n.State = "uninitialized"
	}
	if i, isInt := m["index"].(int64); isInt {
		n.Index = int(i)
	}
	n.RuntimeProperties, _ = m["runtime_properties"].(map[string]any)
	n.SystemProperties, _ = m["system_properties"].(map[string]any)
	return n, nil
}

func (s *server) deleteInstance(w http.ResponseWriter, r *request) error {
	if err := r.duringUpdate(); err != nil {
		return err
	}
	n, err := s.findInstance(r)
	if err != nil {
		return err
	}
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		if err := tx.DeleteInstances(r.Context(), n.Tenant, []string{n.ID}); err != nil {
			return err
		}
		return tx.RefreshDeploymentStatus(r.Context(), n.Tenant, n.DeploymentID)
	})
	if err != nil {
		return err
	}
	return done(w)
}
