package blueprint

import (
	"context"

	"windlass/internal/blueprint/compile"
	"windlass/internal/blueprint/elements"
	"windlass/internal/blueprint/imports"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/yaml"
)

// Survey is what can be told of a document that may be incomplete, such as one
// that is being written.
type Survey struct {
	// Root is the document with those of its imports merged in that could be
	// read. nil if the document itself is no YAML.
	Root *yaml.Node
	// Read are the documents in it, the main one first.
	Read []imports.Read
	// Problems are those of YAML, of imports, and of the form of each section:
	// whether names lead anywhere is not looked at.
	Problems problem.List
}

// Look surveys a document, which need not be a main one: without a version it
// counts as one of the newest. It stops early if ctx ends.
func Look(ctx context.Context, source Source, opts Options) Survey {
	root, problems := load(ctx, source, opts)
	if root == nil || root.Kind != yaml.Mapping {
		if root != nil {
			problems = append(problems, compile.Locate(problem.Coded(problem.Format, 1,
				"Expected 'dict' type but found '%s' type", root.TypeName()), root, ""))
		}
		return Survey{Problems: problems}
	}
	version := versionOf(root)
	result, found := imports.Merge(ctx, imports.Main{Root: root, Location: source.Path, Version: version}, imports.Options{
		Resolver: opts.Resolver, Rules: opts.Rules, Base: filepathOf(opts.ResourcesBase),
		Confine: opts.confine(source.Path), Texts: opts.Imports, KeepGoing: true,
	})
	problems = append(problems, found...)
	if result.Root == nil {
		return Survey{Problems: problems}
	}
	check := elements.Check{
		Strict: true, Bad: map[*yaml.Node]bool{},
		Report: func(p *problem.Problem, at *yaml.Node, path *elements.Path) {
			problems = append(problems, compile.Locate(p, at, path.String()))
		},
	}
	check.Element(result.Root, nil, elements.Blueprint(), nil)
	return Survey{Root: result.Root, Read: result.Read, Problems: problems}
}

// versionOf is the version of a document, the newest if it has none that is
// known.
func versionOf(root *yaml.Node) plan.Version {
	names := elements.Versions()
	text, _ := root.Get("tosca_definitions_version").Text()
	if versions()[text] == nil {
		text = names[len(names)-1]
	}
	return plan.Version{Raw: text, Name: "cloudify_dsl", Definitions: versions()[text]}
}
