package rest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/access"
	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
)

func TestBodies(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(c *Config) { c.MaxBody = 1000 })
	a.deployment("d1")
	start := func(body any, header map[string]string) answered {
		return a.do(ask{method: "POST", path: "/executions", body: body, header: header})
	}
	good := object{"deployment_id": "d1", "workflow_id": "install", "parameters": nil, "force": "False", "queue": "true", "dry_run": true}
	start(good, nil).is(http.StatusCreated)
	if got := a.rooms.starts[0]; got.Force || !got.Queue || !got.DryRun || got.AllowCustomParameters || got.CreatedBy != "admin" {
		t.Errorf("started with %+v", got)
	}
	start(good, map[string]string{"Content-Type": "text/plain"}).refused("unsupported_content_type_error", "Content type must be application/json")
	start("{", nil).refused("bad_parameters_error", "not a JSON object")
	start("[]", nil).refused("bad_parameters_error", "not a JSON object")
	start(object{"deployment_id": "d1"}, nil).refused("bad_parameters_error", "Missing workflow_id in json request body")
	start(object{"deployment_id": 1, "workflow_id": "w"}, nil).refused("bad_parameters_error", "deployment_id parameter is expected to be of type str but is of type int")
	start(object{"deployment_id": "d1", "workflow_id": "w", "force": "maybe"}, nil).refused("bad_parameters_error", "force must be <true/false>, got maybe")
	start(object{"deployment_id": "d1", "workflow_id": "w", "parameters": "p"}, nil).refused("bad_parameters_error", "type dict but is of type str")
	start(object{"deployment_id": "d1", "workflow_id": "missing"}, nil).refused("nonexistent_workflow_error", "Workflow missing does not exist")
	start(object{"deployment_id": "nope", "workflow_id": "w"}, nil).refused("not_found_error", "Requested `Deployment` with ID `nope` was not found")
	start(object{"deployment_id": "d1", "workflow_id": strings.Repeat("w", 2000)}, nil).refused("request_too_large_error", "1000 bytes")
}

func TestUnknownRoutes(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.get("/nonsense").is(http.StatusNotFound)
	a.do(ask{method: "PUT", path: "/status"}).is(http.StatusMethodNotAllowed)
	for _, v := range []string{"v1", "v2", "v2.1", "v3", "v3.1"} {
		a.get("/api/" + v + "/status").is(http.StatusOK)
	}
	a.get("/api/v4/status").is(http.StatusNotFound)
	a.get("/api/version").is(http.StatusOK)
	a.get("/api/v3.1/version").is(http.StatusOK)
}

// TestOtherSites: a browser that keeps the password must not act for a page
// of another site.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	post := func(header map[string]string) answered {
		return a.do(ask{method: "POST", path: "/users/unlock/admin", header: header})
	}
	post(nil).is(http.StatusOK)
	post(map[string]string{"Sec-Fetch-Site": "same-origin"}).is(http.StatusOK)
	post(map[string]string{"Sec-Fetch-Site": "cross-site"}).refused("forbidden_error", "another site")
	post(map[string]string{"Origin": "https://elsewhere.example"}).refused("forbidden_error", "another site")
	a.do(ask{method: "GET", path: "/status", header: map[string]string{"Sec-Fetch-Site": "cross-site"}}).is(http.StatusOK)
}

func TestLists(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for i := range 5 {
		a.deployment(fmt.Sprintf("dep%d", i), func(d *store.Deployment) {
			d.CreatedAt = started.Add(time.Duration(i) * time.Minute)
			d.DisplayName = fmt.Sprintf("Name %d", 4-i)
			d.BlueprintID = fmt.Sprintf("bp%d", i%2)
			d.Labels = []store.Label{{Key: "n", Value: fmt.Sprint(9 - i), CreatedAt: started, CreatedBy: "admin"}}
		})
	}
	for path, want := range map[string]string{
		"/deployments":                                    "dep0 dep1 dep2 dep3 dep4",
		"/deployments?_sort=-created_at":                  "dep4 dep3 dep2 dep1 dep0",
		"/deployments?_sort=display_name":                 "dep4 dep3 dep2 dep1 dep0",
		"/deployments?_sort=label:n":                      "dep4 dep3 dep2 dep1 dep0",
		"/deployments?_sort=-label:n&_size=2&_offset=1":   "dep1 dep2",
		"/deployments?_sort=-id&_size=2&_offset=1":        "dep3 dep2",
		"/deployments?_size=2&_get_all_results=True":      "dep0 dep1 dep2 dep3 dep4",
		"/deployments?blueprint_id=bp1":                   "dep1 dep3",
		"/deployments?blueprint_id=bp1&blueprint_id=bp0":  "dep0 dep1 dep2 dep3 dep4",
		"/deployments?blueprint_id=bp1&id=dep3":           "dep3",
		"/deployments?_search=P3":                         "dep3",
		"/deployments?_search=dep_":                       "", // taken literally
		"/deployments?_search_name=name%203":              "dep1",
		"/deployments?_search=dep3&_search_name=name%203": "dep1 dep3",
		"/deployments?_search=3&_search_name=3":           "dep1 dep3",
		"/deployments?_unknown=ignored":                   "dep0 dep1 dep2 dep3 dep4",
		"/deployments?_offset=99":                         "",
		"/deployments?_environments_only=false&id=dep0":   "dep0",
	} {
		if got := strings.Join(a.get(path).column("id"), " "); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	page := a.get("/deployments?_size=2&_offset=1").object()["metadata"].(object)
	want := object{"pagination": object{"total": int64(5), "size": int64(2), "offset": int64(1)}, "filtered": nil}
	if diff := cmp.Diff(want, page); diff != "" {
		t.Error(diff)
	}
	if got := a.get("/deployments?_include=id,display_name&_size=1").items(); len(got) != 1 || len(got[0]) != 2 {
		t.Errorf("included: %v", got)
	}
	a.get("/deployments?_size=-1").refused("bad_parameters_error", "_size")
	a.get("/deployments?_offset=x").refused("bad_parameters_error", "_offset")
	a.get("/deployments?nonsense=1").refused("bad_parameters_error", "Filter keys '['nonsense']' do not exist. Allowed keys are: [")
	a.get("/deployments?_include=id,nonsense").refused("no_such_include_field_error", "Include keys '['nonsense']' do not exist. Allowed keys are: [")
	a.get("/deployments?_sort=nonsense").refused("bad_parameters_error", "nonsense")
	a.get("/deployments?_get_all_results=maybe").refused("bad_parameters_error", "must be <true/false>, got maybe")
	a.get("/deployments?_filter_id=f").refused("not_found_error", "Filter")

	search := func(rules ...any) answered {
		return a.do(ask{method: "POST", path: "/searches/deployments", body: object{"filter_rules": rules}})
	}
	label := object{"key": "n", "values": []any{"9", "8"}, "operator": "any_of", "type": "label"}
	r := search(label, object{"key": "id", "values": []any{"DEP1"}, "operator": "ends_with", "type": "attribute"})
	if got := strings.Join(r.column("id"), " "); got != "dep1" {
		t.Errorf("searched: %s", got)
	}
	if filtered := r.object()["metadata"].(object)["filtered"]; filtered != int64(4) {
		t.Errorf("filtered is %v", filtered)
	}
	bad := search(object{"key": "n"})
	bad.refused("invalid_filter_rule", "is not in the right format")
	if o := bad.object(); o["err_filter_rule"] == nil || o["err_reason"] == nil {
		t.Errorf("the client needs more: %v", o)
	}
	byName := a.do(ask{method: "POST", path: "/searches/deployments", body: object{"constraints": object{"name_pattern": object{"starts_with": "name 1"}}}})
	if got := strings.Join(byName.column("id"), " "); got != "dep3" {
		t.Errorf("by name: %s", got)
	}
}

func TestDeployments(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.write(func(tx store.Tx) error {
		return tx.AddBlueprint(t.Context(), store.Blueprint{Owned: owned("admin"), ID: "bp", State: store.BlueprintUploaded})
	})
	put := func(id string, body object) answered {
		return a.do(ask{method: "PUT", path: "/deployments/" + id, body: body})
	}
	d := put("1st", object{"blueprint_id": "bp", "inputs": object{"f": 2.0}, "labels": []any{object{"a": []any{"1", "2"}}}, "display_name": "First"}).
		is(http.StatusCreated).object()
	if diff := cmp.Diff(object{"f": 2.0}, d["inputs"]); diff != "" {
		t.Error(diff)
	}
	put("bad name", object{"blueprint_id": "bp"}).refused("bad_parameters_error", "illegal characters")
	put("x", object{"blueprint_id": "nope"}).refused("not_found_error", "Requested `Blueprint` with ID `nope` was not found")
	put("x", object{}).refused("bad_parameters_error", "Missing blueprint_id")
	put("x", object{"blueprint_id": "bp", "labels": []any{"x"}}).refused("bad_parameters_error", "Labels must be a list of 1-entry dictionaries")
	put("x", object{"blueprint_id": "bp", "labels": []any{object{"csys-obj-parent": "nope"}}}).
		refused("deployment_parent_not_found_error", "Environment referenced by `csys-obj-parent` not found: nope")
	put("x", object{"blueprint_id": "bp", "created_by": "ann"}).is(http.StatusCreated)

	patch := func(body object) answered { return a.do(ask{method: "PATCH", path: "/deployments/1st", body: body}) }
	patch(object{}).refused("illegal_action_error", "at least one parameter")
	patch(object{"nonsense": 1}).refused("bad_parameters_error", "Unknown parameters: nonsense")
	patch(object{"inputs": object{}}).refused("conflict_error", "inputs is already set")
	patch(object{"blueprint_id": "x"}).refused("only_deployment_update", "")
	labels := patch(object{"labels": []any{object{"b": "3"}}, "display_name": "New"}).is(http.StatusOK).object()["labels"].([]any)
	if len(labels) != 1 || labels[0].(object)["key"] != "b" {
		t.Errorf("labels: %v", labels)
	}
	out := a.get("/deployments/1st/outputs").is(http.StatusOK).object()
	want := object{"deployment_id": "1st", "outputs": object{"url": "http://x", "n": int64(1), "f": 1.0}}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	a.do(ask{method: "PATCH", path: "/deployments/1st/set-visibility", body: object{"visibility": "global"}}).
		refused("illegal_action_error", "can't be wider than that of its blueprint")
	a.do(ask{method: "DELETE", path: "/deployments/1st?force=True"}).is(http.StatusNoContent)
	a.get("/deployments/1st").refused("not_found_error", "Requested `Deployment` with ID `1st` was not found")

	a.rooms.mu.Lock()
	a.rooms.stuck = true
	a.rooms.mu.Unlock()
	if r := put("slow", object{"blueprint_id": "bp"}); r.status != http.StatusInternalServerError || !strings.Contains(string(r.body), "still being created") {
		t.Errorf("a stuck creation: %d %s", r.status, r.body)
	}
	a.do(ask{method: "PUT", path: "/deployments/later?async_create=True", body: object{"blueprint_id": "bp"}}).is(http.StatusCreated)
}

// form makes a multipart body of name and content pairs; those named as files
// get a file name.
func form(t *testing.T, parts ...[2]string) (io.Reader, map[string]string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		var f io.Writer
		var err error
		if p[0] == "blueprint_archive" || p[0] == "file" {
			f, err = w.CreateFormFile(p[0], "filename")
		} else {
			f, err = w.CreateFormField(p[0])
		}
		if err == nil {
			_, err = io.WriteString(f, p[1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b, map[string]string{"Content-Type": w.FormDataContentType()}
}

func TestBlueprintUploadForms(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	params := `{"visibility": "private", "async_upload": "True", "application_file_name": "a%20b.yaml", "labels": [{"key": "k", "value": ["v", "w"]}]}`
	for i, tt := range []struct {
		name string
		send func(id string) answered
	}{
		{"params first", func(id string) answered {
			body, header := form(t, [2]string{"params", params}, [2]string{"blueprint_archive", "ARCHIVE"})
			return a.do(ask{method: "PUT", path: "/blueprints/" + id, body: body, header: header})
		}},
		{"params last", func(id string) answered {
			body, header := form(t, [2]string{"blueprint_archive", "ARCHIVE"}, [2]string{"params", params})
			return a.do(ask{method: "PUT", path: "/blueprints/" + id, body: body, header: header})
		}},
		{"raw, chunked, with the type of JSON", func(id string) answered {
			query := "?visibility=private&async_upload=True&application_file_name=a%2520b.yaml&labels=%5B%7B%22key%22:%22k%22,%22value%22:%5B%22v%22,%22w%22%5D%7D%5D"
			return a.do(ask{method: "PUT", path: "/blueprints/" + id + query, body: io.MultiReader(strings.NewReader("ARC"), strings.NewReader("HIVE"))})
		}},
	} {
		id := fmt.Sprintf("bp%d", i)
		tt.send(id).is(http.StatusCreated)
		u := a.rooms.uploads[len(a.rooms.uploads)-1]
		got := fmt.Sprint(u.ID, " ", u.Visibility, " ", u.MainFile, " ", len(u.Labels), " ", a.rooms.content[len(a.rooms.content)-1])
		if want := id + " private a b.yaml 2 ARCHIVE"; got != want {
			t.Errorf("%s: got %s, want %s", tt.name, got, want)
		}
	}
	body, header := form(t, [2]string{"params", `{"blueprint_archive_url": "http://example.com/x.zip"}`})
	a.do(ask{method: "PUT", path: "/blueprints/url", body: body, header: header}).is(http.StatusCreated)
	if u := a.rooms.uploads[len(a.rooms.uploads)-1]; u.URL != "http://example.com/x.zip" || u.Archive != nil {
		t.Errorf("by URL: %+v", u)
	}
	body, header = form(t, [2]string{"params", `[]`})
	a.do(ask{method: "PUT", path: "/blueprints/x", body: body, header: header}).refused("bad_parameters_error", "not a JSON object")
	a.do(ask{method: "PUT", path: "/blueprints/1x", body: "ARCHIVE"}).refused("bad_parameters_error", "must begin with a letter")
	a.do(ask{method: "PUT", path: "/blueprints/x?async_upload=maybe", body: "ARCHIVE"}).refused("bad_parameters_error", "must be <true/false>")
}

func TestUploadsAreBounded(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(c *Config) { c.MaxUpload = 100 })
	a.do(ask{method: "PUT", path: "/blueprints/big", body: strings.Repeat("x", 200)}).refused("request_too_large_error", "100 bytes")
}

func TestDownloadsHaveLengthAndName(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.write(func(tx store.Tx) error {
		return tx.AddBlueprint(t.Context(), store.Blueprint{Owned: owned("admin"), ID: "bp", State: store.BlueprintUploaded, ArchiveHash: "h", ArchiveSuffix: "tar.gz"})
	})
	r := a.get("/blueprints/bp/archive").is(http.StatusOK)
	if string(r.body) != "archive of bp" || r.header.Get("Content-Length") != "13" ||
		r.header.Get("Content-Disposition") != `attachment; filename="bp.tar.gz"` || r.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%q with %v", r.body, r.header)
	}
	a.get("/resources/uploaded-blueprints/default_tenant/bp/bp.tar.gz").is(http.StatusOK)
	a.get("/resources/uploaded-blueprints/default_tenant/bp/other.zip").is(http.StatusNotFound)
}

func TestExecutions(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.deployment("d1")
	run := a.execution(store.Execution{DeploymentID: "d1", Status: store.Started})
	a.execution(store.Execution{DeploymentID: "d1", Status: store.Terminated, IsSystemWorkflow: true, WorkflowID: "create_snapshot"})
	if got := a.get("/executions").column("id"); len(got) != 1 || got[0] != run.ID {
		t.Errorf("listed: %v", got)
	}
	if got := a.get("/executions?_include_system_workflows=True").column("id"); len(got) != 2 {
		t.Errorf("with system workflows: %v", got)
	}
	if got := a.get("/executions?is_system_workflow=True").column("workflow_id"); len(got) != 1 || got[0] != "create_snapshot" {
		t.Errorf("only system workflows: %v", got)
	}
	post := func(action string) answered {
		return a.do(ask{method: "POST", path: "/executions/" + run.ID, body: object{"action": action}})
	}
	for _, action := range []string{"cancel", "force-cancel", "kill", "requeue", "resume", "force-resume"} {
		post(action).is(http.StatusOK)
	}
	post("explode").refused("bad_parameters_error", "Invalid action: explode, Valid action values are: ['cancel', 'force-cancel', 'kill', 'resume', 'force-resume', 'requeue']")
	a.do(ask{method: "PATCH", path: "/executions/" + run.ID, body: object{"status": "failed", "error": "boom"}}).is(http.StatusOK)
	a.do(ask{method: "PATCH", path: "/executions/" + run.ID, body: object{"status": "dancing"}}).refused("bad_parameters_error", "dancing")
	want := "cancel,force-cancel,kill,cancel,resume force=false,resume force=true,status failed boom"
	if got := strings.Join(a.rooms.acts, ","); got != want {
		t.Errorf("done: %s\nwant: %s", got, want)
	}
	a.do(ask{method: "POST", path: "/executions/nope", body: object{"action": "cancel"}}).refused("not_found_error", "Requested `Execution` ['nope'] was not found")
	a.get("/executions/nope").refused("not_found_error", "Requested `Execution` with ID `nope` was not found")

	why := a.get("/executions/" + run.ID + "/why").is(http.StatusOK).object()
	if why["text"] != "It waits." || why["position"] != int64(2) || len(why["blocked_by"].([]any)) != 1 {
		t.Errorf("why: %v", why)
	}
}

func TestDeleteExecutions(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.deployment("d1")
	for i, e := range []store.Execution{
		{WorkflowID: "create_deployment_environment", Status: store.Terminated}, {Status: store.Terminated}, {Status: store.Failed},
		{Status: store.Cancelled}, {Status: store.Started},
	} {
		e.Owned, e.DeploymentID = owned("admin"), "d1"
		e.CreatedAt = started.Add(time.Duration(i) * time.Hour)
		a.execution(e)
	}
	remove := func(body object) answered { return a.do(ask{method: "DELETE", path: "/executions", body: body}) }
	remove(object{}).refused("bad_parameters_error", "Must provide either a `to_datetime` timestamp or a `keep_last`")
	remove(object{"keep_last": 0}).refused("bad_parameters_error", "greater than 0")
	if n := remove(object{"to_datetime": started.Add(90 * time.Minute).Format("2006-01-02T15:04:05")}).items()[0]["count"]; n != int64(1) {
		t.Errorf("%v deleted, want 1", n)
	}
	if n := remove(object{"keep_last": 1}).items()[0]["count"]; n != int64(1) {
		t.Errorf("%v deleted, want 1", n)
	}
	got := strings.Join(a.get("/executions?_sort=created_at").column("status"), " ")
	if got != "terminated cancelled started" {
		t.Errorf("left: %s", got)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.deployment("d1")
	e := a.execution(store.Execution{DeploymentID: "d1", Status: store.Started})
	post := func(body object) answered { return a.do(ask{method: "POST", path: "/events", body: body}) }
	post(object{}).is(http.StatusNoContent)
	post(object{"events": []any{}, "logs": []any{}, "execution_id": e.ID}).is(http.StatusNoContent)
	post(object{"logs": []any{object{"message": "x"}}}).refused("bad_parameters_error", "")
	post(object{"logs": []any{object{"message": "x"}}, "execution_id": "a", "execution_group_id": "b"}).refused("conflict_error", "not both")
	post(object{
		"execution_id": e.ID, "manager_name": "m",
		"events": []any{object{"event_type": "task_failed", "message": object{"text": "Task\x00failed"}, "operation": "op", "timestamp": "2026-05-01T10:00:00.500Z",
			"context": object{"node_id": "n_1", "task_error_causes": []any{object{"message": "m", "type": "T", "traceback": "tb"}}}}},
		"logs": []any{object{"level": "WARNING", "logger": "l", "message": object{"text": "50% done"}, "context": object{"operation": "lifecycle.start"}}},
	}).is(http.StatusCreated)

	items := a.get("/events?execution_id=" + e.ID + "&_sort=timestamp").items()
	if len(items) != 2 {
		t.Fatalf("%d items", len(items))
	}
	ev, log := items[0], items[1]
	if ev["type"] == "cloudify_log" {
		ev, log = log, ev
	}
	if ev["message"] != "Task<NUL>failed" || ev["reported_timestamp"] != "2026-05-01T10:00:00.500Z" || ev["deployment_id"] != "d1" || ev["workflow_id"] != "install" ||
		ev["node_instance_id"] != "n_1" || ev["manager_name"] != "m" || len(ev["error_causes"].([]any)) != 1 {
		t.Errorf("event: %v", ev)
	}
	if log["level"] != "warning" || log["operation"] != "lifecycle.start" || log["logger"] != "l" || log["error_causes"] != nil {
		t.Errorf("log: %v", log)
	}
	for path, want := range map[string]int{
		"/events": 2, "/events?type=cloudify_event": 1, "/events?type=cloudify_event&type=cloudify_log": 2, "/events?level=WARNING": 1,
		"/events?message=%2550%5C%25%25": 1, "/events?message.text=%25TASK%25": 1, "/events?message=task": 0, "/events?deployment_id=d1": 2,
		"/events?deployment_id=d2": 0, "/events?operation=life%25": 1, "/events?_range=reported_timestamp,,2026-05-01T10:00:00.500Z": 0,
		"/events?_range=@reported_timestamp,2026-05-01T10:00:00.500Z,2026-05-01T10:00:00.501Z": 1, "/events?event_type=task_failed": 1,
		"/events?_range=reported_timestamp,2026-05-01T10:00:00+00:00,": 2,
	} {
		if got := a.get(path).items(); len(got) != want {
			t.Errorf("%s: %d items, want %d", path, len(got), want)
		}
	}
	if size := a.get("/events").object()["metadata"].(object)["pagination"].(object)["size"]; size != int64(10000) {
		t.Errorf("page size %v", size)
	}
	a.get("/events?nonsense=1").refused("bad_parameters_error", "Unknown field to filter by: nonsense. Allowed values: ")
	a.get("/events?_range=timestamp").refused("bad_parameters_error", "three elements")
	a.get("/events?_range=level,a,b").refused("bad_parameters_error", "level")

	a.do(ask{method: "DELETE", path: "/events?deployment_id=d1&type=cloudify_log"}).refused("bad_parameters_error", "type=cloudify_event")
	r := a.do(ask{method: "DELETE", path: "/events?deployment_id=d1&type=cloudify_event"}).is(http.StatusOK).object()
	if diff := cmp.Diff([]any{int64(1)}, r["items"]); diff != "" {
		t.Error(diff)
	}
}

func TestNodeInstances(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.deployment("d1")
	a.do(ask{method: "POST", path: "/nodes", body: object{"deployment_id": "d1", "nodes": []any{}}}).is(http.StatusNoContent)
	a.do(ask{method: "POST", path: "/nodes", body: object{"deployment_id": "d1", "nodes": []any{
		object{"id": "n", "name": "n", "type": "t.n", "type_hierarchy": []any{"cloudify.nodes.Root", "t.n"}, "properties": object{"f": 2.0}, "relationships": []any{},
			"capabilities": object{"scalable": object{"properties": object{"min_instances": 0, "max_instances": -1, "default_instances": 1, "current_instances": 1, "planned_instances": 1}}}},
	}}}).is(http.StatusCreated)
	a.do(ask{method: "POST", path: "/node-instances", body: object{"deployment_id": "d1", "node_instances": []any{
		object{"id": "n_1", "node_id": "n", "relationships": []any{}}, object{"id": "n_2", "node_id": "n", "relationships": []any{}},
	}}}).is(http.StatusCreated)
	a.deployment("d2")
	clash := a.do(ask{method: "POST", path: "/node-instances", body: object{"deployment_id": "d2", "node_instances": []any{
		object{"id": "n_1", "node_id": "n", "relationships": []any{}},
		object{"id": "m_1", "node_id": "m", "host_id": "n_1", "relationships": []any{object{"type": "r", "target_id": "n_1", "target_name": "n"}}},
	}}}).is(http.StatusCreated).object()["items"].([]any)
	fresh := clash[0].(object)["id"]
	if fresh == "n_1" || clash[1].(object)["host_id"] != fresh || clash[1].(object)["relationships"].([]any)[0].(object)["target_id"] != fresh {
		t.Errorf("clashing ids: %v", clash)
	}
	nodes := a.get("/nodes?deployment_id=d1&id=n").items()
	if len(nodes) != 1 || nodes[0]["max_number_of_instances"] != int64(-1) || nodes[0]["actual_number_of_instances"] != int64(2) || nodes[0]["deployment_display_name"] != "d1" {
		t.Errorf("nodes: %v", nodes)
	}
	if got := a.get("/node-instances?deployment_id=d1&_sort=id").column("index"); strings.Join(got, " ") != "1 2" {
		t.Errorf("indices: %v", got)
	}
	patch := func(query string, body object) answered {
		return a.do(ask{method: "PATCH", path: "/node-instances/n_1" + query, body: body})
	}
	got := patch("", object{"version": 1, "state": "started", "runtime_properties": object{"f": 1.0}}).is(http.StatusOK).object()
	if got["version"] != int64(2) || got["state"] != "started" || got["runtime_properties"].(object)["f"] != 1.0 {
		t.Errorf("changed: %v", got)
	}
	patch("", object{"version": 1, "state": "x"}).refused("conflict_error", "Node instance update conflict [current version=2, update version=1]")
	patch("?force=True", object{"version": 1, "state": "stopped"}).is(http.StatusOK)
	patch("", object{"version": 99, "runtime_properties": nil}).is(http.StatusOK)
	if got := a.get("/node-instances/n_1").object(); got["runtime_properties"].(object)["f"] != 1.0 || got["version"] != int64(3) {
		t.Errorf("null must change nothing: %v", got)
	}
	patch("", object{"version": -1}).refused("bad_parameters_error", "negative")
	patch("", object{}).refused("bad_parameters_error", "Missing version")
	patch("", object{"version": 9, "relationships": []any{}}).refused("only_deployment_update", "")
	a.get("/node-instances/nope").refused("not_found_error", "Requested `NodeInstance` with ID `nope` was not found")
	if got := a.get("/node-instances/n_1?_evaluate_functions=True").is(http.StatusOK); got.status != 200 || fmt.Sprint(a.rooms.evals) != "[map[self:n_1]]" {
		t.Errorf("evaluated in %v", a.rooms.evals)
	}
}

func TestGraphsAndOperations(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.deployment("d1")
	e := a.execution(store.Execution{DeploymentID: "d1", Status: store.Started, TokenHash: access.HashToken("tok")})
	a.write(func(tx store.Tx) error {
		if err := tx.AddNodes(t.Context(), []store.Node{{Tenant: access.DefaultTenant, DeploymentID: "d1", BlueprintID: "bp-d1", ID: "n", Type: "t", Visibility: store.Tenants, CreatedBy: "admin"}}); err != nil {
			return err
		}
		return tx.AddInstances(t.Context(), []store.NodeInstance{{Tenant: access.DefaultTenant, DeploymentID: "d1", NodeID: "n", ID: "n_1", Index: 1, State: "starting", Version: 1,
			Visibility: store.Tenants, CreatedBy: "admin", Relationships: []plan.InstanceRelationship{}}})
	})
	engine := map[string]string{"Execution-Token": "tok"}
	g := a.do(ask{method: "POST", path: "/tasks_graphs/tasks_graphs", user: "-", header: engine, body: object{"name": "install", "execution_id": e.ID, "operations": []any{
		object{"id": "op1", "name": "start", "type": "RemoteWorkflowTask", "dependencies": []any{}, "parameters": object{"current_retries": 1, "total_retries": 3,
			"task_kwargs": object{"kwargs": object{"__cloudify_context": object{"task_name": "script.run", "node_id": "n_1", "operation": object{"name": "lifecycle.start"}}}}}},
		object{"id": "op2", "name": "state", "type": "SetNodeInstanceStateTask", "dependencies": []any{"op1"}, "parameters": object{"task_kwargs": object{"node_instance_id": "n_1", "state": "started"}}},
		object{"id": "op3", "name": "nop", "type": "NOPLocalWorkflowTask", "dependencies": []any{}, "parameters": object{}},
	}}}).is(http.StatusCreated).object()
	if got := a.get("/tasks_graphs?execution_id=" + e.ID + "&name=install").column("id"); len(got) != 1 || got[0] != g["id"] {
		t.Errorf("graphs: %v", got)
	}
	graph := g["id"].(string)
	if got := a.get("/operations?graph_id=" + graph).column("id"); strings.Join(got, " ") != "op1 op2 op3" {
		t.Errorf("operations: %v", got)
	}
	if got := a.get("/operations?execution_id=" + e.ID + "&skip_internal=True").column("id"); strings.Join(got, " ") != "op1" {
		t.Errorf("without internal ones: %v", got)
	}
	a.get("/operations").refused("bad_parameters_error", "Missing required param: graph_id or execution_id")
	set := func(id string, body object) answered {
		return a.do(ask{method: "PATCH", path: "/operations/" + id, user: "-", header: engine, body: body})
	}
	set("op1", object{"state": "started"}).is(http.StatusOK)
	set("op1", object{"state": "failed", "exception": "boom", "exception_causes": []any{object{"message": "m", "type": "T", "traceback": "x"}}}).is(http.StatusOK)
	set("op2", object{"state": "succeeded"}).is(http.StatusOK)
	set("op2", object{"state": "dancing"}).refused("bad_parameters_error", "dancing")
	if got := a.get("/node-instances/n_1").object()["state"]; got != "started" {
		t.Errorf("the instance is %v", got)
	}
	got := a.get("/executions/" + e.ID).object()
	if got["total_operations"] != int64(2) || got["finished_operations"] != int64(2) {
		t.Errorf("counted %v of %v", got["finished_operations"], got["total_operations"])
	}
	messages := a.get("/events?execution_id=" + e.ID + "&_sort=timestamp").column("message")
	want := "Task started 'script.run' [retry 1/3],Task failed 'script.run' -> boom [retry 1/3]"
	if strings.Join(messages, ",") != want {
		t.Errorf("events: %v", messages)
	}
	a.do(ask{method: "PUT", path: "/operations/op4", body: object{"name": "more", "graph_id": graph, "dependencies": []any{}, "parameters": object{}, "type": "LocalWorkflowTask"}}).is(http.StatusCreated)
	if total := a.get("/executions/" + e.ID).object()["total_operations"]; total != int64(3) {
		t.Errorf("total %v, want 3", total)
	}
	a.do(ask{method: "DELETE", path: "/operations/op4"}).is(http.StatusOK)
	a.get("/operations/op4").refused("not_found_error", "op4")
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.member("ann", access.DefaultTenant, access.TenantUser)
	a.member("bob", access.DefaultTenant, access.TenantUser)
	put := func(key string, body object) answered {
		return a.do(ask{method: "PUT", path: "/secrets/" + key, user: login("ann"), body: body})
	}
	if v := put("k", object{"value": "plain text", "is_hidden_value": true}).is(http.StatusOK).object()["value"]; v != "" {
		t.Errorf("the answer shows %v", v)
	}
	sec, err := a.store.GetSecret(t.Context(), access.DefaultTenant, "k")
	if err != nil || bytes.Contains(sec.Sealed, []byte("plain")) {
		t.Errorf("stored as %q, %v", sec.Sealed, err)
	}
	read := func(user string) any {
		return a.do(ask{method: "GET", path: "/secrets/k", user: user}).is(http.StatusOK).object()["value"]
	}
	if read(login("ann")) != "plain text" || read("admin:admin-password") != "plain text" || read(login("bob")) != "" {
		t.Errorf("ann %v, admin %v, bob %v", read(login("ann")), read("admin:admin-password"), read(login("bob")))
	}
	a.do(ask{method: "PATCH", path: "/secrets/k", user: login("bob"), body: object{"value": "x"}}).refused("forbidden_error", "hidden")
	a.do(ask{method: "DELETE", path: "/secrets/k", user: login("bob")}).refused("forbidden_error", "hidden")
	put("k", object{"value": "again"}).refused("conflict_error", "already exists")
	put("k", object{"value": ""}).refused("bad_parameters_error", "empty")
	put("bad key", object{"value": "v"}).refused("bad_parameters_error", "illegal characters")
	a.do(ask{method: "PATCH", path: "/secrets/k", body: object{}}).refused("bad_parameters_error", "at least one parameter")
	for _, item := range a.get("/secrets").items() {
		if _, shown := item["value"]; shown {
			t.Errorf("a list shows values: %v", item)
		}
	}
	schema := object{"type": "object", "properties": object{"port": object{"type": "integer"}}, "required": []any{"port"}}
	put("s", object{"value": object{"port": 80}, "schema": schema}).is(http.StatusOK)
	if diff := cmp.Diff(object{"port": int64(80)}, a.get("/secrets/s").object()["value"]); diff != "" {
		t.Error(diff)
	}
	put("s2", object{"value": `{"port": "x"}`, "schema": schema}).refused("conflict_error", "Error validating secret value")
	put("s3", object{"value": "1", "schema": object{"type": "nonsense"}}).refused("bad_parameters_error", "schema is not valid")
	put("s4", object{"value": "1", "schema": object{"$ref": "file:///etc/passwd"}}).refused("bad_parameters_error", "schema is not valid")
}

func TestSecretsTravel(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	if _, err := a.access.AddTenant(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	a.member("bob", access.DefaultTenant, access.TenantUser)
	for key, hidden := range map[string]bool{"open": false, "hidden": true} {
		a.do(ask{method: "PUT", path: "/secrets/" + key, body: object{"value": "v of " + key, "is_hidden_value": hidden}}).is(http.StatusOK)
	}
	taken := a.get("/secrets/share/export?_sort=key").is(http.StatusOK).value().([]any)
	if len(taken) != 2 || taken[1].(object)["value"] != "v of open" || taken[1].(object)["creator"] != nil {
		t.Errorf("exported: %v", taken)
	}
	if got := a.do(ask{method: "GET", path: "/secrets/share/export", user: login("bob")}).value().([]any); len(got) != 1 {
		t.Errorf("bob takes away %v", got)
	}
	a.get("/secrets/share/export?_passphrase=p").refused("not_implemented_error", "passphrase")
	give := func(items []any, override bool) object {
		return a.do(ask{method: "POST", path: "/secrets/share/import", body: object{
			"secrets_list": items, "override_collisions": override, "tenant_map": object{"default_tenant": "other"}}}).is(http.StatusOK).object()
	}
	first := give(append(taken, object{"key": "x"}, "y", object{"key": "x", "value": "v", "tenant_name": "nowhere"}), false)
	if len(first["colliding_secrets"].(object)) != 0 || len(first["secrets_errors"].(object)) != 3 || first["secrets_errors"].(object)["2"] == nil {
		t.Errorf("imported: %v", first)
	}
	taken[1].(object)["value"] = "new"
	again := give(taken[1:], false)
	if diff := cmp.Diff(object{"other": []any{"open"}}, again["colliding_secrets"]); diff != "" {
		t.Error(diff)
	}
	value := func() any {
		return a.do(ask{method: "GET", path: "/secrets/open", tenant: "other"}).object()["value"]
	}
	if value() != "v of open" {
		t.Errorf("replaced without being told to: %v", value())
	}
	give(taken[1:], true)
	if value() != "new" {
		t.Errorf("not replaced: %v", value())
	}
}

func TestResources(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.write(func(tx store.Tx) error {
		return tx.AddBlueprint(t.Context(), store.Blueprint{Owned: owned("admin"), ID: "bp", State: store.BlueprintUploaded, ArchiveHash: "h"})
	})
	a.deployment("d1")
	a.member("viw", access.DefaultTenant, access.TenantViewer)
	a.member("non", "", "")
	files := filepath.Join(a.rooms.dir, "blueprints", "default_tenant", "bp")
	work := filepath.Join(a.rooms.dir, "deployments", "default_tenant", "d1")
	for _, dir := range []string{filepath.Join(files, "scripts"), work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{filepath.Join(files, "scripts", "run.sh"): "#!/bin/sh", filepath.Join(a.rooms.dir, "outside"): "secret"} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(a.rooms.dir, "outside"), filepath.Join(files, "link")); err != nil {
		t.Fatal(err)
	}
	const base = "/resources/blueprints/default_tenant/bp/"
	r := a.get(base + "scripts/run.sh").is(http.StatusOK)
	if string(r.body) != "#!/bin/sh" || r.header.Get("Content-Disposition") != `attachment; filename="run.sh"` {
		t.Errorf("%q %v", r.body, r.header)
	}
	if index := a.get(base).is(http.StatusOK).object(); len(index) != 1 || index["scripts/run.sh"] == nil {
		t.Errorf("index: %v", index)
	}
	for _, path := range []string{
		base + "nope", base + "link", base + "scripts", base + "..%2f..%2f..%2f..%2foutside", base + "%2e%2e/%2e%2e/%2e%2e/outside",
		"/resources/blueprints/default_tenant/nope/x", "/resources/etc/passwd", "/resources/blueprints/..%2f..%2fetc/bp/x",
		"/resources/blueprints/default_tenant/..%2fd1/x", "/resources/deployments/default_tenant/d1/%00",
	} {
		if r := a.get(path); r.status != http.StatusNotFound || strings.Contains(string(r.body), "secret") {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	a.do(ask{method: "GET", path: base + "scripts/run.sh", user: login("viw")}).is(http.StatusOK)
	a.do(ask{method: "GET", path: base + "scripts/run.sh", user: login("non"), tenant: "-"}).is(http.StatusForbidden)
	a.do(ask{method: "PUT", path: base + "x", body: "x"}).refused("forbidden_error", "Only files of deployments")

	// A deployment's files can be written, one by one and by the archive.
	const own = "/resources/deployments/default_tenant/d1/"
	a.do(ask{method: "PUT", path: own + "a/b.txt", body: "content"}).is(http.StatusOK)
	body, header := form(t, [2]string{"mtime", "2026-01-02T03:04:05+00:00"}, [2]string{"file", "dated"})
	a.do(ask{method: "PUT", path: own + "dated", body: body, header: header}).is(http.StatusOK)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "./top.txt", Mode: 0o644, Size: 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("top")); err != nil {
		t.Fatal(err)
	}
	w.Close()
	z.Close()
	a.do(ask{method: "PUT", path: own + "?extract=yes", body: &packed}).is(http.StatusOK)
	index := a.get(own).is(http.StatusOK).object()
	if len(index) != 3 || index["dated"] != "2026-01-02T03:04:05+00:00" || index["top.txt"] == nil || index["a/b.txt"] == nil {
		t.Errorf("index: %v", index)
	}
	if got := a.get(own + "a/b.txt"); string(got.body) != "content" {
		t.Errorf("read back: %s", got.body)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(a.get(own + "?archive=True").is(http.StatusOK).body))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for tr := tar.NewReader(unzipped); ; {
		h, err := tr.Next()
		if err != nil {
			break
		}
		names = append(names, h.Name)
	}
	if strings.Join(names, " ") != "a/b.txt dated top.txt .cloudify-index.json" {
		t.Errorf("packed: %v", names)
	}
	a.do(ask{method: "DELETE", path: own + "a/b.txt"}).is(http.StatusNoContent)
	a.get(own + "a/b.txt").is(http.StatusNotFound)
	a.do(ask{method: "PUT", path: own + "x", user: login("viw"), body: "x"}).refused("forbidden_error", "deployment_update")
}

func TestSummary(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.deployment("d1")
	for _, s := range []store.Status{store.Started, store.Failed, store.Failed} {
		a.execution(store.Execution{DeploymentID: "d1", Status: s})
	}
	got := a.get("/summary/executions?_target_field=deployment_id&_sub_field=status").items()
	want := []object{{"deployment_id": "d1", "executions": int64(3), "by status": []any{
		object{"status": "failed", "executions": int64(2)}, object{"status": "started", "executions": int64(1)}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	a.get("/summary/executions?_target_field=error").refused("bad_parameters_error", "not a valid field")
	a.get("/summary/executions").refused("bad_parameters_error", "not a valid field")
	a.get("/summary/cats?_target_field=x").refused("not_found_error", "")
}

// TestPanicBecomes500 and is logged with its stack, and the server goes on.
func TestPanicBecomes500(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	h := a.server.outermost(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oops") }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), "GET", "/api/v3.1/status", nil))
	answered{t: t, status: w.Code, body: w.Body.Bytes()}.refused("internal_server_error", "oops")
}
