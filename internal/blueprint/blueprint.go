// Package blueprint turns the text of a blueprint into a plan: it reads the
// YAML, fetches and merges what is imported, checks everything, and works out
// the nodes with their operations.
package blueprint

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"windlass/internal/blueprint/compile"
	"windlass/internal/blueprint/elements"
	"windlass/internal/blueprint/imports"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/yaml"
)

// Source is the main document of a blueprint.
type Source struct {
	// Path is the document's path or URL: imports and scripts are relative to
	// its folder. It may be "" if there is neither.
	Path string
	// Text is the document. nil: it is read from Path.
	Text []byte
}

// Options say how a blueprint is read. The zero value checks everything, reads
// files anywhere and public web servers.
type Options struct {
	// Resolver finds imports with a scheme; nil for files and the web only.
	Resolver imports.Resolver
	// Rules say where such imports are really found.
	Rules imports.Rules
	// Imports are documents given by import, as written but without namespace.
	Imports map[string]imports.Text
	// ResourcesBase is a folder that is searched for relative imports.
	ResourcesBase string
	// AdditionalResources are further folders, as paths or URLs, in which
	// scripts may lie.
	AdditionalResources []string
	// Confine allows only files in the folder of the main document, the
	// resources base and the additional resources: for blueprints of strangers.
	Confine bool

	// What is left out.
	NoVersionCheck      bool // elements and imports newer than the blueprint's version pass
	NoFunctionCheck     bool // calls of intrinsic functions are not looked at
	NoInputDefaultCheck bool // defaults of inputs need not meet their constraints

	// Now is the time that schedules of today count from; nil for the clock.
	Now func() time.Time
}

// Parse makes the plan of a blueprint. The list has the warnings, also together
// with an error. The error is a problem.List with everything that is wrong, in
// the order of the sources; its first entry is what matters most.
//
// Equal sources give equal plans. Parse stops early if ctx ends.
func Parse(ctx context.Context, source Source, opts Options) (*plan.Plan, problem.List, error) {
	merged, problems := merge(ctx, source, opts)
	if problems.Err() != nil {
		return nil, warnings(problems), failures(problems)
	}
	scripts := opts.scripts(merged.folder)
	p, found := compile.Plan(ctx, merged.root, merged.version, compile.Options{
		Gates: !opts.NoVersionCheck, Functions: !opts.NoFunctionCheck, InputDefaults: !opts.NoInputDefaultCheck,
		ScriptExists: scripts.exists, Now: opts.Now,
	})
	problems = append(problems, found...)
	if problems.Err() != nil {
		return nil, warnings(problems), failures(problems)
	}
	return p, problems, nil
}

func warnings(l problem.List) problem.List {
	var result problem.List
	for _, p := range l {
		if p.Warning {
			result = append(result, p)
		}
	}
	return result
}

// failures is l without warnings, as an error.
func failures(l problem.List) error {
	var result problem.List
	for _, p := range l {
		if !p.Warning {
			result = append(result, p)
		}
	}
	return result.Err()
}

// document is a blueprint with its imports merged in.
type document struct {
	root    *yaml.Node
	version plan.Version
	folder  string // URL of the folder, "" without one
}

func merge(ctx context.Context, source Source, opts Options) (document, problem.List) {
	root, problems := load(ctx, source, opts)
	if problems.Err() != nil {
		return document{}, problems
	}
	version, found := head(root, !opts.NoVersionCheck)
	problems = append(problems, found...)
	if problems.Err() != nil {
		return document{}, problems
	}
	result, found := imports.Merge(ctx, imports.Main{Root: root, Location: source.Path, Version: version}, imports.Options{
		Resolver: opts.Resolver, Rules: opts.Rules, Base: filepathOf(opts.ResourcesBase),
		Confine: opts.confine(source.Path), Texts: opts.Imports, CheckVersions: !opts.NoVersionCheck,
	})
	problems = append(problems, found...)
	return document{root: result.Root, version: version, folder: result.Folder}, problems
}

// load reads the main document.
func load(ctx context.Context, source Source, opts Options) (*yaml.Node, problem.List) {
	text := source.Text
	if text == nil {
		var p *problem.Problem
		if text, p = read(ctx, source.Path, opts); p != nil {
			return nil, problem.List{p}
		}
	}
	file := &yaml.File{Name: source.Path, Text: text}
	if file.Name == "" {
		file.Name = "blueprint.yaml"
	}
	file.Imports = []string{file.Name}
	root, problems := yaml.Load(file)
	for _, p := range problems {
		p.Excerpt = file.Excerpt(p.Place.Line, p.Place.Column)
		if p.Code != nil && *p.Code == -1 {
			p.Message = "Failed to parse DSL: " + p.Message
		}
	}
	if root == nil && problems.Err() == nil {
		root = &yaml.Node{Kind: yaml.Mapping, File: file, Line: 1, Column: 1}
	}
	return root, problems
}

func read(ctx context.Context, location string, opts Options) ([]byte, *problem.Problem) {
	if imports.IsRemote(location) {
		resolver := opts.Resolver
		if resolver == nil {
			resolver = imports.New(imports.Config{})
		}
		d, err := resolver.Fetch(ctx, location, "")
		if err != nil {
			return nil, problem.Coded(problem.Logic, 30, "the blueprint cannot be read from %s: %v", location, err)
		}
		return d.Text, nil
	}
	text, err := os.ReadFile(location)
	if err != nil {
		return nil, problem.New(problem.FileNotFound, "the blueprint cannot be read: %v", err)
	}
	return text, nil
}

// head checks what has to be right before imports are looked at.
func head(root *yaml.Node, gates bool) (plan.Version, problem.List) {
	var problems problem.List
	report := func(p *problem.Problem, at *yaml.Node, path *elements.Path) {
		problems = append(problems, compile.Locate(p, at, path.String()))
	}
	version := plan.Version{Name: "cloudify_dsl"}
	const key = "tosca_definitions_version"
	path := &elements.Path{Name: key}
	if root.Kind == yaml.Mapping {
		n := root.Get(key)
		text, isText := n.Text()
		parsed, known := versions()[text]
		switch {
		case n.IsNull():
			report(problem.Coded(problem.Logic, 27, "%s field must appear in the main blueprint file", key).
				WithHint("begin with %s: cloudify_dsl_1_5", key), root, path)
		case isText && !known:
			p := problem.Coded(problem.Logic, 29, "Unexpected %s %s; Currently supported versions are: ['%s']",
				key, text, strings.Join(elements.Versions(), "', '"))
			report(p.WithHint("the newest version is cloudify_dsl_1_5"), n, path)
		}
		version.Raw, version.Definitions = text, parsed
	}
	if problems != nil {
		return version, problems
	}
	check := elements.Check{Gates: gates, Report: report, Bad: map[*yaml.Node]bool{}}
	if len(version.Definitions) > 1 {
		check.Version = elements.Version{Major: version.Definitions[0], Minor: version.Definitions[1]}
	}
	check.Element(root, nil, elements.Head(), nil)
	return version, problems
}

// versions are the versions of the language, taken apart.
func versions() map[string][]int {
	all := map[string][]int{}
	for minor, name := range elements.Versions() {
		all[name] = []int{1, minor}
	}
	return all
}

func filepathOf(location string) string {
	p, ok := strings.CutPrefix(location, "file:")
	if ok && strings.HasPrefix(p, "//") {
		p = "/" + strings.TrimLeft(p, "/")
	}
	return p
}

func (o Options) confine(main string) imports.Folders {
	if !o.Confine {
		return nil
	}
	folders := imports.Folders{}
	if main != "" && (!imports.IsRemote(main) || strings.HasPrefix(main, "file:")) {
		folders = append(folders, filepath.Dir(filepathOf(main)))
	}
	for _, folder := range append([]string{o.ResourcesBase}, o.AdditionalResources...) {
		if folder != "" && (!imports.IsRemote(folder) || strings.HasPrefix(folder, "file:")) {
			folders = append(folders, filepathOf(folder))
		}
	}
	return folders
}
