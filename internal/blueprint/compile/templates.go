package compile

import (
	"slices"
	"strings"

	"windlass/internal/blueprint/elements"
	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/schema"
	"windlass/internal/blueprint/yaml"
	"windlass/internal/value"
)

// Texts for properties of relationships.
const (
	undefinedInRelationship = "'%[1]s' node relationship '%[2]s' property is not part of the derived relationship type properties schema"
	missingInRelationship   = "'%[1]s' node relationship does not provide a value for mandatory '%[2]s' property " +
		"which is part of its relationship type schema"
)

// template is a node template on its way to becoming a node.
type template struct {
	entry
	node          *plan.Node
	kind          *nodeType // nil if unknown
	relationships []*relationship
	container     string // the node it is contained in
	doubtful      bool   // a relationship of it is wrong

	interfaces []readyInterface
	used       []use // plugins in the order of their use
}

// use is a plugin with the executor that an operation gives it.
type use struct {
	plugin   string
	executor string
}

type relationship struct {
	plan.Relationship
	kind   *relationshipType
	source []readyInterface
	target []readyInterface
}

func (c *compiler) readTemplates() {
	c.templates = map[string]*template{}
	for e := range c.entries("node_templates") {
		if e.node.Kind != yaml.Mapping {
			continue
		}
		t := &template{entry: e}
		c.templates[e.name] = t
		c.templateOrder = append(c.templateOrder, t)
	}
	c.findTemplateCircle()
	for _, t := range c.templateOrder {
		c.readTemplate(t)
	}
}

func (c *compiler) findTemplateCircle() {
	names := make([]string, len(c.templateOrder))
	for i, t := range c.templateOrder {
		names[i] = t.name
	}
	names = circle(names, func(name string) []string {
		var targets []string
		for _, r := range c.relationshipNodes(c.templates[name]) {
			if target := c.text(r, "target"); target != name && c.templates[target] != nil {
				targets = append(targets, target)
			}
		}
		return targets
	})
	if names == nil {
		return
	}
	t := c.templates[names[0]]
	at := t.key
	for _, r := range c.relationshipNodes(t) {
		if c.text(r, "target") == names[1] {
			at = r.Get("target")
		}
	}
	c.report(circularProblem(names), at, t.path)
}

func (c *compiler) relationshipNodes(t *template) []*yaml.Node {
	var nodes []*yaml.Node
	if list := c.get(t.entry.node, "relationships"); list != nil {
		for _, r := range list.Items {
			if !c.bad[r] && r.Kind == yaml.Mapping {
				nodes = append(nodes, r)
			}
		}
	}
	return nodes
}

func (c *compiler) readTemplate(t *template) {
	n := &plan.Node{
		Name: t.name, ID: t.name, Type: c.text(t.entry.node, "type"),
		Instances: value.Map{}, Relationships: []plan.Relationship{},
		TypeHierarchy: []string{}, Properties: value.Map{},
	}
	t.node = n
	t.kind = c.templateType(t, n.Type)
	n.Capabilities.Scalable.Properties = c.templateScale(t)
	c.readRelationships(t)
	if t.kind == nil {
		c.instanceInterfaces(c.get(t.entry.node, "interfaces"), t.path.Down("interfaces")) // for its problems
		return
	}
	n.TypeHierarchy = t.kind.hierarchy
	if c.isUncertain("node_types", t.kind.hierarchy) {
		n.Properties = value.Map{}
	} else {
		n.Properties = c.properties(t.entry, t.kind.properties, t.name, schema.UndefinedInNode, schema.MissingInNode)
	}
	c.templateOperations(t)
}

func (c *compiler) templateType(t *template, name string) *nodeType {
	if kind, ok := c.nodeTypes[name]; ok {
		return kind
	}
	at := c.get(t.entry.node, "type")
	if at == nil || c.sections["node_types"].Get(name) != nil || c.isWrong("node_types") {
		return nil // a problem of its own
	}
	existing := c.names("node_types")
	p := problem.Coded(problem.Logic, 7, "Could not locate node type: '%s'; existing types: %s", name, pythonList(existing))
	hint(p, name, existing)
	if strings.HasPrefix(name, "cloudify.") && c.sections["node_types"].Get("cloudify.nodes.Root") == nil {
		p.WithHint("import cloudify/types/types.yaml")
	}
	c.report(p, at, t.path.Down("type"))
	return nil
}

// pythonList shows names the way messages always have.
func pythonList(names []string) string {
	const enough = 100
	if len(names) == 0 {
		return "[]"
	}
	more := ""
	if len(names) > enough {
		names, more = names[:enough], ", ..."
	}
	return "['" + strings.Join(names, "', '") + "'" + more + "]"
}

// isUncertain tells whether something is wrong with one of the types, so that
// what they ask for is not known.
func (c *compiler) isUncertain(section string, hierarchy []string) bool {
	for _, name := range hierarchy {
		if c.wrong[spot{section, name}] {
			return true
		}
	}
	return false
}

// properties merges and checks the properties under e.
func (c *compiler) properties(
	e entry, declared map[string]plan.Schema, owner, undefined, missing string,
) value.Map {
	return c.values(e, "properties", declared, schema.Options{Name: owner, Undefined: undefined, Missing: missing})
}

func (c *compiler) values(e entry, key string, declared map[string]plan.Schema, opts schema.Options) value.Map {
	written := e.node.Get(key)
	if written != nil && c.bad[written] {
		return value.Map{}
	}
	merged, problems := schema.Properties(written.PlainMap(), declared, c.dataTypes, opts)
	if len(problems) == 0 {
		return merged
	}
	problems = slices.DeleteFunc(problems, func(p *problem.Problem) bool { return c.comesFromType(p, declared) })
	if len(problems) == 0 {
		return value.Map{}
	}
	fallback := e.key
	if fallback == nil {
		fallback = e.node
	}
	for _, p := range problems {
		if p.Code != nil && *p.Code == 219 {
			p.Place.Path = "use_external_resource"
		}
		if p.Code != nil && *p.Code == 106 {
			hintProperty(p, declared)
		}
	}
	c.reportAll(problems, written, fallback, e.path.Down(key))
	return value.Map{}
}

// comesFromType tells whether a value is only wrong because its data type is.
func (c *compiler) comesFromType(p *problem.Problem, declared map[string]plan.Schema) bool {
	name := longestPrefix(p.Place.Path, declared)
	return c.doubtfulType(declared[name].TypeName(), 0)
}

func (c *compiler) doubtfulType(name string, depth int) bool {
	t, known := c.dataTypes[name]
	if !known || depth > 20 {
		return false
	}
	if c.wrong[spot{"data_types", name}] || t.DerivedFrom != nil && c.doubtfulType(*t.DerivedFrom, depth+1) {
		return true
	}
	for _, s := range t.Properties {
		if c.doubtfulType(s.TypeName(), depth+1) {
			return true
		}
	}
	return false
}

func hintProperty(p *problem.Problem, declared map[string]plan.Schema) {
	if strings.Contains(p.Place.Path, ".") {
		return
	}
	hint(p, p.Place.Path, sortedKeys(declared))
}

// templateScale reads the numbers of instances, in the new form or the old one.
func (c *compiler) templateScale(t *template) plan.Scalable {
	capabilities, old := c.get(t.entry.node, "capabilities"), c.get(t.entry.node, "instances")
	deploy := c.deploy(t, old)
	if capabilities != nil {
		if deploy != nil {
			c.report(problem.Coded(problem.Logic, 209, "Node '%s' defines both instances.deploy and "+
				"capabilities.scalable (Note: instances.deploy is deprecated)", t.name).
				WithHint("remove instances"), t.entry.node.KeyNode("capabilities"), t.path.Down("capabilities"))
		}
		path := t.path.Down("capabilities").Down("scalable").Down("properties")
		return c.scalable(c.get(c.get(capabilities, "scalable"), "properties"), path)
	}
	s := c.scalable(nil, nil)
	if deploy != nil {
		s.Default, s.Current, s.Planned = value.Any{V: *deploy}, value.Any{V: *deploy}, value.Any{V: *deploy}
		t.node.Instances = old.PlainMap()
	}
	return s
}

func (c *compiler) deploy(t *template, old *yaml.Node) *int64 {
	n := c.get(old, "deploy")
	if n == nil {
		return nil
	}
	path := t.path.Down("instances").Down("deploy")
	c.report(problem.Warn(problem.Deprecated, "instances.deploy is deprecated").
		WithHint("write capabilities: { scalable: { properties: { default_instances: %s } } }", value.Text(n.Value)),
		t.entry.node.KeyNode("instances"), path)
	var count int64
	switch v := n.Value.(type) {
	case int64:
		count = v
	case bool:
		if v {
			count = 1
		}
	}
	if count < 0 {
		c.report(problem.Coded(problem.Format, 1, "deploy instances must be a non-negative number"), n, path)
		return nil
	}
	return &count
}

// scalable reads and checks numbers of instances; n may be nil.
func (c *compiler) scalable(n *yaml.Node, path *elements.Path) plan.Scalable {
	lowest := c.instances(n, "min_instances", 0, path)
	highest := c.instances(n, "max_instances", plan.Unbounded, path)
	start := c.instances(n, "default_instances", 1, path)
	least, leastKnown := lowest.(int64)
	most, mostKnown := highest.(int64)
	begin, beginKnown := start.(int64)
	mostKnown = mostKnown && most != plan.Unbounded
	illegal := func(format string, a, b int64) {
		c.report(problem.Coded(problem.Logic, 207, format, a, b), n, path)
	}
	switch {
	case leastKnown && beginKnown && begin < least:
		illegal("default_instances (%d) cannot be smaller than min_instances (%d)", begin, least)
	case leastKnown && mostKnown && least > most:
		illegal("min_instances (%d) cannot be greater than max_instances (%d)", least, most)
	case beginKnown && mostKnown && begin > most:
		illegal("default_instances (%d) cannot be greater than max_instances (%d)", begin, most)
	}
	return plan.Scalable{
		Min: value.Any{V: lowest}, Max: value.Any{V: highest}, Default: value.Any{V: start},
		Current: value.Any{V: start}, Planned: value.Any{V: start},
	}
}

// instances is one number of instances, or a function that will give it.
func (c *compiler) instances(n *yaml.Node, key string, fallback int64, path *elements.Path) any {
	child := c.get(n, key)
	if child == nil {
		return fallback
	}
	fail := func(code int, format string, args ...any) any {
		c.report(problem.Coded(problem.Logic, code, format, args...), child, path.Down(key))
		return fallback
	}
	isMax := key == "max_instances"
	switch v := child.Plain().(type) {
	case map[string]any:
		if !functions.Is(v) {
			return fail(210, "%s should be a valid intrinsic function or a value.", key)
		}
		return v
	case string:
		if v != "UNBOUNDED" {
			return fail(208, "The only valid string for %s is UNBOUNDED.", key)
		}
		return int64(plan.Unbounded)
	case int64:
		switch {
		case isMax && v == plan.Unbounded:
		case isMax && v < 1:
			return fail(207, "%s should be a positive value.", key)
		case v < 0:
			return fail(207, "%s should be a non negative value.", key)
		}
		return v
	case bool:
		if v {
			return int64(1)
		}
		if isMax {
			return fail(207, "%s should be a positive value.", key)
		}
		return int64(0)
	}
	return fail(207, "%s is out of range.", key)
}

// templateOperations fills in interfaces and operations.
func (c *compiler) templateOperations(t *template) {
	context := "in node '" + t.name + "' of type '" + t.node.Type + "'"
	own := c.instanceInterfaces(c.get(t.entry.node, "interfaces"), t.path.Down("interfaces"))
	c.user = t.path
	defer func() { c.user = nil }()
	t.interfaces = c.instantiate(t.kind.interfaces, own, instances{owner: t.entry, code: 10, context: context})
	p := patternOf(t.interfaces, &t.kind.pattern)
	t.node.Interfaces, t.node.Operations = p.planInterfaces(t.interfaces), p.planOperations(t.interfaces)
}

// use notes the plugins of operations.
func (t *template) use(list []readyInterface) {
	for _, i := range list {
		for _, o := range i.operations {
			if o.resolved.Plugin == "" {
				continue
			}
			u := use{plugin: o.resolved.Plugin, executor: *o.resolved.Executor}
			if !slices.Contains(t.used, u) {
				t.used = append(t.used, u)
			}
		}
	}
}
