package topology_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"windlass/internal/blueprint/plan"
	"windlass/internal/topology"
	"windlass/internal/value"
)

const (
	dependsOn   = "cloudify.relationships.depends_on"
	connectedTo = "cloudify.relationships.connected_to"
	containedIn = "cloudify.relationships.contained_in"
)

// spec is a plan in few words, one statement a line:
//
//	node vm 2 host          two instances; is a host
//	in web vm               web is contained in vm
//	to web db               web is connected to db, all to all
//	one web db              web is connected to db, all to one
//	on web db               web depends on db, all to all
//	bare web db             a relationship of a type of no family
//	odd web db              a connection of an unknown connection_type
//	group g 2 vm db         a scaling group of two instances
//	scale vm 3 +id -id      a change, with included and excluded instances
//	again                   the changes so far are made; more follow
type spec struct {
	nodes   []*plan.Node
	groups  map[string]plan.ScalingGroup
	changes []map[string]topology.Change
}

func scalable(n int) plan.Scalable {
	v := value.Any{V: int64(n)}
	return plan.Scalable{
		Min: value.Any{V: int64(0)}, Max: value.Any{V: int64(plan.Unbounded)}, Default: v, Current: v, Planned: v,
	}
}

func (s *spec) node(name string) *plan.Node {
	for _, n := range s.nodes {
		if n.Name == name {
			return n
		}
	}
	return nil
}

func (s *spec) relate(from, to, connection string, types ...string) {
	n := s.node(from)
	n.Relationships = append(n.Relationships, plan.Relationship{
		Type: types[len(types)-1], TypeHierarchy: types, TargetID: to,
		Properties: value.Map{"connection_type": connection},
	})
	if types[len(types)-1] == containedIn && n.HostID == "" {
		n.HostID = s.node(to).HostID
	}
}

func read(t testing.TB, text string) *spec {
	t.Helper()
	s := &spec{groups: map[string]plan.ScalingGroup{}, changes: []map[string]topology.Change{{}}}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] == "#" {
			continue
		}
		s.statement(t, f)
	}
	return s
}

func (s *spec) statement(t testing.TB, f []string) {
	t.Helper()
	number := func(i int) int {
		n, err := strconv.Atoi(f[i])
		if err != nil {
			t.Fatalf("%v: %v", f, err)
		}
		return n
	}
	switch f[0] {
	case "node":
		n := &plan.Node{Name: f[1], ID: f[1]}
		n.Capabilities.Scalable.Properties = scalable(number(2))
		if len(f) > 3 {
			n.HostID = f[1]
		}
		s.nodes = append(s.nodes, n)
	case "in":
		s.relate(f[1], f[2], "all_to_all", dependsOn, containedIn)
	case "to":
		s.relate(f[1], f[2], "all_to_all", dependsOn, connectedTo)
	case "one":
		s.relate(f[1], f[2], "all_to_one", dependsOn, connectedTo)
	case "on":
		s.relate(f[1], f[2], "all_to_all", dependsOn)
	case "bare":
		s.relate(f[1], f[2], "all_to_all", "my.own")
	case "odd":
		s.relate(f[1], f[2], "one_to_one", dependsOn, connectedTo)
	case "group":
		s.groups[f[1]] = plan.ScalingGroup{Members: f[3:], Properties: scalable(number(2))}
	case "scale":
		c := topology.Change{Instances: number(2)}
		for _, hint := range f[3:] {
			if rest, ok := strings.CutPrefix(hint, "+"); ok {
				c.Include = append(c.Include, rest)
			} else {
				c.Exclude = append(c.Exclude, hint[1:])
			}
		}
		s.changes[len(s.changes)-1][f[1]] = c
	case "again":
		s.changes = append(s.changes, map[string]topology.Change{})
	default:
		t.Fatalf("unknown statement %v", f)
	}
}

// counter is a source of ids that are easy to read: 1, 2, 3.
func counter() topology.IDSource {
	n := 0
	return func() string {
		n++
		return strconv.Itoa(n)
	}
}

// apply gives the instances after a modification, and sets the numbers of the
// plan to the new ones, as when a modification is finished.
func (s *spec) apply(before []plan.NodeInstance, r topology.Result, changes map[string]topology.Change) []plan.NodeInstance {
	gone := map[string]bool{}
	for _, i := range r.Removed {
		gone[i.ID] = i.Modification == topology.Removed
	}
	byID := map[string]int{}
	var after []plan.NodeInstance
	for _, i := range before {
		if gone[i.ID] {
			continue
		}
		var kept []plan.InstanceRelationship
		for _, rel := range i.Relationships {
			if !gone[rel.TargetID] {
				kept = append(kept, rel)
			}
		}
		i.Relationships = kept
		byID[i.ID] = len(after)
		after = append(after, i)
	}
	for _, i := range r.Added {
		if at, known := byID[i.ID]; known {
			after[at].Relationships = append(after[at].Relationships, i.Relationships...)
			continue
		}
		i.Modification = ""
		after = append(after, i)
	}
	for name, c := range changes {
		if n := s.node(name); n != nil {
			n.Capabilities.Scalable.Properties = scalable(c.Instances)
		}
		if g, ok := s.groups[name]; ok {
			g.Properties = scalable(c.Instances)
			s.groups[name] = g
		}
	}
	return after
}

// show writes instances one a line.
func show(title string, list []plan.NodeInstance) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", title)
	for _, i := range list {
		fmt.Fprintf(&b, "  %s", i.ID)
		if i.Modification != "" {
			b.WriteString(" " + i.Modification)
		}
		if i.HostID != "" {
			b.WriteString(" host=" + i.HostID)
		}
		for _, g := range i.ScalingGroups {
			b.WriteString(" group=" + g.ID)
		}
		for _, r := range i.Relationships {
			kind := r.Type[strings.LastIndex(r.Type, ".")+1:]
			fmt.Fprintf(&b, " %s=%s", kind, r.TargetID)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
