package imports

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"windlass/internal/blueprint/nearest"
	"windlass/internal/value"
)

// Rule replaces the start of URLs.
type Rule struct {
	Prefix      string
	Replacement string
}

// Rules say where imports are really found, for those who run their own copies
// of public documents.
type Rules struct {
	List []Rule // tried in order
	// NoFallback refuses the URL as written once a rule fits it.
	NoFallback bool
	// Direct finds what rules lead to, if it is in the folder or on the server
	// that the rule names: they were written by whoever runs this, not by the
	// blueprint's author, and may name places that blueprints may not. nil: it is
	// found as any import is.
	Direct Resolver
}

// implementations are the original's resolvers, whose work is done here.
var implementations = []string{
	"dsl_parser.import_resolver.default_import_resolver:DefaultImportResolver",
	"manager_rest.resolver_with_catalog_support:ResolverWithCatalogSupport",
	"cloudify_cli.config.config:ResolverWithCatalogIdentification",
}

// ParseRules reads the original's configuration of an import resolver: a
// dictionary with parameters, which has rules, a list of dictionaries of one pair
// each, and fallback. nil has no rules.
func ParseRules(configuration any) (Rules, error) {
	if configuration == nil {
		return Rules{}, nil
	}
	c, ok := configuration.(map[string]any)
	if !ok {
		return Rules{}, fmt.Errorf("an import resolver is a dictionary with parameters, not %s", value.TypeName(configuration))
	}
	if err := known(c, "import_resolver", "implementation", "parameters"); err != nil {
		return Rules{}, err
	}
	if name, there := c["implementation"]; there && name != nil && !slices.Contains(implementations, value.Text(name)) {
		return Rules{}, fmt.Errorf("import_resolver.implementation: %s can't be loaded; leave it out: rules and fallback are enough for the built-in one", value.Repr(name))
	}
	p, ok := c["parameters"].(map[string]any)
	if !ok && c["parameters"] != nil {
		return Rules{}, fmt.Errorf("import_resolver.parameters must be a dictionary, not %s", value.TypeName(c["parameters"]))
	}
	if err := known(p, "import_resolver.parameters", "rules", "fallback"); err != nil {
		return Rules{}, err
	}
	fallback, ok := p["fallback"].(bool)
	if !ok && p["fallback"] != nil {
		return Rules{}, fmt.Errorf("import_resolver.parameters.fallback must be true or false, not %s", value.Repr(p["fallback"]))
	}
	list, err := parseList(p["rules"])
	return Rules{List: list, NoFallback: p["fallback"] != nil && !fallback}, err
}

func parseList(rules any) ([]Rule, error) {
	items, ok := rules.([]any)
	if !ok && rules != nil {
		return nil, fmt.Errorf("import_resolver.parameters.rules must be a list, not %s", value.TypeName(rules))
	}
	var list []Rule
	for i, item := range items {
		pair, ok := item.(map[string]any)
		if !ok || len(pair) != 1 {
			return nil, fmt.Errorf("import_resolver.parameters.rules[%d] must be a dictionary of one pair, such as {'http://here/': 'https://there/'}, not %s", i, value.Repr(item))
		}
		for prefix, v := range pair {
			replacement, ok := v.(string)
			if !ok || prefix == "" || replacement == "" {
				return nil, fmt.Errorf("import_resolver.parameters.rules[%d] must lead from a text to a text, not from %q to %s", i, prefix, value.Repr(v))
			}
			list = append(list, Rule{Prefix: prefix, Replacement: replacement})
		}
	}
	return list, nil
}

func known(m map[string]any, where string, names ...string) error {
	for _, k := range value.SortedKeys(m) {
		if !slices.Contains(names, k) {
			return fmt.Errorf("%s has no %s; %s", where, k, nearest.Hint(k, names))
		}
	}
	return nil
}

// ruled tries URLs with their start replaced.
type ruled struct {
	rules    Rules
	replaced Resolver // for replaced URLs that the rules' own resolver doesn't find
	original Resolver // for the URL as written
}

func (r ruled) Fetch(ctx context.Context, url, dslVersion string) (*Document, error) {
	tried := map[string]bool{}
	var failures []string
	for _, rule := range r.rules.List {
		rest, ok := strings.CutPrefix(url, rule.Prefix)
		replaced := rule.Replacement + rest
		if !ok || tried[replaced] || !IsRemote(url) {
			continue
		}
		tried[replaced] = true
		if strings.HasPrefix(replaced, "/") {
			replaced = "file:" + replaced
		}
		d, err := r.behind(rule, replaced).Fetch(ctx, replaced, dslVersion)
		if err == nil {
			return d.as(url, replaced), nil
		}
		failures = append(failures, fmt.Sprintf("%s (%v)", replaced, err))
	}
	if len(failures) > 0 && r.rules.NoFallback {
		return nil, fmt.Errorf("failed to resolve the following urls: %s", strings.Join(failures, ", "))
	}
	d, err := r.original.Fetch(ctx, url, dslVersion)
	if err != nil && len(failures) > 0 {
		return nil, fmt.Errorf("%w; before that, failed to resolve the following urls: %s", err, strings.Join(failures, ", "))
	}
	return d, err
}

// as gives a document the place that it was imported from by name: what it imports
// itself follows the rules too. Those of catalogues have places of their own.
func (d *Document) as(url, replaced string) *Document {
	if strings.HasPrefix(replaced, "plugin:") || strings.HasPrefix(replaced, "blueprint:") {
		return d
	}
	named := *d
	named.Location = url
	return &named
}

// behind is who finds what a rule leads to. The end of the URL is the blueprint
// author's: it must not lead out of the rule's folder or to another server.
func (r ruled) behind(rule Rule, replaced string) Resolver {
	if r.rules.Direct == nil {
		return r.replaced
	}
	target := rule.Replacement
	if strings.HasPrefix(target, "/") {
		target = "file:" + target
	}
	to, err := url.Parse(replaced)
	named, badRule := url.Parse(target)
	switch {
	case err != nil || badRule != nil || to.Scheme != named.Scheme || to.User.String() != named.User.String():
		return r.replaced
	case to.Scheme == "file":
		folder := filePath(target)
		if !strings.HasSuffix(folder, "/") {
			folder = path.Dir(folder)
		}
		return confined{Resolver: r.rules.Direct, folders: Folders{folder}}
	case (to.Scheme == "http" || to.Scheme == "https") && to.Host == named.Host:
		return r.rules.Direct
	}
	return r.replaced
}
