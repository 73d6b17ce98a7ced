package graph

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// steps drives the pure engine by hand: it grants every slot at once and keeps
// the tasks under way, the last wake-up that a timer would keep, and the end.
type steps struct {
	t          *testing.T
	e          *Engine
	now        time.Time
	performing map[string]string // name -> id
	ran        []string
	wake       time.Time
	finish     *Finish
}

func newSteps(t *testing.T, g *Graph, handlers map[string]HandlerFunc, wait time.Duration) *steps {
	s := &steps{t: t, e: NewEngine(g, handlers, wait), now: time.Unix(0, 0), performing: map[string]string{}}
	s.step(Begin{})
	return s
}

func (s *steps) step(ev Event) {
	for _, c := range s.e.Step(s.now, ev) {
		switch c := c.(type) {
		case Ask:
			s.step(Granted{c.Task.ID})
		case Perform:
			s.performing[c.Task.Name] = c.Task.ID
			s.ran = append(s.ran, c.Task.Name)
		case WakeAt:
			s.wake = c.At // a timer that is set again forgets what it was set to
		case Finish:
			s.finish = &c
		}
	}
}

func (s *steps) end(name string, f *Failure) {
	id, ok := s.performing[name]
	if !ok {
		s.t.Fatalf("%s doesn't run; ran: %v", name, s.ran)
	}
	delete(s.performing, name)
	s.step(Ended{ID: id, Failure: f})
}

func noRetry() *Failure { return &Failure{Verdict: NonRecoverable, Message: "no"} }

func after(d time.Duration) *Failure {
	return &Failure{Verdict: Recoverable, Message: "later", RetryAfter: &d}
}

func op(name string) *Task { return &Task{Kind: Operation, Name: name, TotalRetries: 3} }

// Nothing gets stuck: tasks that wait for each other end the run with an error.
func TestTasksThatWaitForEachOtherEndTheRun(t *testing.T) {
	t.Parallel()
	g := New(&counter{})
	a, b := g.Add(op("a")), g.Add(op("b"))
	if err := errors.Join(g.Depend(a, b), g.Depend(b, a)); err != nil {
		t.Fatal(err)
	}
	if s := newSteps(t, g, nil, time.Minute); s.finish == nil {
		t.Error("the run never ends")
	}
}

// A retry that is due sooner is not held up by one that is due later.
func TestTheEarliestWakeUpWins(t *testing.T) {
	t.Parallel()
	g := New(&counter{})
	g.Add(op("a"))
	g.Add(op("b"))
	s := newSteps(t, g, nil, time.Minute)
	s.end("a", after(time.Second))
	s.end("b", after(time.Hour))
	if want := s.now.Add(time.Second); !s.wake.Equal(want) {
		t.Errorf("woken at %v, want %v", s.wake.Sub(s.now), want.Sub(s.now))
	}
}

// WaitAfterFail bounds a failed run even while a retry is due much later.
func TestWaitAfterFailIsNotHeldUpByARetry(t *testing.T) {
	t.Parallel()
	g := New(&counter{})
	g.Add(op("a"))
	g.Add(op("b"))
	s := newSteps(t, g, nil, time.Minute)
	s.end("a", noRetry())
	s.end("b", after(10*time.Hour))
	if want := s.now.Add(time.Minute); !s.wake.Equal(want) {
		t.Errorf("woken after %v, want after %v", s.wake.Sub(s.now), want.Sub(s.now))
	}
}

// A subgraph that failed starts none of its other members (2.5: they leave the
// graph with it).
func TestAFailedSubgraphStartsNothingMore(t *testing.T) {
	t.Parallel()
	g := New(&counter{})
	sub := g.AddSubgraph(nil, "s", 0)
	g.AddTo(sub, op("a"))
	b := g.AddTo(sub, op("b"))
	c := g.AddTo(sub, op("c"))
	if err := g.Depend(c, b); err != nil {
		t.Fatal(err)
	}
	s := newSteps(t, g, nil, time.Hour)
	s.end("a", noRetry())
	s.end("b", nil)
	if slices.Contains(s.ran, "c") {
		t.Error("c started in a subgraph that had failed")
	}
	if s.finish == nil {
		t.Error("the run does not end although nothing is left to do")
	}
}

// A task outside that waits for a member of a subgraph (as
// depends_on_lifecycle_operation does) waits for the subgraph that takes the
// failed one's place, and then runs.
func TestDependantsOfAMemberOutliveASubgraphRetry(t *testing.T) {
	t.Parallel()
	g := New(&counter{})
	sub := g.AddSubgraph(nil, "s", 1)
	sub.OnFailure = &Handler{Name: "again"}
	g.NewSequence(sub).Add(op("a"))
	create := g.Members(sub)[0]
	created := g.AddTo(sub, &Task{Kind: NodeEvent, Name: "created"})
	source := g.Add(op("source"))
	if err := errors.Join(g.Depend(created, create), g.Depend(source, created)); err != nil {
		t.Fatal(err)
	}
	again := func(g *Graph, _ *Task) Answer {
		by := g.AddSubgraph(nil, "again", 1)
		g.AddTo(by, op("a2"))
		return Answer{Decision: Retry, Replaced: by}
	}
	s := newSteps(t, g, map[string]HandlerFunc{"again": again}, time.Minute)
	s.end("a", noRetry())
	if slices.Contains(s.ran, "source") {
		t.Fatal("source ran although what it waits for had failed")
	}
	s.end("a2", nil)
	if !slices.Contains(s.ran, "source") {
		t.Fatalf("source never runs, and the run never ends: finish = %v", s.finish)
	}
	s.end("source", nil)
	if s.finish == nil || s.finish.Err != nil {
		t.Errorf("finish = %v", s.finish)
	}
}

type dies struct {
	nothing
	up chan struct{}
}

func (d dies) Perform(ctx context.Context, _ *Task, started func()) (any, error) {
	started()
	close(d.up)
	<-ctx.Done()
	return nil, &Failure{Verdict: NonRecoverable, Message: "Process terminated (rc=-15)"}
}

// What was killed has no outcome: the run is cancelled, not failed.
func TestAKilledRunIsCancelled(t *testing.T) {
	t.Parallel()
	g := New(&counter{})
	g.Add(op("a"))
	control := make(chan Control, 1)
	d := dies{up: make(chan struct{})}
	ended := make(chan error, 1)
	go func() {
		ended <- Run(t.Context(), g, Options{Journal: nothing{}, Limiter: nothing{}, Performer: d, Control: control})
	}()
	<-d.up
	control <- Kill
	if err := <-ended; !errors.As(err, &Cancelled{}) {
		t.Errorf("got %v, want cancelled", err)
	}
}

type broken struct{ nothing }

func (broken) Acquire(context.Context, *Task) (func(), error) {
	return nil, errors.New("no such agent")
}

// A limiter's error ends the task or the run, but never leaves it waiting.
func TestALimitersErrorDoesNotHangTheRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		g := New(&counter{})
		g.Add(&Task{Kind: Operation, Name: "a"})
		err := Run(ctx, g, Options{Journal: nothing{}, Limiter: broken{}, Performer: nothing{}})
		if errors.Is(err, context.DeadlineExceeded) {
			t.Error("the run waited for a day")
		}
	})
}

// An on_success handler that asks for another try of a task is obeyed after the
// task's interval, for effect tasks too.
func TestOnSuccessRetryKeepsItsInterval(t *testing.T) {
	t.Parallel()
	g := New(&counter{})
	g.Add(&Task{Kind: NodeEvent, Name: "e", TotalRetries: 1, RetryInterval: time.Hour, OnSuccess: &Handler{Name: "again"}})
	s := newSteps(t, g, map[string]HandlerFunc{"again": func(*Graph, *Task) Answer { return Answer{Decision: Retry} }}, time.Minute)
	if s.finish != nil {
		t.Error("it was tried again at once")
	}
}
