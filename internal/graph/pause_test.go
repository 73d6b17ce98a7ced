package graph

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestPauseStartsNothing(t *testing.T) {
	t.Parallel()
	g := New(&counter{})
	a, b, c := g.Add(op("a")), g.Add(op("b")), g.Add(op("c"))
	c.TotalRetries = 1
	if err := g.Depend(b, a); err != nil {
		t.Fatal(err)
	}
	s := newSteps(t, g, nil, time.Minute)
	s.step(SetPaused{true})
	s.end("a", nil)
	s.end("c", after(time.Second))
	s.now = s.now.Add(time.Hour)
	s.step(Tick{})
	if !slices.Equal(s.ran, []string{"a", "c"}) || s.finish != nil {
		t.Fatalf("while paused %v ran, finish %v", s.ran, s.finish)
	}
	got := map[string]Hold{}
	for _, w := range s.e.Snapshot().Tasks {
		got[w.Task.Name] = w.Hold
	}
	if got["b"] != HeldBack || got["c"] != HeldBack {
		t.Errorf("holds %v", got)
	}
	s.step(SetPaused{false})
	s.end("b", nil)
	s.end("c", nil)
	if s.finish == nil || s.finish.Err != nil {
		t.Errorf("finish %+v", s.finish)
	}
}

// A slot that comes while the run is paused is given back, and asked for again.
func TestPauseGivesSlotsBack(t *testing.T) {
	t.Parallel()
	g := New(&counter{})
	a := g.Add(op("a"))
	e := NewEngine(g, nil, time.Minute)
	now := time.Unix(0, 0)
	e.Step(now, Begin{})
	e.Step(now, SetPaused{true})
	commands := e.Step(now, Granted{a.ID})
	if len(commands) != 1 || commands[0] != Command(Release{a.ID}) {
		t.Errorf("a slot in a pause gives %v", commands)
	}
	commands = e.Step(now, SetPaused{false})
	if len(commands) != 1 || commands[0].(Ask).Task.ID != a.ID {
		t.Errorf("the end of the pause gives %v", commands)
	}
}

func TestSnapshotTellsWhatTasksWaitFor(t *testing.T) {
	t.Parallel()
	g := New(&counter{})
	first := g.AddSubgraph(nil, "first", 0)
	a := g.AddTo(first, op("a"))
	second := g.AddSubgraph(nil, "second", 0)
	b := g.AddTo(second, op("b"))
	inside := g.AddTo(second, op("inside"))
	for _, pair := range [][2]*Task{{second, first}, {inside, b}} {
		if err := g.Depend(pair[0], pair[1]); err != nil {
			t.Fatal(err)
		}
	}
	e := NewEngine(g, nil, time.Minute)
	now := time.Unix(0, 0)
	e.Step(now, Begin{})
	on := func() map[string][]string {
		out := map[string][]string{}
		for _, w := range e.Snapshot().Tasks {
			names := []string{}
			for _, t := range w.On {
				names = append(names, t.Name)
			}
			out[w.Task.Name] = names
		}
		return out
	}
	if w := e.Snapshot().Tasks[0]; w.Task.Name != "a" || w.Hold != AwaitsSlot {
		t.Errorf("got %+v", w)
	}
	if got := on(); !slices.Equal(got["b"], []string{"first"}) || !slices.Equal(got["inside"], []string{"first", "b"}) {
		t.Errorf("they wait for %v", got)
	}
	e.Step(now, Granted{a.ID})
	if w := e.Snapshot().Tasks[0]; w.Hold != Runs {
		t.Errorf("got %+v", w)
	}
	e.Step(now, Ended{ID: a.ID, Failure: noRetry()})
	for _, w := range e.Snapshot().Tasks {
		if w.Hold != Blocked {
			t.Errorf("%s after the failure: %v", w.Task.Name, w.Hold)
		}
	}
}

// What is in a subgraph that a pause keeps from being entered waits for no task.
func TestSnapshotOfWhatBeginsPaused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		hold  Event
		holds Hold
	}{"paused": {SetPaused{true}, HeldBack}, "cancelled": {Cancel{}, HeldBack}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := New(&counter{})
			s := g.AddSubgraph(nil, "s", 0)
			a := g.AddTo(s, op("a"))
			if err := g.Depend(g.AddTo(s, op("b")), a); err != nil {
				t.Fatal(err)
			}
			e, now := NewEngine(g, nil, time.Minute), time.Unix(0, 0)
			e.Step(now, tc.hold)
			e.Step(now, Begin{})
			if w := e.Snapshot().Tasks[0]; w.Task.Name != "a" || w.Hold != tc.holds {
				t.Errorf("got %+v", w)
			}
		})
	}
}

// deaf is a performer that hears nothing.
type deaf struct{ until chan struct{} }

func (d deaf) Perform(context.Context, *Task, func()) (any, error) {
	<-d.until
	return nil, nil
}

type free struct{}

func (free) Acquire(context.Context, *Task) (func(), error) { return func() {}, nil }

type forgetful struct{}

func (forgetful) Commit(context.Context, []Record) error { return nil }

// What ignores a kill, or the end of everything, is waited for only so long.
func TestWhatIgnoresAKillIsAbandoned(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(control chan Control, stop func()){
		"kill": func(control chan Control, _ func()) { control <- Kill },
		"stop": func(_ chan Control, stop func()) { stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := New(&counter{})
				g.Add(op("a"))
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				control := make(chan Control, 1)
				until := make(chan struct{})
				var abandoned []string
				began := time.Now()
				go func() {
					time.Sleep(time.Second)
					end(control, stop)
				}()
				err := Run(ctx, g, Options{
					Journal: forgetful{}, Performer: deaf{until}, Limiter: free{}, Control: control, KillGrace: 10 * time.Second,
					Abandoned: func(t *Task) { abandoned = append(abandoned, t.Name) },
				})
				if err == nil || time.Since(began) != 11*time.Second || !slices.Equal(abandoned, []string{"a"}) {
					t.Errorf("%v after %s, abandoned %v", err, time.Since(began), abandoned)
				}
				close(until)
			})
		})
	}
}

// counted is a limiter that counts the slots that are taken.
type counted struct{ taken atomic.Int64 }

func (c *counted) Acquire(context.Context, *Task) (func(), error) {
	c.taken.Add(1)
	return func() { c.taken.Add(-1) }, nil
}

func (c *counted) Take(*Task) (func(), bool) {
	c.taken.Add(1)
	return func() { c.taken.Add(-1) }, true
}

// keepless is a journal that keeps nothing.
type keepless struct{}

func (keepless) Commit(context.Context, []Record) error { return errors.New("no disk") }

// A slot whose task can't be begun any more is given back.
func TestSlotsAreGivenBackWhenTheJournalFails(t *testing.T) {
	t.Parallel()
	g := New(&counter{})
	g.Add(op("a"))
	slots := &counted{}
	err := Run(t.Context(), g, Options{Journal: keepless{}, Performer: deaf{}, Limiter: slots})
	if err == nil || slots.taken.Load() != 0 {
		t.Errorf("%v, %d slots are taken", err, slots.taken.Load())
	}
}

// A task that lets go of itself as the run is being cancelled has no outcome, and
// the run ends, whichever of the two it hears of first.
func TestInterruptedTasks(t *testing.T) {
	t.Parallel()
	for name, events := range map[string][]Event{
		"before the cancel": {Interrupted{"t0001"}, Cancel{}},
		"after the cancel":  {Cancel{}, Interrupted{"t0001"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := New(&counter{})
			a := g.Add(op("a"))
			if err := g.Depend(g.Add(op("b")), a); err != nil {
				t.Fatal(err)
			}
			e, now := NewEngine(g, nil, time.Minute), time.Unix(0, 0)
			e.Step(now, Begin{})
			e.Step(now, Granted{a.ID})
			var after []Command
			for _, ev := range events {
				after = append(after, e.Step(now, ev)...)
			}
			if len(after) != 1 || after[0] != Command(Finish{Cancelled{}}) || a.State != Sending {
				t.Errorf("it is %s; %v follows", a.State, after)
			}
		})
	}
}
