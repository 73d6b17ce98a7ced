package functions

import (
	"strings"

	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// parentLabel is the label that names the deployment's environment.
const parentLabel = "csys-obj-parent"

// getCapability is get_capability: a capability of another deployment.
type getCapability struct {
	runtime
	unvalidated
}

func (getCapability) describe() Definition {
	return Definition{
		Summary:  "A capability of another deployment, or a part of it. The deployment depends on that one then.",
		Forms:    []string{"[deployment id, capability, key or index, ...]"},
		Argument: schemaSteps(2),
	}
}

func (getCapability) check(c call) *problem.Problem {
	return checkCapability(c, "[ deployment ID, capability ID [, key/index[, key/index [...]]] ]", false)
}

func checkCapability(c call, shape string, several bool) *problem.Problem {
	list, ok := c.args.([]any)
	if !ok {
		return problem.New(problem.BadValue, "`%s` function argument should be a list. Instead it is a %s with the value: %s.",
			c.name, value.TypeName(c.args), value.Text(c.args))
	}
	if len(list) < 2 {
		return problem.New(problem.BadValue, "`%s` function argument should be a list with 2 elements at least - %s. Instead it is: [%s]",
			c.name, shape, listed(list))
	}
	for i, item := range list {
		if _, isList := item.([]any); several && i == 1 && isList || isStep(item) {
			continue
		}
		return complexItem(c, i, item)
	}
	return nil
}

func complexItem(c call, i int, item any) *problem.Problem {
	return problem.New(problem.BadValue,
		"`%s` function arguments can't be complex values; only strings/ints/functions are accepted. "+
			"Instead, the item with index %d is %s of type %s", c.name, i, value.Text(item), value.TypeName(item))
}

func (getCapability) evaluate(e *evaluator, c call, _ place) (any, error) {
	return capability(e, c, c.args.([]any))
}

// capability looks up [deployment, capability, step...].
func capability(e *evaluator, c call, list []any) (any, error) {
	for _, item := range list {
		if Is(item) {
			return nil, unable(c, "found an unresolved argument: %s", value.Text(list))
		}
	}
	deployment, name := value.Text(list[0]), value.Text(list[1])
	v, err := e.state.Capability(e.ctx, deployment, name)
	if err != nil {
		return nil, err
	}
	found, _, g, _ := descend(v, list[2:], plainly)
	if g == nil {
		return found, nil
	}
	before, step := subscript(list[1:g.step+2]), value.Text(list[g.step+2])
	switch g.why {
	case noKey:
		return nil, unable(c, "Attribute '%s' doesn't exist in '%s' in deployment '%s'.", step, before, deployment)
	case noNumber:
		return nil, unable(c, "Item in index %d in the %s arguments list [%s] is expected to be an int but got %s.",
			g.step+2, c.name, listed(list), value.TypeName(list[g.step+2]))
	case noIndex:
		return nil, unable(c, "List size of '%s' is %d, in deployment '%s', but index %s is retrieved.",
			before, len(g.in.([]any)), deployment, step)
	}
	return nil, unable(c, "Object %s, in capability '%s' in deployment '%s', has no attribute %s", before, name, deployment, step)
}

// getEnvironmentCapability is get_environment_capability: a capability of the
// deployment that this one lives in.
type getEnvironmentCapability struct {
	runtime
	unvalidated
}

func (getEnvironmentCapability) describe() Definition {
	return Definition{
		Summary:  "A capability of the environment, the deployment that label csys-obj-parent names, or a part of it.",
		Forms:    []string{"capability", "[capability, key or index, ...]"},
		Argument: oneOf(schemaName(), schemaSteps(2)),
	}
}

func (getEnvironmentCapability) check(c call) *problem.Problem {
	list, ok := c.args.([]any)
	if _, isText := c.args.(string); isText {
		return nil
	}
	if !ok || len(list) < 2 {
		return invalid(c, "the argument should be a string, or a list with more than one item. Instead, it is a %s with the value: %s.",
			value.TypeName(c.args), value.Text(c.args))
	}
	for i, item := range list {
		if !isStep(item) {
			return complexItem(c, i, item)
		}
	}
	return nil
}

// environmentPath gives the argument of get_environment_capability as a list.
func environmentPath(args any) []any {
	if list, ok := args.([]any); ok {
		return list
	}
	return []any{args}
}

func (getEnvironmentCapability) evaluate(e *evaluator, c call, _ place) (any, error) {
	parents, err := e.state.Label(e.ctx, parentLabel)
	if err != nil {
		return nil, err
	}
	if len(parents) == 0 {
		return nil, problem.New(problem.KeyMissing, "the deployment has no label %s, which names its environment", parentLabel)
	}
	return capability(e, c, append([]any{parents[0]}, environmentPath(c.args)...))
}

// getGroupCapability is get_group_capability: capabilities of all deployments
// of a group.
type getGroupCapability struct {
	runtime
	unvalidated
}

func (getGroupCapability) describe() Definition {
	return Definition{
		Summary:  "Capabilities of the deployments of a group: a list by deployment id, or a dict when the name begins with deployment_id:.",
		Forms:    []string{"[group id, capability or [capability, ...] or deployment_id:capability, key or index, ...]"},
		Argument: fragment{"type": "array", "minItems": int64(2), "items": oneOf(schemaStep(), schemaSteps(1))},
	}
}

func (getGroupCapability) check(c call) *problem.Problem {
	return checkCapability(c, "[ group ID, capability ID [, key/index[, key/index [...]]] ]", true)
}

func (getGroupCapability) evaluate(e *evaluator, c call, _ place) (any, error) {
	list := c.args.([]any)
	if Contains(list) {
		return nil, unable(c, "found an unresolved argument: %s", value.Text(list))
	}
	return e.state.GroupCapability(e.ctx, value.Text(list[0]), list[1], list[2:])
}

// byDeployment before a capability's name asks for a dict by deployment id.
const byDeployment = "deployment_id:"

// CollectGroup puts together what get_group_capability gives. capabilities are
// those of each deployment of the group by its id; names is one name, a name
// after "deployment_id:", or a list of names. steps lead into each value. The
// result is ordered by deployment id; a deployment that has none of the
// capabilities is left out, one that lacks some of several has null for them.
func CollectGroup(capabilities map[string]map[string]any, names any, steps []any) any {
	wanted, several := names.([]any)
	if !several {
		wanted = []any{names}
	}
	keyed := false
	texts := make([]string, len(wanted))
	for i, w := range wanted {
		rest, prefixed := strings.CutPrefix(value.Text(w), byDeployment)
		keyed = keyed || prefixed
		texts[i] = rest
	}
	list, dict := []any{}, map[string]any{}
	for _, id := range value.SortedKeys(capabilities) {
		values, some := collect(capabilities[id], texts, steps)
		if !some {
			continue
		}
		var v any = values
		if !several {
			v = values[0]
		}
		list = append(list, v)
		dict[id] = v
	}
	if keyed {
		return dict
	}
	return list
}

func collect(capabilities map[string]any, names []string, steps []any) (values []any, some bool) {
	values = make([]any, len(names))
	for i, name := range names {
		v, has := capabilities[name]
		if !has {
			continue
		}
		some = true
		if found, _, g, _ := descend(v, steps, plainly); g == nil {
			values[i] = found
		}
	}
	return values, some
}
