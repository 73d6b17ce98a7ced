package graph

import (
	"slices"
	"time"
)

// Event is what happened; see the types that implement it.
type Event interface{ event() }

// Begin starts the engine.
type Begin struct{}

// Granted: the task may be performed now.
type Granted struct{ ID string }

// Began: the performer has really started the task.
type Began struct{ ID string }

// Ended: the performer is done with the task.
type Ended struct {
	ID      string
	Result  any
	Failure *Failure // nil: it succeeded
}

// Interrupted: the performer has let go of the task as the run is being cancelled,
// of which the engine may not have heard yet. The task has no outcome; a restored
// graph performs it anew, to resume it.
type Interrupted struct{ ID string }

// Tick: time has passed.
type Tick struct{}

// Cancel asks the engine to stop. Nothing new starts; it ends when what runs
// has ended, or, if Now, at once. With Kill what runs is being stopped from
// outside, and its failures tell nothing about it.
type Cancel struct{ Now, Kill bool }

// SetPaused holds everything that has not started, or lets it go on. What runs
// goes on and its outcome is recorded. A failure's grace period goes on, too.
type SetPaused struct{ To bool }

// Denied: there will be no slot for the task; it fails without being performed.
type Denied struct {
	ID      string
	Failure *Failure
}

func (Begin) event()       {}
func (Granted) event()     {}
func (Began) event()       {}
func (Ended) event()       {}
func (Tick) event()        {}
func (Cancel) event()      {}
func (Interrupted) event() {}
func (Denied) event()      {}

func (SetPaused) event() {}

// Command is what is to be done. Perform and Finish are carried out in order,
// after all records before them are durable; for the others that doesn't matter.
type Command interface{ command() }

// Record is a change to be made durable: a task with its new state, or a task
// that was added.
type Record struct {
	Task         *Task // a copy as it is at this moment
	Added        bool
	Dependencies []string // of an added task
	// Effect is something that becomes durable together with the task's end; it
	// is the only news in this record. The journal knows its types.
	Effect any
}

// Ask requests a slot for the task.
type Ask struct{ Task *Task }

// Perform runs the task.
type Perform struct{ Task *Task }

// WakeAt asks for a Tick at the time.
type WakeAt struct{ At time.Time }

// Finish ends the run; the result is nil, Cancelled, *FailedError or *StuckError.
type Finish struct{ Err error }

func (Record) command()  {}
func (Ask) command()     {}
func (Perform) command() {}
func (WakeAt) command()  {}
func (Finish) command()  {}

// Decision is what a handler makes of an ended task.
type Decision int

// The decisions.
const (
	Continue Decision = iota // go on as if it had succeeded
	Fail
	Retry
)

// Answer is a handler's result. A handler that has put another task in the
// place of the ended one returns it in Replaced, with Retry.
type Answer struct {
	Decision    Decision
	IgnoreTotal bool // retry even if no retries are left
	RetryAfter  *time.Duration
	Replaced    *Task
	Added       []*Task // which the handler has put into the graph beside that
	Events      []*Task // effect tasks to record at once, such as a node event
	Effects     []any   // what else becomes durable with the task's end
}

// HandlerFunc decides about an ended task. It may change the graph. One that
// goes on after a failure must be named with Ignores, else the task fails.
type HandlerFunc func(g *Graph, t *Task) Answer

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

// Release gives back a slot that is not needed any more.
type Release struct{ ID string }

func (Release) command() {}

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

func (e *Engine) ask(h *Handler, t *Task) Answer {
	f := e.handlers[h.Name]
	if f == nil {
		return Answer{Decision: Fail}
	}
	return f(e.graph, t)
}

func (e *Engine) answer(now time.Time, n *node, a Answer) {
	for _, t := range a.Events {
		if t.ID == "" {
			t.ID = e.graph.ids.Next()
		}
		t.State = Succeeded
		c := *t
		e.out = append(e.out, Record{Task: &c, Added: true})
	}
	for _, effect := range a.Effects {
		c := *n.task
		e.out = append(e.out, Record{Task: &c, Effect: effect})
	}
	for _, t := range a.Added {
		e.join(e.graph.nodes[t.ID])
	}
	if a.Decision == Continue && n.task.State == Failed && !n.task.OnFailure.Ignores {
		a.Decision = Fail
	}
	switch a.Decision {
	case Continue:
		e.leave(n)
	case Retry:
		e.retry(now, n, a)
	default:
		e.fail(now, n)
	}
}

// join takes note of a task that came into the graph while it runs.
func (e *Engine) join(n *node) {
	if n == nil {
		return
	}
	if c := e.graph.nodes[n.task.Container]; c != nil && c.task.State == Started {
		unlink(n, c)
	}
	e.added(n)
	if len(n.waits) == 0 {
		e.ready = append(e.ready, n)
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
