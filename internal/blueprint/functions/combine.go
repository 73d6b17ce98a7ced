package functions

import (
	"strings"

	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// concat is concat: texts one after the other.
type concat struct{ hybrid }

func (concat) describe() Definition {
	return Definition{
		Summary: "The items of a list as text, one after the other.",
		Forms:   []string{"[item, ...]"}, Since: []int{1, 1}, Argument: schemaList(fragment{}),
	}
}

const itemsOrFunctions = `[arg1\function1, arg2\function2, ...]`

func (concat) check(c call) *problem.Problem { return checkItems(c) }

func checkItems(c call) *problem.Problem {
	if _, ok := c.args.([]any); !ok {
		return illegal(c, itemsOrFunctions)
	}
	return nil
}

func (concat) validate(c call, at place, u upload) *problem.Problem { return u.since(c, at, 1, 1) }

// evaluate waits until no function is left in any item.
func (concat) evaluate(_ *evaluator, c call, _ place) (any, error) {
	var b strings.Builder
	for _, item := range c.args.([]any) {
		if Contains(item) {
			return c.raw, nil
		}
		b.WriteString(value.Text(item))
		if b.Len() > longest {
			return nil, unable(c, "the result would be longer than %d bytes", longest)
		}
	}
	return b.String(), nil
}

// merge is merge: one dict out of several.
type merge struct{ hybrid }

func (merge) describe() Definition {
	return Definition{
		Summary: "One dict out of several; where keys are the same, the later wins.",
		Forms:   []string{"[dict, ...]"}, Since: []int{1, 3}, Argument: schemaList(fragment{"type": "object"}),
	}
}

func (merge) check(c call) *problem.Problem { return checkItems(c) }

func (merge) validate(c call, at place, u upload) *problem.Problem {
	if p := u.since(c, at, 1, 3); p != nil {
		return p
	}
	for _, item := range c.args.([]any) {
		if _, ok := item.(map[string]any); !ok {
			return invalid(c, "Encountered non-dict element for merge: %s", value.Text(item))
		}
	}
	return nil
}

// evaluate waits until no item is itself a function.
func (merge) evaluate(_ *evaluator, c call, _ place) (any, error) {
	merged := map[string]any{}
	items := c.args.([]any)
	for _, item := range items {
		if Is(item) {
			return c.raw, nil
		}
	}
	for _, item := range items {
		m, ok := item.(map[string]any)
		if !ok {
			return nil, unable(c, "Encountered non-dict element for merge: %s", value.Text(item))
		}
		for k, v := range m {
			merged[k] = v
		}
	}
	return merged, nil
}
