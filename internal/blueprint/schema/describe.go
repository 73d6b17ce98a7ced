package schema

// Operator describes one kind of constraint to people and their tools.
type Operator struct {
	Name  string
	Takes string // the argument, in words
	// Argument is the JSON Schema of the argument, which may be a call of a
	// function instead.
	Argument map[string]any
}

// Operators describes all kinds of constraints, in the order of
// ConstraintNames.
func Operators() []Operator {
	var all []Operator
	for _, o := range operators() {
		all = append(all, Operator{Name: o.name, Takes: o.takes, Argument: o.argument()})
	}
	return all
}

func (o operator) argument() map[string]any {
	switch o.takes {
	case aNumber:
		return map[string]any{"type": "number"}
	case aList:
		return map[string]any{"type": "array"}
	case aPair:
		return map[string]any{
			"type": "array", "minItems": int64(2), "maxItems": int64(2), "items": map[string]any{"type": "number"},
		}
	case aPattern:
		return map[string]any{"type": "object"}
	}
	return map[string]any{"type": "string"}
}
