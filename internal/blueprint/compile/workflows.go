package compile

import (
	"windlass/internal/blueprint/nearest"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/yaml"
	"windlass/internal/value"
)

func (c *compiler) readWorkflows(p *plan.Plan) {
	p.Workflows = map[string]plan.Workflow{}
	plugins := newPluginSet()
	for e := range c.entries("workflows") {
		w := c.workflow(e)
		p.Workflows[e.name] = w
		if _, known := plugins.index[w.Plugin]; !known && w.Plugin != "" {
			plugins.put(c.plugins.byName[w.Plugin])
		}
	}
	p.WorkflowPlugins = plugins.list
}

func (c *compiler) workflow(e entry) plan.Workflow {
	w := plan.Workflow{Parameters: map[string]plan.Schema{}}
	at := e.node
	implementation, ok := e.node.Text()
	if !ok {
		at = c.get(e.node, "mapping")
		implementation, _ = at.Text()
		w.Parameters = c.schemas(c.get(e.node, "parameters"), parameterSchema, e.path.Down("parameters"))
		if cascading := c.flagPointer(e.node, "is_cascading"); cascading != nil {
			w.IsCascading = *cascading
		}
		w.AvailabilityRules = c.availability(e)
	}
	if at == nil {
		return w
	}
	if implementation == "" {
		c.report(problem.New(problem.Runtime, "workflow '%s' has an empty mapping", e.name), at, e.path)
		return w
	}
	_, path := w.Parameters[scriptPath]
	_, source := w.Parameters[scriptSource]
	m, p := c.resolve(implementation, e.name, 21, "", path || source)
	if p != nil {
		c.report(p, at, e.path)
		return w
	}
	w.Plugin, w.Operation = m.plugin, m.operation
	if m.script != "" {
		description := "Workflow script executed by the script plugin"
		w.Plugin, w.Operation = c.plugins.script, scriptWorkflow
		w.Parameters[m.script] = plan.Schema{Default: &value.Any{V: implementation}, Description: &description}
	}
	return w
}

func (c *compiler) availability(e entry) *plan.Availability {
	n := c.get(e.node, "availability_rules")
	if n == nil {
		return nil
	}
	rules := &plan.Availability{Available: c.flagPointer(n, "available")}
	path := e.path.Down("availability_rules")
	if list := c.get(n, "node_instances_active"); list != nil {
		rules.NodeInstancesActive = []string{}
		for _, item := range list.Items {
			name, _ := item.Text()
			if name != "all" && name != "partial" && name != "none" {
				p := problem.Coded(problem.Logic, 103, "Invalid definition of 'active_node_instances' availability rule: '%s'. "+
					"Allowed values: ('all', 'partial', 'none')", value.Text(list.Plain()))
				if meant, ok := nearest.Among(name, []string{"all", "partial", "none"}); ok {
					p.WithHint("did you mean '%s'?", meant)
				}
				c.report(p, item, path.Down("node_instances_active"))
				break
			}
			rules.NodeInstancesActive = append(rules.NodeInstancesActive, name)
		}
	}
	if list := c.get(n, "node_types_required"); list != nil {
		rules.NodeTypesRequired = texts(list)
	}
	return rules
}

func texts(list *yaml.Node) []string {
	result := []string{}
	for _, item := range list.Items {
		if s, ok := item.Text(); ok {
			result = append(result, s)
		}
	}
	return result
}
