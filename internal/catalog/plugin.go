package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"windlass/internal/blueprint/yaml"
	"windlass/internal/plugin"
	"windlass/internal/store"
	"windlass/internal/value"
)

// PluginUpload asks for plugins to be taken in.
type PluginUpload struct {
	Tenant     string
	ID         string // "" for a new one; an upload of several can't have it
	Title      string
	CreatedBy  string
	CreatedAt  time.Time // zero for now
	Visibility store.Visibility
	// Archive is a plugin, a zip of a plugin with documents, or a bundle of many.
	Archive io.Reader
	// Name is the archive's file name, where that is known.
	Name string
	// Documents came beside the archive, by their names.
	Documents map[string][]byte
}

// invalidPlugin refuses an archive.
func invalidPlugin(format string, args ...any) error {
	return refusal(http.StatusBadRequest, "invalid_plugin_error", fmt.Sprintf(format, args...))
}

// UploadPlugins stores the plugins of an upload. Of a bundle, plugins that the
// tenant has already are left out; if it has all of them, and for a plugin that
// comes alone, that is a conflict. Nothing is stored of an upload with a part
// that is no plugin. bundle tells whether it was one.
func (s *Service) UploadPlugins(ctx context.Context, u PluginUpload) (plugins []store.Plugin, bundle bool, err error) {
	received, err := s.library.Receive(u.Archive)
	if err != nil {
		return nil, false, invalidPlugin("input can be only a wagon or a zip file. %s", err)
	}
	defer received.Discard()
	dir, err := os.MkdirTemp(s.library.path("incoming"), "plugin-*")
	if err != nil {
		return nil, false, fmt.Errorf("take in a plugin: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	packed, err := plugin.Unbundle(received.file.Name(), dir)
	if errors.Is(err, plugin.ErrInvalid) {
		return nil, false, invalidPlugin("%s", pluginFault(err))
	} else if err != nil {
		return nil, false, err
	}
	if len(packed) > 1 && (u.ID != "" || len(u.Documents) > 0) {
		return nil, false, invalidPlugin("The archive is a bundle of %d plugins: an id or documents can't be given for all of them", len(packed))
	}
	arrivals := make([]arrival, len(packed))
	for i, p := range packed {
		name := u.Name
		if p.Path != received.file.Name() {
			name = filepath.Base(p.Path)
		}
		if arrivals[i], err = s.examine(u, p, name, received.Suffix); err != nil {
			return nil, false, err
		}
		bundle = bundle || p.Listed
	}
	plugins, err = s.keepPlugins(ctx, arrivals)
	return plugins, bundle, err
}

// arrival is a plugin that is about to be stored.
type arrival struct {
	store.Plugin
	file string
}

// examine reads a plugin and makes its record.
func (s *Service) examine(u PluginUpload, packed plugin.Packed, name, suffix string) (arrival, error) {
	m, err := plugin.Read(packed.Path)
	if err == nil {
		err = m.AddYAML(packed.YAML)
	}
	if errors.Is(err, plugin.ErrInvalid) {
		return arrival{}, invalidPlugin("%s", pluginFault(err))
	} else if err != nil {
		return arrival{}, err
	}
	if len(u.Documents) > 0 {
		m.YAML = nil
		for _, n := range value.SortedKeys(u.Documents) {
			m.YAML = append(m.YAML, plugin.Document(n, u.Documents[n]))
		}
	}
	now := s.now()
	p := store.Plugin{
		Owned: store.Owned{Tenant: u.Tenant, Visibility: u.Visibility, CreatedBy: u.CreatedBy, CreatedAt: u.CreatedAt},
		ID:    u.ID, Title: u.Title,
	}
	if p.ID == "" {
		p.ID = uuid.NewString()
	}
	if p.CreatedAt.IsZero() {
		p.CreatedAt = now
	}
	if m.Kind == plugin.Source {
		m.ArchiveName = name
	}
	if err := describe(&p, m); err != nil {
		return arrival{}, err
	}
	if packed.Icon != "" {
		if p.Icon, err = os.ReadFile(packed.Icon); err != nil {
			return arrival{}, fmt.Errorf("read the icon of plugin %s: %w", p.PackageName, err)
		}
	}
	// A folder's archive is named like the folder, whatever version is in it; two
	// versions of a package can't have archives of one name.
	if p.ArchiveName == "" || m.Kind == plugin.Source && !strings.Contains(p.ArchiveName, p.PackageVersion) {
		p.ArchiveName = p.PackageName + "-" + p.PackageVersion + "." + suffix
	}
	p.ArchiveHash, err = hashOf(packed.Path)
	return arrival{p, packed.Path}, err
}

// describe writes into a record what its archive tells.
func describe(p *store.Plugin, m *plugin.Metadata) error {
	p.PackageName, p.PackageVersion, p.PackageSource = m.PackageName, m.PackageVersion, m.PackageSource
	p.ArchiveName = m.ArchiveName
	p.SupportedPlatform, p.SupportedPyVersions = m.SupportedPlatform, m.SupportedPythonVersions
	p.Distribution, p.DistributionVersion, p.DistributionRelease = m.Distribution, m.DistributionVersion, m.DistributionRelease
	p.Wheels, p.ExcludedWheels = m.Wheels, m.ExcludedWheels
	for _, y := range m.YAML {
		if err := describeBy(p, y); err != nil {
			return err
		}
	}
	made, err := plugin.Older(m.YAML)
	if err != nil {
		return err
	}
	if made != nil {
		p.YAMLNames = append(p.YAMLNames, made.Name)
		p.YAMLFiles = append(p.YAMLFiles, store.PluginYAML{Name: made.Name, Text: string(made.Text)})
	}
	if p.PackageVersion == "" {
		return invalidPlugin("The version of the package %s is not written in its archive plainly: "+
			"write it into pyproject.toml or setup.cfg, or as package_version into plugin.yaml, or make a wagon of the plugin", p.PackageName)
	}
	return nil
}

// describeBy adds what a document tells.
func describeBy(p *store.Plugin, y plugin.YAML) error {
	p.YAMLNames = append(p.YAMLNames, y.Name)
	p.YAMLFiles = append(p.YAMLFiles, store.PluginYAML{Name: y.Name, Text: string(y.Text)})
	document, problems := yaml.Load(&yaml.File{Name: y.Name, Text: y.Text, AnyText: true})
	if err := problems.Err(); err != nil {
		return invalidPlugin("The document %s of the plugin %s can't be read: %s", y.Name, p.PackageName, strings.TrimSpace(err.Error()))
	}
	if document == nil {
		return nil
	}
	content, ok := document.Plain().(map[string]any)
	if !ok {
		return invalidPlugin("The document %s of the plugin %s is not a dictionary", y.Name, p.PackageName)
	}
	p.Labels = orFirst(p.Labels, labelValues(content["labels"]))
	p.BlueprintLabels = orFirst(p.BlueprintLabels, labelValues(content["blueprint_labels"]))
	tags, _ := content["resource_tags"].(map[string]any)
	p.ResourceTags = orFirst(p.ResourceTags, tags)
	declared, _ := content["plugins"].(map[string]any)
	for _, name := range value.SortedKeys(declared) {
		one, _ := declared[name].(map[string]any)
		of, _ := one["package_name"].(string)
		if version, _ := one["package_version"].(string); p.PackageVersion == "" && store.PackageKey(of) == store.PackageKey(p.PackageName) {
			p.PackageVersion = version
		}
	}
	return nil
}

func orFirst(a, b map[string]any) map[string]any {
	if len(a) > 0 {
		return a
	}
	return b
}

// labelValues reads labels as documents write them, {key: {values: [...]}}, into
// lists of values by key.
func labelValues(written any) map[string]any {
	entries, _ := written.(map[string]any)
	if len(entries) == 0 {
		return nil
	}
	labels := make(map[string]any, len(entries))
	for key, entry := range entries {
		if m, ok := entry.(map[string]any); ok {
			labels[key] = m["values"]
		}
	}
	return labels
}

// keepPlugins stores what is new.
func (s *Service) keepPlugins(ctx context.Context, arrivals []arrival) ([]store.Plugin, error) {
	var kept []store.Plugin
	var known error
	for _, a := range arrivals {
		err := s.keepPlugin(ctx, a)
		if err == nil {
			kept = append(kept, a.Plugin)
		} else if errors.Is(err, errKnownPlugin) && len(arrivals) > 1 {
			known = err
		} else {
			return nil, pluginConflict(err, a.Plugin)
		}
	}
	if len(kept) == 0 {
		return nil, pluginConflict(known, arrivals[0].Plugin)
	}
	return kept, nil
}

var errKnownPlugin = errors.New("the plugin is there already")

func pluginConflict(err error, p store.Plugin) error {
	if !errors.Is(err, errKnownPlugin) {
		return err
	}
	return refusal(http.StatusConflict, "conflict_error", fmt.Sprintf(
		"a plugin archive by the name of %s already exists for package with name %s and version %s",
		p.ArchiveName, p.PackageName, p.PackageVersion))
}

func (s *Service) keepPlugin(ctx context.Context, a arrival) error {
	f, err := os.Open(a.file)
	if err != nil {
		return fmt.Errorf("store the plugin %s: %w", a.PackageName, err)
	}
	defer func() { _ = f.Close() }()
	return s.store.Write(ctx, func(tx store.Tx) error {
		same, err := tx.ListPlugins(ctx, store.Query{Tenants: []string{a.Tenant}, Limit: 1, Filters: []store.Filter{
			{Field: "package_name", Values: []string{a.PackageName}}, {Field: "archive_name", Values: []string{a.ArchiveName}},
		}})
		if err != nil {
			return err
		}
		if len(same.Items) > 0 {
			return errKnownPlugin
		}
		if err := tx.PutBlob(ctx, a.ArchiveHash, f); err != nil {
			return err
		}
		return tx.AddPlugin(ctx, a.Plugin)
	})
}

// pluginFault is what is wrong with an archive, without the names of temporary
// files.
func pluginFault(err error) string {
	_, fault, found := strings.Cut(err.Error(), plugin.ErrInvalid.Error()+": ")
	if !found {
		return err.Error()
	}
	if strings.HasPrefix(fault, "Archive must include") {
		return fault
	}
	return "input can be only a wagon or a zip file. It is not a plugin: " + fault
}

// DeletePlugin removes a plugin. One that blueprints use is removed only with
// force.
func (s *Service) DeletePlugin(ctx context.Context, tenant, id string, force bool) error {
	return s.store.Write(ctx, func(tx store.Tx) error {
		p, err := tx.GetPlugin(ctx, tenant, id)
		if err != nil {
			return err
		}
		if p.Tenant != tenant {
			return refusal(http.StatusBadRequest, "illegal_action_error", fmt.Sprintf(
				"Can't modify the global resource `%s` from outside its tenant `%s`", id, p.Tenant))
		}
		if !force {
			if err := unusedPlugin(ctx, tx, p); err != nil {
				return err
			}
		}
		if err := tx.DeletePlugin(ctx, p.Tenant, id); err != nil {
			return err
		}
		_, err = dropArchive(ctx, tx, p.ArchiveHash)
		return err
	})
}

// unusedPlugin refuses if blueprints use the plugin.
func unusedPlugin(ctx context.Context, tx store.Tx, p store.Plugin) error {
	q := store.Query{Tenants: []string{p.Tenant}, Full: true}
	if p.Visibility == store.Global {
		q.Tenants = nil
	}
	blueprints, err := tx.ListBlueprints(ctx, q)
	if err != nil {
		return err
	}
	var users []string
	for _, b := range blueprints.Items {
		if b.Plan != nil && slices.ContainsFunc(plansPlugins(b.Plan), func(u planPlugin) bool { return u.is(p) }) {
			users = append(users, b.ID)
		}
	}
	if len(users) == 0 {
		return nil
	}
	slices.Sort(users)
	return refusal(http.StatusMethodNotAllowed, "plugin_in_use", fmt.Sprintf(
		"Plugin \"%s\" is currently in use in blueprints: %s. You can \"force\" plugin removal if needed.",
		p.ID, strings.Join(slices.Compact(users), ", ")))
}

// PluginArchive opens a plugin's archive, which the caller closes, and gives it
// a name. With full it is a zip of the archive with all that came beside it.
func (s *Service) PluginArchive(ctx context.Context, p store.Plugin, full bool) (io.ReadCloser, string, error) {
	content, err := s.store.OpenBlob(ctx, p.ArchiveHash)
	if errors.Is(err, store.ErrNotFound) {
		return nil, "", refusal(http.StatusNotFound, "not_found_error", "Could not find plugin's archive; Plugin ID: "+p.ID)
	}
	if err != nil || !full {
		return content, p.ArchiveName, err
	}
	defer func() { _ = content.Close() }()
	packed, err := s.library.packPlugin(p, content)
	return packed, strings.TrimSuffix(p.ArchiveName, filepath.Ext(p.ArchiveName)) + ".zip", err
}

// PluginDocument returns a plugin's document for a version of the language such
// as 1_4: the one made for it, else the one for the highest version below, else
// any.
func PluginDocument(p store.Plugin, dslVersion string) (store.PluginYAML, bool) {
	var m plugin.Metadata
	for _, y := range p.YAMLFiles {
		m.YAML = append(m.YAML, plugin.Document(y.Name, []byte(y.Text)))
	}
	y, ok := m.Document(dslVersion)
	return store.PluginYAML{Name: y.Name, Text: string(y.Text)}, ok
}
