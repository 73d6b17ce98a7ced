package rest

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"windlass/internal/store"
)

// form makes a multipart body of name and content pairs; those named as files
// get a file name.
func form(t *testing.T, parts ...[2]string) (io.Reader, map[string]string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		var f io.Writer
		var err error
		if p[0] == "blueprint_archive" || p[0] == "file" {
			f, err = w.CreateFormFile(p[0], "filename")
		} else {
			f, err = w.CreateFormField(p[0])
		}
		if err == nil {
			_, err = io.WriteString(f, p[1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b, map[string]string{"Content-Type": w.FormDataContentType()}
}

func TestBlueprintUploadForms(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	params := `{"visibility": "private", "async_upload": "True", "application_file_name": "a%20b.yaml", "labels": [{"key": "k", "value": ["v", "w"]}]}`
	for i, tt := range []struct {
		name string
		send func(id string) answered
	}{
		{"params first", func(id string) answered {
			body, header := form(t, [2]string{"params", params}, [2]string{"blueprint_archive", "ARCHIVE"})
			return a.do(ask{method: "PUT", path: "/blueprints/" + id, body: body, header: header})
		}},
		{"params last", func(id string) answered {
			body, header := form(t, [2]string{"blueprint_archive", "ARCHIVE"}, [2]string{"params", params})
			return a.do(ask{method: "PUT", path: "/blueprints/" + id, body: body, header: header})
		}},
		{"raw, chunked, with the type of JSON", func(id string) answered {
			query := "?visibility=private&async_upload=True&application_file_name=a%2520b.yaml&labels=%5B%7B%22key%22:%22k%22,%22value%22:%5B%22v%22,%22w%22%5D%7D%5D"
			return a.do(ask{method: "PUT", path: "/blueprints/" + id + query, body: io.MultiReader(strings.NewReader("ARC"), strings.NewReader("HIVE"))})
		}},
	} {
		id := fmt.Sprintf("bp%d", i)
		tt.send(id).is(http.StatusCreated)
		u := a.rooms.uploads[len(a.rooms.uploads)-1]
		got := fmt.Sprint(u.ID, " ", u.Visibility, " ", u.MainFile, " ", len(u.Labels), " ", a.rooms.content[len(a.rooms.content)-1])
		if want := id + " private a b.yaml 2 ARCHIVE"; got != want {
			t.Errorf("%s: got %s, want %s", tt.name, got, want)
		}
	}
	body, header := form(t, [2]string{"params", `{"blueprint_archive_url": "http://example.com/x.zip"}`})
	a.do(ask{method: "PUT", path: "/blueprints/url", body: body, header: header}).is(http.StatusCreated)
	if u := a.rooms.uploads[len(a.rooms.uploads)-1]; u.URL != "http://example.com/x.zip" || u.Archive != nil {
		t.Errorf("by URL: %+v", u)
	}
	body, header = form(t, [2]string{"params", `[]`})
	a.do(ask{method: "PUT", path: "/blueprints/x", body: body, header: header}).refused("bad_parameters_error", "not a JSON object")
	a.do(ask{method: "PUT", path: "/blueprints/1x", body: "ARCHIVE"}).refused("bad_parameters_error", "must begin with a letter")
	a.do(ask{method: "PUT", path: "/blueprints/x?async_upload=maybe", body: "ARCHIVE"}).refused("bad_parameters_error", "must be <true/false>")
}

func TestUploadsAreBounded(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(c *Config) { c.MaxUpload = 100 })
	a.do(ask{method: "PUT", path: "/blueprints/big", body: strings.Repeat("x", 200)}).refused("request_too_large_error", "100 bytes")
}

func TestDownloadsHaveLengthAndName(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.write(func(tx store.Tx) error {
		return tx.AddBlueprint(t.Context(), store.Blueprint{Owned: owned("admin"), ID: "bp", State: store.BlueprintUploaded, ArchiveHash: "h", ArchiveSuffix: "tar.gz"})
	})
	r := a.get("/blueprints/bp/archive").is(http.StatusOK)
	if string(r.body) != "archive of bp" || r.header.Get("Content-Length") != "13" ||
		r.header.Get("Content-Disposition") != `attachment; filename="bp.tar.gz"` || r.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%q with %v", r.body, r.header)
	}
	a.get("/resources/uploaded-blueprints/default_tenant/bp/bp.tar.gz").is(http.StatusOK)
	a.get("/resources/uploaded-blueprints/default_tenant/bp/other.zip").is(http.StatusNotFound)
}
