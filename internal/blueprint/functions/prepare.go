package functions

import (
	"context"
	"errors"
	"maps"
	"slices"

	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// Prepare works out, in a copy of b, every function that needs no run time, and
// marks the operations in whose inputs functions are left. inputs are the
// values of the deployment's inputs. With runtimeOnly every function is left as
// it stands. It makes no difference in which order the nodes stand.
//
// All calls that can't be worked out are reported, as a problem.List. The copy
// shares with b what holds no functions; neither b nor inputs is changed.
func Prepare(b *plan.Body, inputs map[string]any, runtimeOnly bool) (*plan.Body, error) {
	prepared := private(b)
	e := &evaluator{
		ctx: context.Background(), leaveAll: runtimeOnly, worked: map[string]any{},
		facts: planFacts{inputs: inputs, nodes: nodesByName(b.Nodes)}, // as written: order must not count
	}
	var problems problem.List
	for s := range slots(prepared) {
		v, err := e.value(s.value, s.at)
		if err != nil {
			problems = appendNew(problems, err)
			continue
		}
		if !Contains(s.value) {
			continue
		}
		s.set(v)
		if s.mark != nil && Contains(v) {
			s.mark()
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return prepared, nil
}

// appendNew adds the problems in err that are not there yet: the same call may
// be reached in several ways.
func appendNew(l problem.List, err error) problem.List {
	found := problem.All(err)
	if found == nil {
		found = problem.List{problem.New(problem.Runtime, "%v", err)}
	}
	for _, p := range found {
		if !slices.ContainsFunc(l, func(q *problem.Problem) bool { return q.Kind == p.Kind && q.Message == p.Message }) {
			l = append(l, p)
		}
	}
	return l
}

// private copies what Prepare may replace: every container in which there are
// functions.
func private(b *plan.Body) *plan.Body {
	c := *b
	c.Nodes = make([]*plan.Node, len(b.Nodes))
	for i, n := range b.Nodes {
		c.Nodes[i] = privateNode(n)
	}
	c.Outputs, c.Capabilities = maps.Clone(b.Outputs), maps.Clone(b.Capabilities)
	c.Policies, c.ScalingGroups = maps.Clone(b.Policies), maps.Clone(b.ScalingGroups)
	c.Labels = maps.Clone(b.Labels)
	for k, l := range c.Labels {
		c.Labels[k] = plan.Label{Values: slices.Clone(l.Values)}
	}
	c.DeploymentSettings = maps.Clone(b.DeploymentSettings)
	return &c
}

func privateNode(n *plan.Node) *plan.Node {
	c := *n
	c.Properties = maps.Clone(n.Properties)
	c.Operations = privateOperations(n.Operations)
	c.Relationships = slices.Clone(n.Relationships)
	for i := range c.Relationships {
		r := &c.Relationships[i]
		r.SourceOperations = privateOperations(r.SourceOperations)
		r.TargetOperations = privateOperations(r.TargetOperations)
	}
	return &c
}

func privateOperations(operations map[string]*plan.Operation) map[string]*plan.Operation {
	var c map[string]*plan.Operation
	for name, o := range operations {
		if !Contains(map[string]any(o.Inputs)) {
			continue
		}
		if c == nil {
			c = maps.Clone(operations)
		}
		own := *o
		own.Inputs = maps.Clone(o.Inputs)
		c[name] = &own
	}
	if c == nil {
		return operations
	}
	return c
}

// planFacts answers from a plan and the values of its inputs.
type planFacts struct {
	inputs map[string]any
	nodes  map[string]*plan.Node
}

func (f planFacts) Input(_ context.Context, name string) (any, error) {
	v, ok := f.inputs[name]
	if !ok {
		return nil, unknownInput(name).WithHint("%s", nearest(name, value.SortedKeys(f.inputs)))
	}
	return v, nil
}

func (f planFacts) Node(_ context.Context, id string) (Node, error) {
	n, ok := f.nodes[id]
	if !ok {
		return Node{}, noNode(id).WithHint("%s", nearest(id, value.SortedKeys(f.nodes)))
	}
	return Node{ID: n.Name, Properties: n.Properties, Relationships: n.Relationships}, nil
}

// Secrets lists the names of the secrets that a prepared plan needs, as far as
// they are known before run time, in text order.
func Secrets(b *plan.Body) []string {
	names := map[string]bool{}
	for s := range slots(b) {
		calls(s.value, s.at, func(c call, _ place) {
			if c.name == "get_secret" && c.check(c) == nil && secretName(c.args) != "" {
				names[secretName(c.args)] = true
			}
		}, nil)
	}
	return value.SortedKeys(names)
}

// Dependency is a function in a prepared plan that makes the deployment depend
// on another one.
type Dependency struct {
	Identifier string // path and name of the function
	Deployment any    // its first argument: an id, or a function that will give one

	// The node in whose part of the plan the function stands, "" if in none;
	// within a relationship also that one's target and type.
	Node, Target, Relationship string
}

// Dependencies lists the functions of a prepared plan that make dependencies,
// in the order of the plan. An operation is there under its full and perhaps
// its short name, and its functions with each.
func Dependencies(b *plan.Body) []Dependency {
	var found []Dependency
	for s := range slots(b) {
		calls(s.value, s.at, nil, func(c call, at place) {
			if c.name != "get_capability" || c.check(c) != nil {
				return
			}
			d := Dependency{
				Identifier: at.path.String() + "." + c.name, Deployment: c.args.([]any)[0],
				Node: at.node, Target: at.target, Relationship: at.relationship,
			}
			if at.scope == inRelationship {
				d.Node = at.source
			}
			found = append(found, d)
		})
	}
	return found
}

// EvaluateInputs works out the hybrid functions in v that refer to inputs, for
// a value that stands outside of the plan's own places. What can't be worked
// out yet is left.
func EvaluateInputs(v any, inputs map[string]any) (any, error) {
	e := &evaluator{ctx: context.Background(), facts: planFacts{inputs: inputs}}
	done, err := e.value(v, place{path: path("inputs")})
	var p *problem.Problem
	if errors.As(err, &p) {
		return nil, p
	}
	return done, err
}
