package blueprint_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint"
	"windlass/internal/blueprint/imports"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/value"
)

// nowhere is a network without anybody on it.
type nowhere struct{}

func (nowhere) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, errors.New("no network: " + r.URL.String())
}

const head = "tosca_definitions_version: cloudify_dsl_1_5\n"

func parse(t *testing.T, text string, opts blueprint.Options) (*plan.Plan, problem.List, error) {
	t.Helper()
	return blueprint.Parse(t.Context(), blueprint.Source{Text: []byte(head + text)}, opts)
}

func code(err error) int {
	if p := problem.All(err).First(); p != nil && p.Code != nil {
		return *p.Code
	}
	return 0
}

// The built-in types never need a network, whatever they are called.
func TestTypesAreBundled(t *testing.T) {
	t.Parallel()
	offline := imports.New(imports.Config{Web: &imports.Web{Transport: nowhere{}, Attempts: 1}})
	for _, url := range []string{
		"cloudify/types/types.yaml", "http://www.getcloudify.org/spec/cloudify/4.5.5/types.yaml",
		"https://cloudify.co/spec/cloudify/6.3.0/types.yaml",
	} {
		for minor, want := range []int{26, 26, 26, 26, 27, 27} {
			text := fmt.Sprintf("tosca_definitions_version: cloudify_dsl_1_%d\nimports: [%s]\nnode_templates: {n: {type: cloudify.nodes.Root}}\n",
				minor, url)
			p, _, err := blueprint.Parse(t.Context(), blueprint.Source{Text: []byte(text)}, blueprint.Options{Resolver: offline})
			if err != nil {
				t.Fatalf("%s in 1_%d: %v", url, minor, err)
			}
			if _, typed := p.Workflows["install"].Parameters["type_names"]; !typed || len(p.Workflows) != 15 {
				t.Errorf("%s in 1_%d: workflows %v (of %d types)", url, minor, value.SortedKeys(p.Workflows), want)
			}
		}
	}
}

func TestTextsRulesAndFallback(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), "inputs: {from_rule: {}}")
	offline := imports.New(imports.Config{Web: &imports.Web{Transport: nowhere{}, Attempts: 1}})
	for name, tc := range map[string]struct {
		imports string
		opts    blueprint.Options
		inputs  []string
		code    int
	}{
		"given text": {
			imports: "[n--http://h/x.yaml]", inputs: []string{"n--given"},
			opts: blueprint.Options{Imports: map[string]imports.Text{"http://h/x.yaml": {Text: []byte("inputs: {given: {}}")}}},
		},
		"given text that imports another": {
			imports: "['plugin:p?version=>1']", inputs: []string{"inner"},
			opts: blueprint.Options{Imports: map[string]imports.Text{
				"plugin:p?version=>1": {Text: []byte("imports: [inner.yaml]")}, "inner.yaml": {Text: []byte("inputs: {inner: {}}")},
			}},
		},
		"relative to where a text is from": {
			imports: "[x.yaml]", inputs: []string{"from_rule"},
			opts: blueprint.Options{Imports: map[string]imports.Text{
				"x.yaml": {Text: []byte("imports: [a.yaml]"), Location: filepath.Join(dir, "x.yaml")},
			}},
		},
		"rule": {
			imports: "[http://h/a.yaml]", inputs: []string{"from_rule"},
			opts: blueprint.Options{Rules: imports.Rules{List: []imports.Rule{{Prefix: "http://h", Replacement: "file:" + dir}}}},
		},
		"second rule": {
			imports: "[http://h/a.yaml]", inputs: []string{"from_rule"},
			opts: blueprint.Options{Rules: imports.Rules{List: []imports.Rule{
				{Prefix: "http://h", Replacement: "file:" + dir + "/none"}, {Prefix: "http://", Replacement: "file:/none"},
				{Prefix: "http://h/", Replacement: "file://" + dir + "/"},
			}}},
		},
		"no fallback": {
			imports: "[https://cloudify.co/spec/cloudify/6.3.0/types.yaml]", code: 13,
			opts: blueprint.Options{Rules: imports.Rules{NoFallback: true, List: []imports.Rule{{Prefix: "https://", Replacement: "file:/none/"}}}},
		},
		"fallback": {
			imports: "[https://cloudify.co/spec/cloudify/6.3.0/types.yaml]",
			opts:    blueprint.Options{Rules: imports.Rules{List: []imports.Rule{{Prefix: "https://", Replacement: "file:/none/"}}}},
		},
		"resources base": {
			imports: "[a.yaml]", inputs: []string{"from_rule"}, opts: blueprint.Options{ResourcesBase: dir},
		},
		"outside of what is allowed": {
			imports: "['file:" + dir + "/a.yaml']", code: 13, opts: blueprint.Options{Confine: true},
		},
		"inside of it": {
			imports: "['file:" + dir + "/a.yaml']", inputs: []string{"from_rule"},
			opts: blueprint.Options{Confine: true, ResourcesBase: dir},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.opts.Resolver = offline
			p, _, err := parse(t, "imports: "+tc.imports, tc.opts)
			if code(err) != tc.code {
				t.Fatalf("error %v, want code %d", err, tc.code)
			}
			if err != nil {
				return
			}
			if got := value.SortedKeys(p.Inputs); !cmp.Equal(got, tc.inputs, cmp.Transformer("", func(s []string) string { return strings.Join(s, " ") })) {
				t.Errorf("inputs %v, want %v", got, tc.inputs)
			}
		})
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The version goes before the extension, where there is such a file.
func TestVariantsByVersion(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	write(t, filepath.Join(base, "t.yaml"), "inputs: {plain: {}}")
	write(t, filepath.Join(base, "t_1_5.yaml"), "inputs: {variant: {}}")
	p, _, err := parse(t, "imports: [t.yaml]", blueprint.Options{ResourcesBase: base})
	if err != nil || p.Inputs["variant"].Type != nil || len(p.Inputs) != 1 {
		t.Errorf("inputs %v, error %v", p, err)
	}
	write(t, filepath.Join(base, "bp", "t.yaml"), "inputs: {beside: {}}")
	p, _, err = blueprint.Parse(t.Context(), blueprint.Source{
		Path: filepath.Join(base, "bp", "blueprint.yaml"), Text: []byte(head + "imports: [t.yaml]"),
	}, blueprint.Options{ResourcesBase: base})
	if _, ok := p.Inputs["beside"]; err != nil || !ok {
		t.Errorf("inputs %v, error %v", p, err)
	}
}

func TestDiamondsAndCirclesOfImports(t *testing.T) {
	t.Parallel()
	given := map[string]imports.Text{}
	for name, text := range map[string]string{
		"a.yaml": "imports: [c.yaml, b.yaml]\ninputs: {a: {}}", "b.yaml": "imports: [c.yaml, a.yaml]\ninputs: {b: {}}",
		"c.yaml": "imports: [c.yaml]\ninputs: {c: {}}",
	} {
		given[name] = imports.Text{Text: []byte(text)}
	}
	p, _, err := parse(t, "imports: [a.yaml, b.yaml, n--a.yaml]", blueprint.Options{Imports: given})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(value.SortedKeys(p.Inputs), " "); got != "a b c n--a n--b n--c" {
		t.Errorf("inputs %s", got)
	}
}

// What doubles at every step, or never ends, is refused in a moment.
func TestNothingGrowsWithoutBound(t *testing.T) {
	t.Parallel()
	var types strings.Builder
	types.WriteString("data_types:\n  t0: {properties: {x: {default: 1}}}\n")
	given := map[string]imports.Text{"blueprint:b": {Text: []byte(head + "imports: [m--blueprint:b]\n")}}
	for i := 1; i < 40; i++ {
		fmt.Fprintf(&types, "  t%d: {properties: {a: {type: t%d}, b: {type: t%d}}}\n", i, i-1, i-1)
		given[fmt.Sprintf("d%d", i-1)] = imports.Text{Text: fmt.Appendf(nil, "imports: [a--d%d, b--d%d]", i, i)}
	}
	for text, says := range map[string]string{
		types.String():              "expands to more than",
		"imports: [d0]":             "more than 1000 documents",
		"imports: [n--blueprint:b]": "imports itself",
	} {
		_, _, err := parse(t, text, blueprint.Options{Imports: given})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %.200v, want %q", err, says)
		}
	}
}

func TestWeb(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("/good.yaml", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("imports: [sub/next.yaml]")) })
	mux.HandleFunc("/sub/next.yaml", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("inputs: {next: {}}")) })
	mux.HandleFunc("/flaky.yaml", func(w http.ResponseWriter, _ *http.Request) {
		if hits.Add(1) < 3 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = w.Write([]byte("inputs: {flaky: {}}"))
	})
	mux.HandleFunc("/broken.yaml", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	mux.HandleFunc("/huge.yaml", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 5000)) })
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	open := &imports.Web{AllowPrivate: true, Pause: time.Millisecond, MaxBytes: 4000}
	for name, tc := range map[string]struct {
		path string
		web  *imports.Web
		says string // "" for success
	}{
		"relative to a URL": {"/good.yaml", open, ""},
		"tried again":       {"/flaky.yaml", open, ""},
		"broken server":     {"/broken.yaml", open, "status code: 500"},
		"not there":         {"/none.yaml", open, "status code: 404"},
		"too long":          {"/huge.yaml", open, "longer than 4000"},
		"endless redirects": {"/loop", open, "too many redirects"},
		"redirect to files": {"/file", open, "redirect to file"},
		"private address":   {"/good.yaml", &imports.Web{Pause: time.Millisecond}, "not a public address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := parse(t, "imports: ['"+server.URL+tc.path+"']", blueprint.Options{
				Resolver: imports.New(imports.Config{Web: tc.web}),
			})
			if tc.says == "" && err != nil || tc.says != "" && (code(err) != 13 || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("error %v, want %q", err, tc.says)
			}
		})
	}
}

func TestWebStopsWithItsContext(t *testing.T) {
	t.Parallel()
	started := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	_, _, err := blueprint.Parse(ctx, blueprint.Source{Text: []byte(head + "imports: ['" + server.URL + "']")}, blueprint.Options{
		Resolver: imports.New(imports.Config{Web: &imports.Web{AllowPrivate: true}}),
	})
	if err == nil {
		t.Error("no error")
	}
}

// shelf is a catalogue with one plugin and one blueprint.
type shelf struct{ asked []imports.PluginQuery }

func (s *shelf) Plugin(_ context.Context, q imports.PluginQuery, _ string) (*imports.Document, error) {
	s.asked = append(s.asked, q)
	if q.Name != "aws" {
		return nil, imports.ErrNotFound
	}
	return &imports.Document{
		Text: []byte("plugins: {aws: {executor: central_deployment_agent, install: false}}\n" +
			"labels: {from_yaml: {values: [x]}}\nresource_tags: {from_yaml: x}\n"),
		Plugin: &imports.PluginRecord{Labels: map[string]any{"stored": []any{"y"}}, ResourceTags: map[string]any{"kept": "z"}},
	}, nil
}

func (s *shelf) Blueprint(_ context.Context, id, _ string) (*imports.Document, error) {
	if id != "net" {
		return nil, imports.ErrNotFound
	}
	return &imports.Document{Text: []byte("imports: [cloudify/types/types.yaml]\nnode_templates:\n  router:\n    type: cloudify.nodes.Router\n" +
		"    interfaces: {cloudify.interfaces.lifecycle: {create: scripts/make.sh}}\n" +
		"workflows: {w: scripts/wf.py}\n")}, nil
}

func TestCatalogues(t *testing.T) {
	t.Parallel()
	s := &shelf{}
	p, _, err := parse(t, "imports:\n  - plugin:aws?version=>=2.0,<3&distribution=centos\n  - net--blueprint:net\n  - cloudify/types/types.yaml\n",
		blueprint.Options{Resolver: imports.New(imports.Config{Plugins: s, Blueprints: s})})
	// The script is looked for when that blueprint is uploaded, not again.
	if err != nil {
		t.Fatal(err)
	}
	want := []imports.PluginQuery{{Name: "aws", Versions: []string{">=2.0", "<3"}, Distribution: "centos"}}
	if diff := cmp.Diff(want, s.asked); diff != "" {
		t.Error(diff)
	}
	if len(p.Labels) != 1 || p.Labels["stored"].Values == nil || p.ResourceTags["kept"] != "z" || len(p.ResourceTags) != 1 {
		t.Errorf("labels %v, tags %v", p.Labels, p.ResourceTags)
	}
	if p.NamespacesMapping["net"] != "net" || len(p.ImportedBlueprints) != 1 {
		t.Errorf("namespaces %v, blueprints %v", p.NamespacesMapping, p.ImportedBlueprints)
	}
	create := p.Nodes[0].Operations["cloudify.interfaces.lifecycle.create"]
	if p.Nodes[0].Name != "net--router" || create.Inputs["script_path"] != "net--scripts/make.sh" || create.Plugin != "script" {
		t.Errorf("node %s: %+v", p.Nodes[0].Name, create)
	}
	if _, _, err := parse(t, "imports: [plugin:gcp]", blueprint.Options{Resolver: imports.New(imports.Config{Plugins: s})}); code(err) != 13 {
		t.Errorf("error %v", err)
	}
}

// A merged document, imported, is the same as the blueprint imported itself.
func TestParseImported(t *testing.T) {
	t.Parallel()
	text := head + "imports: [cloudify/types/types.yaml]\nplugins: {p: {executor: central_deployment_agent, install: false}}\n" +
		"inputs: {size: {default: 012}, unused: {type: string, default: 'yes'}}\nnode_types: {app: {derived_from: cloudify.nodes.Root, properties: {x: {default: {get_input: size}}}}}\n" +
		"node_templates: {web: {type: app, interfaces: {life: {create: p.x}}}}\nworkflows: {install: p.own, w: p.w}\n"
	merged, warnings, err := blueprint.ParseImported(t.Context(), blueprint.Source{Text: []byte(text)}, blueprint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) == 0 {
		t.Error("no warning about the workflow that gives way")
	}
	var plans []string
	for _, doc := range []string{text, string(merged)} {
		p, _, err := parse(t, "imports: [n--blueprint:b]", blueprint.Options{
			Imports: map[string]imports.Text{"blueprint:b": {Text: []byte(doc)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		v, err := value.Of(p)
		if err != nil {
			t.Fatal(err)
		}
		plans = append(plans, string(value.Encode(v)))
	}
	if diff := cmp.Diff(plans[0], plans[1]); diff != "" {
		t.Error(diff)
	}
}
