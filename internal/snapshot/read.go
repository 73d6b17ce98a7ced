package snapshot

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"windlass/internal/store"
	"windlass/internal/value"
)

// archive is an archive under reading. What it gives out was compared with its
// checksum only after check.
type archive struct {
	manifest Manifest
	files    map[string]*zip.File
	keys     string // "" if it brings none
}

// open reads an archive's manifest and compares it with the list of its
// entries. tables are those that there are here. Faults are an *Error.
func open(r io.ReaderAt, size int64, tables []store.Table) (*archive, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, refuse("This is no snapshot: %s", err)
	}
	a := &archive{files: make(map[string]*zip.File, len(z.File))}
	for _, f := range z.File {
		if a.files[f.Name] != nil {
			return nil, refuse("The snapshot has two entries %q", f.Name)
		}
		a.files[f.Name] = f
	}
	text, err := a.small(manifestName, maxManifest)
	if err != nil {
		return nil, err
	}
	if text == nil {
		return nil, refuse("This is no snapshot: there is no %s in it. Snapshots that other managers than Windlass made can't be restored", manifestName)
	}
	if err := a.readManifest(text, tables); err != nil {
		return nil, err
	}
	keys, err := a.small(keysName, maxKeys)
	a.keys = string(keys)
	return a, err
}

// small reads an entry as a whole, nil if there is none.
func (a *archive) small(name string, limit int64) ([]byte, error) {
	f := a.files[name]
	if f == nil {
		return nil, nil
	}
	content, err := f.Open()
	if err != nil {
		return nil, refuse("The snapshot is damaged: %s: %s", name, err)
	}
	defer func() { _ = content.Close() }()
	text, err := io.ReadAll(io.LimitReader(content, limit+1))
	if err != nil {
		return nil, refuse("The snapshot is damaged: %s: %s", name, err)
	}
	if int64(len(text)) > limit {
		return nil, refuse("The snapshot is damaged: %s is larger than %d bytes", name, limit)
	}
	return text, nil
}

func (a *archive) readManifest(text []byte, tables []store.Table) error {
	m := &a.manifest
	if err := json.Unmarshal(text, m); err != nil {
		return refuse("The snapshot is damaged: %s: %s", manifestName, err)
	}
	switch {
	case m.Format != formatName || m.Version < 1:
		return refuse("This is no snapshot: its %s says %q, version %d", manifestName, m.Format, m.Version)
	case m.Version > formatVersion:
		return refuse("The snapshot has the format %d, made by version %s. This manager reads up to %d: restore it into a newer one",
			m.Version, m.MadeBy, formatVersion)
	}
	for name := range m.Entries {
		if !isEntryName(name) || a.files[name] == nil {
			return refuse("The snapshot is damaged: %q should be in it", name)
		}
	}
	for name := range a.files {
		if _, listed := m.Entries[name]; !listed && name != manifestName && name != keysName {
			return refuse("The snapshot is damaged: its %s does not list %q", manifestName, name)
		}
	}
	return m.know(tables)
}

// know compares the archive's tables with those that there are.
func (m *Manifest) know(tables []store.Table) error {
	known := map[string]store.Table{}
	for _, t := range tables {
		known[t.Name] = t
	}
	seen := map[string]bool{}
	for i := range m.Tables {
		t := &m.Tables[i]
		here, ok := known[t.Name]
		if !ok || seen[t.Name] {
			return refuse("The snapshot has a table %q, which this manager does not know or which is there twice", t.Name)
		}
		if _, ok := m.Entries[tableFile(t.Name)]; !ok {
			return refuse("The snapshot is damaged: %q should be in it", tableFile(t.Name))
		}
		seen[t.Name] = true
		t.known, t.places = here, map[string]int{}
		for place, c := range t.Columns {
			at := here.Column(c.Name)
			if _, twice := t.places[c.Name]; twice || at < 0 || here.Columns[at].Kind != c.Kind {
				return refuse("The snapshot has a column %s.%s (%s), which this manager does not know", t.Name, c.Name, c.Kind)
			}
			t.places[c.Name] = place
		}
	}
	for name := range m.Entries {
		table, is := strings.CutPrefix(strings.TrimSuffix(name, tablesSuffix), tablesPrefix)
		if is && !seen[table] {
			return refuse("The snapshot is damaged: its %s does not describe the table %q", manifestName, table)
		}
	}
	return nil
}

// check reads the whole archive, compares it with its checksums, and reads
// every row. each is called for the rows of all tables; it may be nil.
func (a *archive) check(ctx context.Context, each func(t *TableEntry, row []any) error) error {
	for i := range a.manifest.Tables {
		t := &a.manifest.Tables[i]
		if err := a.rows(ctx, t, func(row []any) error {
			if each == nil {
				return nil
			}
			return each(t, row)
		}); err != nil {
			return err
		}
	}
	for _, name := range value.SortedKeys(a.manifest.Entries) {
		if strings.HasPrefix(name, tablesPrefix) {
			continue
		}
		content, err := a.content(name)
		if err != nil {
			return err
		}
		hash, isBlob := strings.CutPrefix(name, blobsPrefix)
		if isBlob && a.manifest.Entries[name].SHA256 != hash {
			return refuse("The snapshot is damaged: %s has another content", name)
		}
		_, err = io.Copy(io.Discard, content)
		if err = errors.Join(err, content.Close(), ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

// content opens an entry. Reading it to its end gives an error if it is not
// what the manifest says.
func (a *archive) content(name string) (io.ReadCloser, error) {
	want, ok := a.manifest.Entries[name]
	if !ok {
		return nil, refuse("The snapshot is damaged: %q should be in it", name)
	}
	inner, err := a.files[name].Open()
	if err != nil {
		return nil, refuse("The snapshot is damaged: %s: %s", name, err)
	}
	return &checked{inner: inner, name: name, want: want, sum: &summed{to: io.Discard, hash: sha256.New()}}, nil
}

// checked compares what is read with an entry's size and checksum.
type checked struct {
	inner io.ReadCloser
	name  string
	want  Entry
	sum   *summed
}

func (c *checked) Read(b []byte) (int, error) {
	n, err := c.inner.Read(b)
	_, _ = c.sum.Write(b[:n])
	switch {
	case c.sum.size > c.want.Size:
		return n, refuse("The snapshot is damaged: %s is longer than the %d bytes that it should have", c.name, c.want.Size)
	case err != nil && !errors.Is(err, io.EOF):
		return n, refuse("The snapshot is damaged: %s: %s", c.name, err)
	case err != nil && (c.sum.size != c.want.Size || hex.EncodeToString(c.sum.hash.Sum(nil)) != c.want.SHA256):
		return n, refuse("The snapshot is damaged: the checksum of %s is wrong", c.name)
	}
	return n, err
}

func (c *checked) Close() error { return c.inner.Close() }

// rows calls each for the rows of a table. The row is only valid during the call.
func (a *archive) rows(ctx context.Context, t *TableEntry, each func(row []any) error) error {
	content, err := a.content(tableFile(t.Name))
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	lines := bufio.NewReaderSize(content, 1<<16)
	row := make([]any, len(t.Columns))
	for n := int64(1); ; n++ {
		line, err := readLine(lines)
		if errors.Is(err, io.EOF) && len(line) == 0 {
			if n-1 != t.Rows {
				return refuse("The snapshot is damaged: %s has %d rows instead of %d", t.Name, n-1, t.Rows)
			}
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err := t.parse(line, row); err != nil {
			return refuse("The snapshot is damaged: row %d of %s: %s", n, t.Name, err)
		}
		if err := errors.Join(each(row), ctx.Err()); err != nil {
			return err
		}
	}
}

// readLine reads up to a newline, which may be missing from the last line.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxRow {
			return nil, refuse("The snapshot is damaged: a row is larger than %d bytes", int64(maxRow))
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// parse reads a line into a row.
func (t *TableEntry) parse(line []byte, row []any) error {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	var cells []any
	if err := decoder.Decode(&cells); err != nil {
		return err
	}
	if rest, err := io.ReadAll(io.MultiReader(decoder.Buffered(), bytes.NewReader(nil))); err != nil || len(bytes.TrimSpace(rest)) > 0 {
		return errors.New("there is more than one row in the line")
	}
	if len(cells) != len(row) {
		return fmt.Errorf("it has %d cells instead of %d", len(cells), len(row))
	}
	for i, c := range cells {
		v, ok := cellOf(t.Columns[i].Kind, c)
		if !ok {
			return fmt.Errorf("the cell %s is no %s", t.Columns[i].Name, t.Columns[i].Kind)
		}
		row[i] = v
	}
	return nil
}

func cellOf(k store.CellKind, c any) (v any, ok bool) {
	switch c := c.(type) {
	case nil:
		return nil, true
	case bool:
		return c, k == store.BooleanCell
	case json.Number:
		n, err := c.Int64()
		return n, err == nil && k == store.NumberCell
	case string:
		if k == store.BytesCell {
			raw, err := base64.StdEncoding.DecodeString(c)
			return raw, err == nil
		}
		return c, k == store.TextCell
	}
	return nil, false
}

// cell finds a cell of a row by its column; nil if the archive has none.
func (t *TableEntry) cell(row []any, column string) any {
	if at, ok := t.places[column]; ok {
		return row[at]
	}
	return nil
}
