package rest

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/access"
	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
	"windlass/internal/value"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares an object with its file, in a form made for reading.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, value.Encode(v), "", "  "); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

func some[T any](v T) *T { return &v }

func TestShapes(t *testing.T) {
	t.Parallel()
	o := owned("admin")
	label := store.Label{Key: "env", Value: "dev", CreatedAt: started, CreatedBy: "admin"}
	retries := int64(3)
	operation := plan.Operation{Plugin: "script", Operation: "script_runner.tasks.run", Executor: some("central_deployment_agent"),
		Inputs: value.Map{"script_path": "start.sh", "ratio": 2.0}, MaxRetries: &retries}
	execution := store.Execution{
		Owned: o, ID: "e1", WorkflowID: "install", DeploymentID: "d1", DeploymentDisplayName: "First", BlueprintID: "b1",
		Status: store.Terminated, Parameters: map[string]any{"n": int64(1), "f": 1.0}, Error: some(""), StartedAt: started,
		EndedAt: started.Add(90 * time.Second), TotalOperations: 4, FinishedOperations: 4,
	}
	full := map[string]any{
		"blueprint": blueprintShape.encode(blueprint{Blueprint: store.Blueprint{
			Owned: o, ID: "b1", MainFileName: "blueprint.yaml", Description: some("A blueprint"), UpdatedAt: started,
			State: store.BlueprintUploaded, Labels: []store.Label{label}, Requirements: map[string]any{"secrets": []any{"k"}},
		}, upload: &execution}, nil),
		"plugin": pluginShape.encode(store.Plugin{
			Owned: o, ID: "p1", Title: "Demo", PackageName: "demo-plugin", PackageVersion: "1.0", PackageSource: "src", ArchiveName: "demo.wgn",
			SupportedPlatform: "any", Distribution: "centos", DistributionVersion: "7.9", DistributionRelease: "core",
			SupportedPyVersions: []string{"py311"}, Wheels: []string{"a.whl"}, ExcludedWheels: []string{}, YAMLNames: []string{"plugin.yaml"},
			Labels: map[string]any{"team": []any{"net"}}, ResourceTags: map[string]any{"tag": "v"},
			Installations: []store.PluginInstallation{{Manager: "m1", State: store.PluginError, Error: "no disk"}, {Agent: "a", State: store.PluginInstalled}},
		}, nil),
		"plugin_empty":    pluginShape.encode(store.Plugin{Owned: o, ID: "p1"}, nil),
		"blueprint_empty": blueprintShape.encode(blueprint{Blueprint: store.Blueprint{Owned: o, ID: "b1", State: store.BlueprintPending}}, nil),
		"deployment": deploymentShape.encode(deployment{Deployment: store.Deployment{
			Owned: o, ID: "d1", DisplayName: "First", BlueprintID: "b1", UpdatedAt: started, Inputs: map[string]any{"n": int64(1), "f": 1.0},
			Outputs:            map[string]plan.Output{"url": {Description: some("Where"), Value: value.Any{V: map[string]any{"get_input": "n"}}}},
			ScalingGroups:      map[string]plan.ScalingGroup{"g": {Members: []string{"n1"}, Properties: plan.Scalable{Min: value.Any{V: int64(0)}, Max: value.Any{V: int64(-1)}, Default: value.Any{V: int64(1)}, Current: value.Any{V: int64(1)}, Planned: value.Any{V: int64(1)}}}},
			Workflows:          map[string]plan.Workflow{"install": {Plugin: "default_workflows", Operation: "w.install", Parameters: map[string]plan.Schema{"p": {Default: &value.Any{}}}}},
			Labels:             []store.Label{label, {Key: "csys-env-type", Value: "aws", CreatedAt: started, CreatedBy: "admin"}},
			InstallationStatus: "active", DeploymentStatus: "good", LatestExecutionID: "e1", CreateExecutionID: "e0",
			LatestExecutionStatus: "terminated", LatestExecutionWorkflow: "install", LatestExecutionTotal: 4, LatestExecutionFinished: 4,
		}}, nil),
		"deployment_empty": deploymentShape.encode(deployment{Deployment: store.Deployment{Owned: o, ID: "d1"}}, nil),
		"execution":        executionShape.encode(execution, nil),
		"schedule": scheduleShape.encode(schedule{status: "terminated", occurrences: []any{"2023-11-15 00:00:00"}, Schedule: store.Schedule{
			Owned: o, ID: "nightly", DeploymentID: "d1", WorkflowID: "backup", Since: started, NextOccurrence: started, Enabled: true,
			Rule: map[string]any{"recurrence": "1 day"},
		}}, nil),
		"execution_system": executionShape.encode(store.Execution{Owned: o, ID: "e2", WorkflowID: "upload_blueprint", Status: store.Pending}, nil),
		"event": encodeEvent(store.Event{
			StorageID: 7, Seq: 3, Type: store.TypeEvent, ExecutionID: "e1", Timestamp: started, ReportedTimestamp: started, EventType: "task_failed",
			Message: "Task failed", Operation: "cloudify.interfaces.lifecycle.start", NodeID: "n_1", NodeName: "n", WorkflowID: "install",
			DeploymentID: "d1", DeploymentDisplayName: "First", BlueprintID: "b1", ErrorCauses: []store.ErrorCause{{Message: "m", Type: "T", Traceback: "tb"}},
		}, nil),
		"log": encodeEvent(store.Event{
			StorageID: 8, Seq: 4, Type: store.TypeLog, ExecutionID: "e1", Timestamp: started, ReportedTimestamp: started, Level: "info", Logger: "ctx", Message: "hi",
		}, nil),
		"node": nodeShape.encode(node{displayName: "First", Node: store.Node{
			Tenant: o.Tenant, DeploymentID: "d1", BlueprintID: "b1", ID: "n", Type: "t.n", TypeHierarchy: []string{"cloudify.nodes.Root", "t.n"},
			Properties: map[string]any{"f": 2.0}, Operations: map[string]*plan.Operation{"start": &operation},
			Relationships: []plan.Relationship{{Type: "r", TypeHierarchy: []string{"r"}, TargetID: "m", Properties: value.Map{"connection_type": "all_to_all"}}},
			Scalable:      store.NodeScale{Current: 1, Planned: 1, Deploy: 1, Min: 0, Max: -1}, Visibility: store.Tenants, CreatedBy: "admin", ActualInstances: 1,
		}}, nil),
		"node_instance": instanceShape.encode(store.NodeInstance{
			Tenant: o.Tenant, DeploymentID: "d1", NodeID: "n", ID: "n_1", HostID: "h_1", Index: 1, State: "started", Version: 3,
			RuntimeProperties: map[string]any{"f": 2.0}, SystemProperties: map[string]any{"status": map[string]any{"ok": true}},
			Relationships: []plan.InstanceRelationship{{Type: "r", TargetName: "m", TargetID: "m_1"}}, ScalingGroups: []plan.GroupInstance{{Name: "g", ID: "g_1"}},
			Visibility: store.Tenants, CreatedBy: "admin",
		}, nil),
		"tasks_graph": graphShape.encode(store.Graph{ID: "g1", ExecutionID: "e1", Name: "install", CreatedAt: started}, nil),
		"operation": operationShape.encode(store.Operation{ID: "o1", GraphID: "g1", ExecutionID: "e1", Name: "op", Type: "NOPLocalWorkflowTask", State: "pending",
			Parameters: map[string]any{"current_retries": int64(0)}, CreatedAt: started}, nil),
		"secret":        secretShape.encode(secret{Secret: store.Secret{Owned: o, Key: "k", UpdatedAt: started}, value: "v"}, nil),
		"secret_listed": listedSecretShape.encode(secret{Secret: store.Secret{Owned: o, Key: "k", UpdatedAt: started, IsHidden: true}}, nil),
		"user": userShape.encode(user{User: store.User{Username: "ann", Role: "default", Active: true, CreatedAt: started, LastLoginAt: started},
			members: []store.TenantMember{{Tenant: "t", Username: "ann", Role: "viewer"}}}, nil),
		"user_detailed": userShape.encode(user{User: store.User{Username: "ann", Role: "default", Active: true, CreatedAt: started},
			members: []store.TenantMember{{Tenant: "t", Username: "ann", Role: "viewer"}}, detail: true}, nil),
		"tenant":          tenantShape.encode(tenant{Tenant: store.Tenant{Name: "t"}, members: []store.TenantMember{{Tenant: "t", Username: "ann", Role: "viewer"}}}, nil),
		"tenant_detailed": tenantShape.encode(tenant{Tenant: store.Tenant{Name: "t"}, members: []store.TenantMember{{Tenant: "t", Username: "ann", Role: "viewer"}}, detail: true}, nil),
		"token":           tokenShape.encode(token{Token: store.Token{ID: "abcdefghij", Username: "ann", ExpiresAt: started}, text: access.MaskedToken("abcdefghij"), role: "default"}, nil),
		"config":          settingShape.encode(defaultSettings()[0], nil),
	}
	for name, v := range full {
		golden(t, name, v)
	}
}

func TestIncludeProjects(t *testing.T) {
	t.Parallel()
	e := store.Execution{ID: "e", Status: store.Terminated}
	got := executionShape.encode(e, []string{"id", "status_display"})
	if diff := cmp.Diff(object{"id": "e", "status_display": "completed"}, got); diff != "" {
		t.Error(diff)
	}
	if err := executionShape.check([]string{"id", "nonsense"}); err == nil {
		t.Error("an unknown field was accepted")
	}
}

// TestEventsHaveWhatClientsPop: the original's command line takes these out of
// every item without looking.
func TestEventsHaveWhatClientsPop(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{store.TypeEvent, store.TypeLog} {
		o := encodeEvent(store.Event{Type: typ}, nil)
		for _, name := range []string{"deployment_id", "execution_id", "node_name", "operation", "workflow_id", "node_instance_id", "error_causes", "message"} {
			if _, there := o[name]; !there {
				t.Errorf("%s lacks %s", typ, name)
			}
		}
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"2022-05-01T10:20:30Z", "2022-05-01T10:20:30.123+02:00", "2022-05-01 10:20:30+00:00"} {
		if _, err := parseTime("created_at", good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	if _, err := parseTime("created_at", "2022-05-01T10:20:30"); err == nil || !bytes.Contains([]byte(err.Error()), []byte("missing timezone information")) {
		t.Errorf("without a zone: %v", err)
	}
	if _, err := parseTime("created_at", "yesterday"); err == nil {
		t.Error("a word was taken for a date")
	}
}

func TestLabels(t *testing.T) {
	t.Parallel()
	decode := func(text string) []any {
		v, err := value.Decode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return v.([]any)
	}
	for text, want := range map[string][]string{
		`[]`:                                         nil,
		`[{"Env": "Dev"}]`:                           {"env=Dev"},
		`[{"a": ["1", "2"]}, {"b": "3"}]`:            {"a=1", "a=2", "b=3"},
		`[{"key": "a", "value": "b"}]`:               {"a=b"},
		`[{"key": "a", "value": ["b", "c"]}]`:        {"a=b", "a=c"},
		`[{"csys-obj-type": "Service"}]`:             {"csys-obj-type=service"},
		`[{"a": "ﬁ"}]`:                               {"a=fi"}, // NFKC
		`[{"csys-location-lat": "-90"}]`:             {"csys-location-lat=-90"},
		`[{"key": "value"}]`:                         {"key=value"},
		`[{"a": "1"}, {"a": "2"}, {"A-b_c.~": "x"}]`: {"a=1", "a=2", "a-b_c.~=x"},
	} {
		labels, err := parseLabels(decode(text), "ann", started)
		var got []string
		for _, l := range labels {
			got = append(got, l.Key+"="+l.Value)
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", text, err, diff)
		}
	}
	for _, text := range []string{`["a"]`, `[{"a": 1}]`, `[{"a": "1", "b": "2"}]`, `[{}]`, `[{"a": "1"}, {"A": "1"}]`, `[{"csys-secret": "x"}]`,
		`[{"a b": "x"}]`, `[{"a": "x\ny"}]`, `[{"a": "\""}]`, `[{"a": ""}]`, `[{"csys-location-lat": "91"}]`, `[{"csys-location-long": "east"}]`, `[{"": "x"}]`} {
		if got, err := parseLabels(decode(text), "ann", started); err == nil {
			t.Errorf("%s: got %v, want an error", text, got)
		}
	}
}

func TestReplaceLabelsKeepsComputedOnesAndAges(t *testing.T) {
	t.Parallel()
	old := []store.Label{{Key: "a", Value: "1", CreatedBy: "ann"}, {Key: "b", Value: "2", CreatedBy: "ann"}, {Key: consumerLabel, Value: "child", CreatedBy: "sys"}}
	got := replaceLabels(old, []store.Label{{Key: "a", Value: "1", CreatedBy: "bob"}, {Key: "c", Value: "3", CreatedBy: "bob"}})
	want := []store.Label{old[0], {Key: "c", Value: "3", CreatedBy: "bob"}, old[2]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFilterRules(t *testing.T) {
	t.Parallel()
	rule := func(text string) ([]rule, error) {
		v, err := value.Decode([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return parseRules([]any{v}, deploymentAttributes, true)
	}
	labels := []store.Label{{Key: "env", Value: "dev"}, {Key: "env", Value: "test"}, {Key: "team", Value: "blue"}}
	for text, want := range map[string]bool{
		`{"key":"ENV","values":["dev"],"operator":"any_of","type":"label"}`:            true,
		`{"key":"env","values":["prod"],"operator":"any_of","type":"label"}`:           false,
		`{"key":"env","values":["dev"],"operator":"not_any_of","type":"label"}`:        true, // has another value
		`{"key":"env","values":["dev","test"],"operator":"not_any_of","type":"label"}`: false,
		`{"key":"none","values":["dev"],"operator":"not_any_of","type":"label"}`:       false, // lacks the key
		`{"key":"none","values":["dev"],"operator":"is_not","type":"label"}`:           true,
		`{"key":"env","values":["dev"],"operator":"is_not","type":"label"}`:            false,
		`{"key":"team","values":[],"operator":"is_not_null","type":"label"}`:           true,
		`{"key":"team","values":[],"operator":"is_null","type":"label"}`:               false,
	} {
		rules, err := rule(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := rules[0].Matches(labels); got != want {
			t.Errorf("%s: got %t", text, got)
		}
	}
	for _, text := range []string{
		`"x"`, `{}`, `{"key":"a","values":["b"],"operator":"any_of"}`,
		`{"key":"a","values":["b"],"operator":"any_of","type":"color"}`,
		`{"key":"a","values":[],"operator":"any_of","type":"label"}`,
		`{"key":"a","values":["b"],"operator":"is_null","type":"label"}`,
		`{"key":"a","values":["b"],"operator":"contains","type":"label"}`,
		`{"key":"a","values":[1],"operator":"any_of","type":"label"}`,
		`{"key":1,"values":["b"],"operator":"any_of","type":"label"}`,
		`{"key":"a","values":"b","operator":"any_of","type":"label"}`,
		`{"key":"inputs","values":["b"],"operator":"any_of","type":"attribute"}`,
		`{"key":"id","values":["b"],"operator":"is_not","type":"attribute"}`,
		`{"key":"id","values":["b"],"operator":"is_not_empty","type":"attribute"}`,
		`{"key":"id","values":[],"operator":"contains","type":"attribute"}`,
	} {
		_, err := rule(text)
		a := answerTo(err)
		if a.code != "invalid_filter_rule" || a.more["err_reason"] == "" || a.more["err_filter_rule"] == nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestErrorTable: codes that other rooms use have a status here, and every
// status is one that tells of an error.
func TestErrorTable(t *testing.T) {
	t.Parallel()
	for code, status := range statuses {
		if status < 400 || status > 599 {
			t.Errorf("%s has status %d", code, status)
		}
	}
	for _, code := range []access.Code{access.Unauthorized, access.Forbidden, access.BadParameters, access.Conflict, access.NotFound, access.IllegalAction} {
		if statuses[string(code)] == 0 {
			t.Errorf("%s has no status", code)
		}
	}
	if a := answerTo(os.ErrClosed); a.status != 500 || !a.hidden {
		t.Errorf("an unknown error becomes %+v", a)
	}
}

// TestOpenAPICoversEveryRoute also checks that the table has each route once.
func TestOpenAPICoversEveryRoute(t *testing.T) {
	t.Parallel()
	s := &server{}
	s.table = s.routes()
	doc, err := s.describe()
	if err != nil {
		t.Fatal(err)
	}
	v, err := value.DecodeMap(doc)
	if err != nil {
		t.Fatal(err)
	}
	paths := v["paths"].(object)
	count, ids := 0, map[string]bool{}
	for _, methods := range paths {
		for _, op := range methods.(object) {
			o := op.(object)
			count++
			if id := o["operationId"].(string); ids[id] {
				t.Errorf("operationId %s is there twice", id)
			} else {
				ids[id] = true
			}
			if o["summary"] == "" {
				t.Errorf("%v has no summary", o["operationId"])
			}
		}
	}
	if count != len(s.table) {
		t.Errorf("%d operations for %d routes", count, len(s.table))
	}
	for _, rt := range s.table {
		if rt.permission != "" && !access.IsPermission(rt.permission) {
			t.Errorf("%s %s needs the permission %s, which there is not", rt.method, rt.path, rt.permission)
		}
		if rt.permission == "" && rt.scope == inTenant && !slices.Contains([]string{"/summary/{kind}"}, rt.path) {
			t.Errorf("%s %s is open to everybody in a tenant", rt.method, rt.path)
		}
	}
}
