package catalog

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"windlass/internal/store"
)

// hashOf names a file by its content.
func hashOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// passing is a file that goes when it is closed.
type passing struct{ *os.File }

func (p passing) Close() error { return errors.Join(p.File.Close(), os.Remove(p.Name())) }

// packPlugin makes a zip of a plugin's archive and what came beside it, to be
// read from its start.
func (l *Library) packPlugin(p store.Plugin, content io.Reader) (io.ReadCloser, error) {
	f, err := os.CreateTemp(l.path("incoming"), "packed-*.zip")
	if err != nil {
		return nil, fmt.Errorf("pack plugin %s: %w", p.ID, err)
	}
	z := zip.NewWriter(f)
	add := func(name string, write func(w io.Writer) error) {
		if err != nil {
			return
		}
		var w io.Writer
		// what an archive holds is packed already
		if w, err = z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store}); err == nil {
			err = write(w)
		}
	}
	add(p.ArchiveName, func(w io.Writer) error { _, err := io.Copy(w, content); return err })
	for _, y := range p.YAMLFiles {
		add(y.Name, func(w io.Writer) error { _, err := io.WriteString(w, y.Text); return err })
	}
	if p.Icon != nil {
		add("icon.png", func(w io.Writer) error { _, err := w.Write(p.Icon); return err })
	}
	if err = errors.Join(err, z.Close()); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("pack plugin %s: %w", p.ID, err), passing{f}.Close())
	}
	return passing{f}, nil
}
