package ctxcli_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"windlass/internal/ctxcli"
	"windlass/internal/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type result struct {
	Code           int
	Stdout, Stderr string
}

func ctx(t *testing.T, env []string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := ctxcli.Main(t.Context(), args, env, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// proxy answers every request with a reply and tells the arguments it got.
func proxy(t *testing.T, reply string) (env []string, got func() any) {
	t.Helper()
	var args any
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		request, err := value.DecodeMap(body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/secret" {
			t.Errorf("%s %s %s", r.Method, r.URL, body)
		}
		args = request["args"]
		io.WriteString(w, reply)
	}))
	t.Cleanup(server.Close)
	return []string{"CTX_SOCKET_URL=wrong", "CTX_SOCKET_URL=" + server.URL + "/secret"}, func() any { return args }
}

func TestArguments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want []any
	}{
		{nil, []any{}},
		{[]string{"node", "id"}, []any{"node", "id"}},
		{[]string{"-j", "node", "id"}, []any{"node", "id"}},
		{[]string{"node", "id", "-j"}, []any{"node", "id"}},
		{[]string{"-t", "5", "--json-output", "node"}, []any{"node"}},
		{[]string{"-t5", "-jt", "5", "--timeout=7", "--time", "8", "a"}, []any{"a"}},
		{[]string{"logger", "info", "-- a dash --"}, []any{"logger", "info", "-- a dash --"}},
		{[]string{"logger", "info", "-5", "-x", "-test", "--unknown", "-"}, []any{"logger", "info", "-5", "-x", "-test", "--unknown", "-"}},
		{[]string{"a", "--", "-j", "--"}, []any{"a", "-j", "--"}},
		{[]string{`@{"a": [1, 2.0, null]}`, "@5", `@"x"`}, []any{map[string]any{"a": []any{int64(1), 2.0, nil}}, int64(5), "x"}},
		{[]string{"--json-arg-prefix", "json:", "json:5", "@5"}, []any{int64(5), "@5"}},
		{[]string{`@{"a": {"__non_json_serializable_repr__": "r"}, "b": [{"__non_json_serializable_repr__": 1}]}`}, []any{map[string]any{"a": "r", "b": []any{int64(1)}}}},
		{[]string{"ü", "a b", "", "bad \xff"}, []any{"ü", "a b", "", "bad \uFFFD"}},
	} {
		env, got := proxy(t, `{"type": "result", "payload": null}`)
		if r := ctx(t, env, c.args...); r != (result{}) && r != (result{Stdout: "null"}) {
			t.Errorf("%q: %+v", c.args, r)
		}
		if d := cmp.Diff(c.want, got()); d != "" {
			t.Errorf("%q: %s", c.args, d)
		}
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ payload, text, json string }{
		{`"web"`, "web", `"web"`},
		{`""`, "", `""`},
		{`null`, "", "null"},
		{`0`, "", "0"},
		{`0.0`, "", "0.0"},
		{`false`, "", "false"},
		{`[]`, "", "[]"},
		{`{}`, "", "{}"},
		{`true`, "True", "true"},
		{`8080`, "8080", "8080"},
		{`123456789012345678901234567890`, "123456789012345678901234567890", "123456789012345678901234567890"},
		{`1.5`, "1.5", "1.5"},
		{`"zwei\nZeilen ü"`, "zwei\nZeilen ü", `"zwei\nZeilen \u00fc"`},
		{`[1, "a", null, true, {"k": 2.0}]`, "[1, 'a', None, True, {'k': 2.0}]", `[1, "a", null, true, {"k": 2.0}]`},
	} {
		env, _ := proxy(t, `{"type": "result", "payload": `+c.payload+`}`)
		if r := ctx(t, env, "x"); r != (result{Stdout: c.text}) {
			t.Errorf("%s: %+v", c.payload, r)
		}
		if r := ctx(t, env, "-j", "x"); r != (result{Stdout: c.json}) {
			t.Errorf("%s as JSON: %+v", c.payload, r)
		}
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	reset, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + reset.Addr().String() + "/x"
	reset.Close()
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer silent.Close()
	failing, _ := proxy(t, `{"type": "error", "payload": {"type": "RuntimeError", "message": "illegal path: x", "traceback": ""}}`)
	stopping, _ := proxy(t, `{"type": "stop_operation", "payload": {"message": "enough"}}`)
	odd, _ := proxy(t, `nonsense`)
	long, _ := proxy(t, `{"type": "result", "payload": "`+strings.Repeat("x", 100_000)+`"}`)
	for _, c := range []struct {
		name   string
		env    []string
		args   []string
		code   int
		stderr string
	}{
		{"no address", nil, []string{"node"}, 1, "Missing CTX_SOCKET_URL environment variable or socket_url command line argument"},
		{"scheme", nil, []string{"--socket-url", "tcp://x", "node"}, 1, "Unsupported protocol: tcp"},
		{"nobody there", nil, []string{"--socket-url", closed, "node"}, 1, "connection refused"},
		{"error", failing, []string{"node"}, 1, "ctx: RuntimeError: illegal path: x\n"},
		{"stop", stopping, []string{"node"}, 1, "enough\n"},
		{"no JSON", odd, []string{"node"}, 1, "the answer is not JSON"},
		{"bad argument", failing, []string{"@{"}, 1, "is not JSON after its prefix @"},
		{"bad timeout", failing, []string{"-t", "soon", "x"}, 2, "argument -t/--timeout: invalid int value: 'soon'"},
		{"no value", failing, []string{"x", "--timeout"}, 2, "argument --timeout: expected one argument"},
		{"timeout", nil, []string{"-t", "1", "--socket-url", silent.URL, "x"}, 1, "no answer within 1s"},
		{"chunked", long, []string{"x"}, 1, "chunked"},
	} {
		r := ctx(t, c.env, c.args...)
		if r.Code != c.code || r.Stdout != "" || !strings.Contains(r.Stderr, c.stderr) {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	if r := ctx(t, nil, "--help"); r.Code != 0 || !strings.HasPrefix(r.Stdout, "usage: ctx ") {
		t.Errorf("%+v", r)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	code := ctxcli.Main(stopped, []string{"--socket-url", "http://127.0.0.1:1/x", "node"}, nil, &stdout, &stderr)
	if code != 1 || !strings.Contains(stderr.String(), "context canceled") {
		t.Errorf("%d %s", code, &stderr)
	}
}
