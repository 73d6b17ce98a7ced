package plugin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"windlass/sdk/plugin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// manager is the other side: it gives the answers by method.
type manager struct {
	answers map[string]string
	said    []map[string]any
}

const task = `{"type": "run", "protocol": 1, "operation": "op", "inputs": {"name": "x", "size": 3}, "context": {
	"facts": {"execution_id": "e", "workflow_id": "install", "tenant_name": "t", "resume": true},
	"work_dir": "/w", "rest_url": null, "blueprint": {"id": "b"}, "deployment": {"id": "d"},
	"operation": {"name": "test.op", "retry_number": 1, "max_retries": 5}, "plugin": {"properties": {"p": 1}},
	"self": {"node_id": "web", "instance_id": "web_1"}}}`

// serve performs one operation and returns what the plugin said.
func serve(t *testing.T, first string, m *manager, operations map[string]plugin.Operation) error {
	t.Helper()
	fromManager, toPlugin := io.Pipe()
	fromPlugin, toManager := io.Pipe()
	var talk sync.WaitGroup
	talk.Go(func() {
		_, _ = io.WriteString(toPlugin, strings.ReplaceAll(first, "\n", " ")+"\n")
		lines := bufio.NewScanner(fromPlugin)
		for lines.Scan() {
			var said map[string]any
			if err := json.Unmarshal(lines.Bytes(), &said); err != nil {
				t.Errorf("%s: %v", lines.Text(), err)
				return
			}
			m.said = append(m.said, said)
			id, asked := said["id"]
			if !asked {
				continue
			}
			answer, ok := m.answers[said["method"].(string)]
			if !ok {
				_ = toPlugin.Close()
				continue
			}
			_, _ = fmt.Fprintf(toPlugin, `{"id": %v, %s}`+"\n", id, answer)
		}
		_ = toPlugin.Close()
	})
	err := plugin.Serve(t.Context(), fromManager, toManager, operations)
	_ = toManager.Close()
	talk.Wait()
	_ = fromManager.Close()
	return err
}

func one(f plugin.Operation) map[string]plugin.Operation {
	return map[string]plugin.Operation{"op": f}
}

func TestCall(t *testing.T) {
	t.Parallel()
	m := &manager{answers: map[string]string{
		"instance": `"type": "result", "payload": {"id": "web_1", "node_id": "web", "index": 1, "state": "started",
			"runtime_properties": {"kept": 1.5, "changed": {"a": 1}, "gone": true}, "relationships": []}`,
		"node":          `"type": "result", "payload": {"id": "web", "properties": {"port": 80}}`,
		"host_ip":       `"type": "result", "payload": "10.0.0.1"`,
		"resource":      `"type": "result", "payload": "dGV4dA=="`,
		"save_instance": `"type": "result", "payload": null`,
	}}
	for k, v := range m.answers {
		m.answers[k] = strings.ReplaceAll(v, "\n", " ")
	}
	err := serve(t, task, m, one(func(ctx context.Context, call *plugin.Call) (any, error) {
		var in struct {
			Name string
			Size int
		}
		if err := call.Inputs(&in); err != nil || in.Name != "x" || in.Size != 3 {
			t.Errorf("inputs: %+v, %v", in, err)
		}
		if call.Interface != "test.op" || call.RetryNumber != 1 || call.MaxRetries != 5 || !call.Resume || call.DeploymentID != "d" ||
			call.WorkDir != "/w" || call.RestURL != "" || call.PluginProperties["p"] != 1.0 {
			t.Errorf("%+v", call)
		}
		self, err := call.Self(ctx)
		if err != nil {
			return nil, err
		}
		node, err := self.Node(ctx)
		if err != nil || node.Properties["port"] != 80.0 {
			t.Errorf("%+v, %v", node, err)
		}
		if ip, err := self.HostIP(ctx); err != nil || ip != "10.0.0.1" {
			t.Errorf("%s, %v", ip, err)
		}
		if text, err := call.Resource(ctx, "f"); err != nil || string(text) != "text" {
			t.Errorf("%s, %v", text, err)
		}
		if _, err := call.Source(ctx); err == nil {
			t.Error("an operation of a node has a source")
		}
		if err := self.Save(ctx); err != nil { // nothing has changed: nothing is said
			t.Error(err)
		}
		self.RuntimeProperties["changed"].(map[string]any)["a"] = 2
		self.RuntimeProperties["new"] = "n"
		delete(self.RuntimeProperties, "gone")
		if err := self.Save(ctx); err != nil {
			t.Error(err)
		}
		call.Log.With("a", 1).WithGroup("g").Warn("careful", "b", "two words")
		call.Log.Debug("plain")
		call.Event("done")
		return map[string]int{"n": 1}, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, s := range m.said {
		line, _ := json.Marshal(s["params"])
		said = append(said, s["method"].(string)+" "+string(line))
	}
	want := []string{
		`instance {"id":"web_1"}`,
		`node {"instance_id":"web_1","node_id":"web"}`,
		`host_ip {"instance_id":"web_1","node_id":"web"}`,
		`resource {"path":"f"}`,
		`save_instance {"id":"web_1","remove":["gone"],"set":{"changed":{"a":2},"new":"n"}}`,
		`log {"level":"warning","message":"careful a=1 g.b=\"two words\""}`,
		`log {"level":"debug","message":"plain"}`,
		`event {"message":"done"}`,
		`finish {"result":{"n":1}}`,
	}
	if d := cmp.Diff(want, said); d != "" {
		t.Error(d)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		operation plugin.Operation
		want      map[string]any
	}{
		"ordinary": {func(context.Context, *plugin.Call) (any, error) { return nil, errors.New("e") },
			map[string]any{"message": "e", "verdict": "recoverable"}},
		"fatal": {func(context.Context, *plugin.Call) (any, error) {
			return nil, fmt.Errorf("w: %w", plugin.Fatal(errors.New("e")))
		},
			map[string]any{"message": "w: e", "verdict": "non_recoverable"}},
		"after": {func(context.Context, *plugin.Call) (any, error) {
			return nil, plugin.After(time.Second/2, errors.New("e"))
		},
			map[string]any{"message": "e", "verdict": "recoverable", "retry_after": 0.5}},
		"again": {func(context.Context, *plugin.Call) (any, error) { return nil, plugin.Again(2*time.Second, "not yet") },
			map[string]any{"message": "not yet", "verdict": "reschedule", "retry_after": 2.0}},
		"inputs": {func(_ context.Context, call *plugin.Call) (any, error) { return nil, call.Inputs(new(int)) },
			map[string]any{"message": "the inputs of test.op: json: cannot unmarshal object into Go value of type int", "verdict": "non_recoverable"}},
		"result": {func(context.Context, *plugin.Call) (any, error) { return func() {}, nil },
			map[string]any{"message": "the result of the operation can't be told: json: unsupported type: func()", "verdict": "non_recoverable"}},
		"refused": {func(ctx context.Context, call *plugin.Call) (any, error) { return call.Resource(ctx, "none") },
			map[string]any{"message": "no such file", "verdict": "non_recoverable"}},
		"deaf": {func(ctx context.Context, call *plugin.Call) (any, error) { return call.Self(ctx) },
			map[string]any{"message": "the manager listens no more", "verdict": "recoverable"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &manager{answers: map[string]string{"resource": `"type": "error", "payload": {"type": "NonRecoverableError", "message": "no such file"}`}}
			if err := serve(t, task, m, one(test.operation)); err != nil {
				t.Fatal(err)
			}
			last := m.said[len(m.said)-1]
			if d := cmp.Diff(map[string]any{"method": "fail", "params": test.want}, last); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestPanicsAndUnknownOperations(t *testing.T) {
	t.Parallel()
	m := &manager{}
	if err := serve(t, task, m, one(func(context.Context, *plugin.Call) (any, error) { panic("oh") })); err != nil {
		t.Fatal(err)
	}
	params := m.said[0]["params"].(map[string]any)
	if params["message"] != "panic: oh" || !strings.Contains(params["traceback"].(string), "plugin_test.go") {
		t.Errorf("%v", params)
	}
	m = &manager{}
	if err := serve(t, task, m, map[string]plugin.Operation{"b": nil, "a": nil}); err != nil {
		t.Fatal(err)
	}
	if params := m.said[0]["params"].(map[string]any); params["message"] != "the plugin has no operation op; it has a, b" {
		t.Errorf("%v", params)
	}
}

func TestNoManager(t *testing.T) {
	t.Parallel()
	for first, want := range map[string]string{
		"hello": "read what to do",
		`{"type": "run", "protocol": 2, "operation": "op"}`: `the manager asks for "run" of protocol 2; this program knows run of protocol 1`,
	} {
		if err := serve(t, first, &manager{}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", first, err)
		}
	}
	if err := plugin.Serve(t.Context(), strings.NewReader(""), io.Discard, nil); err == nil {
		t.Error("nothing was asked, and that is fine")
	}
}
