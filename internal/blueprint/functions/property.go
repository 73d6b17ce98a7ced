package functions

import (
	"slices"

	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// getProperty is get_property: a property of a node, or a part of it.
type getProperty struct {
	hybrid
	resolved
}

func (getProperty) describe() Definition {
	return Definition{
		Summary:  "A property of a node, or a part of it.",
		Forms:    []string{"[node, SELF, SOURCE or TARGET, property, key or index, ...]"},
		Argument: schemaSteps(2),
	}
}

const nodeAndPath = `[ node_name\function, property_name\function [, nested-property-1\function, ... ]`

func (getProperty) check(c call) *problem.Problem {
	if _, ok := steps(c.args, 2); !ok {
		return illegal(c, nodeAndPath)
	}
	return nil
}

func (f getProperty) validate(c call, at place, u upload) *problem.Problem {
	list := c.args.([]any)
	if slices.ContainsFunc(list, Is) {
		return nil
	}
	name, p := f.nodeName(value.Text(list[0]), at)
	if p != nil {
		return p
	}
	n := u.nodes[name]
	if n == nil {
		return noNode(name).WithHint("%s", nearest(name, value.SortedKeys(u.nodes)))
	}
	_, _, g, _ := descend(map[string]any(n.Properties), list[1:], plainly)
	if g != nil {
		return f.explain(c, name, list[1:], at, g)
	}
	return nil
}

// nodeName gives the node that an argument means where the plan tells.
func (getProperty) nodeName(argument string, at place) (string, *problem.Problem) {
	switch argument {
	case self:
		if at.scope != inNode {
			return "", problem.New(problem.BadValue,
				"%s can only be used in a context of node template but appears in %s.", self, scopeText(at))
		}
		return at.node, nil
	case source, target:
		if at.scope != inRelationship {
			return "", problem.New(problem.BadValue,
				"%s can only be used within a relationship but is used in %s", argument, at.path)
		}
		if argument == source {
			return at.source, nil
		}
		return at.target, nil
	}
	return argument, nil
}

func scopeText(at place) string {
	if at.scope == "" {
		return "None"
	}
	return at.scope
}

func (f getProperty) evaluate(e *evaluator, c call, at place) (any, error) {
	list := c.args.([]any)
	if slices.ContainsFunc(list, Is) {
		return nil, unable(c, "found an unresolved argument in path: %s, %s", value.Text(list[0]), value.Text(list[1:]))
	}
	name, inner, err := f.node(e, value.Text(list[0]), at)
	if err != nil {
		return nil, err
	}
	n, err := e.facts.Node(e.ctx, name)
	if err != nil {
		return nil, err
	}
	way := list[1:]
	v, left, g, err := descend(n.Properties, way, func(v any, done int) (any, error) {
		if done == len(way) && value.Equal(v, c.raw) {
			return c.raw, nil // a property that is itself: it stays so
		}
		return e.refer("nodes."+name+".properties."+dotted(way[:done]), v, inner, true)
	})
	switch {
	case err != nil:
		return nil, err
	case left:
		return c.raw, nil // what it leads through is known at run time only
	case g != nil:
		return nil, f.explain(c, name, way, at, g)
	}
	return v, nil
}

// node finds the node that an argument means, and the place in which functions
// in its properties are: there, SELF is that node.
func (f getProperty) node(e *evaluator, argument string, at place) (string, place, error) {
	id := map[string]string{self: at.run.Self, source: at.run.Source, target: at.run.Target}[argument]
	if e.state != nil && id != "" {
		i, err := e.state.Instance(e.ctx, id)
		return i.NodeID, inside(at, i.NodeID, id), err
	}
	name, p := f.nodeName(argument, at)
	if p != nil {
		return "", at, p
	}
	inner := inside(at, name, "")
	if name == at.node {
		inner.run = at.run // the instance, if known, is the same one
	}
	return name, inner, nil
}

// inside is the place of the properties of a node, looked at from another
// place; instance may be unknown, "".
func inside(at place, node, instance string) place {
	at.scope, at.node, at.source, at.target, at.relationship = inNode, node, "", "", ""
	at.run = Scope{Self: instance, Outputs: at.run.Outputs}
	return at
}

func (getProperty) explain(c call, node string, way []any, at place, g *gap) *problem.Problem {
	step := value.Text(way[g.step])
	switch g.why {
	case noNumber:
		return unable(c, "Node template property '%s.properties.%s' referenced from '%s' is expected %s to be an int but it is a %s.",
			node, dotted(way), at.path, step, value.TypeName(way[g.step]))
	case noIndex:
		return unable(c, "Node template property '%s.properties.%s' referenced from '%s' index is out of range. Got %s but list size is %d.",
			node, dotted(way), at.path, step, len(g.in.([]any)))
	}
	p := unable(c, "Node template property '%s.properties.%s' referenced from '%s' doesn't exist.", node, dotted(way), at.path)
	if m, ok := g.in.(map[string]any); ok {
		p = p.WithHint("%s", nearest(step, value.SortedKeys(m)))
	}
	return p
}

func noNode(name string) *problem.Problem {
	return problem.New(problem.KeyMissing, "Node %s does not exist", name)
}
