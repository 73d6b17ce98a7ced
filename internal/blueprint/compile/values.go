package compile

import (
	"strings"

	"windlass/internal/blueprint/elements"
	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/nearest"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/schema"
	"windlass/internal/blueprint/yaml"
)

// checkValues does what needs the finished plan: defaults of inputs against
// their constraints, calls of functions (lean is enough for those). The list has
// the earlier warnings.
func (c *compiler) checkValues(p, lean *plan.Plan) problem.List {
	if c.opts.InputDefaults {
		for e := range c.entries("inputs") {
			s := p.Inputs[e.name]
			if s.Default == nil {
				continue
			}
			if found := schema.CheckConstraints(e.name, s.Default.V, s, nil); found != nil {
				c.report(found, e.node.Get("default"), e.path.Down("default"))
			}
		}
	}
	list := c.sorted(firstFound)
	if !c.opts.Functions {
		return list
	}
	problems := functions.ValidatePlan(lean, p.Version.Definitions)
	if len(problems) == 0 {
		return list
	}
	c.found = nil
	for _, found := range problems {
		path := found.Place.Path
		c.hintFunction(found)
		c.report(found, c.source(path), &elements.Path{Name: path})
	}
	return append(list, c.sorted(firstFound)...)
}

// lean is the plan with just those operations that have inputs: only there can
// calls of functions be, and most operations have none.
func (c *compiler) lean(p *plan.Plan) *plan.Plan {
	few := *p
	few.Nodes = make([]*plan.Node, len(c.templateOrder))
	for i, t := range c.templateOrder {
		node := *t.node
		node.Operations = withInputs(t.node.Operations, t.interfaces)
		node.Relationships = make([]plan.Relationship, len(t.relationships))
		for j, r := range t.relationships {
			relationship := r.Relationship
			relationship.SourceOperations = withInputs(r.SourceOperations, r.source)
			relationship.TargetOperations = withInputs(r.TargetOperations, r.target)
			node.Relationships[j] = relationship
		}
		few.Nodes[i] = &node
	}
	return &few
}

func withInputs(all map[string]*plan.Operation, list []readyInterface) map[string]*plan.Operation {
	var some map[string]*plan.Operation
	for _, i := range list {
		for _, o := range i.operations {
			if len(o.resolved.Inputs) == 0 {
				continue
			}
			if some == nil {
				some = map[string]*plan.Operation{}
			}
			some[o.full] = all[o.full]
			if short, ok := all[o.name]; ok {
				some[o.name] = short
			}
		}
	}
	return some
}

// hintFunction looks for what an unknown name in a call probably meant.
func (c *compiler) hintFunction(p *problem.Problem) {
	if p.Hint != "" || p.Kind != problem.UnknownInput && p.Kind != problem.KeyMissing {
		return
	}
	var candidates []string
	if p.Kind == problem.UnknownInput {
		candidates = c.names("inputs")
	} else {
		candidates = c.names("node_templates")
	}
	for _, word := range strings.FieldsFunc(p.Message, func(r rune) bool { return strings.ContainsRune("'\"`[](), ", r) }) {
		if meant, ok := nearest.Among(word, candidates); ok && word != "a" && len(word) > 2 {
			p.WithHint("did you mean '%s'?", meant)
			return
		}
	}
}

// source finds where in the document a path of the plan comes from: the node
// itself, or the nearest thing around it that was written.
func (c *compiler) source(path string) *yaml.Node {
	section, rest, _ := strings.Cut(path, ".")
	switch section {
	case "nodes":
		return c.nodeSource(rest)
	case "outputs", "capabilities", "labels", "policies", "deployment_settings":
		if n := locate(c.sections[section], rest, false); n != nil {
			return n
		}
	case "scaling_groups":
		if n := locate(c.sections["groups"], rest, false); n != nil {
			return n
		}
	}
	if key := c.doc.KeyNode(section); key != nil {
		return key
	}
	return c.doc
}

func (c *compiler) nodeSource(path string) *yaml.Node {
	name := longestPrefix(path, c.templates)
	t := c.templates[name]
	if t == nil {
		return c.doc.KeyNode("node_templates")
	}
	rest := strings.TrimPrefix(strings.TrimPrefix(path, name), ".")
	if inputs, ok := strings.CutPrefix(rest, "operations."); ok {
		if n := c.operationSource(t, t.entry.node.Get("interfaces"), inputs); n != nil {
			return n
		}
		return t.key
	}
	if n := locate(t.entry.node, strings.Replace(rest, "capabilities.scalable.", "capabilities.scalable.properties.", 1), false); n != nil {
		return n
	}
	for _, r := range c.relationshipNodes(t) {
		operation, ok := strings.CutPrefix(rest, c.text(r, "type")+".")
		if !ok {
			continue
		}
		for _, key := range []string{"source_interfaces", "target_interfaces"} {
			if n := c.operationSource(t, r.Get(key), operation); n != nil {
				return n
			}
		}
		return r
	}
	return t.key
}

// operationSource finds the input that interface.op.inputs.x or op.inputs.x
// means, nil if the template does not have the operation.
func (c *compiler) operationSource(t *template, interfaces *yaml.Node, path string) *yaml.Node {
	for i := range c.within(interfaces, nil) {
		for o := range c.within(i.node, nil) {
			for _, name := range []string{i.name + "." + o.name, o.name} {
				if rest, ok := strings.CutPrefix(path, name+"."); ok {
					if n := locate(o.node, rest, false); n != nil {
						return n
					}
					return o.key
				}
			}
		}
	}
	return nil
}

func longestPrefix[V any](path string, names map[string]V) string {
	for i := len(path); i > 0; i-- {
		if i == len(path) || path[i] == '.' {
			if _, ok := names[path[:i]]; ok {
				return path[:i]
			}
		}
	}
	return ""
}
