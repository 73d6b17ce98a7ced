package graph

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

type counter struct{ n int }

func (c *counter) Next() string { c.n++; return fmt.Sprintf("t%04d", c.n) }

// TestSimulation runs random graphs with random outcomes, crashes and
// restores, and checks that every run ends, that order holds, and that
// nothing recorded as done is done again.
func TestSimulation(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3000) {
		simulate(t, seed)
	}
}

func simulate(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 7))
	ids := &counter{}
	g := New(ids)
	var all []*Task
	deps := map[string][]string{}
	var subgraphs []*Task
	for i := range 3 + random.IntN(20) {
		var in *Task
		if len(subgraphs) > 0 && random.IntN(2) == 0 {
			in = subgraphs[random.IntN(len(subgraphs))]
		}
		if random.IntN(5) == 0 {
			subgraphs = append(subgraphs, g.AddSubgraph(in, fmt.Sprintf("s%d", i), 0))
			continue
		}
		kind := Operation
		if random.IntN(4) == 0 {
			kind = NodeEvent
		}
		task := g.AddTo(in, &Task{Kind: kind, Name: fmt.Sprintf("op%d", i), TotalRetries: 2, RetryInterval: time.Second})
		for _, before := range all {
			if random.IntN(6) == 0 {
				if err := g.Depend(task, before); err != nil {
					t.Fatal(err)
				}
				deps[task.Name] = append(deps[task.Name], before.Name)
			}
		}
		all = append(all, task)
	}
	stored := map[string]*Stored{}
	for _, task := range g.Tasks() {
		c := *task
		stored[c.ID] = &Stored{Task: &c, Dependencies: g.Dependencies(c.ID)}
	}
	succeeded := map[string]int{}
	failing := random.IntN(4) == 0
	now := time.Unix(0, 0)
	for life := 0; ; life++ {
		if life > 200 {
			t.Fatalf("seed %d: it never ends", seed)
		}
		e := NewEngine(g, nil, time.Minute)
		queue := e.Step(now, Begin{})
		var performing []string
		var asked []string
		crash := random.IntN(3) == 0
		var finished *Finish
		for steps := 0; finished == nil; steps++ {
			if steps > 5000 {
				t.Fatalf("seed %d: life %d makes no progress", seed, life)
			}
			for _, c := range queue {
				switch c := c.(type) {
				case Record:
					if c.Added {
						stored[c.Task.ID] = &Stored{Task: c.Task, Dependencies: c.Dependencies}
					} else {
						stored[c.Task.ID].Task = c.Task
					}
					if c.Task.State == Succeeded && c.Task.Kind != Subgraph {
						succeeded[c.Task.Name]++
					}
				case Ask:
					asked = append(asked, c.Task.ID)
				case Perform:
					for _, d := range deps[c.Task.Name] {
						if succeeded[d] == 0 {
							t.Fatalf("seed %d: %s runs before %s", seed, c.Task.Name, d)
						}
					}
					if stored[c.Task.ID].Task.State != Sending {
						t.Fatalf("seed %d: %s runs before its intent is durable", seed, c.Task.Name)
					}
					if succeeded[c.Task.Name] > 0 {
						t.Fatalf("seed %d: %s runs again", seed, c.Task.Name)
					}
					performing = append(performing, c.Task.ID)
				case Finish:
					finished = &c
				}
			}
			if finished != nil {
				break
			}
			if crash && random.IntN(10) == 0 {
				break
			}
			switch {
			case len(asked) > 0 && random.IntN(2) == 0:
				id := asked[0]
				asked = asked[1:]
				queue = e.Step(now, Granted{id})
			case len(performing) > 0:
				i := random.IntN(len(performing))
				id := performing[i]
				performing = slices.Delete(performing, i, i+1)
				var f *Failure
				switch random.IntN(10) {
				case 0:
					f = &Failure{Verdict: Recoverable, Message: "again"}
				case 1:
					f = &Failure{Verdict: Reschedule, Message: "later"}
				case 2:
					if failing {
						f = &Failure{Verdict: NonRecoverable, Message: "no"}
					}
				}
				queue = e.Step(now, Ended{ID: id, Failure: f})
			default:
				now = now.Add(time.Second)
				queue = e.Step(now, Tick{})
			}
		}
		if finished != nil {
			var failed *FailedError
			if finished.Err == nil {
				for _, task := range all {
					if succeeded[task.Name] != 1 {
						t.Fatalf("seed %d: %s succeeded %d times", seed, task.Name, succeeded[task.Name])
					}
				}
			} else if !errors.As(finished.Err, &failed) {
				t.Fatalf("seed %d: %v", seed, finished.Err)
			}
			return
		}
		list := make([]Stored, 0, len(stored))
		for _, s := range stored {
			c := *s.Task
			list = append(list, Stored{Task: &c, Dependencies: s.Dependencies})
		}
		var err error
		if g, err = Restore(ids, list); err != nil {
			return // it had failed for good
		}
	}
}

type nothing struct{}

func (nothing) Commit(context.Context, []Record) error { return nil }
func (nothing) Perform(_ context.Context, _ *Task, started func()) (any, error) {
	started()
	return nil, nil
}
func (nothing) Acquire(context.Context, *Task) (func(), error) { return func() {}, nil }

type flaky struct {
	nothing
	mu    sync.Mutex
	tries int
}

func (f *flaky) Perform(context.Context, *Task, func()) (any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tries++; f.tries < 3 {
		return nil, errors.New("not yet")
	}
	return "done", nil
}

func TestRunRetries(t *testing.T) {
	t.Parallel()
	g := New(&counter{})
	g.Add(&Task{Kind: Operation, Name: "a", TotalRetries: 5})
	p := &flaky{}
	if err := Run(t.Context(), g, Options{Journal: nothing{}, Limiter: nothing{}, Performer: p}); err != nil {
		t.Fatal(err)
	}
	if p.tries != 3 {
		t.Errorf("%d tries", p.tries)
	}
}

// portions is a journal that notes how much it is given at once, and what was
// written when the first operation was performed.
type portions struct {
	mu      sync.Mutex
	sizes   []int
	written int
	atFirst int // written when the first operation began
}

func (p *portions) Commit(_ context.Context, records []Record) error {
	time.Sleep(time.Millisecond) // of the bubble's clock: whoever can run runs meanwhile
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sizes, p.written = append(p.sizes, len(records)), p.written+len(records)
	return nil
}

func (p *portions) Perform(context.Context, *Task, func()) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.atFirst == 0 {
		p.atFirst = p.written
	}
	return nil, nil
}

// few hands out so many slots.
type few chan struct{}

func (f few) Take(*Task) (func(), bool) {
	select {
	case f <- struct{}{}:
		return func() { <-f }, true
	default:
		return nil, false
	}
}

func (f few) Acquire(ctx context.Context, _ *Task) (func(), error) {
	select {
	case f <- struct{}{}:
		return func() { <-f }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// What thousands of tasks give to write when all of them may begin does not hold up
// the first operations.
func TestRunBeginsInPortions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const count, portion = 3000, 100
		g := New(&counter{})
		for range count {
			s := g.AddSubgraph(nil, "s", 0)
			event := g.AddTo(s, &Task{Kind: NodeEvent})
			if err := g.Depend(g.AddTo(s, &Task{Kind: Operation}), event); err != nil {
				t.Fatal(err)
			}
		}
		p := &portions{}
		if err := Run(t.Context(), g, Options{Journal: p, Limiter: make(few, 20), Performer: p, Portion: portion}); err != nil {
			t.Fatal(err)
		}
		if most := slices.Max(p.sizes); most > 5*portion {
			t.Errorf("%d records are written at once", most)
		}
		if p.atFirst == 0 || p.atFirst > 5*portion {
			t.Errorf("the first operation began after %d of %d records", p.atFirst, p.written)
		}
		if p.written < 4*count {
			t.Errorf("%d records are written", p.written)
		}
	})
}

func BenchmarkChain(b *testing.B) {
	for _, n := range []int{1000, 10000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				g := New(&counter{})
				s := g.NewSequence(nil)
				for range n {
					s.Add(&Task{Kind: Operation})
				}
				if err := Run(b.Context(), g, Options{Journal: nothing{}, Limiter: nothing{}, Performer: nothing{}}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/task")
		})
	}
}

// holding performs nothing until it is let go.
type holding struct{ holds, release chan struct{} }

func (h holding) Perform(context.Context, *Task, func()) (any, error) {
	close(h.holds)
	<-h.release
	return nil, nil
}

// BenchmarkWaiting shows what tasks that wait for others take of memory.
func BenchmarkWaiting(b *testing.B) {
	const waiting = 10_000
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for range b.N {
		before := heap()
		g := New(&counter{})
		s := g.NewSequence(nil)
		for range waiting + 1 {
			s.Add(&Task{Kind: Operation})
		}
		h := holding{make(chan struct{}), make(chan struct{})}
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- Run(ctx, g, Options{Journal: nothing{}, Limiter: nothing{}, Performer: h}) }()
		<-h.holds
		b.ReportMetric(float64(heap()-before)/1e6, "MB/10,000-waiting")
		cancel()
		close(h.release)
		<-done
	}
}
