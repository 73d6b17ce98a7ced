package plugin

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"windlass/internal/value"
)

func isPackageJSON(name string) bool {
	return path.Base(name) == "package.json" && strings.Count(path.Clean(name), "/") == 1
}

func isWheelInfo(name string) bool {
	return strings.HasSuffix(path.Dir(name), ".dist-info") && path.Base(name) == "METADATA" && strings.Count(name, "/") == 1
}

// readWagon reads a wagon's package.json, and the documents beside it.
func readWagon(a *archiveFiles) (*Metadata, error) {
	name := a.find(isPackageJSON)
	data, err := a.readFile(name)
	if err != nil {
		return nil, err
	}
	p, err := value.DecodeMap(data)
	if err != nil {
		return nil, invalid("its package.json is no JSON object: %v", err)
	}
	text := func(m map[string]any, key string) string { t, _ := m[key].(string); return t }
	list := func(key string) []string {
		var texts []string
		for _, v := range anyList(p[key]) {
			if t, ok := v.(string); ok {
				texts = append(texts, t)
			}
		}
		return texts
	}
	server, _ := p["build_server_os_properties"].(map[string]any)
	m := &Metadata{
		Kind: Wagon, PackageName: text(p, "package_name"), PackageVersion: text(p, "package_version"),
		PackageSource: text(p, "package_source"), ArchiveName: text(p, "archive_name"),
		SupportedPlatform: text(p, "supported_platform"), Distribution: text(server, "distribution"),
		DistributionVersion: text(server, "distribution_version"), DistributionRelease: text(server, "distribution_release"),
		SupportedPythonVersions: list("supported_python_versions"), Wheels: list("wheels"), ExcludedWheels: list("excluded_wheels"),
	}
	if m.PackageVersion == "" {
		return nil, invalid("its package.json tells no package_version")
	}
	own := map[string]bool{}
	for _, n := range a.names {
		if path.Ext(n) == ".whl" {
			own[path.Base(n)] = true
		}
	}
	for _, w := range m.Wheels {
		if !own[w] {
			return nil, invalid("the wheel %s that its package.json lists is missing", w)
		}
	}
	m.YAML, err = a.yamls(path.Dir(name))
	return m, err
}

func anyList(v any) []any {
	list, _ := v.([]any)
	return list
}

// readWheel reads a wheel's METADATA.
func readWheel(a *archiveFiles, fileName string) (*Metadata, error) {
	name := a.find(isWheelInfo)
	data, err := a.readFile(name)
	if err != nil {
		return nil, err
	}
	m := &Metadata{Kind: Wheel, SupportedPlatform: "any", Wheels: []string{fileName}}
	readMetadata(m, data)
	if m.PackageVersion == "" {
		return nil, invalid("its METADATA tells no version")
	}
	t, ok := wheelTags(fileName)
	if !ok { // it came under another name
		if fileName, err = a.wheelName(path.Dir(name), m); err != nil {
			return nil, err
		}
		t, _ = wheelTags(fileName)
		m.ArchiveName, m.Wheels = fileName, []string{fileName}
	}
	m.SupportedPlatform = strings.Join(t.platforms, ".")
	for _, folder := range folders(a) {
		if m.YAML, err = a.yamls(folder); err != nil || len(m.YAML) > 0 {
			break
		}
	}
	return m, err
}

// wheelName is the file name that a wheel should have.
func (a *archiveFiles) wheelName(info string, m *Metadata) (string, error) {
	data, err := a.readFile(path.Join(info, "WHEEL"))
	if err != nil {
		return "", invalid("its name is none that a wheel can have, and it has no file WHEEL that tells more")
	}
	var parts [3][]string
	for _, line := range strings.Split(string(data), "\n") {
		tag, ok := strings.CutPrefix(strings.TrimSpace(line), "Tag:")
		if !ok {
			continue
		}
		words := strings.Split(strings.TrimSpace(tag), "-")
		if len(words) != len(parts) {
			return "", invalid("its file WHEEL has the tag %q, which is none", tag)
		}
		for i, w := range words {
			if !slices.Contains(parts[i], w) {
				parts[i] = append(parts[i], w)
			}
		}
	}
	if parts[0] == nil {
		return "", invalid("its file WHEEL has no tag")
	}
	name := strings.ReplaceAll(m.PackageName, "-", "_") + "-" + strings.ReplaceAll(m.PackageVersion, "-", "_")
	for _, p := range parts {
		name += "-" + strings.Join(p, ".")
	}
	return name + ".whl", nil
}

// folders lists the top of an archive and its first folders, where documents
// may lie.
func folders(a *archiveFiles) []string {
	list, known := []string{""}, map[string]bool{"": true}
	for _, n := range a.names {
		if top, _, ok := strings.Cut(strings.TrimPrefix(n, "./"), "/"); ok && !known[top] && !strings.HasSuffix(top, ".dist-info") {
			list, known[top] = append(list, top), true
		}
	}
	return list
}

// readMetadata reads the headers of a METADATA or PKG-INFO file.
func readMetadata(m *Metadata, data []byte) {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxText)
	for lines.Scan() {
		key, v, ok := strings.Cut(lines.Text(), ":")
		if !ok {
			break // the description follows
		}
		v = strings.TrimSpace(v)
		switch strings.ToLower(key) {
		case "name":
			m.PackageName = v
		case "version":
			m.PackageVersion = v
		case "home-page":
			m.PackageSource = v
		case "requires-python":
			m.RequiresPython = v
		case "requires-dist":
			m.Requires = append(m.Requires, v)
		}
	}
}

// readSource reads a source archive: what PKG-INFO says, or what can be read
// of pyproject.toml and setup.py without running them.
func readSource(a *archiveFiles) (*Metadata, error) {
	folder := a.top()
	get := func(name string) ([]byte, error) {
		data, err := a.readFile(path.Join(folder, name))
		if errors.Is(err, fs.ErrNotExist) {
			return a.readFile("./" + path.Join(folder, name))
		}
		return data, err
	}
	m, err := readProject(Source, get)
	if err != nil {
		return nil, err
	}
	m.YAML, err = a.yamls(folder)
	return m, err
}

// readFolder reads a source that is not packed.
func readFolder(files fs.FS) (*Metadata, error) {
	m, err := readProject(Folder, func(name string) ([]byte, error) { return fs.ReadFile(files, name) })
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		version, ok := asYAML(e.Name())
		if !ok || !e.Type().IsRegular() {
			continue
		}
		text, err := fs.ReadFile(files, e.Name())
		if err != nil {
			return nil, err
		}
		m.YAML = append(m.YAML, YAML{Name: e.Name(), DSLVersion: version, Text: text})
	}
	return m, nil
}

var (
	setupField   = regexp.MustCompile(`(?m)\b(name|version|python_requires)\s*=\s*['"]([^'"\n]+)['"]`)
	projectField = regexp.MustCompile(`^(name|version|requires-python)\s*=\s*['"]([^'"\n]+)['"]`)
	configField  = regexp.MustCompile(`^(name|version|python_requires)\s*=\s*(\S.*?)\s*$`)
)

// programManifest is the file by which a source is known as a program that speaks
// the plugin protocol.
const programManifest = "plugin-manifest.json"

// readProgram reads a program's name and version.
func readProgram(kind Kind, manifest []byte) (*Metadata, error) {
	fields, err := value.DecodeMap(manifest)
	if err != nil {
		return nil, invalid("its %s is no JSON object: %v", programManifest, err)
	}
	m := &Metadata{Kind: kind, SupportedPlatform: "any", Program: true}
	m.PackageName, _ = fields["name"].(string)
	m.PackageVersion, _ = fields["version"].(string)
	return m, nil
}

// readProject reads what a source tells of itself, as far as that is written
// down plainly; the name and version may be computed by setup.py.
func readProject(kind Kind, get func(name string) ([]byte, error)) (*Metadata, error) {
	switch manifest, err := get(programManifest); {
	case err == nil:
		return readProgram(kind, manifest)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	m := &Metadata{Kind: kind, SupportedPlatform: "any"}
	found := false
	for _, name := range []string{"PKG-INFO", "pyproject.toml", "setup.cfg", "setup.py"} {
		data, err := get(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		fresh := &Metadata{}
		switch name {
		case "PKG-INFO":
			readMetadata(fresh, data)
		case "pyproject.toml":
			readFields(fresh, sectionOf(data, "[project]"), projectField)
		case "setup.cfg":
			readFields(fresh, append(sectionOf(data, "[metadata]"), sectionOf(data, "[options]")...), configField)
		default:
			for _, f := range setupField.FindAllStringSubmatch(string(data), -1) {
				fresh.set(f[1], f[2])
			}
		}
		found = found || name != "PKG-INFO"
		m.PackageName = first(m.PackageName, fresh.PackageName)
		m.PackageVersion = first(m.PackageVersion, fresh.PackageVersion)
		m.RequiresPython = first(m.RequiresPython, fresh.RequiresPython)
		if m.Requires == nil {
			m.Requires = fresh.Requires
		}
	}
	if !found {
		return nil, invalid("it has neither setup.py nor pyproject.toml, nor the package.json of a wagon, nor the METADATA of a wheel, nor the %s of a program", programManifest)
	}
	return m, nil
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (m *Metadata) set(field, v string) {
	switch field {
	case "name":
		m.PackageName = first(m.PackageName, v)
	case "version":
		if !strings.HasPrefix(v, "attr:") && !strings.HasPrefix(v, "file:") {
			m.PackageVersion = first(m.PackageVersion, v)
		}
	default:
		m.RequiresPython = first(m.RequiresPython, v)
	}
}

// sectionOf returns the lines below a heading up to the next one.
func sectionOf(data []byte, heading string) []string {
	var lines []string
	inside := false
	for _, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			inside = line == heading
		} else if inside {
			lines = append(lines, line)
		}
	}
	return lines
}

func readFields(m *Metadata, lines []string, form *regexp.Regexp) {
	for _, line := range lines {
		if f := form.FindStringSubmatch(line); f != nil {
			m.set(f[1], f[2])
		}
	}
}

// tags are what a wheel's file name says it runs on.
type tags struct {
	name, version            string
	pythons, abis, platforms []string
}

// wheelTags reads a wheel's file name.
func wheelTags(name string) (tags, bool) {
	parts := strings.Split(strings.TrimSuffix(path.Base(name), ".whl"), "-")
	if !strings.HasSuffix(name, ".whl") || len(parts) != 5 && len(parts) != 6 {
		return tags{}, false
	}
	n := len(parts)
	return tags{
		name: normalize(parts[0]), version: parts[1], pythons: strings.Split(parts[n-3], "."),
		abis: strings.Split(parts[n-2], "."), platforms: strings.Split(parts[n-1], "."),
	}, true
}

var separators = regexp.MustCompile(`[-_.]+`)

// normalize gives a package's name in the one form that names are compared in.
func normalize(name string) string { return strings.ToLower(separators.ReplaceAllString(name, "-")) }
