package graph

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestRunSimulation runs the whole of Run on a fake clock: the engine with its
// loop, a journal that is slow, fails, and loses what it had not acknowledged
// when the process dies, and operations that fail, hang, don't hear a kill, tell
// their beginning twice or never, and end late. Somebody pauses, cancels, forces
// and kills meanwhile. Every seed must end, and:
//
//   - what was acknowledged as ended is never performed again;
//   - nothing is performed before its intent and the success of all that it
//     depends on are acknowledged, nor twice at once;
//   - a cancel ends within bounds, and no slot stays taken.
//
// RUN_SIMULATION_SEED=n runs one seed, SOAK_SECONDS=n as many as fit.
func TestRunSimulation(t *testing.T) {
	t.Parallel()
	first, seeds, end := uint64(1), uint64(2500), time.Time{}
	if testing.Short() {
		seeds = 300
	}
	if seconds := number(t, "SOAK_SECONDS"); seconds > 0 {
		first, seeds, end = uint64(time.Now().UnixNano()), 1<<62, time.Now().Add(time.Duration(seconds)*time.Second)
	}
	if seed := number(t, "RUN_SIMULATION_SEED"); seed > 0 {
		first, seeds, end = seed, 1, time.Time{}
	}
	var lives, performed int
	ends := map[string]int{}
	seed := first
	for ; seed < first+seeds && (end.IsZero() || time.Now().Before(end)); seed++ {
		synctest.Test(t, func(t *testing.T) {
			w := newRunWorld(seed)
			ends[w.live()]++
			w.settle()
			for _, text := range w.odd {
				t.Errorf("%s (run it again with RUN_SIMULATION_SEED=%d)", text, seed)
			}
			lives, performed = lives+w.life, performed+w.performed
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("engine: %d seeds, %d lives, %d operations performed (%v): nothing lost, doubled or stuck", seed-first, lives, performed, ends)
	t.Logf("totals: engine_seeds=%d engine_lives=%d", seed-first, lives) // summed up by scripts/soak.sh
}

// number reads an environment variable; 0: it is not set.
func number(t *testing.T, name string) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// runWorld is one simulation.
type runWorld struct {
	seed   uint64
	random *rand.Rand // of the one who lives; others have their own dice
	needs  map[string][]string
	ids    counter

	mu        sync.Mutex
	luck      *rand.Rand // the journal's
	durable   map[string]*Stored
	acked     map[string]State // by task, as the journal acknowledged
	succeeded map[string]bool  // by name, acknowledged
	tries     map[string]int   // by name
	under     map[string]int   // lives in which a task is performed
	life      int
	dead      bool // the process of this life is gone
	calm      bool // the journal works
	slots     int
	performed int
	odd       []string
}

const runSlots = 3

func newRunWorld(seed uint64) *runWorld {
	w := &runWorld{
		seed: seed, random: rand.New(rand.NewPCG(seed, 3)), luck: rand.New(rand.NewPCG(seed, 4)), needs: map[string][]string{}, durable: map[string]*Stored{},
		acked: map[string]State{}, succeeded: map[string]bool{}, tries: map[string]int{}, under: map[string]int{},
	}
	return w
}

func (w *runWorld) dice(subject string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(subject))
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

// wrong notes what must not be. It needs mu.
func (w *runWorld) wrong(format string, args ...any) {
	w.odd = append(w.odd, fmt.Sprintf(format, args...))
}

// build makes a graph and stores it.
func (w *runWorld) build() *Graph {
	g := New(&w.ids)
	var tasks, subgraphs []*Task
	for k := range 3 + w.random.IntN(12) {
		var in *Task
		if len(subgraphs) > 0 && w.random.IntN(2) == 0 {
			in = subgraphs[w.random.IntN(len(subgraphs))]
		}
		if w.random.IntN(4) == 0 {
			subgraphs = append(subgraphs, g.AddSubgraph(in, fmt.Sprint("s", k), 0))
			continue
		}
		kind := Operation
		if w.random.IntN(5) == 0 {
			kind = NodeEvent
		}
		t := &Task{Kind: kind, Name: fmt.Sprint("op", k), TotalRetries: 4, RetryInterval: time.Second}
		if w.random.IntN(6) == 0 {
			t.OnFailure = &Handler{Name: "ignore", Ignores: true}
		}
		g.AddTo(in, t)
		for _, before := range tasks {
			if w.random.IntN(4) == 0 && g.Depend(t, before) == nil && before.OnFailure == nil {
				w.needs[t.Name] = append(w.needs[t.Name], before.Name)
			}
		}
		tasks = append(tasks, t)
	}
	for _, t := range g.Tasks() {
		c := *t
		w.durable[c.ID] = &Stored{Task: &c, Dependencies: g.Dependencies(c.ID)}
	}
	return g
}

var errProcess = errors.New("the process died")

// live runs the graph in one life after the other until it has an end.
func (w *runWorld) live() string {
	g := w.build()
	var controls []Control
	cut := time.Time{} // when a cancel was asked for
	for {
		w.mu.Lock()
		w.life++
		w.dead = false
		w.calm = w.life > 12
		life := w.life
		w.mu.Unlock()
		ctx, die := context.WithCancelCause(context.Background())
		asks := make(chan Control, 8)
		for _, c := range controls { // what was asked for before lasts
			asks <- c
		}
		done := make(chan error, 1)
		go func() {
			done <- Run(ctx, g, Options{
				Journal: w, Performer: w, Limiter: w.limiter(), Control: asks, WaitAfterFail: time.Minute, KillGrace: 10 * time.Second,
				Portion:  int(w.seed % 4), // of graphs with a dozen tasks
				Handlers: map[string]HandlerFunc{"ignore": func(*Graph, *Task) Answer { return Answer{Decision: Continue} }},
			})
		}()
		var err error
		ended := false
		for !ended {
			select {
			case err = <-done:
				ended = true
				continue
			case <-time.After(time.Duration(1+w.random.IntN(20_000)) * time.Millisecond):
			}
			switch k := w.random.IntN(10); {
			case k < 2 && life < 12:
				w.mu.Lock()
				w.dead = true
				w.mu.Unlock()
				die(errProcess)
				err, ended = <-done, true
			case k < 4 && len(controls) < 6:
				c := []Control{Pause, Unpause, Unpause, Graceful, Force, Kill}[w.random.IntN(6)]
				controls = append(controls, c)
				asks <- c
				if c != Pause && c != Unpause && cut.IsZero() {
					cut = time.Now()
				}
			case len(controls) >= 6 || life >= 12:
				controls = append(controls[:0:0], unpaused(controls)...)
				asks <- Unpause
			}
		}
		die(nil)
		var failed *FailedError
		switch {
		case err == nil, errors.As(err, &failed), errors.As(err, &Cancelled{}):
			w.judge(err, cut)
			return fmt.Sprintf("%T", err)
		case errors.Is(err, errProcess), errors.Is(err, errJournal):
		default:
			w.mu.Lock()
			defer w.mu.Unlock()
			w.wrong("life %d ended with %v", life, err)
			return "wrong"
		}
		time.Sleep(time.Duration(w.random.IntN(5000)) * time.Millisecond)
		if g = w.restore(); g == nil {
			return "failed before"
		}
		if life > 60 {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.wrong("it never ends")
			return "wrong"
		}
	}
}

// unpaused is what was asked for without the pauses.
func unpaused(controls []Control) []Control {
	return slices.DeleteFunc(slices.Clone(controls), func(c Control) bool { return c == Pause || c == Unpause })
}

func (w *runWorld) restore() *Graph {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]Stored, 0, len(w.durable))
	for _, s := range w.durable {
		c := *s.Task
		list = append(list, Stored{Task: &c, Dependencies: s.Dependencies})
	}
	g, err := Restore(&w.ids, list)
	if err != nil {
		return nil // it had failed for good
	}
	return g
}

// cutBound is how long a cancel may take: what hears nothing, several times,
// and the kill's grace.
const cutBound = 30 * time.Minute

func (w *runWorld) judge(err error, cut time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if took := time.Since(cut); !cut.IsZero() && took > cutBound {
		w.wrong("the run ended %s after its cancel", took)
	}
	if err != nil {
		return
	}
	for _, s := range w.durable {
		if t := s.Task; t.Kind != Subgraph && !t.State.Ended() {
			w.wrong("all is done, but %s is %s", t.Name, t.State)
		}
	}
}

// settle waits until the last operation has come back.
func (w *runWorld) settle() {
	time.Sleep(5 * time.Minute)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.slots != 0 {
		w.wrong("%d slots are taken at the end", w.slots)
	}
}

var errJournal = errors.New("the disk is in trouble")

func (w *runWorld) Commit(_ context.Context, records []Record) error {
	w.mu.Lock()
	life := w.life
	fate, delay := w.luck.IntN(60), time.Duration(w.luck.IntN(40))*time.Millisecond
	calm := w.calm
	w.mu.Unlock()
	time.Sleep(delay)
	w.mu.Lock()
	defer w.mu.Unlock()
	gone := w.dead || w.life != life
	switch {
	case w.life != life: // the next life fences it off
		return errProcess
	case gone && fate%2 == 0, fate == 0 && !calm: // lost
		return errJournal
	}
	for _, r := range records {
		if r.Effect != nil {
			continue
		}
		if r.Added {
			w.durable[r.Task.ID] = &Stored{Task: r.Task, Dependencies: r.Dependencies}
		} else {
			w.durable[r.Task.ID].Task = r.Task
		}
	}
	if gone || fate == 1 && !calm {
		return errJournal // it is kept, but nobody knows
	}
	for _, r := range records {
		w.acked[r.Task.ID] = r.Task.State
		if r.Task.State == Succeeded {
			w.succeeded[r.Task.Name] = true
		}
	}
	return nil
}

func (w *runWorld) Perform(ctx context.Context, t *Task, started func()) (any, error) {
	w.mu.Lock()
	life := w.life
	w.performed++
	w.tries[t.Name]++
	dice := w.dice(fmt.Sprint(t.Name, w.tries[t.Name]))
	if w.acked[t.ID].Ended() {
		w.wrong("%s is performed though it was acknowledged as %s", t.Name, w.acked[t.ID])
	}
	if w.durable[t.ID] == nil || w.durable[t.ID].Task.State != Sending && w.durable[t.ID].Task.State != Started {
		w.wrong("%s is performed before its intent is durable", t.Name)
	}
	if w.under[t.ID] == life {
		w.wrong("%s is performed twice at once", t.Name)
	}
	w.under[t.ID] = life
	for _, before := range w.needs[t.Name] {
		if !w.succeeded[before] && !w.hasSucceeded(before) {
			w.wrong("%s began before %s had succeeded", t.Name, before)
		}
	}
	w.mu.Unlock()
	for range dice.IntN(3) {
		started()
	}
	err := w.perform(ctx, dice)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.under[t.ID] == life {
		delete(w.under, t.ID)
	}
	return nil, err
}

// hasSucceeded tells whether it is stored, though perhaps not acknowledged, that
// a task has. It needs mu.
func (w *runWorld) hasSucceeded(name string) bool {
	for _, s := range w.durable {
		if s.Task.Name == name && s.Task.State == Succeeded {
			return true
		}
	}
	return false
}

func (w *runWorld) perform(ctx context.Context, dice *rand.Rand) error {
	pause := func(d time.Duration) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	short, long := time.Duration(dice.IntN(2000))*time.Millisecond, time.Duration(dice.IntN(90))*time.Second
	switch dice.IntN(20) {
	case 0, 1, 2:
		if err := pause(short); err != nil {
			return err
		}
		return errors.New("it broke")
	case 3:
		return &Failure{Verdict: Reschedule, Message: "not yet", RetryAfter: &short}
	case 4, 5:
		return pause(long)
	case 6: // hears nothing
		time.Sleep(long)
		return nil
	case 7: // is told to stop and ends well, but late
		_ = pause(long)
		time.Sleep(short)
		return nil
	case 8:
		if dice.IntN(3) == 0 {
			return &Failure{Verdict: NonRecoverable, Message: "it broke"}
		}
		return nil
	case 9, 10, 11, 12:
		return nil
	}
	return pause(short)
}

// limiter gives runSlots at once; with every second seed it can tell at once.
func (w *runWorld) limiter() Limiter {
	l := &simLimiter{w: w, places: make(chan struct{}, runSlots)}
	if w.seed%2 == 0 {
		return takingLimiter{l}
	}
	return l
}

type simLimiter struct {
	w      *runWorld
	places chan struct{}
}

func (l *simLimiter) Acquire(ctx context.Context, _ *Task) (func(), error) {
	select {
	case l.places <- struct{}{}:
		return l.taken(), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *simLimiter) taken() func() {
	l.count(1)
	given := false
	return func() {
		l.w.mu.Lock()
		if given {
			l.w.wrong("a slot is given back twice")
		}
		given = true
		l.w.mu.Unlock()
		<-l.places
		l.count(-1)
	}
}

func (l *simLimiter) count(n int) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	l.w.slots += n
}

type takingLimiter struct{ *simLimiter }

func (l takingLimiter) Take(*Task) (func(), bool) {
	select {
	case l.places <- struct{}{}:
		return l.taken(), true
	default:
		return nil, false
	}
}
