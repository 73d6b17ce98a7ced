package execution

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/schema"
	"windlass/internal/store"
	"windlass/internal/value"
)

// objects are the things that parameters of object types (node_id,
// deployment_id and so on) may name: those that the deployment's tenant sees.
type objects struct {
	ctx        context.Context // of the one check that objects are made for
	reader     store.Reader
	deployment store.Deployment
	evaluate   func(d store.Deployment, payload any) (any, error)
	// blueprint stands for a deployment that is being made: names of nodes are
	// looked up in it.
	blueprint *plan.Plan
}

// InputObjects are the things that inputs of object types may name when a
// deployment is made of the blueprint. Only ctx's check may use them.
func InputObjects(ctx context.Context, reader store.Reader, tenant string, blueprint *plan.Plan,
	evaluate func(d store.Deployment, payload any) (any, error),
) schema.Candidates {
	return objects{
		ctx: ctx, reader: reader, deployment: store.Deployment{Owned: store.Owned{Tenant: tenant}},
		evaluate: evaluate, blueprint: blueprint,
	}
}

var _ schema.Candidates = objects{}

func (o objects) HasDeployment() bool { return o.blueprint == nil }

func (o objects) HasBlueprint() bool { return true }

// Values looks for wanted among the objects of the type that match the query.
func (o objects) Values(typeName string, wanted any, query map[string]any) ([]any, error) {
	if allowed, ok := query["valid_values"].([]any); ok && typeName != "node_type" &&
		!slices.ContainsFunc(allowed, func(v any) bool { return value.Equal(v, wanted) }) {
		return nil, nil
	}
	if typeName == "capability_value" {
		return o.capabilities(query)
	}
	id, ok := wanted.(string)
	if !ok {
		return nil, nil
	}
	found, err := o.has(typeName, id, query)
	if errors.Is(err, store.ErrNotFound) || err == nil && !found {
		return nil, nil
	}
	return []any{wanted}, err
}

func (o objects) has(typeName, id string, query map[string]any) (bool, error) {
	switch typeName {
	case "blueprint_id":
		b, err := o.reader.GetBlueprint(o.ctx, o.deployment.Tenant, id)
		if err != nil || !fits(b.ID, query["id_specs"]) || !inTenants(b.Owned, query["tenants"]) || !hasLabels(b.Labels, query["labels"]) {
			return false, err
		}
		return o.passes(store.FilterBlueprints, id, b.Labels, query["filter_id"])
	case "deployment_id":
		d, err := o.reader.GetDeployment(o.ctx, o.deployment.Tenant, id)
		if err != nil || !fits(d.DisplayName, query["display_name_specs"]) || !inTenants(d.Owned, query["tenants"]) ||
			!hasLabels(d.Labels, query["labels"]) {
			return false, err
		}
		return o.passes(store.FilterDeployments, id, d.Labels, query["filter_id"])
	case "secret_key":
		s, err := o.reader.GetSecret(o.ctx, o.deployment.Tenant, id)
		return err == nil && fits(s.Key, query["key_specs"]), err
	case "node_instance":
		d, err := o.of(query)
		if err != nil {
			return false, err
		}
		i, err := o.reader.GetInstance(o.ctx, d.Tenant, id)
		return err == nil && i.DeploymentID == d.ID && fits(id, query["id_specs"]), err
	case "scaling_group":
		d, err := o.of(query)
		_, ok := d.ScalingGroups[id]
		if o.inBlueprint(query) {
			_, ok = o.blueprint.ScalingGroups[id]
		}
		return ok && fits(id, query["scaling_group_name_specs"]), err
	}
	return o.hasNode(typeName, id, query)
}

// hasNode looks for node ids, node types and operation names.
func (o objects) hasNode(typeName, name string, query map[string]any) (bool, error) {
	if o.inBlueprint(query) {
		return slices.ContainsFunc(o.blueprint.Nodes, func(n *plan.Node) bool {
			return isNamed(typeName, name, query, n.ID, n.TypeHierarchy, n.Operations)
		}), nil
	}
	d, err := o.of(query)
	if err != nil {
		return false, err
	}
	nodes, err := o.reader.ListNodes(o.ctx, store.Query{Filters: []store.Filter{
		tenantIs(d.Tenant), {Field: "deployment_id", Values: []string{d.ID}},
	}})
	return slices.ContainsFunc(nodes.Items, func(n store.Node) bool {
		return isNamed(typeName, name, query, n.ID, n.TypeHierarchy, n.Operations)
	}), err
}

// isNamed tells whether a node is, or has, what the name stands for. A node's type
// is the last of its types, and valid if any of them is.
func isNamed(typeName, name string, query map[string]any, id string, types []string, operations map[string]*plan.Operation) bool {
	switch typeName {
	case "node_id":
		return id == name && fits(name, query["id_specs"])
	case "node_type":
		allowed, limited := query["valid_values"].([]any)
		return len(types) > 0 && types[len(types)-1] == name && fits(name, query["type_specs"]) &&
			(!limited || slices.ContainsFunc(types, func(t string) bool { return slices.Contains(allowed, any(t)) }))
	}
	_, ok := operations[name]
	return ok && fits(name, query["operation_name_specs"])
}

// inBlueprint tells whether names are looked up in the blueprint.
func (o objects) inBlueprint(query map[string]any) bool {
	return o.blueprint != nil && query["deployment_id"] == nil
}

// of is the deployment that names are looked up in.
func (o objects) of(query map[string]any) (store.Deployment, error) {
	id, ok := query["deployment_id"].(string)
	if !ok || id == o.deployment.ID {
		return o.deployment, nil
	}
	return o.reader.GetDeployment(o.ctx, o.deployment.Tenant, id)
}

func (o objects) capabilities(query map[string]any) ([]any, error) {
	d, err := o.of(query)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var values []any
	for _, name := range value.SortedKeys(d.Capabilities) {
		if !fits(name, query["capability_key_specs"]) {
			continue
		}
		v := d.Capabilities[name].Value.V
		if o.evaluate != nil {
			if v, err = o.evaluate(d, v); err != nil {
				return nil, fmt.Errorf("evaluate capability %s of deployment %s: %w", name, d.ID, err)
			}
		}
		values = append(values, v)
	}
	return values, nil
}

// fits tells whether a name meets all patterns of a name_pattern constraint.
func fits(name string, patterns any) bool {
	specs, ok := patterns.(map[string]any)
	if !ok {
		return true
	}
	for how, written := range specs {
		accepted, ok := written.([]any)
		if !ok {
			accepted = []any{written}
		}
		if !slices.ContainsFunc(accepted, func(p any) bool {
			return matchesName(name, how, value.Text(p))
		}) {
			return false
		}
	}
	return true
}

func matchesName(name, how, pattern string) bool {
	switch how {
	case "starts_with":
		return strings.HasPrefix(name, pattern)
	case "ends_with":
		return strings.HasSuffix(name, pattern)
	case "contains":
		return strings.Contains(name, pattern)
	case "equals_to":
		return name == pattern
	}
	return false
}

func inTenants(o store.Owned, tenants any) bool {
	names, ok := tenants.([]any)
	return !ok || slices.Contains(names, any(o.Tenant))
}

// hasLabels tells whether all labels of a labels constraint, a list of maps of
// one or several values to a key, are there.
func hasLabels(have []store.Label, wanted any) bool {
	items, _ := wanted.([]any)
	for _, item := range items {
		pairs, _ := item.(map[string]any)
		for key, written := range pairs {
			values, ok := written.([]any)
			if !ok {
				values = []any{written}
			}
			if !slices.ContainsFunc(have, func(l store.Label) bool {
				return l.Key == key && slices.Contains(values, any(l.Value))
			}) {
				return false
			}
		}
	}
	return true
}
