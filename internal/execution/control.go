package execution

import (
	"context"
	"errors"
	"fmt"
	"time"

	"windlass/internal/store"
)

func (s *Service) cancel(ctx context.Context, tenant, id string, how Action) (store.Execution, error) {
	var e store.Execution
	err := s.store.WriteLocked(ctx, admissionLock, func(tx store.Tx) error {
		err := existsFor(ctx, tx, tenant, id)
		if err != nil {
			return err
		}
		if e, err = s.cancelIn(ctx, tx, id, how); err != nil {
			return err
		}
		return s.cancelComponents(ctx, tx, e, how, map[string]bool{})
	})
	return e, err
}

// cancelIn cancels one execution. The caller holds admissionLock.
func (s *Service) cancelIn(ctx context.Context, tx store.Tx, id string, how Action) (store.Execution, error) {
	e, err := tx.LockExecution(ctx, id)
	if err != nil {
		return e, err
	}
	to, err := how.After(e)
	if err != nil {
		return e, err
	}
	if to.IsEnd() {
		if _, _, err := s.conclude(ctx, tx, e, to, ""); err != nil {
			return e, err
		}
		if err := tx.AddEvents(ctx, []store.Event{s.endEvent(e, to, "")}); err != nil {
			return e, err
		}
	}
	if how == Kill {
		e.TokenHash = "" // whatever of it still runs must not act any more
	}
	_, err = s.transition(ctx, tx, &e, to, "")
	return e, err
}

func (s *Service) resume(ctx context.Context, tenant, id string, how Action) (store.Execution, error) {
	var e store.Execution
	err := s.store.WriteLocked(ctx, admissionLock, func(tx store.Tx) error {
		err := existsFor(ctx, tx, tenant, id)
		if err != nil {
			return err
		}
		if e, err = s.resumeIn(ctx, tx, id, how); err != nil {
			return err
		}
		return s.resumeComponents(ctx, tx, e, how, map[string]bool{})
	})
	return e, err
}

// resumeIn resumes one execution. The caller holds admissionLock.
func (s *Service) resumeIn(ctx context.Context, tx store.Tx, id string, how Action) (store.Execution, error) {
	e, err := tx.LockExecution(ctx, id)
	if err != nil {
		return e, err
	}
	if _, err := how.After(e); err != nil {
		return e, err
	}
	if err := refuseInMaintenance(ctx, tx); err != nil {
		return e, err
	}
	if e.Status == store.Started {
		return e, nil // somebody runs it, or takes it over as soon as the lease ends
	}
	to, err := s.readmit(ctx, tx, &e)
	if err != nil {
		return e, err
	}
	if err := resetOperations(ctx, tx, e.ID, how); err != nil {
		return e, fmt.Errorf("reset operations of execution %s: %w", e.ID, err)
	}
	e.Resume, e.EndedAt = true, time.Time{}
	_, err = s.transition(ctx, tx, &e, to, "")
	return e, err
}

// readmit decides whether an execution that has ended may run again now, by the
// same rules as a new one, and gives the status that it gets. It waits only where
// its group has no place. Those that wait for its deployment are no obstacle: it
// was there before them.
func (s *Service) readmit(ctx context.Context, tx store.Tx, e *store.Execution) (store.Status, error) {
	block, place, err := obstacles(ctx, tx, Candidate{Execution: *e}, true)
	switch {
	case err != nil:
		return "", err
	case block != nil:
		return "", block.Refusal
	case !place:
		e.QueuedAt = s.now()
		return store.Queued, nil
	}
	return store.Pending, nil
}

func (s *Service) updateStatus(ctx context.Context, u StatusUpdate) (store.Execution, error) {
	if !KnownStatus(u.Status) {
		return store.Execution{}, refuse(CodeBadParameters, "Invalid execution status: %s", u.Status)
	}
	var e store.Execution
	err := s.store.WriteLocked(ctx, admissionLock, func(tx store.Tx) error {
		var err error
		if e, err = lockForAction(ctx, tx, u.Tenant, u.ID); err != nil {
			return err
		}
		if err := CheckReport(e, u.Status); err != nil {
			return err
		}
		if e.Status == u.Status && e.Status.IsEnd() {
			return nil
		}
		was, to, text := e.Status, u.Status, u.Error
		if to.IsEnd() {
			if to, text, err = s.conclude(ctx, tx, e, to, text); err != nil {
				return err
			}
		}
		kept, err := s.transition(ctx, tx, &e, to, text)
		if err != nil || !kept || was == e.Status || isToldByStatus(e.Status) || e.GroupID != "" {
			return err
		}
		return tx.AddEvents(ctx, []store.Event{s.statusEvent(e)})
	})
	return e, err
}

// lockForAction locks an execution of the tenant for a change that may end it.
func lockForAction(ctx context.Context, tx store.Tx, tenant, id string) (store.Execution, error) {
	if err := existsFor(ctx, tx, tenant, id); err != nil {
		return store.Execution{}, err
	}
	return tx.LockExecution(ctx, id)
}

// existsFor makes sure that admissionLock is held and that the tenant has the
// execution.
func existsFor(ctx context.Context, tx store.Tx, tenant, id string) error {
	if err := tx.Lock(admissionLock); err != nil {
		return err
	}
	_, err := getIn(ctx, tx, tenant, id)
	return err
}

// wait polls as a net below the wake-ups, which may get lost.
func (s *Service) wait(ctx context.Context, id string) (store.Execution, error) {
	wake, stop := s.store.Subscribe(store.TopicExecutions)
	defer stop()
	poll := time.NewTicker(s.cfg.Timing.Poll)
	defer poll.Stop()
	for {
		e, err := s.store.GetExecution(ctx, id)
		if err != nil || e.Status.IsEnd() {
			return e, err
		}
		select {
		case <-wake:
		case <-poll.C:
		case <-ctx.Done():
			return e, ctx.Err()
		}
	}
}

// resetOperations puts back to pending what a resume repeats. What was
// retried already is left alone: the retry stands for it.
func resetOperations(ctx context.Context, tx store.Tx, executionID string, how Action) error {
	all, err := tx.ListOperations(ctx, store.Query{Filters: []store.Filter{
		{Field: "execution_id", Values: []string{executionID}},
	}})
	if err != nil {
		return err
	}
	retried := map[string]bool{}
	for _, op := range all.Items {
		if of, ok := op.Parameters["retried_task"].(string); ok {
			retried[of] = true
		}
	}
	reset := map[string]bool{}
	for _, state := range resetOnResume(how) {
		reset[state] = true
	}
	var problems []error
	for _, op := range all.Items {
		if !reset[op.State] || retried[op.ID] {
			continue
		}
		op.State, op.Result = "pending", nil
		if op.Parameters == nil {
			op.Parameters = map[string]any{}
		}
		op.Parameters["current_retries"] = int64(0)
		problems = append(problems, tx.UpdateOperation(ctx, op))
	}
	return errors.Join(problems...)
}
