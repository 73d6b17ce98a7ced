package topology

import (
	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

const (
	allToAll = "all_to_all"
	allToOne = "all_to_one"
)

// connectAll makes the links of all relationships that contain nothing.
func (b *builder) connectAll() error {
	for _, v := range b.graph.vertices {
		for _, e := range v.connections {
			if err := b.connect(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *builder) connect(e *edge) error {
	how, err := connectionType(e)
	if err != nil {
		return err
	}
	sources, targets := b.world.byVertex[e.from.name], b.world.byVertex[e.to.name]
	if len(sources) == 0 || len(targets) == 0 {
		return nil
	}
	group := commonGroup(e.from, e.to)
	if how == allToOne {
		if group != nil {
			return problem.New(problem.UnsupportedAllToOne,
				"'%s' connection type is not supported within groups, but the source node '%s' and target node '%s' are both in group '%s'",
				allToOne, e.from.name, e.to.name, group.name)
		}
		one, err := b.theOne(e, targets)
		if err != nil {
			return err
		}
		targets = []*instance{one}
	}
	parts := map[*instance][]*instance{} // targets by instance of the group; nil without
	for _, t := range targets {
		in := t.groupInstance(group)
		parts[in] = append(parts[in], t)
	}
	for _, s := range sources {
		for _, t := range parts[s.groupInstance(group)] {
			s.links = append(s.links, &link{to: t, kind: e.relationship.Type, index: e.index})
		}
	}
	return nil
}

func connectionType(e *edge) (string, error) {
	how := e.relationship.Properties["connection_type"]
	if how == allToAll || how == allToOne {
		return how.(string), nil
	}
	return "", problem.New(problem.IllegalConnectionType,
		"relationship of type %s from %s to %s has connection_type %s; it must be %s or %s",
		e.relationship.Type, e.from.name, e.to.name, value.Text(how), allToAll, allToOne)
}

// theOne is the target of an all_to_one relationship: the one that it had, or
// else the first in text order.
func (b *builder) theOne(e *edge, targets []*instance) (*instance, error) {
	first := targets[0]
	for _, t := range targets {
		if t.id < first.id {
			first = t
		}
	}
	if b.past == nil {
		return first, nil
	}
	had := b.past.targets[relation{e.from.name, e.to.name, e.relationship.Type}]
	switch {
	case len(had) > 1:
		return nil, problem.New(problem.IllegalAllToOneState,
			"Expected exactly one target id for relationship %s->%s of type '%s')", e.from.name, e.to.name, e.relationship.Type)
	case len(had) == 1:
		for id := range had {
			if kept := b.world.byID[id]; kept != nil {
				return kept, nil
			}
		}
	}
	return first, nil
}

// groupInstance gives the instance of a group that i is in; nil for no group.
func (i *instance) groupInstance(group *vertex) *instance {
	if group == nil {
		return nil
	}
	for p := i.parent; p != nil; p = p.to.parent {
		if p.to.of == group {
			return p.to
		}
	}
	return nil
}

// relation is a relationship between two nodes.
type relation struct{ from, to, kind string }
