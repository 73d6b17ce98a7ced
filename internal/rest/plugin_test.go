package rest

import (
	"archive/zip"
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
)

// zipped packs files.
func zipped(t *testing.T, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write([]byte(files[name]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// wagon packs a plugin without code.
func wagon(t *testing.T, name, version string) string {
	t.Helper()
	return zipped(t, map[string]string{name + "/package.json": fmt.Sprintf(
		`{"package_name": %q, "package_version": %q, "archive_name": "%s-%s.wgn", "supported_platform": "any", "wheels": [],
		"build_server_os_properties": {"distribution": "centos", "distribution_version": "7.9", "distribution_release": "core"},
		"supported_python_versions": ["py311"], "package_source": "src"}`, name, version, name, version)})
}

const pluginText = `plugins:
  demo: {executor: central_deployment_agent, package_name: demo-plugin}
labels: {team: {values: [net]}}
blueprint_labels: {env: {values: [x, y]}}
resource_tags: {tag: v}
`

// pluginUploaded uploads a plugin with documents and gives its record.
func (a *api) pluginUploaded(version string) object {
	a.t.Helper()
	content := zipped(a.t, map[string]string{
		"demo.wgn": wagon(a.t, "demo-plugin", version), "plugin.yaml": pluginText, "plugin_1_4.yaml": "# for 1_4\n", "icon.png": "PICTURE",
	})
	return a.do(ask{method: "POST", path: "/plugins?visibility=tenant&title=Demo", body: content}).is(http.StatusCreated).object()
}

func TestPluginUploads(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	p := a.pluginUploaded("1.0")
	want := object{
		"title": "Demo", "package_name": "demo-plugin", "package_version": "1.0", "archive_name": "demo-plugin-1.0.wgn",
		"yaml_url_path": "plugin:demo-plugin?version=1.0&distribution=centos", "installation_state": []any{},
		"labels": object{"team": []any{"net"}}, "blueprint_labels": object{"env": []any{"x", "y"}}, "resource_tags": object{"tag": "v"},
		"yaml_files_paths": []any{"plugins/" + fmt.Sprint(p["id"]) + "/plugin.yaml", "plugins/" + fmt.Sprint(p["id"]) + "/plugin_1_4.yaml"},
	}
	got := object{}
	for k := range want {
		got[k] = p[k]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}

	// The same again, and things that are no plugins.
	again := zipped(t, map[string]string{"x.wgn": wagon(t, "demo-plugin", "1.0")})
	a.do(ask{method: "POST", path: "/plugins", body: again}).refused("conflict_error", "already exists for package with name demo-plugin and version 1.0")
	for content, message := range map[string]string{
		"no archive": "input can be only a wagon or a zip file",
		zipped(t, map[string]string{"x.wgn": "a", "y.wgn": "b"}):                                                    "Archive must include one wgn file",
		zipped(t, map[string]string{"README": "nothing"}):                                                           "It is not a plugin",
		zipped(t, map[string]string{"x.wgn": wagon(t, "other", "1"), "plugin.yaml": "a: [1"}):                       "plugin.yaml of the plugin other can't be read",
		zipped(t, map[string]string{"x.wgn": wagon(t, "other", "1"), "plugin.yaml": "text"}):                        "is not a dictionary",
		zipped(t, map[string]string{"s/setup.py": "setup(name='src', version=get())"}):                              "The version of the package src is not written",
		zipped(t, map[string]string{"a.wgn": wagon(t, "a", "1"), "METADATA": "a.wgn: gone.yaml\n", "b.wgn": "zip"}): "which isn't there",
	} {
		a.do(ask{method: "POST", path: "/plugins", body: content}).refused("invalid_plugin_error", message)
	}
	a.do(ask{method: "POST", path: "/plugins"}).refused("upload_missing_file", "Missing plugin archive")
	if n := len(a.get("/plugins").items()); n != 1 {
		t.Errorf("%d plugins after uploads that were refused", n)
	}

	// Other ways to bring one.
	body, header := form(t, [2]string{"file", wagon(t, "formed", "2.0")}, [2]string{"plugin_yaml", pluginText}, [2]string{"title", "Formed"})
	formed := a.do(ask{method: "POST", path: "/plugins", body: body, header: header}).is(http.StatusCreated).object()
	if formed["title"] != "Formed" || formed["archive_name"] != "formed-2.0.wgn" || len(formed["yaml_files_paths"].([]any)) != 1 {
		t.Errorf("%v", formed)
	}
	a.do(ask{method: "POST", path: "/plugins", body: wagon(t, "plain", "3.0")}).is(http.StatusCreated)
	source := a.do(ask{method: "POST", path: "/plugins", body: zipped(t, map[string]string{
		"src/setup.py": "setup(name='src', version=get())", "src/plugin.yaml": "plugins: {s: {package_name: src, package_version: '0.3'}}",
	})}).is(http.StatusCreated).object()
	if source["package_version"] != "0.3" || source["archive_name"] != "src-0.3.zip" {
		t.Errorf("%v", source)
	}
	wheel := a.do(ask{method: "POST", path: "/plugins", body: zipped(t, map[string]string{
		"w.py": "", "w-4.0.dist-info/METADATA": "Name: w\nVersion: 4.0\n", "w-4.0.dist-info/WHEEL": "Tag: py3-none-any\n",
	})}).is(http.StatusCreated).object()
	if wheel["archive_name"] != "w-4.0-py3-none-any.whl" {
		t.Errorf("%v", wheel)
	}
	bundle := zipped(t, map[string]string{
		"c/METADATA": "demo.wgn: plugin.yaml\nnew.wgn: plugin.yaml\nplain.wgn: plugin.yaml\n", "c/demo.wgn": wagon(t, "demo-plugin", "1.0"),
		"c/new.wgn": wagon(t, "new", "1.0"), "c/plain.wgn": wagon(t, "plain", "3.1"), "c/plugin.yaml": pluginText,
	})
	made := a.do(ask{method: "POST", path: "/plugins", body: bundle}).is(http.StatusCreated).object()
	if items := made["items"].([]any); len(items) != 2 || made["metadata"].(object)["pagination"].(object)["total"] != int64(2) {
		t.Errorf("%v", made)
	}
	a.do(ask{method: "POST", path: "/plugins", body: bundle}).refused("conflict_error", "already exists")
	// Clients expect a list of every bundle, also where one plugin is new.
	bundle = zipped(t, map[string]string{
		"c/METADATA": "demo.wgn: plugin.yaml\nlast.wgn: plugin.yaml\n", "c/demo.wgn": wagon(t, "demo-plugin", "1.0"),
		"c/last.wgn": wagon(t, "last", "1.0"), "c/plugin.yaml": pluginText,
	})
	made = a.do(ask{method: "POST", path: "/plugins", body: bundle}).is(http.StatusCreated).object()
	if items, _ := made["items"].([]any); len(items) != 1 || items[0].(object)["package_name"] != "last" {
		t.Errorf("%v", made)
	}
}

func TestPluginLists(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, version := range []string{"1.0", "1.1"} {
		a.pluginUploaded(version)
	}
	a.do(ask{method: "POST", path: "/plugins?visibility=private", body: wagon(t, "hidden", "1")}).is(http.StatusCreated)
	for query, want := range map[string][]string{
		"":                               {"1.0", "1.1", "1"},
		"?package_name=demo-plugin":      {"1.0", "1.1"},
		"?package_version=1.1":           {"1.1"},
		"?_search=DEMO":                  {"1.0", "1.1"},
		"?_sort=-package_version":        {"1.1", "1.0", "1"},
		"?_sort=uploaded_at&_size=2":     {"1.0", "1.1"},
		"?_offset=2":                     {"1"},
		"?distribution=centos&_search=h": {"1"},
	} {
		if diff := cmp.Diff(want, a.get("/plugins"+query).column("package_version")); diff != "" {
			t.Errorf("%s (-want +got)\n%s", query, diff)
		}
	}
	a.get("/plugins?nonsense=1").refused("bad_parameters_error", "nonsense")
	a.get("/plugins?_include=nonsense").refused("no_such_include_field_error", "nonsense")
	a.member("jo", "default_tenant", "user")
	if got := a.do(ask{method: "GET", path: "/plugins", user: login("jo")}).column("package_name"); slices.Contains(got, "hidden") {
		t.Errorf("a private plugin of somebody else is seen: %v", got)
	}
}

func TestPluginDownloads(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	id := fmt.Sprint(a.pluginUploaded("1.0")["id"])
	archive := a.get("/plugins/" + id + "/archive").is(http.StatusOK)
	if string(archive.body) != wagon(t, "demo-plugin", "1.0") || archive.header.Get("Content-Disposition") != `attachment; filename="demo-plugin-1.0.wgn"` {
		t.Errorf("%v", archive.header)
	}
	full := a.get("/plugins/" + id + "/archive?full_archive=true").is(http.StatusOK)
	z, err := zip.NewReader(bytes.NewReader(full.body), int64(len(full.body)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
	}
	if diff := cmp.Diff([]string{"demo-plugin-1.0.wgn", "plugin.yaml", "plugin_1_4.yaml", "icon.png"}, names); diff != "" {
		t.Error(diff)
	}
	for query, want := range map[string]string{"": pluginText, "?dsl_version=1_4": "# for 1_4\n", "?dsl_version=cloudify_dsl_1_5": "# for 1_4\n", "?dsl_version=1_3": pluginText} {
		if got := a.get("/plugins/" + id + "/yaml" + query).is(http.StatusOK); string(got.body) != want || got.header.Get("Content-Length") != fmt.Sprint(len(want)) {
			t.Errorf("%s: %s", query, got.body)
		}
	}
	for name, want := range map[string]string{"plugin.yaml": pluginText, "icon.png": "PICTURE", url.PathEscape("demo-plugin-1.0.wgn"): wagon(t, "demo-plugin", "1.0")} {
		if got := a.get("/resources/plugins/" + id + "/" + name).is(http.StatusOK); string(got.body) != want {
			t.Errorf("%s: %q", name, got.body)
		}
	}
	a.get("/resources/plugins/"+id+"/other").refused("not_found_error", "File not found")
	bare := fmt.Sprint(a.do(ask{method: "POST", path: "/plugins", body: wagon(t, "bare", "1")}).is(http.StatusCreated).object()["id"])
	a.get("/plugins/"+bare+"/yaml").refused("not_found_error", "without a plugin.yaml")
	a.get("/plugins/gone/archive").refused("not_found_error", "Requested `Plugin` with ID `gone` was not found")
}

func TestPluginChanges(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.member("jo", "default_tenant", "user")
	a.member("viv", "default_tenant", "viewer")
	path := "/plugins/" + fmt.Sprint(a.pluginUploaded("1.0")["id"])
	states := func(r answered) string {
		var texts []string
		for _, i := range r.is(http.StatusOK).object()["installation_state"].([]any) {
			o := i.(object)
			texts = append(texts, fmt.Sprint(o["manager"], " ", o["agent"], " ", o["state"], " ", o["error"]))
		}
		return strings.Join(texts, ", ")
	}
	put := func(body object) answered { return a.do(ask{method: "PUT", path: path, body: body}) }
	if got := states(put(object{"state": "installing", "manager": "m1"})); got != "m1 <nil> installing <nil>" {
		t.Error(got)
	}
	if got := states(put(object{"state": "error", "manager": "m1", "error": "no disk"})); got != "m1 <nil> error no disk" {
		t.Error(got)
	}
	put(object{"state": "installed", "agent": "a", "manager": "m"}).refused("bad_parameters_error", "agent or manager")
	put(object{"state": "odd", "agent": "a"}).refused("bad_parameters_error", "Invalid state: `odd`")
	post := func(body object) answered { return a.do(ask{method: "POST", path: path, body: body}) }
	if got := states(post(object{"action": "install", "managers": []any{"m2"}})); got != "m1 <nil> error no disk, m2 <nil> pending-install <nil>" {
		t.Error(got)
	}
	post(object{"action": "dance"}).refused("unknown_action", "dance")
	post(object{"action": "install", "agents": []any{"ag"}}).refused("not_found_error", "Requested `Agent` with ID `ag`")

	patched := a.do(ask{method: "PATCH", path: path, body: object{
		"creator": "jo", "title": "T", "labels": object{"k": "v"}, "blueprint_labels": object{}, "resource_tags": object{"a": int64(1)},
	}}).is(http.StatusOK).object()
	if patched["created_by"] != "jo" || patched["title"] != "T" || fmt.Sprint(patched["labels"]) != "map[k:[v]]" || len(patched["installation_state"].([]any)) != 2 {
		t.Errorf("%v", patched)
	}
	a.do(ask{method: "PATCH", path: path, body: object{"creator": "nobody"}}).refused("not_found_error", "nobody")
	a.do(ask{method: "PATCH", path: path, user: login("viv"), body: object{"title": "x"}}).refused("forbidden_error", "plugin_update")
	a.do(ask{method: "PATCH", path: path + "/set-visibility", body: object{"visibility": "global"}}).is(http.StatusOK)
	a.do(ask{method: "PATCH", path: path + "/set-visibility", body: object{"visibility": "tenant"}}).refused("illegal_action_error", "already has wider visibility")
	a.do(ask{method: "POST", path: "/plugins-updates/b/update/initiate", body: object{}}).refused("not_found_error", "Blueprint")
	if len(a.get("/plugins-updates").items()) != 0 {
		t.Error("there are updates of plugins")
	}
}

func TestPluginInUse(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	id := fmt.Sprint(a.pluginUploaded("1.0")["id"])
	a.pluginUploaded("1.1")
	blueprint := func(id, version string) {
		a.write(func(tx store.Tx) error {
			p := &plan.Plan{}
			p.WorkflowPlugins = []plan.Plugin{{Name: "demo", Install: true, PackageName: some("demo-plugin"), PackageVersion: some(version)}}
			return tx.AddBlueprint(t.Context(), store.Blueprint{Owned: owned("admin"), ID: id, State: store.BlueprintUploaded, Plan: p})
		})
	}
	blueprint("two", "1.0")
	blueprint("one", "1.0.0")
	blueprint("other", "1.1")
	remove := func(force bool) answered {
		return a.do(ask{method: "DELETE", path: "/plugins/" + id, body: object{"force": force}})
	}
	remove(false).refused("plugin_in_use",
		fmt.Sprintf("Plugin \"%s\" is currently in use in blueprints: one, two. You can \"force\" plugin removal if needed.", id))
	a.execution(store.Execution{ID: "s", WorkflowID: "create_snapshot", IsSystemWorkflow: true, Status: store.Started})
	remove(true).refused("existing_running_execution_error", "create_snapshot")
	a.write(func(tx store.Tx) error { return tx.DeleteExecutions(t.Context(), []string{"s"}) })
	remove(true).is(http.StatusNoContent)
	a.get("/plugins/"+id).refused("not_found_error", "Plugin")
	if got := a.get("/plugins").column("package_version"); len(got) != 1 || got[0] != "1.1" {
		t.Errorf("%v", got)
	}
}
