package graph

import (
	"slices"
	"time"
)

// Engine runs a graph step by step. It takes no clock, does no I/O and starts
// no goroutine: the same events give the same commands.
type Engine struct {
	graph      *Graph
	handlers   map[string]HandlerFunc
	graceAfter time.Duration // how long independent tasks go on after the first failure
	backoff    Backoff
	// portion bounds how many ready tasks a step begins; 0: all of them.
	portion int

	out []Command
	// ready is a stack: the next is the last. So what a task's end makes ready
	// begins before what an earlier step has left.
	ready []*node
	// performing holds the tasks under way, also those of a subgraph that was
	// given up meanwhile.
	performing map[string]*node
	asked      map[string]*node
	delayed    []*node // by ExecuteAfter
	failures   []*Task
	deadline   time.Time
	cancel     bool
	killed     bool
	paused     bool
	now        time.Time
	finished   bool
}

// NewEngine makes an engine for the graph.
func NewEngine(g *Graph, handlers map[string]HandlerFunc, waitAfterFail time.Duration) *Engine {
	return &Engine{graph: g, handlers: handlers, graceAfter: waitAfterFail, asked: map[string]*node{}, performing: map[string]*node{}}
}

// Step applies an event and returns what is to be done. Events of unknown or
// ended tasks change nothing.
func (e *Engine) Step(now time.Time, ev Event) []Command {
	e.out, e.now = nil, now
	if e.finished {
		return nil
	}
	before := len(e.ready) // what the last step has left: it is for a Tick
	left := before
	switch ev := ev.(type) {
	case Begin:
		e.collect()
	case Tick:
		left = 0
	case Granted:
		e.granted(ev.ID)
	case Began:
		if n := e.performing[ev.ID]; n != nil && n.task.State == Sending {
			n.task.State = Started
			e.record(n.task)
		}
	case Ended:
		if n := e.performing[ev.ID]; n != nil {
			delete(e.performing, ev.ID)
			if !e.killed || ev.Failure == nil {
				e.end(now, n, ev.Result, ev.Failure)
			}
		}
	case Interrupted:
		e.cancel = true
		delete(e.performing, ev.ID)
	case Denied:
		if n := e.asked[ev.ID]; n != nil {
			delete(e.asked, ev.ID)
			n.queued = false
			e.end(now, n, nil, ev.Failure)
		}
	case SetPaused:
		e.paused, left = ev.To, 0
	case Cancel:
		e.cancel = true
		e.killed = e.killed || ev.Kill
		if ev.Now {
			e.finish(e.result())
			return e.out
		}
	}
	slices.Reverse(e.ready[before:])
	e.advance(now, left)
	e.alarm()
	return e.out
}

// alarm asks to be woken for the next thing that time decides. There is one
// alarm: the last command counts.
func (e *Engine) alarm() {
	var next time.Time
	if len(e.delayed) > 0 && !e.cancel && !e.paused {
		next = e.delayed[0].task.ExecuteAfter
	}
	if len(e.failures) > 0 && (next.IsZero() || e.deadline.Before(next)) {
		next = e.deadline
	}
	if !next.IsZero() && !e.finished {
		e.out = append(e.out, WakeAt{next})
	}
}

// collect finds the tasks that can start from the beginning.
func (e *Engine) collect() {
	for _, n := range e.graph.order {
		if n != nil && len(n.waits) == 0 && !(n.members != nil && n.task.State == Started) {
			e.ready = append(e.ready, n)
		}
	}
	for _, n := range slices.Clone(e.graph.order) {
		if n != nil && !n.removed && n.members != nil && n.task.State == Started && len(n.members) == 0 {
			e.succeed(n)
		}
	}
}

// advance begins the tasks that are ready, but for so many that are left.
func (e *Engine) advance(now time.Time, left int) {
	if !e.cancel && !e.paused {
		e.wakeDelayed(now)
		for begun := 0; len(e.ready) > left && (e.portion == 0 || begun < e.portion); begun++ {
			last := len(e.ready) - 1
			n := e.ready[last]
			e.ready = e.ready[:last]
			e.start(now, n)
			slices.Reverse(e.ready[last:])
		}
	}
	switch {
	case e.cancel && len(e.performing) == 0:
		e.finish(e.result())
	case e.graph.count == 0:
		e.finish(e.result())
	case len(e.failures) > 0 && !now.Before(e.deadline):
		e.finish(e.result())
	case len(e.performing) > 0 || len(e.asked) > 0 || len(e.delayed) > 0 || len(e.ready) > 0:
	case len(e.failures) > 0:
		e.finish(e.result())
	case e.paused:
	default:
		e.finish(&StuckError{Tasks: e.graph.Tasks()})
	}
}

// hasMore tells whether the last step has left ready tasks to the next, which may
// be a Tick.
func (e *Engine) hasMore() bool { return len(e.ready) > 0 && !e.cancel && !e.paused && !e.finished }

func (e *Engine) result() error {
	switch {
	case len(e.failures) > 0:
		return &FailedError{Tasks: e.failures}
	case e.cancel:
		return Cancelled{}
	}
	return nil
}

func (e *Engine) finish(err error) {
	if !e.finished {
		e.finished = true
		e.out = append(e.out, Finish{err})
	}
}

func (e *Engine) record(t *Task) {
	c := *t
	e.out = append(e.out, Record{Task: &c})
}
