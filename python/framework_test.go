package python_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/python"
)

// runPython runs a program on the framework and returns what it prints.
func runPython(t *testing.T, program string, args ...string) string {
	t.Helper()
	root, err := python.Unpack(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "python3", append([]string{"-c", program}, args...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "PYTHONPATH="+root)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// A plugin's own unit tests run without a manager.
func TestMocks(t *testing.T) {
	t.Parallel()
	got := runPython(t, `
from cloudify import ctx, mocks
from cloudify.exceptions import NonRecoverableError
from cloudify.state import current_ctx, ctx_parameters

mock = mocks.MockCloudifyContext(
    node_id='web_1', node_name='web', node_type='test.Web', deployment_id='d', blueprint_id='b', tenant={'name': 't'},
    properties={'port': 80}, runtime_properties={'a': 1}, resources={'f': b'data'}, index=3,
    operation={'name': 'create', 'retry_number': 2})
with current_ctx.push(mock, {'size': 5}):
    print(ctx.node.properties['port'], ctx.node.name, ctx.instance.id, ctx.instance.index, ctx.type)
    ctx.instance.runtime_properties['b'] = 2
    ctx.instance.update()
    print(ctx.instance.runtime_properties, ctx.get_resource('f'), ctx_parameters.size)
    print(ctx.operation.retry_number, ctx.operation.name, ctx.deployment.id, ctx.blueprint.id, ctx.tenant_name)
    ctx.logger.debug('hidden')
    try:
        ctx.source
    except NonRecoverableError as e:
        print(e)
side = mocks.MockRelationshipSubjectContext(mocks.MockNodeContext('n', {'x': 1}), mocks.MockNodeInstanceContext('n_1', {}))
related = mocks.MockCloudifyContext(source=side, target=side, deployment_id='d')
print(related.type, related.source.node.properties['x'], related.target.instance.id)
`)
	want := `80 web web_1 3 node-instance
{'a': 1, 'b': 2} b'data' 5
2 create d b t
ctx.source/ctx.target can only be used in a relationship-instance context but used in a node-instance context.
relationship-instance 1 n_1
`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// What the framework lacks is taken from another package of the same name, and
// what both have is the framework's.
func TestGapsAreFilled(t *testing.T) {
	t.Parallel()
	other := filepath.Join(t.TempDir(), "site")
	for name, text := range map[string]string{
		"cloudify/__init__.py":             "raise RuntimeError('never loaded')",
		"cloudify/utils.py":                "from cloudify import exceptions\ndef get_func(x): return 'theirs'\ndef odd_helper(): return exceptions.NonRecoverableError",
		"cloudify/zip_utils.py":            "from cloudify.utils import odd_helper\nNAME = 'zip'",
		"cloudify/plugins/extra.py":        "X = 1",
		"cloudify_rest_client/__init__.py": "WHO = 'installed'",
	} {
		path := filepath.Join(other, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := runPython(t, `
import sys
sys.path.append(sys.argv[1])
import cloudify
from cloudify import exceptions, utils
from cloudify.utils import odd_helper
from cloudify import zip_utils
from cloudify.plugins import extra
import cloudify_rest_client
print(cloudify_rest_client.WHO)
print(odd_helper() is exceptions.NonRecoverableError, zip_utils.NAME, extra.X, utils.get_func('os.getcwd').__name__)
try:
    from cloudify.utils import no_such_thing
except ImportError as e:
    print('no_such_thing' in str(e))
`, other)
	if want := "installed\nTrue zip 1 getcwd\nTrue\n"; got != want {
		t.Errorf("%s", got)
	}
}

// exchange is one request that the client made.
type exchange struct {
	Method, URI, Tenant, Token string
	Body                       any
}

func TestRestClient(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []exchange
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		e := exchange{Method: r.Method, URI: r.URL.RequestURI(), Tenant: r.Header.Get("Tenant"), Token: r.Header.Get("Execution-Token")}
		if json.Unmarshal(data, &e.Body) != nil {
			e.Body = len(data)
		}
		mu.Lock()
		seen = append(seen, e)
		mu.Unlock()
		switch {
		case strings.HasSuffix(r.URL.Path, "/gone"):
			w.WriteHeader(404)
			io.WriteString(w, `{"message": "there is no such thing", "error_code": "not_found_error", "server_traceback": null}`)
		case strings.HasSuffix(r.URL.Path, "/busy"):
			w.WriteHeader(409)
			io.WriteString(w, `{"message": "being made", "error_code": "deployment_environment_creation_in_progress_error"}`)
		case strings.HasSuffix(r.URL.Path, "/broken"):
			w.WriteHeader(502)
			io.WriteString(w, "<html>")
		case r.Method == "DELETE":
			w.WriteHeader(204)
		case r.Method == "GET" && strings.HasSuffix(r.URL.Path, "s") && !strings.HasSuffix(r.URL.Path, "outputs"):
			io.WriteString(w, `{"items": [{"id": "one", "state": "started", "number_of_instances": 2}], "metadata": {"pagination": {"total": 7, "size": 1, "offset": 0}}}`)
		default:
			io.WriteString(w, `{"id": "x", "status": "started", "value": "secret", "payload": {"a": 1}, "outputs": {"o": 1}}`)
		}
	}))
	defer server.Close()
	archive := filepath.Join(t.TempDir(), "p.wgn")
	if err := os.WriteFile(archive, make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	host, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	got := runPython(t, `
import sys
import cloudify
from cloudify_rest_client import CloudifyClient
from cloudify_rest_client.exceptions import CloudifyClientError, DeploymentEnvironmentCreationInProgressError
c = CloudifyClient(host=sys.argv[1], port=int(sys.argv[2]), headers={'Execution-Token': 'tok'}, tenant='t1')
print(c.secrets.get('k').value, c.executions.start('d', 'install', parameters={'a': 1}).status)
found = c.node_instances.list(deployment_id='d', node_id='n')
print(len(found), found[0].id, found[0]['state'], found.metadata.pagination.total, found.one().missing)
print(c.nodes.get('d', 'n', evaluate_functions=True).number_of_instances)
print(c.evaluate.functions('d', {}, {'a': {'get_input': 'x'}}).payload, c.deployments.outputs.get('d').outputs)
c.node_instances.update('one', version=3, runtime_properties={'x': 1})
c.deployments.update_labels('d', [{'k': 'v'}])
c.plugins.upload(sys.argv[3], visibility='global')
c.secrets.delete('k')
for id in ('gone', 'busy', 'broken'):
    try:
        c.deployments.get(id)
    except DeploymentEnvironmentCreationInProgressError as e:
        print('in progress', e)
    except CloudifyClientError as e:
        print(e.status_code, e.error_code, e)
try:
    CloudifyClient(host='127.0.0.1', port=1).manager.get_status()
except CloudifyClientError as e:
    print(e.status_code)
`, host, port, archive)
	want := `secret started
1 one started 7 None
2
{'a': 1} {'o': 1}
404 not_found_error 404: there is no such thing
in progress 409: being made
502 None 502: 502: <html>
-1
`
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	wanted := []exchange{
		{"GET", "/api/v3.1/secrets/k", "t1", "tok", 0},
		{"POST", "/api/v3.1/executions", "t1", "tok", map[string]any{
			"deployment_id": "d", "workflow_id": "install", "parameters": map[string]any{"a": 1.0},
			"allow_custom_parameters": false, "force": false, "dry_run": false, "queue": false, "wait_after_fail": 600.0,
		}},
		{"GET", "/api/v3.1/node-instances?deployment_id=d&node_id=n", "t1", "tok", 0},
		{"GET", "/api/v3.1/nodes?deployment_id=d&id=n&_evaluate_functions=true", "t1", "tok", 0},
		{"POST", "/api/v3.1/evaluate/functions", "t1", "tok", map[string]any{
			"deployment_id": "d", "context": map[string]any{}, "payload": map[string]any{"a": map[string]any{"get_input": "x"}},
		}},
		{"GET", "/api/v3.1/deployments/d/outputs", "t1", "tok", 0},
		{"PATCH", "/api/v3.1/node-instances/one", "t1", "tok", map[string]any{"version": 3.0, "runtime_properties": map[string]any{"x": 1.0}}},
		{"PATCH", "/api/v3.1/deployments/d", "t1", "tok", map[string]any{"labels": []any{map[string]any{"key": "k", "value": "v"}}}},
		{"POST", "/api/v3.1/plugins?visibility=global", "t1", "tok", 100},
		{"DELETE", "/api/v3.1/secrets/k", "t1", "tok", 0},
	}
	mu.Lock()
	defer mu.Unlock()
	if d := cmp.Diff(wanted, seen[:min(len(seen), len(wanted))]); d != "" {
		t.Error(d)
	}
}

// Plugins say that they changed runtime properties, or that they did not.
func TestRuntimePropertiesSaidToBeDirty(t *testing.T) {
	t.Parallel()
	got := runPython(t, `
from cloudify._properties import RuntimeProperties
p = RuntimeProperties({'a': {'b': 1}, 'c': 1})
p['a']['b'] = 2
p.dirty = True
print(p.dirty, p.changes())
p.dirty = False
print(p.dirty, p.changes())
del p['c']
print(p.dirty, p.changes())
`)
	want := "True ({'a': {'b': 2}}, [])\nFalse ({}, [])\nTrue ({}, ['c'])\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
