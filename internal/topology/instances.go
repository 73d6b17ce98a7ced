package topology

import (
	"cmp"
	"slices"

	"windlass/internal/blueprint/plan"
)

// instance is an instance of a node or of a scaling group.
type instance struct {
	id     string
	of     *vertex
	name   string // of's name; kept for instances of nodes that the plan has no more
	host   string // an instance id, "" without
	order  int    // among all, in the order of making
	parent *link  // what it is contained in
	links  []*link

	previous *plan.NodeInstance // what it was made from, in a modification
}

func (i *instance) isGroup() bool { return i.previous == nil && (i.of == nil || i.of.isGroup()) }

// link connects two instances.
type link struct {
	to       *instance
	kind     string // type of the relationship; "" for membership of a group only
	index    int    // of the relationship in its node; -1 for membership only
	replaced bool   // leads to the real container, beyond the groups between
}

// world is a set of instances.
type world struct {
	all      []*instance
	byID     map[string]*instance
	byVertex map[string][]*instance
}

func newWorld() *world {
	return &world{byID: map[string]*instance{}, byVertex: map[string][]*instance{}}
}

func (w *world) add(i *instance) {
	i.order = len(w.all)
	w.all = append(w.all, i)
	w.byID[i.id] = i
	w.byVertex[i.name] = append(w.byVertex[i.name], i)
}

// Expand makes the instances of a plan: those of each node once for every
// instance of what contains it, connected as the relationships say. taken are
// ids that must not be given again. The result is in the order of the nodes.
//
// Errors are problems: UnsupportedRelationship, IllegalConnectedToConnectionType,
// UnsupportedAllToOneInGroup, or ones about a plan that makes no sense.
func Expand(nodes []*plan.Node, groups map[string]plan.ScalingGroup, taken []string, ids IDSource) ([]plan.NodeInstance, error) {
	g, err := newGraph(nodes, groups)
	if err != nil {
		return nil, err
	}
	b := &builder{graph: g, world: newWorld(), ids: newIDMaker(ids, taken)}
	if err := b.build(); err != nil {
		return nil, err
	}
	return b.world.list(), nil
}

// builder makes a world from a graph, keeping what was there before.
type builder struct {
	graph *graph
	world *world
	ids   *idMaker
	past  *past // nil when nothing was there before
}

func (b *builder) build() error {
	for _, v := range b.graph.vertices {
		if len(v.containers) > 0 {
			continue
		}
		if err := b.contain(v, nil, nil, ""); err != nil {
			return err
		}
	}
	return b.connectAll()
}

// contain makes the instances of v in one instance of its container, and all
// that is contained in them. by is the edge to the container, parent its
// instance, both nil for none; host is the instance id of the host around.
func (b *builder) contain(v *vertex, by *edge, parent *instance, host string) error {
	kept, more, err := b.plan(v, parent)
	if err != nil {
		return err
	}
	if err := b.ids.reserve(v.name, more); err != nil {
		return err
	}
	for _, old := range kept {
		i := &instance{id: old.id, of: v, name: v.name, host: old.host, previous: old.previous}
		if i.isGroup() {
			i.host = host
		}
		if err := b.place(i, by, parent, i.host); err != nil {
			return err
		}
	}
	for range more {
		id, err := b.ids.next(v.name)
		if err != nil {
			return err
		}
		i := &instance{id: id, of: v, name: v.name}
		inside := host
		if inside == "" && v.node != nil && v.node.HostID == v.name {
			inside = id // the first host on the way down is the host of all below
		}
		if i.host = inside; i.host == "" && v.node != nil {
			i.host = v.node.HostID
		}
		if err := b.place(i, by, parent, inside); err != nil {
			return err
		}
	}
	return nil
}

// place puts an instance into its container and fills it.
func (b *builder) place(i *instance, by *edge, parent *instance, host string) error {
	b.world.add(i)
	if parent != nil {
		i.parent = &link{to: parent, index: by.index, replaced: by.replaced != nil}
		if by.relationship != nil {
			i.parent.kind = by.relationship.Type
		}
		i.links = append(i.links, i.parent)
	}
	for _, e := range i.of.members {
		if err := b.contain(e.from, e, i, host); err != nil {
			return err
		}
	}
	return nil
}

// plan tells which instances of v in parent stay, and how many are new.
func (b *builder) plan(v *vertex, parent *instance) (kept []*instance, more int, err error) {
	if b.past != nil {
		return b.past.plan(v, parent)
	}
	more, err = v.count()
	return nil, max(more, 0), err
}

// list gives the instances of nodes, in the order of the nodes.
func (w *world) list() []plan.NodeInstance {
	ordered := slices.Clone(w.all)
	slices.SortStableFunc(ordered, byNode)
	list := make([]plan.NodeInstance, 0, len(ordered))
	for _, i := range ordered {
		if !i.isGroup() {
			list = append(list, i.describe(i.links))
		}
	}
	return list
}

// byNode orders instances by their nodes in the plan, and those of one node by
// the time they were made. Instances of nodes that are gone come last.
func byNode(a, b *instance) int {
	switch {
	case a.of == nil && b.of == nil:
		return cmp.Compare(a.order, b.order)
	case a.of == nil:
		return 1
	case b.of == nil:
		return -1
	}
	return cmp.Or(cmp.Compare(a.of.order, b.of.order), cmp.Compare(a.order, b.order))
}

// describe gives an instance with some of its links.
func (i *instance) describe(links []*link) plan.NodeInstance {
	d := plan.NodeInstance{
		Name: i.name, NodeID: i.name, ID: i.id, HostID: i.host,
		Relationships: make([]plan.InstanceRelationship, 0, len(links)),
		ScalingGroups: i.groups(),
	}
	links = slices.Clone(links)
	slices.SortStableFunc(links, func(a, b *link) int { return cmp.Compare(a.index, b.index) })
	for _, l := range links {
		if l.kind == "" {
			continue
		}
		to := l.to
		if l.replaced {
			to = to.container()
		}
		if to != nil {
			d.Relationships = append(d.Relationships, plan.InstanceRelationship{Type: l.kind, TargetName: to.name, TargetID: to.id})
		}
	}
	return d
}

// groups lists the group instances that i is a member of, innermost first, up
// to the first real container.
func (i *instance) groups() []plan.GroupInstance {
	var groups []plan.GroupInstance
	for p := i.parent; p != nil && p.to.isGroup(); p = p.to.parent {
		groups = append(groups, plan.GroupInstance{Name: p.to.name, ID: p.to.id})
	}
	return groups
}

// container gives what i is really contained in, beyond groups; nil for none.
func (i *instance) container() *instance {
	for i != nil && i.isGroup() {
		if i.parent == nil {
			return nil
		}
		i = i.parent.to
	}
	return i
}
