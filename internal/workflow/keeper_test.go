package workflow

import (
	"context"

	"windlass/internal/graph"
)

// Node returns a node by id, or nil.
func (d *Deployment) Node(id string) *Node { return d.Nodes[id] }

// keeper keeps the last graph that was built and runs nothing.
type keeper struct {
	stage
	keep **graph.Graph
}

func (k *keeper) Execute(
	_ context.Context, _ string, _ map[string]graph.HandlerFunc, build func(graph.IDs) (*graph.Graph, error),
) (err error) {
	*k.keep, err = build(&ids{})
	return err
}

// reaches tells whether the task named from waits, directly or not, for the one named to.
func reaches(g *graph.Graph, from, to string) bool {
	byID := map[string]*graph.Task{}
	for _, t := range g.Tasks() {
		byID[t.ID] = t
	}
	var walk func(t *graph.Task) bool
	walk = func(t *graph.Task) bool {
		if t.Name == to {
			return true
		}
		for _, id := range g.Dependencies(t.ID) {
			if walk(byID[id]) {
				return true
			}
		}
		return false
	}
	for _, t := range byID {
		if t.Name == from {
			return walk(t)
		}
	}
	return false
}
