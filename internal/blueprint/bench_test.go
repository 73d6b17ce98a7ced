package blueprint_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"windlass/internal/blueprint"
)

// BenchmarkPlan parses blueprints of growing size in three shapes.
func BenchmarkPlan(b *testing.B) {
	for _, shape := range []string{"chain", "star", "tree"} {
		for _, nodes := range []int{10, 100, 1000, 10_000} {
			text := generated(shape, nodes)
			b.Run(fmt.Sprintf("%s/%d", shape, nodes), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					p, _, err := blueprint.Parse(context.Background(), blueprint.Source{Text: text}, blueprint.Options{})
					if err != nil {
						b.Fatal(err)
					}
					if len(p.Nodes) != nodes {
						b.Fatalf("%d nodes", len(p.Nodes))
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*nodes), "ns/node")
			})
		}
	}
}

// generated is a blueprint with many nodes: each connected to the one before
// it, all connected to the first, or each contained in one of the ten before.
func generated(shape string, nodes int) []byte {
	var b strings.Builder
	b.WriteString("tosca_definitions_version: cloudify_dsl_1_5\nimports:\n  - cloudify/types/types.yaml\n" +
		"inputs:\n  size: {type: integer, default: 3}\nnode_templates:\n")
	for i := range nodes {
		kind, relation, target := "cloudify.nodes.WebServer", "connected_to", i-1
		switch shape {
		case "star":
			target = 0
		case "tree":
			relation, target = "contained_in", (i-1)/10
			if i == 0 {
				kind = "cloudify.nodes.Compute"
			}
		}
		fmt.Fprintf(&b, "  node_%d:\n    type: %s\n    properties:\n", i, kind)
		if kind == "cloudify.nodes.Compute" {
			b.WriteString("      ip: 10.0.0.1\n")
		} else {
			b.WriteString("      port: {get_input: size}\n")
		}
		b.WriteString("    interfaces:\n      cloudify.interfaces.lifecycle:\n        create:\n" +
			"          implementation: script.script_runner.tasks.run\n          executor: central_deployment_agent\n" +
			"          inputs: {script_path: scripts/create.sh, port: {get_property: [SELF, use_external_resource]}}\n")
		if i > 0 {
			fmt.Fprintf(&b, "    relationships:\n      - type: cloudify.relationships.%s\n        target: node_%d\n", relation, target)
		}
	}
	return []byte(b.String())
}
