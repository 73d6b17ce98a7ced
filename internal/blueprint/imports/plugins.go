package imports

import (
	"fmt"
	"net/url"
	"strings"
)

// PluginQuery asks a catalogue for a plugin.
type PluginQuery struct {
	Name         string
	Versions     []string // PEP 440 specifiers, all of which must hold; a bare version means exactly that one
	Distribution string   // "" for any
}

// ParsePluginQuery reads what stands after plugin: in an import.
func ParsePluginQuery(text string) (PluginQuery, error) {
	name, parameters, _ := strings.Cut(text, "?")
	q := PluginQuery{Name: strings.TrimSpace(name)}
	if q.Name == "" {
		return q, fmt.Errorf("the import names no plugin")
	}
	for _, part := range strings.Split(parameters, "&") {
		if part == "" {
			continue
		}
		key, v, _ := strings.Cut(part, "=")
		if decoded, err := url.PathUnescape(v); err == nil {
			v = decoded
		}
		switch key {
		case "version":
			for _, specifier := range strings.Split(v, ",") {
				if specifier = strings.TrimSpace(specifier); specifier != "" {
					q.Versions = append(q.Versions, specifier)
				}
			}
		case "distribution":
			q.Distribution = v
		default:
			return q, fmt.Errorf("the plugin import has the parameter %s; only version and distribution are known", key)
		}
	}
	return q, nil
}

// String is q as it is written after plugin:.
func (q PluginQuery) String() string {
	parameters := ""
	if len(q.Versions) > 0 {
		parameters += "&version=" + url.PathEscape(strings.Join(q.Versions, ","))
	}
	if q.Distribution != "" {
		parameters += "&distribution=" + url.PathEscape(q.Distribution)
	}
	if parameters == "" {
		return q.Name
	}
	return q.Name + "?" + parameters[1:]
}
