package archive

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// skipped names folders that never travel: version control, and the state of
// a local profile.
var skipped = map[string]bool{".git": true, ".hg": true, ".svn": true, ".cloudify": true}

// Pack writes the folder dir to w as a tar.gz with one folder, named top, at
// its top. The result depends on names, modes and content alone, so that packing
// the same folder twice gives the same bytes. Sockets, devices and pipes are an
// error.
func Pack(w io.Writer, dir, top string) error {
	gz := gzip.NewWriter(w)
	tw := tar.NewWriter(gz)
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && skipped[entry.Name()] && file != dir {
			return filepath.SkipDir
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		return packEntry(tw, file, filepath.ToSlash(filepath.Join(top, rel)), entry)
	})
	if err = errors.Join(err, tw.Close(), gz.Close()); err != nil {
		return fmt.Errorf("pack %s: %w", dir, err)
	}
	return nil
}

func packEntry(tw *tar.Writer, file, name string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	h := &tar.Header{Name: name, Mode: 0o644, Format: tar.FormatPAX}
	switch {
	case info.IsDir():
		h.Typeflag, h.Name, h.Mode = tar.TypeDir, name+"/", 0o755
	case info.Mode()&fs.ModeSymlink != 0:
		h.Typeflag = tar.TypeSymlink
		if h.Linkname, err = os.Readlink(file); err != nil {
			return err
		}
	case info.Mode().IsRegular():
		h.Typeflag, h.Size = tar.TypeReg, info.Size()
		if info.Mode()&0o111 != 0 {
			h.Mode = 0o755
		}
	default:
		return fmt.Errorf("%s is neither a file, a folder nor a link", file)
	}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_, err = io.CopyN(tw, f, h.Size)
	return err
}
