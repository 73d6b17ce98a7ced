package catalog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"windlass/internal/blueprint/imports"
	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
)

// versions says which versions of plugins an import may find, by the key of the
// package; others are found as they are written.
type versions map[string]versionRule

// versionRule narrows what an import asks for, or takes its place.
type versionRule struct {
	specifier string
	instead   bool
}

// narrow gives what to look for in the place of q.
func (v versions) narrow(q imports.PluginQuery) imports.PluginQuery {
	rule, ok := v[store.PackageKey(q.Name)]
	if !ok {
		return q
	}
	if rule.instead {
		q.Versions = nil
	}
	q.Versions = append(slices.Clone(q.Versions), strings.Split(rule.specifier, ",")...)
	return q
}

// chosenVersions are the rules that a choice means for a plan's plugins. A
// plugin that is not named, where some are, stays as it is.
func chosenVersions(p *plan.Plan, choice map[string]any) versions {
	rules := versions{}
	named := keysOf(textsOf(choice["plugin_names"]))
	toLatest, toMinor := keysOf(textsOf(choice["to_latest"])), keysOf(textsOf(choice["to_minor"]))
	allLatest, _ := choice["all_to_latest"].(bool)
	allMinor, _ := choice["all_to_minor"].(bool)
	for _, u := range installedPlugins(p) {
		key, version := store.PackageKey(u.name()), given(u.PackageVersion)
		switch {
		case len(named) > 0 && !named[key]:
			rules[key] = versionRule{specifier: "==" + version}
		case allLatest && toMinor[key], allMinor && !toLatest[key], !allLatest && toMinor[key]:
			rules[key] = versionRule{specifier: sameMajor(version)}
		}
	}
	mapping, _ := choice["mapping"].(map[string]any)
	updates, _ := mapping["updates"].([]any)
	for _, item := range updates {
		lines, _ := item.(map[string]any)
		for _, v := range lines {
			one, _ := v.(map[string]any)
			name, _ := one["plugin_name"].(string)
			if version, ok := one["suggested_version"].(string); ok && name != "" {
				rules[store.PackageKey(name)] = versionRule{specifier: "==" + version, instead: true}
			}
		}
	}
	return rules
}

func keysOf(names []string) map[string]bool {
	keys := make(map[string]bool, len(names))
	for _, name := range names {
		keys[store.PackageKey(name)] = true
	}
	return keys
}

// sameMajor accepts versions from this one's minor version on, below the next
// major one.
func sameMajor(version string) string {
	major, rest, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	if err != nil {
		return "==" + version
	}
	minor, _, _ := strings.Cut(rest, ".")
	if minor == "" {
		minor = "0"
	}
	return fmt.Sprintf(">=%d.%s,<%d", n, minor, n+1)
}

// installedPlugins are the packages of known versions that a plan uses.
func installedPlugins(p *plan.Plan) []planPlugin {
	var list []planPlugin
	for _, u := range plansPlugins(p) {
		if u.name() != "" && given(u.PackageVersion) != "" {
			list = append(list, u)
		}
	}
	return list
}

// sameVersions tells whether two plans use the same versions of the same packages.
func sameVersions(a, b *plan.Plan) bool {
	return slices.Equal(versionList(a), versionList(b))
}

func versionList(p *plan.Plan) []string {
	var list []string
	for _, u := range installedPlugins(p) {
		list = append(list, store.PackageKey(u.name())+" "+given(u.PackageVersion))
	}
	slices.Sort(list)
	return slices.Compact(list)
}
