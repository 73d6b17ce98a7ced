// Package imports finds the documents that a blueprint imports and merges them
// into one. Whoever knows where documents are kept hands in a Resolver.
package imports

import (
	"context"
	"fmt"
	"strings"

	"windlass/internal/blueprint/builtin"
)

// Document is an import that was found.
type Document struct {
	Text []byte
	// Location is what the document's own relative imports start from: a path
	// or URL. Empty means the URL that was fetched.
	Location string
	// Plugin is set for the document of a plugin that is kept in a catalogue.
	Plugin *PluginRecord
}

// PluginRecord is what is stored with a plugin and takes the place of what its
// document says.
type PluginRecord struct {
	Labels          map[string]any // label to list of values
	BlueprintLabels map[string]any
	ResourceTags    map[string]any
}

// Resolver gives the document behind a URL: one with a scheme, plugin: and
// blueprint: included. dslVersion is the version of the main blueprint, such as
// 1_4. An error means that this URL leads nowhere; there may be others to try.
type Resolver interface {
	Fetch(ctx context.Context, url, dslVersion string) (*Document, error)
}

// Plugins is a catalogue of plugins.
type Plugins interface {
	// Plugin returns the document of the newest plugin that fits, an error that
	// wraps ErrNotFound if none does.
	Plugin(ctx context.Context, q PluginQuery, dslVersion string) (*Document, error)
}

// Blueprints is a catalogue of uploaded blueprints.
type Blueprints interface {
	// Blueprint returns the main document of an uploaded blueprint, an error
	// that wraps ErrNotFound if there is none.
	Blueprint(ctx context.Context, id, dslVersion string) (*Document, error)
}

// TenantResolver is a Resolver that knows what belongs to whom.
type TenantResolver interface {
	Resolver
	// ForTenant returns a resolver that finds what the tenant may see.
	ForTenant(tenant string) Resolver
}

// ForTenant returns the resolver as the tenant sees it: r itself unless it
// tells tenants apart. nil stays nil.
func ForTenant(r Resolver, tenant string) Resolver {
	if t, ok := r.(TenantResolver); ok {
		return t.ForTenant(tenant)
	}
	return r
}

// Config is what a resolver is made of. The zero value reads files anywhere and
// public web servers.
type Config struct {
	Web        *Web       // nil: a Web with its defaults
	Plugins    Plugins    // nil: plugin: imports fail
	Blueprints Blueprints // nil: blueprint: imports fail
	Resources  []string   // folders in which resource: imports are looked for
}

// New makes a resolver for files, the web, and catalogues.
func New(c Config) Resolver {
	if c.Web == nil {
		c.Web = &Web{}
	}
	return &resolver{Config: c}
}

type resolver struct{ Config }

// Fetch implements Resolver.
func (r *resolver) Fetch(ctx context.Context, url, dslVersion string) (*Document, error) {
	scheme, rest, _ := strings.Cut(url, ":")
	switch scheme {
	case "file":
		return readFile(filePath(url))
	case "resource":
		return r.resource(rest)
	case "http", "https":
		return r.Web.fetch(ctx, url)
	case "plugin":
		q, err := ParsePluginQuery(rest)
		if err != nil {
			return nil, err
		}
		if r.Plugins == nil {
			return nil, fmt.Errorf("plugins can only be imported on a manager: %w", ErrNotFound)
		}
		return r.Plugins.Plugin(ctx, q, dslVersion)
	case "blueprint":
		if r.Blueprints == nil {
			return nil, fmt.Errorf("blueprints can only be imported on a manager: %w", ErrNotFound)
		}
		return r.Blueprints.Blueprint(ctx, rest, dslVersion)
	}
	return nil, fmt.Errorf("imports from %s: are not supported", scheme)
}

// bundled answers for the built-in types before anybody else is asked.
type bundled struct{ Resolver }

func (b bundled) Fetch(ctx context.Context, url, dslVersion string) (*Document, error) {
	if builtin.IsTypes(url) {
		name, text := builtin.Types(dslVersion)
		return &Document{Text: text, Location: name}, nil
	}
	return b.Resolver.Fetch(ctx, url, dslVersion)
}

// IsRemote tells whether an import names a document by a scheme, so that it is
// not looked for relative to others.
func IsRemote(name string) bool {
	scheme, _, found := strings.Cut(name, ":")
	if !found {
		return false
	}
	switch scheme {
	case "http", "https", "file", "ftp", "plugin", "blueprint":
		return true
	}
	return false
}
