package script_test

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"windlass/internal/operation"
	"windlass/internal/operation/script"
)

func TestInlineScripts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, source, want string }{
		{"shell", "\n    if true; then\n        echo shell\n    fi\n", "shell"},
		{"python", "\n    from cloudify import ctx\n    if True:\n        print('python', ctx.node.id)\n", "python web"},
		{"shebang", "#!/usr/bin/perl\nprint \"perl\\n\"", "perl"},
		{"python by shebang", "#!/usr/bin/env python3\nfrom cloudify import ctx\nprint(ctx.type)", "node-instance"},
		{"valid in both, with a shebang", "#!/bin/sh\ntrue", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			host := newHost()
			r := newRunner(t, nil)
			for range 2 { // the second time its language is known
				_, err := r.Run(t.Context(), request(t, map[string]any{"script_source": c.source}), host)
				mustSucceed(t, err, host)
			}
			want := strings.TrimSpace(strings.Repeat(c.want+"\n", 2))
			if got := join(host.Output("<out> ")); got != want {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestEvalPython(t *testing.T) {
	t.Parallel()
	_, host, err := run(t, "s.sh", "print('python')", map[string]any{"process": map[string]any{"eval_python": true}})
	mustSucceed(t, err, host)
	_, host2, err := run(t, "s.py", "#!/bin/sh\necho $INPUT", map[string]any{"INPUT": "shell", "process": map[string]any{"eval_python": false}})
	mustSucceed(t, err, host2)
	if got := join(host.Output("<out> ")) + join(host2.Output("<out> ")); got != "pythonshell" {
		t.Errorf("%q", got)
	}
}

func TestScriptsFromFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "my script.sh")
	if err := os.WriteFile(path, []byte("echo from file"), 0o600); err != nil {
		t.Fatal(err)
	}
	host := newHost()
	r := newRunner(t, func(c *script.Config) { c.MaxScript = 1000 })
	_, err := r.Run(t.Context(), request(t, map[string]any{"script_path": "file://" + path}), host)
	mustSucceed(t, err, host)
	if got := join(host.Output("<out> ")); got != "from file" {
		t.Errorf("%q", got)
	}
	for url, want := range map[string]string{
		"file:///dev/zero": "is not a regular file",
		"file:///no/such":  "no such file",
	} {
		_, err := r.Run(t.Context(), request(t, map[string]any{"script_path": url}), host)
		if e := operationError(t, err); !strings.Contains(e.Message, want) {
			t.Errorf("%s: %v", url, e)
		}
	}
	host.Resources["long.sh"] = strings.Repeat("#", 1001)
	_, err = r.Run(t.Context(), request(t, map[string]any{"script_path": "long.sh"}), host)
	if e := operationError(t, err); !strings.Contains(e.Message, "longer than 1000 bytes") {
		t.Errorf("%v", e)
	}
}

func TestScriptsFromHTTP(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/ok.sh", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("echo from http")) })
	mux.HandleFunc("/created.sh", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) })
	mux.HandleFunc("/long.sh", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 5000)) })
	mux.HandleFunc("/slow.sh", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	plain := httptest.NewServer(mux)
	defer plain.Close()
	secure := httptest.NewUnstartedServer(mux)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains about a client that distrusts it
	secure.StartTLS()
	defer secure.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}))
	r := newRunner(t, func(c *script.Config) { c.MaxScript, c.DownloadTimeout = 4000, 1500*time.Millisecond })
	for _, c := range []struct {
		name, url, ca, out string
		recoverable        bool
		failure            string
	}{
		{name: "http", url: plain.URL + "/ok.sh?version=2", out: "from http"},
		{name: "https", url: secure.URL + "/ok.sh", ca: ca, out: "from http"},
		{name: "unknown authority", url: secure.URL + "/ok.sh", recoverable: true, failure: "certificate"},
		{name: "odd certificate", url: secure.URL + "/ok.sh", ca: "x", failure: "no certificate in PEM form"},
		{name: "not found", url: plain.URL + "/gone.sh", failure: "Failed downloading script: " + plain.URL + "/gone.sh (status code: 404)"},
		{name: "not quite ok", url: plain.URL + "/created.sh", failure: "(status code: 201)"},
		{name: "long", url: plain.URL + "/long.sh", failure: "longer than 4000 bytes"},
		{name: "slow", url: plain.URL + "/slow.sh", recoverable: true, failure: "it took longer than 1.5s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			host := newHost()
			_, err := r.Run(t.Context(), request(t, map[string]any{"script_path": c.url, "ssl_cert_content": c.ca}), host)
			if c.failure == "" {
				mustSucceed(t, err, host)
				if got := join(host.Output("<out> ")); got != c.out {
					t.Errorf("%q", got)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.failure) {
				t.Fatalf("%v", err)
			}
			if !c.recoverable && operationError(t, err).Verdict != operation.NonRecoverable {
				t.Errorf("%v", err)
			}
		})
	}
}
