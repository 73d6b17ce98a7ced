package functions

import (
	"slices"

	"windlass/internal/blueprint/problem"
)

const containedIn = "cloudify.relationships.contained_in"

// oneInstance names the single instance that the first argument of
// get_attribute means: by role; else the node's only one; else the one that the
// context's own instance is related to; else the one that shares the innermost
// scaling group with the context.
func oneInstance(e *evaluator, c call, argument string, at place) (Instance, error) {
	node := argument
	switch argument {
	case self, source, target:
		i, known, err := roleInstance(e, argument, at)
		if err != nil || known {
			return i, err
		}
		if argument != self || at.node == "" {
			return Instance{}, noRole(c, argument, at)
		}
		node = at.node
	}
	candidates, err := e.state.Instances(e.ctx, node)
	if err != nil {
		return Instance{}, err
	}
	switch len(candidates) {
	case 0:
		return Instance{}, unable(c, "Node %s has no instances.", node)
	case 1:
		return candidates[0], nil
	}
	// Properties of a node that are looked at for one instance speak of it.
	if n := slices.IndexFunc(candidates, func(i Instance) bool { return i.ID == at.run.Self }); n >= 0 && node == at.node {
		return candidates[n], nil
	}
	for _, choose := range []func(*evaluator, []Instance, string, place) (Instance, bool, error){relatedInstance, groupedInstance} {
		i, found, err := choose(e, candidates, node, at)
		if err != nil || found {
			return i, err
		}
	}
	return Instance{}, unable(c,
		`More than one node instance found for node "%s". Cannot resolve a node instance unambiguously.`, node)
}

// roleInstance gives the instance that SELF, SOURCE or TARGET means.
func roleInstance(e *evaluator, role string, at place) (i Instance, known bool, err error) {
	id := map[string]string{self: at.run.Self, source: at.run.Source, target: at.run.Target}[role]
	if id == "" {
		return Instance{}, false, nil
	}
	i, err = e.state.Instance(e.ctx, id)
	return i, true, err
}

func noRole(c call, role string, at place) *problem.Problem {
	way := []any{}
	if list, ok := c.args.([]any); ok && len(list) > 1 {
		way = list[1:]
	}
	return unable(c, "%s is missing in request context in %s for attribute %s", role, at.path, dotted(way))
}

// relatedInstance finds the only candidate that the context's own instance has
// a relationship to.
func relatedInstance(e *evaluator, candidates []Instance, node string, at place) (Instance, bool, error) {
	if at.run.Self == "" {
		return Instance{}, false, nil
	}
	own, err := e.state.Instance(e.ctx, at.run.Self)
	if err != nil {
		return Instance{}, false, err
	}
	id := ""
	for _, r := range own.Relationships {
		if r.TargetName != node || r.TargetID == id {
			continue
		}
		if id != "" {
			return Instance{}, false, nil
		}
		id = r.TargetID
	}
	for _, c := range candidates {
		if c.ID == id {
			return c, true, nil
		}
	}
	return Instance{}, false, nil
}

// groupedInstance finds the only candidate in the context's instance of the
// innermost scaling group that the context and the candidates share.
func groupedInstance(e *evaluator, candidates []Instance, _ string, at place) (Instance, bool, error) {
	contexts := []string{at.run.Self}
	if at.run.Self == "" {
		contexts = []string{at.run.Source, at.run.Target}
	}
	for _, id := range contexts {
		if id == "" {
			continue
		}
		i, found, err := inGroupOf(e, id, candidates)
		if err != nil || found {
			return i, found, err
		}
	}
	return Instance{}, false, nil
}

func inGroupOf(e *evaluator, id string, candidates []Instance) (Instance, bool, error) {
	context, err := e.state.Instance(e.ctx, id)
	if err != nil {
		return Instance{}, false, err
	}
	mine, err := containingGroups(e, context)
	if err != nil {
		return Instance{}, false, err
	}
	theirs, err := containingGroups(e, candidates[0])
	if err != nil {
		return Instance{}, false, err
	}
	for _, g := range mine {
		if !slices.ContainsFunc(theirs, func(t group) bool { return t.name == g.name }) {
			continue
		}
		return onlyMember(e, g, candidates)
	}
	return Instance{}, false, nil
}

func onlyMember(e *evaluator, g group, candidates []Instance) (Instance, bool, error) {
	var member Instance
	found := false
	for _, c := range candidates {
		groups, err := containingGroups(e, c)
		if err != nil {
			return Instance{}, false, err
		}
		if !slices.Contains(groups, g) {
			continue
		}
		if found {
			return Instance{}, false, nil
		}
		member, found = c, true
	}
	return member, found, nil
}

// group is an instance of a scaling group.
type group struct{ name, id string }

// containingGroups lists the group instances around i, innermost first: its
// own, then those of the instances that it is contained in.
func containingGroups(e *evaluator, i Instance) ([]group, error) {
	var groups []group
	for range nestingLimit {
		for _, g := range i.ScalingGroups {
			groups = append(groups, group{g.Name, g.ID})
		}
		parent, found, err := container(e, i)
		if err != nil || !found {
			return groups, err
		}
		i = parent
	}
	return groups, nil
}

// container gives the instance that i is contained in.
func container(e *evaluator, i Instance) (Instance, bool, error) {
	n, err := e.facts.Node(e.ctx, i.NodeID)
	if err != nil {
		return Instance{}, false, err
	}
	for _, r := range n.Relationships {
		if !r.IsA(containedIn) {
			continue
		}
		for _, ir := range i.Relationships {
			if ir.TargetName == r.TargetID {
				parent, err := e.state.Instance(e.ctx, ir.TargetID)
				return parent, err == nil, err
			}
		}
	}
	return Instance{}, false, nil
}
