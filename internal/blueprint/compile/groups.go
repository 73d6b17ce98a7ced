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

// scalingPolicy is the one kind of policy that there is.
const scalingPolicy = "cloudify.policies.scaling"

const (
	undefinedInPolicy = "%[1]s '%[2]s' property is not part of the policy type properties schema"
	missingInPolicy   = "%[1]s does not provide a value for mandatory '%[2]s' property which is part of its policy type schema"
)

func (c *compiler) readPolicyTypes(p *plan.Plan) {
	p.PolicyTypes = map[string]plan.PolicyType{}
	for e := range c.entries("policy_types") {
		p.PolicyTypes[e.name] = plan.PolicyType{
			Source: c.text(e.node, "source"), Properties: c.inherit(e, "properties", nil),
		}
	}
	p.PolicyTriggers = map[string]plan.PolicyTrigger{}
	for e := range c.entries("policy_triggers") {
		p.PolicyTriggers[e.name] = plan.PolicyTrigger{
			Source: c.text(e.node, "source"), Parameters: c.inherit(e, "parameters", nil),
		}
	}
}

func (c *compiler) readGroups(p *plan.Plan) {
	p.Groups = map[string]plan.Group{}
	for e := range c.entries("groups") {
		if c.sections["node_templates"].Get(e.name) != nil {
			c.report(problem.Coded(problem.Logic, 211, "Both a group and a node template are named '%s'", e.name), e.key, e.path)
		}
		g := plan.Group{Members: c.members(e), Policies: map[string]plan.GroupPolicy{}}
		for policy := range c.within(c.get(e.node, "policies"), e.path.Down("policies")) {
			g.Policies[policy.name] = c.groupPolicy(p, e.name, policy)
		}
		p.Groups[e.name] = g
	}
}

func (c *compiler) members(e entry) []string {
	list := c.get(e.node, "members")
	if list == nil {
		return []string{}
	}
	path := e.path.Down("members")
	if len(list.Items) == 0 {
		c.report(problem.Coded(problem.Format, 1, "At least one member should be specified"), list, path)
	}
	members := make([]string, 0, len(list.Items))
	seen := map[string]bool{}
	for i, item := range list.Items {
		name, ok := item.Text()
		if !ok && !item.IsNull() {
			continue
		}
		if !ok || c.sections["node_templates"].Get(name) == nil && c.sections["groups"].Get(name) == nil {
			if !ok {
				name = "None"
			}
			p := problem.Coded(problem.Logic, 40, "Member '%s' of group '%s' does not match any defined node", name, e.name)
			c.report(hint(p, name, append(c.names("node_templates"), c.names("groups")...)), item, path.Down(itoa(i)))
			continue
		}
		if !seen[name] {
			seen[name] = true
			members = append(members, name)
		}
	}
	return members
}

func (c *compiler) groupPolicy(p *plan.Plan, group string, e entry) plan.GroupPolicy {
	policy := plan.GroupPolicy{
		Type: c.text(e.node, "type"), Properties: value.Map{}, Triggers: map[string]plan.GroupTrigger{},
	}
	at := c.get(e.node, "type")
	kind, known := p.PolicyTypes[policy.Type]
	switch {
	case known:
		policy.Properties = c.values(e, "properties", kind.Properties, schema.Options{
			Name:      "group '" + group + "', policy '" + e.name + "'",
			Undefined: undefinedInPolicy, Missing: missingInPolicy,
		})
	case at != nil && c.sections["policy_types"].Get(policy.Type) == nil && !c.isWrong("policy_types"):
		found := problem.Coded(problem.Logic, 41, "Policy '%s' of group '%s' references a non existent policy type '%s'",
			e.name, group, policy.Type)
		c.report(hint(found, policy.Type, c.names("policy_types")), at, e.path.Down("type"))
	}
	for t := range c.within(c.get(e.node, "triggers"), e.path.Down("triggers")) {
		policy.Triggers[t.name] = c.groupTrigger(p, group, e.name, t)
	}
	return policy
}

func (c *compiler) groupTrigger(p *plan.Plan, group, policy string, e entry) plan.GroupTrigger {
	trigger := plan.GroupTrigger{Type: c.text(e.node, "type"), Parameters: value.Map{}}
	at := c.get(e.node, "type")
	kind, known := p.PolicyTriggers[trigger.Type]
	switch {
	case known:
		trigger.Parameters = c.values(e, "parameters", kind.Parameters, schema.Options{
			Name:      "group '" + group + "', policy '" + policy + "' trigger '" + e.name + "'",
			Undefined: undefinedInPolicy, Missing: missingInPolicy,
		})
	case at != nil && c.sections["policy_triggers"].Get(trigger.Type) == nil && !c.isWrong("policy_triggers"):
		found := problem.Coded(problem.Logic, 42,
			"Trigger '%s' of policy '%s' of group '%s' references a non existent 'policy trigger '%s'",
			e.name, policy, group, trigger.Type)
		c.report(hint(found, trigger.Type, c.names("policy_triggers")), at, e.path.Down("type"))
	}
	return trigger
}

func (c *compiler) readPolicies(p *plan.Plan) {
	p.Policies = map[string]plan.Policy{}
	p.ScalingGroups = map[string]plan.ScalingGroup{}
	s := scaling{compiler: c, plan: p}
	for e := range c.entries("policies") {
		policy := plan.Policy{Type: c.text(e.node, "type")}
		if at := c.get(e.node, "type"); at != nil && policy.Type != scalingPolicy {
			c.report(problem.Coded(problem.Logic, 204,
				"'%s' policy type is not implemented. Only '%s' policy type is supported.", policy.Type, scalingPolicy),
				at, e.path.Down("type"))
		}
		policy.Properties = c.scalable(c.get(e.node, "properties"), e.path.Down("properties"))
		policy.Targets = c.targets(p, e)
		p.Policies[e.name] = policy
		for _, target := range policy.Targets {
			s.add(target, policy.Properties, e)
		}
	}
	s.finish()
}

func (c *compiler) targets(p *plan.Plan, e entry) []string {
	list := c.get(e.node, "targets")
	if list == nil {
		return []string{}
	}
	path := e.path.Down("targets")
	if len(list.Items) == 0 {
		c.report(problem.Coded(problem.Logic, 206, "Policy '%s' has no targets groups defined for it. "+
			"At least one target group is required.", e.name), list, path)
	}
	targets := make([]string, 0, len(list.Items))
	for i, item := range list.Items {
		name, ok := item.Text()
		if !ok {
			if !item.IsNull() {
				continue
			}
			name = "None"
		}
		if _, known := p.Groups[name]; known {
			targets = append(targets, name)
			continue
		}
		if c.sections["groups"].Get(name) != nil {
			continue // a problem of its own
		}
		found := problem.Coded(problem.Logic, 205, "'%s' is not a valid policy target. Only groups are valid policy targets. "+
			"Defined groups are %s.", name, strings.Join(c.names("groups"), ", "))
		c.report(hint(found, name, c.names("groups")), item, path.Down(itoa(i)))
	}
	return targets
}

// placeOf is where a group is defined.
func (c *compiler) placeOf(group string) (*yaml.Node, *elements.Path) {
	return c.sections["groups"].KeyNode(group), pathOf("groups", group)
}
