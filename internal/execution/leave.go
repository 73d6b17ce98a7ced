package execution

import (
	"fmt"
	"strings"
	"time"

	"windlass/internal/graph"
)

// abandoned tells of an operation that didn't end when it was told to.
func (r *run) abandoned(t *graph.Task) { r.abandon(t.Describe()) }

func (r *run) abandon(task string) {
	text := fmt.Sprintf("%s did not stop within %s and was abandoned; it may still be running", task, r.s.cfg.Timing.KillGrace)
	r.s.log.Error("operation abandoned", "execution", r.e.ID, "task", task, "after", r.s.cfg.Timing.KillGrace)
	r.book.add(r.logLine("error", text))
}

// boundCancel makes a cancel a forced one if the workflow hasn't ended after a
// while, until stop. Its graphs are bounded by themselves, and more closely.
func (r *run) boundCancel() (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-r.asked.Done():
		case <-quit:
			return
		}
		timer := time.NewTimer(r.s.cfg.Timing.WorkflowGrace)
		defer timer.Stop()
		select {
		case <-timer.C:
			r.book.add(r.logLine("warning", fmt.Sprintf(
				"The workflow has not ended within %s of the cancel, which is a forced one from here on", r.s.cfg.Timing.WorkflowGrace)))
			r.force()
		case <-r.forced.Done():
		case <-quit:
		}
	}()
	return func() { close(quit); <-done }
}

// leave keeps the claim until the operations that a forced cancel left running
// have ended.
func (r *run) leave(wait func()) {
	r.leaves.Store(true)
	r.left.Go(wait)
}

// tellOfLeft says what goes on though the execution is about to end.
func (r *run) tellOfLeft() {
	list := r.under.list(r.s.now())
	if len(list) == 0 {
		return // it has ended meanwhile
	}
	names := make([]string, 0, namedWaits)
	for _, w := range list[:min(len(list), namedWaits)] {
		names = append(names, w.Name)
	}
	if more := len(list) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	r.book.add(r.logLine("warning", fmt.Sprintf("The execution ends, but not what it has begun, which goes on by itself: %s. To stop it: cfy executions cancel -k %s",
		strings.Join(names, ", "), r.e.ID)))
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
		for _, w := range r.under.list(r.s.now()) {
			r.abandon(w.Name)
		}
	}
}
