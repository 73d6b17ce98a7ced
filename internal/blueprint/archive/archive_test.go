package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type entry struct {
	name, content, link string
	kind                byte
}

func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, e := range entries {
		kind := e.kind
		if kind == 0 {
			kind = tar.TypeReg
		}
		h := &tar.Header{Name: e.name, Typeflag: kind, Linkname: e.link, Mode: 0o755, Size: int64(len(e.content))}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		f, err := w.Create(e.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func extract(t testing.TB, l Limits, data []byte) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return l.Extract(file, t.TempDir())
}

func TestExtract(t *testing.T) {
	t.Parallel()
	files := []entry{{name: "bp/blueprint.yaml", content: "x"}, {name: "bp/scripts/run.sh", content: "#!/bin/sh"}}
	for name, data := range map[string][]byte{
		"tar":             tarOf(t, files...),
		"tar.gz":          gzipOf(t, tarOf(t, files...)),
		"zip":             zipOf(t, files...),
		"tar with ./":     tarOf(t, entry{name: "./", kind: tar.TypeDir}, entry{name: "./bp/blueprint.yaml", content: "x"}, entry{name: "./bp/scripts/run.sh", content: "#!/bin/sh"}),
		"zip backslashes": zipOf(t, entry{name: `bp\blueprint.yaml`, content: "x"}, entry{name: `bp\scripts\run.sh`, content: "#!/bin/sh"}),
		"inner link":      tarOf(t, append(files, entry{name: "bp/scripts/link", link: "../blueprint.yaml", kind: tar.TypeSymlink})...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top, err := extract(t, Default, data)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(top, "scripts", "run.sh")); err != nil || string(got) != "#!/bin/sh" {
				t.Errorf("scripts/run.sh = %q, %v", got, err)
			}
			if filepath.Base(top) != "bp" {
				t.Errorf("top folder is %s", top)
			}
		})
	}
}

func TestExtractRefuses(t *testing.T) {
	t.Parallel()
	good := entry{name: "bp/blueprint.yaml", content: "x"}
	for name, tc := range map[string]struct {
		data []byte
		says string
	}{
		"dot dot":         {tarOf(t, good, entry{name: "bp/../../etc/passwd"}), "leads out"},
		"absolute":        {tarOf(t, good, entry{name: "/etc/passwd"}), "leads out"},
		"two folders":     {tarOf(t, good, entry{name: "other/x"}), "second entry at the top"},
		"file at the top": {tarOf(t, entry{name: "blueprint.yaml"}), "a file at the top"},
		"link out":        {tarOf(t, good, entry{name: "bp/l", link: "../../etc", kind: tar.TypeSymlink}), "outside the archive"},
		"absolute link":   {tarOf(t, good, entry{name: "bp/l", link: "/etc", kind: tar.TypeSymlink}), "outside the archive"},
		"hard link out":   {tarOf(t, good, entry{name: "bp/l", link: "/etc/passwd", kind: tar.TypeLink}), "outside the archive"},
		"device":          {tarOf(t, good, entry{name: "bp/d", kind: tar.TypeChar}), "only files"},
		"empty":           {tarOf(t), "not a zip"},
		"empty zip":       {zipOf(t), "it is empty"},
		"not an archive":  {[]byte("tosca_definitions_version: cloudify_dsl_1_3"), "not a zip"},
		"truncated gzip":  {gzipOf(t, tarOf(t, good))[:20], "unexpected EOF"},
		"gzip of text":    {gzipOf(t, []byte("hello")), "archive:"},
		"too many":        {tarOf(t, good, entry{name: "bp/1"}, entry{name: "bp/2"}, entry{name: "bp/3"}), "more than 3 entries"},
		"too large":       {tarOf(t, entry{name: "bp/x", content: strings.Repeat("x", 2000)}), "more than 1000 bytes"},
		"bomb":            {gzipOf(t, tarOf(t, entry{name: "bp/x", content: strings.Repeat("\x00", 900)})), "times its size"},
		"link out by a link": {tarOf(t, entry{name: "bp/a", link: ".", kind: tar.TypeSymlink},
			entry{name: "bp/l", link: "a/a/../../x", kind: tar.TypeSymlink}), "inside the archive"},
		"file under a file":  {tarOf(t, good, entry{name: "bp/blueprint.yaml/x", content: "y"}), "blueprint.yaml"},
		"through a bad link": {tarOf(t, good, entry{name: "bp/l", link: "l", kind: tar.TypeSymlink}, entry{name: "bp/l/x"}), "bp/l/x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := extract(t, Limits{Entries: 3, Bytes: 1000, Ratio: 3}, tc.data)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got error %v, want one with %q", err, tc.says)
			}
		})
	}
}

func TestPackIsReproducibleAndExtracts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"blueprint.yaml": 0o644, "s/run.sh": 0o755, ".git/config": 0o644} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	var one, two bytes.Buffer
	if err := errors.Join(Pack(&one, dir, "top"), Pack(&two, dir, "top")); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("packing twice gave different bytes")
	}
	top, err := extract(t, Default, one.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(top, "s", "run.sh")); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("s/run.sh: %v, %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(top, ".git")); err == nil {
		t.Error(".git was packed")
	}
}

func FuzzArchive(f *testing.F) {
	good := []entry{{name: "bp/blueprint.yaml", content: "x"}, {name: "bp/l", link: "blueprint.yaml", kind: tar.TypeSymlink}}
	f.Add(tarOf(f, good...))
	f.Add(gzipOf(f, tarOf(f, good...)))
	f.Add(zipOf(f, good[:1]...))
	f.Add([]byte("BZh91AY&SY"))
	f.Fuzz(func(t *testing.T, data []byte) {
		work := t.TempDir()
		dest := filepath.Join(work, "dest")
		if err := os.Mkdir(dest, 0o755); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(work, "a")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = Limits{Entries: 100, Bytes: 1 << 20, Ratio: 100}.Extract(file, dest)
		left, err := os.ReadDir(work)
		if err != nil {
			t.Fatal(err)
		}
		if len(left) != 2 {
			t.Fatalf("something was written outside: %v", left)
		}
	})
}
