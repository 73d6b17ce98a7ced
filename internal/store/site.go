package store

import "context"

// Site is a place where deployments are.
type Site struct {
	Owned
	Name     string // unique in the tenant
	Location string // "latitude,longitude"; "" if not known
}

// SiteReader reads sites. A global one of another tenant is found too. Filter
// fields: name, location, tenant_name, created_by, visibility, created_at.
// Search: name.
type SiteReader interface {
	GetSite(ctx context.Context, tenant, name string) (Site, error)
	ListSites(ctx context.Context, q Query) (Page[Site], error)
}

// SiteWriter changes sites.
type SiteWriter interface {
	AddSite(ctx context.Context, s Site) error
	// UpdateSite replaces the site of the given name, whose new name may be
	// another one; deployments at the site follow. It gives ErrExists if the new
	// name is taken.
	UpdateSite(ctx context.Context, name string, s Site) error
	// DeleteSite leaves its deployments without a site.
	DeleteSite(ctx context.Context, tenant, name string) error
}
