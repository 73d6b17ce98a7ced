package lsp

import (
	"fmt"
	"slices"
	"strings"

	"windlass/internal/blueprint/elements"
	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/schema"
	"windlass/internal/value"
)

// proposal is something that may be written at the cursor.
type proposal struct {
	label  string
	kind   int
	detail string
	doc    string
	text   string // what is inserted; label if empty. $0 is where the cursor goes
}

// complete lists what may be written at the cursor.
func complete(c cursor, tree *node, m *model, folder string) []proposal {
	if c.role == nowhere {
		return nil
	}
	s := locate(c.node.path(), tree, m)
	var found []proposal
	if c.role == atKey || c.role == atItem {
		found = append(found, s.keys(c)...)
	}
	if c.role == atValue || c.role == atItem {
		found = append(found, s.values(folder)...)
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(found, func(p proposal) bool {
		twice := seen[p.label]
		seen[p.label] = true
		return twice
	})
}

// keys lists what may be a key of the mapping that the site is.
func (s site) keys(c cursor) []proposal {
	if s.element == nil {
		return nil
	}
	var found []proposal
	switch e := s.element; {
	case e.Means == elements.Constraint && len(s.inner) == 0:
		for _, o := range schema.Operators() {
			found = append(found, proposal{label: o.Name, kind: itemKeyword, detail: o.Takes, text: o.Name + ": "})
		}
	case e.Free:
		for _, d := range s.model.below(s.properties(), s.inner) {
			p := declared(d, itemProperty)
			p.text = d.name + ": "
			found = append(found, p)
		}
		if a, isArgument := s.argument(); s.hasFunctions() && (len(s.inner) > 0 || e.Means == elements.Value) && (!isArgument || a.listed) {
			found = append(found, calls("")...)
		}
	case len(e.Keys) > 0:
		for _, k := range e.Keys {
			found = append(found, proposal{label: k.Name, kind: itemField, doc: sentence(k.Element), text: k.Name + afterKey(k.Element)})
		}
	default:
		found = s.names()
	}
	present := map[string]bool{}
	if here := s.tree.follow(s.path); here != nil {
		for _, child := range here.children {
			if child.index < 0 && !child.partial && !child.key.holds(c.word.line, c.word.start) {
				present[child.key.text] = true
			}
		}
	}
	return slices.DeleteFunc(found, func(p proposal) bool { return present[p.label] })
}

// afterKey is what follows a key: its value beside it or below it.
func afterKey(e *elements.Element) string {
	if len(e.Leaf) == 0 && (len(e.Keys) > 0 || e.Of != nil || e.Items != nil) || slices.Equal(e.Leaf, []elements.Type{elements.Dict}) {
		return ":"
	}
	return ": "
}

func sentence(e *elements.Element) string {
	if e.Since == (elements.Version{}) {
		return e.Doc
	}
	return fmt.Sprintf("%s Since cloudify_dsl_%d_%d.", e.Doc, e.Since.Major, e.Since.Minor)
}

// names lists what free names usually are: those that the type has.
func (s site) names() []proposal {
	t := s.inherited()
	key, i := s.interfaceKey()
	var found []proposal
	switch {
	case i >= 0 && len(s.path) == i+1:
		all := s.model.interfaces(t.section, t.name, key)
		for _, name := range value.SortedKeys(all) {
			found = append(found, proposal{label: name, kind: itemInterface, detail: list(all[name]), text: name + ":"})
		}
	case i >= 0 && len(s.path) == i+2:
		for _, o := range s.model.interfaces(t.section, t.name, key)[s.path[i+1].key] {
			found = append(found, proposal{label: o.name, kind: itemFunction, detail: "from " + o.owner, text: o.name + ":"})
		}
	case len(s.path) == 3 && s.path[2].key == "properties":
		for _, d := range s.model.declared(t.section, t.name, "properties") {
			p := declared(d, itemProperty)
			p.text = d.name + ":"
			found = append(found, p)
		}
	}
	return found
}

func list(definitions []definition) string {
	names := make([]string, len(definitions))
	for i, d := range definitions {
		names[i] = d.name
	}
	return strings.Join(names, ", ")
}

// declared proposes a property, an input or a parameter.
func declared(d definition, kind int) proposal {
	detail, _ := d.node.Get("type").Text()
	return proposal{label: d.name, kind: kind, detail: detail, doc: schemaText(d)}
}

// calls proposes calls of all functions. around is {} where a value stands, and
// empty where the key of a call does.
func calls(around string) []proposal {
	var found []proposal
	for _, f := range functions.Definitions() {
		argument := "$0"
		if len(f.Forms) > 0 && strings.HasPrefix(f.Forms[0], "[") {
			argument = "[ $0 ]"
		}
		text := f.Name + ": " + argument
		if around != "" {
			text = "{ " + text + " }"
		}
		found = append(found, proposal{label: f.Name, kind: itemFunction, detail: strings.Join(f.Forms, " or "), doc: f.Summary, text: text})
	}
	return found
}

// values lists what may be the value that the site is.
func (s site) values(folder string) []proposal {
	if s.element == nil {
		return nil
	}
	if a, ok := s.argument(); ok {
		return s.arguments(a)
	}
	e := s.element
	if e.Free {
		return s.freeValues()
	}
	var found []proposal
	for _, choice := range e.Choices {
		found = append(found, proposal{label: choice, kind: itemEnum})
	}
	if slices.Equal(e.Leaf, []elements.Type{elements.Bool}) {
		found = append(found, booleans()...)
	}
	return append(found, s.meant(e.Means, folder)...)
}

func booleans() []proposal {
	return []proposal{{label: "true", kind: itemValue}, {label: "false", kind: itemValue}}
}

func (s site) freeValues() []proposal {
	var found []proposal
	for _, choice := range s.element.Choices {
		found = append(found, proposal{label: choice, kind: itemEnum})
	}
	if d, ok := s.expected(); ok {
		found = append(found, allowed(d)...)
	}
	if s.hasFunctions() && (len(s.inner) > 0 || s.element.Means == elements.Value) {
		found = append(found, calls("{}")...)
	}
	return found
}

// allowed lists the values that a declaration names.
func allowed(d definition) []proposal {
	var found []proposal
	if t, _ := d.node.Get("type").Text(); t == "boolean" {
		found = booleans()
	}
	constraints := d.node.Get("constraints")
	if constraints == nil {
		return found
	}
	for _, c := range constraints.Items {
		valid := c.Get("valid_values")
		if valid == nil {
			continue
		}
		for _, v := range valid.Items {
			found = append(found, proposal{label: value.Text(v.Plain()), kind: itemEnum})
		}
	}
	return found
}

// meant lists the names of what a text refers to.
func (s site) meant(m elements.Meaning, folder string) []proposal {
	section := func(name string, kind int) []proposal { return s.section(name, kind) }
	switch m {
	case elements.DataType:
		if len(s.path) == 3 && s.at(0) == "data_types" { // derived_from
			return section("data_types", itemClass)
		}
		return append(primitives(), section("data_types", itemClass)...)
	case elements.PrimitiveType:
		return primitives()
	case elements.NodeType:
		return section("node_types", itemClass)
	case elements.RelationshipType:
		return section("relationships", itemClass)
	case elements.NodeTemplate:
		return section("node_templates", itemReference)
	case elements.Group:
		return section("groups", itemReference)
	case elements.Member:
		return append(section("node_templates", itemReference), section("groups", itemReference)...)
	case elements.PolicyType:
		return section("policy_types", itemClass)
	case elements.PolicyTrigger:
		return section("policy_triggers", itemClass)
	case elements.Workflow:
		return section("workflows", itemFunction)
	case elements.Implementation:
		return s.implementations(folder)
	case elements.Import:
		return importable(folder)
	}
	return nil
}

func primitives() []proposal {
	var found []proposal
	for _, name := range schema.PrimitiveNames() {
		found = append(found, proposal{label: name, kind: itemKeyword})
	}
	return found
}

// section proposes its entries, but not the one that the site is in.
func (s site) section(name string, kind int) []proposal {
	var found []proposal
	for _, d := range s.model.entries(name) {
		if s.at(0) == name && s.at(1) == d.name {
			continue
		}
		p := proposal{label: d.name, kind: kind, doc: described(d.node)}
		if name == "node_templates" {
			p.detail = s.model.nodeType(d.name)
		} else if parent, ok := d.node.Get("derived_from").Text(); ok {
			p.detail = "derived from " + parent
		}
		found = append(found, p)
	}
	return found
}

// arguments lists what may be an argument of a call.
func (s site) arguments(a argument) []proposal {
	switch a.function {
	case "get_input":
		return s.inputArguments(a)
	case "get_property", "get_attribute", "get_attributes_list", "get_attributes_dict":
		if a.listed {
			return s.nodeArguments(a)
		}
	case "get_label":
		return s.section("labels", itemField)
	case "get_sys":
		return sysArguments(a, s.givenArgument(a, 0))
	case "concat", "merge", "string_find", "string_replace", "string_split", "string_lower", "string_upper":
		return calls("{}")
	}
	return nil
}

func (s site) inputArguments(a argument) []proposal {
	if a.index == 0 {
		var found []proposal
		for _, d := range s.model.entries("inputs") {
			found = append(found, declared(d, itemVariable))
		}
		return found
	}
	input, _ := s.model.find("inputs", s.givenArgument(a, 0))
	var found []proposal
	for _, d := range s.model.below(s.model.parts(input), s.givenPath(a, 1)) {
		found = append(found, declared(d, itemProperty))
	}
	return found
}

// givenPath are the arguments from one on up to the one at the cursor.
func (s site) givenPath(a argument, from int) []step {
	var path []step
	for i := from; i < a.index; i++ {
		path = append(path, step{key: s.givenArgument(a, i), index: -1})
	}
	return path
}

func (s site) nodeArguments(a argument) []proposal {
	if a.index == 0 {
		var found []proposal
		for _, name := range s.selves() {
			found = append(found, proposal{label: name, kind: itemKeyword})
		}
		return append(found, s.section("node_templates", itemReference)...)
	}
	from := 1
	if a.function == "get_attributes_dict" {
		from = a.index
	}
	var found []proposal
	for _, d := range s.model.below(s.attributes(a), s.givenPath(a, from)) {
		found = append(found, declared(d, itemProperty))
	}
	return found
}

// selves are the words that stand for nodes here.
func (s site) selves() []string {
	key, _ := s.interfaceKey()
	switch {
	case s.at(0) == "relationships" || s.at(2) == "relationships" || strings.HasSuffix(key, "_interfaces"):
		return []string{"SOURCE", "TARGET"}
	case s.at(0) == "node_templates" || s.at(0) == "node_types":
		return []string{"SELF"}
	}
	return nil
}

// attributes are the properties of the node that a call is about, and for
// attributes those that its instances have at run time.
func (s site) attributes(a argument) []definition {
	t := s.nodeOf(s.givenArgument(a, 0))
	found := s.model.declared(t.section, t.name, "properties")
	if a.function != "get_property" {
		found = append(found, s.model.declared(t.section, t.name, "runtime_properties")...)
	}
	return found
}

func sysArguments(a argument, first string) []proposal {
	var names []string
	switch {
	case a.index == 0:
		names = []string{"tenant", "deployment"}
	case first == "tenant":
		names = []string{"name"}
	case first == "deployment":
		names = []string{"id", "name", "blueprint", "owner"}
	}
	var found []proposal
	for _, name := range names {
		found = append(found, proposal{label: name, kind: itemEnum})
	}
	return found
}
