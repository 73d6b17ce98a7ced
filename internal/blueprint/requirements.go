package blueprint

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
)

// Requirements lists what pip has to install for the plugins that a blueprint's
// nodes use: the source of each plugin that is to be installed, once, in
// text order. A source that is no URL is a folder below plugins/ beside the
// blueprint and comes as an absolute path. Plugins with nothing but a package
// name are installed from their archive and not listed.
//
// The list has the warnings and the error is as Parse gives them.
func Requirements(ctx context.Context, source Source, opts Options) ([]string, problem.List, error) {
	p, warnings, err := Parse(ctx, source, opts)
	if err != nil {
		return nil, warnings, err
	}
	folder, err := filepath.Abs(filepath.Dir(filepathOf(source.Path)))
	if err != nil {
		return nil, warnings, err
	}
	requirements := []string{}
	for _, used := range usedPlugins(p) {
		if !used.Install || used.Source == nil || *used.Source == "" {
			continue
		}
		from := *used.Source
		if !strings.Contains(from, "://") {
			from = filepath.Join(folder, "plugins", filepath.FromSlash(from))
		}
		requirements = append(requirements, from)
	}
	slices.Sort(requirements)
	return slices.Compact(requirements), warnings, nil
}

// usedPlugins gives the plugins of the deployment and of every node, some of
// them more than once.
func usedPlugins(p *plan.Plan) []plan.Plugin {
	plugins := slices.Clone(p.DeploymentPlugins)
	for _, n := range p.Nodes {
		plugins = append(plugins, n.Plugins...)
	}
	return plugins
}
