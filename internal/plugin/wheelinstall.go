package plugin

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// venv is a virtualenv that wheels are installed into.
type venv struct {
	dir, site, bin string
}

func openVenv(dir string, i Interpreter) venv {
	return venv{dir: dir, bin: filepath.Join(dir, "bin"), site: filepath.Join(dir, "lib", "python"+i.Version(), "site-packages")}
}

func (v venv) python() string { return filepath.Join(v.bin, "python") }

// installWheel unpacks a wheel, as installers do: code into site-packages, the
// parts of its .data folder where they belong, and a program for each entry
// point.
func (v venv) installWheel(file string) error {
	a, err := openArchive(file)
	if err != nil {
		return err
	}
	defer a.close()
	info := a.find(isWheelInfo)
	if info == "" {
		return invalid("%s is no wheel", filepath.Base(file))
	}
	data := strings.TrimSuffix(path.Dir(info), ".dist-info") + ".data/"
	if err := os.MkdirAll(v.site, 0o755); err != nil {
		return err
	}
	rel, err := filepath.Rel(v.dir, v.site)
	if err != nil {
		return err
	}
	site := filepath.ToSlash(rel)
	var scripts []string
	place := func(name string) string {
		rest, isData := strings.CutPrefix(name, data)
		if !isData {
			return inside(site, name)
		}
		kind, rest, _ := strings.Cut(rest, "/")
		switch kind {
		case "purelib", "platlib":
			return inside(site, rest)
		case "scripts":
			scripts = append(scripts, path.Base(rest))
			return path.Join("bin", path.Base(rest))
		case "data":
			return inside("", rest)
		case "headers":
			return inside("include", rest)
		}
		return ""
	}
	if err := a.extract(v.dir, place); err != nil {
		return fmt.Errorf("install the wheel %s: %w", filepath.Base(file), err)
	}
	for _, s := range scripts {
		if err := v.ownShebang(s); err != nil {
			return err
		}
	}
	points, err := a.readFile(path.Join(path.Dir(info), "entry_points.txt"))
	if err != nil {
		return nil // it has none
	}
	return v.entryPoints(string(points))
}

// inside joins a name to a folder; what leads out of it stays as it is, to be
// refused.
func inside(folder, name string) string {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return "../" + name
	}
	return path.Join(folder, name)
}

// ownShebang makes a script run on the virtualenv's interpreter.
func (v venv) ownShebang(name string) error {
	file := filepath.Join(v.bin, name)
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, rest, _ := strings.Cut(string(data), "\n")
	if strings.HasPrefix(head, "#!python") {
		data = []byte("#!" + v.python() + "\n" + rest)
	}
	if err := os.WriteFile(file, data, 0o755); err != nil {
		return err
	}
	return os.Chmod(file, 0o755)
}

var entryPoint = regexp.MustCompile(`^([\w.-]+)\s*=\s*([\w.]+)\s*:\s*([\w.]+)\s*(?:\[.*\])?$`)

// entryPoints writes a program for each console script.
func (v venv) entryPoints(text string) error {
	for _, line := range sectionOf([]byte(text), "[console_scripts]") {
		m := entryPoint.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		program := fmt.Sprintf("#!%s\nimport sys\nfrom %s import %s\nsys.exit(%s())\n", v.python(), m[2], strings.Split(m[3], ".")[0], m[3])
		if err := os.WriteFile(filepath.Join(v.bin, m[1]), []byte(program), 0o755); err != nil {
			return fmt.Errorf("write the program %s: %w", m[1], err)
		}
	}
	return nil
}
