package imports

import (
	"strings"

	"windlass/internal/blueprint/elements"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/schema"
	"windlass/internal/blueprint/yaml"
)

// Delimiter stands between a namespace and a name.
const Delimiter = "--"

// splitNamespace takes an import apart at the last delimiter.
func splitNamespace(written string) (namespace, name string) {
	i := strings.LastIndex(written, Delimiter)
	if i < 0 {
		return "", written
	}
	return written[:i], written[i+len(Delimiter):]
}

func checkNamespace(namespace string) *problem.Problem {
	if !strings.Contains(namespace, Delimiter) {
		return nil
	}
	return problem.Coded(problem.Logic, 212, "Invalid %s: import's namespace cannot contain namespace delimiter", namespace)
}

// below combines the namespace of a document with one that it gives an import.
func below(parent, own string) string {
	if parent != "" && own != "" {
		return parent + Delimiter + own
	}
	return parent + own
}

// isShared tells whether a name is one of those that every namespace shares.
func isShared(name string) bool { return strings.HasPrefix(name, "cloudify.") }

// prefixer puts a namespace before the names in a document. Nodes are copied
// where something changes in them.
type prefixer struct{ namespace string }

func (p prefixer) name(name string) string {
	if isShared(name) {
		return name
	}
	return p.namespace + Delimiter + name
}

func (p prefixer) text(n *yaml.Node, text string) *yaml.Node {
	changed := *n
	changed.Value = text
	return &changed
}

// entry puts the namespace into one entry of a section.
func (p prefixer) entry(pair yaml.Pair, section *elements.Element) yaml.Pair {
	name, ok := pair.Name()
	if !ok {
		return pair
	}
	result := yaml.Pair{Key: p.text(pair.Key, p.name(name)), Value: pair.Value}
	if section == nil || section.Of == nil {
		return result
	}
	switch {
	case pair.Value.Kind == yaml.Mapping && len(section.Of.Keys) > 0:
		result.Value = p.keys(pair.Value, section.Of)
	case pair.Value.Kind == yaml.Scalar:
		result.Value = p.value(pair.Value, section.Of)
	}
	return result
}

// value puts the namespace into a value according to the table.
func (p prefixer) value(n *yaml.Node, e *elements.Element) *yaml.Node {
	if n.IsNull() || e.Given {
		return n
	}
	switch n.Kind {
	case yaml.Scalar:
		text, ok := n.Text()
		if !ok || len(e.Leaf) == 0 || e.Verbatim || schema.IsPrimitive(text) || isShared(text) || text == "UNBOUNDED" && e.Free {
			return n
		}
		return p.text(n, p.name(text))
	case yaml.Sequence:
		if e.Items == nil {
			return n
		}
		changed := *n
		changed.Items = make([]*yaml.Node, len(n.Items))
		for i, item := range n.Items {
			changed.Items[i] = p.value(item, e.Items)
		}
		return &changed
	}
	switch {
	case len(e.Keys) > 0:
		return p.keys(n, e)
	case e.Of != nil:
		return p.entries(n, e)
	}
	return p.functions(n)
}

func (p prefixer) keys(n *yaml.Node, e *elements.Element) *yaml.Node {
	changed := *n
	changed.Pairs = make([]yaml.Pair, len(n.Pairs))
	for i, pair := range n.Pairs {
		name, _ := pair.Name()
		if child := e.Key(name); child != nil {
			pair.Value = p.value(pair.Value, child)
		}
		changed.Pairs[i] = pair
	}
	return &changed
}

func (p prefixer) entries(n *yaml.Node, e *elements.Element) *yaml.Node {
	changed := *n
	changed.Pairs = make([]yaml.Pair, len(n.Pairs))
	for i, pair := range n.Pairs {
		if name, ok := pair.Name(); ok && !e.Verbatim {
			pair.Key = p.text(pair.Key, p.name(name))
		}
		pair.Value = p.value(pair.Value, e.Of)
		changed.Pairs[i] = pair
	}
	return &changed
}

// functions puts the namespace into the calls of functions in free content that
// name an input or a node.
func (p prefixer) functions(n *yaml.Node) *yaml.Node {
	switch n.Kind {
	case yaml.Sequence:
		changed := *n
		changed.Items = make([]*yaml.Node, len(n.Items))
		for i, item := range n.Items {
			changed.Items[i] = p.functions(item)
		}
		return &changed
	case yaml.Mapping:
		changed := *n
		changed.Pairs = make([]yaml.Pair, len(n.Pairs))
		for i, pair := range n.Pairs {
			pair.Value = p.functions(p.argument(pair))
			changed.Pairs[i] = pair
		}
		return &changed
	}
	return n
}

func (p prefixer) argument(pair yaml.Pair) *yaml.Node {
	switch name, _ := pair.Name(); name {
	case "get_input":
		if text, ok := pair.Value.Text(); ok {
			return p.text(pair.Value, p.namespace+Delimiter+text)
		}
	case "get_property", "get_attribute":
	default:
		return pair.Value
	}
	if pair.Value.Kind != yaml.Sequence || len(pair.Value.Items) == 0 {
		return pair.Value
	}
	text, ok := pair.Value.Items[0].Text()
	if !ok || text == "SELF" || text == "SOURCE" || text == "TARGET" {
		return pair.Value
	}
	changed := *pair.Value
	changed.Items = append([]*yaml.Node{p.text(pair.Value.Items[0], p.namespace+Delimiter+text)}, pair.Value.Items[1:]...)
	return &changed
}
