package execution

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"windlass/internal/store"
)

// claimBatch is how many executions are claimed at the same time: enough for
// their writes to share commits.
const claimBatch = 64

// Run claims and carries out executions until ctx ends, and returns when all
// that it started has stopped. Executions under way are then free for the next
// claimer, which goes on with them. Call it once.
func (s *Service) Run(ctx context.Context) error {
	wake, unsubscribe := s.store.Subscribe(store.TopicExecutions)
	defer unsubscribe()
	l := &loop{s: s, ended: make(chan struct{}, 1)}
	s.readClock(ctx)

	var renewer sync.WaitGroup
	renewing, stopRenewing := context.WithCancel(context.WithoutCancel(ctx))
	renewer.Go(func() { l.renew(renewing) })

	var scheduler sync.WaitGroup
	scheduler.Go(func() { s.runSchedules(ctx) })
	scheduler.Go(func() { s.runRetention(ctx) })
	defer scheduler.Wait()

	if err := l.takeOver(ctx); err != nil && ctx.Err() == nil {
		s.log.Error("could not take over former claims; they wait for their leases to end", "error", err)
	}
	poll := time.NewTicker(s.cfg.Timing.Poll)
	defer poll.Stop()
	for thorough := true; ctx.Err() == nil; {
		if err := l.look(ctx, thorough); err != nil && ctx.Err() == nil {
			s.log.Error("could not look for executions to run; trying again", "error", err)
		}
		thorough = false
		select {
		case <-wake:
		case <-l.ended:
		case <-poll.C:
			thorough = true
		case <-ctx.Done():
		}
	}
	l.renewForNextLife()
	for _, r := range s.runs() {
		r.stop(errStopping)
	}
	l.runs.Wait()
	stopRenewing()
	renewer.Wait()
	return nil
}

// loop is what Run keeps between two looks.
type loop struct {
	s     *Service
	runs  sync.WaitGroup
	ended chan struct{} // has a value when a run has ended since the last look
}

func (s *Service) runs() []*run {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*run, 0, len(s.running))
	for _, r := range s.running {
		all = append(all, r)
	}
	return all
}

func (s *Service) runOf(id string) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running[id]
}

// look passes on what is asked of executions under way and claims new ones. A
// thorough look also notices those that were ended or deleted from outside.
func (l *loop) look(ctx context.Context, thorough bool) error {
	if thorough {
		l.s.readClock(ctx)
	}
	asked, err := executionsWhere(ctx, l.s.store, 0, statusIs(store.Cancelling, store.ForceCancelling, store.KillCancelling))
	if err != nil {
		return fmt.Errorf("list executions being cancelled: %w", err)
	}
	var unclaimed []store.Execution
	for _, e := range asked {
		if r := l.s.runOf(e.ID); r != nil {
			r.control(e.Status)
		} else {
			unclaimed = append(unclaimed, e)
		}
	}
	// They have an end and nothing else before them, so they need no room.
	for batch := range slices.Chunk(l.s.free(ctx, unclaimed), claimBatch) {
		l.claimThese(ctx, batch)
	}
	if thorough {
		if err := l.s.ReadLimits(ctx); err != nil {
			return err
		}
		if err := l.notice(ctx); err != nil {
			return fmt.Errorf("list running executions: %w", err)
		}
		if err := l.s.lookAtQueue(ctx); err != nil {
			return fmt.Errorf("look at the queue: %w", err)
		}
	}
	return l.claimAll(ctx)
}

// notice stops the runs whose executions are over.
func (l *loop) notice(ctx context.Context) error {
	runs := l.s.runs()
	if len(runs) == 0 {
		return nil
	}
	active, err := executionsWhere(ctx, l.s.store, 0, statusIs(store.ActiveStatuses...))
	if err != nil {
		return err
	}
	if err := l.s.heedPauses(ctx, active); err != nil {
		return err
	}
	is := make(map[string]bool, len(active))
	for _, e := range active {
		is[e.ID] = true
	}
	for _, r := range runs {
		if !is[r.e.ID] && !r.concluded.Load() {
			r.control(store.Cancelled)
		}
	}
	return nil
}

// claimAll claims what there is to claim, as far as there is room.
func (l *loop) claimAll(ctx context.Context) error {
	for ctx.Err() == nil {
		l.s.mu.Lock()
		room := l.s.slots.current().Executions - len(l.s.running)
		l.s.mu.Unlock()
		if room <= 0 {
			return nil
		}
		found, err := l.s.store.Claimable(ctx, l.s.holding(), min(room, claimBatch))
		if err != nil {
			return fmt.Errorf("list executions to claim: %w", err)
		}
		if l.s.cfg.Alone { // what runs here is nobody else's, however late a renewal is
			found = slices.DeleteFunc(found, func(e store.Execution) bool { return l.s.runOf(e.ID) != nil })
		}
		if found = l.s.free(ctx, found); len(found) == 0 || l.claimThese(ctx, found) == 0 {
			return nil
		}
	}
	return nil
}

// takeOver claims what this manager ran in a former life, without waiting for
// the leases to end.
func (l *loop) takeOver(ctx context.Context) error {
	active, err := executionsWhere(ctx, l.s.store, 0, statusIs(store.ActiveStatuses...))
	if err != nil {
		return err
	}
	var mine []store.Execution
	for _, e := range active {
		if e.Owner != "" && l.s.Owns(e) {
			mine = append(mine, e)
		}
	}
	for batch := range slices.Chunk(mine, claimBatch) {
		l.claimThese(ctx, batch)
	}
	return nil
}

// claimThese claims executions that are free, as they were seen, and starts those
// it got. It returns how many.
func (l *loop) claimThese(ctx context.Context, es []store.Execution) int {
	claimed := make([]*run, len(es))
	var claims sync.WaitGroup
	for i, e := range es {
		claims.Go(func() {
			r, err := l.s.claim(ctx, e)
			switch {
			case err == nil:
				claimed[i] = r
			case ctx.Err() == nil && !errors.Is(err, store.ErrVersion) && !errors.Is(err, store.ErrNotFound):
				l.s.log.Error("could not claim an execution; trying again", "execution", e.ID, "error", err)
			}
		})
	}
	claims.Wait()
	got := 0
	for _, r := range claimed {
		if r != nil {
			got++
			l.launch(r)
		}
	}
	return got
}

func (l *loop) launch(r *run) {
	l.s.mu.Lock()
	before := l.s.running[r.e.ID]
	l.s.running[r.e.ID] = r
	l.s.mu.Unlock()
	r.control(r.e.Status)
	l.runs.Go(func() {
		defer close(r.done)
		if before != nil {
			<-before.done // it lost its claim, and is still stopping its operations
		}
		r.perform()
		l.s.mu.Lock()
		if l.s.running[r.e.ID] == r {
			delete(l.s.running, r.e.ID)
		}
		l.s.mu.Unlock()
		signal(l.ended)
	})
}

// claim takes an execution that is as it was seen, and in the same transaction starts it or tells
// that it goes on here.
func (s *Service) claim(ctx context.Context, seen store.Execution) (*run, error) {
	token, hash := newToken()
	held := s.heldUntil()
	var e store.Execution
	err := s.store.Write(ctx, func(tx store.Tx) error {
		var err error
		if e, err = tx.ClaimExecution(ctx, seen, s.owner, s.lease()); err != nil {
			return err
		}
		e.TokenHash = hash
		if e.Status.IsCancelling() { // it is ended, and goes on with nothing
			return tx.UpdateExecution(ctx, e)
		}
		if e.Status != store.Pending {
			if err := tx.AddEvents(ctx, []store.Event{s.takenOverLine(e)}); err != nil {
				return err
			}
			return tx.UpdateExecution(ctx, e)
		}
		if err := tx.AddEvents(ctx, []store.Event{s.startEvent(e)}); err != nil {
			return err
		}
		_, err = s.transition(ctx, tx, &e, store.Started, "")
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.newRun(ctx, e, token, held), nil
}

func (s *Service) startEvent(e store.Execution) store.Event {
	verb := "Starting"
	if e.Resume {
		verb = "Resuming"
	}
	return s.workflowEvent(e, "workflow_started", fmt.Sprintf("%s '%s' workflow execution%s", verb, e.WorkflowID, dryRunSuffix(e)))
}

func (s *Service) takenOverLine(e store.Execution) store.Event {
	line := s.workflowEvent(e, "", fmt.Sprintf("'%s' workflow execution goes on where it was recorded last, on manager %s",
		e.WorkflowID, s.cfg.ManagerName))
	line.Type, line.Level, line.Logger = store.TypeLog, "info", "ctx."+e.ID
	return line
}
