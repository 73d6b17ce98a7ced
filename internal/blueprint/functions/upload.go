package functions

import (
	"fmt"
	"slices"

	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// upload is what calls are validated against when a blueprint is uploaded.
type upload struct {
	inputs  map[string]plan.Schema
	nodes   map[string]*plan.Node
	version []int
	written string // the version as in the blueprint
}

// ValidatePlan checks every call of a function in the plan: the shape of its
// argument, what it names, and whether it may stand where it does and in this
// version of the language (nil: the plan's own). It reports all that is wrong;
// each problem has the path of its call as Place.Path.
func ValidatePlan(p *plan.Plan, version []int) problem.List {
	u := upload{inputs: p.Inputs, nodes: nodesByName(p.Nodes), version: version, written: p.Version.Raw}
	if version == nil {
		u.version = p.Version.Definitions
	}
	var problems problem.List
	for s := range slots(&p.Body) {
		calls(s.value, s.at, func(c call, at place) {
			found := c.check(c)
			if found == nil {
				found = c.validate(c, at, u)
			}
			if found != nil {
				problems = append(problems, found.At(problem.Place{Path: at.path.String()}))
			}
		}, nil)
	}
	return problems
}

// Requirements lists the arguments of every get_environment_capability (as
// lists) and of every get_secret (as written) in the plan.
func Requirements(p *plan.Plan) plan.Requirements {
	r := plan.Requirements{ParentCapabilities: [][]any{}, Secrets: []any{}}
	for s := range slots(&p.Body) {
		if !Contains(s.value) {
			continue
		}
		calls(s.value, s.at, func(c call, _ place) {
			switch {
			case c.check(c) != nil:
			case c.name == "get_environment_capability":
				r.ParentCapabilities = append(r.ParentCapabilities, environmentPath(c.args))
			case c.name == "get_secret":
				r.Secrets = append(r.Secrets, c.args)
			}
		}, nil)
	}
	return r
}

func nodesByName(nodes []*plan.Node) map[string]*plan.Node {
	byName := make(map[string]*plan.Node, len(nodes))
	for _, n := range nodes {
		byName[n.Name] = n
	}
	return byName
}

// since refuses a function that the version of the language has not yet.
func (u upload) since(c call, at place, first ...int) *problem.Problem {
	if len(u.version) == 0 || slices.Compare(u.version, first) >= 0 {
		return nil
	}
	return invalid(c, "Using %s requires using dsl version %d_%d or greater, but found: %s in %s.",
		c.name, first[0], first[1], u.written, at.path).
		WithHint("declare tosca_definitions_version: cloudify_dsl_%d_%d or later", first[0], first[1])
}

// validateNode checks the node that an argument names, and SELF, SOURCE and
// TARGET for being in a place where they mean something.
func validateNode(c call, args []any, at place, u upload) *problem.Problem {
	if slices.ContainsFunc(args, Is) {
		return nil
	}
	switch name := value.Text(args[0]); name {
	case self, source, target:
		return validateRole(c, name, at)
	default:
		if u.nodes[name] == nil {
			return problem.New(problem.KeyMissing, "%s function node reference '%s' does not exist.", c.name, name)
		}
	}
	return nil
}

func validateRole(c call, role string, at place) *problem.Problem {
	text := fmt.Sprintf("%s cannot be used with %s function in %s", role, c.name, at.path)
	switch at.scope {
	case inOutputs:
		return problem.New(problem.BadValue, "%s", text)
	case inRelationship:
		if role == self {
			return problem.New(problem.BadValue, "%s", text).WithHint("use SOURCE or TARGET in a relationship")
		}
	case inNode:
		if role != self {
			return problem.New(problem.BadValue, "%s", text).WithHint("use SELF, or the name of a node")
		}
	default:
		return problem.New(problem.KeyMissing, "%s", text).WithHint("name the node: there is no %s in %s", role, at.scope)
	}
	return nil
}

// invalid is a problem of a call's argument seen without evaluating it.
func invalid(c call, format string, args ...any) *problem.Problem {
	return problem.New(problem.FunctionValidation, "Unable to validate %s function: %s", c.name, fmt.Sprintf(format, args...))
}

// illegal is a problem of the shape of a call's argument.
func illegal(c call, expected string) *problem.Problem {
	return problem.New(problem.BadValue, "Illegal argument(s) passed to %s function. Expected %s but got: %s",
		c.name, expected, value.Text(c.args))
}

// unable is a failure to work out a call.
func unable(c call, format string, args ...any) *problem.Problem {
	return problem.New(problem.FunctionEvaluation, "Unable to evaluate %s function: %s", c.name, fmt.Sprintf(format, args...))
}

// isStep tells whether v may be one key, index or name in an argument.
func isStep(v any) bool {
	switch v.(type) {
	case string, bool, int64:
		return true
	}
	return Is(v)
}

// steps gives the argument as a list of at least least names, keys, indexes and
// functions; ok is false if it is anything else.
func steps(args any, least int) (list []any, ok bool) {
	list, ok = args.([]any)
	if !ok || len(list) < least {
		return nil, false
	}
	for _, e := range list {
		if !isStep(e) {
			return nil, false
		}
	}
	return list, true
}
