package imports

import (
	"strings"

	"windlass/internal/blueprint/elements"
	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/nearest"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/yaml"
	"windlass/internal/value"
)

// checkProperties checks the form of the properties given with an import.
func (c *collector) checkProperties(n *yaml.Node) *problem.Problem {
	if n.Kind != yaml.Mapping {
		return problem.Coded(problem.Format, 1, "Expected 'dict' type but found '%s' type", n.TypeName())
	}
	version := elements.Version{Major: 1, Minor: max(generation(c.main.Version.Raw), 0)}
	if since := (elements.Version{Major: 1, Minor: 5}); c.opts.CheckVersions && version.Less(since) {
		return elements.TooNew("properties of an import", version, since)
	}
	for _, p := range n.Pairs {
		switch {
		case p.Value.Kind == yaml.Mapping && functions.Is(p.Value.Plain()), p.Value.Kind == yaml.Sequence,
			p.Value.Kind == yaml.Scalar && !p.Value.IsNull():
			continue
		}
		return problem.Coded(problem.Format, malformed, "Properties of imported node should either be strings, integers, "+
			"floats, booleans, lists or intrinsic functions")
	}
	return nil
}

// setProperties gives the plugins of a document the properties of its import.
// The document is copied where it changes.
func (c *collector) setProperties(d *imported) *yaml.Node {
	plugins := d.root.Get("plugins")
	if plugins == nil || plugins.Kind != yaml.Mapping {
		return d.root
	}
	changed := *plugins
	changed.Pairs = make([]yaml.Pair, len(plugins.Pairs))
	for i, p := range plugins.Pairs {
		if declared := p.Value.Get("properties"); declared != nil && declared.Kind == yaml.Mapping && len(declared.Pairs) > 0 {
			p.Value = replace(p.Value, "properties", c.pluginProperties(d, declared))
		}
		changed.Pairs[i] = p
	}
	return replace(d.root, "plugins", &changed)
}

func (c *collector) pluginProperties(d *imported, declared *yaml.Node) *yaml.Node {
	var wrong, names []string
	changed := *declared
	changed.Pairs = make([]yaml.Pair, len(declared.Pairs))
	for i, p := range declared.Pairs {
		name, _ := p.Name()
		names = append(names, name)
		if given := d.properties.Get(name); given != nil && p.Value.Kind == yaml.Mapping {
			typeName, _ := p.Value.Get("type").Text()
			fits, known := fitsProperty(given, typeName)
			switch {
			case !known && !functions.Is(given.Plain()):
				c.report(problem.Coded(problem.Format, malformed,
					"Properties should either be strings, integers, floats, booleans, or lists."), given, d.path)
			case fits || functions.Is(given.Plain()):
				p.Value = replace(p.Value, "value", given)
			default:
				wrong = append(wrong, "Property "+name+": value '"+value.Text(given.Plain())+"' should be of type "+typeName)
			}
		}
		changed.Pairs[i] = p
	}
	var redundant []string
	if d.properties != nil {
		for _, p := range d.properties.Pairs {
			if name, _ := p.Name(); declared.Get(name) == nil {
				redundant = append(redundant, name)
			}
		}
	}
	if len(redundant) > 0 {
		wrong = append(wrong, "Properties for imported plugin are redundant: ['"+strings.Join(redundant, "', '")+
			"'], consider updating import lines")
	}
	if len(wrong) > 0 {
		p := problem.Coded(problem.Logic, 221, "%s", strings.Join(wrong, ".  "))
		if len(redundant) > 0 {
			if hint := nearest.Hint(redundant[0], names); hint != "" {
				p.WithHint("%s", hint)
			}
		}
		c.report(p, d.properties, d.path)
	}
	return &changed
}

// fitsProperty tells whether a value fits a type of plugin properties, and
// whether plugin properties can have that type.
func fitsProperty(n *yaml.Node, typeName string) (fits, known bool) {
	actual := n.TypeName()
	isInt := actual == "integer" || actual == "boolean"
	switch typeName {
	case "string":
		return actual == "string" || isInt, true
	case "integer":
		return isInt, true
	case "float":
		return isInt || actual == "float", true
	case "boolean":
		return actual == "boolean", true
	case "list":
		return actual == "list", true
	}
	return false, false
}

// replace returns a copy of a mapping with one value replaced or added.
func replace(n *yaml.Node, key string, v *yaml.Node) *yaml.Node {
	changed := *n
	changed.Pairs = append([]yaml.Pair{}, n.Pairs...)
	for i := range changed.Pairs {
		if name, _ := changed.Pairs[i].Name(); name == key {
			changed.Pairs[i].Value = v
			return &changed
		}
	}
	changed.Pairs = append(changed.Pairs, yaml.Pair{Key: yaml.Of(key, v), Value: v})
	return &changed
}
