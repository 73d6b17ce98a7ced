package topology

import (
	"slices"

	"windlass/internal/blueprint/plan"
)

// compare tells what is different between two worlds.
func compare(before, after *world) Result {
	return Result{
		Added:    instanceDifference(after, before, Added),
		Removed:  instanceDifference(before, after, Removed),
		Extended: linkDifference(after, before, Extended),
		Reduced:  linkDifference(before, after, Reduced),
	}
}

// excerpt is a part of a world.
type excerpt struct {
	links map[*instance][]*link // every instance of the part, with those of its links
	mark  map[*instance]bool
}

func newExcerpt() *excerpt {
	return &excerpt{links: map[*instance][]*link{}, mark: map[*instance]bool{}}
}

func (x *excerpt) add(i *instance) {
	if _, ok := x.links[i]; !ok {
		x.links[i] = nil
	}
}

func (x *excerpt) link(from *instance, l *link) {
	x.add(l.to)
	x.links[from] = append(x.links[from], l)
}

// instanceDifference gives the instances of a that b has not, and their
// neighbours.
func instanceDifference(a, b *world, mark string) []plan.NodeInstance {
	x := newExcerpt()
	for _, i := range a.all {
		isNew := b.byID[i.id] == nil
		if isNew {
			x.add(i)
			x.mark[i] = true
		}
		for _, l := range i.links {
			if isNew || b.byID[l.to.id] == nil {
				x.link(i, l)
			}
		}
	}
	x.addContainers()
	return x.list(mark)
}

// linkDifference gives the instances in both worlds that have links in a and
// not in b, and the targets of those.
func linkDifference(a, b *world, mark string) []plan.NodeInstance {
	x := newExcerpt()
	for _, i := range a.all {
		other := b.byID[i.id]
		if other == nil {
			continue
		}
		// What is connected in another way than before has lost one relationship
		// and got another.
		type connection struct{ to, kind string }
		had := make(map[connection]bool, len(other.links))
		for _, l := range other.links {
			had[connection{l.to.id, l.kind}] = true
		}
		for _, l := range i.links {
			if !had[connection{l.to.id, l.kind}] {
				x.link(i, l)
				x.mark[i] = true
			}
		}
	}
	x.addContainers()
	for i := range x.links {
		if b.byID[i.id] == nil {
			delete(x.links, i) // the other lists tell of it
		}
	}
	return x.list(mark)
}

// addContainers adds the containers that are named in relationships of members
// of groups, which have no link to them.
func (x *excerpt) addContainers() {
	for i, links := range x.links {
		for _, l := range links {
			if !l.replaced || i.isGroup() {
				continue
			}
			if c := l.to.container(); c != nil {
				x.add(c)
			}
		}
	}
}

// list describes the instances of nodes in the excerpt.
func (x *excerpt) list(mark string) []plan.NodeInstance {
	ordered := make([]*instance, 0, len(x.links))
	for i := range x.links {
		if !i.isGroup() {
			ordered = append(ordered, i)
		}
	}
	slices.SortFunc(ordered, byNode)
	list := make([]plan.NodeInstance, len(ordered))
	for n, i := range ordered {
		list[n] = i.describe(x.links[i])
		if x.mark[i] {
			list[n].Modification = mark
		}
	}
	return list
}
