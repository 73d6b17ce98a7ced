package graph

import (
	"slices"
	"time"
)

// start begins a task that waits for nothing any more.
func (e *Engine) start(now time.Time, n *node) {
	if n.removed || n.blocked || n.queued || n.running || n.task.State.Ended() {
		return
	}
	t := n.task
	switch {
	case t.ExecuteAfter.After(now):
		n.queued = true
		e.delay(n)
	case t.Kind == Operation:
		n.queued = true
		e.asked[t.ID] = n
		e.out = append(e.out, Ask{t})
	case t.Kind == Subgraph:
		e.enter(n)
	default:
		e.succeed(n)
	}
}

func (e *Engine) delay(n *node) {
	at := n.task.ExecuteAfter
	i, _ := slices.BinarySearchFunc(e.delayed, at, func(d *node, at time.Time) int {
		if c := d.task.ExecuteAfter.Compare(at); c != 0 {
			return c
		}
		return -1
	})
	e.delayed = slices.Insert(e.delayed, i, n)
}

func (e *Engine) wakeDelayed(now time.Time) {
	before := len(e.ready)
	for len(e.delayed) > 0 && !e.delayed[0].task.ExecuteAfter.After(now) {
		n := e.delayed[0]
		e.delayed = e.delayed[1:]
		n.queued = false
		e.ready = append(e.ready, n)
	}
	slices.Reverse(e.ready[before:])
}

func (e *Engine) enter(n *node) {
	if len(n.members) == 0 {
		e.succeed(n)
		return
	}
	n.task.State = Started
	e.record(n.task)
	for _, m := range sortedNodes(n.members) {
		e.release(m, n)
	}
}

// release takes away what d waited for; d becomes ready with the last one.
func (e *Engine) release(d, n *node) {
	unlink(d, n)
	if len(d.waits) == 0 {
		e.ready = append(e.ready, d)
	}
}

func (e *Engine) granted(id string) {
	n := e.asked[id]
	if n == nil { // it is not needed any more
		e.out = append(e.out, Release{ID: id})
		return
	}
	delete(e.asked, id)
	n.queued = false
	if e.cancel || n.removed || n.blocked {
		e.out = append(e.out, Release{ID: id})
		return
	}
	if e.paused {
		e.ready = append(e.ready, n)
		e.out = append(e.out, Release{ID: id})
		return
	}
	n.running = true
	e.performing[id] = n
	n.task.State = Sending
	e.record(n.task)
	e.out = append(e.out, Perform{n.task})
}
