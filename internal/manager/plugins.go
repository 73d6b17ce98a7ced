package manager

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"windlass/internal/catalog"
	"windlass/internal/operation"
	"windlass/internal/operation/python"
)

// blueprintPlugins finds the plugins that blueprints bring in their plugins/
// folder.
type blueprintPlugins struct{ library *catalog.Library }

var _ python.Environments = blueprintPlugins{}

// Environment implements python.Environments.
func (b blueprintPlugins) Environment(ctx context.Context, q python.Query) (python.Environment, error) {
	source := ""
	if q.Plugin.Source != nil {
		source = *q.Plugin.Source
	}
	switch {
	case strings.Contains(source, "://"), source == "" && q.Plugin.Install:
		return python.Environment{}, notInstalled(q)
	case source == "":
		return python.Environment{Key: "python"}, nil // what the interpreter has itself
	}
	dir, err := b.library.BlueprintDir(ctx, q.Tenant, q.BlueprintID)
	if err != nil {
		return python.Environment{}, fmt.Errorf("find plugin %s: %w", q.Plugin.Name, err)
	}
	folder := filepath.Join(dir, "plugins", filepath.FromSlash(source))
	if !filepath.IsLocal(filepath.FromSlash(source)) {
		return python.Environment{}, notInstalled(q)
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return python.Environment{}, &operation.Error{
			Verdict: operation.NonRecoverable, Type: "NonRecoverableError",
			Message: fmt.Sprintf("plugin %s is not in the blueprint's archive: there is no folder plugins/%s", q.Plugin.Name, source),
		}
	}
	// The folder is named by the archive's content.
	return python.Environment{Key: folder, Path: []string{folder}}, nil
}

func notInstalled(q python.Query) error {
	return &operation.Error{
		Verdict: operation.NonRecoverable, Type: "NonRecoverableError",
		Message: fmt.Sprintf("plugin %s is not installed, and this manager installs no packages of plugins yet: "+
			"put its code into the folder plugins/ of the blueprint, and name that folder as the plugin's source", q.Plugin.Name),
	}
}
