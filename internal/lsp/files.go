package lsp

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"windlass/internal/blueprint/builtin"
	"windlass/internal/blueprint/yaml"
)

// Bounds of how far folders are searched for files to propose.
const (
	maxFiles  = 300
	maxLevels = 4
)

// filesIn lists the files below a folder by their relative paths, hidden ones
// left out. A folder that cannot be read has none.
func filesIn(folder string, wanted func(name string) bool) []string {
	if folder == "" {
		return nil
	}
	var found []string
	seen := 0
	_ = fs.WalkDir(os.DirFS(folder), ".", func(name string, d fs.DirEntry, err error) error {
		if seen++; seen > 20*maxFiles || len(found) == maxFiles {
			return fs.SkipAll
		}
		hidden := name != "." && strings.HasPrefix(d.Name(), ".")
		switch {
		case err != nil, d.IsDir() && (hidden || strings.Count(name, "/") >= maxLevels):
			return fs.SkipDir
		case !d.IsDir() && !hidden && wanted(name):
			found = append(found, name)
		}
		return nil
	})
	return found
}

func isYAML(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

func isScript(name string) bool {
	switch filepath.Ext(name) {
	case ".sh", ".py", ".ps1", ".bat", ".rb":
		return true
	}
	return false
}

func importable(folder string) []proposal {
	found := []proposal{
		{label: builtin.TypesImport, kind: itemModule, detail: "the built-in types"},
		{label: "plugin:", kind: itemModule, detail: "a plugin of the manager"},
		{label: "blueprint:", kind: itemModule, detail: "a blueprint of the manager", text: "$0--blueprint:"},
	}
	for _, name := range filesIn(folder, isYAML) {
		found = append(found, proposal{label: name, kind: itemModule, detail: "file"})
	}
	return found
}

// implementations proposes plugins, what is called of them elsewhere, and
// scripts.
func (s site) implementations(folder string) []proposal {
	var found []proposal
	for _, d := range s.model.entries("plugins") {
		found = append(found, proposal{label: d.name, kind: itemModule, detail: "plugin", text: d.name + "."})
	}
	for _, text := range s.model.implementations() {
		found = append(found, proposal{label: text, kind: itemFunction})
	}
	for _, name := range filesIn(folder, isScript) {
		found = append(found, proposal{label: name, kind: itemModule, detail: "script"})
	}
	return found
}

// implementations lists the plugin functions that occur in the documents, in
// text order.
func (m *model) implementations() []string {
	found := map[string]bool{}
	var walk func(n *yaml.Node, depth int)
	walk = func(n *yaml.Node, depth int) {
		if n == nil || depth > 12 {
			return
		}
		for _, p := range n.Pairs {
			name, _ := p.Name()
			text, isText := p.Value.Text()
			if isText && (name == "implementation" || name == "mapping") {
				if _, ok := m.plugin(text); ok {
					found[text] = true
				}
			}
			walk(p.Value, depth+1)
		}
		for _, item := range n.Items {
			walk(item, depth+1)
		}
	}
	for _, layer := range m.layers {
		for _, section := range []string{"node_types", "relationships", "node_templates", "workflows"} {
			walk(layer.Get(section), 0)
		}
	}
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Bounds of how far the blueprint that imports a part is looked for.
const (
	maxFolders  = 3
	maxMains    = 20
	maxMainSize = 4 << 20
)

// mainsNear lists the blueprints in the folder of a part and in those above it
// that mention the part's name.
func mainsNear(part string, texts map[string]string) []string {
	var found []string
	if part == "" {
		return nil
	}
	folder := filepath.Dir(part)
	for range maxFolders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return found
		}
		for _, e := range entries {
			path := filepath.Join(folder, e.Name())
			if e.IsDir() || !isYAML(e.Name()) || path == part || len(found) == maxMains {
				continue
			}
			if text := textOf(path, texts); strings.Contains(text, "tosca_definitions_version") &&
				strings.Contains(text, filepath.Base(part)) {
				found = append(found, path)
			}
		}
		if filepath.Dir(folder) == folder {
			break
		}
		folder = filepath.Dir(folder)
	}
	return found
}

// textOf is the text of a file as the editor has it, or else as it is on the
// disk; "" for one that is no document.
func textOf(path string, texts map[string]string) string {
	if text, open := texts[path]; open {
		return text
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxMainSize {
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(text)
}
