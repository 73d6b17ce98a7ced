package topology

import (
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
)

// rebuild makes a world of the instances that there were, with the group
// instances that they say they are in.
func rebuild(g *graph, instances []plan.NodeInstance) (*world, error) {
	w := newWorld()
	for n := range instances {
		d := &instances[n]
		if w.byID[d.ID] != nil {
			return nil, problem.New(problem.BadValue, "node instance %s is there twice", d.ID)
		}
		w.add(&instance{id: d.ID, of: g.byName[nodeName(d)], name: nodeName(d), host: d.HostID, previous: d})
	}
	for n := range instances {
		for _, s := range instances[n].ScalingGroups {
			if w.byID[s.ID] == nil {
				w.add(&instance{id: s.ID, of: g.byName[s.Name], name: s.Name})
			}
		}
	}
	for n := range instances {
		if err := w.relink(&instances[n]); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func nodeName(d *plan.NodeInstance) string {
	if d.Name != "" {
		return d.Name
	}
	return d.NodeID
}

// relink restores the links of an instance and of the groups around it.
func (w *world) relink(d *plan.NodeInstance) error {
	i := w.byID[d.ID]
	inGroup := replacedEdge(i.of)
	var container *instance
	for index, r := range d.Relationships {
		to := w.byID[r.TargetID]
		if to == nil {
			return problem.New(problem.KeyMissing, "node instance %s has a relationship to %s, which does not exist", d.ID, r.TargetID)
		}
		l := &link{to: to, kind: r.Type, index: index}
		if inGroup != nil && len(d.ScalingGroups) > 0 &&
			r.Type == inGroup.relationship.Type && r.TargetName == inGroup.replaced.name {
			container = to
			l.to, l.replaced = w.byID[d.ScalingGroups[0].ID], true
			i.parent = l
		} else if contains(i.of, r.TargetName) {
			i.parent = l
		}
		i.links = append(i.links, l)
	}
	w.relinkGroups(i, d, container)
	return nil
}

// relinkGroups restores the chain from an instance through its groups to what
// they are contained in, nil for nothing.
func (w *world) relinkGroups(i *instance, d *plan.NodeInstance, container *instance) {
	at := i
	for _, s := range d.ScalingGroups {
		g := w.byID[s.ID]
		if at.parent == nil {
			at.parent = &link{to: g, index: -1}
			at.links = append(at.links, at.parent)
		}
		at = g
	}
	if container != nil && at.parent == nil && at != i {
		at.parent = &link{to: container, index: -1}
		at.links = append(at.links, at.parent)
	}
}

// replacedEdge is the edge of a node to its group that stands for a containment
// beyond it; nil without.
func replacedEdge(v *vertex) *edge {
	if v == nil {
		return nil
	}
	for _, e := range v.containers {
		if e.replaced != nil {
			return e
		}
	}
	return nil
}

// contains tells whether the vertex is contained in the one of that name.
func contains(v *vertex, container string) bool {
	if v == nil {
		return false
	}
	for _, e := range v.containers {
		if e.to.name == container && e.relationship != nil {
			return true
		}
	}
	return false
}
