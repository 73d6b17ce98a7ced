package rest

import (
	"archive/tar"
	"archive/zip"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"windlass/internal/blueprint/archive"
	"windlass/internal/value"
)

// indexName is the file in a packed work folder that lists what is in it.
const indexName = ".cloudify-index.json"

// indexOf maps the files below a folder to when they were changed.
func indexOf(root *os.Root, name string) (map[string]string, error) {
	index := map[string]string{}
	err := fs.WalkDir(root.FS(), name, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) { // gone since
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(name, file)
		if err == nil && rel != indexName {
			index[filepath.ToSlash(rel)] = stamp(info.ModTime())
		}
		return err
	})
	return index, err
}

// stamp writes a time as Python's isoformat does, which clients compare as text.
func stamp(t time.Time) string {
	t = t.UTC().Truncate(time.Microsecond)
	if t.Nanosecond() == 0 {
		return t.Format("2006-01-02T15:04:05+00:00")
	}
	return t.Format("2006-01-02T15:04:05.000000+00:00")
}

// sendPacked sends a folder as a tar.gz with an index of it.
func (s *server) sendPacked(w http.ResponseWriter, root *os.Root, name string) error {
	index, err := indexOf(root, name)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp("", "windlass-*")
	if err != nil {
		return fmt.Errorf("make a temporary file: %w", err)
	}
	t := spooled{f}
	defer t.Close()
	zipped := gzip.NewWriter(f)
	packer := tar.NewWriter(zipped)
	for _, file := range value.SortedKeys(index) {
		if err := packFile(packer, root, path.Join(name, file), file); err != nil {
			return err
		}
	}
	listing := value.Encode(typed(index))
	if err := packer.WriteHeader(&tar.Header{Name: indexName, Mode: 0o644, Size: int64(len(listing)), ModTime: s.Now()}); err != nil {
		return err
	}
	if _, err := packer.Write(listing); err != nil {
		return err
	}
	if err := errors.Join(packer.Close(), zipped.Close()); err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	return s.sendFile(w, f, path.Base(path.Clean("/"+root.Name()))+".tar.gz")
}

func packFile(t *tar.Writer, root *os.Root, file, name string) error {
	f, err := root.Open(file)
	if errors.Is(err, fs.ErrNotExist) { // gone since
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	head := &tar.Header{
		Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size(), ModTime: info.ModTime(), Format: tar.FormatPAX,
	}
	if err := t.WriteHeader(head); err != nil {
		return err
	}
	_, err = io.CopyN(t, f, info.Size())
	return err
}

// writeInto writes a file next to its place and then moves it there, so that
// nobody reads half of it.
func writeInto(root *os.Root, name string, content io.Reader, modified time.Time) error {
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	temporary := name + ".part"
	f, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	if err != nil {
		err = readError(err)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil && !modified.IsZero() {
		err = root.Chtimes(temporary, modified, modified)
	}
	if err == nil {
		err = root.Rename(temporary, name)
	}
	if err != nil {
		_ = root.Remove(temporary)
	}
	return err
}

// unpackInto unpacks an archive into a folder.
func unpackInto(root *os.Root, name string, content io.Reader) error {
	t, err := spool(content)
	if err != nil {
		return err
	}
	defer t.Close()
	suffix, err := archive.Suffix(t.Name())
	if err != nil {
		return badParameter("The archive can't be unpacked: %s", err)
	}
	u := &unpacking{root: root, dir: name}
	if suffix == "zip" {
		err = u.zip(t.File)
	} else {
		err = u.tar(t.File, suffix)
	}
	var own *apiError
	if err == nil || errors.As(err, &own) {
		return err
	}
	return badParameter("The archive can't be unpacked: %s", err)
}

// Limits on what an archive of a work folder may unpack to.
const (
	maxUnpacked = 4 << 30 // bytes
	maxFiles    = 100_000
)

// unpacking writes the files of an archive below a folder of a root, which no
// name and no link leads out of. Only plain files are taken.
type unpacking struct {
	root  *os.Root
	dir   string
	files int
	bytes int64
}

func (u *unpacking) add(name string, size int64, content io.Reader, modified time.Time) error {
	u.files++
	u.bytes += size
	if u.files > maxFiles || u.bytes > maxUnpacked || size < 0 {
		return badParameter("The archive unpacks to more than %d files or %d bytes", maxFiles, int64(maxUnpacked))
	}
	inner := strings.TrimPrefix(path.Clean("/"+filepath.ToSlash(name)), "/")
	if inner == "" || inner == indexName {
		return nil
	}
	return writeInto(u.root, path.Join(u.dir, inner), io.LimitReader(content, size), modified)
}

func (u *unpacking) tar(f *os.File, suffix string) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	var r io.Reader = f
	switch suffix {
	case "tar.gz":
		unzipped, err := gzip.NewReader(f)
		if err != nil {
			return err
		}
		defer unzipped.Close()
		r = unzipped
	case "tar.bz2":
		r = bzip2.NewReader(f)
	}
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := u.add(h.Name, h.Size, t, h.ModTime); err != nil {
			return err
		}
	}
}

func (u *unpacking) zip(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	z, err := zip.NewReader(f, info.Size())
	if err != nil {
		return err
	}
	for _, entry := range z.File {
		if !entry.Mode().IsRegular() {
			continue
		}
		content, err := entry.Open()
		if err != nil {
			return err
		}
		err = u.add(entry.Name, int64(entry.UncompressedSize64), content, entry.Modified)
		if err := errors.Join(err, content.Close()); err != nil {
			return err
		}
	}
	return nil
}
