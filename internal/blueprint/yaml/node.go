// Package yaml reads YAML the way blueprints have always been read: by the
// rules of YAML 1.1 as PyYAML's safe loader has them. Every node keeps its
// file, line and column, so that whatever is found wrong later can be shown.
package yaml

import (
	"encoding/json"
	"math/big"
	"strconv"

	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// Kind tells what a node is.
type Kind uint8

// The kinds of nodes.
const (
	Scalar Kind = iota
	Mapping
	Sequence
)

// Timestamp is a date or a point in time, written without quotes. Blueprints
// have no use for dates, so it is kept as the text that Python shows for it.
type Timestamp string

// File is one document that was read.
type File struct {
	Name    string   // path or URL
	Text    []byte   // for excerpts
	Imports []string // names of the files on the way here, main file first, this one last
	Bundled bool     // comes with the program: exempt from version checks
	AnyText bool     // no blueprint: texts need not be ASCII
}

// IsBundled tells whether the file comes with the program.
func (f *File) IsBundled() bool { return f != nil && f.Bundled }

// Node is one value in a document. Nodes that come from an alias are shared:
// whoever wants to change a node copies it first.
type Node struct {
	Kind Kind
	// Builtin marks entries of the built-in types: they may replace what is
	// there, and take no namespace. Importing sets it.
	Builtin bool

	height int16 // levels below it, as far as they matter
	size   int32 // nodes in it, itself included, as far as they matter

	Line   int // from 1; 0 for nodes made by the program
	Column int // from 1
	File   *File

	Value any     // of a scalar: nil, bool, int64, *big.Int, float64, string or Timestamp
	Pairs []Pair  // of a mapping, in order, each key once
	Items []*Node // of a sequence
}

// Pair is one entry of a mapping.
type Pair struct {
	Key   *Node
	Value *Node
}

// Name is the key as text, and whether it is text.
func (p Pair) Name() (string, bool) {
	s, ok := p.Key.Value.(string)
	return s, ok && p.Key.Kind == Scalar
}

// Get returns the value under a text key; nil if n is no mapping or lacks it.
func (n *Node) Get(key string) *Node {
	if n == nil || n.Kind != Mapping {
		return nil
	}
	for i := range n.Pairs {
		if n.Pairs[i].Key.Value == key {
			return n.Pairs[i].Value
		}
	}
	return nil
}

// KeyNode returns the node of a text key itself; nil if there is none.
func (n *Node) KeyNode(key string) *Node {
	if n == nil || n.Kind != Mapping {
		return nil
	}
	for i := range n.Pairs {
		if n.Pairs[i].Key.Value == key {
			return n.Pairs[i].Key
		}
	}
	return nil
}

// IsNull tells whether n is absent or null.
func (n *Node) IsNull() bool { return n == nil || n.Kind == Scalar && n.Value == nil }

// Text returns the text of a string node, and whether n is one.
func (n *Node) Text() (string, bool) {
	if n == nil || n.Kind != Scalar {
		return "", false
	}
	s, ok := n.Value.(string)
	return s, ok
}

// Place is where the node stands.
func (n *Node) Place() problem.Place {
	if n == nil {
		return problem.Place{}
	}
	p := problem.Place{Line: n.Line, Column: n.Column}
	if n.File != nil {
		p.File = n.File.Name
	}
	return p
}

// Plain turns the node into untyped data. Keys that are no text become the
// text that JSON would have for them; timestamps become text.
func (n *Node) Plain() any {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case Mapping:
		return n.PlainMap()
	case Sequence:
		items := make([]any, len(n.Items))
		for i, item := range n.Items {
			items[i] = item.Plain()
		}
		return items
	}
	if t, ok := n.Value.(Timestamp); ok {
		return string(t)
	}
	return n.Value
}

// PlainMap is Plain for a mapping; nil if n is none.
func (n *Node) PlainMap() map[string]any {
	if n == nil || n.Kind != Mapping {
		return nil
	}
	m := make(map[string]any, len(n.Pairs))
	for _, p := range n.Pairs {
		m[keyText(p.Key)] = p.Value.Plain()
	}
	return m
}

func keyText(key *Node) string {
	switch t := key.Value.(type) {
	case string:
		return t
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(t)
	case int64:
		return strconv.FormatInt(t, 10)
	case *big.Int:
		return t.String()
	case Timestamp:
		return string(t)
	}
	return string(value.Encode(key.Value))
}

// TypeName names the node's type as messages do: string, integer, dict ...
func (n *Node) TypeName() string {
	switch {
	case n.IsNull():
		return "null"
	case n.Kind == Mapping:
		return "dict"
	case n.Kind == Sequence:
		return "list"
	}
	switch n.Value.(type) {
	case bool:
		return "boolean"
	case int64, *big.Int:
		return "integer"
	case float64:
		return "float"
	case Timestamp:
		return "timestamp"
	}
	return "string"
}

// Of makes nodes from untyped data; they have the given place. Keys are in
// text order.
func Of(v any, at *Node) *Node {
	n := &Node{size: 1}
	if at != nil {
		n.File, n.Line, n.Column = at.File, at.Line, at.Column
	}
	switch t := v.(type) {
	case map[string]any:
		n.Kind = Mapping
		for _, k := range value.SortedKeys(t) {
			n.Pairs = append(n.Pairs, Pair{Key: Of(k, at), Value: Of(t[k], at)})
		}
	case []any:
		n.Kind = Sequence
		for _, item := range t {
			n.Items = append(n.Items, Of(item, at))
		}
	case json.Number:
		n.Value = string(t)
	default:
		n.Value = v
	}
	return n
}
