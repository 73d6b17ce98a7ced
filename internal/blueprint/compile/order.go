package compile

import (
	"slices"

	"windlass/internal/blueprint/elements"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/yaml"
)

// Where several things are wrong, the original reports the one that it comes
// to first. It works through the document by dependency, and otherwise from
// the end to the start: children before parents, later entries before earlier
// ones. leading finds that problem, so that programs which know one error only
// see the same one.

// leading is the index of the problem that comes first in that order, -1 if
// there is none.
func (c *compiler) leading(found []finding) int {
	o := ordering{compiler: c, completed: map[string]map[string]int{}}
	best, at := []int(nil), -1
	for i, f := range found {
		if f.problem.Warning {
			continue
		}
		r := o.rank(f)
		if at < 0 || slices.Compare(r, best) < 0 {
			best, at = r, i
		}
	}
	return at
}

type ordering struct {
	*compiler
	completed map[string]map[string]int // by section: entries in the order of completion
}

// sectionOrder is the order in which sections are completed.
func (o ordering) sectionOrder(section string) int {
	if section == "relationships" && !o.anyRelationship() {
		return slices.Index(sectionsByCompletion(), "late relationships")
	}
	if i := slices.Index(sectionsByCompletion(), section); i >= 0 {
		return i
	}
	return slices.Index(sectionsByCompletion(), "unknown")
}

func sectionsByCompletion() []string {
	return []string{
		"tosca_definitions_version", "data_types", "node_types", "plugins", "namespaces_mapping", "relationships",
		"node_templates", "policy_triggers", "policy_types", "groups", "policies", "workflows", "resource_tags",
		"deployment_settings", "blueprint_labels", "labels", "imported_blueprints", "capabilities", "outputs",
		"late relationships", "inputs", "metadata", "dsl_definitions", "imports", "description", "unknown",
	}
}

func (o ordering) anyRelationship() bool {
	return slices.ContainsFunc(o.templateOrder, func(t *template) bool { return len(o.relationshipNodes(t)) > 0 })
}

// last sorts after everything inside of an element: the element itself.
const last = 1 << 30

func (o ordering) rank(f finding) []int {
	if circular(f.problem) == 1 {
		return []int{-1}
	}
	path := f.path[:min(len(f.path), o.depth(f))]
	if len(path) == 0 {
		return []int{last}
	}
	return append(o.elementRank(f, path), last, weight(f))
}

// weight orders problems of one element: its form is looked at first, unknown
// properties before missing ones.
func weight(f finding) int {
	switch {
	case f.problem.Code == nil:
		return 3
	case f.problem.Kind == problem.Format:
		return 0
	case *f.problem.Code == 106:
		return 1
	case *f.problem.Code == 19: // relationships come after the node's own operations
		return 4
	}
	return 2
}

func (o ordering) elementRank(f finding, path []string) []int {
	if len(f.path) == 1 && o.table.Key(f.path[0]) == nil {
		return nil // a key that does not exist: noticed at the very end
	}
	rank := []int{o.sectionOrder(path[0])}
	if len(path) == 1 {
		return rank
	}
	if path[0] == "node_templates" {
		rank = append(rank, o.templatePhase(path))
	}
	n, e, below := o.sections[path[0]], o.table.Key(path[0]), path[1:]
	if e != nil && e.Of != nil {
		rank = append(rank, o.entryOrder(path[0], path[1]))
		n, e, below = n.Get(path[1]), e.Of, path[2:]
	}
	for _, name := range below {
		var position int
		position, n, e = step(n, e, name)
		rank = append(rank, position)
	}
	return rank
}

// step goes down one name and gives the position among its siblings, counted
// from the end.
func step(n *yaml.Node, e *elements.Element, name string) (int, *yaml.Node, *elements.Element) {
	switch {
	case e == nil || n == nil:
		return last, nil, nil
	case len(e.Keys) > 0:
		i := slices.IndexFunc(e.Keys, func(k elements.Key) bool { return k.Name == name })
		if i < 0 {
			return last, nil, nil
		}
		return -i, n.Get(name), e.Keys[i].Element
	case e.Of != nil && n.Kind == yaml.Mapping:
		i := slices.IndexFunc(n.Pairs, func(p yaml.Pair) bool { return p.Key.Value == name })
		return -i, n.Get(name), e.Of
	case e.Items != nil && n.Kind == yaml.Sequence:
		if i, ok := atoi(name); ok && i < len(n.Items) {
			return -i, n.Items[i], e.Items
		}
	}
	return last, nil, nil
}

// templatePhase: the types of all templates are looked at before any of their
// properties, and the targets and types of all relationships before any
// properties of those.
func (o ordering) templatePhase(path []string) int {
	switch {
	case len(path) == 3 && path[2] == "type":
		return 0
	case len(path) > 2 && path[2] == "properties" && o.isFirstTemplate(path[1]):
		return 1
	case len(path) == 5 && path[2] == "relationships" && path[4] == "target":
		return 2
	case len(path) == 5 && path[2] == "relationships" && path[4] == "type":
		return 3
	}
	return 4
}

func (o ordering) isFirstTemplate(name string) bool {
	return o.entryOrder("node_templates", name) == 0
}

// depth is how far the path of a problem leads to the element that the problem
// belongs to: an implementation that leads nowhere is only noticed when its
// whole node is put together.
func (o ordering) depth(f finding) int {
	const all = 1 << 20
	if f.problem.Code == nil && len(f.path) == 4 && f.path[0] == "deployment_settings" && f.path[3] != "recurrence" {
		return 3 // times are only looked at when the whole schedule is
	}
	if f.problem.Code == nil || len(f.path) == 0 {
		return all
	}
	section := f.path[0]
	inTemplate := section == "node_templates"
	switch code := *f.problem.Code; {
	case code == 24:
		return 1
	case code == 200 || code == 201 || code == 202:
		return 1
	case code == 10 || code == 19 || code == 21 || code == 60 || code == 61 || code == 91:
		return 2
	case code == 107 && inTemplate && len(f.path) > 2 && f.path[2] == "interfaces":
		return 2
	case code == 107 && inTemplate && len(f.path) > 4 && (f.path[4] == "source_interfaces" || f.path[4] == "target_interfaces"):
		return 4
	case code == 106 || code == 107 || code == 105:
		for i, name := range f.path {
			if i > 1 && (name == "properties" || name == "default" || name == "parameters") {
				return i + 1
			}
		}
	case code == 1 && f.problem.Kind == problem.Format && o.isUnknownKey(f):
		return len(f.path) - 1
	}
	return all
}

// isUnknownKey tells whether the problem is a key that the table does not have.
func (o ordering) isUnknownKey(f finding) bool {
	if len(f.path) < 3 {
		return false
	}
	n, e := o.sections[f.path[0]].Get(f.path[1]), o.table.Key(f.path[0])
	if e != nil {
		e = e.Of
	}
	for _, name := range f.path[2 : len(f.path)-1] {
		_, n, e = step(n, e, name)
	}
	return e != nil && len(e.Keys) > 0 && e.Key(f.path[len(f.path)-1]) == nil
}

// entryOrder is the position of an entry among those of its section in the
// order in which they are completed: from the end, after what they build on.
func (o ordering) entryOrder(section, name string) int {
	order, known := o.completed[section]
	if !known {
		order = map[string]int{}
		names := o.names(section)
		var visit func(name string, depth int)
		visiting := map[string]bool{}
		visit = func(name string, depth int) {
			if _, done := order[name]; done || visiting[name] || depth > maxDepth {
				return
			}
			visiting[name] = true
			needs := o.needs(section, name)
			for i := len(needs) - 1; i >= 0; i-- {
				visit(needs[i], depth+1)
			}
			order[name] = len(order)
		}
		for i := len(names) - 1; i >= 0; i-- {
			visit(names[i], 0)
		}
		o.completed[section] = order
	}
	if i, ok := order[name]; ok {
		return i
	}
	return last
}

// maxDepth bounds how far dependencies are followed only to order problems.
const maxDepth = 10_000

// needs are the entries of the same section that an entry builds on.
func (o ordering) needs(section, name string) []string {
	n := o.sections[section].Get(name)
	if n == nil || n.Kind != yaml.Mapping {
		return nil
	}
	var needs []string
	switch section {
	case "node_types", "relationships", "data_types":
		if parent := o.text(n, "derived_from"); o.sections[section].Get(parent) != nil {
			needs = append(needs, parent)
		}
		if section == "data_types" {
			for p := range o.within(o.get(n, "properties"), nil) {
				if t := o.text(p.node, "type"); o.sections[section].Get(t) != nil {
					needs = append(needs, t)
				}
			}
		}
	case "node_templates":
		// the original meets them in the order of the document
		targets := map[string]bool{}
		if t := o.templates[name]; t != nil {
			for _, r := range o.relationshipNodes(t) {
				targets[o.text(r, "target")] = true
			}
		}
		for _, t := range o.templateOrder {
			if targets[t.name] && t.name != name {
				needs = append(needs, t.name)
			}
		}
	}
	return needs
}
