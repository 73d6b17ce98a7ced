package functions

import (
	"slices"
	"strconv"
	"strings"

	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// getLabel is get_label: the values of a label of the deployment, or one.
type getLabel struct {
	runtime
	unvalidated
}

func (getLabel) describe() Definition {
	return Definition{
		Summary:  "The list of values of a label of the deployment, or the one at an index.",
		Forms:    []string{"key", "[key, index]"},
		Argument: oneOf(schemaText(), schemaTuple(2, schemaText(), oneOf(fragment{"type": "integer"}, schemaName()))),
	}
}

func (getLabel) check(c call) *problem.Problem {
	if _, ok := c.args.(string); ok || Is(c.args) {
		return nil
	}
	list, ok := c.args.([]any)
	if !ok || len(list) != 2 {
		return invalid(c, "`get_label` function argument should be a list of 2 elements ([<label-key>, <label-values list index>]), "+
			"a string (<label-key>), or a dict (a function). Instead, it is a %s with the value: %s",
			value.TypeName(c.args), value.Text(c.args))
	}
	if _, isText := list[0].(string); !isText && !Is(list[0]) {
		return invalid(c, "the <label-key> should be a string or a dict (a function). Instead, it is a %s with the value: %s.",
			value.TypeName(list[0]), value.Text(list[0]))
	}
	if _, ok := labelIndex(list[1]); !ok {
		return invalid(c, "the <label-values list index> should be a number (in string or int form). Instead, it is a %s with the value: %s.",
			value.TypeName(list[1]), value.Text(list[1]))
	}
	return nil
}

func labelIndex(v any) (int, bool) {
	if text, ok := v.(string); ok {
		if text == "" || strings.Trim(text, "0123456789") != "" {
			return 0, false
		}
		n, err := strconv.Atoi(text)
		return n, err == nil
	}
	return index(v)
}

func (getLabel) evaluate(e *evaluator, c call, _ place) (any, error) {
	key, at := c.args, -1
	list, indexed := c.args.([]any)
	if indexed {
		key = list[0]
		at, _ = labelIndex(list[1])
	}
	name, ok := key.(string)
	if !ok {
		return nil, unable(c, "the key of the label should be a string, but it is: %s", value.Text(key))
	}
	texts, err := e.state.Label(e.ctx, name)
	if err != nil {
		return nil, err
	}
	if !indexed {
		values := make([]any, len(texts))
		for i, t := range texts {
			values[i] = t
		}
		return values, nil
	}
	if at < 0 {
		at += len(texts)
	}
	if at < 0 || at >= len(texts) {
		return nil, unable(c, "label '%s' has %d values, but the one at index %s is asked for", name, len(texts), value.Text(list[1]))
	}
	return texts[at], nil
}

// getSys is get_sys: a fact about the deployment or the tenant.
type getSys struct{ runtime }

func (getSys) describe() Definition {
	return Definition{
		Summary: "A fact about the tenant or the deployment.",
		Forms:   []string{"[tenant, name]", "[deployment, id, name, blueprint or owner]"},
		Argument: oneOf(
			schemaTuple(2, schemaEnum("tenant"), schemaEnum("name")),
			schemaTuple(2, schemaEnum("deployment"), schemaEnum("id", "name", "blueprint", "owner")),
			schemaTuple(2, schemaCall(), schemaStep()),
			schemaTuple(2, schemaStep(), schemaCall())),
	}
}

func (getSys) check(c call) *problem.Problem {
	if _, ok := steps(c.args, 2); !ok {
		return illegal(c, "a 2-element list identifying an entity and its requested property "+
			"(e.g. [tenant, name] or [deployment, id])")
	}
	return nil
}

func (getSys) validate(c call, _ place, _ upload) *problem.Problem {
	list := c.args.([]any)
	return knownFact(c, list[0], list[1])
}

// knownFact refuses an entity or property there is not; a function may be
// either.
func knownFact(c call, entity, property any) *problem.Problem {
	properties := map[string][]string{"tenant": {"name"}, "deployment": {"id", "name", "blueprint", "owner"}}
	if Is(entity) {
		return nil
	}
	name, _ := entity.(string)
	known, ok := properties[name]
	if !ok {
		return problem.New(problem.UnknownSysEntity, "%s function unable to determine entity: %s", c.name, value.Text(entity)).
			WithHint("known are: tenant, deployment")
	}
	if Is(property) {
		return nil
	}
	if text, _ := property.(string); !slices.Contains(known, text) {
		return problem.New(problem.UnknownSysProperty, "%s function unable to determine property: %s %s", c.name, name, value.Text(property)).
			WithHint("known for %s are: %s", name, strings.Join(known, ", "))
	}
	return nil
}

func (getSys) evaluate(e *evaluator, c call, _ place) (any, error) {
	list := c.args.([]any)
	if Is(list[0]) || Is(list[1]) {
		return nil, unable(c, "found an unresolved argument: %s", value.Text(c.args))
	}
	if p := knownFact(c, list[0], list[1]); p != nil {
		return nil, p
	}
	return e.state.Fact(e.ctx, value.Text(list[0]), value.Text(list[1]))
}

// getConsumers is get_consumers: the deployments that use this one.
type getConsumers struct {
	runtime
	unvalidated
}

func (getConsumers) describe() Definition {
	return Definition{
		Summary:  "The ids, the names or the count of the deployments that use this one.",
		Forms:    []string{"ids", "names", "count"},
		Argument: schemaEnum("ids", "names", "count"),
	}
}

func (getConsumers) check(c call) *problem.Problem {
	switch c.args {
	case "ids", "names", "count":
		return nil
	}
	return problem.New(problem.BadValue,
		"Illegal argument passed to %s function. Expected a property string (one of: ids, names, count), but got %s",
		c.name, value.Text(c.args))
}

func (getConsumers) evaluate(e *evaluator, c call, _ place) (any, error) {
	consumers, err := e.state.Consumers(e.ctx)
	if err != nil {
		return nil, err
	}
	if c.args == "count" {
		return int64(len(consumers)), nil
	}
	list := make([]any, len(consumers))
	for i, consumer := range consumers {
		list[i] = consumer.ID
		if c.args == "names" {
			list[i] = consumer.Name
		}
	}
	return list, nil
}
