package compile

import (
	"slices"
	"strings"

	"windlass/internal/blueprint/elements"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/schema"
	"windlass/internal/blueprint/yaml"
)

const (
	computeType     = "cloudify.nodes.Compute"
	containedInType = "cloudify.relationships.contained_in"
)

// nodeType is a node type with its inheritance resolved.
type nodeType struct {
	name       string
	hierarchy  []string // root first
	properties map[string]plan.Schema
	interfaces []typeInterface
	isHost     bool
	pattern    *pattern // nil until a template asks
}

// relationshipType is a relationship type with its inheritance resolved.
type relationshipType struct {
	name       string
	parent     *string
	hierarchy  []string
	properties map[string]plan.Schema
	source     []typeInterface
	target     []typeInterface

	sourcePattern, targetPattern *pattern // nil until a relationship asks
}

func (t *relationshipType) isContainedIn() bool {
	for _, name := range t.hierarchy {
		if name == containedInType {
			return true
		}
	}
	return false
}

// inOrder visits the entries of a section, parents before children. Entries in
// a circle are reported and visited as if they had no parent.
func (c *compiler) inOrder(section string, parents func(e entry) []string, visit func(e entry, circular bool)) {
	all := map[string]entry{}
	var names []string
	for e := range c.entries(section) {
		if e.node.Kind == yaml.Mapping {
			all[e.name] = e
			names = append(names, e.name)
		}
	}
	next := func(name string) []string {
		var known []string
		for _, p := range parents(all[name]) {
			if _, ok := all[p]; ok {
				known = append(known, p)
			}
		}
		return known
	}
	circular := map[string]bool{}
	if names := circle(names, next); names != nil {
		e := all[names[0]]
		at := e.node.Get("derived_from")
		if at == nil {
			at = e.key
		}
		c.report(circularProblem(names), at, e.path)
		for _, n := range names {
			circular[n] = true
		}
		// There may be further circles; walking must end all the same.
	}
	done := map[string]bool{}
	var walk func(name string)
	walk = func(name string) {
		if done[name] {
			return
		}
		done[name] = true
		for _, p := range next(name) {
			walk(p)
		}
		visit(all[name], circular[name])
	}
	for _, name := range names {
		walk(name)
	}
}

// parent is the type that a type is derived from, if it exists.
func (c *compiler) parent(e entry, what string, exists func(name string) bool, candidates []string) (string, bool) {
	name, ok := c.get(e.node, "derived_from").Text()
	if !ok {
		return "", false
	}
	if exists(name) {
		return name, true
	}
	p := problem.Coded(problem.Logic, 103, "Missing definition for %s '%s' which is declared as derived by %s '%s'",
		what, name, what, e.name)
	others := slices.DeleteFunc(candidates, func(other string) bool { return other == e.name })
	c.report(hint(p, name, others), e.node.Get("derived_from"), e.path.Down("derived_from"))
	return "", false
}

// exists tells whether a section has an entry, right or wrong.
func (c *compiler) exists(section string) func(name string) bool {
	return func(name string) bool { return c.sections[section].Get(name) != nil }
}

func (c *compiler) readDataTypes() {
	c.dataTypes = map[string]plan.DataType{}
	for _, name := range c.names("data_types") { // known from the start, so that types may refer to each other
		c.dataTypes[name] = plan.DataType{Properties: map[string]plan.Schema{}}
	}
	parents := func(e entry) []string {
		var names []string
		if parent := c.text(e.node, "derived_from"); parent != "" {
			names = append(names, parent)
		}
		for p := range c.within(c.get(e.node, "properties"), nil) {
			if t := c.text(p.node, "type"); t != "" && !schema.IsPrimitive(t) {
				names = append(names, t)
			}
		}
		return names
	}
	c.inOrder("data_types", parents, c.readDataType)
}

func (c *compiler) readDataType(e entry, circular bool) {
	if schema.IsPrimitive(e.name) {
		c.report(problem.Coded(problem.Logic, 104, "Can't redefine primitive type %s", e.name), e.key, e.path)
	}
	t := plan.DataType{
		Description: c.textPointer(e.node, "description"),
		DerivedFrom: c.textPointer(e.node, "derived_from"),
		Version:     c.textPointer(e.node, "version"),
	}
	var inherited map[string]plan.Schema
	if parent, ok := c.parent(e, "data type", c.exists("data_types"), c.names("data_types")); ok && !circular {
		inherited = c.dataTypes[parent].Properties
	}
	if size := c.expandedSize(e, inherited); size > maxExpanded && !circular {
		c.report(problem.New(problem.Runtime, "data type %s expands to more than %d properties", e.name, maxExpanded), e.key, e.path)
		circular = true
	}
	if circular {
		t.Properties = map[string]plan.Schema{}
	} else {
		t.Properties = c.inherit(e, "properties", inherited)
	}
	c.dataTypes[e.name] = t
}

// maxExpanded bounds the properties of a data type, with those of the types of
// its properties: each can double those of the one before.
const maxExpanded = 10_000

// expandedSize counts the properties of a data type and of all data types in
// it. The types that it builds on were read before.
func (c *compiler) expandedSize(e entry, inherited map[string]plan.Schema) int {
	size := 1
	add := func(typeName string) { size = min(size+max(c.expanded[typeName], 1), maxExpanded+1) }
	for _, s := range inherited {
		add(s.TypeName())
	}
	for p := range c.within(c.get(e.node, "properties"), nil) {
		add(c.text(p.node, "type"))
	}
	c.expanded[e.name] = size
	return size
}

// inherit reads the properties of a type and lays them over its parent's.
func (c *compiler) inherit(e entry, key string, parent map[string]plan.Schema) map[string]plan.Schema {
	n := c.get(e.node, key)
	path := e.path.Down(key)
	merged, problems := schema.Inherit(parent, c.schemas(n, propertySchema, path), c.dataTypes, e.name)
	for _, p := range problems {
		if c.comesFromType(p, merged) {
			continue
		}
		at := c.defaultOf(n, p.Place.Path)
		if at == nil {
			at = e.key
		}
		c.report(p, at, path.Down(p.Place.Path))
	}
	return merged
}

// defaultOf finds the default that a problem of inheritance is about, or its
// property if there is no default.
func (c *compiler) defaultOf(properties *yaml.Node, path string) *yaml.Node {
	name, rest := path, ""
	for properties.Get(name) == nil {
		i := strings.LastIndexByte(name, '.')
		if i < 0 {
			return nil
		}
		name, rest = path[:i], path[i+1:]
	}
	if d := properties.Get(name).Get("default"); d != nil {
		if at := locate(d, rest, false); at != nil {
			return at
		}
		return d
	}
	return properties.KeyNode(name)
}

func (c *compiler) derivedFrom(e entry) []string {
	if parent := c.text(e.node, "derived_from"); parent != "" {
		return []string{parent}
	}
	return nil
}

func (c *compiler) readNodeTypes() {
	c.nodeTypes = map[string]*nodeType{}
	c.inOrder("node_types", c.derivedFrom, func(e entry, circular bool) {
		t := &nodeType{name: e.name}
		parent := &nodeType{}
		if name, ok := c.parent(e, "type", c.exists("node_types"), c.names("node_types")); ok && !circular {
			if known := c.nodeTypes[name]; known != nil {
				parent = known
			}
		}
		t.hierarchy = extend(parent.hierarchy, e.name)
		t.properties = c.inherit(e, "properties", parent.properties)
		c.inherit(e, "runtime_properties", nil) // only checked: the plan has none of it
		own := c.typeInterfaces(c.get(e.node, "interfaces"), e.path.Down("interfaces"))
		t.interfaces = inheritInterfaces(parent.interfaces, own)
		for _, name := range t.hierarchy {
			t.isHost = t.isHost || strings.Contains(name, computeType)
		}
		c.nodeTypes[e.name] = t
	})
}

func extend(hierarchy []string, name string) []string {
	longer := make([]string, 0, len(hierarchy)+1)
	return append(append(longer, hierarchy...), name)
}

func (c *compiler) readRelationshipTypes() {
	c.relationshipTypes = map[string]*relationshipType{}
	c.inOrder("relationships", c.derivedFrom, func(e entry, circular bool) {
		t := &relationshipType{name: e.name}
		if written := c.textPointer(e.node, "derived_from"); written != nil && *written != "" {
			t.parent = written
		}
		parent := &relationshipType{}
		if name, ok := c.parent(e, "relationship", c.exists("relationships"), c.names("relationships")); ok && !circular {
			if known := c.relationshipTypes[name]; known != nil {
				parent = known
			}
		}
		t.hierarchy = extend(parent.hierarchy, e.name)
		t.properties = c.inherit(e, "properties", parent.properties)
		t.source = c.relationshipInterfaces(e, "source_interfaces", parent.source)
		t.target = c.relationshipInterfaces(e, "target_interfaces", parent.target)
		c.relationshipTypes[e.name] = t
	})
}

// relationshipInterfaces also checks that every implementation leads somewhere,
// which for node types only their templates show.
func (c *compiler) relationshipInterfaces(e entry, key string, parent []typeInterface) []typeInterface {
	path := e.path.Down(key)
	merged := inheritInterfaces(parent, c.typeInterfaces(c.get(e.node, key), path))
	for _, i := range merged {
		for _, o := range i.operations {
			_, taken := o.Inputs[scriptPath]
			if _, also := o.Inputs[scriptSource]; also {
				taken = true
			}
			if _, p := c.resolve(o.Implementation, o.name, 19, "Relationship '"+e.name+"'", taken); p != nil {
				c.report(p, o.at, o.path)
			}
		}
	}
	return merged
}

func (c *compiler) planRelationshipTypes() map[string]plan.RelationshipType {
	result := make(map[string]plan.RelationshipType, len(c.relationshipTypes))
	for name, t := range c.relationshipTypes {
		result[name] = plan.RelationshipType{
			Name: name, DerivedFrom: t.parent, TypeHierarchy: t.hierarchy, Properties: t.properties,
			SourceInterfaces: planTypeInterfaces(t.source), TargetInterfaces: planTypeInterfaces(t.target),
		}
	}
	return result
}

func planTypeInterfaces(list []typeInterface) map[string]map[string]plan.TypeInterface {
	result := make(map[string]map[string]plan.TypeInterface, len(list))
	for _, i := range list {
		operations := make(map[string]plan.TypeInterface, len(i.operations))
		for _, o := range i.operations {
			operations[o.name] = o.TypeInterface
		}
		result[i.name] = operations
	}
	return result
}

// pathOf is a path of names.
func pathOf(names ...string) *elements.Path {
	var p *elements.Path
	for _, n := range names {
		p = p.Down(n)
	}
	return p
}
