package graph

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// lives keeps what a journal has, through several interrupted runs.
type lives struct {
	t      *testing.T
	ids    *counter
	stored map[string]Stored
}

func newLives(t *testing.T, ids *counter, g *Graph) *lives {
	l := &lives{t: t, ids: ids, stored: map[string]Stored{}}
	for _, task := range g.Tasks() {
		c := *task
		l.stored[c.ID] = Stored{Task: &c, Dependencies: g.Dependencies(c.ID)}
	}
	return l
}

func (l *lives) restore() *Graph {
	l.t.Helper()
	var list []Stored
	for _, s := range l.stored {
		c := *s.Task
		list = append(list, Stored{Task: &c, Dependencies: s.Dependencies})
	}
	g, err := Restore(l.ids, list)
	if err != nil {
		l.t.Fatal(err)
	}
	return g
}

// run drives a graph: every slot is granted, each operation ends as outcome
// says; one for which it gives false hangs, and the run is interrupted when
// nothing else moves. It returns the names of what was performed.
func (l *lives) run(g *Graph, handlers map[string]HandlerFunc, outcome func(name string) (*Failure, bool)) (ran []string, finish *Finish) {
	e := NewEngine(g, handlers, time.Minute)
	events := []Event{Begin{}}
	for len(events) > 0 {
		commands := e.Step(time.Unix(0, 0), events[0])
		events = events[1:]
		for _, c := range commands {
			switch c := c.(type) {
			case Record:
				s := l.stored[c.Task.ID]
				if c.Added {
					s.Dependencies = c.Dependencies
				}
				s.Task = c.Task
				l.stored[c.Task.ID] = s
			case Ask:
				events = append(events, Granted{c.Task.ID})
			case Perform:
				ran = append(ran, c.Task.Name)
				if f, ok := outcome(c.Task.Name); ok {
					events = append(events, Ended{ID: c.Task.ID, Failure: f})
				}
			case Finish:
				finish = &c
			}
		}
	}
	return ran, finish
}

// A retry that was made after one interruption is still its subgraph's member
// after the next: what waits for the subgraph waits for the retry.
func TestARetryOfASecondLifeStaysInItsSubgraph(t *testing.T) {
	t.Parallel()
	ids := &counter{}
	g := New(ids)
	for k := range 10 {
		g.Add(op(fmt.Sprint("filler", k)))
	}
	s := g.AddSubgraph(nil, "s", 0)
	g.AddTo(s, op("a"))
	last := g.Add(op("last"))
	if err := g.Depend(last, s); err != nil {
		t.Fatal(err)
	}
	l := newLives(t, ids, g)
	l.run(g, nil, func(name string) (*Failure, bool) { return nil, name != "a" })
	l.run(l.restore(), nil, func(string) (*Failure, bool) { return &Failure{RetryAfter: new(time.Duration)}, len(l.stored) == 13 })
	ran, _ := l.run(l.restore(), nil, func(name string) (*Failure, bool) { return nil, name == "last" })
	if !slices.Equal(ran, []string{"a"}) {
		t.Errorf("%v ran, want a alone: last waits for the subgraph that a is in", ran)
	}
}

// What waited for a member of a subgraph waits, after an interruption too, for
// the subgraph that takes the failed one's place.
func TestDependantsOfAMemberOutliveASubgraphRetryAndACrash(t *testing.T) {
	t.Parallel()
	ids := &counter{}
	g := New(ids)
	sub := g.AddSubgraph(nil, "s", 1)
	sub.OnFailure = &Handler{Name: "again"}
	create := g.AddTo(sub, op("a"))
	created := g.AddTo(sub, &Task{Kind: NodeEvent, Name: "created"})
	source := g.Add(op("source"))
	for _, pair := range [][2]*Task{{created, create}, {source, created}} {
		if err := g.Depend(pair[0], pair[1]); err != nil {
			t.Fatal(err)
		}
	}
	again := map[string]HandlerFunc{"again": func(g *Graph, failed *Task) Answer {
		by := g.AddSubgraph(nil, "again", 1)
		by.RetriedTask = failed.ID
		g.AddTo(by, op("a2"))
		return Answer{Decision: Retry, Replaced: by}
	}}
	l := newLives(t, ids, g)
	l.run(g, again, func(name string) (*Failure, bool) { return noRetry(), name == "a" })
	ran, _ := l.run(l.restore(), again, func(string) (*Failure, bool) { return nil, false })
	if !slices.Equal(ran, []string{"a2"}) {
		t.Errorf("%v ran, want a2 alone: source waits for it", ran)
	}
}
