package manager

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"windlass/internal/catalog"
	"windlass/internal/operation"
	"windlass/internal/operation/stdio"
)

// protocolPlugins finds the plugins of blueprints that are programs which speak
// the plugin protocol.
type protocolPlugins struct{ library *catalog.Library }

// folder is the plugin's folder in the blueprint; "" if the plugin is of another
// kind.
func (p protocolPlugins) folder(ctx context.Context, req *operation.Request) (string, error) {
	if req.Plugin.Source == nil {
		return "", nil
	}
	source := filepath.FromSlash(*req.Plugin.Source)
	if source == "" || strings.Contains(source, "://") || !filepath.IsLocal(source) {
		return "", nil
	}
	dir, err := p.library.BlueprintDir(ctx, req.Tenant, req.BlueprintID)
	if err != nil {
		return "", fmt.Errorf("find plugin %s: %w", req.Plugin.Name, err)
	}
	folder := filepath.Join(dir, "plugins", source)
	if !stdio.HasManifest(folder) {
		return "", nil
	}
	return folder, nil
}
