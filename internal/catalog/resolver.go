package catalog

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"windlass/internal/blueprint/imports"
)

// resolver finds the imports of a tenant's blueprints: other blueprints and
// plugins of the tenant here, everything else with the resolver it was given.
type resolver struct {
	imports.Resolver
	library *Library
	tenant  string
}

// NewResolver makes a resolver that finds blueprint: and plugin: imports in the
// library.
func NewResolver(others imports.Resolver, l *Library) imports.TenantResolver {
	return &resolver{Resolver: others, library: l}
}

// ForTenant implements imports.TenantResolver.
func (r *resolver) ForTenant(tenant string) imports.Resolver {
	return &resolver{Resolver: r.Resolver, library: r.library, tenant: tenant}
}

// Fetch implements imports.Resolver.
func (r *resolver) Fetch(ctx context.Context, url, dslVersion string) (*imports.Document, error) {
	if rest, ok := strings.CutPrefix(url, "plugin:"); ok && r.tenant != "" {
		return PluginShelf{r.library.store, r.library}.document(ctx, r.tenant, rest, dslVersion)
	}
	id, ok := strings.CutPrefix(url, "blueprint:")
	if !ok || r.tenant == "" {
		return r.Resolver.Fetch(ctx, url, dslVersion)
	}
	b, err := r.library.store.GetBlueprint(ctx, r.tenant, id)
	if isNotFound(err) {
		return nil, missing("Requested blueprint import `%s` was not found in tenant %s", id, r.tenant)
	}
	if err != nil {
		return nil, err
	}
	dir, err := r.library.BlueprintDir(ctx, b.Tenant, id)
	if err != nil {
		return nil, err
	}
	text, err := readInside(dir, b.MainFileName)
	if err != nil {
		return nil, fmt.Errorf("read blueprint %s: %w", id, err)
	}
	return &imports.Document{Text: text, Location: filepath.Join(dir, filepath.FromSlash(b.MainFileName))}, nil
}

// missing tells that there is nothing to import, in words that clients look for.
func missing(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), imports.ErrNotFound)
}
