package imports

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"windlass/internal/blueprint/builtin"
	"windlass/internal/blueprint/elements"
	"windlass/internal/blueprint/nearest"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/yaml"
)

// maxDocuments bounds how many documents one blueprint may pull in.
const maxDocuments = 1000

// Options say where imports are looked for.
type Options struct {
	Resolver Resolver // nil: New(Config{})
	Rules    Rules
	// Base is a folder that is searched for relative imports.
	Base string
	// Confine, if not nil, keeps files that are read inside of folders.
	Confine Folders
	// Texts are documents by import, as written but without namespace: they are
	// used instead of looking further.
	Texts map[string]Text
	// CheckVersions refuses imports of a newer version than the main document.
	CheckVersions bool
	// KeepGoing merges what could be read, though some of it could not.
	KeepGoing bool

	// Blueprints that are being merged around this one, and how many documents
	// may still come: they hold for everything that is merged together.
	around []string
	left   *int
}

// Text is a document that is given instead of being fetched.
type Text struct {
	Text     []byte
	Location string // path or URL that its own relative imports start from; may be ""
}

// Main is the document that imports begin at.
type Main struct {
	Root *yaml.Node
	// Location is the path or URL of it, "" if it has none.
	Location string
	Version  plan.Version
}

// Result is a blueprint with its imports merged in.
type Result struct {
	Root *yaml.Node
	// Folder is the URL of the main document's folder, "" without one.
	Folder string
	// Read are the documents that were merged, the main one first.
	Read []Read
}

// Read is a document that was read.
type Read struct {
	Root     *yaml.Node // as it was written
	Location string     // path or URL
	Line     *yaml.Node // the first import of it; nil for the main document
}

// imported is one document on the way.
type imported struct {
	url        string
	namespace  string
	root       *yaml.Node
	location   string // of its own relative imports
	chain      []string
	properties *yaml.Node // given with the import
	line       *yaml.Node // the import in the importing document; nil for the main one
	path       *elements.Path
	isTypes    bool
}

type collector struct {
	ctx      context.Context
	opts     Options
	resolver Resolver
	main     Main
	short    string // version, such as 1_4

	problems   problem.List
	byKey      map[[2]string]*imported
	order      []*imported
	namespaces map[string]string // of blueprint imports
	nsOrder    []string
}

// Merge fetches everything that the main document imports, directly or not, and
// merges it. All problems of imports are in the list, not only the first; the
// result counts only if none of them is an error.
func Merge(ctx context.Context, m Main, opts Options) (Result, problem.List) {
	if opts.left == nil {
		left := maxDocuments
		opts.left = &left
	}
	c := &collector{
		ctx: ctx, opts: opts, main: m, resolver: opts.resolver(),
		short: strings.TrimPrefix(m.Version.Raw, "cloudify_dsl_"),
		byKey: map[[2]string]*imported{}, namespaces: map[string]string{},
	}
	root := &imported{url: urlOf(m.Location), root: restoreMarks(m.Root), chain: m.Root.File.Imports}
	root.location = root.url
	c.add(root)
	for i := 0; i < len(c.order); i++ {
		c.visit(c.order[i])
		if ctx.Err() != nil {
			c.problems = append(c.problems, problem.New(problem.Runtime, "reading imports was interrupted: %v", ctx.Err()))
			return Result{}, c.problems
		}
	}
	if c.problems.Err() != nil && !opts.KeepGoing {
		return Result{}, c.problems
	}
	if opts.CheckVersions {
		for _, d := range c.order[1:] {
			c.checkVersion(d)
		}
	}
	read := make([]Read, len(c.order))
	for i, d := range c.order {
		read[i] = Read{Root: d.root, Location: d.location, Line: d.line}
	}
	return Result{Root: c.merge(), Folder: folderOf(root.url), Read: read}, c.problems
}

func (o Options) resolver() Resolver {
	base := o.Resolver
	if base == nil {
		base = New(Config{})
	}
	if o.Confine != nil {
		base = confined{Resolver: base, folders: o.Confine}
	}
	return ruled{rules: o.Rules, replaced: base, original: bundled{base}}
}

func (c *collector) add(d *imported) {
	c.byKey[[2]string{d.url, d.namespace}] = d
	c.order = append(c.order, d)
}

func (c *collector) report(p *problem.Problem, at *yaml.Node, path *elements.Path) {
	p.Place = at.Place()
	p.Place.Path = path.String()
	if at != nil && at.File != nil {
		p.Imports = at.File.Imports
		p.Excerpt = at.File.Excerpt(at.Line, at.Column)
	}
	c.problems = append(c.problems, p)
}

// visit fetches the imports of one document.
func (c *collector) visit(d *imported) {
	list := d.root.Get("imports")
	if list.IsNull() {
		return
	}
	path := &elements.Path{Name: "imports"}
	if list.Kind != yaml.Sequence {
		if d.line != nil { // the main document was checked before
			c.report(problem.Coded(problem.Format, 1, "Expected 'list' type but found '%s' type", list.TypeName()), list, path)
		}
		return
	}
	lines, good := c.lines(d, list, path)
	if !good {
		return
	}
	for i, line := range lines {
		item, at := list.Items[i], path.Down(fmt.Sprint(i))
		next := c.fetch(d, line, item, at)
		if next == nil {
			continue
		}
		if *c.opts.left--; *c.opts.left < 0 {
			c.report(problem.Coded(problem.Logic, 13, "Import failed: more than %d documents are imported", maxDocuments), item, at)
			return
		}
		c.add(next)
	}
}

// lines reads the list of imports of a document. Nothing is fetched for a list
// that is wrong itself.
func (c *collector) lines(d *imported, list *yaml.Node, path *elements.Path) (lines []importLine, good bool) {
	good = true
	seen := map[string]bool{}
	for i, item := range list.Items {
		line, p := c.line(item)
		if p == nil && d.line == nil && seen[line.written] {
			p = problem.Coded(problem.Format, 2, "Duplicate imports").WithHint("'%s' is imported twice", line.written)
		}
		if p != nil {
			c.report(p, item, path.Down(fmt.Sprint(i)))
			good = false
		}
		seen[line.written] = true
		lines = append(lines, line)
	}
	return lines, good
}

// importLine is one item of a list of imports.
type importLine struct {
	written    string
	properties *yaml.Node
}

const malformed = 220

func (c *collector) line(item *yaml.Node) (importLine, *problem.Problem) {
	if text, ok := item.Text(); ok {
		return importLine{written: text}, nil
	}
	switch {
	case item.IsNull():
		return importLine{}, problem.Coded(problem.Format, malformed,
			"The import statement should be either a string or a dictionary")
	case item.Kind != yaml.Mapping:
		return importLine{}, problem.Coded(problem.Format, 1, "Expected 'string' type but found '%s' type", item.TypeName())
	case len(item.Pairs) != 1:
		return importLine{}, problem.Coded(problem.Format, malformed,
			"Import with properties should be a single-entry dictionary")
	}
	written, ok := item.Pairs[0].Name()
	if !ok {
		return importLine{}, problem.Coded(problem.Format, 1, "Dict keys must be strings but found '%v' of type '%s'",
			item.Pairs[0].Key.Plain(), item.Pairs[0].Key.TypeName())
	}
	properties := item.Pairs[0].Value
	if properties.IsNull() {
		return importLine{written: written}, nil
	}
	return importLine{written: written, properties: properties}, c.checkProperties(properties)
}

// fetch gives the document of one import; nil if it is there already or there
// is a problem, which was reported then.
func (c *collector) fetch(parent *imported, line importLine, at *yaml.Node, path *elements.Path) *imported {
	own, name := splitNamespace(line.written)
	if p := checkNamespace(own); p != nil {
		c.report(p, at, path)
		return nil
	}
	namespace := below(parent.namespace, own)
	next := &imported{namespace: namespace, properties: line.properties, line: at, path: path}
	var doc *Document
	if given, ok := c.opts.Texts[name]; ok {
		next.url = name
		doc = &Document{Text: given.Text, Location: given.Location}
		if p, known := c.known(next, parent); known {
			return c.done(p, at, path)
		}
		if p := c.claim(name, namespace); p != nil {
			return c.done(p, at, path)
		}
	} else {
		var failures []string
		for _, url := range c.candidates(name, parent) {
			next.url = c.canonical(url)
			if p, known := c.known(next, parent); known {
				return c.done(p, at, path)
			}
			if p := c.claim(url, namespace); p != nil {
				return c.done(p, at, path)
			}
			found, err := c.resolver.Fetch(c.ctx, url, c.short)
			if err == nil {
				doc = found
				break
			}
			failures = append(failures, fmt.Sprintf("%s; %v", url, err))
		}
		if doc == nil {
			return c.done(c.unreachable(line.written, name, failures), at, path)
		}
	}
	if doc.Location == "" {
		doc.Location = next.url
	}
	next.location = urlOf(doc.Location)
	return c.read(next, doc, parent)
}

func (c *collector) done(p *problem.Problem, at *yaml.Node, path *elements.Path) *imported {
	if p != nil {
		c.report(p, at, path)
	}
	return nil
}

// canonical gives all names of the built-in types one name.
func (c *collector) canonical(url string) string {
	if builtin.IsTypes(url) {
		name, _ := builtin.Types(c.short)
		return name
	}
	return url
}

// known tells whether the document is there already under that namespace; the
// problem is then that the namespace may not be.
func (c *collector) known(next, parent *imported) (*problem.Problem, bool) {
	before := c.byKey[[2]string{next.url, next.namespace}]
	if before == nil {
		if before = c.byKey[[2]string{next.url, ""}]; before == nil || !before.isTypes {
			return nil, false
		}
	}
	return checkTypesNamespace(next.namespace, before.isTypes, parent.namespace), true
}

func checkTypesNamespace(namespace string, isTypes bool, parent string) *problem.Problem {
	if !isTypes || namespace == "" || namespace == parent {
		return nil
	}
	return problem.Coded(problem.Logic, 214,
		"Invalid import namespace %s: cannot be used on Cloudify basic types.", namespace).
		WithHint("import it without the namespace")
}

// claim takes a namespace for a blueprint import.
func (c *collector) claim(url, namespace string) *problem.Problem {
	id, ok := strings.CutPrefix(url, "blueprint:")
	if !ok {
		return nil
	}
	if namespace == "" {
		return problem.Coded(problem.Logic, 213, "Invalid %s: blueprint import cannot be used without namespace", url).
			WithHint("write %s--%s", nameFor(id), url)
	}
	if _, taken := c.namespaces[namespace]; taken {
		return problem.Coded(problem.Logic, 214,
			"Import failed %s: can not use the same namespace for importing blueprints", namespace)
	}
	c.namespaces[namespace] = id
	c.nsOrder = append(c.nsOrder, namespace)
	return nil
}

func nameFor(id string) string {
	return strings.ReplaceAll(id, Delimiter, "_")
}

func (c *collector) unreachable(written, name string, failures []string) *problem.Problem {
	text := "no suitable location found for import '" + written + "'"
	if len(failures) == 1 {
		text = "Unable to open import url " + failures[0]
	} else if len(failures) > 1 {
		text = "Unable to open import '" + written + "'; tried " + strings.Join(failures, ", ")
	}
	p := problem.Coded(problem.Logic, 13, "Import failed: %s", text).With("failed_import", written)
	if strings.HasSuffix(name, "types.yaml") {
		if meant, ok := nearest.Among(name, []string{builtin.TypesImport}); ok {
			p.WithHint("did you mean %s?", meant)
		}
	}
	return p
}

// read parses a document that was fetched.
func (c *collector) read(next *imported, doc *Document, parent *imported) *imported {
	file := &yaml.File{Name: c.shown(next), Text: doc.Text, Bundled: strings.HasPrefix(next.url, builtin.Scheme)}
	file.Imports = append(append([]string{}, parent.chain...), file.Name)
	next.chain = file.Imports
	root, problems := yaml.Load(file)
	for _, p := range problems {
		p.Imports, p.Excerpt = file.Imports, file.Excerpt(p.Place.Line, p.Place.Column)
		if !p.Warning && p.Code != nil && *p.Code == -1 {
			p.Message = fmt.Sprintf("Failed to parse import '%s' (via '%s'): %s", next.line.Plain(), next.url, p.Message)
		}
		c.problems = append(c.problems, p)
	}
	if problems.Err() != nil {
		return nil
	}
	if root == nil {
		root = &yaml.Node{Kind: yaml.Mapping, File: file, Line: 1, Column: 1}
	}
	if root.Kind != yaml.Mapping {
		c.report(problem.Coded(problem.Format, 1, "Expected 'dict' type but found '%s' type", root.TypeName()), root, nil)
		return nil
	}
	next.root = restoreMarks(root)
	if strings.HasPrefix(next.url, "blueprint:") && !next.root.Get("imports").IsNull() {
		if next.root = c.mergedBefore(next); next.root == nil {
			return nil
		}
	}
	if doc.Plugin != nil {
		next.root = withRecord(next.root, doc.Plugin)
	}
	next.isTypes = isTypes(next.root)
	if p := checkTypesNamespace(next.namespace, next.isTypes, parent.namespace); p != nil {
		c.report(p, next.line, next.path)
		return nil
	}
	if next.isTypes {
		next.namespace = ""
	}
	return next
}

// mergedBefore merges an imported blueprint with its own imports, as it was when
// it was uploaded: what is decided in that does not depend on who imports it.
func (c *collector) mergedBefore(next *imported) *yaml.Node {
	opts := c.opts
	opts.CheckVersions = false
	if slices.Contains(opts.around, next.url) {
		c.report(problem.Coded(problem.Logic, 13, "Import failed: %s imports itself", next.url).
			With("failed_import", next.url), next.line, next.path)
		return nil
	}
	opts.around = append(slices.Clone(opts.around), next.url)
	written, _ := next.root.Get("tosca_definitions_version").Text()
	result, problems := Merge(c.ctx, Main{
		Root: next.root, Location: next.location, Version: plan.Version{Raw: written},
	}, opts)
	c.problems = append(c.problems, problems...)
	if problems.Err() != nil {
		return nil
	}
	return result.Root
}

func (c *collector) checkVersion(next *imported) {
	n := next.root.Get("tosca_definitions_version")
	if n.IsNull() || n.File.IsBundled() {
		return
	}
	written := fmt.Sprint(n.Plain())
	if main, own := generation(c.main.Version.Raw), generation(written); own >= 0 && own <= main {
		return
	}
	c.report(problem.Coded(problem.Logic, 28, "An import uses a different tosca_definitions_version than the one defined in "+
		"the main blueprint's file: main blueprint's file version is '%s', import with different version is '%s', "+
		"version of problematic import is '%s'", c.main.Version.Raw, next.url, written).
		WithHint("set tosca_definitions_version: %s in the main file", written),
		n, &elements.Path{Name: "tosca_definitions_version"})
}

// generation orders versions; -1 for unknown ones.
func generation(version string) int {
	for i, v := range []string{"1_0", "1_1", "1_2", "1_3", "1_4", "1_5"} {
		if version == "cloudify_dsl_"+v {
			return i
		}
	}
	return -1
}

// isTypes tells whether a document is the built-in types: it has the root of
// all node types, and does not have it from somewhere else.
func isTypes(root *yaml.Node) bool {
	n := root.Get("node_types").Get("cloudify.nodes.Root")
	return n != nil && !n.Builtin
}

// withRecord replaces what a plugin's document says by what is stored with it.
func withRecord(root *yaml.Node, r *PluginRecord) *yaml.Node {
	changed := *root
	changed.Pairs = nil
	for _, p := range root.Pairs {
		switch name, _ := p.Name(); name {
		case "labels", "blueprint_labels", "resource_tags":
		default:
			changed.Pairs = append(changed.Pairs, p)
		}
	}
	put := func(key string, m map[string]any, wrap bool) {
		if len(m) == 0 {
			return
		}
		entries := make(map[string]any, len(m))
		for k, v := range m {
			if wrap {
				v = map[string]any{"values": v}
			}
			entries[k] = v
		}
		changed.Pairs = append(changed.Pairs, yaml.Pair{Key: yaml.Of(key, root), Value: yaml.Of(entries, root)})
	}
	put("blueprint_labels", r.BlueprintLabels, true)
	put("labels", r.Labels, true)
	put("resource_tags", r.ResourceTags, false)
	return &changed
}
