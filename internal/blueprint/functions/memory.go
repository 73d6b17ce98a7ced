package functions

import (
	"context"

	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// Memory is a State that knows all there is to know beforehand. Its JSON is
// what scripts send; every part is optional, and what is looked up and not
// there is a KeyError.
type Memory struct {
	Nodes     []*plan.Node     `json:"nodes"`
	Instances []MemoryInstance `json:"node_instances"`
	Inputs    value.Map        `json:"inputs"`
	Secrets   value.Map        `json:"secrets"` // texts; anything else counts as its JSON

	// Capabilities by deployment id, or by the id of a deployment group.
	Capabilities      map[string]value.Map `json:"capabilities"`
	GroupCapabilities map[string]value.Map `json:"group_capabilities"`

	Labels     value.Map         `json:"labels"`    // lists of values
	Consumers  map[string]string `json:"consumers"` // display name by deployment id
	Deployment value.Map         `json:"deployment"`
	Tenant     value.Map         `json:"tenant"`
}

// MemoryInstance is a node instance as scripts send it.
type MemoryInstance struct {
	plan.NodeInstance
	RuntimeProperties value.Map `json:"runtime_properties"`
	Index             int       `json:"index"`
}

// known makes the State of a Memory; Memory itself can't be one, as its fields
// have the names of a State's methods.
type known struct{ m *Memory }

// State gives the Memory as a State.
func (m *Memory) State() State { return known{m} }

func (k known) Input(_ context.Context, name string) (any, error) {
	return looked(k.m.Inputs, name, "input")
}

func looked(m map[string]any, key, what string) (any, error) {
	v, ok := m[key]
	if !ok {
		return nil, problem.New(problem.KeyMissing, "%s not found: %s", what, key)
	}
	return v, nil
}

func (k known) Node(_ context.Context, id string) (Node, error) {
	for _, n := range k.m.Nodes {
		if n != nil && (n.ID == id || n.ID == "" && n.Name == id) {
			return Node{ID: id, Properties: n.Properties, Relationships: n.Relationships}, nil
		}
	}
	return Node{}, problem.New(problem.KeyMissing, "Node not found: %s", id)
}

func (k known) Instance(_ context.Context, id string) (Instance, error) {
	for _, i := range k.m.Instances {
		if i.ID == id {
			return i.instance(), nil
		}
	}
	return Instance{}, problem.New(problem.KeyMissing, "Instance not found: %s", id)
}

func (k known) Instances(_ context.Context, node string) ([]Instance, error) {
	var list []Instance
	for _, i := range k.m.Instances {
		if i.instance().NodeID == node {
			list = append(list, i.instance())
		}
	}
	return list, nil
}

func (i MemoryInstance) instance() Instance {
	node := i.NodeID
	if node == "" {
		node = i.Name
	}
	return Instance{
		ID: i.ID, NodeID: node, Index: i.Index, RuntimeProperties: i.RuntimeProperties,
		Relationships: i.Relationships, ScalingGroups: i.ScalingGroups,
	}
}

func (k known) Secret(_ context.Context, key string) (string, error) {
	v, err := looked(k.m.Secrets, key, "secret")
	if text, ok := v.(string); ok || err != nil {
		return text, err
	}
	return string(value.Encode(v)), nil
}

func (k known) Capability(_ context.Context, deployment, name string) (any, error) {
	capabilities, ok := k.m.Capabilities[deployment]
	if !ok {
		return nil, problem.New(problem.KeyMissing, "deployment not found: %s", deployment)
	}
	return looked(capabilities, name, "capability of deployment "+deployment)
}

func (k known) GroupCapability(_ context.Context, group string, names any, steps []any) (any, error) {
	capabilities, ok := k.m.GroupCapabilities[group]
	if !ok {
		return nil, problem.New(problem.KeyMissing, "deployment group not found: %s", group)
	}
	if list, several := names.([]any); several {
		values := make([]any, len(list))
		for i, name := range list {
			v, err := k.GroupCapability(context.Background(), group, name, steps)
			if err != nil {
				return nil, err
			}
			values[i] = v
		}
		return values, nil
	}
	v, err := looked(capabilities, value.Text(names), "capability of deployment group "+group)
	if err != nil {
		return nil, err
	}
	found, _, g, _ := descend(v, steps, plainly)
	if g != nil {
		return nil, problem.New(problem.KeyMissing, "capability %s of deployment group %s has no %s", value.Text(names), group, dotted(steps))
	}
	return found, nil
}

func (k known) Label(_ context.Context, key string) ([]string, error) {
	v, err := looked(k.m.Labels, key, "label")
	if err != nil {
		return nil, err
	}
	values, ok := v.([]any)
	if !ok {
		values = []any{v}
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = value.Text(v)
	}
	return texts, nil
}

func (k known) Consumers(context.Context) ([]Consumer, error) {
	var list []Consumer
	for _, id := range value.SortedKeys(k.m.Consumers) {
		list = append(list, Consumer{ID: id, Name: k.m.Consumers[id]})
	}
	return list, nil
}

func (k known) Fact(_ context.Context, entity, property string) (any, error) {
	facts := map[string]value.Map{"deployment": k.m.Deployment, "tenant": k.m.Tenant}
	return looked(facts[entity], property, entity)
}
