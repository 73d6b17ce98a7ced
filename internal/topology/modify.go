package topology

import (
	"slices"

	"windlass/internal/blueprint/plan"
)

// The marks of instances that a modification changes.
const (
	Added    = "added"
	Removed  = "removed"
	Extended = "extended"
	Reduced  = "reduced"
)

// Change is what shall be with a node or scaling group: so many instances in
// every instance of what contains it.
type Change struct {
	Instances int `json:"instances"`

	// When there are too many, those included go first, those excluded last. An
	// instance of a member stands for the group instance that it is in. Nil ones
	// are not written.
	Include []string `json:"removed_ids_include_hint,omitzero"`
	Exclude []string `json:"removed_ids_exclude_hint,omitzero"`
}

// Modification is the change from what there was to what shall be.
type Modification struct {
	Nodes             []*plan.Node                 `json:"nodes"`
	PreviousNodes     []*plan.Node                 `json:"previous_nodes"`
	PreviousInstances []plan.NodeInstance          `json:"previous_node_instances"`
	Changes           map[string]Change            `json:"modified"` // by name of node or group
	Groups            map[string]plan.ScalingGroup `json:"scaling_groups"`
}

// Result holds what a modification does. The instances that it changes are
// marked; those around them are there for context. The relationships are only
// the ones concerned. Each list is in the order of the nodes.
type Result struct {
	Added    []plan.NodeInstance `json:"added_and_related"`
	Removed  []plan.NodeInstance `json:"removed_and_related"`
	Extended []plan.NodeInstance `json:"extended_and_related"`
	Reduced  []plan.NodeInstance `json:"reduced_and_related"`
}

// Modify works out which instances come and go. A node or group that is named
// in Changes gets that many instances in every container that stays. Others keep
// theirs, and get more when their number in Nodes is greater. Which instances
// go, beyond the hints, is the latest of PreviousInstances first.
//
// Errors are those of Expand, and IllegalAllToOneState when an all_to_one
// relationship had several targets.
func Modify(m Modification, ids IDSource) (Result, error) {
	before, err := newGraph(m.PreviousNodes, m.Groups)
	if err != nil {
		return Result{}, err
	}
	after, err := newGraph(m.Nodes, m.Groups)
	if err != nil {
		return Result{}, err
	}
	old, err := rebuild(before, m.PreviousInstances)
	if err != nil {
		return Result{}, err
	}
	taken := make([]string, len(old.all))
	for i, o := range old.all {
		taken[i] = o.id
	}
	b := &builder{graph: after, world: newWorld(), ids: newIDMaker(ids, taken), past: newPast(old, m.Changes)}
	for name, list := range old.byVertex {
		b.ids.counts[name] = len(list)
	}
	if err := b.build(); err != nil {
		return Result{}, err
	}
	return compare(old, b.world), nil
}

// past is what there was, and what shall change of it.
type past struct {
	world    *world
	changes  map[string]Change
	children map[[2]string][]*instance // by node and id of the container
	members  map[string][]string       // ids of the members of a group instance
	targets  map[relation]map[string]bool
	kept     map[*instance]bool // those that have a place in a container already
}

func newPast(w *world, changes map[string]Change) *past {
	p := &past{
		world: w, changes: changes, children: map[[2]string][]*instance{}, members: map[string][]string{},
		targets: map[relation]map[string]bool{}, kept: map[*instance]bool{},
	}
	for _, i := range w.all {
		for _, l := range i.links {
			// Whatever leads to the container counts, as in the plan before it
			// may have been a relationship of another kind.
			in := [2]string{i.name, l.to.id}
			if known := p.children[in]; len(known) == 0 || known[len(known)-1] != i {
				p.children[in] = append(known, i)
			}
			r := relation{i.name, l.to.name, l.kind}
			if p.targets[r] == nil {
				p.targets[r] = map[string]bool{}
			}
			p.targets[r][l.to.id] = true
		}
		if !i.isGroup() {
			for _, g := range i.groups() {
				p.members[g.ID] = append(p.members[g.ID], i.id)
			}
		}
	}
	return p
}

// plan tells which instances of v in parent stay, and how many are new.
func (p *past) plan(v *vertex, parent *instance) (kept []*instance, more int, err error) {
	had := p.world.byVertex[v.name]
	if parent != nil {
		// Each once: what was connected to several may be contained in one now.
		had = slices.DeleteFunc(slices.Clone(p.children[[2]string{v.name, parent.id}]), func(i *instance) bool { return p.kept[i] })
		defer func() {
			for _, i := range kept {
				p.kept[i] = true
			}
		}()
	}
	change, changed := p.changes[v.name]
	if !changed {
		n, err := v.count()
		return had, max(n-len(had), 0), err
	}
	if change.Instances > len(had) {
		return had, change.Instances - len(had), nil
	}
	return p.remove(had, len(had)-max(change.Instances, 0), change), 0, nil
}

// remove gives the instances that are left when n of them go.
func (p *past) remove(had []*instance, n int, change Change) []*instance {
	include, exclude := p.hinted(had, change.Include), p.hinted(had, change.Exclude)
	gone := map[*instance]bool{}
	for _, may := range []func(*instance) bool{
		func(i *instance) bool { return include[i.id] },
		func(i *instance) bool { return !exclude[i.id] },
		func(*instance) bool { return true },
	} {
		for _, i := range slices.Backward(had) {
			if len(gone) < n && !gone[i] && may(i) {
				gone[i] = true
			}
		}
	}
	var left []*instance
	for _, i := range had {
		if !gone[i] {
			left = append(left, i)
		}
	}
	return left
}

// hinted gives those of had that the hints name, directly or by a member.
func (p *past) hinted(had []*instance, hints []string) map[string]bool {
	if len(hints) == 0 {
		return nil
	}
	named := map[string]bool{}
	for _, i := range had {
		direct := slices.Contains(hints, i.id)
		byMember := slices.ContainsFunc(p.members[i.id], func(m string) bool { return slices.Contains(hints, m) })
		if direct || byMember {
			named[i.id] = true
		}
	}
	return named
}
