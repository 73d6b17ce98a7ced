package functions

import (
	"iter"
	"slices"

	"windlass/internal/blueprint/plan"
	"windlass/internal/value"
)

// slot is one value of a plan that may hold functions.
type slot struct {
	at    place
	value any
	set   func(v any) // replaces the value in the plan
	mark  func()      // says of the operation that functions are left in it; nil outside of operations
}

// slots walks over all places of a plan in which functions count: nodes in
// order, and names of everything else in text order.
func slots(b *plan.Body) iter.Seq[slot] {
	return func(yield func(slot) bool) {
		for _, n := range b.Nodes {
			if !nodeSlots(n, yield) || !operationSlots(n, yield) {
				return
			}
		}
		_ = exposedSlots(b.Outputs, inOutputs, yield) &&
			policySlots(b, yield) &&
			exposedSlots(b.Capabilities, inCapabilities, yield) &&
			labelSlots(b, yield) &&
			settingSlots(b, yield)
	}
}

func nodeSlots(n *plan.Node, yield func(slot) bool) bool {
	at := func() place { return place{scope: inNode, node: n.Name, path: path("nodes", n.Name, "properties")} }
	if !mapSlots(n.Properties, at, nil, yield) {
		return false
	}
	return nodeScaleSlots(n, yield)
}

func nodeScaleSlots(n *plan.Node, yield func(slot) bool) bool {
	s := &n.Capabilities.Scalable.Properties
	if !holdsValues(s.Current.V) && !holdsValues(s.Default.V) && !holdsValues(s.Max.V) &&
		!holdsValues(s.Min.V) && !holdsValues(s.Planned.V) {
		return true // numbers, as nearly always
	}
	at := place{scope: inNode, node: n.Name, path: path("nodes", n.Name, "capabilities", "scalable")}
	return scaleSlots(s, at, func() {}, yield)
}

func operationSlots(n *plan.Node, yield func(slot) bool) bool {
	if !inputSlots(n.Operations, func() place {
		return place{scope: inNode, node: n.Name, path: path("nodes", n.Name, "operations")}
	}, yield) {
		return false
	}
	for _, r := range n.Relationships {
		at := func() place {
			return place{
				scope: inRelationship, source: n.Name, target: r.TargetID, relationship: r.Type,
				path: path("nodes", n.Name, r.Type),
			}
		}
		if !inputSlots(r.SourceOperations, at, yield) || !inputSlots(r.TargetOperations, at, yield) {
			return false
		}
	}
	return true
}

// inputSlots asks for the place only if there are inputs.
func inputSlots(operations map[string]*plan.Operation, at func() place, yield func(slot) bool) bool {
	var names []string // most operations have no inputs
	for name, o := range operations {
		if len(o.Inputs) > 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		mark := func() { operations[name].HasIntrinsicFunctions = true }
		inputs := func() place { return at().key(name).key("inputs") }
		if !mapSlots(operations[name].Inputs, inputs, mark, yield) {
			return false
		}
	}
	return true
}

// mapSlots asks for the place only if it is needed: most values are plain.
func mapSlots(m map[string]any, at func() place, mark func(), yield func(slot) bool) bool {
	keys := containers(m)
	if len(keys) == 0 {
		return true
	}
	here := at()
	for _, k := range keys {
		if !yield(slot{at: here.key(k), value: m[k], set: func(v any) { m[k] = v }, mark: mark}) {
			return false
		}
	}
	return true
}

// holdsValues tells whether v could be or hold a call: most values are plain.
func holdsValues(v any) bool {
	switch v.(type) {
	case []any, map[string]any, value.Map:
		return true
	}
	return false
}

func exposedSlots(outputs map[string]plan.Output, scope string, yield func(slot) bool) bool {
	for _, name := range value.SortedKeys(outputs) {
		set := func(v any) {
			o := outputs[name]
			o.Value = value.Any{V: v}
			outputs[name] = o
		}
		at := place{scope: scope, path: path(scope, name, "value")}
		if !yield(slot{at: at, value: outputs[name].Value.V, set: set}) {
			return false
		}
	}
	return true
}

func policySlots(b *plan.Body, yield func(slot) bool) bool {
	for _, name := range value.SortedKeys(b.Policies) {
		p := b.Policies[name]
		at := place{scope: inPolicies, path: path(inPolicies, name, "properties")}
		if !scaleSlots(&p.Properties, at, func() { b.Policies[name] = p }, yield) {
			return false
		}
	}
	for _, name := range value.SortedKeys(b.ScalingGroups) {
		g := b.ScalingGroups[name]
		at := place{scope: inGroups, path: path(inGroups, name, "properties")}
		if !scaleSlots(&g.Properties, at, func() { b.ScalingGroups[name] = g }, yield) {
			return false
		}
	}
	return true
}

// scaleSlots walks over the numbers of s; store puts s back where it came from.
func scaleSlots(s *plan.Scalable, at place, store func(), yield func(slot) bool) bool {
	for _, f := range []struct {
		key string
		v   *value.Any
	}{
		{"current_instances", &s.Current}, {"default_instances", &s.Default}, {"max_instances", &s.Max},
		{"min_instances", &s.Min}, {"planned_instances", &s.Planned},
	} {
		if !holdsValues(f.v.V) {
			continue
		}
		set := func(v any) {
			f.v.V = v
			store()
		}
		if !yield(slot{at: at.key(f.key), value: f.v.V, set: set}) {
			return false
		}
	}
	return true
}

func labelSlots(b *plan.Body, yield func(slot) bool) bool {
	for _, key := range value.SortedKeys(b.Labels) {
		values := b.Labels[key].Values
		at := place{scope: inLabels, path: path(inLabels, key, "values")}
		for i := range values {
			if !yield(slot{at: at.item(i), value: values[i], set: func(v any) { values[i] = v }}) {
				return false
			}
		}
	}
	return true
}

func settingSlots(b *plan.Body, yield func(slot) bool) bool {
	at := func() place { return place{scope: inSettings, path: path(inSettings)} }
	return mapSlots(b.DeploymentSettings, at, nil, yield)
}

// calls visits every call in v. before sees a call before those in its
// argument, after sees it after them; either may be nil.
func calls(v any, at place, before, after func(c call, at place)) {
	c, called := find(v)
	if called && before != nil {
		before(c, at)
	}
	switch t := v.(type) {
	case []any:
		for i, e := range t {
			if holdsValues(e) {
				calls(e, at.item(i), before, after)
			}
		}
	case map[string]any:
		for _, k := range containers(t) {
			calls(t[k], at.key(k), before, after)
		}
	}
	if called && after != nil {
		after(c, at)
	}
}

// containers lists the keys in text order whose values could hold calls.
func containers(m map[string]any) []string {
	var keys []string
	for k, v := range m {
		if holdsValues(v) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}
