package functions

import (
	"context"

	"windlass/internal/blueprint/plan"
	"windlass/internal/value"
)

// Evaluate replaces every function in payload, at any depth, by its value. The
// payload is not changed. Errors are problems: FunctionEvaluationError where a
// function can't be worked out, KeyError where something named isn't there,
// EvaluationRecursionLimitReached where functions refer to each other in a
// circle; or what the state answered; or the context's error.
func Evaluate(ctx context.Context, payload any, scope Scope, state State) (any, error) {
	r := remember(state)
	e := &evaluator{ctx: ctx, facts: r, state: r}
	return e.value(payload, runPlace(scope))
}

func runPlace(scope Scope) place {
	at := place{run: scope, node: scope.Node, path: path("payload")}
	if scope.Path != "" {
		at.path = path(scope.Path)
	}
	switch {
	case scope.Source != "" && scope.Target != "":
		at.scope = inRelationship
	case scope.Self != "":
		at.scope = inNode
	}
	return at
}

// EvaluateNode replaces the functions in the properties of a node and in the
// numbers of its scaling. SELF is the node; scope.Self may name the instance
// that is meant, which a node of several needs. The node given is not changed.
func EvaluateNode(ctx context.Context, n *plan.Node, scope Scope, state State) (*plan.Node, error) {
	r := remember(&around{State: state, node: Node{ID: n.Name, Properties: n.Properties, Relationships: n.Relationships}})
	e := &evaluator{ctx: ctx, facts: r, state: r}
	evaluated := *n
	evaluated.Properties = value.CopyMap(n.Properties)
	var failure error
	replace := func(s slot) bool {
		s.at.run = scope
		v, err := e.value(s.value, s.at)
		if err != nil {
			failure = err
			return false
		}
		s.set(v)
		return true
	}
	nodeSlots(&evaluated, replace)
	if failure != nil {
		return nil, failure
	}
	return &evaluated, nil
}

// around answers for one node itself and leaves the rest to a State.
type around struct {
	State
	node Node
}

func (a *around) Node(ctx context.Context, id string) (Node, error) {
	if id == a.node.ID {
		return a.node, nil
	}
	return a.State.Node(ctx, id)
}
