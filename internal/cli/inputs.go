package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"windlass/internal/blueprint/yaml"
)

// readInputs merges what -i or -p gave, in order: YAML files, folders and
// wildcards of them, inline YAML or JSON, or key1=value1;key2=value2.
func readInputs(given []string) (object, error) {
	merged := object{}
	for _, g := range given {
		one, err := readInput(g)
		if err != nil {
			return nil, err
		}
		for k, v := range one {
			merged[k] = v
		}
	}
	return merged, nil
}

func readInput(given string) (object, error) {
	files, err := inputFiles(given)
	if err != nil {
		return nil, err
	}
	if len(files) > 0 {
		merged := object{}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				return nil, fmt.Errorf("read inputs: %w", err)
			}
			m, err := parseMap(f, data)
			if err != nil {
				return nil, err
			}
			for k, v := range m {
				merged[k] = v
			}
		}
		return merged, nil
	}
	if m, err := parseMap("inputs", []byte(given)); err == nil {
		return m, nil
	}
	return parsePairs(given)
}

func inputFiles(given string) ([]string, error) {
	info, err := os.Stat(given)
	switch {
	case err == nil && info.IsDir():
		files, err := filepath.Glob(filepath.Join(given, "*.y*ml"))
		sort.Strings(files)
		return files, err
	case err == nil:
		return []string{given}, nil
	case strings.ContainsAny(given, "*?") && !strings.Contains(given, "="):
		files, err := filepath.Glob(given)
		sort.Strings(files)
		return files, err
	}
	return nil, nil
}

func parseMap(name string, data []byte) (object, error) {
	v, err := yamlValue(name, data)
	if err != nil {
		return nil, err
	}
	switch m := v.(type) {
	case nil:
		return object{}, nil
	case object:
		return m, nil
	}
	return nil, usageError{fmt.Errorf("%s must be a mapping of names to values", name)}
}

func yamlValue(name string, data []byte) (any, error) {
	// Only blueprints are confined to ASCII; values are in anybody's language.
	n, problems := yaml.Load(&yaml.File{Name: name, Text: data, AnyText: true})
	if err := problems.Err(); err != nil {
		return nil, err
	}
	if n == nil {
		return nil, nil
	}
	return n.Plain(), nil
}

// parsePairs reads key1=value1;key2=value2; a backslash keeps a ; or =.
func parsePairs(given string) (object, error) {
	m := object{}
	for _, part := range splitUnescaped(given, ';') {
		if strings.TrimSpace(part) == "" {
			continue
		}
		sides := splitUnescaped(part, '=')
		if len(sides) < 2 {
			return nil, usageError{fmt.Errorf(
				"invalid input: %s. It must be the path of a YAML file, YAML or JSON text, or key1=value1;key2=value2", given)}
		}
		key := strings.TrimSpace(unescape(sides[0]))
		raw := unescape(strings.Join(sides[1:], "="))
		v, err := yamlValue(key, []byte(raw))
		if err != nil {
			v = raw
		}
		m[key] = v
	}
	return m, nil
}

func splitUnescaped(s string, sep byte) []string {
	var parts []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sep:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

func unescape(s string) string {
	return strings.NewReplacer(`\;`, ";", `\=`, "=", `\\`, `\`).Replace(s)
}
