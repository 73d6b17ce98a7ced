package execution

import (
	"fmt"
	"slices"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
	"windlass/internal/topology"
	"windlass/internal/value"
)

// counts is what an update does to numbers of instances.
type counts struct {
	nodes   []*plan.Node                 // of the new plan
	groups  map[string]plan.ScalingGroup // the deployment's from now on
	changes map[string]topology.Change
	settled map[string]int // the numbers that nodes have at the end, by node
	notes   []string       // what people should know
}

// countsAfter works out how many instances there shall be of what was there
// before. A node has as many as its instances.deploy says, if the new blueprint
// has that; otherwise what it was scaled to counts, and the blueprint's number is
// for new deployments. modified are the nodes that a modification under way
// scales: it settles what their number is.
func countsAfter(before *shape, to *plan.Deployment, modified map[string]bool) counts {
	c := counts{nodes: make([]*plan.Node, len(to.Nodes)), changes: map[string]topology.Change{}, settled: map[string]int{}}
	for k, n := range to.Nodes {
		c.nodes[k] = n
		old, ok := before.node(n.ID)
		if !ok {
			continue
		}
		planned := old.Scalable.Planned
		if deploy, says := n.Instances["deploy"].(int64); says {
			planned = int(deploy)
			if planned != old.Scalable.Planned || planned != old.Scalable.Current {
				c.changes[n.ID] = topology.Change{Instances: planned}
				c.settled[n.ID] = planned
			}
		} else if old.Scalable.Current != planned && !modified[n.ID] {
			// An update before has failed. What it added is there, and so is
			// still what it was to remove.
			planned = max(old.Scalable.Current, planned)
			c.settled[n.ID] = planned
		}
		kept := *n
		kept.Capabilities.Scalable.Properties.Current = value.Any{V: int64(old.Scalable.Current)}
		kept.Capabilities.Scalable.Properties.Planned = value.Any{V: int64(planned)}
		c.nodes[k] = &kept
	}
	c.keepGroups(before.deployment.ScalingGroups, to.ScalingGroups)
	return c
}

// keepGroups keeps the scaling groups with their members and numbers: what is in
// one can't be moved without installing it anew. They take the limits of the new
// plan.
func (c *counts) keepGroups(old, now map[string]plan.ScalingGroup) {
	c.groups = make(map[string]plan.ScalingGroup, len(old))
	for _, name := range value.SortedKeys(old) {
		g := old[name]
		if is, still := now[name]; still {
			p := is.Properties
			p.Current, p.Planned = g.Properties.Current, g.Properties.Planned
			g.Properties = p
		} else {
			c.notes = append(c.notes, fmt.Sprintf("%s stays a scaling group, though no policy of the blueprint makes it one: an update can't change that", name))
		}
		c.groups[name] = g
	}
	for _, name := range value.SortedKeys(now) {
		if _, was := old[name]; !was {
			c.notes = append(c.notes, fmt.Sprintf("%s doesn't become a scaling group: an update can't make one of what is there; "+
				"new deployments of the blueprint have it", name))
		}
	}
}

// settle gives nodes the numbers that an update has brought them to.
func (p *updatePlan) settle(n *store.Node) (changed bool) {
	number, ok := p.Settled[n.ID]
	if !ok || n.Scalable.Current == number && n.Scalable.Planned == number {
		return false
	}
	n.Scalable.Current, n.Scalable.Planned = number, number
	return true
}

// reordered gives an instance's relationships in the order of its node's.
func reordered(list []plan.InstanceRelationship, of []plan.Relationship) []plan.InstanceRelationship {
	type kind struct{ relationship, target string }
	place := make(map[kind]int, len(of))
	for k, r := range of {
		if _, ok := place[kind{r.Type, r.TargetID}]; !ok {
			place[kind{r.Type, r.TargetID}] = k
		}
	}
	at := func(r plan.InstanceRelationship) int {
		if k, ok := place[kind{r.Type, r.TargetName}]; ok {
			return k
		}
		return len(of)
	}
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b plan.InstanceRelationship) int { return at(a) - at(b) })
	return sorted
}
