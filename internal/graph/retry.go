package graph

import "time"

func (e *Engine) retry(now time.Time, n *node, a Answer) {
	t := n.task
	if a.Replaced != nil {
		e.replaced(n, a.Replaced)
		return
	}
	if t.TotalRetries != Infinite && t.CurrentRetries >= t.TotalRetries && !a.IgnoreTotal {
		e.fail(now, n)
		return
	}
	again := *t
	again.ID, again.State, again.Result, again.Failure, again.Resume = "", Pending, nil, nil, false
	again.CurrentRetries++
	again.RetriedTask = t.ID
	wait := t.RetryInterval
	switch {
	case a.RetryAfter != nil:
		wait = *a.RetryAfter
	case !a.IgnoreTotal: // it failed; it is not just asked again
		wait = e.backoff.wait(wait, t.CurrentRetries)
	}
	again.ExecuteAfter = now.Add(wait)
	e.graph.Add(&again)
	e.takePlace(n, e.graph.nodes[again.ID])
}

// takePlace lets m wait for nothing and be waited for as n was.
func (e *Engine) takePlace(n, m *node) {
	if c := e.graph.nodes[n.task.Container]; c != nil {
		c.members[m] = struct{}{}
	}
	for _, d := range sortedNodes(n.dependants) {
		link(d, m)
	}
	e.added(m)
	e.graph.remove(n)
	if len(m.waits) == 0 {
		e.ready = append(e.ready, m)
	}
}

func (e *Engine) added(n *node) {
	c := *n.task
	e.out = append(e.out, Record{Task: &c, Added: true, Dependencies: sortedIDs(n.waits)})
}

// replaced puts a subgraph that a handler has built in the place of n.
func (e *Engine) replaced(n *node, by *Task) {
	m := e.graph.nodes[by.ID]
	var all func(*node)
	all = func(s *node) {
		for _, k := range sortedNodes(s.members) {
			e.added(k)
			all(k)
		}
	}
	e.takePlace(n, m)
	all(m)
}
