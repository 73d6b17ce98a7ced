// Package elements is the table of everything that may stand in a blueprint:
// which keys there are, what each holds, since which version of the language,
// and what happens to names in it when it is imported under a namespace.
//
// Checking, namespaces and documentation all read the same table.
package elements

import (
	"slices"
	"strings"

	"windlass/internal/blueprint/yaml"
)

// Version is a version of the language, such as 1_4.
type Version struct{ Major, Minor int }

// Less tells whether v is older than w.
func (v Version) Less(w Version) bool {
	return v.Major < w.Major || v.Major == w.Major && v.Minor < w.Minor
}

// Type is what a plain value may be.
type Type uint8

// The types of plain values. As in the original, a boolean passes as a number.
const (
	String Type = iota
	Int
	Number
	Bool
	List
	Dict
)

var typeNames = [...]string{"string", "integer", "number", "boolean", "list", "dict"}

// String names the type as messages do.
func (t Type) String() string { return typeNames[t] }

// Element is one kind of thing in a blueprint. It has one or two forms: a
// plain value (Leaf), and either fixed keys, entries with names of the user's
// choice, or a list.
type Element struct {
	Doc string // one sentence for people

	Leaf  []Type   // types of the plain form
	Keys  []Key    // fixed keys
	Of    *Element // each entry of a mapping with free names
	Items *Element // each item of a list

	Required bool    // null and absent are errors
	Since    Version // first version that has it; zero for always

	// Verbatim keeps names as they are when the element is imported under a
	// namespace: of a plain value the text, of entries their names.
	Verbatim bool

	// Given content comes from the document with the import: the namespace of
	// the imported one has no part in it.
	Given bool

	// Free content is not looked into: values of users, functions.
	Free bool

	// What follows does not count in checks.
	Means   Meaning
	Choices []string // texts that are meant to stand here, or as items of a list; nil for any
	// Partial lists keys each of which makes an entry that lacks required keys
	// good all the same: an import may have the rest of it.
	Partial []string
}

// Key is one of the fixed keys of an element.
type Key struct {
	Name string
	*Element
}

// Key returns the element of a fixed key; nil if there is no such key.
func (e *Element) Key(name string) *Element {
	for _, k := range e.Keys {
		if k.Name == name {
			return k.Element
		}
	}
	return nil
}

// KeyNames lists the fixed keys in the order of the table.
func (e *Element) KeyNames() []string {
	names := make([]string, len(e.Keys))
	for i, k := range e.Keys {
		names[i] = k.Name
	}
	return names
}

// Accepts tells whether a node that is not null has the plain form.
func (e *Element) Accepts(n *yaml.Node) bool {
	return slices.ContainsFunc(e.Leaf, func(t Type) bool { return t.holds(n) })
}

func (t Type) holds(n *yaml.Node) bool {
	switch n.Kind {
	case yaml.Mapping:
		return t == Dict
	case yaml.Sequence:
		return t == List
	}
	switch n.TypeName() {
	case "string":
		return t == String
	case "boolean":
		return t == Bool || t == Int || t == Number
	case "integer":
		return t == Int || t == Number
	case "float":
		return t == Number
	}
	return false
}

// Expected describes the forms for messages: string, ['string', 'dict'].
func (e *Element) Expected() string {
	switch {
	case len(e.Keys) > 0 || e.Of != nil:
		return "dict"
	case e.Items != nil:
		return "list"
	case len(e.Leaf) == 1:
		return e.Leaf[0].String()
	}
	names := make([]string, len(e.Leaf))
	for i, t := range e.Leaf {
		names[i] = "'" + t.String() + "'"
	}
	return "[" + strings.Join(names, ", ") + "]"
}
