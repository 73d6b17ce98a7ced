package schema

import (
	"fmt"
	"strings"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/schema/primitive"
	"windlass/internal/value"
)

// errorMessage is the key beside an operator that words the violation.
const errorMessage = "error_message"

// constraint is one operator with its argument.
type constraint struct {
	operator
	argument any
	message  string // from error_message; "" without
}

// String is the operator as messages show it: in_range(1, 9) operator.
func (c constraint) String() string {
	text := value.Text(c.argument)
	if items, ok := c.argument.([]any); ok {
		parts := make([]string, len(items))
		for i, item := range items {
			parts[i] = value.Text(item)
		}
		text = strings.Join(parts, ", ")
	}
	return fmt.Sprintf("%s(%s) operator", c.name, text)
}

// ValidateConstraint checks the shape of one constraint as it was written: a
// dict of one operator, perhaps with error_message beside it. Code 103 is an
// unknown or absent operator, 212 a bad argument. A function as argument is
// accepted. Whether the version of the language allows error_message is for
// the caller to say.
func ValidateConstraint(c map[string]any) *problem.Problem {
	names := operatorNames(c)
	if len(names) == 0 {
		return problem.Coded(problem.Logic, 103, "Empty constraint operator name given. Allowed operators: %s",
			strings.Join(ConstraintNames(), ", "))
	}
	op, known := findOperator(names[0])
	if !known {
		return problem.Coded(problem.Logic, 103, "No such constraint operator '%s'. Allowed operators: %s",
			names[0], strings.Join(ConstraintNames(), ", "))
	}
	argument := c[names[0]]
	if !functions.Is(argument) && !op.valid(argument) {
		return problem.Coded(problem.Logic, 212, "Invalid constraint operator argument \"%s\", for constraint operator \"%s\".",
			value.Text(argument), op.name).WithHint("%s takes %s", op.name, op.takes)
	}
	return nil
}

// operatorNames are the keys of c but for error_message, in text order.
func operatorNames(c map[string]any) []string {
	var names []string
	for _, k := range value.SortedKeys(c) {
		if k != errorMessage {
			names = append(names, k)
		}
	}
	return names
}

// CheckConstraints checks a value against the constraints of its schema, and a
// value of an object type (a blueprint id, say) for being that of an object. The
// items of a list with an item type are checked one by one, each for its type
// (code 105) and then for the constraints. A function where constraints exist
// is code 213. src gives the objects there are; nil if nothing knows.
func CheckConstraints(name string, v any, s plan.Schema, src Candidates) *problem.Problem {
	constraints, p := readConstraints(s.Constraints)
	if p != nil {
		return p
	}
	if s.TypeName() != primitive.List || s.ItemType == nil || *s.ItemType == "" {
		return checkOne(name, v, s.TypeName(), constraints, src)
	}
	for _, item := range elements(v) {
		if !primitive.Accepts(*s.ItemType, item) {
			return wrongType(item, *s.ItemType, Options{Name: name})
		}
		if p := checkOne(name, item, *s.ItemType, constraints, src); p != nil {
			return p
		}
	}
	return nil
}

func readConstraints(written []value.Map) ([]constraint, *problem.Problem) {
	constraints := make([]constraint, 0, len(written))
	for _, w := range written {
		names := operatorNames(w)
		if len(names) == 0 {
			continue // nothing to check; the parser refuses it
		}
		op, known := findOperator(names[0])
		if !known {
			return nil, problem.Coded(problem.Logic, 103, "No such constraint operator '%s'. Allowed operators: %s",
				names[0], strings.Join(ConstraintNames(), ", "))
		}
		message, _ := w[errorMessage].(string)
		constraints = append(constraints, constraint{operator: op, argument: w[names[0]], message: message})
	}
	return constraints, nil
}

// elements are what a walk over v meets: a text has letters, a dict keys.
func elements(v any) []any {
	switch t := v.(type) {
	case []any:
		return t
	case string:
		var letters []any
		for _, r := range t {
			letters = append(letters, string(r))
		}
		return letters
	case map[string]any:
		var keys []any
		for _, k := range value.SortedKeys(t) {
			keys = append(keys, k)
		}
		return keys
	}
	return nil
}

func checkOne(name string, v any, typeName string, constraints []constraint, src Candidates) *problem.Problem {
	if len(constraints) > 0 && functions.Is(v) {
		return problem.Coded(problem.Parsing, 213,
			"Input value %s, of input %s, cannot contain an intrinsic function and also have constraints.", value.Text(v), name)
	}
	if primitive.IsObject(typeName) {
		if p := checkObject(name, v, typeName, constraints, src); p != nil {
			return p
		}
	}
	var queries []constraint
	for _, c := range constraints {
		if c.isQuery(typeName) {
			queries = append(queries, c)
			continue
		}
		holds, p := c.holds(v, c.argument)
		if p != nil {
			return p
		}
		if !holds {
			return violation(name, v, c)
		}
	}
	return checkQueries(name, v, typeName, queries, src)
}

func violation(name string, v any, c constraint) *problem.Problem {
	if c.message != "" {
		return problem.New(problem.Constraint, "Value %s of input %s is invalid. %s", value.Text(v), name, c.message)
	}
	return problem.New(problem.Constraint, "Value %s of input %s violates constraint %s.", value.Text(v), name, c)
}
