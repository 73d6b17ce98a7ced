package execution

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"windlass/internal/graph"
	"windlass/internal/store"
)

// Pause holds an execution: operations that run go on, no other starts. It
// lasts through restarts, a cancel and a resume, until Continue.
// Pausing again does nothing. It gives an illegal-action *Refusal for one that
// has ended or is being cancelled.
func (s *Service) Pause(ctx context.Context, tenant, id string) (store.Execution, error) {
	return s.setPaused(ctx, tenant, id, true)
}

// Continue ends a pause. For an execution that isn't paused it does nothing.
func (s *Service) Continue(ctx context.Context, tenant, id string) (store.Execution, error) {
	return s.setPaused(ctx, tenant, id, false)
}

func (s *Service) setPaused(ctx context.Context, tenant, id string, to bool) (store.Execution, error) {
	var e store.Execution
	verb, done := "pause", "paused"
	if !to {
		verb, done = "continue", "continued"
	}
	err := s.store.Write(ctx, func(tx store.Tx) error {
		var err error
		if e, err = lockForAction(ctx, tx, tenant, id); err != nil {
			return err
		}
		if e.Status.IsEnd() || e.Status.IsCancelling() {
			return refuse(CodeIllegalAction, "Can't %s execution %s because it's in status %s", verb, e.ID, e.Status)
		}
		if e.IsPaused() == to {
			return nil
		}
		arguments := map[string]any{}
		for k, v := range e.Arguments {
			arguments[k] = v
		}
		delete(arguments, store.ArgumentPaused)
		if to {
			arguments[store.ArgumentPaused] = true
		}
		if e.Arguments = arguments; len(arguments) == 0 {
			e.Arguments = nil
		}
		event := s.workflowEvent(e, "workflow_stage", fmt.Sprintf("'%s' workflow execution %s", e.WorkflowID, done))
		if err := tx.AddEvents(ctx, []store.Event{event}); err != nil {
			return err
		}
		tx.Notify(store.TopicExecutions)
		return tx.UpdateExecution(ctx, e)
	})
	if err != nil {
		return e, err
	}
	if r := s.runOf(id); r != nil {
		err = r.followPause(ctx)
	}
	return e, err
}

// heedPauses makes runs pause or go on as others may have asked by way of the
// store. The list may be older than a pause or its end that was set here already.
func (s *Service) heedPauses(ctx context.Context, active []store.Execution) error {
	for _, e := range active {
		r := s.runOf(e.ID)
		if r == nil {
			continue
		}
		if on, _ := r.pause.on(); on == e.IsPaused() {
			continue
		}
		if err := r.followPause(ctx); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

// followPause makes the run pause or go on as is stored. Reading and setting are
// one step, so that of several who do it the last to set has also read the latest.
func (r *run) followPause(ctx context.Context) error {
	r.pause.following.Lock()
	defer r.pause.following.Unlock()
	e, err := r.s.store.GetExecution(ctx, r.e.ID)
	if err != nil {
		return fmt.Errorf("read whether execution %s is paused: %w", r.e.ID, err)
	}
	r.pause.set(e.IsPaused())
	return nil
}

// pauseSwitch is whether a run is paused.
type pauseSwitch struct {
	following sync.Mutex // held from reading what is stored until it is set

	mu      sync.Mutex
	paused  bool
	before  bool          // it was on at some time
	changed chan struct{} // closed at the next change; nil until somebody waits for one
}

// on tells whether the run is paused, and gives what is closed when that changes.
func (p *pauseSwitch) on() (paused bool, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	return p.paused, p.changed
}

func (p *pauseSwitch) set(to bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused != to && p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
	p.paused = to
	p.before = p.before || to
}

// wasOn tells whether the run is, or was at some time, paused.
func (p *pauseSwitch) wasOn() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.before
}

// probe asks a graph that runs where it is.
type probe struct {
	ask  chan chan<- graph.Snapshot
	done chan struct{} // closed when the graph runs no more
}

// probes are those of the graphs of a run that run now; a custom workflow may
// have several.
type probes struct {
	mu  sync.Mutex
	all []*probe // in the order of their beginnings
}

// probed lets others ask the graph that is about to run, until stop.
func (r *run) probed() (ask <-chan chan<- graph.Snapshot, stop func()) {
	p := &probe{ask: make(chan chan<- graph.Snapshot), done: make(chan struct{})}
	r.probes.mu.Lock()
	defer r.probes.mu.Unlock()
	r.probes.all = append(r.probes.all, p)
	return p.ask, func() {
		r.probes.mu.Lock()
		defer r.probes.mu.Unlock()
		r.probes.all = slices.DeleteFunc(r.probes.all, func(q *probe) bool { return q == p })
		close(p.done)
	}
}

// snapshots tells where the running graphs are.
func (r *run) snapshots(ctx context.Context) []graph.Snapshot {
	r.probes.mu.Lock()
	all := slices.Clone(r.probes.all)
	r.probes.mu.Unlock()
	var found []graph.Snapshot
	for _, p := range all {
		answer := make(chan graph.Snapshot, 1)
		select {
		case p.ask <- answer:
			found = append(found, <-answer)
		case <-p.done:
		case <-ctx.Done():
		}
	}
	return found
}

// waiting lists what a run's operations wait for: first those that run, longest
// first, then the others in the order of the graph. It names no more than
// MostWaiting, but counts all.
func (r *run) waiting(ctx context.Context) (named []WaitingTask, total int) {
	now := r.s.now()
	list := r.under.list(now)
	known := map[string]bool{}
	for _, w := range list {
		known[w.ID] = true
	}
	total = len(list)
	list = list[:min(total, MostWaiting)]
	for _, s := range r.snapshots(ctx) {
		for _, w := range s.Tasks {
			if w.Hold == graph.Runs || known[w.Task.ID] {
				continue
			}
			if total++; len(list) < MostWaiting {
				list = append(list, WaitingTask{ID: w.Task.ID, Name: w.Task.Describe(), For: holdText(w, s, now)})
			}
		}
	}
	return list, total
}

// namedWaits bounds how many of the tasks that one waits for are named.
const namedWaits = 3

func holdText(w graph.Waiting, s graph.Snapshot, now time.Time) string {
	switch w.Hold {
	case graph.AwaitsSlot:
		return "it waits for a free place among the operations that may run at once"
	case graph.AwaitsTime:
		if s.Paused {
			return fmt.Sprintf("it is tried again at %s at the earliest, when the execution is continued", w.At.UTC().Format("15:04:05"))
		}
		return fmt.Sprintf("it is tried again at %s, in %s", w.At.UTC().Format("15:04:05"), max(0, w.At.Sub(now)).Round(time.Second))
	case graph.Blocked:
		return "it will not run: something that it needs has failed"
	case graph.HeldBack:
		if s.Cancelling {
			return "it will not run: the execution is being cancelled"
		}
		return "the execution is paused"
	case graph.AwaitsTasks:
		names := make([]string, 0, namedWaits)
		for _, t := range w.On[:min(len(w.On), namedWaits)] {
			names = append(names, t.Describe())
		}
		text := "it waits for " + strings.Join(names, ", ")
		if more := len(w.On) - namedWaits; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		return text
	}
	return ""
}
