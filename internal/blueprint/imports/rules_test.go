package imports

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/value"
)

func TestParseRules(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		json  string
		rules Rules
		err   string
	}{
		"nothing":    {json: `null`},
		"empty":      {json: `{}`},
		"no rules":   {json: `{"parameters": {"rules": [], "fallback": true}}`},
		"no rules 2": {json: `{"parameters": null, "implementation": null}`},
		"rules": {
			json:  `{"parameters": {"rules": [{"http://a": "b"}, {"http://": "/c/"}], "fallback": false}}`,
			rules: Rules{List: []Rule{{Prefix: "http://a", Replacement: "b"}, {Prefix: "http://", Replacement: "/c/"}}, NoFallback: true},
		},
		"the original's":   {json: `{"implementation": "dsl_parser.import_resolver.default_import_resolver:DefaultImportResolver"}`},
		"another":          {json: `{"implementation": "my.own:Resolver"}`, err: "import_resolver.implementation: 'my.own:Resolver' can't be loaded"},
		"a list":           {json: `[]`, err: "is a dictionary with parameters, not list"},
		"another key":      {json: `{"parameter": {}}`, err: "import_resolver has no parameter; did you mean 'parameters'?"},
		"bad parameters":   {json: `{"parameters": []}`, err: "import_resolver.parameters must be a dictionary, not list"},
		"unknown":          {json: `{"parameters": {"rule": []}}`, err: "import_resolver.parameters has no rule; did you mean 'rules'?"},
		"bad fallback":     {json: `{"parameters": {"fallback": "no"}}`, err: "import_resolver.parameters.fallback must be true or false, not 'no'"},
		"rules not a list": {json: `{"parameters": {"rules": {}}}`, err: "rules must be a list, not dict"},
		"rule not a pair":  {json: `{"parameters": {"rules": [{"a": "b"}, {"a": "b", "c": "d"}]}}`, err: "rules[1] must be a dictionary of one pair"},
		"rule a text":      {json: `{"parameters": {"rules": ["a"]}}`, err: "rules[0] must be a dictionary of one pair"},
		"to a number":      {json: `{"parameters": {"rules": [{"a": 1}]}}`, err: `rules[0] must lead from a text to a text, not from "a" to 1`},
		"from everything":  {json: `{"parameters": {"rules": [{"": "b"}]}}`, err: `rules[0] must lead from a text to a text, not from "" to 'b'`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := value.Decode([]byte(c.json))
			if err != nil {
				t.Fatal(err)
			}
			rules, err := ParseRules(v)
			if c.err == "" {
				if diff := cmp.Diff(c.rules, rules); diff != "" || err != nil {
					t.Error(diff, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %s", err, c.err)
			}
		})
	}
}

// What a rule names may be where blueprints may not reach; what a blueprint's
// author appends to it must not lead elsewhere.
func TestRulesLeadOnlyWhereTheyName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"mirror/a.yaml", "secret.yaml"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("inputs: {}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../secret.yaml", filepath.Join(dir, "mirror", "link.yaml")); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("inputs: {}")) }))
	t.Cleanup(server.Close)
	other := httptest.NewServer(server.Config.Handler)
	t.Cleanup(other.Close)
	guarded := New(Config{Web: &Web{Attempts: 1}})
	direct := New(Config{Web: &Web{Attempts: 1, AllowPrivate: true}})
	for name, c := range map[string]struct {
		replacement, imported string
		found                 bool
	}{
		"in the folder":           {"file:" + dir + "/mirror/", "a.yaml", true},
		"as a path":               {dir + "/mirror/", "a.yaml", true},
		"one file":                {"file://" + dir + "/mirror/a.", "yaml", true},
		"above the folder":        {"file:" + dir + "/mirror/", "../secret.yaml", false},
		"beside the folder":       {"file:" + dir + "/mirror/a", "/../../secret.yaml", false},
		"a link out of it":        {dir + "/mirror/", "link.yaml", false},
		"on the server":           {server.URL + "/types/", "a.yaml", true},
		"above, on the server":    {server.URL + "/types/", "../a.yaml", true},
		"another server":          {"http://", strings.TrimPrefix(other.URL, "http://"), false},
		"another port":            {"http://127.0.0.1:", strings.TrimPrefix(other.URL, "http://127.0.0.1:"), false},
		"another server's name":   {server.URL, "@" + strings.TrimPrefix(other.URL, "http://") + "/a.yaml", false},
		"a scheme that is none":   {"nonsense:", "a", false},
		"a URL that can't be one": {server.URL, "/%zz", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules := Rules{List: []Rule{{Prefix: "http://far/", Replacement: c.replacement}}, NoFallback: true, Direct: direct}
			d, err := Options{Resolver: guarded, Rules: rules, Confine: Folders{t.TempDir()}}.resolver().Fetch(t.Context(), "http://far/"+c.imported, "1_4")
			if (err == nil) != c.found {
				t.Errorf("found %v, error %v", d, err)
			}
		})
	}
}
