package graph

import "time"

// succeed ends a task whose record is its effect.
func (e *Engine) succeed(n *node) {
	n.task.State = Succeeded
	e.record(n.task)
	e.handle(e.now, n)
}

// end notes a performed task's outcome.
func (e *Engine) end(now time.Time, n *node, result any, failure *Failure) {
	t := n.task
	switch {
	case failure == nil:
		t.State, t.Result = Succeeded, result
	case failure.Verdict == Reschedule:
		t.State, t.Failure = Rescheduled, failure
	default:
		t.State, t.Failure = Failed, failure
	}
	e.record(t)
	e.handle(now, n)
}

// handle decides what follows from an ended task.
func (e *Engine) handle(now time.Time, n *node) {
	t := n.task
	if n.removed {
		return
	}
	switch t.State {
	case Succeeded:
		if t.OnSuccess != nil {
			e.answer(now, n, e.ask(t.OnSuccess, t))
			return
		}
		e.leave(n)
	case Rescheduled:
		e.retry(now, n, Answer{RetryAfter: t.Failure.RetryAfter})
	default:
		switch {
		case t.OnFailure != nil:
			e.answer(now, n, e.ask(t.OnFailure, t))
		case t.Kind == Subgraph || t.Failure == nil || t.Failure.Verdict == NonRecoverable:
			e.fail(now, n)
		default:
			e.retry(now, n, Answer{RetryAfter: t.Failure.RetryAfter})
		}
	}
}

// leave removes a task that is done and releases what waited for it.
func (e *Engine) leave(n *node) {
	if n.removed {
		return
	}
	container := e.graph.nodes[n.task.Container]
	dependants := sortedNodes(n.dependants)
	e.graph.remove(n)
	for _, d := range dependants {
		if len(d.waits) == 0 {
			e.ready = append(e.ready, d)
		}
	}
	if container != nil && len(container.members) == 0 && container.task.State == Started {
		e.succeed(container)
	}
}
