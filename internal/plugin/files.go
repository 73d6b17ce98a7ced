package plugin

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Bounds of what an archive may hold; plugins with many wheels reach a tenth.
const (
	maxEntries  = 200_000
	maxUnpacked = 8 << 30
	maxText     = 16 << 20 // of a file that is read
)

// archiveFiles are the files of an archive.
type archiveFiles struct {
	zip   *zip.ReadCloser
	tar   string // the path of a tar.gz or tar; "" for a zip
	names []string
}

// openArchive opens a zip, a tar or a tar.gz; close it.
func openArchive(file string) (*archiveFiles, error) {
	head := make([]byte, 4)
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	_, err = io.ReadFull(f, head)
	_ = f.Close()
	if err != nil {
		return nil, invalid("the file is too short for an archive")
	}
	a := &archiveFiles{}
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06")) {
		if a.zip, err = zip.OpenReader(file); err != nil {
			return nil, invalid("the zip archive is broken: %v", err)
		}
		if len(a.zip.File) > maxEntries {
			_ = a.zip.Close()
			return nil, invalid("it has more than %d files", maxEntries)
		}
		for _, entry := range a.zip.File {
			if !entry.FileInfo().IsDir() {
				a.names = append(a.names, entry.Name)
			}
		}
		return a, nil
	}
	a.tar = file
	err = a.eachTar(func(h *tar.Header, _ io.Reader) error {
		if h.Typeflag == tar.TypeReg {
			a.names = append(a.names, h.Name)
		}
		return nil
	})
	return a, err
}

func (a *archiveFiles) close() {
	if a.zip != nil {
		_ = a.zip.Close()
	}
}

// errStop ends eachTar early.
var errStop = errors.New("stop")

func (a *archiveFiles) eachTar(visit func(h *tar.Header, r io.Reader) error) error {
	f, err := os.Open(a.tar)
	if err != nil {
		return err
	}
	defer f.Close()
	var stream io.Reader = f
	if z, err := gzip.NewReader(f); err == nil {
		stream = z
	} else if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r := tar.NewReader(io.LimitReader(stream, maxUnpacked))
	for n := 0; ; n++ {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return invalid("it is no zip, tar or tar.gz archive, or a broken one: %v", err)
		}
		if n >= maxEntries {
			return invalid("it has more than %d files", maxEntries)
		}
		if err := visit(h, r); err != nil {
			if errors.Is(err, errStop) {
				return nil
			}
			return err
		}
	}
}

// find returns the first name that is wanted; "" if none is.
func (a *archiveFiles) find(wanted func(name string) bool) string {
	if i := slices.IndexFunc(a.names, wanted); i >= 0 {
		return a.names[i]
	}
	return ""
}

// readFile returns the content of a file of the archive.
func (a *archiveFiles) readFile(name string) ([]byte, error) {
	var data []byte
	read := func(r io.Reader) error {
		var err error
		data, err = io.ReadAll(io.LimitReader(r, maxText+1))
		switch {
		case err != nil:
			return invalid("%s cannot be read: %v", name, err)
		case len(data) > maxText:
			return invalid("%s is larger than %d MiB", name, maxText>>20)
		}
		return nil
	}
	if a.zip != nil {
		for _, entry := range a.zip.File {
			if entry.Name == name {
				r, err := entry.Open()
				if err != nil {
					return nil, invalid("%s cannot be read: %v", name, err)
				}
				defer r.Close()
				return data, read(r)
			}
		}
		return nil, fs.ErrNotExist
	}
	found := false
	err := a.eachTar(func(h *tar.Header, r io.Reader) error {
		if h.Name != name || h.Typeflag != tar.TypeReg {
			return nil
		}
		found = true
		if err := read(r); err != nil {
			return err
		}
		return errStop
	})
	if err == nil && !found {
		err = fs.ErrNotExist
	}
	return data, err
}

// extract writes the wanted files below dir, which exists. place gives a file's
// name there, "" to leave it out. Nothing is written outside of dir; links are
// left out.
func (a *archiveFiles) extract(dir string, place func(name string) string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	left := int64(maxUnpacked)
	write := func(name string, mode fs.FileMode, r io.Reader) error {
		target := place(name)
		if target == "" {
			return nil
		}
		if !filepath.IsLocal(filepath.FromSlash(target)) {
			return invalid("the file %q leads out of the archive", name)
		}
		if err := root.MkdirAll(path.Dir(target), 0o755); err != nil {
			return err
		}
		f, err := root.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644|mode&0o111)
		if err != nil {
			return err
		}
		n, err := io.Copy(f, io.LimitReader(r, left+1))
		left -= n
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("unpack %s: %w", name, err)
		}
		if left < 0 {
			return invalid("it unpacks to more than %d GiB", maxUnpacked>>30)
		}
		return nil
	}
	if a.zip != nil {
		for _, entry := range a.zip.File {
			if !entry.Mode().IsRegular() {
				continue
			}
			r, err := entry.Open()
			if err != nil {
				return invalid("%s cannot be read: %v", entry.Name, err)
			}
			err = write(entry.Name, entry.Mode(), r)
			_ = r.Close()
			if err != nil {
				return err
			}
		}
		return nil
	}
	return a.eachTar(func(h *tar.Header, r io.Reader) error {
		if h.Typeflag != tar.TypeReg {
			return nil
		}
		return write(h.Name, fs.FileMode(h.Mode), r)
	})
}

// top is the folder that all files are in; "" if there is none.
func (a *archiveFiles) top() string {
	if len(a.names) == 0 {
		return ""
	}
	top, _, ok := strings.Cut(strings.TrimPrefix(a.names[0], "./"), "/")
	for _, name := range a.names {
		if !ok || !strings.HasPrefix(strings.TrimPrefix(name, "./"), top+"/") {
			return ""
		}
	}
	return top
}

// yamls reads the plugin's documents among the files in a folder.
func (a *archiveFiles) yamls(folder string) ([]YAML, error) {
	var found []YAML
	for _, name := range a.names {
		dir, base := path.Split(strings.TrimPrefix(name, "./"))
		version, ok := asYAML(base)
		if !ok || path.Clean(dir) != path.Clean(folder) && !(folder == "" && dir == "") {
			continue
		}
		text, err := a.readFile(name)
		if err != nil {
			return nil, err
		}
		found = append(found, YAML{Name: base, DSLVersion: version, Text: text})
	}
	return found, nil
}
