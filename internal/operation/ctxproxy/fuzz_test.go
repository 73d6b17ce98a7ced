package ctxproxy

import (
	"context"
	"testing"

	"windlass/internal/operation"
	"windlass/internal/operation/operationtest"
	"windlass/internal/value"
)

// FuzzAnswer sends arbitrary requests: each gets one well-formed reply, and
// what the operation may not change stays as it is.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"args": ["node", "properties", "a.b[0]"]}`,
		`{"args": ["instance", "runtime-properties", "a.b", {"c": [1, 2.5, null]}]}`,
		`{"args": ["instance", "runtime-properties", "list[0][1]", 1]}`,
		`{"args": ["instance", "relationships", "0", "target", "instance", "runtime-properties", "x", 1]}`,
		`{"args": ["returns", {"value": 1}]}`, `{"args": ["retry-operation", "m", 1e400]}`,
		`{"args": ["operation", "retry", {"message": "m", "retry_after": 3}]}`,
		`{"args": ["logger", "info", "%s %d", 1]}`, `{"args": [null, 5, [], {}]}`, `{"args": [""]}`, `{"args": []}`,
		`{"args": ["capabilities", "get-all"]}`, `{"args": ["instance", "refresh", {"force": true}]}`,
		`{"method": "save_instance", "params": {"id": "web_1", "set": {"a": {}}, "remove": [1]}}`,
		`{"method": "fail", "params": {"verdict": "recoverable", "causes": [1, {}]}}`,
		`{"method": "instance", "params": {"id": "vm_1"}}`, `[1]`, `{"args": 5}`, `{`, "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		host := operationtest.NewHost(
			operation.Instance{
				ID: "web_1", NodeID: "web", HostID: "vm_1",
				RuntimeProperties: map[string]any{"list": []any{[]any{int64(1)}}, "a": map[string]any{"b": []any{"x"}}},
				Relationships:     []operation.InstanceRelationship{{Target: operation.Subject{NodeID: "vm", InstanceID: "vm_1"}}},
			},
			operation.Instance{ID: "vm_1", NodeID: "vm", RuntimeProperties: map[string]any{"ip": "10.0.0.1"}},
		)
		s := NewSession(SessionConfig{
			Request:   &operation.Request{Self: operation.Subject{NodeID: "web", InstanceID: "web_1"}, WorkDir: t.TempDir()},
			Host:      host,
			Downloads: t.TempDir(),
		})
		ctx := context.Background()
		reply, err := value.DecodeMap(s.answer(ctx, body))
		if err != nil {
			t.Fatal(err)
		}
		switch reply["type"] {
		case "result", "stop_operation":
		case "error":
			if p, _ := reply["payload"].(map[string]any); p["type"] == "" || p["message"] == "" {
				t.Fatalf("%v", reply)
			}
		default:
			t.Fatalf("%v", reply)
		}
		if err := s.Save(ctx); err != nil {
			t.Fatal(err)
		}
		if !value.Equal(host.Runtime("vm_1"), map[string]any{"ip": "10.0.0.1"}) {
			t.Fatalf("another instance was changed: %v", host.Runtime("vm_1"))
		}
	})
}

// FuzzPath writes at arbitrary paths: what was written can be read at the same
// path, and nothing panics.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"a", "a.b", "list[0]", "list[0][0]", "list[9]", "a.list[1].c", ".", "a..b", "[0]", "x[99999999999999999999]", "a[0].b[1]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		m := map[string]any{"list": []any{[]any{int64(1)}, map[string]any{}}, "a": map[string]any{"list": []any{nil, map[string]any{}}}, "text": "x"}
		if err := put(m, path, "written"); err != nil {
			return
		}
		got, err := lookUp(m, path)
		if err != nil || got != "written" {
			t.Fatalf("%q: %v %v in %v", path, got, err, m)
		}
	})
}
