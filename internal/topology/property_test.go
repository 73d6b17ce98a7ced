package topology_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"windlass/internal/blueprint/plan"
	"windlass/internal/topology"
)

// drawn is a random plan and what must come of it.
type drawn struct {
	spec
	parent []int // index of the container of each node, -1 for none
	group  []int // index of the group of each node, -1 for none
	counts []int // of nodes
	sizes  []int // of groups
}

// drawPlan makes up to eight nodes, some contained in earlier ones, some
// connected to earlier ones, and up to two groups of nodes that share a
// container.
func drawPlan(t *rapid.T) *drawn {
	d := &drawn{spec: spec{groups: map[string]plan.ScalingGroup{}}}
	for i := range rapid.IntRange(1, 8).Draw(t, "nodes") {
		count := rapid.IntRange(0, 3).Draw(t, "count")
		n := &plan.Node{Name: fmt.Sprintf("n%d", i), ID: fmt.Sprintf("n%d", i)}
		n.Capabilities.Scalable.Properties = scalable(count)
		if rapid.Bool().Draw(t, "host") {
			n.HostID = n.Name
		}
		d.nodes = append(d.nodes, n)
		d.counts, d.parent, d.group = append(d.counts, count), append(d.parent, -1), append(d.group, -1)
		for j := range i {
			switch rapid.IntRange(0, 5).Draw(t, "relationship") {
			case 0:
				if d.parent[i] < 0 {
					d.parent[i] = j
					d.relate(n.Name, d.nodes[j].Name, "all_to_all", dependsOn, containedIn)
				}
			case 1:
				d.relate(n.Name, d.nodes[j].Name, "all_to_all", dependsOn, connectedTo)
			}
		}
	}
	for g := range rapid.IntRange(0, 2).Draw(t, "groups") {
		d.drawGroup(t, g)
	}
	return d
}

func (d *drawn) drawGroup(t *rapid.T, g int) {
	container := rapid.IntRange(-1, len(d.nodes)-1).Draw(t, "container")
	var members []string
	for i, p := range d.parent {
		if p == container && d.group[i] < 0 && rapid.Bool().Draw(t, "member") {
			d.group[i] = g
			members = append(members, d.nodes[i].Name)
		}
	}
	size := rapid.IntRange(0, 3).Draw(t, "size")
	d.sizes = append(d.sizes, size)
	if len(members) > 0 {
		d.groups[fmt.Sprintf("g%d", g)] = plan.ScalingGroup{Members: members, Properties: scalable(size)}
	}
}

// want is the number of instances that a node must have.
func (d *drawn) want(i int) int {
	n := d.counts[i]
	if d.group[i] >= 0 {
		n *= d.sizes[d.group[i]]
	}
	if d.parent[i] >= 0 {
		n *= d.want(d.parent[i])
	}
	return n
}

func expand(t *rapid.T, d *drawn, ids topology.IDSource) []plan.NodeInstance {
	list, err := topology.Expand(d.nodes, d.groups, nil, ids)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestCountsMultiplyAndReferencesHold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := drawPlan(t)
		list := expand(t, d, counter())
		checkSound(t, list)
		counts := map[string]int{}
		for _, i := range list {
			counts[i.NodeID]++
		}
		for i, n := range d.nodes {
			if counts[n.Name] != d.want(i) {
				t.Errorf("%s has %d instances, want %d", n.Name, counts[n.Name], d.want(i))
			}
		}
		again := expand(t, d, counter())
		if diff := cmp.Diff(list, again); diff != "" {
			t.Errorf("not the same twice:\n%s", diff)
		}
		order := map[string]int{}
		for i, n := range d.nodes {
			order[n.Name] = i
		}
		if !slices.IsSortedFunc(list, func(a, b plan.NodeInstance) int { return order[a.NodeID] - order[b.NodeID] }) {
			t.Error("the instances are not in the order of the nodes")
		}
	})
}

// checkSound checks that ids are unique, and that relationships, hosts and
// containers are instances that exist.
func checkSound(t *rapid.T, list []plan.NodeInstance) {
	nodes := map[string]string{}
	for _, i := range list {
		if nodes[i.ID] != "" {
			t.Errorf("id %s is there twice", i.ID)
		}
		nodes[i.ID] = i.NodeID
	}
	for _, i := range list {
		contained := 0
		for _, r := range i.Relationships {
			if nodes[r.TargetID] != r.TargetName {
				t.Errorf("%s leads to %s of %s, which is of %q", i.ID, r.TargetID, r.TargetName, nodes[r.TargetID])
			}
			if r.Type == containedIn {
				contained++
			}
		}
		if contained > 1 {
			t.Errorf("%s has %d containers", i.ID, contained)
		}
	}
}

// Scaling a node or group out and in again leads back to what was there.
func TestOutAndInAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d, ids := drawPlan(t), counter()
		before := expand(t, d, ids)
		name, now := d.drawTarget(t)
		out := map[string]topology.Change{name: {Instances: now + rapid.IntRange(1, 3).Draw(t, "more")}}
		r := modify(t, d, before, out, ids)
		if marked(r.Removed) != 0 || marked(r.Reduced) != 0 {
			t.Errorf("scaling out removes: %+v", r)
		}
		scaled := d.apply(before, r, out)
		checkSound(t, scaled)

		in := map[string]topology.Change{name: {Instances: now}}
		r = modify(t, d, scaled, in, ids)
		if marked(r.Added) != 0 || marked(r.Extended) != 0 {
			t.Errorf("scaling in adds: %+v", r)
		}
		after := d.apply(scaled, r, in)
		checkSound(t, after)
		if diff := cmp.Diff(before, after, cmpopts.SortSlices(byID), cmpopts.SortSlices(byTarget), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("-before +after:\n%s", diff)
		}
	})
}

// A change to the number that is there already changes nothing. (A group whose
// members have no instances is made anew, as nothing remembers its instances;
// what that is contained in is listed for context.)
func TestNoChange(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d, ids := drawPlan(t), counter()
		before := expand(t, d, ids)
		name, now := d.drawTarget(t)
		r := modify(t, d, before, map[string]topology.Change{name: {Instances: now}}, ids)
		if n := marked(r.Added) + marked(r.Removed) + marked(r.Extended) + marked(r.Reduced); n != 0 {
			t.Errorf("%d instances are marked: %+v", n, r)
		}
	})
}

// Only what is hinted at goes, as far as that suffices.
func TestIncludedGoFirst(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "n")
		d := &drawn{spec: spec{nodes: []*plan.Node{{Name: "a", ID: "a"}}}}
		d.nodes[0].Capabilities.Scalable.Properties = scalable(n)
		list := expand(t, d, counter())
		left := rapid.IntRange(0, n).Draw(t, "left")
		var all []string
		for _, i := range list {
			all = append(all, i.ID)
		}
		include := rapid.Permutation(all).Draw(t, "order")[:n-left]
		r := modify(t, d, list, map[string]topology.Change{"a": {Instances: left, Include: include}}, counter())
		var gone []string
		for _, i := range r.Removed {
			gone = append(gone, i.ID)
		}
		if diff := cmp.Diff(include, gone, cmpopts.SortSlices(func(a, b string) bool { return a < b }), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("-included +removed:\n%s", diff)
		}
	})
}

func (d *drawn) drawTarget(t *rapid.T) (name string, now int) {
	var names []string
	counts := map[string]int{}
	for i, n := range d.nodes {
		names = append(names, n.Name)
		counts[n.Name] = d.counts[i]
	}
	for g, size := range d.sizes {
		if name := fmt.Sprintf("g%d", g); d.groups[name].Members != nil {
			names = append(names, name)
			counts[name] = size
		}
	}
	name = rapid.SampledFrom(names).Draw(t, "scaled")
	return name, counts[name]
}

func modify(t *rapid.T, d *drawn, before []plan.NodeInstance, c map[string]topology.Change, ids topology.IDSource) topology.Result {
	r, err := topology.Modify(d.modification(before, c), ids)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func marked(list []plan.NodeInstance) int {
	n := 0
	for _, i := range list {
		if i.Modification != "" {
			n++
		}
	}
	return n
}

func byID(a, b plan.NodeInstance) bool             { return a.ID < b.ID }
func byTarget(a, b plan.InstanceRelationship) bool { return a.TargetID+a.Type < b.TargetID+b.Type }

func BenchmarkExpandManyOfOne(b *testing.B) {
	s := read(b, "node a 100000")
	for b.Loop() {
		if list, err := topology.Expand(s.nodes, nil, nil, counter()); err != nil || len(list) != 100000 {
			b.Fatal(err)
		}
	}
}

func BenchmarkExpandContained(b *testing.B) {
	s := read(b, "node vm 1000 host\nnode app 10\nin app vm\nnode db 1\nto app db")
	for b.Loop() {
		if list, err := topology.Expand(s.nodes, nil, nil, counter()); err != nil || len(list) != 11001 {
			b.Fatal(err)
		}
	}
}

func BenchmarkScaleOut(b *testing.B) {
	s := read(b, "node vm 10000 host\nnode app 1\nin app vm")
	ids := counter()
	before, err := topology.Expand(s.nodes, nil, nil, ids)
	if err != nil {
		b.Fatal(err)
	}
	m := s.modification(before, map[string]topology.Change{"vm": {Instances: 20000}})
	for b.Loop() {
		if _, err := topology.Modify(m, ids); err != nil {
			b.Fatal(err)
		}
	}
}
