package imports

import (
	"path/filepath"
	"strings"

	"windlass/internal/blueprint/builtin"
)

// candidates lists where an import may be, in the order of trying.
func (c *collector) candidates(name string, parent *imported) []string {
	if IsRemote(name) {
		return []string{name}
	}
	var found []string
	isTypes := builtin.IsTypes(name)
	local := func(p string) {
		for _, variant := range c.variants(p) {
			if exists(variant) {
				if abs, err := filepath.Abs(variant); err == nil {
					found = append(found, "file:"+filepath.ToSlash(abs))
				}
			}
		}
	}
	if c.opts.Confine == nil || filepath.IsAbs(name) {
		local(name)
	}
	if i := strings.LastIndexByte(parent.location, '/'); i >= 0 && !filepath.IsAbs(name) {
		beside := parent.location[:i+1] + name
		isFile := strings.HasPrefix(beside, "file:")
		if isTypes && !isFile {
			found = append(found, "resource:"+name) // nothing to ask a server for
		}
		if !isFile || exists(filePath(beside)) {
			found = append(found, normal(beside))
		}
	}
	if c.opts.Base != "" && !filepath.IsAbs(name) {
		local(filepath.Join(c.opts.Base, filepath.FromSlash(name)))
	}
	if !isTypes {
		for _, variant := range c.variants(name) {
			found = append(found, "resource:"+variant)
		}
		return found
	}
	return append(found, "resource:"+name)
}

// variants puts the version before the extension, then leaves it.
func (c *collector) variants(name string) []string {
	ext := filepath.Ext(name)
	return []string{strings.TrimSuffix(name, ext) + "_" + c.short + ext, name}
}

// normal removes . and .. from file: URLs, so that one file has one name.
func normal(location string) string {
	if !strings.HasPrefix(location, "file:") {
		return location
	}
	return "file:" + filepath.ToSlash(filepath.Clean(filePath(location)))
}

// urlOf makes a URL of the main document's path.
func urlOf(location string) string {
	if location == "" || IsRemote(location) {
		return location
	}
	abs, err := filepath.Abs(location)
	if err != nil {
		return "file:" + filepath.ToSlash(location)
	}
	return "file:" + filepath.ToSlash(abs)
}

func folderOf(url string) string {
	if i := strings.LastIndexByte(url, '/'); i >= 0 {
		return url[:i]
	}
	return ""
}

// shown is how a document is called in places: relative to the main document
// where that can be.
func (c *collector) shown(next *imported) string {
	if strings.HasPrefix(next.url, builtin.Scheme) || !strings.HasPrefix(next.location, "file:") {
		return next.url
	}
	p := filePath(next.location)
	if c.main.Location == "" || IsRemote(c.main.Location) {
		return p
	}
	folder, err := filepath.Abs(filepath.Dir(c.main.Location))
	if err != nil {
		return p
	}
	if rel, err := filepath.Rel(folder, p); err == nil && filepath.IsLocal(rel) {
		return filepath.Join(filepath.Dir(c.main.Location), rel)
	}
	return p
}
