package execution

import (
	"context"
	"errors"
	"fmt"

	"windlass/internal/store"
)

// transition gives a locked execution a new status and all that goes with it:
// times, error, the deployment's latest execution and statuses, and for an end
// the next in the queue. Whoever ends an execution must hold admissionLock.
// It returns whether the execution is still there: the one that removes its
// deployment goes with it.
func (s *Service) transition(ctx context.Context, tx store.Tx, e *store.Execution, to store.Status, errorText string) (kept bool, err error) {
	kept, err = s.apply(ctx, tx, e, to, errorText)
	if err == nil && to.IsEnd() {
		err = s.dequeue(ctx, tx)
	}
	return kept, err
}

// apply is transition without looking at the queue. All changes of a status come
// through here: an illegal one is an error. Each is told by an event; the events of
// starts and ends say more than the status, and are their callers'.
func (s *Service) apply(ctx context.Context, tx store.Tx, e *store.Execution, to store.Status, errorText string) (kept bool, err error) {
	if !isLegal(*e, to) {
		return true, fmt.Errorf("execution %s can't go from %s to %s", e.ID, e.Status, to)
	}
	changes := e.Status != to
	e.Status, e.Error = to, &errorText
	switch {
	case to == store.Started:
		e.StartedAt = s.now()
	case to.IsEnd():
		e.EndedAt, e.TokenHash = s.now(), ""
	}
	tx.Notify(store.TopicExecutions)
	if err := s.announce(ctx, tx, *e); err != nil {
		return true, err
	}
	if removes(*e) {
		err := tx.DeleteDeployment(ctx, e.Tenant, e.DeploymentID)
		if err == nil || errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		return false, fmt.Errorf("remove deployment %s: %w", e.DeploymentID, err)
	}
	if err := tx.UpdateExecution(ctx, *e); err != nil {
		return true, err
	}
	if changes && (isToldByStatus(to) || e.GroupID != "") {
		if err := tx.AddEvents(ctx, []store.Event{s.statusEvent(*e)}); err != nil {
			return true, err
		}
	}
	if err := followUpdate(ctx, tx, *e); err != nil {
		return true, fmt.Errorf("deployment update of execution %s: %w", e.ID, err)
	}
	if err := s.followPluginsUpdate(ctx, tx, *e); err != nil {
		return true, fmt.Errorf("plugins update of execution %s: %w", e.ID, err)
	}
	if to.IsEnd() {
		if err := tx.WithdrawApprovals(ctx, e.ID, s.now()); err != nil {
			return true, fmt.Errorf("withdraw what execution %s asks for: %w", e.ID, err)
		}
		if err := leaveGroup(ctx, tx, *e); err != nil {
			return true, fmt.Errorf("group of execution %s: %w", e.ID, err)
		}
	}
	return true, markLatest(ctx, tx, *e)
}

// announce tells whoever wants to know of e's new status.
func (s *Service) announce(ctx context.Context, tx store.Tx, e store.Execution) error {
	if s.cfg.Announce == nil {
		return nil
	}
	if err := s.cfg.Announce(ctx, tx, e); err != nil {
		return fmt.Errorf("announce that execution %s is %s: %w", e.ID, e.Status, err)
	}
	return nil
}

// removes tells whether the end of e takes its deployment away.
func removes(e store.Execution) bool {
	if e.WorkflowID != removalWorkflow || e.DeploymentID == "" || e.IsDryRun {
		return false
	}
	forced, _ := e.Parameters["force"].(bool)
	return e.Status == store.Terminated || e.Status == store.Failed && (forced || e.Force)
}

// markLatest makes e its deployment's latest execution and recomputes what the
// deployment shows of it. Removing the environment is never the latest.
func markLatest(ctx context.Context, tx store.Tx, e store.Execution) error {
	if e.DeploymentID == "" || e.WorkflowID == removalWorkflow {
		return nil
	}
	err := tx.SetLatestExecution(ctx, e.Tenant, e.DeploymentID, e.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil // removed while the execution ran
	}
	return err
}

// workflowEvent is an event that tells of an execution as a whole.
func (s *Service) workflowEvent(e store.Execution, eventType, message string) store.Event {
	return store.Event{
		Type: store.TypeEvent, ExecutionID: e.ID, Tenant: e.Tenant, ReportedTimestamp: s.now(),
		EventType: eventType, Message: message, ManagerName: s.cfg.ManagerName,
	}
}

// isToldByStatus tells whether a new status has no other event than that.
func isToldByStatus(to store.Status) bool { return to != store.Started && !to.IsEnd() }

// statusEvent tells of e's new status, also those who watch its group. These
// don't hear of one that was let in: it starts at once.
func (s *Service) statusEvent(e store.Execution) store.Event {
	text := fmt.Sprintf("execution '%s' changed state to '%s'", e.ID, e.Status)
	if e.Error != nil && *e.Error != "" {
		text += fmt.Sprintf(" with error '%s'", *e.Error)
	}
	event := s.workflowEvent(e, "execution_state_change", text)
	if e.Status != store.Pending {
		event.ExecutionGroupID = e.GroupID
	}
	return event
}

func dryRunSuffix(e store.Execution) string {
	if e.IsDryRun {
		return " (dry run)"
	}
	return ""
}

// endEvent is the event that tells of an execution's end.
func (s *Service) endEvent(e store.Execution, to store.Status, errorText string) store.Event {
	switch to {
	case store.Terminated:
		return s.workflowEvent(e, "workflow_succeeded", fmt.Sprintf("'%s' workflow execution succeeded%s", e.WorkflowID, dryRunSuffix(e)))
	case store.Cancelled:
		return s.workflowEvent(e, "workflow_cancelled", fmt.Sprintf("'%s' workflow execution cancelled%s", e.WorkflowID, dryRunSuffix(e)))
	}
	return s.workflowEvent(e, "workflow_failed", fmt.Sprintf("'%s' workflow execution failed: %s%s", e.WorkflowID, errorText, dryRunSuffix(e)))
}
