package schema

import (
	"math/big"
	"unicode/utf8"

	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/schema/primitive"
	"windlass/internal/value"
)

// operator is one kind of constraint.
type operator struct {
	name  string
	takes string // the argument, for people
	valid func(argument any) bool

	// holds tests a value. It is nil for operators that are queries only.
	holds func(v, argument any) (bool, *problem.Problem)

	// objects are the object types for which the operator is a query among the
	// objects that exist; for those without holds, the only types it is for.
	objects []string
}

// isQuery tells whether the operator is a query for values of that type.
func (o operator) isQuery(typeName string) bool {
	if o.holds == nil {
		return true
	}
	for _, t := range o.objects {
		if t == typeName {
			return true
		}
	}
	return false
}

// parameter is the name of the query's parameter.
func (o operator) parameter(typeName string) string {
	if o.name != "name_pattern" {
		return o.name
	}
	switch typeName {
	case "deployment_id":
		return "display_name_specs"
	case "secret_key":
		return "key_specs"
	case "node_type":
		return "type_specs"
	case "capability_value":
		return "capability_key_specs"
	case "scaling_group":
		return "scaling_group_name_specs"
	case "operation_name":
		return "operation_name_specs"
	}
	return "id_specs" // blueprint_id, node_id, node_instance
}

const (
	aNumber  = "a number"
	aList    = "a list"
	aPair    = "a list of two numbers"
	aString  = "a string"
	aPattern = "a dict of starts_with, ends_with, contains or equals_to"
)

func operators() []operator {
	ids := []string{"deployment_id", "blueprint_id"}
	parts := []string{"capability_value", "scaling_group", "node_id", "node_type", "node_instance", "operation_name"}
	named := append(append([]string{}, ids...), append([]string{"secret_key"}, parts...)...)
	return []operator{
		{name: "equal", takes: aNumber, valid: primitive.IsNumber, holds: isEqual},
		{name: "greater_than", takes: aNumber, valid: primitive.IsNumber, holds: compares(func(c int) bool { return c > 0 })},
		{name: "greater_or_equal", takes: aNumber, valid: primitive.IsNumber, holds: compares(func(c int) bool { return c >= 0 })},
		{name: "less_than", takes: aNumber, valid: primitive.IsNumber, holds: compares(func(c int) bool { return c < 0 })},
		{name: "less_or_equal", takes: aNumber, valid: primitive.IsNumber, holds: compares(func(c int) bool { return c <= 0 })},
		{name: "in_range", takes: aPair, valid: isRange, holds: inRange},
		{name: "valid_values", takes: aList, valid: isList, holds: isMember, objects: parts},
		{name: "length", takes: aNumber, valid: primitive.IsNumber, holds: measures(func(c int) bool { return c == 0 })},
		{name: "min_length", takes: aNumber, valid: primitive.IsNumber, holds: measures(func(c int) bool { return c >= 0 })},
		{name: "max_length", takes: aNumber, valid: primitive.IsNumber, holds: measures(func(c int) bool { return c <= 0 })},
		{name: "pattern", takes: "a regular expression", valid: isPattern, holds: matches},
		{name: "filter_id", takes: aString, valid: isString, objects: ids},
		{name: "labels", takes: aList, valid: isList, objects: ids},
		{name: "tenants", takes: aList, valid: isList, objects: ids},
		{name: "name_pattern", takes: aPattern, valid: isDict, objects: named},
		{name: "deployment_id", takes: aString, valid: isString, objects: parts},
	}
}

// ConstraintNames returns the names of all operators.
func ConstraintNames() []string {
	var names []string
	for _, o := range operators() {
		names = append(names, o.name)
	}
	return names
}

func findOperator(name string) (operator, bool) {
	for _, o := range operators() {
		if o.name == name {
			return o, true
		}
	}
	return operator{}, false
}

func isList(v any) bool    { return primitive.Accepts(primitive.List, v) }
func isDict(v any) bool    { return primitive.Accepts(primitive.Dict, v) }
func isPattern(v any) bool { return primitive.Accepts(primitive.Regex, v) }
func isString(v any) bool  { _, ok := v.(string); return ok }

func isRange(v any) bool {
	l, ok := v.([]any)
	return ok && len(l) == 2 && primitive.IsNumber(l[0]) && primitive.IsNumber(l[1])
}

func isEqual(v, argument any) (bool, *problem.Problem) { return same(v, argument), nil }

// same is equality that takes true for 1 and false for 0, as the original's
// comparison of numbers does.
func same(a, b any) bool {
	x, aNumeric := rational(a)
	y, bNumeric := rational(b)
	if aNumeric && bNumeric {
		return x.Cmp(y) == 0
	}
	return value.Equal(a, b)
}

func compares(want func(int) bool) func(v, argument any) (bool, *problem.Problem) {
	return func(v, argument any) (bool, *problem.Problem) {
		c, ok := compare(v, argument)
		if !ok {
			return false, incomparable(v, argument)
		}
		return want(c), nil
	}
}

func inRange(v, argument any) (bool, *problem.Problem) {
	bounds, ok := argument.([]any)
	if !ok || len(bounds) != 2 {
		return false, incomparable(v, argument)
	}
	low, ok := compare(v, bounds[0])
	if !ok {
		return false, incomparable(v, argument)
	}
	high, ok := compare(v, bounds[1])
	if !ok {
		return false, incomparable(v, argument)
	}
	return low >= 0 && high <= 0, nil
}

func isMember(v, argument any) (bool, *problem.Problem) {
	items, ok := argument.([]any)
	if !ok {
		return false, problem.New(problem.Constraint,
			"Value cannot be searched in the given valid values. Constraint argument type is '%s' but value type is '%s'.",
			value.TypeName(argument), value.TypeName(v))
	}
	for _, item := range items {
		if same(item, v) {
			return true, nil
		}
	}
	return false, nil
}

func measures(want func(int) bool) func(v, argument any) (bool, *problem.Problem) {
	return func(v, argument any) (bool, *problem.Problem) {
		n, ok := length(v)
		if !ok {
			return false, problem.New(problem.Constraint, "Value's length could not be computed. Value type is '%s'.", value.TypeName(v))
		}
		c, ok := compare(int64(n), argument)
		if !ok {
			return false, incomparable(v, argument)
		}
		return want(c), nil
	}
}

// length is the number of letters, items or keys.
func length(v any) (int, bool) {
	switch t := v.(type) {
	case string:
		return utf8.RuneCountInString(t), true
	case []any:
		return len(t), true
	case map[string]any:
		return len(t), true
	}
	return 0, false
}

func matches(v, argument any) (bool, *problem.Problem) {
	text, ok := v.(string)
	if !ok {
		return false, problem.New(problem.Constraint, "Value must be of type string, got type '%s'", value.TypeName(v))
	}
	expression, ok := argument.(string)
	if !ok {
		return false, incomparable(v, argument)
	}
	pattern, err := primitive.CompilePattern(expression)
	if err != nil {
		return false, problem.Coded(problem.Logic, 212,
			"Invalid constraint operator argument \"%s\", for constraint operator \"pattern\": %v", expression, err)
	}
	matched, err := pattern.MatchStart(text)
	if err != nil {
		return false, problem.New(problem.Constraint, "%v", err)
	}
	return matched, nil
}

func incomparable(v, argument any) *problem.Problem {
	return problem.New(problem.Constraint,
		"Value is not comparable, the Constraint argument type  is '%s' but value type is '%s'.",
		value.TypeName(argument), value.TypeName(v))
}

// compare orders two numbers exactly, however large; ok is false for others.
func compare(a, b any) (order int, ok bool) {
	x, ok := rational(a)
	if !ok {
		return 0, false
	}
	y, ok := rational(b)
	if !ok {
		return 0, false
	}
	return x.Cmp(y), true
}

func rational(v any) (*big.Rat, bool) {
	switch t := v.(type) {
	case bool:
		if t {
			return big.NewRat(1, 1), true
		}
		return new(big.Rat), true
	case int64:
		return new(big.Rat).SetInt64(t), true
	case *big.Int:
		return new(big.Rat).SetInt(t), true
	case float64:
		r := new(big.Rat).SetFloat64(t)
		return r, r != nil // nil for NaN and infinities
	}
	return nil, false
}
