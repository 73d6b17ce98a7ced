// Package archive reads and makes the archives that blueprints travel in:
// zip, tar, tar.gz and tar.bz2 with exactly one folder at the top.
//
// Archives come from strangers. Extraction happens inside an os.Root, which
// keeps `..`, absolute names and links from leading out, and within Limits.
package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Limits bound what an archive may unpack to.
type Limits struct {
	Entries int   // files, folders and links
	Bytes   int64 // of all files together
	// Ratio bounds unpacked to packed size once Bytes/16 is passed.
	Ratio int64
}

// Default limits, far beyond any blueprint seen.
var Default = Limits{Entries: 100_000, Bytes: 4 << 30, Ratio: 200}

// ErrFormat tells that the data is none of the known archives.
var ErrFormat = errors.New("not a zip, tar, tar.gz or tar.bz2 archive")

// Error is what is wrong with an archive's content.
type Error struct {
	Entry   string // name inside the archive; "" for the archive as a whole
	Message string
}

func (e *Error) Error() string {
	if e.Entry == "" {
		return "archive: " + e.Message
	}
	return fmt.Sprintf("archive entry %q: %s", e.Entry, e.Message)
}

// Suffix tells the kind of an archive from its content: zip, tar, tar.gz or
// tar.bz2. It returns ErrFormat for anything else.
func Suffix(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	return suffixOf(f)
}

func suffixOf(r io.ReaderAt) (string, error) {
	head := make([]byte, 512)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return "zip", nil
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return "tar.gz", nil
	case bytes.HasPrefix(head, []byte("BZh")):
		return "tar.bz2", nil
	case len(head) >= 262 && string(head[257:262]) == "ustar":
		return "tar", nil
	}
	if len(head) == 512 { // tar from before ustar has no magic: its checksum tells
		if _, err := tar.NewReader(io.NewSectionReader(r, 0, 1<<62)).Next(); err == nil {
			return "tar", nil
		}
	}
	return "", ErrFormat
}

// Extract unpacks the archive into the existing folder dest and returns the
// path of the one folder at its top. On an error dest may hold a part of it.
func Extract(file, dest string) (string, error) { return Default.Extract(file, dest) }

// Extract unpacks within the limits; see the function of the same name.
func (l Limits) Extract(file, dest string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	root, err := os.OpenRoot(dest)
	if err != nil {
		return "", err
	}
	defer func() { _ = root.Close() }()
	x := &extraction{root: root, limits: l, packed: info.Size()}
	if err := x.run(f, info.Size()); err != nil {
		return "", err
	}
	if x.top == "" {
		return "", &Error{Message: "it is empty; expected one folder with the blueprint in it"}
	}
	if err := x.checkLinks(dest); err != nil {
		return "", err
	}
	return filepath.Join(dest, x.top), nil
}

// checkLinks follows every link once all are there: one that looks harmless by
// its text may lead out by way of another.
func (x *extraction) checkLinks(dest string) error {
	if len(x.links) == 0 {
		return nil
	}
	top, err := os.OpenRoot(filepath.Join(dest, x.top))
	if err != nil {
		return &Error{Message: err.Error()}
	}
	defer func() { _ = top.Close() }()
	for _, link := range x.links {
		_, err := top.Stat(strings.TrimPrefix(link, x.top+"/"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &Error{Entry: link, Message: "the link does not lead to anything inside the archive"}
		}
	}
	return nil
}

type extraction struct {
	root    *os.Root
	limits  Limits
	packed  int64
	entries int
	written int64
	top     string
	links   []string // symbolic links made
}

func (x *extraction) run(f *os.File, size int64) error {
	suffix, err := suffixOf(f)
	if err != nil {
		return err
	}
	switch suffix {
	case "zip":
		return x.zip(f, size)
	case "tar.gz":
		gz, err := gzip.NewReader(f)
		if err != nil {
			return &Error{Message: err.Error()}
		}
		return x.tar(gz)
	case "tar.bz2":
		return x.tar(bzip2.NewReader(f))
	}
	return x.tar(f)
}

func (x *extraction) tar(r io.Reader) error {
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &Error{Message: err.Error()}
		}
		switch h.Typeflag {
		case tar.TypeXGlobalHeader: // what `git archive` puts first
			continue
		case tar.TypeDir:
			err = x.folder(h.Name)
		case tar.TypeReg:
			err = x.file(h.Name, h.FileInfo().Mode(), tr)
		case tar.TypeSymlink:
			err = x.symlink(h.Name, h.Linkname)
		case tar.TypeLink:
			err = x.hardlink(h.Name, h.Linkname)
		default:
			err = &Error{Entry: h.Name, Message: "only files, folders and links are allowed"}
		}
		if err != nil {
			return err
		}
	}
}

func (x *extraction) zip(r io.ReaderAt, size int64) error {
	zr, err := zip.NewReader(r, size)
	if err != nil {
		return &Error{Message: err.Error()}
	}
	for _, entry := range zr.File {
		if err := x.zipEntry(entry); err != nil {
			return err
		}
	}
	return nil
}

func (x *extraction) zipEntry(entry *zip.File) error {
	mode := entry.Mode()
	if mode.IsDir() || strings.HasSuffix(entry.Name, "/") {
		return x.folder(entry.Name)
	}
	content, err := entry.Open()
	if err != nil {
		return &Error{Entry: entry.Name, Message: err.Error()}
	}
	defer func() { _ = content.Close() }()
	switch {
	case mode&fs.ModeSymlink != 0:
		target, err := io.ReadAll(io.LimitReader(content, 4096))
		if err != nil {
			return &Error{Entry: entry.Name, Message: err.Error()}
		}
		return x.symlink(entry.Name, string(target))
	case mode.IsRegular():
		return x.file(entry.Name, mode, content)
	}
	return &Error{Entry: entry.Name, Message: "only files, folders and links are allowed"}
}

// place checks an entry's name, counts it and makes the folders above it. It
// returns "" for the archive's own root ("./").
func (x *extraction) place(name string) (string, error) {
	if x.entries++; x.entries > x.limits.Entries {
		return "", &Error{Message: fmt.Sprintf("more than %d entries", x.limits.Entries)}
	}
	if strings.ContainsRune(name, 0) {
		return "", &Error{Entry: name, Message: "the name holds a NUL character"}
	}
	clean := path.Clean(strings.ReplaceAll(name, `\`, "/"))
	if clean == "." {
		return "", nil
	}
	if !fs.ValidPath(clean) {
		return "", &Error{Entry: name, Message: "the name leads out of the archive"}
	}
	top, _, nested := strings.Cut(clean, "/")
	if x.top == "" {
		x.top = top
	}
	if top != x.top {
		return "", &Error{Entry: name, Message: fmt.Sprintf(
			"a second entry at the top, beside %q; put everything into one folder", x.top)}
	}
	if nested {
		if err := x.root.MkdirAll(path.Dir(clean), 0o755); err != nil {
			return "", &Error{Entry: name, Message: err.Error()}
		}
	}
	return clean, nil
}

func (x *extraction) folder(name string) error {
	clean, err := x.place(name)
	if err != nil || clean == "" {
		return err
	}
	if err := x.root.MkdirAll(clean, 0o755); err != nil {
		return &Error{Entry: name, Message: err.Error()}
	}
	return nil
}

func (x *extraction) file(name string, mode fs.FileMode, content io.Reader) error {
	clean, err := x.place(name)
	if err != nil {
		return err
	}
	if clean == "" || clean == x.top {
		return &Error{Entry: name, Message: "a file at the top; put everything into one folder"}
	}
	// A name given twice: the later entry wins, as with tar itself.
	if err := x.root.Remove(clean); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &Error{Entry: name, Message: err.Error()}
	}
	perm := fs.FileMode(0o644)
	if mode&0o111 != 0 {
		perm = 0o755
	}
	f, err := x.root.OpenFile(clean, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return &Error{Entry: name, Message: err.Error()}
	}
	err = x.copy(f, content)
	if err = errors.Join(err, f.Close()); err != nil {
		return &Error{Entry: name, Message: err.Error()}
	}
	return nil
}

func (x *extraction) copy(w io.Writer, r io.Reader) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			x.written += int64(n)
			if limitErr := x.checkSize(); limitErr != nil {
				return limitErr
			}
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (x *extraction) checkSize() error {
	if x.written > x.limits.Bytes {
		return fmt.Errorf("it unpacks to more than %d bytes", x.limits.Bytes)
	}
	if x.written > x.limits.Bytes/16 && x.written > x.packed*x.limits.Ratio {
		return fmt.Errorf("it unpacks to more than %d times its size", x.limits.Ratio)
	}
	return nil
}

// symlink makes links whose target stays inside the archive's folder.
func (x *extraction) symlink(name, target string) error {
	clean, err := x.place(name)
	if err != nil {
		return err
	}
	resolved := path.Join(path.Dir(clean), target)
	if clean == "" || clean == x.top || path.IsAbs(target) ||
		(resolved != x.top && !strings.HasPrefix(resolved, x.top+"/")) {
		return &Error{Entry: name, Message: fmt.Sprintf("a link to %q, outside the archive", target)}
	}
	if err := x.root.Symlink(target, clean); err != nil {
		return &Error{Entry: name, Message: err.Error()}
	}
	x.links = append(x.links, clean)
	return nil
}

func (x *extraction) hardlink(name, target string) error {
	clean, err := x.place(name)
	if err != nil {
		return err
	}
	from := path.Clean(target)
	if clean == "" || !strings.HasPrefix(from, x.top+"/") {
		return &Error{Entry: name, Message: fmt.Sprintf("a link to %q, outside the archive", target)}
	}
	if err := x.root.Link(from, clean); err != nil {
		return &Error{Entry: name, Message: err.Error()}
	}
	return nil
}
