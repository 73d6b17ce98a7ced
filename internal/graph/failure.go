package graph

import (
	"slices"
	"time"
)

// fail notes a failure that nobody retries: in a subgraph it is the
// subgraph's, else the graph's. Whatever depends on it never runs.
func (e *Engine) fail(now time.Time, n *node) {
	container := e.graph.nodes[n.task.Container]
	if container == nil {
		e.block(n)
	}
	if container != nil && !container.task.State.Ended() {
		e.giveUp(container, container)
		container.task.State, container.task.Failure = Failed, n.task.Failure
		if container.task.Failure != nil && container.task.Payload == nil {
			container.task.Payload = FailedMember{n.task}
		}
		e.record(container.task)
		e.handle(now, container)
		return
	}
	if container != nil {
		return // the subgraph has failed already; its first failure counts
	}
	if len(e.failures) == 0 {
		e.deadline = now.Add(e.graceAfter)
	}
	culprit := n.task
	if m, ok := culprit.Payload.(FailedMember); ok {
		culprit = m.root()
	}
	e.failures = append(e.failures, culprit)
}

// FailedMember is the payload of a failed subgraph: the member that failed first.
type FailedMember struct{ Task *Task }

func (m FailedMember) root() *Task {
	if inner, ok := m.Task.Payload.(FailedMember); ok {
		return inner.root()
	}
	return m.Task
}

func (e *Engine) block(n *node) {
	for d := range n.dependants {
		if !d.blocked {
			d.blocked = true
			e.block(d)
		}
	}
}

// giveUp takes the members of s, which has failed, out of the graph. What waits
// for one of them from outside waits for the fate of s instead. Members under
// way go on, but nothing follows from their outcome.
func (e *Engine) giveUp(s, in *node) {
	for _, m := range sortedNodes(in.members) {
		e.giveUp(s, m)
		for _, d := range sortedNodes(m.dependants) {
			if !e.inside(d, s) {
				link(d, s)
			}
		}
		delete(e.asked, m.task.ID)
		e.delayed = slices.DeleteFunc(e.delayed, func(d *node) bool { return d == m })
		e.graph.remove(m)
	}
}

// inside tells whether n is s or somewhere in it.
func (e *Engine) inside(n, s *node) bool {
	for ; n != nil; n = e.graph.nodes[n.task.Container] {
		if n == s {
			return true
		}
	}
	return false
}
