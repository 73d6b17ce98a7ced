package execution

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
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
		r.pause.set(to)
	}
	return e, nil
}

// pauseSwitch is whether a run is paused.
type pauseSwitch struct {
	paused  atomic.Bool
	changed chan struct{} // has a value after a change
}

func (p *pauseSwitch) on() bool { return p.paused.Load() }

func (p *pauseSwitch) set(to bool) {
	if p.paused.Swap(to) != to {
		signal(p.changed)
	}
}

// probe asks the graph that runs where it is.
type probe struct {
	ask  chan chan<- graph.Snapshot
	done chan struct{} // closed when the graph runs no more
}

// probed lets others ask the graph that is about to run, until stop.
func (r *run) probed() (ask <-chan chan<- graph.Snapshot, stop func()) {
	p := &probe{ask: make(chan chan<- graph.Snapshot), done: make(chan struct{})}
	r.probe.Store(p)
	return p.ask, func() {
		r.probe.CompareAndSwap(p, nil)
		close(p.done)
	}
}

// snapshot tells where the running graph is; false if none runs.
func (r *run) snapshot(ctx context.Context) (graph.Snapshot, bool) {
	p := r.probe.Load()
	if p == nil {
		return graph.Snapshot{}, false
	}
	answer := make(chan graph.Snapshot, 1)
	select {
	case p.ask <- answer:
		return <-answer, true
	case <-p.done:
	case <-ctx.Done():
	}
	return graph.Snapshot{}, false
}

// waiting lists what a run's operations wait for: first those that run, longest
// first, then the others in the order of the graph.
func (r *run) waiting(ctx context.Context) []WaitingTask {
	now := r.s.now()
	list := r.under.list(now)
	s, ok := r.snapshot(ctx)
	if !ok {
		return list
	}
	known := map[string]bool{}
	for _, w := range list {
		known[w.ID] = true
	}
	for _, w := range s.Tasks {
		if text := holdText(w, s, now); text != "" && !known[w.Task.ID] {
			list = append(list, WaitingTask{ID: w.Task.ID, Name: w.Task.Describe(), For: text})
		}
	}
	return list
}

// namedWaits bounds how many of the tasks that one waits for are named.
const namedWaits = 3

func holdText(w graph.Waiting, s graph.Snapshot, now time.Time) string {
	switch w.Hold {
	case graph.AwaitsSlot:
		return "it waits for a free place among the operations that may run at once"
	case graph.AwaitsTime:
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

// abandoned tells of an operation that didn't end when it was told to.
func (r *run) abandoned(t *graph.Task) {
	text := fmt.Sprintf("%s did not stop within %s and was abandoned; it may still be running", t.Describe(), r.s.cfg.Timing.KillGrace)
	r.s.log.Error("operation abandoned", "execution", r.e.ID, "task", t.Describe(), "after", r.s.cfg.Timing.KillGrace)
	r.book.add(r.logLine("error", text))
}

// awaitLeft waits for the operations that a forced cancel left running. Once
// they are told to stop, by a kill or the manager's end, it waits only so long.
func (r *run) awaitLeft() {
	done := make(chan struct{})
	go func() { // ends with the last of them
		r.left.Wait()
		close(done)
	}()
	select {
	case <-done:
		return
	case <-r.operations.Done():
	}
	timer := time.NewTimer(r.s.cfg.Timing.KillGrace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		r.s.log.Error("operations of a cancelled execution did not stop and were abandoned", "execution", r.e.ID)
	}
}
