package plugin

import (
	"fmt"
	"slices"
	"strings"

	"windlass/internal/blueprint/yaml"
)

// newerTypes are the types that blueprints before cloudify_dsl_1_4 don't know.
var newerTypes = []string{
	"blueprint_id", "deployment_id", "capability_value", "scaling_group", "node_id", "node_type", "node_instance",
	"secret_key", "operation_name",
}

// Older makes a document for blueprints of cloudify_dsl_1_3, if all that there
// are have what came after that: types of objects become strings, types of lists'
// items and rules of workflows' availability go. Nil means that there is no need.
// It is an error if the first document is no YAML.
func Older(all []YAML) (*YAML, error) {
	if len(all) == 0 || slices.ContainsFunc(all, func(y YAML) bool { return strings.HasSuffix(y.Name, "_1_3.yaml") }) {
		return nil, nil
	}
	first := all[0]
	root, problems := yaml.Load(&yaml.File{Name: first.Name, Text: first.Text, AnyText: true})
	if err := problems.Err(); err != nil {
		return nil, fmt.Errorf("make a document for older blueprints of %s: %w", first.Name, err)
	}
	o := older{}
	result := o.sections(root)
	if !o.changed {
		return nil, nil
	}
	text, err := yaml.Write(result)
	if err != nil {
		return nil, fmt.Errorf("write a document for older blueprints of %s: %w", first.Name, err)
	}
	made := Document("plugin_1_3.yaml", text)
	return &made, nil
}

// older makes older forms of nodes, which stay as they are themselves.
type older struct{ changed bool }

// each applies f to the values of a mapping.
func (o *older) each(n *yaml.Node, f func(*yaml.Node) *yaml.Node) *yaml.Node {
	return o.keys(n, func(string) func(*yaml.Node) *yaml.Node { return f })
}

// keys applies to each value of a mapping what by gives for its key, if anything.
func (o *older) keys(n *yaml.Node, by func(key string) func(*yaml.Node) *yaml.Node) *yaml.Node {
	if n == nil || n.Kind != yaml.Mapping {
		return n
	}
	result := *n
	result.Pairs = slices.Clone(n.Pairs)
	for i, p := range result.Pairs {
		name, _ := p.Name()
		if f := by(name); f != nil {
			result.Pairs[i].Value = f(p.Value)
		}
	}
	return &result
}

func (o *older) within(key string, f func(*yaml.Node) *yaml.Node) func(*yaml.Node) *yaml.Node {
	return func(n *yaml.Node) *yaml.Node {
		return o.keys(n, func(name string) func(*yaml.Node) *yaml.Node {
			if name == key {
				return f
			}
			return nil
		})
	}
}

func (o *older) sections(root *yaml.Node) *yaml.Node {
	types := func(n *yaml.Node) *yaml.Node {
		return o.each(n, func(n *yaml.Node) *yaml.Node {
			n = o.within("properties", o.schemas)(n)
			for _, key := range []string{"interfaces", "source_interfaces", "target_interfaces"} {
				n = o.within(key, o.interfaces)(n)
			}
			return n
		})
	}
	sections := map[string]func(*yaml.Node) *yaml.Node{
		"inputs": o.schemas, "data_types": types, "node_types": types, "relationships": types,
		"workflows": func(n *yaml.Node) *yaml.Node {
			return o.each(n, func(n *yaml.Node) *yaml.Node {
				return o.without("availability_rules", o.within("parameters", o.schemas)(n))
			})
		},
	}
	return o.keys(root, func(name string) func(*yaml.Node) *yaml.Node { return sections[name] })
}

func (o *older) interfaces(n *yaml.Node) *yaml.Node {
	return o.each(n, func(n *yaml.Node) *yaml.Node { return o.each(n, o.within("inputs", o.schemas)) })
}

func (o *older) schemas(n *yaml.Node) *yaml.Node { return o.each(n, o.schema) }

func (o *older) schema(n *yaml.Node) *yaml.Node {
	if name, ok := n.Get("type").Text(); ok && slices.Contains(newerTypes, name) {
		o.changed = true
		n = o.without("constraints", o.within("type", func(t *yaml.Node) *yaml.Node {
			text := *t
			text.Value = "string"
			return &text
		})(n))
	}
	return o.without("item_type", n)
}

func (o *older) without(key string, n *yaml.Node) *yaml.Node {
	if n.Get(key) == nil {
		return n
	}
	o.changed = true
	result := *n
	result.Pairs = slices.DeleteFunc(slices.Clone(n.Pairs), func(p yaml.Pair) bool {
		name, ok := p.Name()
		return ok && name == key
	})
	return &result
}
