package execution

import (
	"context"
	"fmt"
	"slices"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
)

// Topology is what availability rules look at. It is enough if both lists have
// each of their texts once.
type Topology struct {
	InstanceStates []string // of all instances of the deployment
	NodeTypes      []string // types and ancestors of all its nodes
}

// Topologies reads those of several deployments, as far as the workflows' rules
// need them, in at most two queries. A deployment without nodes has none.
func Topologies(ctx context.Context, r store.Reader, deployments []store.Deployment) (map[store.DeploymentKey]Topology, error) {
	var byState, byType []store.DeploymentKey
	for _, d := range deployments {
		key := store.DeploymentKey{Tenant: d.Tenant, ID: d.ID}
		states, types := asksFor(d.Workflows)
		if states {
			byState = append(byState, key)
		}
		if types {
			byType = append(byType, key)
		}
	}
	found := make(map[store.DeploymentKey]Topology, len(byState))
	if len(byState) > 0 {
		states, err := r.InstanceStates(ctx, byState)
		if err != nil {
			return nil, fmt.Errorf("read the states of instances: %w", err)
		}
		for key, list := range states {
			found[key] = Topology{InstanceStates: list}
		}
	}
	if len(byType) > 0 {
		types, err := r.NodeTypes(ctx, byType)
		if err != nil {
			return nil, fmt.Errorf("read the types of nodes: %w", err)
		}
		for key, list := range types {
			t := found[key]
			t.NodeTypes = list
			found[key] = t
		}
	}
	return found, nil
}

// asksFor tells what the rules of workflows look at.
func asksFor(workflows map[string]plan.Workflow) (states, types bool) {
	for _, w := range workflows {
		if rules := w.AvailabilityRules; rules != nil && (rules.Available == nil || *rules.Available) {
			states = states || len(rules.NodeInstancesActive) > 0
			types = types || len(rules.NodeTypesRequired) > 0
		}
	}
	return states, types
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
		!slices.ContainsFunc(rules.NodeTypesRequired, func(name string) bool { return slices.Contains(t.NodeTypes, name) }) {
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
