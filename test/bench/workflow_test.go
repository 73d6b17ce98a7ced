package bench

import (
	"path/filepath"
	"testing"
)

const flowsBlueprint = `tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
plugins:
  mine: {executor: central_deployment_agent, source: mine}
node_templates:
  one:
    type: cloudify.nodes.Root
    interfaces: {test: {nothing: mine.flows.nothing}}
workflows:
  warm: mine.flows.warm
  own: mine.flows.own
  operations: mine.flows.operations
`

const flows = `
def nothing(**_):
    pass

def warm(ctx, **_):
    pass

def own(ctx, **_):
    graph = ctx.graph_mode()
    for _ in range(1000):
        graph.add_task(ctx.local_task(nothing))
    graph.execute()

def operations(ctx, **_):
    graph = ctx.graph_mode()
    one = next(ctx.get_node('one').instances)
    for _ in range(1000):
        graph.add_task(one.execute_operation('test.nothing'))
    graph.execute()
`

// BenchmarkWorkflow runs custom workflows of 1,000 tasks: of their own, and
// operations of a Python plugin.
func BenchmarkWorkflow(b *testing.B) {
	for range b.N {
		m := startManager(b)
		dir := filepath.Join(m.home, "scaled")
		write(b, filepath.Join(dir, "blueprint.yaml"), flowsBlueprint, 0o644)
		write(b, filepath.Join(dir, "plugins", "mine", "flows.py"), flows, 0o644)
		m.run(b, "blueprints", "upload", dir, "-b", "scaled")
		m.run(b, "deployments", "create", "scaled", "-b", "scaled")
		b.ReportMetric(0, "ns/op")
		for _, w := range []string{"warm", "own", "operations"} {
			m.run(b, "executions", "start", w, "-d", "scaled", "--timeout", "600", "--json")
			b.ReportMetric(m.lasted(b, w).Seconds(), "s-"+w)
		}
	}
}
