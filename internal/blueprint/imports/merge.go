package imports

import (
	"slices"

	"windlass/internal/blueprint/elements"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/yaml"
	"windlass/internal/value"
)

// rule says what happens to a section that several documents have.
type rule uint8

const (
	single  rule = iota // only one document may have it
	ignored             // only the main document's counts, or nobody's
	first               // the first document's counts
	union               // entries of all, names must not clash
	union13             // the same, from version 1_3 on
	lists               // items of all, each once
	plain               // entries of all
)

func ruleFor(section string) rule {
	switch section {
	case "dsl_definitions", "imports", "tosca_definitions_version":
		return ignored
	case "description", "metadata":
		return first
	case "node_types", "plugins", "workflows", "relationships", "policy_types", "policy_triggers", "groups", "data_types",
		"interfaces":
		return union
	case "inputs", "outputs", "node_templates", "capabilities", "labels", "blueprint_labels", "resource_tags":
		return union13
	case "imported_blueprints":
		return lists
	case "namespaces_mapping":
		return plain
	}
	return single
}

// section is one section of the merged document.
type section struct {
	key   *yaml.Node
	node  *yaml.Node     // as it is, if it is no mapping
	pairs []yaml.Pair    // entries, if it is one
	index map[string]int // position of each entry
}

func (s *section) add(p yaml.Pair) {
	if name, ok := p.Name(); ok {
		s.index[name] = len(s.pairs)
	}
	s.pairs = append(s.pairs, p)
}

func newSection(key, n *yaml.Node) *section {
	return &section{key: key, node: n, index: make(map[string]int, len(n.Pairs))}
}

type merger struct {
	*collector
	table    *elements.Element
	sections map[string]*section
	order    []string
	modern   bool // 1_3 and later
}

// merge makes one document of all, the main one first.
func (c *collector) merge() *yaml.Node {
	m := &merger{
		collector: c, table: elements.Blueprint(), sections: map[string]*section{},
		modern: generation(c.main.Version.Raw) >= generation("cloudify_dsl_1_3"),
	}
	for _, d := range c.order {
		root := d.root
		if d.line != nil {
			root = c.setProperties(d)
		}
		if d.isTypes {
			markBuiltin(root)
		}
		for _, p := range root.Pairs {
			if p.Value.IsNull() {
				continue
			}
			if name, ok := p.Name(); ok {
				m.put(d, name, p)
			} else if d.line == nil {
				m.order = append(m.order, "") // kept for the check of the document
				m.sections[""] = newSection(p.Key, p.Value)
			}
		}
	}
	return m.document()
}

func markBuiltin(root *yaml.Node) {
	for _, p := range root.Pairs {
		for _, e := range p.Value.Pairs {
			e.Value.Builtin = true
		}
	}
}

func (m *merger) put(d *imported, name string, p yaml.Pair) {
	r := ruleFor(name)
	if r == ignored {
		return
	}
	s, known := m.sections[name]
	if !known {
		s = newSection(p.Key, p.Value)
		m.sections[name] = s
		m.order = append(m.order, name)
		if p.Value.Kind == yaml.Mapping {
			m.entries(d, name, s, p.Value)
		}
		return
	}
	switch r {
	case first:
	case lists:
		m.items(s, p.Value)
	case union, union13, plain:
		if r == union13 && !m.modern {
			m.clash(3, "Import failed: non-mergeable field: '"+name+"'. "+name+
				" can be imported multiple times only from cloudify_dsl_1_3 and above.", p.Key, name)
			return
		}
		if p.Value.Kind != yaml.Mapping || s.node.Kind != yaml.Mapping {
			m.report(problem.Coded(problem.Format, 1, "Expected 'dict' type but found '%s' type", p.Value.TypeName()),
				p.Value, &elements.Path{Name: name})
			return
		}
		m.entries(d, name, s, p.Value)
	default:
		m.clash(3, "Import failed: non-mergeable field: '"+name+"'", p.Key, name)
	}
}

func (m *merger) clash(code int, message string, at *yaml.Node, path ...string) {
	var where *elements.Path
	for _, name := range path {
		where = where.Down(name)
	}
	m.report(problem.Coded(problem.Logic, code, "%s", message), at, where)
}

func (m *merger) items(s *section, n *yaml.Node) {
	merged := *s.node
	merged.Items = slices.Clone(s.node.Items)
	for _, item := range n.Items {
		if !slices.ContainsFunc(merged.Items, func(o *yaml.Node) bool { return value.Equal(o.Plain(), item.Plain()) }) {
			merged.Items = append(merged.Items, item)
		}
	}
	s.node = &merged
}

func (m *merger) entries(d *imported, name string, s *section, n *yaml.Node) {
	for _, p := range n.Pairs {
		if d.namespace != "" && !p.Value.Builtin {
			p = prefixer{d.namespace}.entry(p, m.table.Key(name))
		}
		key, ok := p.Name()
		i, taken := s.index[key]
		if !ok || !taken {
			s.add(p)
			continue
		}
		if name == "workflows" && p.Value.Builtin && m.overrides(s.pairs[i]) {
			continue
		}
		if p.Value.Builtin || isShared(key) {
			m.warnShadowed(name, s.pairs[i], p)
			s.pairs[i].Value = p.Value
			continue
		}
		m.conflict(name, s, i, p)
	}
}

// overrides tells whether the main document maps a built-in workflow to
// something of its own. The original takes the built-in one then and does not
// say so.
func (m *merger) overrides(w yaml.Pair) bool {
	if w.Key.File != m.main.Root.File {
		return false
	}
	_, text := w.Value.Text()
	return text || w.Value.Get("mapping") != nil
}

// warnShadowed tells of a definition that gives way to the built-in one.
func (m *merger) warnShadowed(section string, old, by yaml.Pair) {
	if old.Value.Builtin || old.Key.File == by.Key.File || value.Equal(old.Value.Plain(), by.Value.Plain()) {
		return
	}
	name, _ := old.Name()
	w := problem.Warn(problem.Shadowed, "this definition of %s does not count: the one imported from %s takes its place",
		name, by.Key.Place().File).WithHint("remove it, or give it a name that does not begin with cloudify.")
	if !isShared(name) {
		w.Hint = "remove it, or give it another name"
	}
	m.report(w, old.Key, (&elements.Path{Name: section}).Down(name))
}

// warnHidden tells of a definition in an import that has no effect beside that
// of another import. The main document may well replace what it imports.
func (m *merger) warnHidden(section string, kept, hidden yaml.Pair) {
	if kept.Key.File == m.main.Root.File || kept.Key.File == hidden.Key.File || !differs(kept.Value, hidden.Value) {
		return
	}
	name, _ := hidden.Name()
	w := problem.Warn(problem.Shadowed, "this definition of %s does not count where it differs from the one in %s, which was imported before",
		name, kept.Key.Place()).WithHint("remove one of them")
	m.report(w, hidden.Key, (&elements.Path{Name: section}).Down(name))
}

// differs tells whether b says something else than a does; mappings are
// compared in the keys that both have.
func differs(a, b *yaml.Node) bool {
	if a.Kind != yaml.Mapping || b.Kind != yaml.Mapping {
		return !value.Equal(a.Plain(), b.Plain())
	}
	return slices.ContainsFunc(b.Pairs, func(p yaml.Pair) bool {
		name, _ := p.Name()
		other := a.Get(name)
		return other != nil && !value.Equal(other.Plain(), p.Value.Plain())
	})
}

func (m *merger) conflict(section string, s *section, i int, p yaml.Pair) {
	switch section {
	case "labels", "blueprint_labels", "resource_tags":
		m.warnHidden(section, s.pairs[i], p) // the first counts
		return
	case "namespaces_mapping":
		return
	case "workflows":
		if filled, ok := fill(s.pairs[i].Value, p.Value); ok {
			m.warnHidden(section, s.pairs[i], p)
			s.pairs[i].Value = filled
			return
		}
	case "node_templates":
		if joined, ok := joinRelationships(s.pairs[i].Value, p.Value); ok {
			s.pairs[i].Value = joined
			return
		}
	}
	name, _ := p.Name()
	found := problem.Coded(problem.Logic, 4, "Import failed: Could not merge '%s' due to conflict on '%s'", section, name).
		WithHint("the other definition is in %s", s.pairs[i].Key.Place())
	m.report(found, p.Key, (&elements.Path{Name: section}).Down(name))
}

// fill adds the keys that a workflow lacks.
func fill(to, from *yaml.Node) (*yaml.Node, bool) {
	if to.Kind != yaml.Mapping || from.Kind != yaml.Mapping {
		return to, to.Kind != yaml.Mapping // a mapping alone has nothing to fill
	}
	changed := *to
	changed.Pairs = slices.Clone(to.Pairs)
	for _, p := range from.Pairs {
		if name, _ := p.Name(); to.Get(name) == nil {
			changed.Pairs = append(changed.Pairs, p)
		}
	}
	return &changed, true
}

// joinRelationships combines two definitions of a node template, one of which
// only has relationships.
func joinRelationships(to, from *yaml.Node) (*yaml.Node, bool) {
	const key = "relationships"
	old := to.Get(key)
	if old == nil || from.Kind != yaml.Mapping {
		return nil, false
	}
	onlyMore := from.Get(key) != nil && len(from.Pairs) == 1
	switch {
	case len(to.Pairs) == 1 && (from.Get("type") != nil || onlyMore):
		joined := to
		for _, p := range from.Pairs {
			name, _ := p.Name()
			_, isText := p.Value.Text()
			switch {
			case p.Value.Kind == yaml.Mapping || isText:
				joined = replace(joined, name, p.Value)
			case name == key && p.Value.Kind == yaml.Sequence:
				joined = replace(joined, key, concatenated(joined.Get(key), p.Value))
			}
		}
		return joined, true
	case onlyMore:
		return replace(to, key, concatenated(old, from.Get(key))), true
	}
	return nil, false
}

func concatenated(a, b *yaml.Node) *yaml.Node {
	changed := *a
	changed.Items = append(slices.Clone(a.Items), b.Items...)
	return &changed
}

// document puts the sections together.
func (m *merger) document() *yaml.Node {
	root := &yaml.Node{Kind: yaml.Mapping, File: m.main.Root.File, Line: m.main.Root.Line, Column: m.main.Root.Column}
	if p := m.main.Root.Get("tosca_definitions_version"); p != nil {
		root.Pairs = append(root.Pairs, yaml.Pair{Key: m.main.Root.KeyNode("tosca_definitions_version"), Value: p})
	}
	m.addBlueprints()
	for _, name := range m.order {
		s := m.sections[name]
		n := s.node
		if n.Kind == yaml.Mapping && s.key.Value == name {
			changed := *n
			changed.Pairs = s.pairs
			n = &changed
		}
		root.Pairs = append(root.Pairs, yaml.Pair{Key: s.key, Value: n})
	}
	return root
}

// addBlueprints notes the blueprints that were imported, before those that came
// with documents that were merged earlier.
func (m *merger) addBlueprints() {
	if len(m.nsOrder) == 0 {
		return
	}
	at := m.main.Root
	ids := &yaml.Node{Kind: yaml.Sequence, File: at.File}
	mapping := newSection(yaml.Of("namespaces_mapping", at), &yaml.Node{Kind: yaml.Mapping, File: at.File})
	for _, namespace := range m.nsOrder {
		id := yaml.Of(m.namespaces[namespace], at)
		ids.Items = append(ids.Items, id)
		mapping.add(yaml.Pair{Key: yaml.Of(namespace, at), Value: id})
	}
	own := newSection(yaml.Of("imported_blueprints", at), ids)
	if s, ok := m.sections["imported_blueprints"]; ok {
		m.items(own, s.node)
	} else {
		m.order = append(m.order, "imported_blueprints")
	}
	m.sections["imported_blueprints"] = own
	if s, ok := m.sections["namespaces_mapping"]; ok {
		for _, p := range s.pairs {
			mapping.add(p)
		}
	} else {
		m.order = append(m.order, "namespaces_mapping")
	}
	m.sections["namespaces_mapping"] = mapping
}
