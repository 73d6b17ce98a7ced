// Package topology does the arithmetic of instances: how many of each node
// there are, which contains which, what is connected to what, and what changes
// when something is scaled. It is pure; new ids come from outside.
package topology

import (
	"fmt"

	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// The relationship types that every other must descend from.
const (
	dependsOn   = "cloudify.relationships.depends_on"
	connectedTo = "cloudify.relationships.connected_to"
	containedIn = "cloudify.relationships.contained_in"
)

// vertex is a node or scaling group of the plan.
type vertex struct {
	name  string
	order int        // where it stands among all: nodes as in the plan, then groups by name
	node  *plan.Node // nil for a group
	scale plan.Scalable

	containers  []*edge // what it is contained in: at most one in a sane plan
	members     []*edge // what is contained in it
	connections []*edge // relationships of other kinds, from it
}

func (v *vertex) isGroup() bool { return v.node == nil }

// edge is a relationship of the plan, or the membership in a group.
type edge struct {
	from, to     *vertex
	relationship *plan.Relationship // nil for membership only
	index        int                // of the relationship in its node; -1 for membership only

	// replaced is the node that the relationship really leads to: a member of a
	// group is contained in the group, and the group in that node.
	replaced *vertex
}

// graph is the plan with groups put between members and their containers.
type graph struct {
	vertices []*vertex
	byName   map[string]*vertex
	edges    map[[2]*vertex]*edge
	ordered  []*edge
}

// newGraph builds the graph of a plan. Between the same two vertices only the
// last relationship counts.
func newGraph(nodes []*plan.Node, groups map[string]plan.ScalingGroup) (*graph, error) {
	g := &graph{byName: make(map[string]*vertex, len(nodes)+len(groups)), edges: map[[2]*vertex]*edge{}}
	for _, n := range nodes {
		if n == nil {
			return nil, problem.New(problem.BadValue, "a node of the plan is null")
		}
		g.add(&vertex{name: n.ID, node: n, scale: n.Capabilities.Scalable.Properties})
	}
	names := value.SortedKeys(groups)
	for _, name := range names {
		g.add(&vertex{name: name, scale: groups[name].Properties})
	}
	memberOf := map[*vertex]*vertex{} // the group that a vertex is a direct member of
	for _, name := range names {
		for _, member := range groups[name].Members {
			m, known := g.byName[member]
			if !known {
				return nil, problem.New(problem.KeyMissing,
					"scaling group %s has a member %s that is neither a node nor a scaling group", name, member).
					WithHint("let a scaling policy target %s too, or take it out of %s", member, name)
			}
			memberOf[m] = g.byName[name]
			g.connect(&edge{from: m, to: g.byName[name], index: -1})
		}
	}
	for _, n := range nodes {
		for i := range n.Relationships {
			if err := g.relate(g.byName[n.ID], &n.Relationships[i], i, memberOf); err != nil {
				return nil, err
			}
		}
	}
	return g, g.sort()
}

func (g *graph) add(v *vertex) {
	v.order = len(g.vertices)
	g.vertices = append(g.vertices, v)
	g.byName[v.name] = v
}

func (g *graph) connect(e *edge) {
	pair := [2]*vertex{e.from, e.to}
	if old, ok := g.edges[pair]; ok {
		*old = *e
		return
	}
	g.edges[pair] = e
	g.ordered = append(g.ordered, e)
}

func (g *graph) relate(from *vertex, r *plan.Relationship, index int, memberOf map[*vertex]*vertex) error {
	to, known := g.byName[r.TargetID]
	if !known {
		return problem.New(problem.KeyMissing, "a relationship of node %s leads to %s, which does not exist", from.name, r.TargetID)
	}
	group := memberOf[from]
	if group == nil || !r.IsA(containedIn) {
		g.connect(&edge{from: from, to: to, relationship: r, index: index})
		return nil
	}
	g.connect(&edge{from: from, to: group, relationship: r, index: index, replaced: to})
	outermost := group
	for range g.vertices {
		if memberOf[outermost] == nil {
			break
		}
		outermost = memberOf[outermost]
	}
	g.connect(&edge{from: outermost, to: to, index: -1})
	return nil
}

// sort hands every edge to its vertices by kind.
func (g *graph) sort() error {
	for _, e := range g.ordered {
		switch {
		case e.relationship == nil, e.relationship.IsA(containedIn):
			e.from.containers = append(e.from.containers, e)
			e.to.members = append(e.to.members, e)
		case e.relationship.IsA(connectedTo), e.relationship.IsA(dependsOn):
			e.from.connections = append(e.from.connections, e)
		default:
			return problem.New(problem.UnsupportedRelation,
				"relationship of type %s from %s to %s is neither %s nor %s nor %s, nor derived from one of them",
				e.relationship.Type, e.from.name, e.to.name, dependsOn, connectedTo, containedIn)
		}
	}
	return g.checkContainment()
}

// checkContainment refuses vertices that contain themselves: from no root would
// they be reached.
func (g *graph) checkContainment() error {
	sound := make(map[*vertex]bool, len(g.vertices))
	for _, v := range g.vertices {
		onTheWay := map[*vertex]bool{}
		for at := v; !sound[at]; at = at.containers[0].to {
			if onTheWay[at] {
				return problem.New(problem.Runtime, "%s is contained in itself, by way of %s", at.name, at.containers[0].to.name)
			}
			onTheWay[at] = true
			if len(at.containers) == 0 {
				break
			}
		}
		for at := range onTheWay {
			sound[at] = true
		}
	}
	return nil
}

// groups lists the scaling groups around a vertex, innermost first.
func (v *vertex) groups() []*vertex {
	var list []*vertex
	seen := map[*vertex]bool{}
	for len(v.containers) > 0 && !seen[v] {
		seen[v] = true
		v = v.containers[0].to
		if v.isGroup() {
			list = append(list, v)
		}
	}
	return list
}

// commonGroup gives the innermost scaling group that both are in, or nil.
func commonGroup(a, b *vertex) *vertex {
	theirs := map[*vertex]bool{}
	for _, g := range b.groups() {
		theirs[g] = true
	}
	for _, g := range a.groups() {
		if theirs[g] {
			return g
		}
	}
	return nil
}

// count gives the number of instances in each container.
func (v *vertex) count() (int, error) {
	switch n := v.scale.Current.V.(type) {
	case int64:
		return int(n), nil
	case float64:
		return int(n), nil
	}
	return 0, problem.New(problem.BadValue, "the number of instances of %s is not known: %s", v.name, value.Text(v.scale.Current.V)).
		At(problem.Place{Path: fmt.Sprintf("nodes.%s.capabilities.scalable.current_instances", v.name)})
}
