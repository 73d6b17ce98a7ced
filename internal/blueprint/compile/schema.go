package compile

import (
	"strings"

	"windlass/internal/blueprint/elements"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/schema"
	"windlass/internal/blueprint/yaml"
	"windlass/internal/value"
)

// variant tells the schemas of different sections apart.
type variant uint8

const (
	propertySchema  variant = iota // of types
	inputSchema                    // inputs of blueprints and of operations in types
	parameterSchema                // parameters of workflows
	pluginSchema                   // properties of plugins
)

const textarea = "textarea"

const undefinedInInputDefault = "Undefined property %[2]s in default value of input %[1]s."

// schemas reads a mapping of schemas. Defaults of inputs and parameters are
// checked and completed; those of properties are left for inheritance.
func (c *compiler) schemas(n *yaml.Node, v variant, path *elements.Path) map[string]plan.Schema {
	size := 0
	if n != nil {
		size = len(n.Pairs)
	}
	result := make(map[string]plan.Schema, size)
	for e := range c.within(n, path) {
		s := c.schema(e, v)
		if v == inputSchema || v == parameterSchema {
			c.conformDefault(e, &s)
		}
		result[e.name] = s
	}
	return result
}

func (c *compiler) schema(e entry, v variant) plan.Schema {
	s := plan.Schema{
		Type:        c.textPointer(e.node, "type"),
		Description: c.textPointer(e.node, "description"),
	}
	if s.Type != nil && !c.knownType(e, "type", *s.Type) {
		s.Type = nil
	}
	if v == pluginSchema {
		s.DisplayLabel = c.textPointer(e.node, "display_label")
		s.Value = c.anyPointer(e.node, "value")
		return s
	}
	s.Required = c.flagPointer(e.node, "required")
	if d := e.node.Get("default"); d != nil && !c.bad[d] {
		s.Default = &value.Any{V: d.Plain()}
	}
	if v == propertySchema {
		return s
	}
	s.ItemType = c.itemType(e)
	s.Constraints = c.constraints(e, v)
	if v == inputSchema {
		s.Hidden = c.flagPointer(e.node, "hidden")
		s.DisplayLabel = c.textPointer(e.node, "display_label")
		c.display(e, &s)
		if s.IsRequired() && s.Hidden != nil && *s.Hidden && e.node.Get("default") == nil {
			c.report(problem.Coded(problem.Logic, 215,
				"Input is both hidden and required thus it should have a default value: '%s'.", e.name).
				WithHint("give it a default, or set required: false"), e.key, e.path)
		}
	}
	return s
}

// knownType checks the name of a type: a built-in one or a data type.
func (c *compiler) knownType(e entry, key, name string) bool {
	at, path := e.node.Get(key), e.path.Down(key)
	if !schema.IsPrimitive(name) {
		if _, ok := c.dataTypes[name]; ok {
			return true
		}
		p := problem.Coded(problem.Logic, 103, "Illegal type name '%s'", name)
		c.report(hint(p, name, append(schema.PrimitiveNames(), sortedKeys(c.dataTypes)...)), at, path)
		return false
	}
	c.gateObjectType(name, at, path)
	return true
}

// gateObjectType checks that the version has the object types yet.
func (c *compiler) gateObjectType(name string, at *yaml.Node, path *elements.Path) {
	if !c.opts.Gates || at.File.IsBundled() {
		return
	}
	since := elements.Version{}
	switch name {
	case "operation_name":
		since = elements.Version{Major: 1, Minor: 5}
	case "blueprint_id", "deployment_id", "capability_value", "scaling_group", "node_id", "node_type",
		"node_instance", "secret_key":
		since = elements.Version{Major: 1, Minor: 4}
	}
	if c.version.Less(since) {
		c.report(elements.TooNew("type '"+name+"'", c.version, since), at, path)
	}
}

func (c *compiler) itemType(e entry) *string {
	item := c.textPointer(e.node, "item_type")
	if item == nil || *item == "" {
		return item
	}
	at, path := e.node.Get("item_type"), e.path.Down("item_type")
	declared := c.text(e.node, "type")
	switch {
	case declared != "list":
		if declared == "" {
			declared = "None"
		}
		c.report(problem.Coded(problem.Logic, 218,
			"Property item_type defined for unsupported type: '%s'", declared).WithHint("set type: list"), at, path)
		return nil
	case !schema.IsPrimitive(*item):
		c.report(hint(problem.Coded(problem.Logic, 217, "Illegal item_type '%s'", *item), *item, schema.PrimitiveNames()),
			at, path)
		return nil
	}
	return item
}

func (c *compiler) display(e entry, s *plan.Schema) {
	d := c.get(e.node, "display")
	if d == nil {
		return
	}
	if s.TypeName() != textarea {
		declared := s.TypeName()
		if declared == "" {
			declared = "None"
		}
		c.report(problem.Coded(problem.InputType, 216,
			"`display` property defined for unsupported input type (%s) for input `%s`.", declared, e.name).
			WithHint("only inputs of type textarea have display"), e.node.KeyNode("display"), e.path.Down("display"))
		return
	}
	m := value.Map(d.PlainMap())
	if _, ok := m["rows"]; !ok {
		m["rows"] = nil
	}
	s.Display = &m
}

func (c *compiler) constraints(e entry, v variant) []value.Map {
	n := c.get(e.node, "constraints")
	if n == nil {
		return nil
	}
	path := e.path.Down("constraints")
	result := make([]value.Map, 0, len(n.Items))
	for i, item := range n.Items {
		if c.bad[item] || item.IsNull() {
			continue
		}
		m := item.PlainMap()
		at := path.Down(itoa(i))
		if p := c.constraint(m, v, item, e.name); p != nil {
			c.report(p, item, at)
			continue
		}
		result = append(result, m)
	}
	return result
}

func (c *compiler) constraint(m map[string]any, v variant, item *yaml.Node, owner string) *problem.Problem {
	since := elements.Version{Major: 1, Minor: 5}
	switch {
	case len(m) < 2:
	case v == parameterSchema:
		return problem.Coded(problem.Logic, 103, "Each constraint operator dict must be in its own list item.")
	case !c.opts.Gates:
		return problem.Coded(problem.Logic, 103, "Each constraint operator dict must be in it's own list item.")
	case c.version.Less(since) && !item.File.IsBundled():
		p := elements.TooNew("", c.version, since)
		p.Message = "Constraint's additional attributes are not" + strings.TrimPrefix(p.Message, " not")
		p.Message = strings.Replace(p.Message, ", it was added", ", they were added", 1)
		return p
	}
	p := schema.ValidateConstraint(m)
	if p != nil && p.Code != nil && *p.Code == 212 {
		p.Message = strings.TrimSuffix(p.Message, ".") + ` in "` + owner + `".`
	}
	if p != nil && *p.Code == 103 {
		for name := range m {
			hint(p, name, schema.ConstraintNames())
		}
	}
	return p
}

// conformDefault checks the default of an input and completes it.
func (c *compiler) conformDefault(e entry, s *plan.Schema) {
	if s.Default == nil || s.Default.V == nil {
		return
	}
	conformed, problems := schema.ConformAll(s.Default.V, *s, c.dataTypes, schema.Options{
		Name: e.name, Undefined: undefinedInInputDefault, Missing: schema.MissingInInput,
	})
	if len(problems) > 0 {
		d := e.node.Get("default")
		c.reportAll(problems, d, d, e.path.Down("default"))
		s.Default = nil
		return
	}
	s.Default = &value.Any{V: conformed}
}

// reportAll reports problems whose paths lead into a value. Where a path leads
// nowhere, the problem is at fallback.
func (c *compiler) reportAll(problems problem.List, n, fallback *yaml.Node, path *elements.Path) {
	for _, p := range problems {
		at := locate(n, p.Place.Path, p.Code != nil && *p.Code == 106)
		if at == nil {
			at = fallback
		}
		below := path
		if p.Place.Path != "" {
			below = path.Down(p.Place.Path)
		}
		c.report(p, at, below)
	}
}

// locate follows a dotted path; names may contain dots themselves. It gives the
// last node that exists, or that node's key; nil if the path leads nowhere.
func locate(n *yaml.Node, path string, wantKey bool) *yaml.Node {
	if n == nil || path == "" {
		return n
	}
	if n.Kind == yaml.Sequence || strings.HasPrefix(path, "[") {
		return locateItem(n, path, wantKey)
	}
	if key := n.KeyNode(path); key != nil {
		if v := n.Get(path); !wantKey && !v.IsNull() {
			return v
		}
		return key
	}
	for i := len(path) - 1; i > 0; i-- {
		if path[i] != '.' && path[i] != '[' {
			continue
		}
		if v := n.Get(path[:i]); v != nil {
			if deeper := locate(v, strings.TrimPrefix(path[i:], "."), wantKey); deeper != nil {
				return deeper
			}
			return n.KeyNode(path[:i])
		}
	}
	return nil
}

func locateItem(n *yaml.Node, path string, wantKey bool) *yaml.Node {
	number, rest, ok := strings.Cut(strings.TrimPrefix(path, "["), "]")
	i, valid := atoi(number)
	if !ok || !valid || n.Kind != yaml.Sequence || i >= len(n.Items) {
		return nil
	}
	if deeper := locate(n.Items[i], strings.TrimPrefix(rest, "."), wantKey); deeper != nil {
		return deeper
	}
	return n.Items[i]
}
