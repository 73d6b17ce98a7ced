package execution

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"windlass/internal/operation"
	"windlass/internal/store"
	"windlass/internal/workflow"
)

// Why a run has to stop before its workflow has ended.
var (
	errLost     = fmt.Errorf("the claim was lost: %w", operation.ErrLapsed)
	errStopping = errors.New("the manager stops")
	errEnded    = errors.New("the execution was ended from outside")
)

// run is one execution that this manager has claimed.
type run struct {
	s     *Service
	e     store.Execution // as it was when claimed
	fence store.Fence
	lease *operation.Lease // ends as held does; see Config.Uptime
	token string           // of the execution, plain
	book  *logbook

	// ctx ends when the run has to stop; its cause is one of the errors above.
	ctx  context.Context
	stop context.CancelCauseFunc

	// asked ends with any cancel, forced with force-cancel and kill.
	// operations is what operations run under: it ends with kill and with ctx.
	asked, forced, operations  context.Context
	ask, force, stopOperations context.CancelFunc

	deployment store.Deployment // as it was when the workflow began
	origins    sync.Map         // origin by node id
	// updatedFrom is the blueprint that an update leaves; set before its operations run.
	updatedFrom string
	changed     sync.Map // *workflow.OperationPayload by operationKey: as updates made them
	under       underWay
	pause       pauseSwitch
	probes      probes
	writing     chan struct{}             // has a value while somebody writes: writes keep the order of what they tell
	left        sync.WaitGroup            // operations that a forced cancel left to end
	leaves      atomic.Bool               // there are some
	outlived    atomic.Bool               // there are operations that go on though the manager stops
	held        atomic.Pointer[time.Time] // until when the claim surely holds, by this machine's clock
	inside      atomic.Bool               // a transaction that has the execution's row is under way
	concluded   atomic.Bool               // the end is being stored, and operations are left to run
	done        chan struct{}             // closed when nothing of the run is left
}

func (s *Service) newRun(ctx context.Context, e store.Execution, token string, held held) *run {
	r := &run{s: s, e: e, fence: store.Fence{ExecutionID: e.ID, Epoch: e.Epoch}, token: token, book: newLogbook(), done: make(chan struct{})}
	// What is under way is finished or interrupted in order when the manager
	// stops, so its end is told by cause and not by the context of Run.
	r.ctx, r.stop = context.WithCancelCause(context.WithoutCancel(ctx))
	r.asked, r.ask = context.WithCancel(r.ctx)
	r.forced, r.force = context.WithCancel(r.ctx)
	r.operations, r.stopOperations = context.WithCancel(r.ctx)
	r.writing = make(chan struct{}, 1)
	r.pause.set(e.IsPaused())
	r.lease = operation.NewLease(held.up)
	r.held.Store(&held.own)
	return r
}

// control passes on what the stored status asks for.
func (r *run) control(status store.Status) {
	switch status {
	case store.KillCancelling:
		r.stopOperations()
		r.force()
		r.ask()
	case store.ForceCancelling:
		r.force()
		r.ask()
	case store.Cancelling:
		r.ask()
	case store.Terminated, store.Failed, store.Cancelled:
		r.stop(errEnded)
	}
}

// perform runs the execution to its end and stores that. It returns when
// nothing of the run is left.
func (r *run) perform() {
	defer r.stop(nil)
	var keeper sync.WaitGroup
	keeping, stopKeeping := context.WithCancel(r.ctx)
	defer stopKeeping()
	keeper.Go(func() { r.book.keep(keeping, r.flush) })

	outcome := r.outcome()

	if !r.leaves.Load() {
		stopKeeping()
		keeper.Wait()
	}
	if r.leaves.Load() {
		// Before the end is stored: whoever sees that must not take it for one
		// from outside, and stop what is left to run.
		r.concluded.Store(true)
		r.tellOfLeft()
	}
	r.conclude(outcome)
	if r.leaves.Load() {
		r.awaitLeft()
		stopKeeping()
		keeper.Wait()
		r.afterLeft()
	}
	r.book.close()
}

// afterLeft frees an execution that has ended once the operations that it left
// running are gone. Until then the claim holds, so that a resume doesn't start
// them a second time.
func (r *run) afterLeft() {
	if errors.Is(context.Cause(r.ctx), errLost) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), r.s.cfg.Timing.Lease)
	defer cancel()
	if err := r.letGo(ctx); err != nil && !errors.Is(err, store.ErrFenced) && !errors.Is(err, store.ErrNotFound) {
		r.s.log.Error("could not free an execution; its lease runs out", "execution", r.e.ID, "error", err)
	}
}

// outcome runs the workflow and returns how it ended. A panic of one workflow
// is its failure, not the manager's.
func (r *run) outcome() (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.s.log.Error("workflow panicked", "execution", r.e.ID, "workflow", r.e.WorkflowID, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("internal error in workflow %s: %v", r.e.WorkflowID, p)
		}
	}()
	if r.e.Status.IsCancelling() {
		return errCancelled
	}
	if f, ok := r.s.cfg.SystemWorkflows[r.e.WorkflowID]; ok {
		return r.runSystem(f)
	}
	return r.runWorkflow()
}

// errCancelled is the outcome of an execution that stopped because it was asked to.
var errCancelled = errors.New("cancelled")

func (r *run) runSystem(f SystemWorkflow) error {
	if r.e.IsDryRun {
		r.book.add(r.logLine("info", fmt.Sprintf("%s runs no operations: a dry run of it does nothing", r.e.WorkflowID)))
		return nil
	}
	err := f(r.asked, r.e, systemHost{r})
	if err != nil && r.asked.Err() != nil && errors.Is(err, context.Canceled) {
		return errCancelled
	}
	return err
}

// conclude stores the outcome, or frees the execution for the next claimer.
func (r *run) conclude(outcome error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), r.s.cfg.Timing.Lease)
	defer cancel()
	cause := context.Cause(r.ctx)
	var err error
	switch {
	case errors.Is(cause, errLost):
		return
	case errors.Is(cause, errStopping) && r.outlived.Load() && !r.s.cfg.Alone:
		// The claim stays: nobody else may run what goes on without its manager.
		err = r.flush(ctx)
	case errors.Is(cause, errStopping), errors.Is(cause, errEnded):
		err = r.letGo(ctx)
	case errors.Is(outcome, store.ErrUnavailable):
		// It has not failed: it could not be gone on with. Whoever claims it next can.
		r.s.log.Warn("an execution was interrupted, as the database can't be reached; it will be taken up again",
			"execution", r.e.ID, "workflow", r.e.WorkflowID, "error", outcome)
		err = r.letGo(ctx)
	default:
		err = r.end(ctx, outcome)
	}
	if err != nil && !errors.Is(err, store.ErrFenced) && !errors.Is(err, store.ErrNotFound) {
		// The lease runs out, and whoever claims the execution goes on from the journal.
		r.s.log.Error("could not store how an execution ended; it will be taken up again",
			"execution", r.e.ID, "workflow", r.e.WorkflowID, "error", err)
	}
}

// letGo writes what was logged and releases the claim.
func (r *run) letGo(ctx context.Context) error {
	entries := r.book.take()
	return r.s.store.Write(ctx, func(tx store.Tx) error {
		if err := tx.CheckFence(ctx, r.fence); err != nil {
			return err
		}
		if len(entries) > 0 {
			if err := tx.AddEvents(ctx, entries); err != nil {
				return err
			}
		}
		tx.Notify(store.TopicExecutions)
		return tx.ReleaseExecution(ctx, r.fence)
	})
}

// end stores the end of the execution with all that goes with it.
func (r *run) end(ctx context.Context, outcome error) error {
	entries := r.book.take()
	return r.s.store.WriteLocked(ctx, admissionLock, func(tx store.Tx) error {
		e, err := tx.LockExecution(ctx, r.e.ID)
		if err != nil {
			return err
		}
		if e.Epoch != r.fence.Epoch {
			return store.ErrFenced
		}
		if !e.Status.IsEnd() { // else somebody ended it meanwhile
			to, text := verdict(e, outcome)
			if to, text, err = r.s.conclude(ctx, tx, e, to, text); err != nil {
				return err
			}
			if err := tx.AddEvents(ctx, append(entries, r.s.endEvent(e, to, summary(outcome, text)))); err != nil {
				return err
			}
			token := e.TokenHash
			kept, err := r.s.transition(ctx, tx, &e, to, text)
			if err != nil || !kept {
				return err
			}
			if r.leaves.Load() { // they may still call
				e.TokenHash = token
				return tx.UpdateExecution(ctx, e)
			}
		}
		return tx.ReleaseExecution(ctx, r.fence)
	})
}

// summary is what the event of an end says: the traceback is with the event of the
// operation that failed, and in the execution's error.
func summary(outcome error, text string) string {
	if failed := (operationsFailed{}); errors.As(outcome, &failed) && text == failed.Error() {
		return failed.summary()
	}
	return text
}

// verdict is the status and error text that an outcome means for e as it is
// stored now. What was asked to stop and has nothing left to do is cancelled.
func verdict(e store.Execution, outcome error) (store.Status, string) {
	switch {
	case e.Status == store.KillCancelling, e.Status == store.ForceCancelling,
		outcome == nil && e.Status.IsCancelling(), errors.Is(outcome, errCancelled):
		return store.Cancelled, ""
	case outcome == nil:
		return store.Terminated, ""
	}
	return store.Failed, outcome.Error()
}

// flush writes what was logged.
func (r *run) flush(ctx context.Context) error {
	return r.journal(ctx, store.JournalBatch{})
}

// journal writes a batch, and what follows from it for system properties, under
// the claim, after all that was logged before. A
// claim that turns out to be lost stops the run.
func (r *run) journal(ctx context.Context, batch store.JournalBatch, effects ...workflow.SystemChange) error {
	select {
	case r.writing <- struct{}{}:
		defer func() { <-r.writing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	entries := r.book.take()
	batch.Events = append(entries[:len(entries):len(entries)], batch.Events...)
	err := r.persist(ctx, isLasting, func(tx store.Tx) error {
		if err := tx.Journal(ctx, r.fence, batch); err != nil {
			return err
		}
		return r.changeSystem(ctx, tx, effects)
	})
	if err != nil {
		r.book.putBack(entries)
	}
	if errors.Is(err, store.ErrFenced) {
		r.stop(errLost)
	}
	return err
}

// write runs fn in a transaction under the claim. A claim that turns out to be
// lost stops the run.
func (r *run) write(ctx context.Context, fn func(tx store.Tx) error) error {
	var refused error // by fn or the fence, not by the store
	lasting := func(err error) bool { return refused != nil && errors.Is(err, refused) && !isPassing(err) }
	err := r.persist(ctx, lasting, func(tx store.Tx) error {
		if refused = tx.CheckFence(ctx, r.fence); refused == nil {
			refused = fn(tx)
		}
		return refused
	})
	if errors.Is(err, store.ErrFenced) {
		r.stop(errLost)
	}
	return err
}

// logLine is a log line of the execution as a whole.
func (r *run) logLine(level, message string) store.Event {
	return store.Event{
		Type: store.TypeLog, ExecutionID: r.e.ID, Tenant: r.e.Tenant, ReportedTimestamp: r.s.now(),
		Level: level, Logger: "ctx." + r.e.ID, Message: message, ManagerName: r.s.cfg.ManagerName,
	}
}

// systemHost lets a system workflow use its run.
type systemHost struct{ r *run }

func (h systemHost) Log(level, message string) { h.r.book.add(h.r.logLine(level, message)) }

func (h systemHost) Event(eventType, message string) {
	h.r.book.add(h.r.s.workflowEvent(h.r.e, eventType, message))
}

// Write lets the claim last for as long as the transaction does: while it has the
// execution's row, nobody can take that over. So it may take longer than a lease,
// which it keeps from being renewed if it locks everything: its last act is to
// renew it, before those who have found it over meanwhile get the row.
func (h systemHost) Write(ctx context.Context, fn func(tx store.Tx) error) error {
	r := h.r
	return r.write(ctx, func(tx store.Tx) error {
		r.inside.Store(true)
		defer r.inside.Store(false)
		if err := fn(tx); err != nil {
			return err
		}
		until := r.s.heldUntil()
		kept, err := tx.RenewLeases(ctx, r.s.owner, []store.Fence{r.fence}, r.s.lease())
		if err == nil && len(kept) > 0 {
			r.hold(until)
		}
		return err
	})
}
