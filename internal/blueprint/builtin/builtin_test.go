package builtin

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"windlass/internal/blueprint/yaml"
)

func TestTypesAreReadable(t *testing.T) {
	t.Parallel()
	sections := map[string]map[string]int{
		"types.yaml": {
			"node_types": 27, "relationships": 8, "workflows": 15, "data_types": 7,
			"plugins": 4, "policy_types": 3, "policy_triggers": 1,
		},
		"types_1_4.yaml": {"node_types": 27, "workflows": 15},
		"types_1_3.yaml": {"node_types": 26, "workflows": 15},
	}
	for _, version := range []string{"1_0", "1_1", "1_2", "1_3", "1_4", "1_5", ""} {
		name, text := Types(version)
		root, problems := yaml.Load(&yaml.File{Name: name, Text: text})
		if problems != nil {
			t.Fatalf("%s: %v", name, problems)
		}
		for section, want := range sections[name[len(Scheme+"cloudify/types/"):]] {
			if got := len(root.Get(section).Pairs); got != want {
				t.Errorf("%s: %d entries in %s, want %d", name, got, section, want)
			}
		}
	}
}

func TestNamedResourcesExist(t *testing.T) {
	t.Parallel()
	_, text := Types("1_5")
	for _, m := range regexp.MustCompile(`(?:script_path: \{default: |source: )(cloudify/[^\s}]+)`).FindAllSubmatch(text, -1) {
		if _, err := fs.Stat(Resources(), string(m[1])); err != nil {
			t.Error(err)
		}
	}
}

func TestIsTypes(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{
		"cloudify/types/types.yaml":                                      true,
		"http://www.getcloudify.org/spec/cloudify/4.5.5/types.yaml":      true,
		"https://www.getcloudify.org/spec/cloudify/3.4m5/types.yaml":     true,
		"https://cloudify.co/spec/cloudify/6.3.0/types.yaml":             true,
		"http://cloudify.co/spec/cloudify/5.1.0.dev1/types.yaml":         true,
		"https://cloudify.co/spec/cloudify/types.yaml":                   false,
		"https://cloudify.co/spec/aws-plugin/2.0/plugin.yaml":            false,
		"https://example.com/spec/cloudify/6.3.0/types.yaml":             false,
		"https://cloudify.co.example.com/spec/cloudify/6.3.0/types.yaml": false,
		"ftp://cloudify.co/spec/cloudify/6.3.0/types.yaml":               false,
		"types.yaml": false,
	} {
		if got := IsTypes(url); got != want {
			t.Errorf("IsTypes(%q) = %v, want %v", url, got, want)
		}
	}
}

// The page about workflows names each of them, with each of its parameters.
func TestWorkflowsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/builtin-workflows.md")
	if err != nil {
		t.Fatal(err)
	}
	types, err := os.ReadFile("types/types.yaml")
	if err != nil {
		t.Fatal(err)
	}
	workflow, row, filters := "", "", []string{"type_names", "node_ids", "node_instance_ids"}
	inside := false
	for line := range strings.Lines(string(types)) {
		name, _, isKey := strings.Cut(strings.TrimSpace(line), ":")
		depth := len(line) - len(strings.TrimLeft(line, " "))
		switch {
		case depth == 0 && isKey:
			inside = name == "workflows"
		case !inside || !isKey:
		case depth == 2:
			workflow = name
			if _, rest, ok := strings.Cut(string(page), "\n| `"+workflow+"` |"); ok {
				row, _, _ = strings.Cut(rest, "\n")
			} else {
				t.Errorf("workflow %s is not on the page", workflow)
			}
		case depth == 6 && !slices.Contains(filters, name) && !strings.Contains(line, "node_instances_active") && !strings.Contains(line, "node_types_required"):
			if !strings.Contains(row, "`"+name+"`") {
				t.Errorf("parameter %s of %s is not on the page", name, workflow)
			}
		}
	}
	if workflow == "" {
		t.Error("no workflows were found")
	}
}
