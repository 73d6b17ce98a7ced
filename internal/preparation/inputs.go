package preparation

import (
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/schema"
	"windlass/internal/blueprint/schema/primitive"
	"windlass/internal/value"
)

// CheckInputs tells whether a deployment of the plan could be made with these
// inputs: nothing required missing, nothing undeclared given, each of its type
// and within its constraints. Whether the objects exist that inputs name is not
// looked at; Deploy does. The error is a problem.List of all that is wrong.
func CheckInputs(p *plan.Plan, given map[string]any) error {
	_, err := ResolveInputs(p, Options{Inputs: given, Candidates: anything{}})
	return err
}

// anything are candidates for code that can't know: all values are taken.
type anything struct{}

func (anything) HasDeployment() bool { return true }
func (anything) HasBlueprint() bool  { return true }
func (anything) Values(_ string, wanted any, _ map[string]any) ([]any, error) {
	return []any{wanted}, nil
}

// ResolveInputs gives the values of all inputs that the plan declares: those in
// opts.Inputs, else their defaults, completed by their data types. Defaults
// that hold functions stay so. The error is a problem.List of all that is
// wrong; opts.Inputs is not changed.
func ResolveInputs(p *plan.Plan, opts Options) (map[string]any, error) {
	names := value.SortedKeys(p.Inputs)
	resolved := make(map[string]any, len(names))
	var problems problem.List
	var missing, unknown []string
	for _, name := range names {
		s := p.Inputs[name]
		v, found := valueOf(name, s, p.DataTypes, opts.Inputs)
		switch {
		case found && opts.AutoCorrect:
			resolved[name] = correct(v, s.TypeName())
		case found:
			resolved[name] = v
		case s.IsRequired():
			missing = append(missing, name)
		default:
			resolved[name] = nil
		}
	}
	for _, name := range names {
		if _, found := valueOf(name, p.Inputs[name], p.DataTypes, opts.Inputs); !found {
			continue
		}
		v, wrong := checked(name, resolved, p, opts)
		if wrong != nil {
			problems = append(problems, wrong.At(problem.Place{Path: "inputs." + name}))
			continue
		}
		resolved[name] = v
	}
	for _, name := range value.SortedKeys(opts.Inputs) {
		if _, declared := p.Inputs[name]; !declared {
			unknown = append(unknown, name)
		}
	}
	if len(missing) > 0 {
		problems = append(problems, problem.New(problem.MissingRequiredInput,
			"Required inputs %s were not specified - expected inputs: %s", value.Repr(list(missing)), value.Repr(list(names))).
			With("inputs", list(missing)))
	}
	if len(unknown) > 0 {
		problems = append(problems, problem.New(problem.UnknownInput,
			"Unknown inputs %s specified - expected inputs: %s", value.Repr(list(unknown)), value.Repr(list(names))).
			With("inputs", list(unknown)))
	}
	return resolved, problems.Err()
}

func list(names []string) []any {
	l := make([]any, len(names))
	for i, n := range names {
		l[i] = n
	}
	return l
}

// valueOf gives the value of an input before it is checked: the one given, the
// default, or what the data type makes of nothing.
func valueOf(name string, s plan.Schema, types map[string]plan.DataType, given map[string]any) (any, bool) {
	if v, ok := given[name]; ok {
		return v, true
	}
	if s.HasDefault() && s.Default.V != nil {
		return s.Default.V, true
	}
	implied, p := schema.Conform(map[string]any{}, s, types, schema.Options{Name: name})
	if m, ok := implied.(map[string]any); p == nil && ok && len(m) > 0 {
		return m, true
	}
	return nil, false
}

// checked gives the value of an input completed by its data type.
func checked(name string, inputs map[string]any, p *plan.Plan, opts Options) (any, *problem.Problem) {
	v, s := inputs[name], p.Inputs[name]
	constrained, err := withConstraints(s, inputs)
	if err != nil {
		return nil, problem.New(problem.Constraint, "The constraints of input %s can't be worked out: %v", name, err)
	}
	if wrong := schema.CheckConstraints(name, v, constrained, opts.Candidates); wrong != nil {
		return nil, wrong
	}
	completed, wrong := schema.Conform(v, s, p.DataTypes, schema.Options{Name: name})
	if wrong != nil && wrong.Kind == problem.Logic {
		coded := problem.Coded(problem.Parsing, 214, "%s", wrong.Message)
		coded.Details, coded.Hint = wrong.Details, hint(v, s)
		return nil, coded
	}
	return completed, wrong
}

// hint says what to do about a value of the wrong type.
func hint(v any, s plan.Schema) string {
	if _, ok := v.(string); ok && !value.Equal(correct(v, s.TypeName()), v) {
		return "give the value without quotes, or have the types of inputs corrected"
	}
	return ""
}

// withConstraints works out the functions that stand as arguments of
// constraints.
func withConstraints(s plan.Schema, inputs map[string]any) (plan.Schema, error) {
	if !slices.ContainsFunc(s.Constraints, func(c value.Map) bool { return functions.Contains(map[string]any(c)) }) {
		return s, nil
	}
	constraints := make([]value.Map, len(s.Constraints))
	for i, c := range s.Constraints {
		constraints[i] = make(value.Map, len(c))
		for k, argument := range c {
			v, err := functions.EvaluateInputs(argument, inputs)
			if err != nil {
				return s, err
			}
			constraints[i][k] = v
		}
	}
	s.Constraints = constraints
	return s, nil
}

var wholeNumber = regexp.MustCompile(`^[+-]?[0-9](_?[0-9])*$`)

// correct turns a text into the integer, float or boolean that it reads as, if
// that is the type wanted.
func correct(v any, typeName string) any {
	text, ok := v.(string)
	if !ok {
		return v
	}
	trimmed := strings.ReplaceAll(strings.TrimSpace(text), "_", "")
	switch typeName {
	case primitive.Integer:
		if !wholeNumber.MatchString(strings.TrimSpace(text)) {
			return v
		}
		if n, err := strconv.ParseInt(trimmed, 10, 64); err == nil {
			return n
		}
		if n, ok := new(big.Int).SetString(trimmed, 10); ok {
			return n
		}
	case primitive.Float:
		f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) && !strings.ContainsAny(text, "xX") {
			return f
		}
	case primitive.Boolean:
		switch text {
		case "true":
			return true
		case "false":
			return false
		}
	}
	return v
}
