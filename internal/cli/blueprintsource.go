package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"windlass/internal/blueprint"
	"windlass/internal/blueprint/archive"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
)

// source is a blueprint on this machine: a file in a folder.
type source struct {
	dir, file string // file is relative to dir
	// archive is what the folder was unpacked from, to unpacked; "" if it was not.
	archive, unpacked string
}

// findSource takes a blueprint's file, or its folder.
func findSource(path, file string) (source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return source{}, fmt.Errorf("find the blueprint: %w", err)
	}
	if !info.IsDir() {
		return source{dir: filepath.Dir(path), file: filepath.Base(path)}, nil
	}
	return sourceIn(path, path, file)
}

// sourceIn is the main file in a folder, which people know as shown.
func sourceIn(dir, shown, file string) (source, error) {
	if file == "" {
		file = "blueprint.yaml"
	}
	if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
		return source{}, fmt.Errorf("there is no %s in %s: name the file with -n%s", file, shown, candidates(dir))
	}
	return source{dir: dir, file: file}, nil
}

// candidates lists the files of a folder that may be meant.
func candidates(dir string) string {
	files, _ := filepath.Glob(filepath.Join(dir, "*.yaml")) // the pattern is fine
	for i, f := range files {
		files[i] = filepath.Base(f)
	}
	const most = 5
	switch {
	case len(files) == 0:
		return ""
	case len(files) > most:
		files = append(files[:most], "...")
	}
	return " (there are " + strings.Join(files, ", ") + ")"
}

// openSource takes archives too, which it unpacks until the source is closed.
func openSource(path, file string) (source, error) {
	if !isArchive(path) {
		return findSource(path, file)
	}
	tmp, err := os.MkdirTemp("", "cfy-blueprint-*")
	if err != nil {
		return source{}, fmt.Errorf("unpack %s: %w", path, err)
	}
	top, err := archive.Extract(path, tmp)
	if err != nil {
		return source{}, errors.Join(fmt.Errorf("unpack %s: %w", path, err), os.RemoveAll(tmp))
	}
	s, err := sourceIn(top, path, file)
	if err != nil {
		return source{}, errors.Join(err, os.RemoveAll(tmp))
	}
	s.archive, s.unpacked = path, tmp
	return s, nil
}

// close removes what was unpacked. What can't be removed is in the folder for
// temporary files, and of no harm.
func (s source) close() {
	if s.unpacked != "" {
		_ = os.RemoveAll(s.unpacked)
	}
}

func (s source) path() string { return filepath.Join(s.dir, s.file) }

// shown is the path as people know it.
func (s source) shown() string { return s.visible(s.path()) }

// visible names a file of an archive by the archive.
func (s source) visible(path string) string {
	if inside, ok := strings.CutPrefix(path, s.dir+string(filepath.Separator)); ok && s.archive != "" {
		return filepath.Join(s.archive, inside)
	}
	return path
}

// name has the problems name files as people know them.
func (s source) name(problems problem.List) {
	if s.archive == "" {
		return
	}
	for _, p := range problems {
		p.Place.File = s.visible(p.Place.File)
		p.Message = strings.ReplaceAll(p.Message, s.dir, s.archive)
		p.Hint = strings.ReplaceAll(p.Hint, s.dir, s.archive)
		for i, f := range p.Imports {
			p.Imports[i] = s.visible(f)
		}
	}
}

// parse validates the blueprint and prints its warnings.
func (a *app) parse(ctx context.Context, s source) (*plan.Plan, error) {
	text, err := os.ReadFile(s.path())
	if err != nil {
		return nil, fmt.Errorf("read the blueprint: %w", err)
	}
	opts, err := a.blueprintOptions()
	if err != nil {
		return nil, err
	}
	opts.Confine = s.archive != ""
	p, warnings, err := blueprint.Parse(ctx, blueprint.Source{Path: s.path(), Text: text}, opts)
	s.name(problem.All(err))
	if err != nil {
		return nil, err
	}
	a.warn(s, warnings)
	return p, nil
}

func (a *app) warn(s source, warnings problem.List) {
	s.name(warnings)
	for _, w := range warnings {
		fmt.Fprint(a.Stderr, w.Text())
	}
}

func isArchive(path string) bool {
	_, err := archive.Suffix(path)
	return err == nil
}

// archiveName is what a blueprint is called after its archive.
func archiveName(path string) string {
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	return name
}

func isURL(path string) bool { return strings.Contains(path, "://") }
