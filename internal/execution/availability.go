package execution

import (
	"slices"

	"windlass/internal/blueprint/plan"
)

// Topology is what availability rules look at.
type Topology struct {
	InstanceStates []string            // of all instances of the deployment
	NodeTypes      map[string]struct{} // types and ancestors of all its nodes
}

// IsAvailable tells whether the rules let the workflow run on a deployment
// that looks like t. No rules let everything run. All rules given must hold.
func IsAvailable(rules *plan.Availability, t Topology) bool {
	if rules == nil {
		return true
	}
	if rules.Available != nil && !*rules.Available {
		return false
	}
	if len(rules.NodeInstancesActive) > 0 &&
		!slices.ContainsFunc(rules.NodeInstancesActive, func(how string) bool { return isActive(how, t.InstanceStates) }) {
		return false
	}
	if len(rules.NodeTypesRequired) > 0 &&
		!slices.ContainsFunc(rules.NodeTypesRequired, func(name string) bool { _, ok := t.NodeTypes[name]; return ok }) {
		return false
	}
	return true
}

func isActive(how string, states []string) bool {
	started, absent := 0, 0
	for _, s := range states {
		switch s {
		case "started":
			started++
		case "uninitialized", "deleted":
			absent++
		}
	}
	switch how {
	case "all":
		return started == len(states)
	case "partial":
		return started != len(states) && absent != len(states)
	case "none":
		return started == 0
	}
	return false
}
