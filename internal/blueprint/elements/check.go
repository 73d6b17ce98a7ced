package elements

import (
	"fmt"
	"strings"

	"windlass/internal/blueprint/nearest"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/yaml"
)

// Path is a dotted path into a document, made into text only when needed.
type Path struct {
	Above *Path
	Name  string
}

// Down is the path of a child.
func (p *Path) Down(name string) *Path { return &Path{Above: p, Name: name} }

// String joins the names with dots.
func (p *Path) String() string {
	if p == nil {
		return ""
	}
	if above := p.Above.String(); above != "" {
		return above + "." + p.Name
	}
	return p.Name
}

// Names lists the names from the top.
func (p *Path) Names() []string {
	if p == nil {
		return nil
	}
	return append(p.Above.Names(), p.Name)
}

// Check holds documents against the table.
type Check struct {
	Version Version
	Gates   bool // refuse what is newer than Version
	Strict  bool // refuse keys that the table does not have

	// Report takes what is wrong, with the node at fault; it may be nil.
	Report func(p *problem.Problem, at *yaml.Node, path *Path)
	// Bad collects the nodes at fault: who reads the document later treats
	// them as absent.
	Bad map[*yaml.Node]bool
}

func (c *Check) fail(p *problem.Problem, at *yaml.Node, path *Path) {
	c.Report(p, at, path)
	if at != nil {
		c.Bad[at] = true
	}
}

// Element checks a node and everything in it. key is the node of its name, for
// places; nil for items of lists and the document itself.
func (c *Check) Element(n, key *yaml.Node, e *Element, path *Path) {
	if n.IsNull() {
		if e.Required {
			c.missing(n, key, path)
		}
		return
	}
	if !c.shape(n, e, path) {
		return
	}
	if c.Gates && c.Version.Less(e.Since) && !n.File.IsBundled() {
		at := key
		if at == nil {
			at = n
		}
		c.Report(TooNew(path.Name, c.Version, e.Since), at, path)
	}
	switch {
	case n.Kind == yaml.Mapping && len(e.Keys) > 0:
		c.keys(n, key, e, path)
	case n.Kind == yaml.Mapping && e.Of != nil:
		for _, p := range n.Pairs {
			if name, ok := p.Name(); ok {
				c.Element(p.Value, p.Key, e.Of, path.Down(name))
			}
		}
	case n.Kind == yaml.Sequence && e.Items != nil:
		for i, item := range n.Items {
			c.Element(item, nil, e.Items, path.Down(fmt.Sprint(i)))
		}
	}
}

// TooNew is the problem of an element that the version does not have yet.
func TooNew(name string, have, since Version) *problem.Problem {
	return problem.Coded(problem.Logic, 102,
		"%s not supported in version cloudify_dsl_%d_%d, it was added in cloudify_dsl_%d_%d",
		name, have.Major, have.Minor, since.Major, since.Minor).
		WithHint("set tosca_definitions_version: cloudify_dsl_%d_%d", since.Major, since.Minor)
}

func (c *Check) missing(n, key *yaml.Node, path *Path) {
	at := n
	if key != nil {
		at = key
	}
	c.fail(problem.Coded(problem.Format, 1, "'%s' key is required but it is currently missing", path.Name), at, path)
}

// shape tells whether a node has one of the forms of the element.
func (c *Check) shape(n *yaml.Node, e *Element, path *Path) bool {
	if e.Accepts(n) {
		return true
	}
	isDict := len(e.Keys) > 0 || e.Of != nil
	switch {
	case isDict && n.Kind == yaml.Mapping:
		return c.textKeys(n, path)
	case e.Items != nil && n.Kind == yaml.Sequence:
		return true
	case len(e.Leaf) == 1 && e.Leaf[0] == Number:
		// The original trips over its own message here; the kind is kept.
		c.fail(problem.New(problem.BadValue, "'%s' value must be a number but got '%s'", path.Name, short(n)), n, path)
		return false
	}
	p := problem.Coded(problem.Format, 1, "Expected '%s' type but found '%s' type", e.Expected(), n.TypeName())
	if n.TypeName() == "timestamp" {
		p.WithHint("put it in quotes if it is meant as text")
	} else if n.Kind == yaml.Scalar && e.Accepts(&yaml.Node{Value: ""}) {
		p.WithHint("put it in quotes: \"%s\"", short(n))
	}
	c.fail(p, n, path)
	return false
}

func short(n *yaml.Node) string {
	s := fmt.Sprint(n.Plain())
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}

func (c *Check) textKeys(n *yaml.Node, path *Path) bool {
	good := true
	for _, p := range n.Pairs {
		if _, ok := p.Name(); !ok {
			c.fail(problem.Coded(problem.Format, 1, "Dict keys must be strings but found '%s' of type '%s'",
				short(p.Key), p.Key.TypeName()).WithHint("put the key in quotes: \"%s\"", short(p.Key)), p.Key, path)
			good = false
		}
	}
	return good
}

func (c *Check) keys(n, key *yaml.Node, e *Element, path *Path) {
	if c.Strict {
		c.unknown(n, e, path)
	}
	for _, k := range e.Keys {
		child := n.Get(k.Name)
		if child == nil {
			if k.Required {
				at := n
				if key != nil {
					at = key
				}
				c.Report(problem.Coded(problem.Format, 1,
					"'%s' key is required but it is currently missing", k.Name), at, path.Down(k.Name))
			}
			continue
		}
		c.Element(child, n.KeyNode(k.Name), k.Element, path.Down(k.Name))
	}
}

func (c *Check) unknown(n *yaml.Node, e *Element, path *Path) {
	for _, p := range n.Pairs {
		name, _ := p.Name()
		if e.Key(name) != nil {
			continue
		}
		names := e.KeyNames()
		found := problem.Coded(problem.Format, 1, "'%s' is not in schema. Valid schema values: ['%s']",
			name, strings.Join(names, "', '"))
		if meant, ok := nearest.Among(name, names); ok {
			found.WithHint("did you mean '%s'?", meant)
		}
		c.Report(found, p.Key, path.Down(name))
	}
}
