package lsp

import (
	"slices"
	"strings"

	"windlass/internal/blueprint/schema"
	"windlass/internal/blueprint/yaml"
)

// model answers what there is to refer to from a document. It has one or more
// documents with their imports merged in; the first that knows a name counts.
type model struct {
	layers  []*yaml.Node
	imports map[string]string // location of each import, as it is written
}

// definition is an entry of a section, or a key within one.
type definition struct {
	name  string
	key   *yaml.Node
	node  *yaml.Node // nil or null for an entry without content
	owner string     // of what a type inherits: the type that has it
}

// entries lists a section.
func (m *model) entries(section string) []definition {
	var found []definition
	known := map[string]bool{}
	for _, layer := range m.layers {
		for _, d := range within(layer.Get(section)) {
			if !known[d.name] {
				known[d.name] = true
				found = append(found, d)
			}
		}
	}
	return found
}

func within(n *yaml.Node) []definition {
	if n == nil || n.Kind != yaml.Mapping {
		return nil
	}
	var found []definition
	for _, p := range n.Pairs {
		if name, ok := p.Name(); ok {
			found = append(found, definition{name: name, key: p.Key, node: p.Value})
		}
	}
	return found
}

// find looks an entry of a section up.
func (m *model) find(section, name string) (definition, bool) {
	for _, layer := range m.layers {
		s := layer.Get(section)
		if n := s.Get(name); n != nil && s.Kind == yaml.Mapping {
			return definition{name: name, key: s.KeyNode(name), node: n}, true
		}
	}
	return definition{}, false
}

// chain is a type and what it is derived from, itself first.
func (m *model) chain(section, name string) []definition {
	var found []definition
	seen := map[string]bool{}
	for name != "" && !seen[name] {
		seen[name] = true
		d, ok := m.find(section, name)
		if !ok {
			break
		}
		found = append(found, d)
		name, _ = d.node.Get("derived_from").Text()
	}
	return found
}

// declared lists what a type and its parents have under a key, such as
// properties: the nearest declaration of each name.
func (m *model) declared(section, name, key string) []definition {
	var found []definition
	seen := map[string]bool{}
	for _, t := range m.chain(section, name) {
		for _, d := range within(t.node.Get(key)) {
			if !seen[d.name] {
				seen[d.name] = true
				d.owner = t.name
				found = append(found, d)
			}
		}
	}
	return found
}

// named finds a name in what is declared.
func named(list []definition, name string) (definition, bool) {
	i := slices.IndexFunc(list, func(d definition) bool { return d.name == name })
	if i < 0 {
		return definition{}, false
	}
	return list[i], true
}

// property follows a path into declared properties, through the data types of
// those on the way.
func (m *model) property(properties []definition, path []step) (found definition, ok bool) {
	for i, s := range path {
		if s.index >= 0 {
			return definition{}, false
		}
		d, known := named(properties, s.key)
		if !known {
			return definition{}, false
		}
		if i == len(path)-1 {
			return d, true
		}
		properties = m.parts(d)
	}
	return definition{}, false
}

// parts are the properties of the data type that a property or an input has.
func (m *model) parts(property definition) []definition {
	dataType, _ := property.node.Get("type").Text()
	if dataType == "" || schema.IsPrimitive(dataType) {
		return nil
	}
	return m.declared("data_types", dataType, "properties")
}

// below lists what may follow a path into properties.
func (m *model) below(properties []definition, path []step) []definition {
	if len(path) == 0 {
		return properties
	}
	if d, ok := m.property(properties, path); ok {
		return m.parts(d)
	}
	return nil
}

// nodeType is the type of a node template, "" if it is not known.
func (m *model) nodeType(template string) string {
	d, _ := m.find("node_templates", template)
	name, _ := d.node.Get("type").Text()
	return name
}

// interfaces lists the operations of each interface of a type, inherited ones
// included.
func (m *model) interfaces(section, typeName, key string) map[string][]definition {
	found := map[string][]definition{}
	for _, t := range m.chain(section, typeName) {
		for _, i := range within(t.node.Get(key)) {
			if found[i.name] == nil {
				found[i.name] = []definition{}
			}
			for _, o := range within(i.node) {
				if _, known := named(found[i.name], o.name); !known {
					o.owner = t.name
					found[i.name] = append(found[i.name], o)
				}
			}
		}
	}
	return found
}

// plugin is the plugin that an implementation begins with.
func (m *model) plugin(implementation string) (definition, bool) {
	for i := len(implementation) - 1; i > 0; i-- {
		if implementation[i] != '.' {
			continue
		}
		if d, ok := m.find("plugins", implementation[:i]); ok {
			return d, true
		}
	}
	return definition{}, false
}

// described is the first line of what a definition says of itself.
func described(n *yaml.Node) string {
	text, _ := n.Get("description").Text()
	return strings.TrimSpace(text)
}
