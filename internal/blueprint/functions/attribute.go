package functions

import (
	"errors"
	"slices"

	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// getAttribute is get_attribute: a runtime property of a node instance, or
// else a property of its node.
type getAttribute struct {
	runtime
	resolved
}

func (getAttribute) describe() Definition {
	return Definition{
		Summary:  "A runtime property of a node instance, or else a property of its node.",
		Forms:    []string{"[node, SELF, SOURCE or TARGET, attribute, key or index, ...]"},
		Argument: schemaSteps(2),
	}
}

func (getAttribute) check(c call) *problem.Problem { return checkAttribute(c) }

const nodeAndAttribute = `[ node_name\function, attribute_name\function [, nested-attribute-1\function, ... ]`

func checkAttribute(c call) *problem.Problem {
	if _, ok := steps(c.args, 2); !ok {
		return illegal(c, nodeAndAttribute)
	}
	return nil
}

func (getAttribute) validate(c call, at place, u upload) *problem.Problem {
	return validateNode(c, c.args.([]any), at, u)
}

func (getAttribute) evaluate(e *evaluator, c call, at place) (any, error) {
	list := c.args.([]any)
	i, err := oneInstance(e, c, value.Text(list[0]), at)
	if err != nil {
		var p *problem.Problem
		if at.run.Outputs && errors.As(err, &p) && p.Kind == problem.FunctionEvaluation {
			return "<ERROR: " + p.Message + ">", nil
		}
		return nil, err
	}
	return attribute(e, c, i, list[1:], at)
}

// attribute gives a value of an instance: from its runtime properties, from
// what every instance has, from its node's properties, or null.
func attribute(e *evaluator, c call, i Instance, way []any, at place) (any, error) {
	inner := inside(at, i.NodeID, i.ID)
	v, err := attributeIn(e, c, i.RuntimeProperties, "node_instances."+i.ID+".runtime_properties.", i.NodeID, way, inner)
	if err != nil || v != nil {
		return v, err
	}
	if len(way) == 1 {
		switch way[0] {
		case "node_instance_id":
			return i.ID, nil
		case "node_instance_index":
			return int64(i.Index), nil
		}
	}
	n, err := e.facts.Node(e.ctx, i.NodeID)
	if err != nil {
		return nil, err
	}
	return attributeIn(e, c, n.Properties, "nodes."+i.NodeID+".properties.", i.NodeID, way, inner)
}

func attributeIn(e *evaluator, c call, properties map[string]any, name, node string, way []any, at place) (any, error) {
	v, left, g, err := descend(properties, way, func(v any, done int) (any, error) {
		return e.refer(name+dotted(way[:done]), v, at, false)
	})
	if err != nil || left {
		return nil, err
	}
	if g != nil && g.why == noNumber {
		return nil, unable(c, "Node template property '%s.properties.%s' referenced from '%s' is expected %s to be an int but it is a %s.",
			node, dotted(way), at.path, value.Text(way[g.step]), value.TypeName(way[g.step]))
	}
	return v, nil // null where there is nothing
}

// getAttributesList is get_attributes_list: an attribute of every instance.
type getAttributesList struct {
	runtime
	resolved
}

func (getAttributesList) describe() Definition {
	return Definition{
		Summary:  "The list of an attribute's values in all instances of a node, null where one has none.",
		Forms:    []string{"[node, attribute, key or index, ...]"},
		Argument: schemaSteps(2),
	}
}

func (getAttributesList) check(c call) *problem.Problem { return checkAttribute(c) }

func (getAttributesList) validate(c call, at place, u upload) *problem.Problem {
	return validateNode(c, c.args.([]any), at, u)
}

func (getAttributesList) evaluate(e *evaluator, c call, at place) (any, error) {
	list := c.args.([]any)
	instances, err := allInstances(e, c, value.Text(list[0]), at)
	if err != nil {
		return nil, err
	}
	values := make([]any, len(instances))
	for n, i := range instances {
		if values[n], err = attribute(e, c, i, list[1:], at); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// getAttributesDict is get_attributes_dict: several attributes of every
// instance.
type getAttributesDict struct {
	runtime
	resolved
}

func (getAttributesDict) describe() Definition {
	return Definition{
		Summary:  "The values of attributes in all instances of a node, by instance and dotted attribute name.",
		Forms:    []string{"[node, attribute or [attribute, key or index, ...], ...]"},
		Argument: fragment{"type": "array", "minItems": int64(2), "items": oneOf(schemaStep(), schemaSteps(1))},
	}
}

// ways gives the paths of the attributes; ok is false for a bad argument.
func (getAttributesDict) ways(c call) (ways [][]any, ok bool) {
	list, ok := c.args.([]any)
	if !ok || len(list) == 0 || !isStep(list[0]) {
		return nil, false
	}
	for _, a := range list[1:] {
		way := []any{a}
		if nested, isList := a.([]any); isList {
			way = nested
		}
		if _, ok := steps(way, 1); !ok {
			return nil, false
		}
		ways = append(ways, way)
	}
	return ways, true
}

func (f getAttributesDict) check(c call) *problem.Problem {
	ways, ok := f.ways(c)
	if !ok {
		return illegal(c, `[ node_name\function, list of attribute_name\function or [attribute_name\function, nested-attribute-1\function], ... ]`)
	}
	var names, twice []string
	for _, way := range ways {
		name := dotted(way)
		if slices.Contains(names, name) && !slices.Contains(twice, name) {
			twice = append(twice, name)
		}
		names = append(names, name)
	}
	if len(twice) > 0 {
		list := make([]any, len(twice))
		for i, t := range twice {
			list[i] = t
		}
		return unable(c, "One or more duplicated or ambiguous attribute paths found: %s", listed(list))
	}
	return nil
}

func (getAttributesDict) validate(c call, at place, u upload) *problem.Problem {
	return validateNode(c, c.args.([]any)[:1], at, u)
}

func (f getAttributesDict) evaluate(e *evaluator, c call, at place) (any, error) {
	ways, _ := f.ways(c)
	instances, err := allInstances(e, c, value.Text(c.args.([]any)[0]), at)
	if err != nil {
		return nil, err
	}
	result := make(map[string]any, len(instances))
	for _, i := range instances {
		values := make(map[string]any, len(ways))
		for _, way := range ways {
			if values[dotted(way)], err = attribute(e, c, i, way, at); err != nil {
				return nil, err
			}
		}
		result[i.ID] = values
	}
	return result, nil
}

// allInstances gives the instances of the node that an argument means.
func allInstances(e *evaluator, c call, argument string, at place) ([]Instance, error) {
	node := argument
	switch argument {
	case self, source, target:
		i, known, err := roleInstance(e, argument, at)
		switch {
		case err != nil:
			return nil, err
		case known:
			node = i.NodeID
		case argument == self && at.node != "":
			node = at.node
		default:
			return nil, noRole(c, argument, at)
		}
	}
	if _, err := e.facts.Node(e.ctx, node); err != nil {
		return nil, err
	}
	return e.state.Instances(e.ctx, node)
}
