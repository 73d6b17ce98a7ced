package plugin_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"windlass/internal/blueprint/plan"
	"windlass/internal/operation"
	"windlass/internal/operation/operationtest"
	"windlass/internal/operation/python"
	"windlass/internal/plugin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type files map[string]string

func (f files) zip(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		e, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Write([]byte(f[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (f files) targz(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(f[name])), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (f files) folder(t testing.TB, dir string) string {
	t.Helper()
	for name, text := range f {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func save(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// demoWheel is a wheel with code, a program, a script and data.
func demoWheel(t testing.TB, version string) []byte {
	return files{
		"demo_plugin/__init__.py": "VERSION = '" + version + "'\n",
		"demo_plugin/ops.py": `
from cloudify import ctx
from demo_dep import VALUE
from demo_plugin import VERSION

def create(ctx, **_):
    ctx.instance.runtime_properties['version'] = VERSION
    return [VERSION, VALUE, ctx.plugin.prefix]

def main():
    print('program', VERSION)
`,
		"demo_plugin-" + version + ".data/scripts/demo-script":   "#!python\nprint('script')\n",
		"demo_plugin-" + version + ".data/data/share/demo.txt":   "data",
		"demo_plugin-" + version + ".dist-info/METADATA":         "Metadata-Version: 2.1\nName: demo-plugin\nVersion: " + version + "\nRequires-Python: >=3.6\nRequires-Dist: cloudify-common>=6\nRequires-Dist: demo-dep (==1.0)\nRequires-Dist: pytest; extra == 'test'\n\nName: not this\n",
		"demo_plugin-" + version + ".dist-info/WHEEL":            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		"demo_plugin-" + version + ".dist-info/entry_points.txt": "[console_scripts]\ndemo = demo_plugin.ops:main\n\n[other]\nx = y:z\n",
		"demo_plugin-" + version + ".dist-info/RECORD":           "",
	}.zip(t)
}

func depWheel(t testing.TB) []byte {
	return files{
		"demo_dep.py":                     "VALUE = 'of the dependency'\n",
		"demo_dep-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: demo-dep\nVersion: 1.0\n",
	}.zip(t)
}

const packageJSON = `{
 "archive_name": "demo_plugin-VERSION-py3-none-any.wgn",
 "build_server_os_properties": {"distribution": "centos", "distribution_release": "core", "distribution_version": "7"},
 "package_name": "demo-plugin", "package_source": "https://example.com/demo.zip", "package_version": "VERSION",
 "supported_platform": "any", "supported_python_versions": ["py3"], "excluded_wheels": [],
 "wheels": ["demo_dep-1.0-py3-none-any.whl", "demo_plugin-VERSION-py3-none-any.whl"]
}`

func wagonFiles(t testing.TB, version string) files {
	return files{
		"demo-plugin/package.json":                                        strings.ReplaceAll(packageJSON, "VERSION", version),
		"demo-plugin/wheels/demo_dep-1.0-py3-none-any.whl":                string(depWheel(t)),
		"demo-plugin/wheels/demo_plugin-" + version + "-py3-none-any.whl": string(demoWheel(t, version)),
		"demo-plugin/plugin.yaml":                                         "plugins: {}\n",
		"demo-plugin/plugin_1_4.yaml":                                     "plugins: {demo: {}}\n",
		"demo-plugin/README.yaml":                                         "no: plugin\n",
	}
}

var sourceFiles = files{
	"src-1/setup.py": `
import os
from setuptools import setup, find_packages
here = os.path.dirname(os.path.abspath(__file__))
setup(name='src-plugin', version='0.3', packages=find_packages(), install_requires=['cloudify-common>=5,<8'],
      cmdclass={'x': object})
`,
	"src-1/src_plugin/__init__.py": "",
	"src-1/src_plugin/ops.py":      "def create(**_):\n    return 'from source'\n",
	"src-1/plugin.yaml":            "plugins: {src: {}}\n",
}

func names(list []plugin.YAML) (names []string) {
	for _, y := range list {
		names = append(names, y.Name+":"+y.DSLVersion)
	}
	return names
}

func TestRead(t *testing.T) {
	t.Parallel()
	wagon := &plugin.Metadata{
		Kind: plugin.Wagon, PackageName: "demo-plugin", PackageVersion: "1.2", PackageSource: "https://example.com/demo.zip",
		ArchiveName: "demo_plugin-1.2-py3-none-any.wgn", SupportedPlatform: "any", Distribution: "centos",
		DistributionVersion: "7", DistributionRelease: "core", SupportedPythonVersions: []string{"py3"},
		Wheels: []string{"demo_dep-1.0-py3-none-any.whl", "demo_plugin-1.2-py3-none-any.whl"},
	}
	source := &plugin.Metadata{Kind: plugin.Source, PackageName: "src-plugin", PackageVersion: "0.3", SupportedPlatform: "any", ArchiveName: "s.zip"}
	folder := *source
	folder.Kind, folder.ArchiveName = plugin.Folder, "src-1"
	tarred := *source
	tarred.ArchiveName = "s.tar.gz"
	for _, c := range []struct {
		name, path string
		want       *plugin.Metadata
		yaml       []string
	}{
		{"wagon as zip", save(t, "a.wgn", wagonFiles(t, "1.2").zip(t)), wagon, []string{"plugin.yaml:", "plugin_1_4.yaml:1_4"}},
		{"wagon as tar.gz", save(t, "a.wgn", wagonFiles(t, "1.2").targz(t)), wagon, []string{"plugin.yaml:", "plugin_1_4.yaml:1_4"}},
		{"wheel", save(t, "demo_plugin-1.2-py3-none-any.whl", demoWheel(t, "1.2")), &plugin.Metadata{
			Kind: plugin.Wheel, PackageName: "demo-plugin", PackageVersion: "1.2", ArchiveName: "demo_plugin-1.2-py3-none-any.whl",
			SupportedPlatform: "any", Wheels: []string{"demo_plugin-1.2-py3-none-any.whl"}, RequiresPython: ">=3.6",
			Requires: []string{"cloudify-common>=6", "demo-dep (==1.0)", "pytest; extra == 'test'"},
		}, nil},
		{"source as zip", save(t, "s.zip", sourceFiles.zip(t)), source, []string{"plugin.yaml:"}},
		{"source as tar.gz", save(t, "s.tar.gz", sourceFiles.targz(t)), &tarred, []string{"plugin.yaml:"}},
		{"folder", filepath.Join(sourceFiles.folder(t, t.TempDir()), "src-1"), &folder, []string{"plugin.yaml:"}},
		{"pyproject", files{"p/pyproject.toml": "[build-system]\nname = 'no'\n[project]\nname = \"pro-plugin\"\nversion='2.0'\nrequires-python = \">=3.9\"\n"}.folder(t, t.TempDir()) + "/p",
			&plugin.Metadata{Kind: plugin.Folder, PackageName: "pro-plugin", PackageVersion: "2.0", RequiresPython: ">=3.9", SupportedPlatform: "any", ArchiveName: "p"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := plugin.Read(c.path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.yaml, names(got.YAML)); d != "" {
				t.Error(d)
			}
			got.YAML = nil
			if d := cmp.Diff(c.want, got, cmp.Transformer("empty", func(l []string) []string { return append([]string{}, l...) })); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	change := func(f files, name, text string) files {
		f = maps.Clone(f)
		if text == "" {
			delete(f, name)
		} else {
			f[name] = text
		}
		return f
	}
	for _, c := range []struct{ name, path, want string }{
		{"text", save(t, "x", []byte("no archive at all, but long enough")), "it is no zip, tar or tar.gz archive"},
		{"short", save(t, "x", []byte("P")), "the file is too short"},
		{"empty zip", save(t, "x", files{}.zip(t)), "it has neither setup.py nor pyproject.toml"},
		{"cut off", save(t, "x", wagonFiles(t, "1").zip(t)[:200]), "the zip archive is broken"},
		{"no object", save(t, "x", files{"a/package.json": "[]"}.zip(t)), "package.json is no JSON object"},
		{"no version", save(t, "x", files{"a/package.json": `{"package_name": "a"}`}.zip(t)), "tells no package_version"},
		{"no name", save(t, "x", files{"a/package.json": `{"package_version": "1"}`}.zip(t)), "doesn't tell the name"},
		{"bad name", save(t, "x", files{"a/package.json": `{"package_name": "../a", "package_version": "1"}`}.zip(t)), "is none that a package can have"},
		{"wheel missing", save(t, "x", change(wagonFiles(t, "1"), "demo-plugin/wheels/demo_dep-1.0-py3-none-any.whl", "").zip(t)), "demo_dep-1.0-py3-none-any.whl that its package.json lists is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := plugin.Read(c.path)
			if !errors.Is(err, plugin.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := plugin.Read("/no/such/file"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	m := &plugin.Metadata{YAML: []plugin.YAML{{Name: "plugin.yaml"}, {Name: "plugin_1_3.yaml", DSLVersion: "1_3"}, {Name: "plugin_1_4.yaml", DSLVersion: "1_4"}}}
	for version, want := range map[string]string{"1_3": "plugin_1_3.yaml", "1_4": "plugin_1_4.yaml", "1_5": "plugin_1_4.yaml", "1_2": "plugin.yaml", "": "plugin.yaml"} {
		if y, ok := m.Document(version); !ok || y.Name != want {
			t.Errorf("%s: %s", version, y.Name)
		}
	}
	if _, ok := (&plugin.Metadata{}).Document("1_3"); ok {
		t.Error("found what isn't there")
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	ordered := []string{
		"nonsense", "0.9", "1.0.dev1", "1.0a1.dev1", "1.0a1", "1.0b2", "1.0rc1", "1.0", "1.0+local", "1.0.post1.dev2", "1.0.post1",
		"1.1", "1.10", "2!0.1",
	}
	for i, a := range ordered {
		for j, b := range ordered {
			if got := plugin.CompareVersions(a, b); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("%s and %s: %d", a, b, got)
			}
		}
	}
	if plugin.CompareVersions("1.0", "v1.0.0") != 0 {
		t.Error("1.0 is v1.0.0")
	}
	for _, c := range []struct {
		version, specifier string
		want               bool
	}{
		{"1.5", ">=1.0,<2", true}, {"2.0", ">=1.0,<2", false}, {"2.0rc1", "<2", false}, {"1.5", "==1.*", true}, {"1.5", "!=1.5.*", false},
		{"1.5.1", "~=1.4", true}, {"2.0", "~=1.4", false}, {"1.4.5", "~=1.4.2", true}, {"1.5.0", "~=1.4.2", false}, {"1.0.post1", ">1.0", false},
		{"1.0", "1.0.0", true}, {"1.1", "1.0", false}, {"odd", "===odd", true}, {"odd", ">=1", false}, {"1.0+x", "==1.0", true}, {"3.11", ">=3.8", true},
	} {
		if got, err := plugin.Satisfies(c.version, c.specifier); err != nil || got != c.want {
			t.Errorf("%s %s: %v %v", c.version, c.specifier, got, err)
		}
	}
	for _, s := range []string{">=x", "~=1", ">1.*", "=> 1"} {
		if _, err := plugin.Satisfies("1", s); err == nil {
			t.Errorf("%s is taken", s)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	py311 := plugin.Interpreter{Path: "a", Major: 3, Minor: 11, Platform: "linux_x86_64", Glibc: 36}
	py38 := plugin.Interpreter{Path: "b", Major: 3, Minor: 8, Platform: "linux_x86_64", Glibc: 17}
	wheels := func(names ...string) *plugin.Metadata {
		return &plugin.Metadata{Kind: plugin.Wagon, SupportedPlatform: "any", Wheels: names, YAML: []plugin.YAML{{}}}
	}
	for _, c := range []struct {
		name         string
		m            *plugin.Metadata
		interpreters []plugin.Interpreter
		chosen       string
		problem      string
	}{
		{"pure", wheels("a-1-py3-none-any.whl", "b-1-py2.py3-none-any.whl"), []plugin.Interpreter{py311, py38}, "a", ""},
		{"for another Python", wheels("a-1-cp38-cp38-manylinux2014_x86_64.whl"), []plugin.Interpreter{py311, py38}, "b", ""},
		{"stable interface", wheels("a-1-cp36-abi3-manylinux_2_28_x86_64.whl"), []plugin.Interpreter{py311}, "a", ""},
		{"old glibc", wheels("a-1-cp36-abi3-manylinux_2_28_x86_64.whl"), []plugin.Interpreter{py38}, "", "it is for the platform manylinux_2_28_x86_64, not linux_x86_64"},
		{"Python 2", wheels("a-1-py27-none-any.whl"), []plugin.Interpreter{py311}, "", "it is for py27, not Python 3.11"},
		{"another processor", wheels("a-1-cp311-cp311-manylinux1_aarch64.whl"), []plugin.Interpreter{py311}, "", "it is for the platform manylinux1_aarch64"},
		{"bad name", wheels("a.whl"), []plugin.Interpreter{py311}, "", "has a name that no wheel can have"},
		{"requires", &plugin.Metadata{Kind: plugin.Source, RequiresPython: ">=3.10"}, []plugin.Interpreter{py38, py311}, "a", ""},
		{"requires newer", &plugin.Metadata{Kind: plugin.Source, RequiresPython: ">=3.10"}, []plugin.Interpreter{py38}, "", "it requires Python >=3.10; this one is 3.8"},
		{"no Python", wheels(), nil, "", "no Python 3.8 or newer was found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := plugin.Check(c.m, c.interpreters)
			if r.Interpreter.Path != c.chosen || r.Fits() != (c.problem == "") || !strings.Contains(strings.Join(r.Problems, "\n"), c.problem) {
				t.Errorf("%+v", r)
			}
		})
	}
	alone, err := plugin.Read(save(t, "demo_plugin-1.2-py3-none-any.whl", demoWheel(t, "1.2")))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"it has no plugin.yaml: blueprints cannot import it by name and must declare it themselves",
		"it requires packages that its archive lacks: demo-dep",
	}
	if d := cmp.Diff(want, plugin.Check(alone, []plugin.Interpreter{py311}).Warnings); d != "" {
		t.Error(d)
	}
}

func newStore(t testing.TB) *plugin.Store {
	t.Helper()
	s, err := plugin.NewStore(plugin.Config{Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestInstall(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	scope := plugin.Scope{Tenant: "t"}
	path := save(t, "a.wgn", wagonFiles(t, "1.2").zip(t))
	i, err := s.Install(t.Context(), plugin.Request{Scope: scope, Path: path, ID: "one"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), i.Python, "-c", "import demo_plugin, demo_dep, importlib.metadata as m; print(demo_plugin.VERSION, demo_dep.VALUE, m.version('demo-plugin'))").CombinedOutput()
	if err != nil || string(out) != "1.2 of the dependency 1.2\n" {
		t.Errorf("%v %s", err, out)
	}
	venv := filepath.Dir(filepath.Dir(i.Python))
	for program, want := range map[string]string{"demo-script": "script\n"} {
		out, err := exec.CommandContext(t.Context(), filepath.Join(venv, "bin", program)).CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("%s: %v %s", program, err, out)
		}
	}
	if text, err := os.ReadFile(filepath.Join(venv, "share", "demo.txt")); err != nil || string(text) != "data" {
		t.Errorf("%v %s", err, text)
	}
	if text, err := os.ReadFile(filepath.Join(venv, "bin", "demo")); err != nil || !strings.Contains(string(text), "from demo_plugin.ops import main") {
		t.Errorf("%v %s", err, text)
	}

	text, err := os.ReadFile(filepath.Join(venv, python.OffersNote))
	var offers []string
	if err != nil || json.Unmarshal(text, &offers) != nil || !slices.ContainsFunc(offers, func(dir string) bool {
		_, err := os.Stat(dir)
		return err == nil
	}) {
		t.Errorf("the packages of the interpreter are said to be in %s (%v)", text, err)
	}

	if again, err := s.Install(t.Context(), plugin.Request{Scope: scope, Path: path, ID: "one"}); err != nil || again.Dir != i.Dir {
		t.Errorf("%v %v", again, err)
	}
	if _, err := s.Install(t.Context(), plugin.Request{Scope: scope, Path: save(t, "b.wgn", wagonFiles(t, "1.10").targz(t)), ID: "two"}); err != nil {
		t.Fatal(err)
	}
	beside, err := s.Install(t.Context(), plugin.Request{Scope: scope, Path: path, ID: "three"})
	if err != nil || beside.Dir == i.Dir {
		t.Errorf("another plugin of the same version takes the place of one that may be in use: %v %v", beside, err)
	}
	if err := s.Remove(t.Context(), beside); err != nil {
		t.Error(err)
	}
	list, err := s.List("t")
	if err != nil || len(list) != 2 || list[0].PackageVersion != "1.2" || list[1].PackageVersion != "1.10" {
		t.Errorf("%v %v", list, err)
	}
	if err := s.Remove(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), i); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if _, err := s.Get(scope, "demo-plugin", "1.2", "one"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if _, err := s.Get(scope, "Demo_Plugin", "1.10", "two"); err != nil {
		t.Errorf("%v", err)
	}
	if list, err := s.List("nobody"); err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
}

func TestInstallRefuses(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	evil := wagonFiles(t, "1.2")
	evil["demo-plugin/wheels/demo_dep-1.0-py3-none-any.whl"] = string(files{
		"../../../../evil.py": "x", "demo_dep-1.0.dist-info/METADATA": "Name: demo-dep\nVersion: 1.0\n",
	}.zip(t))
	r := plugin.Request{Scope: plugin.Scope{Tenant: "t"}, Path: save(t, "a.wgn", evil.zip(t)), ID: "x"}
	if _, err := s.Install(t.Context(), r); !errors.Is(err, plugin.ErrInvalid) || !strings.Contains(err.Error(), "leads out of the archive") {
		t.Errorf("%v", err)
	}
	foreign := wagonFiles(t, "1.2")
	foreign["demo-plugin/package.json"] = strings.ReplaceAll(strings.ReplaceAll(packageJSON, "VERSION", "1.2"), `"any"`, `"win_amd64"`)
	r.Path = save(t, "a.wgn", foreign.zip(t))
	var unfit *plugin.UnfitError
	if _, err := s.Install(t.Context(), r); !errors.As(err, &unfit) || !strings.Contains(err.Error(), "it was built for the platform win_amd64") {
		t.Errorf("%v", err)
	}
	if list, err := s.List("t"); err != nil || len(list) != 0 {
		t.Errorf("something is left: %v %v", list, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.Path = save(t, "a.wgn", wagonFiles(t, "1.2").zip(t))
	if _, err := s.Install(ctx, r); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// catalog has uploaded plugins, the newest first, by their archives.
type catalog struct {
	plugins  []plugin.Uploaded
	archives map[string][]byte
	opened   atomic.Int32
}

func (c *catalog) add(t *testing.T, id, name string, data []byte) {
	t.Helper()
	m, err := plugin.Read(save(t, name, data))
	if err != nil {
		t.Fatal(err)
	}
	c.plugins = append(c.plugins, plugin.Uploaded{ID: id, Tenant: "t", Metadata: m})
	if c.archives == nil {
		c.archives = map[string][]byte{}
	}
	c.archives[id] = data
}

func (c *catalog) Plugins(_ context.Context, _ string, p plan.Plugin) (found []plugin.Uploaded, _ error) {
	for _, u := range c.plugins {
		if *p.PackageName == u.Metadata.PackageName && (p.PackageVersion == nil || *p.PackageVersion == u.Metadata.PackageVersion) {
			found = append(found, u)
		}
	}
	return found, nil
}

func (c *catalog) Archive(_ context.Context, u plugin.Uploaded) (string, error) {
	c.opened.Add(1)
	f, err := os.CreateTemp("", "plugin-*.wgn")
	if err != nil {
		return "", err
	}
	_, err = f.Write(c.archives[u.ID])
	return f.Name(), errors.Join(err, f.Close())
}

// The whole way: a blueprint's plugin is installed when its first operation
// runs, and the operation runs in its environment.
func TestEnvironments(t *testing.T) {
	t.Parallel()
	blueprint := t.TempDir()
	sourceFiles.folder(t, filepath.Join(blueprint, "plugins"))
	if err := os.WriteFile(filepath.Join(blueprint, "plugins", "zipped.zip"), sourceFiles.zip(t), 0o600); err != nil {
		t.Fatal(err)
	}
	plainFolder := files{"plain/plain_module.py": "def create(**_):\n    return 'plain'\n"}
	plainFolder.folder(t, filepath.Join(blueprint, "plugins"))
	known := &catalog{}
	foreign := wagonFiles(t, "1.3")
	foreign["demo-plugin/package.json"] = strings.ReplaceAll(strings.ReplaceAll(packageJSON, "VERSION", "1.3"), `"any"`, `"win_amd64"`)
	known.add(t, "p2", "a.wgn", foreign.zip(t))
	known.add(t, "p1", "a.wgn", wagonFiles(t, "1.2").zip(t))
	known.add(t, "p0", "a.wgn", wagonFiles(t, "1.1").zip(t))
	var progress []string
	e := &plugin.Environments{
		Store:   newStore(t),
		Catalog: known,
		Progress: func(_ context.Context, p plugin.Progress) {
			progress = append(progress, fmt.Sprint(p.Plugin.ID, " ", p.Done, " ", p.Err))
		},
		BlueprintDir: func(context.Context, string, string) (string, error) { return blueprint, nil },
	}
	runner, err := python.New(python.Config{Root: t.TempDir(), Environments: e})
	if err != nil {
		t.Fatal(err)
	}
	defer runner.Close()
	run := func(implementation string, p plan.Plugin) (any, error) {
		host := operationtest.NewHost(operation.Instance{ID: "n_1", NodeID: "n"})
		return runner.Run(t.Context(), &operation.Request{
			TaskID: "t", ExecutionID: "e", Tenant: "t", DeploymentID: "d", BlueprintID: "b", Implementation: implementation, Plugin: p,
			Self: operation.Subject{NodeID: "n", InstanceID: "n_1"}, WorkDir: t.TempDir(), Name: "create",
		}, host)
	}
	ptr := func(s string) *string { return &s }
	result, err := run("demo_plugin.ops.create", plan.Plugin{Name: "demo", PackageName: ptr("demo-plugin")})
	if err != nil {
		t.Fatal(err)
	}
	list := result.([]any)
	if list[0] != "1.2" || list[1] != "of the dependency" || !strings.HasSuffix(list[2].(string), filepath.Join("t", "demo-plugin", "1.2", "venv")) {
		t.Errorf("%v", list)
	}
	for _, version := range []string{"1.1", "1.2"} { // several versions, side by side
		result, err := run("demo_plugin.ops.create", plan.Plugin{Name: "demo", PackageName: ptr("demo-plugin"), PackageVersion: ptr(version)})
		if list, _ := result.([]any); err != nil || len(list) == 0 || list[0] != version {
			t.Errorf("%s: %v %v", version, result, err)
		}
	}
	if n := known.opened.Load(); n != 2 {
		t.Errorf("%d archives were unpacked for two installations", n)
	}
	if d := cmp.Diff([]string{"p1 false <nil>", "p1 true <nil>", "p0 false <nil>", "p0 true <nil>"}, progress); d != "" {
		t.Error(d)
	}
	if result, err := run("plain_module.create", plan.Plugin{Name: "plain", Source: ptr("plain")}); err != nil || result != "plain" {
		t.Errorf("%v %v", result, err)
	}
	for _, source := range []string{"src-1", "zipped", "src-1"} {
		result, err = run("src_plugin.ops.create", plan.Plugin{Name: "src", Source: ptr(source)})
		if err != nil || result != "from source" {
			t.Errorf("%s: %v %v", source, result, err)
		}
	}
	for _, c := range []struct {
		p    plan.Plugin
		want string
	}{
		{plan.Plugin{Name: "x", PackageName: ptr("demo-plugin"), PackageVersion: ptr("1.3")}, "it was built for the platform win_amd64"},
		{plan.Plugin{Name: "x", Install: true, PackageName: ptr("x-plugin"), PackageVersion: ptr("3")}, "No source or managed plugin found for x (package x-plugin 3)"},
		{plan.Plugin{Name: "x", Source: ptr("gone")}, "there is no folder plugins/gone in blueprint b"},
		{plan.Plugin{Name: "x", Source: ptr("../../etc")}, "leads out of the blueprint's folder plugins"},
		{plan.Plugin{Name: "x", Source: ptr("https://example.com/x.zip")}, "plugins are not downloaded here"},
	} {
		_, err := run("x.y", c.p)
		var failure *operation.Error
		if !errors.As(err, &failure) || failure.Verdict != operation.NonRecoverable || !strings.Contains(failure.Message, c.want) {
			t.Errorf("%v", err)
		}
	}
	if scopes, err := e.Store.Deployments(); err != nil || len(scopes) != 1 || scopes[0] != (plugin.Scope{Tenant: "t", DeploymentID: "d"}) {
		t.Errorf("%v %v", scopes, err)
	}
	if err := e.Store.RemoveDeployment("t", "d"); err != nil {
		t.Error(err)
	}
	if err := e.Store.RemoveDeployment("t", "../x"); err == nil {
		t.Error("removed what is outside")
	}
}

func TestUnbundle(t *testing.T) {
	t.Parallel()
	wagon := string(wagonFiles(t, "1.2").zip(t))
	dir := t.TempDir()
	packed, err := plugin.Unbundle(save(t, "p.zip", files{"a.wgn": wagon, "plugin_1_5.yaml": "x: 1", "README": "-"}.zip(t)), dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []plugin.Packed{{Path: filepath.Join(dir, "a.wgn"), YAML: []string{filepath.Join(dir, "plugin_1_5.yaml")}}}
	if d := cmp.Diff(want, packed); d != "" {
		t.Error(d)
	}
	m, err := plugin.Read(packed[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.AddYAML(packed[0].YAML); err != nil || len(m.YAML) != 1 || m.YAML[0].DSLVersion != "1_5" {
		t.Errorf("%v %v", m.YAML, err)
	}
	dir = t.TempDir()
	packed, err = plugin.Unbundle(save(t, "c.cvn", files{
		"c/METADATA": "a/a.wgn: a/plugin.yaml\nb/b.wgn: [b/plugin.yaml, b/plugin_1_4.yaml]\n",
		"c/a/a.wgn":  wagon, "c/a/plugin.yaml": "x", "c/b/b.wgn": wagon, "c/b/plugin.yaml": "x", "c/b/plugin_1_4.yaml": "x",
	}.targz(t)), dir)
	if err != nil || len(packed) != 2 || packed[1].Path != filepath.Join(dir, "c/b/b.wgn") || len(packed[1].YAML) != 2 {
		t.Errorf("%v %v", packed, err)
	}
	dir = t.TempDir()
	packed, err = plugin.Unbundle(save(t, "p.zip", files{
		"demo_plugin-1.2-py3-none-any.whl": string(demoWheel(t, "1.2")), "plugin.yaml": "x: 1", "icon.png": "png",
	}.zip(t)), dir)
	want = []plugin.Packed{{
		Path: filepath.Join(dir, "demo_plugin-1.2-py3-none-any.whl"), YAML: []string{filepath.Join(dir, "plugin.yaml")},
		Icon: filepath.Join(dir, "icon.png"),
	}}
	if d := cmp.Diff(want, packed); d != "" || err != nil {
		t.Errorf("%s %v", d, err)
	}
	for _, data := range [][]byte{demoWheel(t, "1.2"), sourceFiles.zip(t)} { // they hold archives of nobody
		alone := save(t, "upload", data)
		if packed, err := plugin.Unbundle(alone, t.TempDir()); err != nil || len(packed) != 1 || packed[0].Path != alone {
			t.Errorf("%v %v", packed, err)
		}
	}
	alone := save(t, "a.wgn", []byte(wagon))
	if packed, err := plugin.Unbundle(alone, t.TempDir()); err != nil || len(packed) != 1 || packed[0].Path != alone {
		t.Errorf("%v %v", packed, err)
	}
	for name, f := range map[string]files{
		"Archive must include one wgn file": {"a.wgn": wagon, "b.wgn": wagon},
		"which isn't there":                 {"c/METADATA": "gone.wgn: x.yaml", "c/a.wgn": wagon},
		"which is outside of it":            {"c/METADATA": "../gone.wgn: x.yaml", "c/a.wgn": wagon},
		"must be a map":                     {"c/METADATA": "[1]", "c/a.wgn": wagon},
		"leads out of the archive":          {"../../a.wgn": wagon},
	} {
		if _, err := plugin.Unbundle(save(t, "x", f.zip(t)), t.TempDir()); !errors.Is(err, plugin.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(wagonFiles(f, "1").zip(f))
	f.Add(wagonFiles(f, "1").targz(f))
	f.Add(demoWheel(f, "1"))
	f.Add(sourceFiles.zip(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := save(t, "x", data)
		m, err := plugin.Read(path)
		if err == nil && (m.PackageName == "" || strings.ContainsAny(m.PackageName, "/\\")) {
			t.Errorf("%q", m.PackageName)
		}
		_, _ = plugin.Unbundle(path, t.TempDir())
	})
}
