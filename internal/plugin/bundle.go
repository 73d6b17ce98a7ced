package plugin

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"windlass/internal/blueprint/yaml"
	"windlass/internal/value"
)

// Packed is one plugin of an upload.
type Packed struct {
	Path string   // its archive
	YAML []string // its documents, as files; none if they are in the archive
	Icon string   // a picture, as a file; "" if there is none
	// Listed tells that it came in a bundle, which lists its plugins.
	Listed bool
}

// Unbundle takes an upload apart: a zip with one wagon, wheel or source archive
// and documents, a tar.gz of many wagons with a METADATA file that lists each
// with its documents, or a plugin by itself. Files are unpacked below dir, which
// exists.
func Unbundle(file, dir string) ([]Packed, error) {
	packed, err := unbundle(file, dir)
	if err != nil {
		return nil, fmt.Errorf("take the plugin archive %s apart: %w", filepath.Base(file), err)
	}
	return packed, nil
}

func unbundle(file, dir string) ([]Packed, error) {
	a, err := openArchive(file)
	if err != nil {
		return nil, err
	}
	defer a.close()
	c := a.contents()
	switch {
	case len(c.packages) == 0 && len(c.wagons) == 0:
		return []Packed{{Path: file}}, nil
	case c.list != "":
		listed, err := a.caravan(c.list, dir)
		for i := range listed {
			listed[i].Listed = true
		}
		return listed, err
	case len(c.wagons) > 1 || len(c.wagons) == 0 && len(c.packages) > 1:
		return nil, invalid("Archive must include one wgn file; this one has %d", max(len(c.wagons), len(c.packages)))
	}
	one := append(c.wagons, c.packages...)[0]
	if err := a.extract(dir, func(name string) string {
		if name == one || name == c.icon || slices.Contains(c.documents, name) {
			return inside("", strings.TrimPrefix(name, "./"))
		}
		return ""
	}); err != nil {
		return nil, err
	}
	place := func(name string) string {
		return filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(name, "./")))
	}
	p := Packed{Path: place(one)}
	for _, d := range c.documents {
		p.YAML = append(p.YAML, place(d))
	}
	if c.icon != "" {
		p.Icon = place(c.icon)
	}
	return []Packed{p}, nil
}

// contents are the parts of an upload, by their names in it.
type contents struct {
	wagons    []string
	packages  []string // wheels and source archives beside documents
	documents []string
	icon      string
	list      string // METADATA of a caravan
}

func (a *archiveFiles) contents() contents {
	var c contents
	loose := true // there is nothing but archives, documents and pictures
	for _, name := range a.names {
		base := path.Base(name)
		top := !strings.Contains(strings.TrimPrefix(name, "./"), "/")
		switch ext := path.Ext(base); {
		case ext == ".wgn":
			c.wagons = append(c.wagons, name)
		case ext == ".yaml" || ext == ".yml":
			c.documents = append(c.documents, name)
			loose = loose && top
		case base == "icon.png":
			c.icon = name
		case base == "METADATA" && !isWheelInfo(name):
			c.list = name
		case top && slices.Contains([]string{".whl", ".zip", ".tgz", ".gz"}, ext):
			c.packages = append(c.packages, name)
		default:
			loose = false
		}
	}
	if !loose {
		c.packages = nil // the archive is a plugin itself, whatever else it has
	}
	return c
}

// caravan unpacks all that the METADATA file lists.
func (a *archiveFiles) caravan(list, dir string) ([]Packed, error) {
	data, err := a.readFile(list)
	if err != nil {
		return nil, err
	}
	document, problems := yaml.Load(&yaml.File{Name: list, Text: data, AnyText: true})
	if err := problems.Err(); err != nil {
		return nil, invalid("its METADATA cannot be read: %v", err)
	}
	entries, ok := document.Plain().(map[string]any)
	if !ok {
		return nil, invalid("its METADATA must be a map from wagons to their documents")
	}
	if err := a.extract(dir, func(name string) string { return inside("", strings.TrimPrefix(name, "./")) }); err != nil {
		return nil, err
	}
	folder := filepath.Join(dir, filepath.FromSlash(path.Dir(strings.TrimPrefix(list, "./"))))
	locate := func(name string) (string, error) {
		if !filepath.IsLocal(name) {
			return "", invalid("its METADATA names %q, which is outside of it", name)
		}
		file := filepath.Join(folder, filepath.FromSlash(name))
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return "", invalid("its METADATA names %q, which isn't there", name)
		}
		return file, nil
	}
	var packed []Packed
	for _, wagon := range value.SortedKeys(entries) {
		var p Packed
		if p.Path, err = locate(wagon); err != nil {
			return nil, err
		}
		documents, ok := entries[wagon].([]any)
		if !ok && entries[wagon] != nil {
			documents = []any{entries[wagon]}
		}
		for _, d := range documents {
			file, err := locate(value.Text(d))
			if err != nil {
				return nil, err
			}
			p.YAML = append(p.YAML, file)
		}
		packed = append(packed, p)
	}
	return packed, nil
}

// AddYAML reads documents that came beside a plugin's archive; they replace
// those in it.
func (m *Metadata) AddYAML(files []string) error {
	if len(files) > 0 {
		m.YAML = nil
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read a plugin's document: %w", err)
		}
		m.YAML = append(m.YAML, Document(filepath.Base(file), text))
	}
	return nil
}
