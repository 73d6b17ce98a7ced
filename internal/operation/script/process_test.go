package script_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/operation"
)

func TestEnvironment(t *testing.T) {
	t.Parallel()
	_, host, err := run(t, "s.sh", `#!/bin/sh
for v in TEXT NUMBER FLOAT YES NOTHING LIST DICT WINS EMPTY; do eval "echo $v=\$$v"; done
test -n "$CTX_SOCKET_URL" && echo has url
env | grep -c '^ctx=' || true
`, map[string]any{
		"TEXT": "a b  'c' ü", "NUMBER": int64(5), "FLOAT": 2.0, "YES": true, "NOTHING": nil, "EMPTY": "",
		"LIST": []any{int64(1), "ü"}, "DICT": map[string]any{"a": []any{}}, "WINS": "input", "ctx": "never",
		"process": map[string]any{"env": map[string]any{"WINS": "process"}},
	})
	mustSucceed(t, err, host)
	want := []string{
		"TEXT=a b 'c' ü", "NUMBER=5", "FLOAT=2.0", "YES=true", "NOTHING=None", `LIST=[1, "\u00fc"]`, `DICT={"a": []}`,
		"WINS=process", "EMPTY=", "has url", "0",
	}
	got := host.Output("<out> ")
	got[0] = strings.ReplaceAll(got[0], "  ", " ")
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestTheManagersOwnVariablesStayOut(t *testing.T) {
	t.Setenv("WINDLASS_DATABASE", "postgres://secret")
	_, host, err := run(t, "s.sh", "env\n", nil)
	mustSucceed(t, err, host)
	if strings.Contains(join(host.Output("<out> ")), "postgres://secret") {
		t.Error("the script sees the manager's variables")
	}
}

func TestSecretsAreOnNoCommandLine(t *testing.T) {
	t.Parallel()
	_, host, err := run(t, "s.sh", `#!/bin/bash
ctx logger info "waiting" &
tr '\0' ' ' < /proc/$$/cmdline; echo
tr '\0' ' ' < /proc/$PPID/cmdline; echo
wait
`, map[string]any{"PASSWORD": "hunter2", "process": map[string]any{"args": []any{"visible"}}})
	mustSucceed(t, err, host)
	out := join(host.Output("<out> "))
	if strings.Contains(out, "hunter2") || !strings.Contains(out, "visible") {
		t.Errorf("%s", out)
	}
	if strings.Contains(out, "http://127.0.0.1") {
		t.Errorf("the secret address of the context is on a command line: %s", out)
	}
}

func TestProcessOptions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct {
		name, script string
		process      map[string]any
		out, err     []string
	}{
		{
			name: "arguments", script: "#!/bin/sh\nfor a in \"$@\"; do echo \"[$a]\"; done",
			process: map[string]any{"args": []any{"one", "two three", "'four five'", "$X", int64(6)}, "env": map[string]any{"X": "x y"}},
			out:     []string{"[one]", "[two]", "[three]", "[four five]", "[x]", "[y]", "[6]"},
		},
		{
			name: "plain arguments", script: "echo $# $1 $2", process: map[string]any{"args": []any{"a=1 b", "--c"}},
			out: []string{"3 a=1 b"},
		},
		{name: "directory", script: "pwd", process: map[string]any{"cwd": dir}, out: []string{dir}},
		{name: "prefix", script: "echo ${0##*/}; echo $MODE", process: map[string]any{"command_prefix": "MODE=prefixed bash"}, out: []string{"s.any", "prefixed"}},
		{
			name: "quiet", script: "echo out; echo err >&2", process: map[string]any{"log_stdout": false, "log_stderr": false},
		},
		{
			name: "quiet stderr", script: "echo out; echo err >&2", process: map[string]any{"log_stderr": false}, out: []string{"out"},
		},
		{
			name: "merged", script: "echo out; echo err >&2; echo out2", process: map[string]any{"stderr_to_stdout": true},
			out: []string{"out", "err", "out2"},
		},
		{name: "no context", script: `echo "[$CTX_SOCKET_URL]"`, process: map[string]any{"ctx_proxy_type": "none"}, out: []string{"[]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, host, err := run(t, "s.any", c.script+"\n", map[string]any{"process": c.process})
			mustSucceed(t, err, host)
			if d := cmp.Diff(c.out, host.Output("<out> ")); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.err, host.Output("<err> ")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestScriptsStartInTheDeploymentsDirectory(t *testing.T) {
	t.Parallel()
	host := newHost()
	host.Resources["s.sh"] = "pwd; ctx download-resource s.sh copy.sh; cat copy.sh | wc -l"
	req := request(t, map[string]any{"script_path": "s.sh"})
	_, err := newRunner(t, nil).Run(t.Context(), req, host)
	mustSucceed(t, err, host)
	if got := host.Output("<out> "); got[0] != req.WorkDir || got[1] != filepath.Join(req.WorkDir, "copy.sh")+"0" {
		t.Errorf("%q in %s", got, req.WorkDir)
	}
}

func TestInterpreters(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{
		"sh":                "#!/bin/sh\necho works",
		"bash":              "#!/usr/bin/env bash\necho works",
		"no shebang":        "echo works",
		"perl":              "#!/usr/bin/perl\nprint \"works\\n\";",
		"python by shebang": "#!/usr/bin/env python3\nprint('works')",
		"empty":             "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "perl" {
				if _, err := os.Stat("/usr/bin/perl"); err != nil {
					t.Skip("no perl here")
				}
			}
			_, host, err := run(t, "s", source, nil)
			mustSucceed(t, err, host)
			if got := join(host.Output("<out> ")); source != "" && got != "works" {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestBadInputs(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 200_000)
	for _, c := range []struct {
		name, script string
		inputs       map[string]any
		verdict      operation.Verdict
		want         string
	}{
		{"no script", "", map[string]any{"script_path": nil}, operation.NonRecoverable, "Either script_path or script_source must be provided"},
		{"two scripts", "", map[string]any{"script_source": "x"}, operation.NonRecoverable, "Only provide script_path or script_source, not both"},
		{"no such resource", "", map[string]any{"script_path": "gone.sh"}, operation.NonRecoverable, "404 (gone.sh) : Resource not found: gone.sh"},
		{"odd path", "", map[string]any{"script_path": int64(5)}, operation.NonRecoverable, "script_path must be a text, not int: 5"},
		{"odd process", "", map[string]any{"process": "fast"}, operation.NonRecoverable, "process must be a dictionary, not str: 'fast'"},
		{"odd args", "", map[string]any{"process": map[string]any{"args": "a b"}}, operation.NonRecoverable, "process.args must be a list"},
		{"odd env", "", map[string]any{"process": map[string]any{"env": []any{}}}, operation.NonRecoverable, "process.env must be a dictionary"},
		{"odd flag", "", map[string]any{"process": map[string]any{"log_stdout": int64(7)}}, operation.NonRecoverable, "process.log_stdout must be true or false, not 7"},
		{"proxy", "", map[string]any{"process": map[string]any{"ctx_proxy_type": "unix"}}, operation.NonRecoverable, "Unsupported proxy type: unix"},
		{"directory", "", map[string]any{"process": map[string]any{"cwd": "/gone"}}, operation.Recoverable, "No such file or directory: '/gone'"},
		{"name", "", map[string]any{"a=b": "x"}, operation.NonRecoverable, `"a=b" cannot be the name of an environment variable`},
		{"NUL", "", map[string]any{"A": "x\x00y"}, operation.NonRecoverable, "the value of A cannot be an environment variable"},
		{"too long", "", map[string]any{"A": long}, operation.NonRecoverable, "the value of A is too long"},
		{"CRLF shebang", "#!/bin/bash\r\necho\r\n", nil, operation.NonRecoverable, "Windows line endings"},
		{"CRLF", "echo hi\r\n", nil, operation.NonRecoverable, "Windows line endings"},
		{"byte order mark", "\ufeff#!/bin/sh\n", nil, operation.NonRecoverable, "byte order mark"},
		{"no interpreter", "#!/no/such/thing -x\n", nil, operation.Recoverable, "/no/such/thing, which the script's first line asks for, is not on this machine"},
		{"empty shebang", "#!\n", nil, operation.NonRecoverable, "without an interpreter"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := run(t, "s.sh", c.script, c.inputs)
			e := operationError(t, err)
			if e.Verdict != c.verdict || !strings.Contains(e.Message, c.want) {
				t.Errorf("%+v", e)
			}
		})
	}
}

func TestTooManyInputs(t *testing.T) {
	t.Parallel()
	inputs := map[string]any{}
	for _, c := range strings.Split("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "") {
		inputs["V"+c] = strings.Repeat("x", 100_000)
	}
	_, _, err := run(t, "s.sh", "true", inputs)
	if e := operationError(t, err); !strings.Contains(e.Message, "too long for the environment") {
		t.Errorf("%+v", e)
	}
}

func TestOtherImplementations(t *testing.T) {
	t.Parallel()
	for _, implementation := range []string{"script_runner.tasks.execute_workflow", "script_runner.tasks.fly"} {
		req := request(t, map[string]any{"script_source": "true"})
		req.Implementation = implementation
		_, err := newRunner(t, nil).Run(t.Context(), req, newHost())
		if e := operationError(t, err); e.Verdict != operation.NonRecoverable || !strings.Contains(e.Message, implementation) {
			t.Errorf("%+v", e)
		}
	}
}
