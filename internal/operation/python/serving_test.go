package python_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/operation"
	"windlass/internal/operation/python"
)

// These tests, as all of this package, are run twice: on an interpreter without
// and on one with the original's package.

// serveREST serves what the tests' operations ask the REST API for.
func serveREST(t testing.TB) string {
	t.Helper()
	answers := map[string]string{
		"/node-instances/vm_1": `{"id": "vm_1", "node_id": "vm", "host_id": "vm_1", "deployment_id": "dep", "state": "started", "version": 1,
			"index": 1, "relationships": [], "scaling_groups": [], "system_properties": {}, "runtime_properties": {"ip": "10.0.0.1"}}`,
		"/managers":            `{"items": [{"hostname": "m1", "networks": {"default": "m1"}}, {"hostname": "m2", "networks": {}}], "metadata": {}}`,
		"/executions/exec-1":   `{"id": "exec-1", "status": "started"}`,
		"/config/task_retries": `{"name": "task_retries", "value": 60, "scope": ["workflow"]}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[strings.TrimPrefix(r.URL.Path, "/api/v3.1")]
		if !ok || r.Header.Get("Execution-Token") != "secret" || r.Header.Get("Tenant") != "default_tenant" {
			t.Errorf("unexpected: %s %v", r.URL, r.Header)
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// originals is the folder of the original's package that the interpreter of the
// tests has; "" if it has none.
func originals(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), interpreter(), "-c", "import cloudify.endpoint as e; print(e.__file__)").Output()
	if err != nil {
		return ""
	}
	return filepath.Dir(strings.TrimSpace(string(out)))
}

// Where the original's package is installed, operations run on it.
func TestWhatServes(t *testing.T) {
	t.Parallel()
	result, _, err := run(t, newRunner(t, nil), "serving", nil)
	if err != nil {
		t.Fatal(err)
	}
	got := result.(map[string]any)
	if got["context"] != true || got["modules"] != true {
		t.Errorf("%v", got)
	}
	folder, client := got["folder"].(string), got["client"].(string)
	if theirs := originals(t); theirs != "" {
		if folder != theirs || filepath.Dir(filepath.Dir(client)) != filepath.Dir(theirs) {
			t.Errorf("%v, not %s", got, theirs)
		}
	} else if _, err := os.Stat(filepath.Join(folder, "_serving.py")); err != nil {
		t.Errorf("%v: %v", got, err)
	}
}

// A package of that name that can't be used is passed over.
func TestBrokenOriginal(t *testing.T) {
	t.Parallel()
	site := t.TempDir()
	for name, text := range map[string]string{"__init__.py": "", "endpoint.py": "import no_such_module"} {
		path := filepath.Join(site, "cloudify", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := newRunner(t, func(c *python.Config) {
		e := c.Environments.(environments)
		e.Path = append([]string{site}, e.Path...)
		c.Environments = e
	})
	result, host, err := run(t, r, "serving", nil)
	if err != nil {
		t.Fatal(err, host.Lines())
	}
	if folder := result.(map[string]any)["folder"].(string); strings.HasPrefix(folder, site) {
		t.Error(folder)
	}
}

func TestRelationships(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	for _, side := range []string{"source", "target"} {
		host := newHost()
		req := request(t, "relates", nil)
		req.Relationship = &operation.Relationship{
			Source: operation.Subject{NodeID: "web", InstanceID: "web_1"}, Target: operation.Subject{NodeID: "vm", InstanceID: "vm_1"},
			OnTarget: side == "target",
		}
		if side == "target" {
			req.Self = req.Relationship.Target
		}
		got, err := r.Run(within(t, time.Minute), req, host)
		if err != nil {
			t.Fatal(err)
		}
		capable := []any{}
		if side == "source" { // that of its own relationship
			capable = []any{"vm_1"}
		}
		want := []any{
			"relationship-instance", side, "web_1", "10.0.0.1", capable,
			"ctx.node/ctx.instance can only be used in a node-instance context but used in a relationship-instance context.",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", side, d)
		}
		if d := cmp.Diff(map[string]any{"a": int64(1), "seen": []any{"vm_1", "vm"}}, host.Runtime("web_1")); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(map[string]any{"ip": "10.0.0.1", "by": int64(80)}, host.Runtime("vm_1")); d != "" {
			t.Error(d)
		}
	}
}

func TestStoringRuntimeProperties(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	for _, c := range []struct {
		way     string
		others  int // how often somebody else stores something first
		want    map[string]any
		result  any
		failure string
	}{
		{way: "apart", others: 2, want: map[string]any{"a": int64(1), "mine": int64(1), "other": int64(2)}},
		{way: "whole", want: map[string]any{"mine": int64(1)}},
		{way: "handler", others: 2, want: map[string]any{"a": int64(1), "mine": int64(3), "other": int64(2)}, result: int64(3)},
		{way: "nested", want: map[string]any{"a": int64(1), "mine": int64(1), "deep": map[string]any{"er": int64(5)}}},
		{way: "removed", want: map[string]any{"c": int64(3)}},
		{way: "refresh", want: map[string]any{"a": int64(1)}, result: []any{
			"runtime_properties are dirty: refreshing now would destroy local changes", false}},
		{way: "other", want: map[string]any{"a": int64(1)}, failure: "Cannot modify runtime properties of relationship node instances"},
	} {
		t.Run(c.way, func(t *testing.T) {
			t.Parallel()
			host := newHost()
			if c.way == "nested" {
				host.Change("web_1", func(p map[string]any) { p["deep"] = map[string]any{"er": int64(4)} })
			}
			left := c.others
			host.BeforeUpdate = func(id string) {
				if left > 0 {
					left--
					host.Change(id, func(p map[string]any) { p["other"] = int64(c.others - left) })
				}
			}
			result, err := r.Run(within(t, time.Minute), request(t, "merges", map[string]any{"way": c.way}), host)
			if c.failure != "" {
				if e := operationError(t, err); e.Message != c.failure || e.Verdict != operation.NonRecoverable {
					t.Errorf("%+v", e)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.result, result); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.want, host.Runtime("web_1")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestResources(t *testing.T) {
	t.Parallel()
	if exec.CommandContext(t.Context(), interpreter(), "-c", "import jinja2").Run() != nil {
		t.Skip("the interpreter has no Jinja2, which renders templates")
	}
	host := newHost()
	host.Resources["conf/t.txt"] = "{{ who }} at {{ ctx.node.properties.port }}"
	got, err := newRunner(t, nil).Run(within(t, time.Minute), request(t, "renders", nil), host)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]any{"you at 80", "me at 80", []any{"HttpException", int64(404), true}, "the text"}, got); d != "" {
		t.Error(d)
	}
}

// What only the manager knows comes over the REST API.
func TestManagersFacts(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	req := request(t, "cluster", nil)
	req.RestURL, req.Token = serveREST(t), "secret"
	got, err := r.Run(within(t, time.Minute), req, newHost())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]any{[]any{"m1"}, "started", int64(60)}, got); d != "" {
		t.Error(d)
	}
	_, err = r.Run(within(t, time.Minute), request(t, "asks_rest", nil), newHost())
	if e := operationError(t, err); fmt.Sprint(e.Type, ": ", e.Message) != "NonRecoverableError: no REST API is served here (local profile): use a manager, see cfy manager start" {
		t.Errorf("%+v", e)
	}
}
