package store

import (
	"context"
	"strings"
)

// Plugin is an uploaded plugin. CreatedAt is when it was uploaded.
type Plugin struct {
	Owned
	ID    string // unique among all tenants
	Title string

	PackageName    string
	PackageVersion string
	PackageSource  string
	// ArchiveName is what the plugin's archive calls itself; a tenant has one
	// plugin of a package by that name.
	ArchiveName string
	ArchiveHash string // blob with the plugin's archive, without what came beside it

	SupportedPlatform   string
	Distribution        string
	DistributionVersion string
	DistributionRelease string
	SupportedPyVersions []string
	Wheels              []string
	ExcludedWheels      []string

	Labels          map[string]any // key to list of values
	BlueprintLabels map[string]any // key to list of values
	ResourceTags    map[string]any

	YAMLNames     []string // names of the documents for blueprints
	Installations []PluginInstallation
	Icon          []byte       // a picture; nil without Query.Full in lists
	YAMLFiles     []PluginYAML // nil without Query.Full in lists
}

// PluginYAML is a plugin's document for blueprints.
type PluginYAML struct {
	Name string `json:"name"` // such as plugin_1_4.yaml
	Text string `json:"text"`
}

// PluginInstallation is how far the installation of a plugin is on a manager or
// an agent, whichever is named.
type PluginInstallation struct {
	Manager string `json:"manager,omitempty"`
	Agent   string `json:"agent,omitempty"`
	State   string `json:"state"`
	Error   string `json:"error,omitempty"`
}

// The states of an installation.
const (
	PluginPendingInstall   = "pending-install"
	PluginInstalling       = "installing"
	PluginInstalled        = "installed"
	PluginError            = "error"
	PluginPendingUninstall = "pending-uninstall"
	PluginUninstalling     = "uninstalling"
	PluginUninstalled      = "uninstalled"
)

// PackageKey is a package's name in the one form that names are compared in:
// My_Plugin and my-plugin are the same package.
func PackageKey(name string) string {
	return strings.ToLower(strings.Join(strings.FieldsFunc(name, func(r rune) bool {
		return r == '-' || r == '_' || r == '.'
	}), "-"))
}

// PluginReader reads plugins. Filter fields: id, title, package_name,
// package_version, package_key (see PackageKey), package_source, archive_name,
// archive_hash, supported_platform, distribution, distribution_version,
// distribution_release, uploaded_at, tenant_name, created_by, visibility.
// Search: package_name.
type PluginReader interface {
	// GetPlugin reads the tenant's plugin, or a global one.
	GetPlugin(ctx context.Context, tenant, id string) (Plugin, error)
	ListPlugins(ctx context.Context, q Query) (Page[Plugin], error)
}

// PluginWriter changes plugins.
type PluginWriter interface {
	// AddPlugin gives ErrExists if the id is taken, or the tenant has that
	// archive of that package.
	AddPlugin(ctx context.Context, p Plugin) error
	// UpdatePlugin replaces all but the key and the installations.
	UpdatePlugin(ctx context.Context, p Plugin) error
	// SetPluginState notes how far the installation is on the manager or agent
	// that i names. It gives ErrNotFound if the plugin has gone.
	SetPluginState(ctx context.Context, tenant, id string, i PluginInstallation) error
	// DeletePlugin removes a plugin. Its archive stays.
	DeletePlugin(ctx context.Context, tenant, id string) error
}

// TopicPlugins is notified when a plugin is added, removed, or its installation
// is asked for.
const TopicPlugins = "plugins"
