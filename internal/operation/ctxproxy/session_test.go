package ctxproxy_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"windlass/internal/blueprint/plan"
	"windlass/internal/operation"
	"windlass/internal/operation/ctxproxy"
	"windlass/internal/operation/operationtest"
	"windlass/internal/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newHost() *operationtest.Host {
	host := operationtest.NewHost(
		operation.Instance{
			ID: "web_1", NodeID: "web", HostID: "vm_1", Version: 4, Index: 2,
			RuntimeProperties: map[string]any{
				"name": "n", "zero": int64(0), "list": []any{"a", map[string]any{"b": int64(5)}, []any{"x", "y"}},
				"deep": map[string]any{"er": map[string]any{"est": 1.5}}, "dotted.key": "found", "items": "mine",
			},
			SystemProperties: map[string]any{"configuration_drift": map[string]any{"ok": true, "result": []any{"changed"}}},
			ScalingGroups:    []plan.GroupInstance{{ID: "g_1", Name: "g"}},
			Relationships: []operation.InstanceRelationship{
				{Type: "contained_in", TypeHierarchy: []string{"root", "contained_in"}, Target: operation.Subject{NodeID: "vm", InstanceID: "vm_1"}},
				{Type: "connected_to", TypeHierarchy: []string{"connected_to"}, Target: operation.Subject{NodeID: "db", InstanceID: "db_1"}},
			},
		},
		operation.Instance{ID: "vm_1", NodeID: "vm", HostID: "vm_1", RuntimeProperties: map[string]any{"shared": "vm"}},
		operation.Instance{ID: "db_1", NodeID: "db", RuntimeProperties: map[string]any{"shared": "db", "port": int64(5432)}},
	)
	host.Nodes["web"] = operation.Node{
		ID: "web", Type: "my.Web", TypeHierarchy: []string{"root", "my.Web"}, NumberOfInstances: 3,
		Properties: map[string]any{"port": int64(80), "some-key": "dash", "list": []any{int64(1), int64(2)}, "get": "shadow"},
	}
	host.Nodes["vm"] = operation.Node{
		ID: "vm", Type: "cloudify.nodes.Compute", TypeHierarchy: []string{"cloudify.nodes.Compute"},
		Properties: map[string]any{"ip": "192.0.2.1"},
	}
	return host
}

func newRequest() *operation.Request {
	version := "1.2"
	return &operation.Request{
		TaskID: "t1", ExecutionID: "e1", WorkflowID: "install", WorkflowParameters: map[string]any{"p": map[string]any{"q": int64(1)}},
		Tenant: "ten", ExecutionCreator: "admin", DeploymentID: "dep", DeploymentDisplayName: "My dep", DeploymentCreator: "jane",
		BlueprintID: "bp", Name: "create", Implementation: "script_runner.tasks.run", RetryNumber: 1, MaxRetries: -1,
		Plugin: plan.Plugin{Name: "script", PackageVersion: &version},
		Self:   operation.Subject{NodeID: "web", InstanceID: "web_1"},
		Token:  "secret", RestURL: "https://manager.example:8443/api/v3.1",
	}
}

func newSession(host *operationtest.Host, change func(*operation.Request)) *ctxproxy.Session {
	req := newRequest()
	if change != nil {
		change(req)
	}
	return ctxproxy.NewSession(ctxproxy.SessionConfig{Request: req, Host: host})
}

// command splits a line at spaces; words that begin with @ are JSON.
func command(t testing.TB, line string) []any {
	t.Helper()
	args := []any{}
	for _, w := range strings.Split(line, " ") {
		text, isJSON := strings.CutPrefix(w, "@")
		if !isJSON {
			args = append(args, w)
			continue
		}
		v, err := value.Decode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, v)
	}
	return args
}

func TestReading(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]any{
		"type":                                    "node-instance",
		"task_type":                               "operation",
		"node id":                                 "web",
		"node name":                               "web",
		"node type":                               "my.Web",
		"node type-hierarchy":                     []any{"root", "my.Web"},
		"node number_of_instances":                int64(3),
		"node properties port":                    int64(80),
		"node properties some-key":                "dash",
		"node properties list[1]":                 int64(2),
		"node properties get":                     "shadow",
		"node properties get port":                int64(80),
		"node properties get none":                nil,
		"node properties get none 7":              "7",
		"node properties keys":                    []any{"get", "list", "port", "some-key"},
		"instance id":                             "web_1",
		"instance index":                          int64(2),
		"instance host-ip":                        "192.0.2.1",
		"instance drift":                          []any{"changed"},
		"instance scaling-groups":                 map[string]any{"g_1": "g"},
		"instance runtime-properties name":        "n",
		"instance runtime_properties zero":        int64(0),
		"instance runtime-properties items":       "mine",
		"instance runtime-properties list[1].b":   int64(5),
		"instance runtime-properties list[2][1]":  "y",
		"instance runtime-properties deep.er.est": 1.5,
		"instance runtime-properties dotted.key":  "found",
		"instance node id":                        "web",
		"instance relationships 1 type":           "connected_to",
		"instance relationships 0 target instance runtime-properties shared": "vm",
		"instance relationships 0 type-hierarchy":                            []any{"root", "contained_in"},
		"operation name":                     "create",
		"operation retry-number":             int64(1),
		"operation max-retries":              int64(-1),
		"operation relationship":             nil,
		"deployment id":                      "dep",
		"deployment tenant-name":             "ten",
		"deployment display-name":            "My dep",
		"deployment creator":                 "jane",
		"deployment resource-tags":           map[string]any{},
		"blueprint id":                       "bp",
		"tenant":                             map[string]any{"name": "ten"},
		"tenant name":                        "ten",
		"tenant-name":                        "ten",
		"execution-id":                       "e1",
		"workflow-id":                        "install",
		"workflow-parameters p.q":            int64(1),
		"task-id":                            "t1",
		"task-name":                          "script_runner.tasks.run",
		"task-target":                        nil,
		"rest-host":                          "manager.example",
		"rest-port":                          int64(8443),
		"rest-token":                         "secret",
		"execution-creator-username":         "admin",
		"timeout":                            nil,
		"timeout-recoverable":                false,
		"resume":                             false,
		"bypass-maintenance":                 false,
		"plugin":                             "script",
		"plugin name":                        "script",
		"plugin package-version":             "1.2",
		"plugin package-name":                nil,
		"plugin properties":                  map[string]any{},
		"capabilities port":                  int64(5432),
		"capabilities get-all":               map[string]any{"vm_1": map[string]any{"shared": "vm"}, "db_1": map[string]any{"shared": "db", "port": int64(5432)}},
		"bootstrap-context resources-prefix": "",
		"bootstrap-context cloudify-agent min-workers":  nil,
		"bootstrap-context policy-engine start-timeout": nil,
		"provider-context": map[string]any{},
		"get-managers":     []any{},
		"get-execution":    map[string]any{"id": "e1", "workflow_id": "install", "status": "started", "deployment_id": "dep", "blueprint_id": "bp", "parameters": map[string]any{"p": map[string]any{"q": int64(1)}}, "created_by": "admin", "tenant_name": "ten"},
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			got, stop, err := newSession(newHost(), nil).Eval(t.Context(), command(t, line))
			if err != nil || stop {
				t.Fatalf("%v %v", stop, err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"nothing":                        "RuntimeError: nothing cannot be processed in ['nothing']",
		"node id more":                   "RuntimeError: more cannot be processed in ['node', 'id', 'more']",
		"node":                           "TypeError: Object of type NodeContext is not JSON serializable",
		"node properties gone":           "RuntimeError: illegal path: gone",
		"node properties port.deep":      "RuntimeError: illegal path: port.deep",
		"node properties list[0].x":      "RuntimeError: illegal path: list[0].x",
		"node properties list[9]":        "IndexError: list index out of range: list[9]",
		"node properties port 81":        "NonRecoverableError: Cannot override read only properties",
		"node properties port 81 82":     "RuntimeError: Illegal argument while accessing dict",
		"node properties @5":             "TypeError: a path must be a text, not 5",
		"source node id":                 "NonRecoverableError: ctx.source/ctx.target can only be used in a relationship-instance context but used in a node-instance context.",
		"returns":                        "TypeError: returns() missing 1 required positional argument: 'value'",
		"returns 1 2":                    "TypeError: returns() takes at most 1 arguments, 2 were given",
		"operation retry @{\"often\":1}": "TypeError: operation",
		"retry-operation later soon":     "TypeError: retry_operation(): retry_after must be a number of seconds, not 'soon'",
		"retry-operation later @-1":      "TypeError: retry_operation(): retry_after must be between 0 and",
		"retry-operation later @1e300":   "TypeError: retry_operation(): retry_after must be between 0 and",
		"logger":                         "TypeError: Object of type Logger is not JSON serializable",
		"logger info":                    "TypeError: info() missing 1 required positional argument: 'msg'",
		"instance relationships 2 type":  "IndexError: list index out of range: there are 2 relationships",
		"instance relationships 0 target instance runtime-properties a 1": "NonRecoverableError: Cannot modify runtime properties of relationship node instances",
		"capabilities shared":     "NonRecoverableError: 'shared' capability ambiguity",
		"capabilities gone":       "NonRecoverableError: capability 'gone' not found",
		"agent init-script":       "NonRecoverableError: ctx.agent can only be used with compute nodes but current node is of type: my.Web",
		"download-resource gone":  "HttpException: 404 (gone) : Resource not found: gone",
		"get-execution other":     "NonRecoverableError: ctx get-execution knows",
		"get-config":              "NonRecoverableError: ctx get_config is not available",
		"download-directory none": "HttpException: 404 (none)",
		"plugin workdir":          "NonRecoverableError: ctx plugin workdir: the deployment has no work directory",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			got, _, err := newSession(newHost(), nil).Eval(t.Context(), command(t, line))
			f, ok := errors.AsType[*ctxproxy.Failure](err)
			if !ok {
				t.Fatalf("%v %v", got, err)
			}
			if strings.HasPrefix(line, "operation retry @") {
				want = "TypeError: retry() got an unexpected keyword argument 'often'"
			}
			if told := f.Type + ": " + f.Message; !strings.HasPrefix(told, want) {
				t.Errorf("%s", told)
			}
		})
	}
}

func TestWriting(t *testing.T) {
	t.Parallel()
	base := newHost().Runtime("web_1")
	for line, change := range map[string]func(m map[string]any){
		"a @{\"b\":1}":      func(m map[string]any) { m["a"] = map[string]any{"b": int64(1)} },
		"a.b.c 1":           func(m map[string]any) { m["a"] = map[string]any{"b": map[string]any{"c": "1"}} },
		"deep.er.new @true": func(m map[string]any) { m["deep"].(map[string]any)["er"].(map[string]any)["new"] = true },
		"list[1].b @6":      func(m map[string]any) { m["list"].([]any)[1].(map[string]any)["b"] = int64(6) },
		"list[2][0] z":      func(m map[string]any) { m["list"].([]any)[2].([]any)[0] = "z" },
		"new[0] x":          func(m map[string]any) { m["new[0]"] = "x" },
		"items @[]":         func(m map[string]any) { m["items"] = []any{} },
		"update @{\"u\":1}": func(m map[string]any) { m["u"] = int64(1) },
		"pop name":          func(m map[string]any) { delete(m, "name") },
		"setdefault s @[1]": func(m map[string]any) { m["s"] = []any{int64(1)} },
		"setdefault name x": func(map[string]any) {},
		"name @null":        func(m map[string]any) { m["name"] = nil },
		"zero @0.0":         func(m map[string]any) { m["zero"] = 0.0 },
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			host := newHost()
			s := newSession(host, nil)
			if _, _, err := s.Eval(t.Context(), command(t, "instance runtime-properties "+line)); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(base, host.Runtime("web_1")); d != "" {
				t.Errorf("stored too early: %s", d)
			}
			if err := s.Save(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := value.CopyMap(base)
			change(want)
			if d := cmp.Diff(want, host.Runtime("web_1")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestUpdateAndRefresh(t *testing.T) {
	t.Parallel()
	host := newHost()
	s := newSession(host, nil)
	must := func(line string) any {
		t.Helper()
		v, _, err := s.Eval(t.Context(), command(t, line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return v
	}
	must("instance runtime-properties a 1")
	must("instance update")
	if host.Runtime("web_1")["a"] != "1" {
		t.Error("update stored nothing")
	}
	host.Change("web_1", func(m map[string]any) { m["a"] = "2" })
	if got := must("instance runtime-properties a"); got != "2" {
		t.Errorf("after update the newest is seen, not %v", got)
	}
	host.Change("web_1", func(m map[string]any) { m["a"] = "3" })
	if got := must("instance runtime-properties a"); got != "2" {
		t.Errorf("what was loaded stays until a refresh: %v", got)
	}
	must("instance refresh")
	if got := must("instance runtime-properties a"); got != "3" {
		t.Errorf("after a refresh: %v", got)
	}
	must("instance runtime-properties b 1")
	if _, _, err := s.Eval(t.Context(), command(t, "instance refresh")); err == nil ||
		err.Error() != "runtime_properties are dirty: refreshing now would destroy local changes" {
		t.Errorf("%v", err)
	}
	must("instance refresh @true")
	if err := s.Save(t.Context()); err != nil || host.Runtime("web_1")["b"] != nil {
		t.Errorf("%v %v", err, host.Runtime("web_1"))
	}
}

func TestConcurrentChangesAreMerged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mine   []string
		theirs func(m map[string]any)
		want   func(m map[string]any) // nil: a conflict
	}{
		"other keys": {
			[]string{"mine 1", "deep.er.mine 1"}, func(m map[string]any) { m["theirs"] = "2"; delete(m, "zero") },
			func(m map[string]any) {
				m["mine"], m["theirs"] = "1", "2"
				m["deep"].(map[string]any)["er"].(map[string]any)["mine"] = "1"
				delete(m, "zero")
			},
		},
		"the same count": {
			[]string{"zero @1"}, func(m map[string]any) { m["zero"] = int64(1) }, nil, // each may have added one
		},
		"the same list": {
			[]string{"list @[1]"}, func(m map[string]any) { m["list"] = []any{int64(1)} }, nil,
		},
		"the same flag":     {[]string{"done @true"}, func(m map[string]any) { m["done"] = true }, func(m map[string]any) { m["done"] = true }},
		"the same change":   {[]string{"a 1"}, func(m map[string]any) { m["a"] = "1" }, func(m map[string]any) { m["a"] = "1" }},
		"both removed":      {[]string{"pop name"}, func(m map[string]any) { delete(m, "name") }, func(m map[string]any) { delete(m, "name") }},
		"another change":    {[]string{"a 1"}, func(m map[string]any) { m["a"] = "2" }, nil},
		"changed a removed": {[]string{"name x"}, func(m map[string]any) { delete(m, "name") }, nil},
		"removed a changed": {[]string{"pop name"}, func(m map[string]any) { m["name"] = "x" }, nil},
		"nested in one key": {[]string{"deep.a 1"}, func(m map[string]any) { m["deep"].(map[string]any)["b"] = "2" }, nil},
		"nothing of theirs": {[]string{"a 1"}, func(map[string]any) {}, func(m map[string]any) { m["a"] = "1" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := newHost()
			base := host.Runtime("web_1")
			s := newSession(host, nil)
			for _, line := range c.mine {
				if _, _, err := s.Eval(t.Context(), command(t, "instance runtime-properties "+line)); err != nil {
					t.Fatal(err)
				}
			}
			host.Change("web_1", c.theirs)
			err := s.Save(t.Context())
			if c.want == nil {
				e := ctxproxy.OperationError(err)
				if e.Verdict != operation.Recoverable || !strings.Contains(e.Message, "were changed by somebody else meanwhile: both changed ") {
					t.Errorf("%+v", e)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			c.want(base)
			if d := cmp.Diff(base, host.Runtime("web_1")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestRelationships(t *testing.T) {
	t.Parallel()
	related := func(onTarget bool) func(*operation.Request) {
		return func(r *operation.Request) {
			r.Relationship = &operation.Relationship{
				Source: r.Self, Target: operation.Subject{NodeID: "db", InstanceID: "db_1"}, OnTarget: onTarget,
			}
			if onTarget {
				r.Self = r.Relationship.Target
			}
		}
	}
	host := newHost()
	s := newSession(host, related(true))
	for line, want := range map[string]any{
		"type": "relationship-instance", "source node id": "web", "target instance id": "db_1",
		"operation relationship": "target", "target instance runtime-properties port": int64(5432),
	} {
		got, _, err := s.Eval(t.Context(), command(t, line))
		if err != nil || got != want {
			t.Errorf("%s: %v %v", line, got, err)
		}
	}
	if _, _, err := s.Eval(t.Context(), command(t, "node id")); err == nil || err.Error() !=
		"ctx.node/ctx.instance can only be used in a node-instance context but used in a relationship-instance context." {
		t.Errorf("%v", err)
	}
	for _, line := range []string{"source instance runtime-properties a 1", "target instance runtime-properties b 2"} {
		if _, _, err := s.Eval(t.Context(), command(t, line)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if host.Runtime("web_1")["a"] != "1" || host.Runtime("db_1")["b"] != "2" {
		t.Errorf("%v %v", host.Runtime("web_1"), host.Runtime("db_1"))
	}
}

func TestDeploymentContext(t *testing.T) {
	t.Parallel()
	s := newSession(newHost(), func(r *operation.Request) { r.Self = operation.Subject{} })
	got, _, err := s.Eval(t.Context(), command(t, "type"))
	if err != nil || got != "deployment" {
		t.Errorf("%v %v", got, err)
	}
	for line, want := range map[string]string{
		"instance id":  "ctx.node/ctx.instance can only be used in a node-instance context but used in a deployment context.",
		"capabilities": "capabilities can only be used in a node-instance/relationship-instance context but used in a deployment context.",
	} {
		if _, _, err := s.Eval(t.Context(), command(t, line)); err == nil || err.Error() != want {
			t.Errorf("%v", err)
		}
	}
	if err := s.Save(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestLogging(t *testing.T) {
	t.Parallel()
	host := newHost()
	s := newSession(host, nil)
	for _, args := range [][]any{
		{"logger", "debug", "d"},
		{"logger", "info", "100% of %s and %r", "it", "that"},
		{"logger", "warn", "several", "words", int64(3)},
		{"logger", "error", map[string]any{"a": int64(1)}},
		{"logger", "critical", "bad \xff and \x00"},
		{"logger", "log", int64(30), "by number"},
		{"logger", "info", map[string]any{"msg": "by keyword"}},
	} {
		if _, _, err := s.Eval(t.Context(), args); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
	want := []operationtest.Line{
		{Level: "debug", Message: "d"}, {Level: "info", Message: "100% of it and 'that'"}, {Level: "warning", Message: "several words 3"}, {Level: "error", Message: "{'a': 1}"},
		{Level: "critical", Message: "bad \uFFFD and \uFFFD"}, {Level: "warning", Message: "by number"}, {Level: "info", Message: "by keyword"},
	}
	if d := cmp.Diff(want, host.Lines()); d != "" {
		t.Error(d)
	}
}
