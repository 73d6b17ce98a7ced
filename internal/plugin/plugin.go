// Package plugin reads the archives that plugins travel in, tells whether they
// fit this machine, and installs them without a network, each into an
// environment of its own.
//
//	wagon      .wgn: a zip or tar.gz of wheels with a package.json
//	wheel      .whl
//	source     a zip, tar.gz or folder with setup.py or pyproject.toml
//	bundle     a zip with one wagon and plugin YAML files, or a tar.gz of many
//	           wagons that a METADATA file lists; see Unbundle
package plugin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Kind is how a plugin is packed.
type Kind string

// The kinds.
const (
	Wagon  Kind = "wagon"
	Wheel  Kind = "wheel"
	Source Kind = "source"
	Folder Kind = "folder" // a source that is not packed
)

// Metadata is what a plugin says about itself; "" and nil are what it doesn't say.
type Metadata struct {
	Kind           Kind
	PackageName    string
	PackageVersion string
	PackageSource  string
	ArchiveName    string
	// SupportedPlatform is any, or a platform tag such as linux_x86_64.
	SupportedPlatform       string
	Distribution            string
	DistributionVersion     string
	DistributionRelease     string
	SupportedPythonVersions []string // py311
	Wheels, ExcludedWheels  []string // file names
	RequiresPython          string   // a version specifier
	Requires                []string // requirements, as in a wheel's METADATA
	YAML                    []YAML
	// Program tells that it is no Python but a program that speaks the plugin
	// protocol.
	Program bool
}

// YAML is a plugin's document for blueprints.
type YAML struct {
	Name       string // file name: plugin.yaml, plugin_1_4.yaml, v2_plugin.yaml
	DSLVersion string // 1_4; "" if the name tells none
	Text       []byte
}

// ErrInvalid is in the chain of errors that tell that an archive is no plugin.
var ErrInvalid = errors.New("not a plugin")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// Read reads a wagon, a wheel, a source archive or a folder. Nothing of it is
// run. What is wrong with the content is an error with ErrInvalid in its chain.
func Read(path string) (*Metadata, error) {
	m, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("read the plugin %s: %w", filepath.Base(path), err)
	}
	if m.ArchiveName == "" {
		m.ArchiveName = filepath.Base(path)
	}
	if m.PackageName == "" {
		return nil, fmt.Errorf("read the plugin %s: %w", filepath.Base(path), invalid("it doesn't tell the name of its package"))
	}
	if !safeName.MatchString(m.PackageName) || m.PackageVersion != "" && !safeName.MatchString(m.PackageVersion) {
		return nil, fmt.Errorf("read the plugin %s: %w", filepath.Base(path),
			invalid("its name %q or version %q is none that a package can have", m.PackageName, m.PackageVersion))
	}
	slices.SortFunc(m.YAML, func(a, b YAML) int { return strings.Compare(a.Name, b.Name) })
	return m, nil
}

// safeName is what names and versions of packages look like; they become names
// of folders.
var safeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+!-]*$`)

func read(path string) (*Metadata, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return readFolder(os.DirFS(path))
	}
	files, err := openArchive(path)
	if err != nil {
		return nil, err
	}
	defer files.close()
	switch {
	case files.find(isWheelInfo) != "":
		return readWheel(files, filepath.Base(path))
	case files.find(isPackageJSON) != "":
		return readWagon(files)
	}
	return readSource(files)
}

var (
	yamlName    = regexp.MustCompile(`^(?:[\w.-]*_)?plugin(?:_(\d+_\d+))?\.ya?ml$|^plugin[\w.-]*\.ya?ml$`)
	yamlVersion = regexp.MustCompile(`_(\d+_\d+)\.ya?ml$`)
)

// asYAML tells whether a file of that name is a plugin's document, and for
// which version of the language.
func asYAML(name string) (version string, ok bool) {
	if !yamlName.MatchString(name) {
		return "", false
	}
	if m := yamlVersion.FindStringSubmatch(name); m != nil {
		version = m[1]
	}
	return version, true
}

// Document makes a plugin's document of a file.
func Document(name string, text []byte) YAML {
	y := YAML{Name: name, Text: text}
	if m := yamlVersion.FindStringSubmatch(name); m != nil {
		y.DSLVersion = m[1]
	}
	return y
}

// Document returns the document for a version of the language such as 1_4: the
// one made for it, else that of the highest version below, else any.
func (m *Metadata) Document(dslVersion string) (YAML, bool) {
	var best *YAML
	for i := range m.YAML {
		y := &m.YAML[i]
		switch {
		case y.DSLVersion == dslVersion:
			return *y, true
		case best == nil:
			best = y
		case compareDSL(y.DSLVersion, dslVersion) < 0 && (compareDSL(best.DSLVersion, dslVersion) > 0 || compareDSL(y.DSLVersion, best.DSLVersion) > 0):
			best = y
		}
	}
	if best == nil {
		return YAML{}, false
	}
	return *best, true
}

// compareDSL orders versions such as 1_4; none is the lowest.
func compareDSL(a, b string) int {
	return CompareVersions(strings.ReplaceAll(a, "_", "."), strings.ReplaceAll(b, "_", "."))
}
