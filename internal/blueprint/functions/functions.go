// Package functions knows the intrinsic functions of blueprints: how to
// recognise them, check them when a blueprint is uploaded, work out what can be
// worked out when a deployment is prepared, and the rest at run time.
//
// Each function is a type of its own; a family of them shares a file. The
// package is pure: what it needs to know at run time it asks of a State.
package functions

import (
	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// Class says when a function can be evaluated.
type Class int

const (
	// Hybrid functions are evaluated when a deployment is prepared, and also
	// at run time.
	Hybrid Class = iota
	// Runtime functions are evaluated at run time only.
	Runtime
)

// Definition describes one function to people and their tools.
type Definition struct {
	Name    string
	Summary string   // one sentence
	Forms   []string // the shapes that its argument may have
	Class   Class
	Since   []int // the version of the language that has it first; nil for all

	// Argument is the JSON Schema of the argument, which may also be a call
	// of a function wherever it is not required to be a list.
	Argument map[string]any
}

// function is the behaviour of one function.
type function interface {
	describe() Definition
	class() Class
	// check looks at the shape of the argument alone.
	check(c call) *problem.Problem
	// validate looks at what the plan must have for the call.
	validate(c call, at place, u upload) *problem.Problem
	// evaluate works out the call, the functions in its argument having been
	// worked out before where possible. To leave a call for later it returns
	// the call itself, c.raw.
	evaluate(e *evaluator, c call, at place) (any, error)
}

type hybrid struct{}

func (hybrid) class() Class { return Hybrid }

type runtime struct{}

func (runtime) class() Class { return Runtime }

// resolved is embedded by functions that refer to values elsewhere and work
// those out where they stand: what they give must not be worked out again where
// it is used, as SELF would mean another node there.
type resolved struct{}

func (resolved) isResolved() {}

// unvalidated is embedded by functions that ask nothing of the plan.
type unvalidated struct{}

func (unvalidated) validate(call, place, upload) *problem.Problem { return nil }

// Names returns the names of all functions, family by family.
func Names() []string {
	return []string{
		"get_input", "get_property",
		"get_attribute", "get_attributes_list", "get_attributes_dict",
		"get_secret", "get_capability", "get_group_capability", "get_environment_capability",
		"get_label", "get_sys", "get_consumers",
		"concat", "merge",
		"string_find", "string_replace", "string_split", "string_lower", "string_upper",
	}
}

func lookup(name string) (function, bool) {
	switch name {
	case "get_input":
		return getInput{}, true
	case "get_property":
		return getProperty{}, true
	case "get_attribute":
		return getAttribute{}, true
	case "get_attributes_list":
		return getAttributesList{}, true
	case "get_attributes_dict":
		return getAttributesDict{}, true
	case "get_secret":
		return getSecret{}, true
	case "get_capability":
		return getCapability{}, true
	case "get_group_capability":
		return getGroupCapability{}, true
	case "get_environment_capability":
		return getEnvironmentCapability{}, true
	case "get_label":
		return getLabel{}, true
	case "get_sys":
		return getSys{}, true
	case "get_consumers":
		return getConsumers{}, true
	case "concat":
		return concat{}, true
	case "merge":
		return merge{}, true
	case "string_find":
		return stringFind{}, true
	case "string_replace":
		return stringReplace{}, true
	case "string_split":
		return stringSplit{}, true
	case "string_lower":
		return stringCase{upper: false}, true
	case "string_upper":
		return stringCase{upper: true}, true
	}
	return nil, false
}

// Definitions describes all functions, in the order of Names.
func Definitions() []Definition {
	names := Names()
	all := make([]Definition, len(names))
	for i, name := range names {
		f, _ := lookup(name)
		all[i] = f.describe()
		all[i].Name, all[i].Class = name, f.class()
	}
	return all
}

// Is tells whether v is a call of an intrinsic function: a dict whose one key
// is the name of a function. A second key, type, may stand beside it; any other
// makes it a plain dict.
func Is(v any) bool {
	_, ok := find(v)
	return ok
}

// Contains tells whether v is or holds a call of a function, at any depth.
func Contains(v any) bool {
	switch t := v.(type) {
	case []any:
		for _, e := range t {
			if Contains(e) {
				return true
			}
		}
	case map[string]any:
		if Is(t) {
			return true
		}
		for _, e := range t {
			if Contains(e) {
				return true
			}
		}
	case value.Map:
		return Contains(map[string]any(t))
	}
	return false
}

// call is one call of a function.
type call struct {
	function
	name  string
	args  any
	wants any            // what stands under type beside the name, nil without
	raw   map[string]any // as written
}

// find takes a call apart.
func find(v any) (call, bool) {
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 || len(m) > 2 {
		return call{}, false
	}
	c := call{raw: m}
	for k, argument := range m {
		if k == "type" {
			c.wants = argument
			continue
		}
		f, known := lookup(k)
		if !known || c.function != nil {
			return call{}, false
		}
		c.function, c.name, c.args = f, k, argument
	}
	return c, c.function != nil
}
