package script_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/operation"
	"windlass/internal/operation/operationtest"
	"windlass/internal/operation/script"
)

func runPython(t *testing.T, source string, inputs map[string]any) (any, *operationtest.Host, error) {
	t.Helper()
	return run(t, "s.py", source, inputs)
}

func TestPythonContext(t *testing.T) {
	t.Parallel()
	host := newHost()
	host.Nodes["web"] = operation.Node{
		ID: "web", Type: "my.Web", TypeHierarchy: []string{"cloudify.nodes.Root", "my.Web"},
		Properties: map[string]any{"port": int64(8080), "nested": map[string]any{"a": []any{1.0}}}, NumberOfInstances: 3,
	}
	host.Resources["conf/app.conf"] = "port={{ ctx.node.properties.port }} who={{ who }}\n"
	host.Resources["s.py"] = `
import json, os, sys
import cloudify
from cloudify import ctx
from cloudify.state import ctx_parameters, ctx as other_ctx
from cloudify.exceptions import NonRecoverableError
assert __name__ == '__main__' and __file__.endswith('s.py'), __file__
seen = {
    'type': ctx.type, 'task_type': ctx.task_type, 'node': [ctx.node.id, ctx.node.name, ctx.node.type, ctx.node.type_hierarchy],
    'count': ctx.node.number_of_instances, 'port': ctx.node.properties['port'], 'nested': ctx.node.properties.get('nested'),
    'instance': ctx.instance.id, 'runtime': dict(ctx.instance.runtime_properties), 'index': ctx.instance.index,
    'host_ip': ctx.instance.host_ip, 'deployment': [ctx.deployment.id, ctx.deployment.tenant_name],
    'blueprint': ctx.blueprint.id, 'operation': [ctx.operation.name, ctx.operation.retry_number, ctx.operation.max_retries],
    'execution': [ctx.execution_id, ctx.workflow_id, ctx.tenant_name], 'plugin': ctx.plugin, 'workdir': ctx.plugin.workdir,
    'relationships': [[r.type, r.target.node.id, r.target.instance.id, r.target.instance.runtime_properties['ip']]
                      for r in ctx.instance.relationships],
    'capability': ctx.capabilities['ip'],
    'parameters': [ctx_parameters.name, ctx_parameters['name'], dict(ctx_parameters)],
    'resource': ctx.get_resource('conf/app.conf').decode(),
    'same': other_ctx.instance.id == ctx.instance.id,
    'env': os.environ.get('name'), 'argv': len(sys.argv),
    'managers': ctx.get_managers(),
}
with open(ctx.download_resource_and_render('conf/app.conf', template_variables={'who': 'me'})) as f:
    seen['rendered'] = f.read()
for expected, act in [
    ('Cannot override read only properties', lambda: ctx.node.properties.update(a=1)),
    ('ctx.source/ctx.target can only be used in a relationship-instance context but used in a node-instance context.', lambda: ctx.source),
    ('Cannot modify runtime properties of relationship node instances',
     lambda: ctx.instance.relationships[0].target.instance.runtime_properties.update(a=1)),
    ('404 (gone) : Resource not found: gone', lambda: ctx.download_resource('gone')),
]:
    try:
        act()
    except NonRecoverableError as e:
        assert str(e) == expected, e
    else:
        raise AssertionError(expected)
try:
    ctx_parameters.gone
except KeyError:
    pass
ctx.logger.warning('careful: %s', 'ü')
ctx.send_event('happened')
ctx.returns(seen)
`
	req := request(t, map[string]any{"script_path": "s.py", "name": "value"})
	req.Plugin.Name = "script"
	got, err := newRunner(t, nil).Run(t.Context(), req, host)
	mustSucceed(t, err, host)
	want := map[string]any{
		"type": "node-instance", "task_type": "operation",
		"node": []any{"web", "web", "my.Web", []any{"cloudify.nodes.Root", "my.Web"}}, "count": int64(3), "port": int64(8080),
		"nested": map[string]any{"a": []any{1.0}}, "instance": "web_1", "runtime": map[string]any{"greeting": "hello"},
		"index": int64(1), "host_ip": "10.0.0.7", "deployment": []any{"dep", "default_tenant"}, "blueprint": "bp",
		"operation": []any{"cloudify.interfaces.lifecycle.create", int64(0), int64(60)},
		"execution": []any{"exec-1", "install", "default_tenant"}, "plugin": "script", "workdir": req.WorkDir + "/plugins/script",
		"relationships": []any{[]any{"cloudify.relationships.contained_in", "vm", "vm_1", "10.0.0.7"}},
		"capability":    "10.0.0.7", "parameters": []any{"value", "value", map[string]any{"name": "value"}},
		"resource": "port={{ ctx.node.properties.port }} who={{ who }}\n", "same": true, "env": nil, "argv": int64(1),
		"managers": []any{}, "rendered": "port=8080 who=me",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"happened"}, host.Events()); d != "" {
		t.Error(d)
	}
	found := false
	for _, l := range host.Lines() {
		found = found || l == operationtest.Line{Level: "warning", Message: "careful: ü"}
	}
	if !found {
		t.Errorf("%v", host.Lines())
	}
}

func TestPythonRuntimeProperties(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, source string
		want         map[string]any
	}{
		{"set", "p['a'] = 1", map[string]any{"greeting": "hello", "a": int64(1)}},
		{"nested", "p['a'] = {}\nctx.instance.update()\nctx.instance.runtime_properties['a']['b'] = [1]", map[string]any{"greeting": "hello", "a": map[string]any{"b": []any{int64(1)}}}},
		{"delete", "del p['greeting']", map[string]any{}},
		{"pop", "assert p.pop('greeting') == 'hello'", map[string]any{}},
		{"whole", "ctx.instance.runtime_properties = {'new': True}", map[string]any{"new": true}},
		{"update", "p.update({'a': 1}, b=2)", map[string]any{"greeting": "hello", "a": int64(1), "b": int64(2)}},
		{"setdefault", "p.setdefault('a', {})['b'] = 1", map[string]any{"greeting": "hello", "a": map[string]any{"b": int64(1)}}},
		{"int to float", "p['greeting'] = 1\nctx.instance.update()\nctx.instance.runtime_properties['greeting'] = 1.0", map[string]any{"greeting": 1.0}},
		{"kept on failure", "p['a'] = 1\nraise ValueError()", map[string]any{"greeting": "hello", "a": int64(1)}},
		{"kept on exit", "import sys\np['a'] = 1\nsys.exit(3)", map[string]any{"greeting": "hello", "a": int64(1)}},
		{"refresh", "p['a'] = 1\nctx.instance.refresh(force=True)", map[string]any{"greeting": "hello"}},
		{
			"handler", "p['a'] = 1\nfrom cloudify.conflict_handlers import simple_merge_handler\nctx.instance.update(simple_merge_handler)",
			map[string]any{"greeting": "hello", "a": int64(1)},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, host, _ := runPython(t, "from cloudify import ctx\np = ctx.instance.runtime_properties\n"+c.source+"\n", nil)
			if d := cmp.Diff(c.want, host.Runtime("web_1")); d != "" {
				t.Errorf("%s\n%v", d, host.Lines())
			}
		})
	}
}

func TestPythonMergesWithOthers(t *testing.T) {
	t.Parallel()
	for name, update := range map[string]string{"by itself": "", "by a handler": "simple_merge_handler"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := newHost()
			host.Resources["s.py"] = `
from cloudify import ctx
from cloudify.conflict_handlers import simple_merge_handler
ctx.instance.runtime_properties['mine'] = 1
ctx.instance.update(` + update + `)
`
			others := 3
			host.BeforeUpdate = func(id string) {
				if others--; others >= 0 {
					host.Change(id, func(m map[string]any) { m["theirs"] = int64(others) })
				}
			}
			_, err := newRunner(t, nil).Run(t.Context(), request(t, map[string]any{"script_path": "s.py"}), host)
			mustSucceed(t, err, host)
			want := map[string]any{"greeting": "hello", "mine": int64(1), "theirs": int64(0)}
			if d := cmp.Diff(want, host.Runtime("web_1")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestPythonFailures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, source string
		want         operation.Error
		traceback    string
	}{
		{
			name: "any exception", source: "def f():\n    raise KeyError('x')\nf()",
			want: operation.Error{Type: "KeyError", Message: "'x'"}, traceback: "line 4, in f",
		},
		{
			name: "own class", source: "class Mine(NonRecoverableError):\n    pass\nraise Mine('gone')",
			want: operation.Error{Verdict: operation.NonRecoverable, Type: "Mine", Message: "gone"}, traceback: "Mine: gone",
		},
		{
			name: "recoverable", source: "raise RecoverableError('wait', retry_after=5)",
			want: operation.Error{Type: "RecoverableError", Message: "wait [retry_after=5]", RetryAfter: new(5 * time.Second)}, traceback: "wait",
		},
		{
			name: "retry", source: "ctx.operation.retry('later', retry_after=7)",
			want: operation.Error{Verdict: operation.Reschedule, Type: "OperationRetry", Message: "later [retry_after=7]", RetryAfter: new(7 * time.Second)},
		},
		{
			name: "an exception wins over a retry", source: "ctx.operation.retry('later')\nraise ValueError('x')",
			want: operation.Error{Type: "ValueError", Message: "x"}, traceback: "ValueError: x",
		},
		{
			name: "retry_operation", source: "ctx.retry_operation('later')",
			want: operation.Error{Verdict: operation.Reschedule, Type: "OperationRetry", Message: "later"},
		},
		{
			name: "abort", source: "ctx.abort_operation('no')",
			want: operation.Error{Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: "no"}, traceback: "no",
		},
		{
			name: "deciding twice", source: "ctx.returns(1)\nctx.returns(2)",
			want: operation.Error{Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: "ctx may only abort or return once"}, traceback: "once",
		},
		{
			name: "exit", source: "import sys\nsys.exit(4)",
			want: operation.Error{Type: "SystemExit", Message: "the script called sys.exit(4)"}, traceback: "SystemExit",
		},
		{
			name: "syntax", source: "def :",
			want: operation.Error{Type: "SyntaxError"}, traceback: "def :",
		},
		{
			name: "causes", source: "raise NonRecoverableError('x', causes=[{'message': 'm', 'type': 't', 'traceback': 'b'}])",
			want: operation.Error{
				Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: "x",
				Causes: []operation.Cause{{Message: "m", Type: "t", Traceback: "b"}},
			}, traceback: "x",
		},
		{
			name: "no JSON", source: "ctx.returns(object())",
			want: operation.Error{Verdict: operation.NonRecoverable, Type: "NonRecoverableError"}, traceback: "must be JSON serializable",
		},
		{
			name: "property that is no JSON", source: "ctx.instance.runtime_properties['a'] = {1, 2}",
			want: operation.Error{Verdict: operation.NonRecoverable, Type: "NonRecoverableError"}, traceback: "runtime property 'a' cannot be stored",
		},
		{
			name: "death", source: "import os\nos._exit(5)",
			want: operation.Error{Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: "Unhandled exception occurred in operation dispatch (rc=5)", ExitCode: new(5)},
		},
		{
			name: "silent death", source: "import os\nos._exit(0)",
			want: operation.Error{Verdict: operation.NonRecoverable, Type: "NonRecoverableError", ExitCode: new(0)},
		},
		{
			name: "killed", source: "import os\nos.kill(os.getpid(), 9)",
			want: operation.Error{Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: "Process terminated (rc=-9)", ExitCode: new(-9)},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := runPython(t, "from cloudify import ctx\nfrom cloudify.exceptions import *\n"+c.source+"\n", nil)
			e := *operationError(t, err)
			if !strings.Contains(e.Traceback, c.traceback) {
				t.Errorf("traceback: %s", e.Traceback)
			}
			if strings.Contains(e.Traceback, "_script.py") {
				t.Errorf("the traceback shows the framework: %s", e.Traceback)
			}
			e.Traceback = ""
			if c.want.Message == "" {
				e.Message = ""
			}
			if d := cmp.Diff(c.want, e); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestPythonExitZeroIsSuccess(t *testing.T) {
	t.Parallel()
	got, host, err := runPython(t, "import sys\nfrom cloudify import ctx\nctx.returns(3)\nprint('bye')\nprint('err', file=sys.stderr)\nsys.exit(0)\n", nil)
	mustSucceed(t, err, host)
	if got != int64(3) || join(host.Output("<out> ")) != "bye" || join(host.Output("<err> ")) != "err" {
		t.Errorf("%v %v", got, host.Lines())
	}
}

// Plugins' code does all of this.
func TestPythonNeighbours(t *testing.T) {
	t.Parallel()
	_, host, err := runPython(t, `
import multiprocessing, pickle, subprocess, threading
from cloudify import ctx
from cloudify.decorators import operation
from cloudify.state import current_ctx, NotInContext

@operation
def mine(name, **kwargs):
    return name

@operation(resumable=True)
def other(**kwargs):
    pass

assert mine('x') == 'x' and other.resumable

class Pickled(object):
    pass
assert pickle.loads(pickle.dumps(Pickled())).__class__ is Pickled

outcome = []
def in_thread(inner):
    try:
        ctx.instance.id
    except NotInContext as e:
        outcome.append(str(e))
    with current_ctx.push(inner):
        outcome.append(ctx.instance.id)
thread = threading.Thread(target=in_thread, args=(ctx._get_current_object(),))
thread.start()
thread.join()
assert outcome == ['No context set in current execution thread', 'web_1'], outcome

many = [threading.Thread(target=lambda inner: inner.logger.info('thread'), args=(ctx._get_current_object(),)) for _ in range(20)]
[m.start() for m in many]
[m.join() for m in many]

def child():
    ctx.logger.info('from a fork')
process = multiprocessing.get_context('fork').Process(target=child)
process.start()
process.join()
assert process.exitcode == 0
assert subprocess.check_output(['ctx', 'node', 'id']) == b'web'
`, nil)
	mustSucceed(t, err, host)
	if n := len(host.Output("thread")); n != 20 {
		t.Errorf("%d lines of 20", n)
	}
	if n := len(host.Output("from a fork")); n != 1 {
		t.Errorf("%v", host.Lines())
	}
}

func TestPythonManagerAndUtils(t *testing.T) {
	t.Parallel()
	host := newHost()
	host.Resources["s.py"] = `
import os
from cloudify import ctx, manager, utils
from cloudify.exceptions import CommandExecutionException, NonRecoverableError
other = manager.get_node_instance('vm_1')
assert (other.node_id, other.runtime_properties['ip'], 'ip' in other) == ('vm', '10.0.0.7', True)
own = manager.get_node_instance('web_1')
own['stored'] = True
manager.update_node_instance(own)
assert manager.get_node_instance_ip('web_1') == '10.0.0.7'
other['x'] = 1
try:
    manager.update_node_instance(other)
except NonRecoverableError as e:
    assert 'Cannot modify' in str(e)
else:
    raise AssertionError()
try:
    manager.get_rest_client()
except NonRecoverableError as e:
    assert str(e) == 'no REST API is served here (local profile): use a manager, see cfy manager start', e
runner = utils.LocalCommandRunner(logger=ctx.logger)
assert runner.run('echo "a b"').std_out == 'a b'
try:
    runner.run(['sh', '-c', 'echo bad >&2; exit 3'])
except CommandExecutionException as e:
    assert (e.code, e.error) == (3, 'bad'), e
else:
    raise AssertionError()
assert utils.get_tenant_name() == 'default_tenant' and len(utils.id_generator()) == 6
ctx.upload_deployment_file('sub/file', __file__)
assert os.path.exists(os.path.join(ctx.local_deployment_workdir(), 'sub', 'file'))
ctx.delete_deployment_file('sub/file')
try:
    ctx.delete_deployment_file('../file')
except NonRecoverableError:
    pass
with ctx.sync_deployment_workdir():
    pass
`
	_, err := newRunner(t, nil).Run(t.Context(), request(t, map[string]any{"script_path": "s.py"}), host)
	mustSucceed(t, err, host)
	if host.Runtime("web_1")["stored"] != true {
		t.Errorf("%v", host.Runtime("web_1"))
	}
}

func TestNoPython(t *testing.T) {
	t.Parallel()
	r := newRunner(t, func(c *script.Config) { c.Python, c.Env = "python3", []string{"PATH=/nowhere"} })
	host := newHost()
	host.Resources["s.py"] = "print(1)"
	for _, inputs := range []map[string]any{{"script_path": "s.py"}, {"script_source": "import os\nos.getpid()"}} {
		_, err := r.Run(t.Context(), request(t, inputs), host)
		e := operationError(t, err)
		if e.Verdict != operation.NonRecoverable || !strings.Contains(e.Message, "python3 was not found on this machine (PATH=/nowhere)") {
			t.Errorf("%v", e)
		}
	}
}

func TestRelationshipOperation(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{
		"s.sh": `set -e
test "$(ctx type)" = relationship-instance
test "$(ctx source node id) $(ctx target instance id) $(ctx operation relationship)" = "web vm_1 source"
test "$(ctx target instance runtime-properties ip)" = 10.0.0.7
ctx source instance runtime-properties address "$(ctx target instance host-ip)"
ctx target instance runtime-properties users.web @1
`,
		"s.py": `
from cloudify import ctx
assert ctx.type == 'relationship-instance' and ctx.operation.relationship == 'source'
assert (ctx.source.node.id, ctx.target.instance.id) == ('web', 'vm_1')
ctx.source.instance.runtime_properties['address'] = ctx.target.instance.host_ip
ctx.target.instance.runtime_properties['users'] = {'web': 1}
`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := newHost()
			host.Resources[name] = source
			req := request(t, map[string]any{"script_path": name})
			req.Relationship = &operation.Relationship{
				Source: req.Self, Target: operation.Subject{NodeID: "vm", InstanceID: "vm_1"},
			}
			_, err := newRunner(t, nil).Run(t.Context(), req, host)
			mustSucceed(t, err, host)
			got := []any{host.Runtime("web_1")["address"], host.Runtime("vm_1")["users"]}
			if d := cmp.Diff([]any{"10.0.0.7", map[string]any{"web": int64(1)}}, got); d != "" {
				t.Error(d)
			}
		})
	}
}
