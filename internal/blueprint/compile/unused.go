package compile

import (
	"strings"

	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/yaml"
)

// warnUnused names what the main file declares and nothing refers to. A file
// without nodes and outputs is there to be imported: whoever does that uses it.
// Where something is wrong, the mistake may be the missing use.
func (c *compiler) warnUnused() {
	if firstFound(c.found) >= 0 {
		return
	}
	if c.sections["node_templates"] == nil && c.sections["outputs"] == nil && c.sections["capabilities"] == nil {
		return
	}
	c.warnUnusedInputs()
	c.warnUnusedTypes()
}

// isMain tells whether a key stands in the main file.
func isMain(key *yaml.Node) bool { return key.File != nil && len(key.File.Imports) <= 1 }

// isOwn tells whether a type is one of the main file that only blueprints know:
// names that begin with cloudify. mean something to the program too.
func isOwn(e entry) bool {
	return isMain(e.key) && !e.node.Builtin && !strings.HasPrefix(e.name, "cloudify.")
}

// warnUnusedInputs names the inputs of the main file that no get_input asks
// for.
func (c *compiler) warnUnusedInputs() {
	inputs := c.sections["inputs"]
	if inputs == nil || len(inputs.Pairs) == 0 {
		return
	}
	u := usage{inputs: map[string]bool{}}
	u.walk(c.doc)
	if u.computed {
		return
	}
	for e := range c.entries("inputs") {
		if !u.inputs[e.name] && isMain(e.key) {
			w := problem.Warn(problem.Unused, "the input %s is not used", e.name)
			c.report(w.WithHint("remove it, or use it: { get_input: %s }", e.name), e.key, e.path)
		}
	}
}

// usage collects the names in calls of get_input.
type usage struct {
	inputs   map[string]bool
	computed bool // some name is only known when it runs
}

func (u *usage) walk(n *yaml.Node) {
	switch n.Kind {
	case yaml.Sequence:
		for _, item := range n.Items {
			u.walk(item)
		}
	case yaml.Mapping:
		for _, p := range n.Pairs {
			if name, _ := p.Name(); name == "get_input" {
				u.name(p.Value)
			}
			u.walk(p.Value)
		}
	}
}

func (u *usage) name(n *yaml.Node) {
	if n.Kind == yaml.Sequence && len(n.Items) > 0 {
		n = n.Items[0]
	}
	if name, ok := n.Text(); ok {
		u.inputs[name] = true
	} else {
		u.computed = true
	}
}

// warnUnusedTypes names the types of the main file whose names occur nowhere
// but in themselves: a workflow, say, may be given a type by name too.
func (c *compiler) warnUnusedTypes() {
	sections := []struct{ name, what, use string }{
		{"data_types", "data type", "type: %s in a property or an input"},
		{"node_types", "node type", "type: %s in a node template"},
		{"relationships", "relationship type", "type: %s in a relationship"},
	}
	m := mentions{}
	for _, s := range sections {
		for e := range c.entries(s.name) {
			if isOwn(e) {
				m[e.name] = 0
			}
		}
	}
	if len(m) == 0 {
		return
	}
	for _, p := range c.doc.Pairs {
		if p.Value.Kind != yaml.Mapping {
			m.count(p.Value, 1)
		}
		for _, e := range p.Value.Pairs {
			m.count(e.Value, 1)
		}
	}
	for _, s := range sections {
		for e := range c.entries(s.name) {
			if !isOwn(e) {
				continue
			}
			m.count(e.node, -1)
			if m[e.name] == 0 {
				w := problem.Warn(problem.Unused, "the %s %s is not used", s.what, e.name)
				c.report(w.WithHint("remove it, or use it: "+s.use, e.name), e.key, e.path)
			}
			m.count(e.node, 1)
		}
	}
}

// mentions counts how often each of some names occurs.
type mentions map[string]int

func (m mentions) count(n *yaml.Node, by int) {
	switch n.Kind {
	case yaml.Sequence:
		for _, item := range n.Items {
			m.count(item, by)
		}
	case yaml.Mapping:
		for _, p := range n.Pairs {
			m.count(p.Key, by)
			m.count(p.Value, by)
		}
	default:
		text, ok := n.Text()
		if !ok {
			return
		}
		if _, known := m[text]; known {
			m[text] += by
		} else if strings.ContainsAny(text, ", \n") {
			m.countIn(text, by)
		}
	}
}

// countIn looks for names in a longer text, such as a list or a script.
func (m mentions) countIn(text string, by int) {
	for name := range m {
		if strings.Contains(text, name) {
			m[name] += by
		}
	}
}
