package snapshot

import (
	"archive/zip"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"windlass/internal/store"
	"windlass/internal/value"
)

// writer makes an archive.
type writer struct {
	zip      *zip.Writer
	manifest Manifest
	tell     func(format string, args ...any)
}

// write makes an archive of all that a view shows, and of the folders' files.
// It keeps no more in memory than a row, a piece of a file, and a line of the
// manifest for each file.
func write(ctx context.Context, to io.Writer, v store.View, tables []store.Table, folders map[string]string, m Manifest, tell func(string, ...any)) error {
	m.Format, m.Version, m.Entries = formatName, formatVersion, map[string]Entry{}
	w := &writer{zip: zip.NewWriter(to), manifest: m, tell: tell}
	for _, t := range tables {
		if err := w.table(ctx, v, t); err != nil {
			return err
		}
	}
	if err := w.blobs(ctx, v); err != nil {
		return err
	}
	for _, name := range value.SortedKeys(folders) {
		if err := w.folder(ctx, name, folders[name]); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(w.manifest, "", " ")
	if err != nil {
		return err
	}
	entry, err := w.zip.Create(manifestName)
	if err != nil {
		return err
	}
	if _, err := entry.Write(append(text, '\n')); err != nil {
		return err
	}
	return w.zip.Close()
}

// summed counts and hashes what is written.
type summed struct {
	to   io.Writer
	hash hash.Hash
	size int64
}

func (s *summed) Write(b []byte) (int, error) {
	n, err := s.to.Write(b)
	s.hash.Write(b[:n])
	s.size += int64(n)
	return n, err
}

// entry adds an entry with what fill writes.
func (w *writer) entry(name string, like Entry, fill func(to io.Writer) error) error {
	method := zip.Deflate
	if strings.HasPrefix(name, blobsPrefix) { // packed already
		method = zip.Store
	}
	inner, err := w.zip.CreateHeader(&zip.FileHeader{Name: name, Method: method, Modified: w.manifest.MadeAt})
	if err != nil {
		return fmt.Errorf("add %s to the archive: %w", name, err)
	}
	sum := &summed{to: inner, hash: sha256.New()}
	if err := fill(sum); err != nil {
		return fmt.Errorf("add %s to the archive: %w", name, err)
	}
	like.Size, like.SHA256 = sum.size, hex.EncodeToString(sum.hash.Sum(nil))
	w.manifest.Entries[name] = like
	return nil
}

func (w *writer) table(ctx context.Context, v store.View, t store.Table) error {
	described := TableEntry{Name: t.Name}
	for _, c := range t.Columns {
		described.Columns = append(described.Columns, ColumnEntry{c.Name, c.Kind})
	}
	edit := w.editor(t)
	err := w.entry(tableFile(t.Name), Entry{}, func(to io.Writer) error {
		lines := bufio.NewWriterSize(to, 1<<16)
		encoder := json.NewEncoder(lines) // a newline after each
		encoder.SetEscapeHTML(false)
		err := v.EachRow(ctx, t.Name, func(row []any) error {
			if edit != nil && !edit(row) {
				return nil
			}
			described.Rows++
			return encoder.Encode(row)
		})
		return errors.Join(err, lines.Flush())
	})
	if err == nil {
		w.manifest.Tables = append(w.manifest.Tables, described)
		w.tell("%s: %d", t.Name, described.Rows)
	}
	return err
}

// editor returns what changes rows of a table on their way out and tells
// whether they belong into the archive; nil where all do as they are.
func (w *writer) editor(t store.Table) func(row []any) bool {
	switch t.Name {
	case "events":
		isLog := t.Column("is_log")
		return func(row []any) bool {
			if row[isLog] == true {
				return w.manifest.Logs
			}
			return w.manifest.Events
		}
	case "progress":
		events, logs := t.Column("events"), t.Column("logs")
		return func(row []any) bool {
			if !w.manifest.Events {
				row[events] = int64(0)
			}
			if !w.manifest.Logs {
				row[logs] = int64(0)
			}
			return true
		}
	}
	return nil
}

func (w *writer) blobs(ctx context.Context, v store.View) error {
	hashes, err := v.ListBlobs(ctx)
	if err != nil {
		return fmt.Errorf("list the stored files: %w", err)
	}
	for _, hash := range hashes {
		if err := w.entry(blobsPrefix+hash, Entry{}, func(to io.Writer) error {
			content, err := v.OpenBlob(ctx, hash)
			if err != nil {
				return err
			}
			_, err = io.Copy(to, content)
			return errors.Join(err, content.Close())
		}); err != nil {
			return err
		}
	}
	w.tell("stored files: %d", len(hashes))
	return nil
}

// folder adds the files below a folder: regular ones and links. Those that go
// away meanwhile are left out; the store, not they, is of one moment.
func (w *writer) folder(ctx context.Context, name, dir string) error {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("open the folder %s: %w", name, err)
	}
	defer func() { _ = root.Close() }()
	files := 0
	err = fs.WalkDir(root.FS(), ".", func(file string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && d.IsDir() {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		entry := path.Join(filesPrefix+name, file)
		if !isEntryName(entry) { // a name that no archive may have
			w.tell("left out: %q in the folder %s", file, name)
			return ctx.Err()
		}
		files++
		return errors.Join(w.file(root, file, entry, d), ctx.Err())
	})
	w.tell("files in the folder %s: %d", name, files)
	return err
}

func (w *writer) file(root *os.Root, file, entry string, d fs.DirEntry) error {
	switch {
	case d.Type()&fs.ModeSymlink != 0:
		target, err := root.Readlink(filepath.FromSlash(file))
		if err != nil {
			return ignoreMissing(err)
		}
		return w.entry(entry, Entry{Link: true}, func(to io.Writer) error {
			_, err := io.WriteString(to, target)
			return err
		})
	case !d.Type().IsRegular():
		return nil // sockets and pipes mean nothing elsewhere
	}
	f, err := root.Open(filepath.FromSlash(file))
	if err != nil {
		return ignoreMissing(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return w.entry(entry, Entry{Mode: uint32(info.Mode().Perm())}, func(to io.Writer) error {
		_, err := io.Copy(to, f)
		return err
	})
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
