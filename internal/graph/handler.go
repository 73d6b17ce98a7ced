package graph

import "time"

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
