package snapshot

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"windlass/internal/store"
	"windlass/internal/value"
)

func read(t *testing.T, data []byte, tables []store.Table) *archive {
	t.Helper()
	a, err := open(bytes.NewReader(data), int64(len(data)), tables)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// rewritten makes an archive of another one, and puts its sums right.
func rewritten(t testing.TB, from []byte, change func(name string, content []byte) (string, []byte), manifest func(*Manifest)) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(from), int64(len(from)))
	if err != nil {
		t.Fatal(err)
	}
	var m Manifest
	contents := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		if f.Name == manifestName {
			if err := json.Unmarshal(content, &m); err != nil {
				t.Fatal(err)
			}
			continue
		}
		name, content := change(f.Name, content)
		contents[name] = content
	}
	old := m.Entries
	m.Entries = map[string]Entry{}
	for name, content := range contents {
		if name == keysName {
			continue
		}
		sum := sha256.Sum256(content)
		e := old[name]
		e.Size, e.SHA256 = int64(len(content)), hex.EncodeToString(sum[:])
		m.Entries[name] = e
	}
	if manifest != nil {
		manifest(&m)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	put := func(name string, content []byte) {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range value.SortedKeys(contents) {
		put(name, contents[name])
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	put(manifestName, text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func same(name string, content []byte) (string, []byte) { return name, content }

func TestArchivesThatAreNone(t *testing.T) {
	t.Parallel()
	m := newManager(t, databases["sqlite"](t), "1")
	m.fill()
	good := m.download(m.creation("s"))
	tables := m.store.Tables()
	edit := func(change func(name string, content []byte) (string, []byte)) []byte {
		return rewritten(t, good, change, nil)
	}
	told := func(manifest func(*Manifest)) []byte { return rewritten(t, good, same, manifest) }
	in := func(table, from, to string) []byte {
		return edit(func(name string, content []byte) (string, []byte) {
			if name == tableFile(table) {
				if !bytes.Contains(content, []byte(from)) {
					t.Fatalf("%s has no %s", table, from)
				}
				content = bytes.Replace(content, []byte(from), []byte(to), 1)
			}
			return name, content
		})
	}
	for what, bad := range map[string]struct {
		archive []byte
		want    string
	}{
		"empty":             {nil, "no snapshot"},
		"cut":               {good[:len(good)/2], "no snapshot"},
		"of somebody else":  {withoutEntry(t, good, manifestName), "that other managers than Windlass made"},
		"newer":             {told(func(m *Manifest) { m.Version = 99 }), "restore it into a newer one"},
		"another format":    {told(func(m *Manifest) { m.Format = "x" }), "no snapshot"},
		"an entry missing":  {told(func(m *Manifest) { m.Entries["blobs/"+strings.Repeat("0", 64)] = Entry{} }), "should be in it"},
		"an entry too many": {told(func(m *Manifest) { delete(m.Entries, "files/resources/ünï.txt") }), "does not list"},
		"a wrong sum": {told(func(m *Manifest) {
			m.Entries[tableFile("users")] = Entry{Size: m.Entries[tableFile("users")].Size, SHA256: strings.Repeat("0", 64)}
		}), "checksum"},
		"longer than told":    {told(func(m *Manifest) { m.Entries[tableFile("users")] = Entry{Size: 1} }), "longer"},
		"rows too few":        {told(func(m *Manifest) { m.Tables[0].Rows++ }), "rows instead of"},
		"an unknown table":    {told(func(m *Manifest) { m.Tables[0].Name = "wishes" }), "does not know"},
		"a table undescribed": {told(func(m *Manifest) { m.Tables = m.Tables[1:] }), "does not describe"},
		"a table twice":       {told(func(m *Manifest) { m.Tables = append(m.Tables, m.Tables[0]) }), "twice"},
		"an unknown column":   {told(func(m *Manifest) { m.Tables[0].Columns[0].Name = "colour" }), "does not know"},
		"another kind":        {told(func(m *Manifest) { m.Tables[0].Columns[0].Kind = store.NumberCell }), "does not know"},
		"a column twice":      {told(func(m *Manifest) { m.Tables[0].Columns[1] = m.Tables[0].Columns[0] }), "does not know"},
		"a cell of a kind":    {in("tenants", `["a",`, `[7,`), "is no text"},
		"a cell too many":     {in("tenants", `["a",`, `["a","b",`), "cells instead of"},
		"two rows in one":     {in("tenants", "]\n", "] [] \n"), "more than one row"},
		"no JSON":             {in("tenants", `["a",`, `["a`), "row 1 of tenants"},
		"a fraction":          {in("tenants", `["a",17`, `["a",1.7`), "is no number"},

		"a blob's name": {edit(func(name string, content []byte) (string, []byte) {
			if strings.HasPrefix(name, blobsPrefix) {
				name = blobsPrefix + strings.Repeat("a", 64)
			}
			return name, content
		}), "another content"},
		"out of the folder": {edit(func(name string, content []byte) (string, []byte) {
			return strings.Replace(name, "files/resources/", "files/resources/../../../etc/", 1), content
		}), "should be in it"},
	} {
		a, err := open(bytes.NewReader(bad.archive), int64(len(bad.archive)), tables)
		if err == nil {
			err = a.check(t.Context(), nil)
		}
		var refused *Error
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s: got %v, want %q", what, err, bad.want)
		}
	}
	a := read(t, told(nil), tables)
	if err := a.check(t.Context(), nil); err != nil {
		t.Errorf("nothing is wrong, but: %v", err)
	}
}

// TestOlderArchives reads one that knows less than this version.
func TestOlderArchives(t *testing.T) {
	t.Parallel()
	m := newManager(t, databases["sqlite"](t), "1")
	m.fill()
	older := rewritten(t, m.download(m.creation("s")), func(name string, content []byte) (string, []byte) {
		if name != tableFile("execution_schedules") {
			return name, content
		}
		var lines []string
		for line := range strings.Lines(string(content)) {
			var row []any
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(row[:len(row)-1]) // the last column came last
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, string(text))
		}
		return name, []byte(strings.Join(lines, "\n"))
	}, func(m *Manifest) {
		i := slices.IndexFunc(m.Tables, func(t TableEntry) bool { return t.Name == "execution_schedules" })
		m.Tables[i].Columns = m.Tables[i].Columns[:len(m.Tables[i].Columns)-1]
		i = slices.IndexFunc(m.Tables, func(t TableEntry) bool { return t.Name == "sites" })
		m.Tables = slices.Delete(m.Tables, i, i+1)
		delete(m.Entries, tableFile("sites"))
	})
	older = withoutEntry(t, older, tableFile("sites"))
	fresh := newManager(t, databases["sqlite"](t), "1")
	fresh.upload("s", older)
	fresh.succeeded(fresh.Restore(t.Context(), fresh.restoration("s", false)))
	got, err := fresh.store.GetSchedule(t.Context(), "a", "d", "s")
	m.must(err)
	if got.CatchUp != "" || got.WorkflowID != "backup" {
		t.Errorf("the schedule is %+v", got)
	}
	if page, err := fresh.store.ListSites(t.Context(), store.Query{}); err != nil || page.Total != 0 {
		t.Errorf("%d sites, %v", page.Total, err)
	}
}

func withoutEntry(t *testing.T, from []byte, name string) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(from), int64(len(from)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range z.File {
		if f.Name != name {
			if err := w.Copy(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// fuzzTables are what archives are fuzzed against: a column of each kind.
var fuzzTables = []store.Table{{Name: "tenants", Columns: []store.Column{{Name: "name", Kind: store.TextCell}, {Name: "n", Kind: store.NumberCell},
	{Name: "b", Kind: store.BooleanCell}, {Name: "raw", Kind: store.BytesCell}}}}

const fuzzColumns = `[{"name":"name","kind":"text"},{"name":"n","kind":"number"},{"name":"b","kind":"boolean"},{"name":"raw","kind":"bytes"}]`

// storedArchive makes an archive that is not compressed, so that making it costs little.
func storedArchive(t testing.TB, entries ...[2]string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, e := range entries {
		f, err := w.CreateHeader(&zip.FileHeader{Name: e[0], Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, e[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func sumOf(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }

// readTwice reads an archive as far as it goes: it never panics, cells are of
// their kinds, what is wrong is an *Error, and what it accepts reads the same
// again.
func readTwice(t *testing.T, data []byte) {
	a, err := open(bytes.NewReader(data), int64(len(data)), fuzzTables)
	if err != nil {
		return
	}
	count := func() (n int) {
		err := a.check(t.Context(), func(e *TableEntry, row []any) error {
			n++
			for i, c := range row {
				if kind := e.Columns[i].Kind; c != nil && !isOfKind(c, kind) {
					t.Errorf("a %T in %s", c, kind)
				}
			}
			return nil
		})
		if err == nil {
			return n
		}
		var refused *Error
		if !errors.As(err, &refused) {
			t.Errorf("a fault of the archive is no *Error: %v", err)
		}
		return -1
	}
	if one, two := count(), count(); one != two {
		t.Errorf("%d rows, then %d", one, two)
	}
}

func isOfKind(cell any, kind store.CellKind) bool {
	switch cell.(type) {
	case string:
		return kind == store.TextCell
	case int64:
		return kind == store.NumberCell
	case bool:
		return kind == store.BooleanCell
	case []byte:
		return kind == store.BytesCell
	}
	return false
}

const fuzzRow = `["a",1,true,"AAE="]` + "\n" + `[null,null,null,null]` + "\n"

// FuzzArchive reads whatever is given.
func FuzzArchive(f *testing.F) {
	for _, rows := range []string{"", fuzzRow, fuzzRow + "[", `["a"]`} {
		f.Add(storedArchive(f, [2]string{tableFile("tenants"), rows}, [2]string{filesPrefix + "x/y", "z"}, [2]string{manifestName, fmt.Sprintf(
			`{"format":%q,"version":1,"tables":[{"name":"tenants","rows":%d,"columns":%s}],
			"entries":{"tables/tenants.jsonl":{"size":%d,"sha256":%q},"files/x/y":{"size":1,"sha256":%q}}}`,
			formatName, strings.Count(rows, "\n"), fuzzColumns, len(rows), sumOf(rows), sumOf("z"))}, [2]string{keysName, "k"}))
	}
	f.Fuzz(readTwice)
}

// FuzzContents reads archives whose sizes and sums are right, whatever is in
// them: what an archive that somebody made by hand would have.
func FuzzContents(f *testing.F) {
	for _, rows := range []string{"", fuzzRow, fuzzRow + "[", `["a"]`, `["\u0000",9223372036854775808,0,"%"]` + "\n"} {
		f.Add(rows, "x/y", strings.Count(rows, "\n"), fuzzColumns, 1)
	}
	f.Add("", "../x", 0, `[{"name":"name","kind":"text"},{"name":"more","kind":"none"}]`, 2)
	f.Fuzz(func(t *testing.T, rows, file string, n int, columns string, version int) {
		if len(rows)+len(columns) > 1<<12 || strings.HasSuffix(file, "/") {
			t.Skip("large ones only take longer, and folders have no content")
		}
		name, err := json.Marshal(filesPrefix + file)
		if err != nil {
			t.Skip()
		}
		readTwice(t, storedArchive(t, [2]string{tableFile("tenants"), rows}, [2]string{filesPrefix + file, "z"}, [2]string{manifestName, fmt.Sprintf(
			`{"format":%q,"version":%d,"tables":[{"name":"tenants","rows":%d,"columns":%s}],
			"entries":{"tables/tenants.jsonl":{"size":%d,"sha256":%q},%s:{"size":1,"sha256":%q}}}`,
			formatName, version, n, columns, len(rows), sumOf(rows), name, sumOf("z"))}, [2]string{keysName, "k"}))
	})
}
