package graph

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Journal makes records durable, in order, before it returns.
type Journal interface {
	Commit(ctx context.Context, records []Record) error
}

// Performer carries out operations.
type Performer interface {
	// Perform runs one task to its end. It calls started when the task has
	// really begun. Failures are a *Failure; any other error is recoverable, but
	// for ErrInterrupted.
	Perform(ctx context.Context, t *Task, started func()) (any, error)
}

// ErrInterrupted tells that a task was let go of without an outcome, since the run
// is being cancelled.
var ErrInterrupted = errors.New("interrupted: the run is being cancelled")

// Limiter hands out slots for operations.
type Limiter interface {
	// Acquire waits for a slot; release gives it back, once.
	Acquire(ctx context.Context, t *Task) (release func(), err error)
}

// Taker is a Limiter that can tell at once. With it the record of a task's end
// and that of the next one's beginning become durable together.
type Taker interface {
	// Take gives a slot if one is free and nobody waits for it.
	Take(t *Task) (release func(), ok bool)
}

// Control says what is asked of a run from outside.
type Control int

// The requests.
const (
	Graceful Control = iota // start nothing more, end when what runs has ended
	Force                   // end at once; what runs is left to end by itself
	Kill                    // stop what runs, then end
	Pause                   // start nothing more until Unpause; what runs goes on
	Unpause
)

// DefaultKillGrace is how long operations that were told to stop may take.
const DefaultKillGrace = 30 * time.Second

// DefaultPortion is how many ready tasks are begun at once. What thousands of them
// give to write is written in portions, so that the first operations run meanwhile
// and the ends of others need not wait for all of it.
const DefaultPortion = 256

// Options are what a run needs. Journal, Performer and Limiter are required.
type Options struct {
	Journal       Journal
	Performer     Performer
	Limiter       Limiter
	Handlers      map[string]HandlerFunc
	WaitAfterFail time.Duration
	Backoff       Backoff
	Control       <-chan Control // nil: no requests
	// Leave is given a function that waits for the tasks that a forced end
	// leaves running; nil waits for them before Run returns.
	Leave func(wait func())
	Now   func() time.Time // nil: time.Now
	// Paused starts the run as if Pause had been asked for.
	Paused bool
	// Probes asks for snapshots: each is sent to the channel received, which must
	// have room for it. nil: nobody asks.
	Probes <-chan chan<- Snapshot
	// Portion bounds how many ready tasks are begun at once; 0 is DefaultPortion.
	Portion int
	// KillGrace bounds how long a run waits for operations that were told to stop,
	// by Kill or by the end of ctx; 0 is DefaultKillGrace. Those that don't stop are
	// abandoned: their goroutines go on, and nothing follows from what they do.
	KillGrace time.Duration
	// Abandoned hears of each task that was abandoned; nil: nobody does.
	Abandoned func(t *Task)
}

// Run runs the graph to its end. It returns nil, Cancelled, *FailedError, the
// journal's error, or ctx's cause if ctx ended: then the run is abandoned,
// everything is stopped and nothing more is written. All goroutines have ended
// when it returns, but for those given to Leave and those of abandoned tasks.
func Run(ctx context.Context, g *Graph, o Options) error {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.KillGrace <= 0 {
		o.KillGrace = DefaultKillGrace
	}
	if o.Portion <= 0 {
		o.Portion = DefaultPortion
	}
	r := &runner{
		opts: o, engine: NewEngine(g, o.Handlers, o.WaitAfterFail), events: make(chan Event, 64), gone: make(chan struct{}),
		asks: make(chan *Task), slots: map[string]func(){}, under: map[string]*Task{}, always: make(chan struct{}),
	}
	close(r.always)
	r.engine.backoff, r.engine.portion = o.Backoff, o.Portion
	return r.run(ctx)
}

type runner struct {
	opts   Options
	engine *Engine
	events chan Event
	gone   chan struct{} // closed when the loop has ended
	always chan struct{} // closed from the beginning

	pending    []Command // not carried out yet
	urgent     bool      // pending has more than news that can wait a little
	committing []Command // its records are being made durable
	committed  chan error

	waiting []*Task // for a slot, in order
	asks    chan *Task
	mu      sync.Mutex
	slots   map[string]func() // releases of granted slots; guarded by mu
	under   map[string]*Task  // being performed; guarded by mu

	timer *time.Timer
	lazy  *time.Timer // until news that can wait are written
	bound *time.Timer // of the wait for what was killed; nil: nothing was
	// impatient: the bound has been reached.
	impatient bool
	work      sync.WaitGroup // performers
	aux       sync.WaitGroup // the slot asker and the committer
}

func (r *runner) run(parent context.Context) (err error) {
	ctx, stop := context.WithCancel(parent)
	perform, kill := context.WithCancel(ctx)
	r.committed = make(chan error, 1)
	r.timer = time.NewTimer(time.Hour)
	defer r.timer.Stop()
	r.lazy = time.NewTimer(time.Hour)
	defer r.lazy.Stop()
	asking, stopAsking := context.WithCancel(ctx)
	r.aux.Go(func() { r.askForSlots(asking) })
	forced := false
	defer func() {
		close(r.gone)
		stopAsking()
		if forced && r.opts.Leave != nil && err != nil && parent.Err() == nil {
			r.aux.Wait()
			r.releaseIdle()
			r.opts.Leave(func() { r.work.Wait(); stop(); kill() })
			return
		}
		kill()
		stop()
		r.aux.Wait()
		r.releaseIdle()
		r.awaitKilled()
	}()

	if r.opts.Paused {
		r.step(SetPaused{true})
	}
	r.step(Begin{})
	r.take()
	for {
		done, err := r.carryOut(ctx, perform)
		if done {
			return err
		}
		var ask chan *Task
		var next *Task
		if len(r.waiting) > 0 {
			ask, next = r.asks, r.waiting[0]
		}
		select {
		case <-parent.Done():
			return context.Cause(parent)
		case ev := <-r.events:
			r.step(ev)
			r.drain()
			r.take()
		case ask <- next:
			r.waiting = r.waiting[1:]
		case err := <-r.committed:
			if err != nil {
				return fmt.Errorf("journal: %w", err)
			}
			if done, err := r.dispatch(perform); done {
				return err
			}
		case <-r.timer.C:
			r.step(Tick{})
			r.take()
		case <-r.more():
			r.step(Tick{})
			r.take()
		case <-r.lazy.C:
			r.urgent = true
		case <-r.outOfPatience():
			r.impatient = true
			r.step(Cancel{Now: true, Kill: true})
		case to := <-r.opts.Probes:
			to <- r.engine.Snapshot()
		case c := <-r.opts.Control:
			switch c {
			case Kill:
				kill()
				forced = false
				if r.bound == nil {
					r.bound = time.NewTimer(r.opts.KillGrace)
				}
				r.step(Cancel{Kill: true})
			case Pause, Unpause:
				r.step(SetPaused{c == Pause})
				r.take()
			case Force:
				forced = true
				r.step(Cancel{Now: true})
			default:
				r.step(Cancel{})
			}
		}
	}
}

// more is ready if there are tasks to begin, unless enough waits to be written.
func (r *runner) more() <-chan struct{} {
	if !r.engine.hasMore() || len(r.pending) >= r.opts.Portion {
		return nil
	}
	return r.always
}

// outOfPatience is ready when what was killed has had its time.
func (r *runner) outOfPatience() <-chan time.Time {
	if r.bound == nil {
		return nil
	}
	return r.bound.C
}

// awaitKilled waits for what was told to stop, as long as there is patience, and
// tells of what did not.
func (r *runner) awaitKilled() {
	r.mu.Lock()
	open := len(r.under)
	r.mu.Unlock()
	if open == 0 {
		r.work.Wait()
		return
	}
	done := make(chan struct{})
	go func() { // ends with the last abandoned operation
		r.work.Wait()
		close(done)
	}()
	switch {
	case r.impatient:
		r.bound.Reset(0)
	case r.bound == nil:
		r.bound = time.NewTimer(r.opts.KillGrace)
	}
	defer r.bound.Stop()
	select {
	case <-done:
		return
	case <-r.bound.C:
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.under {
		if r.opts.Abandoned != nil {
			r.opts.Abandoned(t)
		}
	}
}

func (r *runner) step(ev Event) {
	_, began := ev.(Began)
	for _, c := range r.engine.Step(r.opts.Now(), ev) {
		switch c := c.(type) {
		case Ask: // needs nothing to be durable; what it leads to does
			r.waiting = append(r.waiting, c.Task)
		case Release:
			r.release(c.ID)
		case WakeAt:
			r.timer.Reset(max(0, c.At.Sub(r.opts.Now())))
		default:
			if began && len(r.pending) == 0 {
				r.lazy.Reset(startedDelay)
			}
			r.urgent = r.urgent || !began
			r.pending = append(r.pending, c)
		}
	}
}

// startedDelay is how long the record that an operation has begun waits for
// others to be written with it, such as that of its end.
const startedDelay = 20 * time.Millisecond

// take begins the tasks that wait for a slot, as long as there are any free.
func (r *runner) take() {
	taker, ok := r.opts.Limiter.(Taker)
	for ok && len(r.waiting) > 0 {
		t := r.waiting[0]
		release, free := taker.Take(t)
		if !free {
			return
		}
		r.waiting = r.waiting[1:]
		r.mu.Lock()
		r.slots[t.ID] = release
		r.mu.Unlock()
		r.step(Granted{t.ID})
	}
}

// drain applies all events that have arrived, so that one commit serves them.
func (r *runner) drain() {
	for {
		select {
		case ev := <-r.events:
			r.step(ev)
		default:
			return
		}
	}
}

// carryOut starts a commit of the pending records, or carries the commands out
// directly if there are none, unless a commit is under way.
func (r *runner) carryOut(ctx, perform context.Context) (done bool, err error) {
	if r.committing != nil || len(r.pending) == 0 || !r.urgent {
		return false, nil
	}
	r.committing, r.pending, r.urgent = r.pending, nil, false
	records := make([]Record, 0, len(r.committing))
	for _, c := range r.committing {
		if rec, ok := c.(Record); ok {
			records = append(records, rec)
		}
	}
	if len(records) == 0 {
		return r.dispatch(perform)
	}
	r.aux.Go(func() { r.committed <- r.opts.Journal.Commit(ctx, records) })
	return false, nil
}

// dispatch carries out the commands whose records are durable.
func (r *runner) dispatch(perform context.Context) (done bool, err error) {
	commands := r.committing
	r.committing = nil
	for _, c := range commands {
		switch c := c.(type) {
		case Perform:
			r.perform(perform, c.Task)
		case Finish:
			return true, c.Err
		}
	}
	return false, nil
}

// askForSlots asks for one slot after the other, so that a thousand ready tasks
// don't mean a thousand waiting goroutines.
func (r *runner) askForSlots(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-r.asks:
			release, err := r.opts.Limiter.Acquire(ctx, t)
			if ctx.Err() != nil {
				if err == nil {
					release()
				}
				return
			}
			if err != nil {
				failure := asFailure(fmt.Errorf("wait for a free slot: %w", err))
				select {
				case r.events <- Denied{t.ID, failure}:
				case <-ctx.Done():
				}
				continue
			}
			r.mu.Lock()
			r.slots[t.ID] = release
			r.mu.Unlock()
			select {
			case r.events <- Granted{t.ID}:
			case <-ctx.Done():
				r.release(t.ID)
				return
			}
		}
	}
}

func (r *runner) release(id string) {
	r.mu.Lock()
	release := r.slots[id]
	delete(r.slots, id)
	r.mu.Unlock()
	if release != nil {
		release()
	}
}

// releaseIdle gives back the slots of tasks that were not begun any more.
func (r *runner) releaseIdle() {
	var idle []func()
	r.mu.Lock()
	for id, release := range r.slots {
		if r.under[id] == nil {
			idle = append(idle, release)
			delete(r.slots, id)
		}
	}
	r.mu.Unlock()
	for _, release := range idle {
		release()
	}
}

func (r *runner) perform(ctx context.Context, t *Task) {
	task := *t
	r.mu.Lock()
	r.under[task.ID] = &task
	r.mu.Unlock()
	r.work.Go(func() {
		defer r.release(task.ID)
		defer r.performed(task.ID)
		result, err := r.opts.Performer.Perform(ctx, &task, func() { r.send(Began{task.ID}) })
		r.release(task.ID) // before the end is told, so that what follows may have the slot
		if errors.Is(err, ErrInterrupted) {
			r.send(Interrupted{task.ID})
			return
		}
		r.send(Ended{ID: task.ID, Result: result, Failure: asFailure(err)})
	})
}

func (r *runner) performed(id string) {
	r.mu.Lock()
	delete(r.under, id)
	r.mu.Unlock()
}

// send hands an event to the loop, or drops it if the loop has gone.
func (r *runner) send(ev Event) {
	select {
	case r.events <- ev:
	case <-r.gone:
	}
}

func asFailure(err error) *Failure {
	if err == nil {
		return nil
	}
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Verdict: Recoverable, Type: "RecoverableError", Message: err.Error()}
}
