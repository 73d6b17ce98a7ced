package schema

import (
	"slices"
	"strings"

	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// Candidates supplies the values that exist for the object types.
type Candidates interface {
	// HasDeployment tells whether a deployment is known that names are looked
	// up in, such as the one a workflow runs for.
	HasDeployment() bool
	// HasBlueprint tells the same of a blueprint.
	HasBlueprint() bool
	// Values returns the values of the object type that match the query, an
	// empty list if there are none. wanted is the value that is looked for: an
	// answer need hold no other. The query's keys are deployment_id, filter_id,
	// labels, tenants, valid_values and the parameter that stands for
	// name_pattern, such as id_specs.
	Values(typeName string, wanted any, query map[string]any) ([]any, error)
}

// Object types that are looked up in a blueprint or a deployment, and those
// that need a deployment.
func inBlueprint(typeName string) bool {
	return slices.Contains([]string{"scaling_group", "operation_name", "node_id", "node_type"}, typeName)
}

func inDeployment(typeName string) bool {
	return slices.Contains([]string{"capability_value", "node_instance"}, typeName)
}

// checkObject checks that v names an object, as far as that can be told
// without a query.
func checkObject(name string, v any, typeName string, constraints []constraint, src Candidates) *problem.Problem {
	if src == nil {
		return problem.New(problem.Constraint, "Invalid call to validate_input_value: value_getter not set").WithHint(
			"a value of type %s can only be checked where the objects are known, not as the default of an input", typeName)
	}
	named := slices.ContainsFunc(constraints, func(c constraint) bool { return c.name == "deployment_id" })
	switch {
	case inBlueprint(typeName) && !named && !src.HasDeployment() && !src.HasBlueprint():
		return problem.New(problem.Constraint,
			"Input '%s' of type '%s' lacks 'blueprint_id' or 'deployment_id' constraint.", name, typeName)
	case inDeployment(typeName) && !named && !src.HasDeployment():
		return problem.New(problem.Constraint, "Input '%s' of type '%s' lacks 'deployment_id' constraint.", name, typeName)
	}
	if (inBlueprint(typeName) || inDeployment(typeName)) && (named || !src.HasDeployment()) {
		return nil // the query tells
	}
	found, p := among(v, typeName, map[string]any{}, src)
	if p == nil && !found {
		p = problem.New(problem.Constraint, "Value '%s' of '%s' is not a valid value for data type '%s'.",
			value.Text(v), name, typeName)
	}
	return p
}

// checkQueries asks for the objects that meet all queries, and whether v is
// one of them.
func checkQueries(name string, v any, typeName string, queries []constraint, src Candidates) *problem.Problem {
	if len(queries) == 0 && !inDeployment(typeName) {
		return nil
	}
	query := map[string]any{}
	texts := make([]string, len(queries))
	for i, c := range queries {
		if !slices.Contains(c.objects, typeName) {
			return problem.New(problem.Constraint, "'%s' constraint is not defined for '%s' data types", c.name, typeName)
		}
		query[c.parameter(typeName)] = c.argument
		texts[i] = c.String()
	}
	found, p := among(v, typeName, query, src)
	if p == nil && !found {
		p = problem.New(problem.Constraint,
			"Value '%s' of input '%s' does not match any relevant entity or violates at least one of the constraints: %s.",
			value.Text(v), name, strings.Join(texts, ", "))
	}
	return p
}

func among(v any, typeName string, query map[string]any, src Candidates) (bool, *problem.Problem) {
	values, err := src.Values(typeName, v, query)
	if err != nil {
		return false, problem.New(problem.Constraint, "look up the values of type %s: %v", typeName, err)
	}
	return slices.ContainsFunc(values, func(c any) bool { return value.Equal(c, v) }), nil
}
