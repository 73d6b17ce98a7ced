package graph

import (
	"fmt"
	"slices"
)

// Stored is a task as the journal has it.
type Stored struct {
	Task         *Task
	Dependencies []string
}

// Restore rebuilds a graph from what the journal has, so that a run can go on.
// Ended tasks are left out, and with them what waited only for them; a task
// that is retried by another gives its place to that one. Subgraphs that hold
// live tasks have started, even if they are recorded as pending. Operations
// that were under way are performed again with Resume set. It returns an empty
// graph if nothing is left, and the failures that ended the run, if it had failed.
func Restore(ids IDs, stored []Stored) (*Graph, error) {
	slices.SortStableFunc(stored, func(a, b Stored) int { return a.Task.Position - b.Task.Position })
	byID := make(map[string]*Stored, len(stored))
	retriedBy := map[string]string{}
	for i := range stored {
		t := stored[i].Task
		byID[t.ID] = &stored[i]
		if t.RetriedTask != "" {
			retriedBy[t.RetriedTask] = t.ID
		}
	}
	final := func(id string) string {
		for retriedBy[id] != "" {
			id = retriedBy[id]
		}
		return id
	}
	alive := map[string]bool{}
	for _, s := range stored {
		t := s.Task
		if t.Kind == Subgraph || t.State.Ended() && t.State == Succeeded || retriedBy[t.ID] != "" {
			continue
		}
		if t.State.Ended() && byID[t.Container] == nil {
			return nil, fmt.Errorf("task %s has failed for good", t.Describe())
		}
		for id := t.ID; id != "" && !alive[id]; {
			alive[id] = true
			next := byID[id].Task.Container
			if byID[next] == nil {
				break
			}
			id = next
		}
	}
	g := New(ids)
	top := 0
	for _, s := range stored {
		top = max(top, s.Task.Position)
		if alive[s.Task.ID] {
			t := *s.Task
			if t.Kind == Subgraph {
				t.State = Started
			} else if t.State != Pending {
				t.Resume = t.Kind == Operation
				t.State = Pending
			}
			position := t.Position
			g.Add(&t)
			t.Position = position
		}
	}
	for _, s := range stored {
		n := g.nodes[s.Task.ID]
		if n == nil {
			continue
		}
		if c := g.nodes[n.task.Container]; c != nil {
			c.members[n] = struct{}{}
		}
		for _, id := range s.Dependencies {
			d := g.nodes[final(id)]
			if d != nil && d != n && d.task.ID != n.task.Container {
				link(n, d)
			}
		}
	}
	return g, nil
}
