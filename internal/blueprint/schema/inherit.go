package schema

import (
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/schema/primitive"
	"windlass/internal/value"
)

// Inherit works out the properties of a type from those of its parent and its
// own as they were written. An own entry replaces the parent's as a whole; only
// where both have the same data type is the parent's default completed by the
// own one. A property of a data type that has no default gets the data type's.
//
// parent must itself be a result of Inherit, nil at the root. owner is the
// type's name, for messages. The arguments are not changed.
func Inherit(
	parent, own map[string]plan.Schema, types map[string]plan.DataType, owner string,
) (map[string]plan.Schema, problem.List) {
	merged := make(map[string]plan.Schema, len(parent)+len(own))
	var problems problem.List
	for _, key := range value.SortedKeys(own) {
		s, p := withDefault(own[key], types, owner, key)
		if p != nil {
			problems = append(problems, p)
		}
		merged[key] = s
	}
	for _, key := range value.SortedKeys(parent) {
		mine, overridden := own[key]
		if !overridden {
			merged[key] = parent[key]
			continue
		}
		s, p := completedDefault(merged[key], mine, parent[key], types, owner, key)
		if p != nil {
			problems = append(problems, p)
		}
		merged[key] = s
	}
	return merged, problems
}

// withDefault checks the default of s, or makes the implied one.
func withDefault(s plan.Schema, types map[string]plan.DataType, owner, key string) (plan.Schema, *problem.Problem) {
	var written any
	if s.HasDefault() {
		written = s.Default.V
	}
	if written == nil {
		if !isData(s, types) {
			return s, nil
		}
		written = map[string]any{}
	}
	d, p := Conform(written, s, types, Options{
		Name: owner, Path: key, AllowMissing: true, Undefined: UndefinedInDefault,
	})
	if p != nil {
		return s, p
	}
	s.Default = &value.Any{V: d}
	return s, nil
}

// completedDefault lays the written default of a property over its parent's.
func completedDefault(
	s, written, parent plan.Schema, types map[string]plan.DataType, owner, key string,
) (plan.Schema, *problem.Problem) {
	sameType := s.TypeName() == parent.TypeName() && isData(s, types)
	if !sameType || !parent.HasDefault() || parent.Default.V == nil {
		return s, nil
	}
	var v any = map[string]any{}
	if written.HasDefault() && written.Default.V != nil {
		v = written.Default.V
	}
	d, p := Conform(v, s, types, Options{
		Name: owner, Path: key, AllowMissing: true, Derived: parent.Default.V, Undefined: UndefinedInDefault,
	})
	if p != nil {
		return s, p
	}
	if truthy(d) {
		s.Default = &value.Any{V: d}
	}
	return s, nil
}

func isData(s plan.Schema, types map[string]plan.DataType) bool {
	name := s.TypeName()
	_, known := types[name]
	return known && !primitive.Is(name)
}
