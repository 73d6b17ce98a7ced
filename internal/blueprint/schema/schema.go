// Package schema checks values against the schemas of properties, inputs and
// parameters: type, data type, constraints. It is pure.
//
// Intrinsic functions pass every check of type: what they will give is not
// known yet.
package schema

import (
	"fmt"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/schema/primitive"
	"windlass/internal/value"
)

// The texts for values that lack a property or have one too many. %[1]s is
// Options.Name, %[2]s the path of the property.
const (
	UndefinedInInput   = "Undefined property %[2]s in value of input %[1]s."
	MissingInInput     = "Value of input %[1]s is missing property %[2]s."
	UndefinedInDefault = "Undefined property %[2]s in default value of type %[1]s"
	UndefinedInNode    = "'%[1]s' node '%[2]s' property is not part of the derived type properties schema"
	MissingInNode      = "'%[1]s' node does not provide a value for mandatory '%[2]s' property which is part of its type schema"
)

// Options says how a value is named in messages and how strictly it is taken.
type Options struct {
	Name string // whose value it is: the name of a node, input, type
	Path string // dotted path of the value inside of that, "" for the whole

	// AllowMissing lets required properties be absent, as in a default that
	// will be completed later.
	AllowMissing bool

	// Derived holds what applies where the value says nothing, such as the
	// default of a parent type. It counts only when it is a dict.
	Derived any

	Undefined string // text for an unknown property; UndefinedInInput if empty
	Missing   string // text for a missing property; MissingInInput if empty
}

func (o Options) below(key string, derived any) Options {
	o.Path, o.Derived = join(o.Path, key), derived
	return o
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// IsPrimitive tells whether a type is built into the language.
func IsPrimitive(typeName string) bool { return primitive.Is(typeName) }

// PrimitiveNames returns the names of the built-in types.
func PrimitiveNames() []string { return primitive.Names() }

// Conform checks v against s and returns it completed with the defaults of its
// data type. v is not changed, but the result may share parts of it. The
// problem, nil when all is well, is the first of those that List would give:
// code 105 for a wrong type, 106 for an unknown property, 107 for a missing one.
func Conform(v any, s plan.Schema, types map[string]plan.DataType, opts Options) (any, *problem.Problem) {
	result, problems := ConformAll(v, s, types, opts)
	return result, problems.First()
}

// ConformAll is Conform that gives every problem found.
func ConformAll(v any, s plan.Schema, types map[string]plan.DataType, opts Options) (any, problem.List) {
	name := s.TypeName()
	if name == "" || functions.Is(v) {
		return v, nil
	}
	if primitive.Is(name) {
		if !primitive.Accepts(name, v) {
			return nil, problem.List{wrongType(v, name, opts)}
		}
		if p := checkItems(v, s, opts); p != nil {
			return nil, problem.List{p}
		}
		return v, nil
	}
	dataType, known := types[name]
	if !known {
		return nil, problem.List{problem.New(problem.Runtime,
			"Unexpected type defined in property schema for property '%s' - unknown type is '%s'", opts.Path, name)}
	}
	given, ok := v.(map[string]any)
	if !ok {
		return nil, problem.List{wrongType(v, name, opts)}
	}
	base := defaults(dataType.Properties)
	if derived, ok := opts.Derived.(map[string]any); ok {
		for k, e := range derived {
			base[k] = e
		}
	}
	return nilIfFailed(merge(given, dataType.Properties, base, types, opts))
}

func nilIfFailed(m map[string]any, l problem.List) (any, problem.List) {
	if len(l) > 0 {
		return nil, l
	}
	return m, nil
}

// checkItems checks the items of a list against the item type, if any.
func checkItems(v any, s plan.Schema, opts Options) *problem.Problem {
	items, ok := v.([]any)
	if !ok || s.ItemType == nil || *s.ItemType == "" {
		return nil
	}
	for _, item := range items {
		if !functions.Is(item) && !primitive.Accepts(*s.ItemType, item) {
			return wrongType(item, *s.ItemType, opts)
		}
	}
	return nil
}

// Properties merges the properties given with the defaults of their schema and
// checks the result: no unknown ones, none missing, each of its type. A true
// use_external_resource waives what is missing beside it; a function there is
// code 219. Properties that are neither given nor have a default stay absent.
func Properties(
	given map[string]any, s map[string]plan.Schema, types map[string]plan.DataType, opts Options,
) (map[string]any, problem.List) {
	return merge(given, s, defaults(s), types, opts)
}

func defaults(s map[string]plan.Schema) map[string]any {
	d := make(map[string]any, len(s))
	for name, p := range s {
		if p.HasDefault() {
			d[name] = p.Default.V
		}
	}
	return d
}

// merge lays given over base and checks each property that s declares.
func merge(
	given map[string]any, s map[string]plan.Schema, base map[string]any, types map[string]plan.DataType, opts Options,
) (map[string]any, problem.List) {
	problems := undefined(given, s, opts)
	merged := make(map[string]any, len(base)+len(given))
	for k, v := range base {
		merged[k] = v
	}
	for k, v := range given {
		merged[k] = v
	}
	external := merged["use_external_resource"]
	if functions.Is(external) {
		return nil, append(problems, problem.Coded(problem.Logic, 219,
			"Only boolean values are allowed for `use_external_resource` property, don't use intrinsic functions."))
	}
	waived := opts.AllowMissing || truthy(external)
	result := make(map[string]any, len(merged))
	for _, key := range value.SortedKeys(s) {
		property := s[key]
		v, present := merged[key]
		if !present {
			if property.IsRequired() && !waived {
				problems = append(problems, missing(key, opts))
			}
			continue
		}
		conformed, found := ConformAll(v, property, types, opts.below(key, base[key]))
		problems = append(problems, found...)
		result[key] = conformed
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return result, nil
}

func undefined(given map[string]any, s map[string]plan.Schema, opts Options) problem.List {
	var problems problem.List
	for _, key := range value.SortedKeys(given) {
		if _, ok := s[key]; ok {
			continue
		}
		text := opts.Undefined
		if text == "" {
			text = UndefinedInInput
		}
		p := problem.Coded(problem.Logic, 106, "%s", fmt.Sprintf(text, opts.Name, join(opts.Path, key)))
		problems = append(problems, p.With("property", key).At(problem.Place{Path: join(opts.Path, key)}))
	}
	return problems
}

func missing(key string, opts Options) *problem.Problem {
	text := opts.Missing
	if text == "" {
		text = MissingInInput
	}
	p := problem.Coded(problem.Logic, 107, "%s", fmt.Sprintf(text, opts.Name, join(opts.Path, key)))
	return p.With("property", key).At(problem.Place{Path: join(opts.Path, key)})
}

func wrongType(v any, typeName string, opts Options) *problem.Problem {
	text := fmt.Sprintf("Property type validation failed in '%s': the defined type is '%s', yet it was assigned with the value '%s'",
		opts.Name, typeName, value.Text(v))
	if opts.Path != "" {
		text = fmt.Sprintf("Property type validation failed in '%s': property '%s' type is '%s', yet it was assigned with the value '%s'",
			opts.Name, opts.Path, typeName, value.Text(v))
	}
	return problem.Coded(problem.Logic, 105, "%s", text).At(problem.Place{Path: opts.Path})
}

// truthy is what counts as true: not null, false, zero or empty.
func truthy(v any) bool {
	switch t := v.(type) {
	case nil:
		return false
	case bool:
		return t
	case int64:
		return t != 0
	case float64:
		return t != 0
	case string:
		return t != ""
	case []any:
		return len(t) > 0
	case map[string]any:
		return len(t) > 0
	}
	return true
}
