// Package compile turns a blueprint document, with its imports merged in, into
// a plan. It goes on after an error wherever it can, so that one run finds all
// of them: what is wrong counts as absent from then on.
package compile

import (
	"context"
	"iter"
	"slices"
	"time"

	"windlass/internal/blueprint/elements"
	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/yaml"
	"windlass/internal/value"
)

// Options say how a document is compiled.
type Options struct {
	Gates         bool // refuse what is newer than the document's version
	Functions     bool // check the calls of intrinsic functions
	InputDefaults bool // check defaults of inputs against their constraints

	// ScriptExists tells whether a script of this path lies beside the
	// blueprint. nil: none does.
	ScriptExists func(ctx context.Context, path string) bool
	// Now is the time that schedules of today count from; nil for the clock.
	Now func() time.Time
}

// Plan compiles a merged document. The list has warnings, and problems if the
// plan is nil. Both are in the order of the document.
func Plan(ctx context.Context, doc *yaml.Node, version plan.Version, opts Options) (*plan.Plan, problem.List) {
	c := &compiler{
		ctx: ctx, opts: opts, doc: doc, bad: map[*yaml.Node]bool{},
		reported: map[seen]bool{}, wrong: map[spot]bool{}, mappings: map[string]mapping{}, expanded: map[string]int{},
		sections: map[string]*yaml.Node{},
	}
	if len(version.Definitions) > 1 {
		c.version = elements.Version{Major: version.Definitions[0], Minor: version.Definitions[1]}
	}
	c.table = elements.Blueprint()
	check := elements.Check{Version: c.version, Gates: opts.Gates, Strict: true, Report: c.report, Bad: c.bad}
	check.Element(doc, nil, c.table, nil)
	for _, p := range doc.Pairs {
		if name, ok := p.Name(); ok && !p.Value.IsNull() && !c.bad[p.Value] {
			c.sections[name] = p.Value
		}
	}
	p := c.plan(version)
	c.warnings()
	list := c.sorted(c.leading)
	if list.Err() != nil {
		return nil, list
	}
	lean := c.lean(p)
	list = c.checkValues(p, lean)
	if list.Err() != nil {
		return nil, list
	}
	p.Requirements = functions.Requirements(lean)
	return p, list
}

type compiler struct {
	ctx      context.Context
	opts     Options
	doc      *yaml.Node
	table    *elements.Element
	version  elements.Version
	sections map[string]*yaml.Node
	bad      map[*yaml.Node]bool
	found    []finding
	reported map[seen]bool
	wrong    map[spot]bool  // entries that something is wrong with
	user     *elements.Path // template that is being put together: what is wrong in its type is noticed there

	dataTypes         map[string]plan.DataType
	expanded          map[string]int // properties of each data type, with those in them
	plugins           pluginTable
	namespaces        map[string]string
	nodeTypes         map[string]*nodeType
	relationshipTypes map[string]*relationshipType
	templates         map[string]*template
	templateOrder     []*template
	mappings          map[string]mapping
}

// plan works through the sections, those first that others refer to.
func (c *compiler) plan(version plan.Version) *plan.Plan {
	p := &plan.Plan{}
	p.Version = version
	p.Description = c.textPointer(c.doc, "description")
	if m := c.sections["metadata"]; m != nil {
		meta := value.Map(m.PlainMap())
		p.Metadata = &meta
	}
	c.readNamespaces(p)
	c.readDataTypes()
	p.DataTypes = c.dataTypes
	c.readPlugins()
	p.Inputs = c.schemas(c.sections["inputs"], inputSchema, c.at("inputs"))
	c.readNodeTypes()
	c.readRelationshipTypes()
	p.Relationships = c.planRelationshipTypes()
	c.readTemplates()
	c.planTemplates(p)
	c.readPolicyTypes(p)
	c.readGroups(p)
	c.readPolicies(p)
	c.readWorkflows(p)
	p.Outputs = c.exposed("outputs")
	p.Capabilities = c.exposed("capabilities")
	p.Labels = c.labels("labels", c.deploymentLabel)
	p.BlueprintLabels = c.labels("blueprint_labels", c.blueprintLabel)
	p.ResourceTags = value.Map{}
	for e := range c.entries("resource_tags") {
		p.ResourceTags[e.name] = e.node.Plain()
	}
	p.DeploymentSettings = c.deploymentSettings()
	p.Requirements = plan.Requirements{ParentCapabilities: [][]any{}, Secrets: []any{}}
	return p
}

func (c *compiler) readNamespaces(p *plan.Plan) {
	p.ImportedBlueprints = []string{}
	if n := c.sections["imported_blueprints"]; n != nil {
		for _, item := range n.Items {
			if id, ok := item.Text(); ok {
				p.ImportedBlueprints = append(p.ImportedBlueprints, id)
			}
		}
	}
	p.NamespacesMapping = map[string]string{}
	for e := range c.entries("namespaces_mapping") {
		if id, ok := e.node.Text(); ok {
			p.NamespacesMapping[e.name] = id
		}
	}
	c.namespaces = p.NamespacesMapping
}

// entry is one entry of a mapping with free names.
type entry struct {
	name string
	key  *yaml.Node
	node *yaml.Node // may be null, never nil
	path *elements.Path
}

// entries goes through a section, leaving out what is wrong as a whole.
func (c *compiler) entries(section string) iter.Seq[entry] {
	return c.within(c.sections[section], c.at(section))
}

func (c *compiler) within(n *yaml.Node, path *elements.Path) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		if n == nil || n.Kind != yaml.Mapping || c.bad[n] {
			return
		}
		for _, p := range n.Pairs {
			name, ok := p.Name()
			if !ok || c.bad[p.Key] || c.bad[p.Value] {
				continue
			}
			if !yield(entry{name: name, key: p.Key, node: p.Value, path: path.Down(name)}) {
				return
			}
		}
	}
}

func (c *compiler) at(section string) *elements.Path { return &elements.Path{Name: section} }

// names lists the entries of a section, also those that are wrong.
func (c *compiler) names(section string) []string {
	var names []string
	if n := c.sections[section]; n != nil {
		for _, p := range n.Pairs {
			if name, ok := p.Name(); ok {
				names = append(names, name)
			}
		}
	}
	return names
}

// isWrong tells whether a section is there but cannot be read, so that nobody
// knows what is in it.
func (c *compiler) isWrong(section string) bool {
	return c.sections[section] == nil && !c.doc.Get(section).IsNull()
}

// get is the value of a key; nil if it is absent, null or wrong.
func (c *compiler) get(n *yaml.Node, key string) *yaml.Node {
	child := n.Get(key)
	if child.IsNull() || c.bad[child] {
		return nil
	}
	return child
}

func (c *compiler) text(n *yaml.Node, key string) string {
	s, _ := c.get(n, key).Text()
	return s
}

func (c *compiler) textPointer(n *yaml.Node, key string) *string {
	if s, ok := c.get(n, key).Text(); ok {
		return &s
	}
	return nil
}

func (c *compiler) flagPointer(n *yaml.Node, key string) *bool {
	if child := c.get(n, key); child != nil {
		if b, ok := child.Value.(bool); ok {
			return &b
		}
	}
	return nil
}

func (c *compiler) anyPointer(n *yaml.Node, key string) *value.Any {
	if child := c.get(n, key); child != nil {
		return &value.Any{V: child.Plain()}
	}
	return nil
}

// sortedKeys makes walks over maps deterministic.
func sortedKeys[V any](m map[string]V) []string {
	keys := value.SortedKeys(m)
	return slices.Clip(keys)
}
