package compile

import (
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/yaml"
)

// warn looks for what works but should not be there.
func (c *compiler) warn(p *plan.Plan) {
	c.warnUnusedInputs()
	for e := range c.entries("node_types") {
		c.warnOperations(e, "interfaces")
	}
	for e := range c.entries("node_templates") {
		c.warnOperations(e, "interfaces")
		if n := c.get(c.get(e.node, "properties"), "install_agent"); n != nil {
			c.warning(e.node.Get("properties").KeyNode("install_agent"), e.path.Down("properties").Down("install_agent"),
				"the property install_agent is deprecated; set agent_config.install_method")
		}
		if n := c.get(c.get(e.node, "properties"), "cloudify_agent"); n != nil {
			c.warning(e.node.Get("properties").KeyNode("cloudify_agent"), e.path.Down("properties").Down("cloudify_agent"),
				"the property cloudify_agent is deprecated; use agent_config")
		}
	}
}

func (c *compiler) warnOperations(e entry, key string) {
	interfaces := c.get(e.node, key)
	if interfaces == nil || e.node.Builtin || e.node.File.IsBundled() {
		return
	}
	path := e.path.Down(key)
	validation := c.get(interfaces, "cloudify.interfaces.validation")
	for _, old := range []struct{ name, now string }{{"creation", "create"}, {"deletion", "delete"}} {
		if at := validation.KeyNode(old.name); at != nil {
			c.warning(at, path.Down("cloudify.interfaces.validation").Down(old.name),
				"the operation %s of cloudify.interfaces.validation is deprecated; its name is %s now", old.name, old.now)
		}
	}
	if at := interfaces.KeyNode("cloudify.interfaces.host"); at != nil {
		c.warning(at, path.Down("cloudify.interfaces.host"), "the interface cloudify.interfaces.host is deprecated")
	}
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
		if !u.inputs[e.name] && e.key.File != nil && len(e.key.File.Imports) <= 1 {
			c.warning(e.key, e.path, "the input %s is not used", e.name)
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
