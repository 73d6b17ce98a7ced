package graph

import (
	"slices"
	"testing"
	"time"
)

// joined is a graph of two tasks and a subgraph, in which the handler of the
// first task adds two tasks one after the other, for which the second waits,
// and a task in the subgraph that runs.
func joined(t *testing.T) (*Graph, map[string]HandlerFunc) {
	t.Helper()
	g := New(&counter{})
	first := g.Add(&Task{Kind: Operation, Name: "first", OnSuccess: &Handler{Name: "grow"}})
	second := g.Add(&Task{Kind: Operation, Name: "second"})
	sub := g.AddSubgraph(nil, "sub", 0)
	g.AddTo(sub, &Task{Kind: Operation, Name: "member"})
	if err := g.Depend(second, first); err != nil {
		t.Fatal(err)
	}
	grow := func(g *Graph, ended *Task) Answer {
		a := g.Add(&Task{Kind: Operation, Name: "a"})
		b := g.Add(&Task{Kind: Operation, Name: "b"})
		inside := g.AddTo(sub, &Task{Kind: Operation, Name: "inside"})
		for _, pair := range [][2]*Task{{a, ended}, {b, a}, {second, b}} {
			if err := g.Depend(pair[0], pair[1]); err != nil {
				t.Error(err)
			}
		}
		return Answer{Decision: Continue, Added: []*Task{a, b, inside}}
	}
	return g, map[string]HandlerFunc{"grow": grow}
}

// play grants and ends whatever the engine asks for, one task after the other,
// until it is done or has ended the task named last. It returns the names in the order
// in which they ended, and what is stored.
func play(t *testing.T, e *Engine, stored map[string]*Stored, last string) (ended []string, done bool) {
	t.Helper()
	now := time.Unix(0, 0)
	queue := e.Step(now, Begin{})
	for range 100 {
		var next []Command
		stop := false
		for _, c := range queue {
			switch c := c.(type) {
			case Record:
				if c.Added {
					stored[c.Task.ID] = &Stored{Task: c.Task, Dependencies: c.Dependencies}
				} else {
					stored[c.Task.ID].Task = c.Task
				}
			case Ask:
				next = append(next, e.Step(now, Granted{c.Task.ID})...)
			case Perform:
				ended = append(ended, c.Task.Name)
				stop = stop || c.Task.Name == last
				next = append(next, e.Step(now, Ended{ID: c.Task.ID})...)
			case Finish:
				if c.Err != nil {
					t.Fatal(c.Err)
				}
				return ended, true
			}
		}
		if stop {
			for _, c := range next {
				if r, ok := c.(Record); ok && r.Added {
					stored[r.Task.ID] = &Stored{Task: r.Task, Dependencies: r.Dependencies}
				} else if ok {
					stored[r.Task.ID].Task = r.Task
				}
			}
			return ended, false
		}
		queue = next
	}
	t.Fatal("it never ends")
	return nil, false
}

func storedOf(g *Graph) map[string]*Stored {
	stored := map[string]*Stored{}
	for _, task := range g.Tasks() {
		c := *task
		stored[c.ID] = &Stored{Task: &c, Dependencies: g.Dependencies(c.ID)}
	}
	return stored
}

func TestHandlersAddTasks(t *testing.T) {
	t.Parallel()
	g, handlers := joined(t)
	ended, done := play(t, NewEngine(g, handlers, time.Minute), storedOf(g), "")
	if !done || len(ended) != 6 {
		t.Fatalf("ended: %v", ended)
	}
	at := func(name string) int { return slices.Index(ended, name) }
	if !(at("first") < at("a") && at("a") < at("b") && at("b") < at("second")) || at("inside") < 0 {
		t.Errorf("the order is %v", ended)
	}
}

// What a handler added is stored, and runs after a crash.
func TestAddedTasksAreStored(t *testing.T) {
	t.Parallel()
	g, handlers := joined(t)
	stored := storedOf(g)
	before, done := play(t, NewEngine(g, handlers, time.Minute), stored, "first")
	if done {
		t.Fatalf("it was not interrupted: %v", before)
	}
	list := make([]Stored, 0, len(stored))
	for _, s := range stored {
		c := *s.Task
		list = append(list, Stored{Task: &c, Dependencies: s.Dependencies})
	}
	g, err := Restore(&counter{n: 100}, list)
	if err != nil {
		t.Fatal(err)
	}
	after, _ := play(t, NewEngine(g, handlers, time.Minute), storedOf(g), "")
	for _, name := range []string{"a", "b", "inside", "second"} {
		if !slices.Contains(after, name) {
			t.Errorf("%s never ran; before: %v, after: %v", name, before, after)
		}
	}
	if slices.Contains(after, "first") {
		t.Errorf("first ran again: %v", after)
	}
}
