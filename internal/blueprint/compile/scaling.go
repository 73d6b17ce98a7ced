package compile

import (
	"fmt"
	"slices"

	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
)

// scaling works out the scaling groups: the groups that scaling policies
// target, checked and without the members that follow their container.
type scaling struct {
	*compiler
	plan  *plan.Plan
	order []string            // groups, in the order of the policies
	in    map[string][]string // groups that a node or group is a direct member of
}

func (s *scaling) add(group string, properties plan.Scalable, _ entry) {
	if _, known := s.plan.ScalingGroups[group]; !known {
		s.order = append(s.order, group)
	}
	s.plan.ScalingGroups[group] = plan.ScalingGroup{
		Members: slices.Clone(s.plan.Groups[group].Members), Properties: properties,
	}
}

func (s *scaling) finish() {
	s.in = map[string][]string{}
	for _, g := range s.order {
		for _, m := range s.plan.ScalingGroups[g].Members {
			s.in[m] = append(s.in[m], g)
		}
	}
	if !s.checkCircle() || !s.checkSingle() {
		return
	}
	for _, g := range s.order {
		if len(s.in[g]) == 0 {
			s.checkContainment(g)
		}
	}
	s.dropFollowers()
}

func (s *scaling) checkCircle() bool {
	names := circle(s.order, func(g string) []string {
		var groups []string
		for _, m := range s.plan.ScalingGroups[g].Members {
			if _, ok := s.plan.ScalingGroups[m]; ok {
				groups = append(groups, m)
			}
		}
		return groups
	})
	if names == nil {
		return true
	}
	at, path := s.placeOf(names[0])
	s.report(problem.Coded(problem.Logic, 200, "Illegal group cycles found: [%s]", pythonList(names[:len(names)-1])), at, path)
	return false
}

func (s *scaling) checkSingle() bool {
	good := true
	for _, g := range s.order {
		for _, m := range s.plan.ScalingGroups[g].Members {
			if groups := s.in[m]; len(groups) > 1 && groups[0] == g {
				good = false
				at, path := s.placeOf(groups[1])
				s.report(problem.Coded(problem.Logic, 201, "Nodes and groups cannot be members in multiple groups, "+
					"but member '%s' belongs to the following multiple groups: %s", m, pythonList(groups)), at, path)
			}
		}
	}
	return good
}

// nodesOf are the nodes in a group, also by way of groups in it.
func (s *scaling) nodesOf(group string) []string {
	var nodes []string
	for _, m := range s.plan.ScalingGroups[group].Members {
		if _, isGroup := s.plan.ScalingGroups[m]; isGroup {
			nodes = append(nodes, s.nodesOf(m)...)
		} else if s.templates[m] != nil {
			nodes = append(nodes, m)
		}
	}
	return nodes
}

// containers are the nodes that a node is contained in, the nearest first.
func (s *scaling) containers(node string) []string {
	var chain []string
	for t := s.templates[node]; t != nil && t.container != ""; t = s.templates[t.container] {
		if slices.Contains(chain, t.container) {
			break // a circle, reported elsewhere
		}
		chain = append(chain, t.container)
	}
	return chain
}

// checkContainment checks an outermost group. Its nodes have to belong
// together: either all of them are contained, however deep, in one node, or for
// each the outermost node that contains it is in the group as well.
func (s *scaling) checkContainment(group string) {
	nodes := s.nodesOf(group)
	member := make(map[string]bool, len(nodes))
	for _, n := range nodes {
		member[n] = true
	}
	outermost := func(node string) string {
		if chain := s.containers(node); len(chain) > 0 {
			return chain[len(chain)-1]
		}
		return node
	}
	var first, lonely string // of one outermost node each; lonely is without its own
	for _, n := range nodes {
		top := outermost(n)
		if first == "" {
			first = n
		}
		if !member[top] && lonely == "" {
			lonely = n
		}
		if lonely == "" {
			continue
		}
		other := first
		if outermost(other) == outermost(lonely) {
			other = n
		}
		if outermost(other) == outermost(lonely) {
			continue
		}
		pair := []string{lonely, other}
		slices.Sort(pair)
		at, path := s.placeOf(group)
		s.report(problem.Coded(problem.Logic, 202, "Node '%s' and '%s' belong to some shared group but they are not contained "+
			"in any shared node, nor is any ancestor node of theirs.", pair[0], pair[1]).
			WithHint("%s", s.containmentHint(lonely, outermost(lonely))), at, path)
		return
	}
}

func (s *scaling) containmentHint(node, top string) string {
	return fmt.Sprintf("%s is contained in %s, which is not in the group", node, top)
}

// groupsOf is the chain of groups around a node or group, the nearest first.
func (s *scaling) groupsOf(name string) []string {
	var chain []string
	for groups := s.in[name]; len(groups) > 0; groups = s.in[groups[0]] {
		chain = append(chain, groups[0])
	}
	return chain
}

// dropFollowers removes members that are contained in another member of the
// same group: they follow it. If such a node sits in a nested group, that group
// is removed instead.
func (s *scaling) dropFollowers() {
	for _, g := range s.order {
		for _, m := range slices.Clone(s.plan.Groups[g].Members) {
			if s.templates[m] == nil {
				continue
			}
			around := s.groupsOf(m)
			for _, container := range s.containers(m) {
				theirs := s.groupsOf(container)
				shared := slices.IndexFunc(around, func(g string) bool { return slices.Contains(theirs, g) })
				if shared < 0 {
					continue
				}
				removed := m
				if shared > 0 {
					removed = around[shared-1]
				}
				s.remove(around[shared], removed)
			}
		}
	}
}

func (s *scaling) remove(group, member string) {
	g := s.plan.ScalingGroups[group]
	g.Members = slices.DeleteFunc(g.Members, func(m string) bool { return m == member })
	s.plan.ScalingGroups[group] = g
}
