package compile

import (
	"strings"

	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/yaml"
	"windlass/internal/value"
)

// lifecycleDependency is the relationship type that waits for one operation of
// its target.
const (
	lifecycleDependency = "cloudify.relationships.depends_on_lifecycle_operation"
	lifecycleInterface  = "cloudify.interfaces.lifecycle"
)

func (c *compiler) readRelationships(t *template) {
	list := c.get(t.entry.node, "relationships")
	if list == nil {
		return
	}
	var contained []*yaml.Node
	var types, targets []string
	for i, n := range list.Items {
		if c.bad[n] || n.Kind != yaml.Mapping {
			t.doubtful = true
			continue
		}
		e := entry{name: t.name, node: n, path: t.path.Down("relationships").Down(itoa(i))}
		r := c.readRelationship(t, e)
		if r == nil {
			t.doubtful = true
			continue
		}
		t.relationships = append(t.relationships, r)
		if r.kind.isContainedIn() {
			contained = append(contained, n)
			types, targets = append(types, r.Type), append(targets, r.TargetID)
			if t.container == "" {
				t.container = r.TargetID
			}
		}
	}
	if len(contained) > 1 {
		found := make([]any, len(types))
		for i, name := range types {
			found[i] = name
		}
		c.report(problem.Coded(problem.Logic, 112,
			"Node '%s' has more than one relationship that is derived from '%s' relationship. Found: %s for targets: %s",
			t.name, containedInType, pythonList(types), pythonList(targets)).With("relationship_types", found),
			contained[1], t.path.Down("relationships"))
	}
}

// readRelationship is nil if the relationship cannot be made sense of.
func (c *compiler) readRelationship(t *template, e entry) *relationship {
	kind, target := c.relationshipKind(t, e), c.relationshipTarget(t, e)
	if kind == nil || target == "" {
		c.instanceInterfaces(c.get(e.node, "source_interfaces"), e.path.Down("source_interfaces")) // for their problems
		c.instanceInterfaces(c.get(e.node, "target_interfaces"), e.path.Down("target_interfaces"))
		return nil
	}
	r := &relationship{kind: kind}
	r.Type, r.TargetID, r.TypeHierarchy = kind.name, target, kind.hierarchy
	if kind.name == lifecycleDependency && !c.checkLifecycleDependency(t, e, target) ||
		c.isUncertain("relationships", kind.hierarchy) {
		r.Properties = value.Map{}
	} else {
		r.Properties = c.properties(e, kind.properties, t.name, undefinedInRelationship, missingInRelationship)
	}
	context := func(node string) string { return "in relationship of type '" + kind.name + "' in node '" + node + "'" }
	r.source = c.relationshipOperations(e, "source_interfaces", kind.source, context(t.name))
	r.target = c.relationshipOperations(e, "target_interfaces", kind.target, context(target))
	onSource, onTarget := patternOf(r.source, &kind.sourcePattern), patternOf(r.target, &kind.targetPattern)
	r.SourceInterfaces, r.TargetInterfaces = onSource.planInterfaces(r.source), onTarget.planInterfaces(r.target)
	r.SourceOperations, r.TargetOperations = onSource.planOperations(r.source), onTarget.planOperations(r.target)
	return r
}

func (c *compiler) relationshipOperations(e entry, key string, types []typeInterface, context string) []readyInterface {
	own := c.instanceInterfaces(c.get(e.node, key), e.path.Down(key))
	at := e
	if at.key == nil {
		at.key = e.node
	}
	c.user = e.path
	defer func() { c.user = nil }()
	return c.instantiate(types, own, instances{owner: at, code: 19, context: context})
}

func (c *compiler) relationshipKind(t *template, e entry) *relationshipType {
	n := c.get(e.node, "type")
	name, ok := n.Text()
	if !ok {
		return nil
	}
	if kind := c.relationshipTypes[name]; kind != nil {
		return kind
	}
	if c.sections["relationships"].Get(name) != nil || c.isWrong("relationships") {
		return nil // a problem of its own
	}
	p := problem.Coded(problem.Logic, 26,
		"A relationship instance under node '%s' declares an undefined relationship type '%s'", t.name, name)
	hint(p, name, c.names("relationships"))
	if strings.HasPrefix(name, "cloudify.") && c.sections["relationships"] == nil {
		p.WithHint("import cloudify/types/types.yaml")
	}
	c.report(p, n, e.path.Down("type"))
	return nil
}

func (c *compiler) relationshipTarget(t *template, e entry) string {
	n := c.get(e.node, "target")
	name, ok := n.Text()
	switch {
	case !ok:
		return ""
	case name == t.name:
		c.report(problem.Coded(problem.Logic, 23, "A relationship instance under node '%s' of type '%s' "+
			"illegally declares the source node as the target node", t.name, c.text(e.node, "type")), n, e.path.Down("target"))
		return ""
	case c.templates[name] != nil:
		return name
	case c.sections["node_templates"].Get(name) != nil:
		return "" // a problem of its own
	}
	p := problem.Coded(problem.Logic, 25, "A relationship instance under node '%s' of type '%s' "+
		"declares an undefined target node '%s'", t.name, c.text(e.node, "type"), name)
	c.report(hint(p, name, c.names("node_templates")), n, e.path.Down("target"))
	return ""
}

// checkLifecycleDependency checks that the operation is named and that the
// target template declares it; the operations of its type do not count.
func (c *compiler) checkLifecycleDependency(t *template, e entry, target string) bool {
	at := c.get(c.get(e.node, "properties"), "operation")
	operation := ""
	if at != nil {
		operation = value.Text(at.Plain())
	}
	path := e.path.Down("properties")
	if operation == "" {
		c.report(problem.Coded(problem.Logic, 215,
			"For \"%s\" node, please supply \"%s\" with a defined lifecycle operation target ", t.name, lifecycleDependency),
			e.node, path)
		return false
	}
	declared := c.get(c.get(c.templates[target].entry.node, "interfaces"), lifecycleInterface)
	if declared.Get(operation) != nil {
		return true
	}
	p := problem.Coded(problem.Logic, 216,
		"Please define \"%s\" operation in the target node \"%s\" for \"%s\" node's \"%s\" relationship",
		operation, target, t.name, lifecycleDependency)
	c.report(p, at, path.Down("operation"))
	return false
}

// planTemplates finishes the nodes: hosts, and which plugins go where.
func (c *compiler) planTemplates(p *plan.Plan) {
	p.Nodes = make([]*plan.Node, 0, len(c.templateOrder))
	for _, t := range c.templateOrder {
		t.use(t.interfaces)
		t.node.HostID = c.host(t)
		for _, r := range t.relationships {
			t.use(r.source)
			c.templates[r.TargetID].use(r.target)
			r.Relationship.Properties = nonNil(r.Relationship.Properties)
			t.node.Relationships = append(t.node.Relationships, r.Relationship)
		}
		p.Nodes = append(p.Nodes, t.node)
	}
	central, onHosts := newPluginSet(), newPluginSet()
	forHost := map[string]*pluginSet{}
	for _, t := range c.templateOrder {
		t.node.Plugins = c.usedPlugins(t)
		own := newPluginSet()
		for _, plugin := range t.node.Plugins {
			switch plugin.Executor {
			case plan.Central:
				own.put(plugin)
			case plan.HostAgent:
				if t.node.HostID == "" {
					if !c.isDoubtful(t) {
						c.agentWithoutHost(t, plugin.Name)
					}
					continue
				}
				if forHost[t.node.HostID] == nil {
					forHost[t.node.HostID] = newPluginSet()
				}
				forHost[t.node.HostID].put(plugin)
			}
		}
		t.node.DeploymentPlugins = own.list
		for _, plugin := range own.list {
			central.put(plugin)
		}
	}
	for _, t := range c.templateOrder {
		if t.kind == nil || !t.kind.isHost {
			continue
		}
		t.node.PluginsToInstall = []plan.Plugin{}
		if set := forHost[t.name]; set != nil {
			t.node.PluginsToInstall = set.list
		}
		for _, plugin := range t.node.PluginsToInstall {
			onHosts.put(plugin)
		}
	}
	p.DeploymentPlugins, p.HostAgentPlugins = central.list, onHosts.list
}

func nonNil(m value.Map) value.Map {
	if m == nil {
		return value.Map{}
	}
	return m
}

// host is the name of the host that a node is or is contained in, "" without.
func (c *compiler) host(t *template) string {
	seen := map[string]bool{}
	for t != nil && !seen[t.name] {
		if t.node.HostID != "" {
			return t.node.HostID
		}
		if t.kind != nil && t.kind.isHost {
			return t.name
		}
		seen[t.name] = true
		t = c.templates[t.container]
	}
	return ""
}

// isDoubtful tells whether what contains the node may be unknown because of
// some other mistake.
func (c *compiler) isDoubtful(t *template) bool {
	seen := map[string]bool{}
	for t != nil && !seen[t.name] {
		if t.doubtful || t.kind == nil {
			return true
		}
		seen[t.name] = true
		t = c.templates[t.container]
	}
	return false
}

func (c *compiler) usedPlugins(t *template) []plan.Plugin {
	list := make([]plan.Plugin, 0, len(t.used))
	for _, u := range t.used {
		plugin := c.plugins.byName[u.plugin]
		plugin.Executor = u.executor
		list = append(list, plugin)
	}
	return list
}

func (c *compiler) agentWithoutHost(t *template, plugin string) {
	c.report(problem.Coded(problem.Logic, 24, "node '%s' has no relationship which makes it contained within a host "+
		"and it has a plugin '%s' with '%s' as an executor. These types of plugins must be installed on a host",
		t.name, plugin, plan.HostAgent).
		WithHint("give the operation executor: %s, or contain the node in one of a type derived from %s",
			plan.Central, computeType), t.key, t.path)
}

// pluginSet holds plugins by name; a later one takes the place of an earlier.
type pluginSet struct {
	list  []plan.Plugin
	index map[string]int
}

func newPluginSet() *pluginSet { return &pluginSet{list: []plan.Plugin{}, index: map[string]int{}} }

func (s *pluginSet) put(p plan.Plugin) {
	if i, ok := s.index[p.Name]; ok {
		s.list[i] = p
		return
	}
	s.index[p.Name] = len(s.list)
	s.list = append(s.list, p)
}
