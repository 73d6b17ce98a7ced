package blueprint_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint"
)

func TestRequirements(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := head + `
plugins:
  folder: {executor: central_deployment_agent, source: my-plugin}
  again: {executor: central_deployment_agent, source: my-plugin}
  url: {executor: central_deployment_agent, source: "https://example.com/p.zip", install_arguments: -r x.txt}
  host: {executor: host_agent, source: on-host}
  package: {executor: central_deployment_agent, package_name: some-plugin, package_version: "1.0"}
  there: {executor: central_deployment_agent, source: there, install: false}
  idle: {executor: central_deployment_agent, source: idle}
  flow: {executor: central_deployment_agent, source: flow}
node_types:
  cloudify.nodes.Compute: {}
node_templates:
  a:
    type: cloudify.nodes.Compute
    interfaces:
      i: {a: folder.x, b: again.x, c: url.x, d: host.x, e: package.x, f: there.x}
workflows:
  w: flow.x
`
	path := filepath.Join(dir, "blueprint.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	got, _, err := blueprint.Requirements(t.Context(), blueprint.Source{Path: path}, blueprint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		filepath.Join(dir, "plugins", "my-plugin"), filepath.Join(dir, "plugins", "on-host"), "https://example.com/p.zip",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRequirementsOfABrokenBlueprint(t *testing.T) {
	t.Parallel()
	_, _, err := blueprint.Requirements(t.Context(), blueprint.Source{Text: []byte(head + "nodes: {}")}, blueprint.Options{})
	if code(err) != 1 {
		t.Errorf("got %v", err)
	}
}
