package lsp

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"windlass/internal/blueprint/elements"
	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/yaml"
	"windlass/internal/value"
)

// subject is what a word in a document is about.
type subject struct {
	text  string     // markdown
	key   *yaml.Node // where it is defined; nil for what the language has itself
	file  string     // or the document that it is: a path or URL
	token token
}

// at finds the token at a position: the key or the value of a node.
func (n *node) at(line, column int) (found *node, isKey bool) {
	if n.parent != nil && n.index < 0 && n.key.holds(line, column) {
		return n, true
	}
	if n.kind == scalar && n.value.start < n.value.end && n.value.holds(line, column) {
		return n, false
	}
	for _, c := range n.children {
		if f, key := c.at(line, column); f != nil {
			return f, key
		}
	}
	return nil, false
}

// about tells what the word at a position is about.
func about(tree *node, m *model, line, column int, folders []string) (subject, bool) {
	n, isKey := tree.at(line, column)
	if n == nil {
		return subject{}, false
	}
	s := locate(n.path(), tree, m)
	var found subject
	var ok bool
	if isKey {
		found, ok = s.keySubject(n)
		found.token = n.key
	} else {
		found, ok = s.valueSubject(n.value.text, folders)
		found.token = n.value
	}
	return found, ok
}

func (s site) keySubject(n *node) (subject, bool) {
	if s.element == nil || len(s.path) == 0 {
		return subject{}, false
	}
	above := locate(s.path[:len(s.path)-1], s.tree, s.model)
	name := n.key.text
	switch {
	case above.element == nil:
		return subject{}, false
	case above.element.Means == elements.Import:
		return s.model.imported(name)
	case above.element.Free:
		if i := slices.IndexFunc(functions.Definitions(), func(f functions.Definition) bool { return f.Name == name }); i >= 0 && s.hasFunctions() {
			return subject{text: functionText(functions.Definitions()[i])}, true
		}
		if d, ok := s.expected(); ok {
			return subject{text: propertyText(d), key: d.key}, true
		}
		return subject{}, false
	case len(above.element.Keys) > 0:
		return subject{text: keyText(name, s.element)}, true
	}
	return s.entrySubject(name)
}

// entrySubject is about a name of the user's choice.
func (s site) entrySubject(name string) (subject, bool) {
	if len(s.path) == 2 {
		return s.named(s.path[0].key, name)
	}
	t := s.inherited()
	key, i := s.interfaceKey()
	all := s.model.interfaces(t.section, t.name, key)
	switch {
	case i >= 0 && len(s.path) == i+2:
		if operations, ok := all[name]; ok {
			found := subject{text: fmt.Sprintf("**interface** `%s`\n\n%s", name, list(operations))}
			for _, d := range s.model.chain(t.section, t.name) {
				if at := d.node.Get(key).KeyNode(name); at != nil {
					found.key = at
					break
				}
			}
			return found, true
		}
	case i >= 0 && len(s.path) == i+3:
		if o, ok := named(all[s.path[i+1].key], name); ok {
			return subject{text: operationText(o), key: o.key}, true
		}
	case len(s.path) == 4 && s.path[2].key == "properties":
		if d, ok := named(s.model.declared(t.section, t.name, "properties"), name); ok {
			return subject{text: propertyText(d), key: d.key}, true
		}
	}
	return subject{}, false
}

// named is about an entry of a section.
func (s site) named(section, name string) (subject, bool) {
	d, ok := s.model.find(section, name)
	if !ok {
		return subject{}, false
	}
	return subject{text: s.model.entryText(section, d), key: d.key}, true
}

func (s site) valueSubject(text string, folders []string) (subject, bool) {
	if s.element == nil {
		return subject{}, false
	}
	if a, ok := s.argument(); ok {
		return s.argumentSubject(a, text)
	}
	sections := map[elements.Meaning][]string{
		elements.DataType: {"data_types"}, elements.NodeType: {"node_types"}, elements.RelationshipType: {"relationships"},
		elements.NodeTemplate: {"node_templates"}, elements.Group: {"groups"}, elements.Member: {"node_templates", "groups"},
		elements.PolicyType: {"policy_types"}, elements.PolicyTrigger: {"policy_triggers"}, elements.Workflow: {"workflows"},
	}
	if len(s.inner) == 0 {
		for _, section := range sections[s.element.Means] {
			if found, ok := s.named(section, text); ok {
				return found, true
			}
		}
	}
	switch s.element.Means {
	case elements.Implementation:
		return s.implementation(text, folders)
	case elements.Import:
		return s.model.imported(text)
	}
	return subject{}, false
}

// imported is about a document that was imported.
func (m *model) imported(written string) (subject, bool) {
	location, ok := m.imports[written]
	if !ok {
		return subject{}, false
	}
	return subject{text: "**import** `" + location + "`", file: location}, true
}

// implementation is about a script that exists or a plugin.
func (s site) implementation(text string, folders []string) (subject, bool) {
	for _, folder := range folders {
		file := filepath.Join(folder, filepath.FromSlash(text))
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			return subject{text: "**script** `" + text + "`", file: file}, true
		}
	}
	if d, ok := s.model.plugin(text); ok {
		return subject{text: s.model.entryText("plugins", d), key: d.key}, true
	}
	return subject{}, false
}

func (s site) argumentSubject(a argument, text string) (subject, bool) {
	switch a.function {
	case "get_input":
		if a.index == 0 {
			return s.named("inputs", text)
		}
		input, _ := s.model.find("inputs", s.givenArgument(a, 0))
		d, ok := s.model.property(s.model.parts(input), append(s.givenPath(a, 1), step{key: text, index: -1}))
		return subject{text: propertyText(d), key: d.key}, ok
	case "get_property", "get_attribute", "get_attributes_list", "get_attributes_dict":
		if !a.listed {
			return subject{}, false
		}
		if a.index == 0 {
			return s.nodeSubject(text)
		}
		from := 1
		if a.function == "get_attributes_dict" {
			from = a.index
		}
		d, ok := s.model.property(s.attributes(a), append(s.givenPath(a, from), step{key: text, index: -1}))
		return subject{text: propertyText(d), key: d.key}, ok
	case "get_label":
		return s.named("labels", text)
	}
	return subject{}, false
}

// nodeSubject is about the node that the first argument of a call means.
func (s site) nodeSubject(name string) (subject, bool) {
	if t := s.nodeOf(name); (name == "SELF" || name == "SOURCE" || name == "TARGET") && t.name != "" {
		return s.named(t.section, t.name)
	}
	return s.named("node_templates", name)
}

// The texts.

func keyText(name string, e *elements.Element) string {
	text := fmt.Sprintf("**%s**", name)
	if e.Required {
		text += " (required)"
	}
	text += "\n\n" + sentence(e)
	if len(e.Choices) > 0 {
		text += "\n\nOne of `" + strings.Join(e.Choices, "`, `") + "`."
	}
	return text
}

func functionText(f functions.Definition) string {
	text := fmt.Sprintf("**%s**\n\n%s\n", f.Name, f.Summary)
	for _, form := range f.Forms {
		text += fmt.Sprintf("\n`{ %s: %s }`\n", f.Name, form)
	}
	if len(f.Since) > 1 {
		text += fmt.Sprintf("\nSince cloudify_dsl_%d_%d.", f.Since[0], f.Since[1])
	}
	if f.Class == functions.Runtime {
		text += "\n\nEvaluated at run time only."
	}
	return text
}

// schemaText describes a property, an input or a parameter.
func schemaText(d definition) string {
	var lines []string
	if about := described(d.node); about != "" {
		lines = append(lines, about)
	}
	if n := d.node.Get("default"); n != nil {
		lines = append(lines, "Default: `"+value.Text(n.Plain())+"`")
	} else if b, isBool := valueOf(d.node.Get("required")).(bool); !isBool || b {
		lines = append(lines, "Required.")
	}
	if n := d.node.Get("constraints"); n != nil {
		for _, c := range n.Items {
			lines = append(lines, "Constraint: `"+value.Text(c.Plain())+"`")
		}
	}
	return strings.Join(lines, "\n\n")
}

func valueOf(n *yaml.Node) any {
	if n == nil {
		return nil
	}
	return n.Value
}

func propertyText(d definition) string {
	if d.key == nil {
		return ""
	}
	text := fmt.Sprintf("**%s**", d.name)
	if t, _ := d.node.Get("type").Text(); t != "" {
		text += " `" + t + "`"
	}
	if d.owner != "" {
		text += " of `" + d.owner + "`"
	}
	return text + "\n\n" + schemaText(d)
}

func operationText(o definition) string {
	text := fmt.Sprintf("**operation** `%s` of `%s`", o.name, o.owner)
	implementation, ok := o.node.Text()
	if !ok {
		implementation, _ = o.node.Get("implementation").Text()
	}
	if implementation != "" {
		text += "\n\nImplementation: `" + implementation + "`"
	}
	for _, input := range within(o.node.Get("inputs")) {
		text += "\n- " + summary(input)
	}
	return text
}

// summary is one line about a property.
func summary(d definition) string {
	text := "`" + d.name + "`"
	if t, _ := d.node.Get("type").Text(); t != "" {
		text += " " + t
	}
	if n := d.node.Get("default"); n != nil {
		text += " = `" + value.Text(n.Plain()) + "`"
	}
	if about := described(d.node); about != "" {
		first, _, _ := strings.Cut(about, "\n")
		text += ": " + first
	}
	return text
}

func (m *model) entryText(section string, d definition) string {
	what := map[string]string{
		"node_types": "node type", "relationships": "relationship type", "data_types": "data type", "inputs": "input",
		"node_templates": "node template", "plugins": "plugin", "workflows": "workflow", "groups": "group",
		"policies": "policy", "policy_types": "policy type", "policy_triggers": "policy trigger",
		"outputs": "output", "capabilities": "capability", "labels": "label", "blueprint_labels": "label",
	}[section]
	text := fmt.Sprintf("**%s** `%s`", what, d.name)
	if parent, ok := d.node.Get("derived_from").Text(); ok {
		text += " derived from `" + parent + "`"
	}
	switch section {
	case "inputs":
		if t, _ := d.node.Get("type").Text(); t != "" {
			text += " `" + t + "`"
		}
		return text + "\n\n" + schemaText(d)
	case "node_templates":
		name := m.nodeType(d.name)
		text += " of type `" + name + "`"
		return text + m.propertyLines("node_types", name)
	case "plugins":
		for _, key := range []string{"package_name", "package_version", "source", "executor"} {
			if v := d.node.Get(key); !v.IsNull() {
				text += "\n- " + key + ": `" + value.Text(v.Plain()) + "`"
			}
		}
		return text
	}
	if about := described(d.node); about != "" {
		text += "\n\n" + about
	}
	if section == "workflows" {
		for _, p := range within(d.node.Get("parameters")) {
			text += "\n- " + summary(p)
		}
		return text
	}
	return text + m.propertyLines(section, d.name)
}

// propertyLines lists the properties of a type, inherited ones included.
func (m *model) propertyLines(section, name string) string {
	switch section {
	case "node_types", "relationships", "data_types":
	default:
		return ""
	}
	properties := m.declared(section, name, "properties")
	if len(properties) == 0 {
		return ""
	}
	text := "\n"
	for _, p := range properties {
		text += "\n- " + summary(p)
	}
	return text
}
