package plugin_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/plugin"
)

func TestOlder(t *testing.T) {
	t.Parallel()
	document := func(name, text string) plugin.YAML { return plugin.Document(name, []byte(text)) }
	for name, c := range map[string]struct {
		all  []plugin.YAML
		want string // "" for none
	}{
		"nothing":       {nil, ""},
		"old enough":    {[]plugin.YAML{document("plugin.yaml", "inputs: {a: {type: list}}\n")}, ""},
		"there is one":  {[]plugin.YAML{document("plugin.yaml", "inputs: {a: {type: node_id}}"), document("plugin_1_3.yaml", "")}, ""},
		"empty":         {[]plugin.YAML{document("plugin.yaml", "")}, ""},
		"other content": {[]plugin.YAML{document("plugin.yaml", "inputs: [1]\nworkflows: {w: a.b}\nnode_types: {n:}\n")}, ""},
		"types": {
			[]plugin.YAML{document("plugin.yaml", "inputs: {a: {type: node_id, constraints: [{x: 1}], default: d}, b: {type: list, item_type: string}}\n")},
			"inputs:\n  a:\n    type: string\n    default: d\n  b:\n    type: list\n",
		},
		"everywhere": {
			[]plugin.YAML{document("plugin.yaml", "node_types: {n: {properties: {p: {type: secret_key}}, interfaces: {i: {o: {inputs: {x: {type: node_type}}}}}}}\n"+
				"workflows: {w: {mapping: a.b, availability_rules: {available: false}, parameters: {q: {type: operation_name}}}, v: a.c}\n")},
			"node_types:\n  n:\n    properties:\n      p:\n        type: string\n    interfaces:\n      i:\n        o:\n          inputs:\n            x:\n              type: string\n" +
				"workflows:\n  w:\n    mapping: a.b\n    parameters:\n      q:\n        type: string\n  v: a.c\n",
		},
	} {
		made, err := plugin.Older(c.all)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := ""
		if made != nil {
			got = string(made.Text)
			if made.Name != "plugin_1_3.yaml" || made.DSLVersion != "1_3" {
				t.Errorf("%s: it is called %s for %s", name, made.Name, made.DSLVersion)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
	if _, err := plugin.Older([]plugin.YAML{document("plugin.yaml", "a: [")}); err == nil {
		t.Error("broken text was taken")
	}
}
