package rest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"windlass/internal/access"
	"windlass/internal/store"
)

func TestResources(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.write(func(tx store.Tx) error {
		return tx.AddBlueprint(t.Context(), store.Blueprint{Owned: owned("admin"), ID: "bp", State: store.BlueprintUploaded, ArchiveHash: "h"})
	})
	a.deployment("d1")
	a.member("viw", access.DefaultTenant, access.TenantViewer)
	a.member("non", "", "")
	files := filepath.Join(a.rooms.dir, "blueprints", "default_tenant", "bp")
	work := filepath.Join(a.rooms.dir, "deployments", "default_tenant", "d1")
	for _, dir := range []string{filepath.Join(files, "scripts"), work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{filepath.Join(files, "scripts", "run.sh"): "#!/bin/sh", filepath.Join(a.rooms.dir, "outside"): "secret"} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(a.rooms.dir, "outside"), filepath.Join(files, "link")); err != nil {
		t.Fatal(err)
	}
	const base = "/resources/blueprints/default_tenant/bp/"
	r := a.get(base + "scripts/run.sh").is(http.StatusOK)
	if string(r.body) != "#!/bin/sh" || r.header.Get("Content-Disposition") != `attachment; filename="run.sh"` {
		t.Errorf("%q %v", r.body, r.header)
	}
	if index := a.get(base).is(http.StatusOK).object(); len(index) != 1 || index["scripts/run.sh"] == nil {
		t.Errorf("index: %v", index)
	}
	for _, path := range []string{
		base + "nope", base + "link", base + "scripts", base + "..%2f..%2f..%2f..%2foutside", base + "%2e%2e/%2e%2e/%2e%2e/outside",
		"/resources/blueprints/default_tenant/nope/x", "/resources/etc/passwd", "/resources/blueprints/..%2f..%2fetc/bp/x",
		"/resources/blueprints/default_tenant/..%2fd1/x", "/resources/deployments/default_tenant/d1/%00",
	} {
		if r := a.get(path); r.status != http.StatusNotFound || strings.Contains(string(r.body), "secret") {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	a.do(ask{method: "GET", path: base + "scripts/run.sh", user: login("viw")}).is(http.StatusOK)
	a.do(ask{method: "GET", path: base + "scripts/run.sh", user: login("non"), tenant: "-"}).is(http.StatusForbidden)
	a.do(ask{method: "PUT", path: base + "x", body: "x"}).refused("forbidden_error", "Only files of deployments")

	// A deployment's files can be written, one by one and by the archive.
	const own = "/resources/deployments/default_tenant/d1/"
	a.do(ask{method: "PUT", path: own + "a/b.txt", body: "content"}).is(http.StatusOK)
	body, header := form(t, [2]string{"mtime", "2026-01-02T03:04:05+00:00"}, [2]string{"file", "dated"})
	a.do(ask{method: "PUT", path: own + "dated", body: body, header: header}).is(http.StatusOK)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "./top.txt", Mode: 0o644, Size: 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("top")); err != nil {
		t.Fatal(err)
	}
	w.Close()
	z.Close()
	a.do(ask{method: "PUT", path: own + "?extract=yes", body: &packed}).is(http.StatusOK)
	index := a.get(own).is(http.StatusOK).object()
	if len(index) != 3 || index["dated"] != "2026-01-02T03:04:05+00:00" || index["top.txt"] == nil || index["a/b.txt"] == nil {
		t.Errorf("index: %v", index)
	}
	if got := a.get(own + "a/b.txt"); string(got.body) != "content" {
		t.Errorf("read back: %s", got.body)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(a.get(own + "?archive=True").is(http.StatusOK).body))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for tr := tar.NewReader(unzipped); ; {
		h, err := tr.Next()
		if err != nil {
			break
		}
		names = append(names, h.Name)
	}
	if strings.Join(names, " ") != "a/b.txt dated top.txt .cloudify-index.json" {
		t.Errorf("packed: %v", names)
	}
	a.do(ask{method: "DELETE", path: own + "a/b.txt"}).is(http.StatusNoContent)
	a.get(own + "a/b.txt").is(http.StatusNotFound)
	a.do(ask{method: "PUT", path: own + "x", user: login("viw"), body: "x"}).refused("forbidden_error", "deployment_update")
}
