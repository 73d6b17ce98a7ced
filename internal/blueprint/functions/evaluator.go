package functions

import (
	"context"
	"strings"

	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// nestingLimit is how many values may enclose each other in an evaluation.
const nestingLimit = 50

// evaluator works out functions, at preparation or at run time.
type evaluator struct {
	ctx      context.Context
	facts    facts
	state    State           // nil at preparation
	leaveAll bool            // evaluate nothing, only check
	underWay []string        // references being worked out, outermost first
	active   map[string]bool // the same as a set
	worked   map[string]any  // references worked out before; nil at run time, where they may depend on the context
}

// facts are what both preparation and run time know.
type facts interface {
	Input(ctx context.Context, name string) (any, error)
	Node(ctx context.Context, id string) (Node, error)
}

// value gives v with all functions in it worked out that can be, innermost
// first. v is not changed.
func (e *evaluator) value(v any, at place) (any, error) {
	called, depth := survey(v)
	if at.depth+depth > nestingLimit {
		return nil, tooDeep(at)
	}
	if !called {
		return v, nil
	}
	at.depth++
	var seen map[string]bool
	for {
		inner, err := e.inside(v, at)
		if err != nil {
			return nil, err
		}
		c, ok := find(inner)
		if !ok {
			return inner, nil
		}
		result, final, err := e.call(c, at)
		if err != nil {
			return nil, err
		}
		if final || value.Equal(result, inner) {
			return result, nil
		}
		key := string(value.Encode(result))
		if seen[key] {
			return nil, circle(at, nil)
		}
		if seen == nil {
			seen = map[string]bool{}
		}
		seen[key] = true
		v = result
		if called, depth = survey(v); !called && at.depth-1+depth <= nestingLimit {
			return v, nil
		}
		if at.depth-1+depth > nestingLimit {
			return nil, tooDeep(at)
		}
	}
}

// call works out one call, or gives it back as it is. final says that the
// result holds nothing more to be worked out.
func (e *evaluator) call(c call, at place) (result any, final bool, err error) {
	if p := c.check(c); p != nil {
		return nil, false, p.At(problem.Place{Path: at.path.String()})
	}
	if e.leaveAll || e.state == nil && c.class() == Runtime {
		return c.raw, true, nil
	}
	if err := e.ctx.Err(); err != nil {
		return nil, false, err
	}
	result, err = c.evaluate(e, c, at)
	if p, ok := err.(*problem.Problem); ok && p.Place.Path == "" { //nolint:errorlint // fresh problems are not wrapped
		p.Place.Path = at.path.String()
	}
	_, final = c.function.(interface{ isResolved() })
	return result, final, err
}

// inside works out the values that v holds.
func (e *evaluator) inside(v any, at place) (any, error) {
	switch t := v.(type) {
	case []any:
		list := make([]any, len(t))
		for i, item := range t {
			done, err := e.value(item, at.item(i))
			if err != nil {
				return nil, err
			}
			list[i] = done
		}
		return list, nil
	case map[string]any:
		m := make(map[string]any, len(t))
		for _, k := range value.SortedKeys(t) {
			done, err := e.value(t[k], at.key(k))
			if err != nil {
				return nil, err
			}
			m[k] = done
		}
		return m, nil
	}
	return v, nil
}

// survey tells whether v holds a call, and how many values enclose each other
// in it at most.
func survey(v any) (called bool, depth int) {
	switch t := v.(type) {
	case []any:
		for _, e := range t {
			c, d := survey(e)
			called, depth = called || c, max(depth, d)
		}
	case map[string]any:
		called = Is(t)
		for _, e := range t {
			c, d := survey(e)
			called, depth = called || c, max(depth, d)
		}
	}
	return called, depth + 1
}

// refer works out a value that a function refers to under a name that is
// unique in the plan; keep says that it is worth the same wherever it is used.
// A reference that comes back to itself is an error.
func (e *evaluator) refer(name string, v any, at place, keep bool) (any, error) {
	if done, ok := e.worked[name]; ok {
		return value.Copy(done), nil
	}
	if e.active[name] {
		return nil, circle(at, append(e.underWay, name))
	}
	if !Contains(v) {
		if _, depth := survey(v); at.depth-1+depth > nestingLimit {
			return nil, tooDeep(at)
		}
		return value.Copy(v), nil
	}
	if e.active == nil {
		e.active = map[string]bool{}
	}
	e.active[name], e.underWay = true, append(e.underWay, name)
	defer func() {
		delete(e.active, name)
		e.underWay = e.underWay[:len(e.underWay)-1]
	}()
	at.depth-- // a reference is followed, not entered: a long chain is not deep
	done, err := e.value(v, at)
	if err == nil && keep && e.worked != nil {
		e.worked[name] = done
		done = value.Copy(done)
	}
	return done, err
}

func tooDeep(at place) *problem.Problem {
	return problem.New(problem.EvaluationRecursion,
		"The recursion limit (%d) has been reached while evaluating the deployment. "+
			"Limit was reached with the following path - %s", nestingLimit, at.path).
		At(problem.Place{Path: at.path.String()})
}

// circle is the error for functions that refer to each other. names are the
// references under way, the last of them being there twice.
func circle(at place, names []string) *problem.Problem {
	text, p := "", (*problem.Problem)(nil)
	if len(names) > 0 {
		last := names[len(names)-1]
		for names[0] != last {
			names = names[1:]
		}
		text = " The functions refer to each other in a circle: " + strings.Join(names, " -> ")
	}
	p = problem.New(problem.EvaluationRecursion,
		"The recursion limit (%d) has been reached while evaluating the deployment. "+
			"Limit was reached with the following path - %s.%s", nestingLimit, at.path, text).
		At(problem.Place{Path: at.path.String()})
	if len(names) > 0 {
		list := make([]any, len(names))
		for i, n := range names {
			list[i] = n
		}
		p = p.With("circular_dependency", list)
	}
	return p
}
