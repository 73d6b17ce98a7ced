package compile

import (
	"windlass/internal/blueprint/problem"
)

// warnings looks for what works but should not be there. Every warning says
// what to write instead.
func (c *compiler) warnings() {
	c.warnUnused()
	for _, section := range []string{"node_types", "node_templates"} {
		for e := range c.entries(section) {
			c.warnInterfaces(e)
		}
	}
	for e := range c.entries("node_templates") {
		c.warnProperties(e)
	}
	for e := range c.entries("groups") {
		if policies := c.get(e.node, "policies"); policies != nil && len(policies.Pairs) > 0 {
			w := problem.Warn(problem.Deprecated, "policies of groups are deprecated: nothing acts on them")
			c.report(w.WithHint("remove them; scaling is set under the top-level policies, and workflows are started by schedules"),
				e.node.KeyNode("policies"), e.path.Down("policies"))
		}
	}
}

// warnProperties looks at properties that other ones have replaced.
func (c *compiler) warnProperties(e entry) {
	properties := c.get(e.node, "properties")
	for _, old := range []struct{ name, instead string }{
		{"install_agent", "write agent_config: { install_method: none }, or remote to install one"},
		{"cloudify_agent", "write agent_config"},
	} {
		if at := properties.KeyNode(old.name); at != nil && c.hasAgentConfig(e) {
			w := problem.Warn(problem.Deprecated, "the property %s is deprecated", old.name).WithHint("%s", old.instead)
			c.report(w, at, e.path.Down("properties").Down(old.name))
		}
	}
}

// hasAgentConfig tells whether the type of a template has what replaces the
// old properties: a type of the user's may have a property of the same name.
func (c *compiler) hasAgentConfig(e entry) bool {
	t := c.nodeTypes[c.text(e.node, "type")]
	if t == nil {
		return false
	}
	_, ok := t.properties["agent_config"]
	return ok
}

// warnInterfaces looks at interfaces and operations that nothing calls any more.
func (c *compiler) warnInterfaces(e entry) {
	interfaces := c.get(e.node, "interfaces")
	if interfaces == nil || e.node.Builtin || e.node.File.IsBundled() {
		return
	}
	path := e.path.Down("interfaces")
	const validation = "cloudify.interfaces.validation"
	for _, old := range []struct{ name, now string }{{"creation", "create"}, {"deletion", "delete"}} {
		if at := c.get(interfaces, validation).KeyNode(old.name); at != nil {
			w := problem.Warn(problem.Deprecated, "the operation %s of %s is deprecated", old.name, validation)
			c.report(w.WithHint("its name is %s now", old.now), at, path.Down(validation).Down(old.name))
		}
	}
	const host = "cloudify.interfaces.host"
	if at := interfaces.KeyNode(host); at != nil {
		w := problem.Warn(problem.Deprecated, "the interface %s is deprecated", host)
		c.report(w.WithHint("use cloudify.interfaces.lifecycle"), at, path.Down(host))
	}
}
