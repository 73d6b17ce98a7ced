package lsp

import (
	"slices"

	"windlass/internal/blueprint/elements"
	"windlass/internal/blueprint/functions"
)

// site is a place in a document in terms of the language.
type site struct {
	path    []step
	element *elements.Element // the deepest one of the table on the way; nil off the table
	inner   []step            // what leads on from it, in content that is free
	tree    *node             // the document
	model   *model
}

// table is the document before its imports are merged in.
func table() *elements.Element {
	root, head := elements.Blueprint(), elements.Head()
	for i, k := range root.Keys {
		if e := head.Key(k.Name); e != nil {
			root.Keys[i].Element = e
		}
	}
	return root
}

// locate walks down the table.
func locate(path []step, tree *node, m *model) site {
	s := site{path: path, tree: tree, model: m}
	e := table()
	for i, p := range path {
		if e.Free || e.Means == elements.Import {
			s.element, s.inner = e, path[i:]
			return s
		}
		var next *elements.Element
		switch {
		case p.index >= 0:
			next = e.Items
		case len(e.Keys) > 0:
			next = e.Key(p.key)
		default:
			next = e.Of
		}
		if next == nil {
			return s
		}
		e = next
	}
	s.element = e
	return s
}

func (s site) at(i int) string {
	if i < len(s.path) {
		return s.path[i].key
	}
	return ""
}

// typed is the type that a part of the document has, with its section: of a
// node template, of a relationship of one, or, in a type, what that is derived
// from.
type typed struct{ section, name string }

// owner is the type of the node or relationship that the site is in. In a type
// it is that type itself.
func (s site) owner() typed {
	switch s.at(0) {
	case "node_templates":
		if s.at(2) == "relationships" && len(s.path) > 3 {
			return typed{"relationships", s.tree.text(s.path[:4], "type")}
		}
		if len(s.path) > 1 {
			return typed{"node_types", s.tree.text(s.path[:2], "type")}
		}
	case "node_types", "relationships":
		return typed{s.at(0), s.at(1)}
	}
	return typed{}
}

// inherited is the type whose interfaces and properties may be repeated here:
// the owner, or within a type its parent.
func (s site) inherited() typed {
	switch s.at(0) {
	case "node_types", "relationships", "data_types":
		return typed{s.at(0), s.tree.text(s.path[:min(2, len(s.path))], "derived_from")}
	}
	return s.owner()
}

// interfaceKey is the key of interfaces on the path and its position; -1 if the
// site is in none.
func (s site) interfaceKey() (key string, at int) {
	for i, p := range s.path {
		switch p.key {
		case "interfaces", "source_interfaces", "target_interfaces":
			if i == 2 || i == 4 {
				return p.key, i
			}
		}
	}
	return "", -1
}

// properties are the declared properties, inputs or parameters that free
// content gives values to.
func (s site) properties() []definition {
	if s.element == nil {
		return nil
	}
	m, here := s.model, s.path[:len(s.path)-len(s.inner)]
	above := here[:max(0, len(here)-1)]
	switch s.element.Means {
	case elements.NodeProperties, elements.RelationshipProperties:
		t := s.owner()
		return m.declared(t.section, t.name, "properties")
	case elements.OperationInputs:
		key, i := s.interfaceKey()
		if i < 0 || len(s.path) < i+3 {
			return nil
		}
		t := s.owner()
		o, _ := named(m.interfaces(t.section, t.name, key)[s.path[i+1].key], s.path[i+2].key)
		return within(o.node.Get("inputs"))
	case elements.PolicyProperties:
		d, _ := m.find("policy_types", s.tree.text(above, "type"))
		return within(d.node.Get("properties"))
	case elements.TriggerParameters:
		d, _ := m.find("policy_triggers", s.tree.text(above, "type"))
		return within(d.node.Get("parameters"))
	case elements.WorkflowParameters:
		d, _ := m.find("workflows", s.tree.text(above, "workflow"))
		return within(d.node.Get("parameters"))
	}
	return nil
}

// hasFunctions tells whether calls of functions count in free content here.
func (s site) hasFunctions() bool {
	if s.element == nil {
		return false
	}
	switch s.element.Means {
	case elements.Plain, elements.Constraint, elements.Import:
		return false
	}
	return s.element.Free
}

// argument is an argument of a function.
type argument struct {
	function string
	index    int    // of the argument; 0 for one that is not in a list
	listed   bool   // it is in a list
	list     []step // path of the function's value
}

// argument is the one that the site is, if it is one: the innermost.
func (s site) argument() (argument, bool) {
	if !s.hasFunctions() {
		return argument{}, false
	}
	n := len(s.inner)
	base := len(s.path) - n
	name := func(i int) bool { return s.inner[i].index < 0 && slices.Contains(functions.Names(), s.inner[i].key) }
	switch {
	case n > 0 && name(n-1):
		return argument{function: s.inner[n-1].key, list: s.path}, true
	case n > 1 && s.inner[n-1].index >= 0 && name(n-2):
		return argument{
			function: s.inner[n-2].key, index: s.inner[n-1].index, listed: true, list: s.path[:base+n-1],
		}, true
	}
	return argument{}, false
}

// givenArgument is another argument of the same call.
func (s site) givenArgument(a argument, index int) string {
	if !a.listed {
		return ""
	}
	list := s.tree.follow(a.list)
	if list == nil || list.kind != sequence || index >= len(list.children) || list.children[index].kind != scalar {
		return ""
	}
	return list.children[index].value.text
}

// nodeOf is the type of the node that the first argument of a call means.
func (s site) nodeOf(name string) typed {
	switch name {
	case "SELF":
		if s.at(0) == "node_templates" && len(s.path) > 1 {
			return typed{"node_types", s.tree.text(s.path[:2], "type")}
		}
		return s.owner()
	case "SOURCE":
		if s.at(0) == "node_templates" && len(s.path) > 1 {
			return typed{"node_types", s.tree.text(s.path[:2], "type")}
		}
		return typed{}
	case "TARGET":
		if s.at(2) == "relationships" && len(s.path) > 3 {
			return typed{"node_types", s.model.nodeType(s.tree.text(s.path[:4], "target"))}
		}
		return typed{}
	}
	return typed{"node_types", s.model.nodeType(name)}
}

// expected is the declaration of the value that stands here, if it has one: a
// property, an input of an operation.
func (s site) expected() (definition, bool) {
	return s.model.property(s.properties(), s.inner)
}
