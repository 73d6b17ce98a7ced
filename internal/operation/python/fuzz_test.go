package python

import (
	"fmt"
	"testing"

	"windlass/internal/graph"
	"windlass/internal/value"
	"windlass/internal/workflow"
)

type numbers struct{ n int }

func (n *numbers) Next() string { n.n++; return fmt.Sprintf("n%d", n.n) }

// FuzzDescription reads what a workflow's process says of its graph: whatever
// that is, it is a graph or an error.
func FuzzDescription(f *testing.F) {
	for _, seed := range []string{
		`[{"key": "a", "kind": "local", "name": "x", "container": null, "waits": []}]`,
		`[{"key": "s", "kind": "SubgraphTask", "name": "s"}, {"key": "b", "kind": "RemoteWorkflowTask", "container": 0, "waits": [0, 1],
			"payload": {"operation": "o", "inputs": {"a": 1}}, "on_failure": {"stored": {"path": "p"}, "ignores": true}, "retry_interval": 1.5}]`,
		`[{"key": "a", "kind": "SetNodeInstanceStateTask", "payload": {"state": 5}}, {"key": "a", "kind": "NOPLocalWorkflowTask", "waits": [7]}]`,
		`[{"key": "a", "kind": "SendNodeEventTask", "waits": ["b"], "awaited": ["a", 0], "container": "a"}, null, 5]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		decoded, err := value.Decode(data)
		list, ok := decoded.([]any)
		if err != nil || !ok {
			return
		}
		s := &conversation{deployment: &workflow.Deployment{}}
		g := graph.New(&numbers{})
		tasks, err := graphBuilder{s: s, g: g}.add(list)
		if err != nil {
			return
		}
		if len(tasks) != len(list) || g.Len() != len(list) {
			t.Fatalf("%d tasks of %d, %d in the graph", len(tasks), len(list), g.Len())
		}
		for _, task := range tasks {
			if _, err := workflow.EncodeTask(task); err != nil {
				t.Fatal(err)
			}
		}
		g.Optimize()
	})
}
