package graph

import (
	"slices"
	"time"
)

// Hold says what keeps a task from being further than it is.
type Hold int

// The holds.
const (
	Runs        Hold = iota // it is being performed
	AwaitsSlot              // too many operations run at once
	AwaitsTime              // its next try is due at a time
	AwaitsTasks             // others have to end first
	HeldBack                // the run is paused, or being cancelled
	Blocked                 // something that it needs has failed: it will never run
)

// Snapshot tells where a run is.
type Snapshot struct {
	Paused, Cancelling bool
	Tasks              []Waiting // operations that have not ended, by creation
}

// Waiting is an operation and what holds it up.
type Waiting struct {
	Task *Task // a copy
	Hold Hold
	At   time.Time // of AwaitsTime: when it is tried next
	// On are, of AwaitsTasks, the operations and subgraphs that it waits for,
	// nearest first.
	On []*Task
}

// Snapshot tells where the engine is. It changes nothing.
func (e *Engine) Snapshot() Snapshot {
	s := Snapshot{Paused: e.paused, Cancelling: e.cancel}
	for _, n := range e.graph.order {
		if n == nil || n.removed || n.task.Kind != Operation || n.task.State.Ended() && !n.blocked {
			continue
		}
		task := *n.task
		w := Waiting{Task: &task, On: e.awaited(n)}
		switch {
		case n.running:
			w.Hold = Runs
		case n.isBlocked(e.graph):
			w.Hold = Blocked
		case e.cancel:
			w.Hold = HeldBack
		case len(w.On) > 0:
			w.Hold = AwaitsTasks
		case slices.Contains(e.delayed, n):
			w.Hold, w.At = AwaitsTime, task.ExecuteAfter
		case e.paused:
			w.Hold = HeldBack
		default:
			w.Hold = AwaitsSlot
		}
		s.Tasks = append(s.Tasks, w)
	}
	return s
}

// isBlocked tells whether the task, or a subgraph around it, is blocked.
func (n *node) isBlocked(g *Graph) bool {
	for ; n != nil; n = g.nodes[n.task.Container] {
		if n.blocked {
			return true
		}
	}
	return false
}

// awaited lists what n waits for. In the place of a subgraph around it that has
// not been entered, and of a task that takes no time, stands what that waits for.
func (e *Engine) awaited(n *node) []*Task {
	var list []*Task
	seen := map[*node]bool{}
	var collect func(*node)
	collect = func(n *node) {
		for _, w := range sortedNodes(n.waits) {
			switch {
			case seen[w]:
			case e.inside(n, w), w.task.Kind != Operation && w.task.Kind != Subgraph:
				seen[w] = true
				collect(w)
			default:
				seen[w] = true
				task := *w.task
				list = append(list, &task)
			}
		}
	}
	collect(n)
	return list
}
