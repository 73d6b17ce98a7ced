package ctxproxy_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/operation"
	"windlass/internal/operation/ctxproxy"
	"windlass/internal/operation/operationtest"
	"windlass/internal/value"
)

func listen(t *testing.T) *ctxproxy.Server {
	t.Helper()
	s, err := ctxproxy.Listen(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	return s
}

func post(t *testing.T, url, body string) (int, map[string]any) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := value.DecodeMap(data)
	if err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return resp.StatusCode, reply
}

func TestWire(t *testing.T) {
	t.Parallel()
	server := listen(t)
	url, end := server.Open(t.Context(), newSession(newHost(), nil))
	defer end()
	failure := func(class, message string) map[string]any {
		return map[string]any{"type": "error", "payload": map[string]any{
			"type": class, "message": message, "traceback": class + ": " + message + "\n",
		}}
	}
	for body, want := range map[string]map[string]any{
		`{"args": ["node", "id"]}`:                 {"type": "result", "payload": "web"},
		`{"args": ["node", "properties", "port"]}`: {"type": "result", "payload": int64(80)},
		`{"args": ["send-event", "x"]}`:            {"type": "result", "payload": nil},
		`{"args": ["abort-operation", "stop"]}`:    {"type": "stop_operation", "payload": map[string]any{"message": "stop"}},
		`{"args": ["node", "properties", "a.b"]}`:  failure("RuntimeError", "illegal path: a.b"),
		`{"args": "node"}`:                         failure("TypeError", "args must be a list, not str"),
		`{}`:                                       failure("KeyError", "'args'"),
		`[]`:                                       failure("TypeError", "the request must be an object, not list"),
		`{"method": "fly", "params": {}}`:          failure("RuntimeError", `the framework of this Python process asks for "fly", which this manager does not know`),
		`{"method": "save_instance", "params": {"id": "db_1", "set": {}, "remove": []}}`: failure("NonRecoverableError", "Cannot modify runtime properties of relationship node instances"),
	} {
		status, got := post(t, url, body)
		if d := cmp.Diff(want, got); d != "" || status != http.StatusOK {
			t.Errorf("%s: %d %s", body, status, d)
		}
	}
	status, got := post(t, url, `{"args": `)
	if payload, _ := got["payload"].(map[string]any); status != 200 || payload["type"] != "JSONDecodeError" {
		t.Errorf("%d %v", status, got)
	}
	if resp, err := http.Get(url); err != nil || resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("%v %v", resp, err)
	} else {
		resp.Body.Close()
	}
}

func TestOneOperationCannotReachAnother(t *testing.T) {
	t.Parallel()
	server := listen(t)
	url, end := server.Open(t.Context(), newSession(newHost(), nil))
	other, endOther := server.Open(t.Context(), newSession(newHost(), func(r *operation.Request) { r.ExecutionID = "e2" }))
	defer endOther()
	root, token, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	if len(token) < 20 {
		t.Errorf("the token %q is short", token)
	}
	if _, got := post(t, other, `{"args": ["execution-id"]}`); got["payload"] != "e2" {
		t.Errorf("%v", got)
	}
	end()
	end()
	for _, gone := range []string{url, "http://" + root + "/", "http://" + root + "/" + token[1:]} {
		status, got := post(t, gone, `{"args": ["execution-id"]}`)
		if payload, _ := got["payload"].(map[string]any); status != http.StatusNotFound || payload["type"] != "NotInContext" {
			t.Errorf("%s: %d %v", gone, status, got)
		}
	}
}

// slowHost keeps whoever asks for an instance waiting.
type slowHost struct {
	*operationtest.Host
	asked chan struct{}
}

func (h *slowHost) Instance(ctx context.Context, _ string) (operation.Instance, error) {
	close(h.asked)
	<-ctx.Done()
	return operation.Instance{}, ctx.Err()
}

func TestEndStopsRequestsUnderWay(t *testing.T) {
	t.Parallel()
	server := listen(t)
	host := &slowHost{Host: newHost(), asked: make(chan struct{})}
	session := ctxproxy.NewSession(ctxproxy.SessionConfig{Request: newRequest(), Host: host})
	url, end := server.Open(t.Context(), session)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, got := post(t, url, `{"args": ["instance", "index"]}`); got["type"] != "error" {
			t.Errorf("%v", got)
		}
	})
	<-host.asked
	end()
	wg.Wait()
}

func TestManySessionsAtOnce(t *testing.T) {
	t.Parallel()
	server := listen(t)
	var wg sync.WaitGroup
	for n := range 50 {
		wg.Go(func() {
			host := newHost()
			session := newSession(host, nil)
			url, end := server.Open(t.Context(), session)
			body, _ := json.Marshal(map[string]any{"args": []any{"instance", "runtime-properties", "n", n}})
			if _, got := post(t, url, string(body)); got["type"] != "result" {
				t.Errorf("%v", got)
			}
			end()
			if err := session.Save(t.Context()); err != nil || host.Runtime("web_1")["n"] != int64(n) {
				t.Errorf("%v %v", err, host.Runtime("web_1"))
			}
		})
	}
	wg.Wait()
}
