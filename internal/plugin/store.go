package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"windlass/internal/operation/python"
)

// Config configures a Store. Only Root is needed.
type Config struct {
	// Root is the store's own directory; it is made when missing. One manager at
	// a time should use it.
	Root string
	// Interpreters are what plugins are installed for; nil looks on the PATH
	// when one is needed first.
	Interpreters []Interpreter
	// Timeout bounds one installation; 0: 15 min.
	Timeout time.Duration
	// Logger hears of installations; nil: nothing is logged.
	Logger *slog.Logger
}

// Store installs plugins. It is safe for concurrent use.
type Store struct {
	cfg Config

	probe sync.Once
	found []Interpreter
	locks sync.Mutex // guards busy
	busy  map[string]chan struct{}
}

// NewStore makes a store; nothing is looked at until it is used.
func NewStore(cfg Config) (*Store, error) {
	if cfg.Root == "" {
		return nil, errors.New("plugin store: no root directory is configured")
	}
	root, err := filepath.Abs(cfg.Root)
	if err != nil {
		return nil, fmt.Errorf("plugin store: %w", err)
	}
	cfg.Root = root
	if cfg.Timeout <= 0 {
		cfg.Timeout = 15 * time.Minute
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Store{cfg: cfg, busy: map[string]chan struct{}{}}, nil
}

// Interpreters are what plugins are installed for, the preferred one first.
func (s *Store) Interpreters(ctx context.Context) []Interpreter {
	s.probe.Do(func() {
		s.found = s.cfg.Interpreters
		if s.found == nil {
			s.found = Interpreters(context.WithoutCancel(ctx))
		}
	})
	return s.found
}

// Check tells whether a plugin can be installed here.
func (s *Store) Check(ctx context.Context, m *Metadata) Report { return Check(m, s.Interpreters(ctx)) }

// Installed is an installed plugin.
type Installed struct {
	// Key names the installation; another installation of the same plugin has
	// another one.
	Key            string
	PackageName    string
	PackageVersion string
	// Python is the interpreter to run the plugin with, and Path where its code
	// is, if not in the interpreter's own folders.
	Python string
	Path   []string
	// Program is the folder of a program that speaks the plugin protocol; "" for
	// plugins in Python.
	Program string `json:",omitempty"`
	// Notes say what is unusual about the installation.
	Notes []string
	// Origin is that of the request; see Store.From.
	Origin string `json:",omitempty"`
	Dir    string `json:"-"`
}

// Scope is where a plugin is installed: for a tenant or, if DeploymentID is
// set, for one deployment alone.
type Scope struct{ Tenant, DeploymentID string }

func (s *Store) dir(scope Scope, name, version string) string {
	if version == "" {
		version = "0.0.0"
	}
	if scope.DeploymentID != "" {
		return filepath.Join(s.cfg.Root, "source_plugins", scope.Tenant, scope.DeploymentID, normalize(name), version)
	}
	return filepath.Join(s.cfg.Root, "plugins", scope.Tenant, normalize(name), version)
}

// recordName is the file that tells that an installation is complete.
const recordName = "plugin.json"

// place is the folder that a plugin is installed in, and the one that it is
// installed in while another plugin of that name and version is in the first.
func (s *Store) place(scope Scope, name, version, key string) (dir, other string) {
	dir = s.dir(scope, name, version)
	return dir, dir + "-" + shortHash(key)
}

// Get returns the installation of a plugin with that key; fs.ErrNotExist if
// there is none.
func (s *Store) Get(scope Scope, name, version, key string) (Installed, error) {
	dir, other := s.place(scope, name, version, key)
	if i, err := readInstalled(dir); err == nil && i.Key == key {
		return i, nil
	}
	return readInstalled(other)
}

func readInstalled(dir string) (Installed, error) {
	data, err := os.ReadFile(filepath.Join(dir, recordName))
	if err != nil {
		return Installed{}, err
	}
	var i Installed
	if err := json.Unmarshal(data, &i); err != nil {
		return i, fmt.Errorf("read what is installed in %s: %w", dir, err)
	}
	i.Dir = dir
	return i, nil
}

// List returns what is installed for a tenant, by name and version.
func (s *Store) List(tenant string) ([]Installed, error) {
	var list []Installed
	root := filepath.Join(s.cfg.Root, "plugins", tenant)
	names, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list installed plugins: %w", err)
	}
	for _, name := range names {
		versions, err := os.ReadDir(filepath.Join(root, name.Name()))
		if err != nil {
			return nil, fmt.Errorf("list installed plugins: %w", err)
		}
		for _, v := range versions {
			if i, err := readInstalled(filepath.Join(root, name.Name(), v.Name())); err == nil {
				list = append(list, i)
			}
		}
	}
	slices.SortFunc(list, func(a, b Installed) int {
		if c := strings.Compare(a.PackageName, b.PackageName); c != 0 {
			return c
		}
		return CompareVersions(a.PackageVersion, b.PackageVersion)
	})
	return list, nil
}

// Request says what to install.
type Request struct {
	Scope Scope
	Path  string // the archive, or the folder
	// ID names the content, such as the plugin's id: what is installed under the
	// same one is left as it is. Required.
	ID string
	// Name and Version are the package's, if they are known; "": as the archive
	// tells them.
	Name, Version string
	// Origin is what From finds the installation by; "": it is not found so.
	Origin string
	// Arguments are handed to pip, where that is used.
	Arguments []string
}

// Install installs a plugin, unless it is installed already. Another one of the
// same name and version stays beside it: it may be in use. A failed installation
// leaves nothing. A plugin that does not fit is an *UnfitError.
func (s *Store) Install(ctx context.Context, r Request) (Installed, error) {
	if r.ID == "" {
		return Installed{}, errors.New("install a plugin: the request has no ID")
	}
	m, err := Read(r.Path)
	if err != nil {
		return Installed{}, err
	}
	m.PackageName, m.PackageVersion = first(r.Name, m.PackageName), first(r.Version, m.PackageVersion)
	dir := s.dir(r.Scope, m.PackageName, m.PackageVersion)
	unlock, err := s.lock(ctx, filepath.Dir(dir)) // all versions: they may be in each other's way
	if err != nil {
		return Installed{}, err
	}
	defer unlock()
	if i, err := s.Get(r.Scope, m.PackageName, m.PackageVersion, r.ID); err == nil {
		return i, s.remember(r, i.Dir)
	}
	if _, err := os.Stat(filepath.Join(dir, recordName)); err == nil {
		_, dir = s.place(r.Scope, m.PackageName, m.PackageVersion, r.ID)
	}
	report := s.Check(ctx, m)
	if !report.Fits() {
		return Installed{}, &UnfitError{Metadata: m, Report: report}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.Timeout, fmt.Errorf("the installation took longer than %s", s.cfg.Timeout))
	defer cancel()
	if err := os.RemoveAll(dir); err != nil {
		return Installed{}, fmt.Errorf("make room for the plugin %s: %w", m.PackageName, err)
	}
	began := time.Now()
	i, err := s.install(ctx, r, m, report.Interpreter, dir)
	if err != nil {
		return Installed{}, errors.Join(fmt.Errorf("install the plugin %s %s: %w", m.PackageName, m.PackageVersion, err), os.RemoveAll(dir))
	}
	if err := s.remember(r, dir); err != nil {
		return Installed{}, err
	}
	s.cfg.Logger.Info("installed a plugin", "plugin", m.PackageName, "version", m.PackageVersion,
		"python", report.Interpreter.Version(), "took", time.Since(began).Round(time.Millisecond))
	return i, nil
}

// UnfitError tells that a plugin can't be installed on this machine.
type UnfitError struct {
	Metadata *Metadata
	Report   Report
}

func (e *UnfitError) Error() string {
	return fmt.Sprintf("the plugin %s %s does not fit this machine: %s", e.Metadata.PackageName, e.Metadata.PackageVersion,
		strings.Join(e.Report.Problems, "; "))
}

func (s *Store) install(ctx context.Context, r Request, m *Metadata, python Interpreter, dir string) (Installed, error) {
	i := Installed{Key: r.ID, PackageName: m.PackageName, PackageVersion: m.PackageVersion, Python: python.Path, Origin: r.Origin, Dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return i, err
	}
	var err error
	switch m.Kind {
	case Wagon, Wheel:
		i.Python, err = installWheels(ctx, r.Path, m, python, dir)
	default:
		err = installSource(ctx, r, m, python, dir, &i)
	}
	if err != nil {
		return i, err
	}
	data, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return i, err
	}
	return i, os.WriteFile(filepath.Join(dir, recordName), append(data, '\n'), 0o644)
}

// newVenv makes a virtualenv without pip. In it is noted where the interpreter has
// its packages, some of which are offered to plugins that lack them.
func newVenv(ctx context.Context, from Interpreter, dir string) (venv, error) {
	target := filepath.Join(dir, "venv")
	if !from.Venv {
		return venv{}, fmt.Errorf("%s has no module venv: install python3-venv", from.Path)
	}
	if _, err := run(ctx, dir, from.Path, "-m", "venv", "--without-pip", target); err != nil {
		return venv{}, fmt.Errorf("make a virtualenv: %w", err)
	}
	offers, err := json.Marshal(from.Site)
	if err != nil {
		return venv{}, err
	}
	if err := os.WriteFile(filepath.Join(target, python.OffersNote), offers, 0o644); err != nil {
		return venv{}, fmt.Errorf("make a virtualenv: %w", err)
	}
	return openVenv(target, from), nil
}

// installWheels installs the wheels of a wagon, or a wheel, into a virtualenv
// and returns its interpreter.
func installWheels(ctx context.Context, archive string, m *Metadata, python Interpreter, dir string) (string, error) {
	v, err := newVenv(ctx, python, dir)
	if err != nil {
		return "", err
	}
	if m.Kind == Wheel {
		return v.python(), v.installWheel(archive)
	}
	wheels := filepath.Join(dir, "wheels")
	if err := os.Mkdir(wheels, 0o755); err != nil {
		return "", err
	}
	defer os.RemoveAll(wheels)
	a, err := openArchive(archive)
	if err != nil {
		return "", err
	}
	defer a.close()
	err = a.extract(wheels, func(name string) string {
		if filepath.Ext(name) != ".whl" {
			return ""
		}
		return filepath.Base(name)
	})
	if err != nil {
		return "", err
	}
	for _, w := range m.Wheels {
		if err := context.Cause(ctx); err != nil {
			return "", err
		}
		if err := v.installWheel(filepath.Join(wheels, w)); err != nil {
			return "", err
		}
	}
	return v.python(), nil
}

// installSource copies a source and, if it needs nothing but the framework,
// uses it where it is. Otherwise pip installs it into a virtualenv; that may
// need a package index.
func installSource(ctx context.Context, r Request, m *Metadata, python Interpreter, dir string, i *Installed) error {
	source := filepath.Join(dir, "source")
	if err := copySource(r.Path, m.Kind, source); err != nil {
		return err
	}
	if m.Program {
		i.Program = source
		return nil
	}
	p, err := readProjectByRunning(ctx, python, source)
	if err == nil && !p.Builds && len(p.needs()) == 0 {
		i.Path = p.Folders
		return nil
	}
	reason := ""
	if err != nil {
		reason = err.Error()
	} else if needs := p.needs(); len(needs) > 0 {
		reason = "it requires " + strings.Join(needs, ", ")
	} else {
		reason = "parts of it must be built"
	}
	if !python.Pip {
		return fmt.Errorf("%s, and %s has no pip to install that: install python3-pip, or make a wagon of the plugin", reason, python.Path)
	}
	v, err := newVenv(ctx, python, dir)
	if err != nil {
		return err
	}
	argv := append([]string{python.Path, "-m", "pip", "--disable-pip-version-check", "--no-input", "--python", v.python(), "install"}, r.Arguments...)
	if _, err := run(ctx, source, append(argv, source)...); err != nil {
		return fmt.Errorf("pip was needed, since %s: %w", reason, err)
	}
	i.Python, i.Notes = v.python(), []string{"installed by pip, since " + reason}
	return nil
}

func copySource(from string, kind Kind, to string) error {
	if err := os.Mkdir(to, 0o755); err != nil {
		return err
	}
	if kind == Folder {
		return copyFolder(from, to)
	}
	a, err := openArchive(from)
	if err != nil {
		return err
	}
	defer a.close()
	top := a.top()
	return a.extract(to, func(name string) string {
		name = strings.TrimPrefix(name, "./")
		if top == "" {
			return inside("", name)
		}
		return inside("", strings.TrimPrefix(name, top+"/"))
	})
}

// copyFolder copies regular files; links are left out, since they may lead
// anywhere.
func copyFolder(from, to string) error {
	root, err := os.OpenRoot(from)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		target := filepath.Join(to, filepath.FromSlash(name))
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := root.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644|info.Mode()&0o111)
	})
}

// lock waits until nobody else works on a folder.
func (s *Store) lock(ctx context.Context, dir string) (unlock func(), err error) {
	for {
		s.locks.Lock()
		other, taken := s.busy[dir]
		if !taken {
			mine := make(chan struct{})
			s.busy[dir] = mine
			s.locks.Unlock()
			return func() {
				s.locks.Lock()
				delete(s.busy, dir)
				s.locks.Unlock()
				close(mine)
			}, nil
		}
		s.locks.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
