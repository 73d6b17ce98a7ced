package functions

import (
	"slices"

	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/schema/primitive"
	"windlass/internal/value"
)

// getInput is get_input: the value of an input, or a part of it.
type getInput struct {
	hybrid
	resolved
}

func (getInput) describe() Definition {
	return Definition{
		Summary:  "The value of an input of the deployment, or a part of it.",
		Forms:    []string{"name", "[name, key or index, ...]"},
		Argument: oneOf(schemaName(), schemaSteps(1)),
	}
}

func (getInput) check(c call) *problem.Problem {
	if _, ok := c.args.(string); ok || Is(c.args) {
		return nil
	}
	if _, ok := steps(c.args, 1); ok {
		return nil
	}
	return illegal(c, `either a string, or a function, or a list [input_name\function [, key1\index1\function [,...]]]`)
}

// parts gives the input's name, or a function, and the steps into it.
func (getInput) parts(c call) (name any, steps []any) {
	if list, ok := c.args.([]any); ok {
		return list[0], list[1:]
	}
	return c.args, nil
}

func (f getInput) validate(c call, _ place, u upload) *problem.Problem {
	name, _ := f.parts(c)
	if Is(name) {
		return nil
	}
	if _, ok := u.inputs[value.Text(name)]; !ok {
		return unknownInput(value.Text(name)).WithHint("%s", nearest(value.Text(name), value.SortedKeys(u.inputs)))
	}
	return nil
}

func unknownInput(name string) *problem.Problem {
	return problem.New(problem.UnknownInput, "get_input function references an unknown input '%s'.", name)
}

func (f getInput) evaluate(e *evaluator, c call, at place) (any, error) {
	name, way := f.parts(c)
	if Is(name) || slices.ContainsFunc(way, Is) {
		return nil, unable(c, "found an unresolved argument: %s", value.Text(c.args))
	}
	input, err := e.facts.Input(e.ctx, value.Text(name))
	if err != nil {
		return nil, err
	}
	v, left, g, err := descend(input, way, func(v any, done int) (any, error) {
		if done == len(way) && value.Equal(v, c.raw) {
			return c.raw, nil // an input that is itself: it stays so
		}
		return e.refer("inputs."+dotted(append([]any{name}, way[:done]...)), v, at, false)
	})
	switch {
	case err != nil:
		return nil, err
	case left:
		return c.raw, nil
	case g != nil:
		return nil, f.explain(c, append([]any{name}, way...), g)
	}
	if typeName, ok := c.wants.(string); ok && !Is(v) && !primitive.Accepts(typeName, v) {
		return nil, problem.New(problem.InputEvaluation,
			"Value '%s' of input '%s' does not match data type declared for '%s': '%s'.",
			value.Text(v), value.Text(c.args), at.path, typeName)
	}
	return v, nil
}

func (getInput) explain(c call, way []any, g *gap) *problem.Problem {
	before, step := subscript(way[:g.step+1]), way[g.step+1]
	switch g.why {
	case noKey:
		return problem.New(problem.InputEvaluation, "Input attribute '%s' of '%s', doesn't exist.", value.Text(step), before)
	case noNumber:
		return problem.New(problem.InputEvaluation,
			"Item in index %d in the get_input arguments list [%s] is expected to be an int but got %s.",
			g.step, listed(way), value.TypeName(step))
	case noIndex:
		return problem.New(problem.InputEvaluation, "List size of '%s' is %d but index %s is retrieved.",
			before, len(g.in.([]any)), value.Text(step))
	}
	return unable(c, "Object %s has no attribute %s", before, value.Text(step))
}
