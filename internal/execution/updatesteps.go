package execution

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
	"windlass/internal/value"
)

// What a step of an update does, in the order in which steps are listed.
const (
	stepRemove = "remove"
	stepAdd    = "add"
	stepModify = "modify"
)

// updateStep is one difference between a deployment and its new plan.
type updateStep struct {
	ID         string   `json:"id"`
	Action     string   `json:"action"`
	EntityType string   `json:"entity_type"`
	EntityID   []string `json:"entity_id"` // the way to it: nodes, vm, properties, port
	Order      int      `json:"topology_order"`

	problem string // why this can't be done; "" if it can
}

// String names the step for people.
func (s updateStep) String() string {
	return fmt.Sprintf("%s %s %s", s.Action, s.EntityType, strings.Join(s.EntityID, ":"))
}

// stepFinder collects the differences.
type stepFinder struct{ steps []updateStep }

func (f *stepFinder) found(action, entityType string, id ...string) *updateStep {
	f.steps = append(f.steps, updateStep{Action: action, EntityType: entityType, EntityID: id})
	return &f.steps[len(f.steps)-1]
}

// findSteps lists what is different between the deployment and its new plan.
func findSteps(before *shape, to *plan.Deployment) []updateStep {
	f := &stepFinder{}
	d := before.deployment
	f.description(d.Description, to.Description)
	keyed(f, "output", []string{"outputs"}, d.Outputs, to.Outputs)
	keyed(f, "workflow", []string{"workflows"}, d.Workflows, to.Workflows)
	groups := len(f.steps)
	keyed(f, "group", []string{"groups"}, sortedMembers(d.Groups), sortedMembers(to.Groups))
	for k := groups; k < len(f.steps); k++ {
		f.steps[k].problem = "groups can't be changed"
	}
	order := topologyOrder(to.Nodes)
	for _, old := range before.nodes {
		if _, still := order[old.ID]; !still {
			f.found(stepRemove, "node", "nodes", old.ID)
		}
	}
	for _, n := range to.Nodes {
		if old, ok := before.node(n.ID); ok {
			f.node(old, n)
		} else {
			f.found(stepAdd, "node", "nodes", n.ID).Order = order[n.ID]
		}
	}
	slices.SortStableFunc(f.steps, func(a, b updateStep) int { return a.rank() - b.rank() })
	return f.steps
}

// sortedMembers gives groups so that the order of their members makes no difference.
func sortedMembers(groups map[string]plan.Group) map[string]plan.Group {
	sorted := make(map[string]plan.Group, len(groups))
	for name, g := range groups {
		g.Members = slices.Sorted(slices.Values(g.Members))
		sorted[name] = g
	}
	return sorted
}

// rank orders steps: what is removed first, relationships before nodes; then
// what is added, nodes before relationships and targets before sources.
func (s updateStep) rank() int {
	const kind = 1 << 20
	switch {
	case s.Action == stepRemove && s.EntityType == "node":
		return kind
	case s.Action == stepRemove:
		return 0
	case s.Action == stepAdd && s.EntityType == "node":
		return 3*kind - s.Order
	case s.Action == stepAdd:
		return 4 * kind
	}
	return 5 * kind
}

// topologyOrder numbers the nodes so that those which others need have the
// higher numbers.
func topologyOrder(nodes []*plan.Node) map[string]int {
	byID := make(map[string]*plan.Node, len(nodes))
	for _, n := range nodes {
		byID[n.ID] = n
	}
	order := make(map[string]int, len(nodes))
	next := len(nodes)
	var visit func(n *plan.Node)
	visit = func(n *plan.Node) {
		if _, seen := order[n.ID]; seen {
			return
		}
		order[n.ID] = 0
		for _, r := range n.Relationships {
			if target := byID[r.TargetID]; target != nil {
				visit(target)
			}
		}
		next--
		order[n.ID] = next
	}
	for _, n := range nodes {
		visit(n)
	}
	return order
}

func (f *stepFinder) description(old, now *string) {
	was, is := "", ""
	if old != nil {
		was = *old
	}
	if now != nil {
		is = *now
	}
	switch {
	case was == is:
	case was == "":
		f.found(stepAdd, "description", "description")
	case is == "":
		f.found(stepRemove, "description", "description")
	default:
		f.found(stepModify, "description", "description")
	}
}

// keyed finds the differences of two maps, key by key.
func keyed[T any](f *stepFinder, entityType string, path []string, old, now map[string]T) {
	for _, key := range value.SortedKeys(old) {
		is, still := now[key]
		switch {
		case !still:
			f.found(stepRemove, entityType, append(slices.Clone(path), key)...)
		case !sameData(old[key], is):
			f.found(stepModify, entityType, append(slices.Clone(path), key)...)
		}
	}
	for _, key := range value.SortedKeys(now) {
		if _, was := old[key]; !was {
			f.found(stepAdd, entityType, append(slices.Clone(path), key)...)
		}
	}
}

// node finds the differences of a node that was there before.
func (f *stepFinder) node(old store.Node, n *plan.Node) {
	at := []string{"nodes", n.ID}
	if old.Type != n.Type {
		f.found(stepModify, "node", at...).problem = fmt.Sprintf("node %s: its type can't be changed from %s to %s", n.ID, old.Type, n.Type)
		return
	}
	if a, b := container(old.Relationships), container(n.Relationships); a != b {
		f.found(stepModify, "node", at...).problem = fmt.Sprintf("node %s: it can't be moved from %q into %q", n.ID, a, b)
		return
	}
	f.plugins("plugins_to_install", n.ID, old.PluginsToInstall, n.PluginsToInstall)
	f.plugins("plugins", n.ID, old.Plugins, n.Plugins)
	keyed(f, "operation", append(slices.Clone(at), "operations"), old.Operations, n.Operations)
	keyed(f, "property", append(slices.Clone(at), "properties"), old.Properties, map[string]any(n.Properties))
	f.relationships(append(at, "relationships"), old.Relationships, n)
}

func (f *stepFinder) plugins(list, node string, old, now []plan.Plugin) {
	for _, p := range now {
		if !p.Install {
			continue
		}
		k := slices.IndexFunc(old, func(o plan.Plugin) bool { return o.Name == p.Name })
		switch {
		case k < 0:
			f.found(stepAdd, "plugin", list, node, p.Name)
		case !sameData(old[k], p):
			f.found(stepModify, "plugin", list, node, p.Name)
		}
	}
}

func (f *stepFinder) relationships(path []string, old []plan.Relationship, n *plan.Node) {
	was := pairRelationships(old, n.Relationships)
	index := func(k int) string { return fmt.Sprintf("[%d]", k) }
	for k, r := range n.Relationships {
		before := was[k]
		if before < 0 {
			f.found(stepAdd, "relationship", append(slices.Clone(path), index(k))...)
			continue
		}
		if before != k {
			f.found(stepModify, "relationship", append(slices.Clone(path), index(before), index(k))...)
		}
		here := append(slices.Clone(path), index(k))
		properties := len(f.steps)
		keyed(f, "property", append(slices.Clone(here), "properties"), old[before].Properties, r.Properties)
		for i := properties; i < len(f.steps); i++ {
			f.steps[i].problem = fmt.Sprintf("node %s: the properties of its relationship to %s can't be changed", n.ID, r.TargetID)
		}
		keyed(f, "operation", append(slices.Clone(here), "source_operations"), old[before].SourceOperations, r.SourceOperations)
		keyed(f, "operation", append(slices.Clone(here), "target_operations"), old[before].TargetOperations, r.TargetOperations)
	}
	for _, k := range unpaired(old, was) {
		f.found(stepRemove, "relationship", append(slices.Clone(path), index(k))...)
	}
}

// pairRelationships finds, for each of the relationships now, the one before
// that it is the continuation of: the n-th to the same target and of the same
// type. New ones get -1.
func pairRelationships(old, now []plan.Relationship) []int {
	type kind struct{ relationship, target string }
	left := make(map[kind][]int, len(old))
	for k, o := range old {
		left[kind{o.Type, o.TargetID}] = append(left[kind{o.Type, o.TargetID}], k)
	}
	was := make([]int, len(now))
	for k, r := range now {
		was[k] = -1
		if same := left[kind{r.Type, r.TargetID}]; len(same) > 0 {
			was[k], left[kind{r.Type, r.TargetID}] = same[0], same[1:]
		}
	}
	return was
}

// unpaired lists the relationships before that none now continues.
func unpaired(old []plan.Relationship, was []int) (gone []int) {
	kept := make([]bool, len(old))
	for _, k := range was {
		if k >= 0 {
			kept[k] = true
		}
	}
	for k := range old {
		if !kept[k] {
			gone = append(gone, k)
		}
	}
	return gone
}

func container(list []plan.Relationship) string {
	for _, r := range list {
		if r.IsA("cloudify.relationships.contained_in") {
			return r.TargetID
		}
	}
	return ""
}

// sameData compares by what would be stored.
func sameData(a, b any) bool {
	x, errA := value.Of(a)
	y, errB := value.Of(b)
	return errA == nil && errB == nil && value.Equal(x, y)
}

// takeUp notes in the plan of an update what its steps mean for nodes, and
// returns what can't be done.
func (p *updatePlan) takeUp(steps []updateStep, before *shape, after []*plan.Node) (problems []string) {
	seen := map[[2]string]bool{}
	first := func(list, id string) bool {
		again := seen[[2]string{list, id}]
		seen[[2]string{list, id}] = true
		return !again
	}
	for k := range steps {
		s := &steps[k]
		s.ID = uuid.NewSHA1(uuid.NameSpaceOID, []byte(p.ID+"/"+s.String())).String()
		if s.problem != "" {
			problems = append(problems, fmt.Sprintf("%s (step: %s)", s.problem, s))
			continue
		}
		switch {
		case s.EntityType == "node" && s.Action == stepRemove:
			p.GoneNodes = append(p.GoneNodes, s.EntityID[1])
		case s.EntityType == "property", s.EntityType == "operation":
			if first("changed", s.EntityID[1]) {
				p.Changed = append(p.Changed, s.EntityID[1])
			}
		case s.EntityType == "relationship":
			if first("rewired", s.EntityID[1]) {
				p.Rewired = append(p.Rewired, s.EntityID[1])
			}
		}
	}
	for _, n := range after {
		old, ok := before.node(n.ID)
		if !ok {
			continue
		}
		was := pairRelationships(old.Relationships, n.Relationships)
		for k, r := range n.Relationships {
			if was[k] < 0 {
				p.Linked[n.ID] = append(p.Linked[n.ID], r.TargetID)
			}
		}
		for _, k := range unpaired(old.Relationships, was) {
			p.Unlinked[n.ID] = append(p.Unlinked[n.ID], old.Relationships[k].TargetID)
		}
		p.noteInputs(old, n, was)
	}
	return problems
}

// noteInputs notes which operations have other inputs than before: those of a node
// and of its relationships, of which was says which they were.
func (p *updatePlan) noteInputs(old store.Node, n *plan.Node, was []int) {
	p.noteOperations(changedInputs{Node: n.ID}, old.Operations, n.Operations)
	for k, r := range n.Relationships {
		if was[k] < 0 {
			continue
		}
		before := old.Relationships[was[k]]
		p.noteOperations(changedInputs{Node: n.ID, Other: r.TargetID, OtherTarget: true}, before.SourceOperations, r.SourceOperations)
		p.noteOperations(changedInputs{Node: r.TargetID, Other: n.ID}, before.TargetOperations, r.TargetOperations)
	}
}

func (p *updatePlan) noteOperations(of changedInputs, before, after map[string]*plan.Operation) {
	for _, name := range value.SortedKeys(after) {
		was, is := before[name], after[name]
		if was.IsMapped() && is.IsMapped() && !(sameData(was.Inputs, is.Inputs) && was.HasIntrinsicFunctions == is.HasIntrinsicFunctions) {
			of.Operation, of.Old, of.New, of.HasFunctions = name, was.Inputs, is.Inputs, is.HasIntrinsicFunctions
			p.Inputs = append(p.Inputs, of)
		}
	}
}

// modifiedEntities lists what the steps concern, by kind, as clients of the
// original read it.
func (p *updatePlan) modifiedEntities(steps []updateStep) map[string]any {
	m := map[string]any{"relationship": relationLists(p.Linked), "rel_mappings": map[string]any{}}
	for _, kind := range []string{
		"node", "property", "operation", "workflow", "output", "description", "group", "policy_type", "policy_trigger", "plugin",
	} {
		m[kind] = []any{}
	}
	mappings := m["rel_mappings"].(map[string]any)
	for _, s := range steps {
		switch {
		case s.EntityType == "node":
			m["node"] = append(m["node"].([]any), s.EntityID[1])
		case s.EntityType == "relationship" && s.Action == stepModify:
			of, _ := mappings[s.EntityID[1]].([]any)
			mappings[s.EntityID[1]] = append(of, []any{s.EntityID[3], s.EntityID[4]})
		case s.EntityType != "relationship":
			m[s.EntityType] = append(m[s.EntityType].([]any), strings.Join(s.EntityID, ":"))
		}
	}
	return m
}

func relationLists(m map[string][]string) map[string]any {
	out := make(map[string]any, len(m))
	for _, source := range slices.Sorted(maps.Keys(m)) {
		list := make([]any, len(m[source]))
		for k, target := range m[source] {
			list[k] = target
		}
		out[source] = list
	}
	return out
}
