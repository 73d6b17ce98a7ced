package execution

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"windlass/internal/store"
)

// Reason says why an execution isn't further than it is.
type Reason struct {
	// Position in the queue, from 1; 0 for one that isn't queued.
	Position int
	// BlockedBy are the executions that a queued one waits for.
	BlockedBy []store.Execution
	// Text says it in a sentence; "" for an execution that has ended with all it began.
	Text string
	// Waiting are the operations that a running execution waits for, longest
	// first, if this manager runs it: at most MostWaiting of WaitingTotal.
	Waiting      []WaitingTask
	WaitingTotal int
}

// MostWaiting is how many of the operations that wait a Reason names.
const MostWaiting = 200

// WaitingTask is an operation under way and what holds it up.
type WaitingTask struct {
	ID, Name string
	For      string
}

// Why tells what an execution waits for. It gives a not-found *Refusal for an
// execution that the tenant doesn't have; an empty tenant means any.
func (s *Service) Why(ctx context.Context, tenant, id string) (Reason, error) {
	e, err := getIn(ctx, s.store, tenant, id)
	if err != nil {
		return Reason{}, err
	}
	switch {
	case e.Status == store.Queued:
		if m, err := maintenanceIn(ctx, s.store); err != nil || m.Status != MaintenanceOff {
			return Reason{Text: "It waits for the end of maintenance: nothing is let in before."}, err
		}
		return whyQueued(ctx, s.store, e)
	case e.Status == store.Scheduled:
		return Reason{Text: fmt.Sprintf("It is scheduled for %s.", e.ScheduledFor.UTC().Format("2006-01-02 15:04:05 MST"))}, nil
	}
	if r := s.runOf(id); r != nil && r.leaves.Load() && (e.Status.IsEnd() || e.Status == store.Pending) {
		return whyLeft(e, r.under.list(s.now())), nil
	}
	if e.Status.IsEnd() {
		return Reason{}, nil
	}
	if e.Owner == "" || e.LeaseUntil.Before(s.now()) {
		return Reason{Text: fmt.Sprintf("It waits for a manager to take it up; each runs at most %d executions at once (%s).",
			s.slots.current().Executions, ManagerExecutionsSetting)}, nil
	}
	if r := s.runOf(id); r != nil {
		var reason Reason
		reason.Waiting, reason.WaitingTotal = r.waiting(ctx)
		switch {
		case e.Status == store.Cancelling:
			reason.Text = fmt.Sprintf("It is being cancelled: operations may go on for %s, the workflow's own code for %s, then the cancel is a forced one.",
				s.cfg.Timing.CancelGrace, s.cfg.Timing.WorkflowGrace)
		case e.IsPaused():
			reason.Text = "It is paused: what runs goes on, nothing more starts until it is continued."
		}
		return reason, nil
	}
	owner, _, _ := strings.Cut(e.Owner, ownerSeparator)
	return Reason{Text: fmt.Sprintf("It runs on manager %s.", owner)}, nil
}

// whyLeft tells of operations that a forced cancel of e has left running.
func whyLeft(e store.Execution, left []WaitingTask) Reason {
	reason := Reason{Waiting: left[:min(len(left), MostWaiting)], WaitingTotal: len(left)}
	switch {
	case e.Status == store.Pending:
		reason.Text = "It goes on once the operations end that its cancel left running."
	case len(left) > 0:
		reason.Text = "It has ended, but left operations running; a cancel with -k stops them."
	}
	return reason
}

func whyQueued(ctx context.Context, r store.Reader, e store.Execution) (Reason, error) {
	position, err := positionOf(ctx, r, e)
	if err != nil {
		return Reason{}, err
	}
	reason := Reason{Position: position}
	n, err := neighboursOf(ctx, r, e)
	if err != nil {
		return Reason{}, err
	}
	if !e.IsSystemWorkflow {
		reason.Position += len(n.QueuedSystemWide)
	}
	block := Admit(Candidate{Execution: e, Queue: true}, n)
	if block == nil {
		if place, err := hasPlace(ctx, r, e); err != nil || !place {
			reason.Text = fmt.Sprintf("It waits for its group %s, which lets no more members run now.", e.GroupID)
			return reason, err
		}
		limit, err := intSetting(ctx, r, ExecutionsSetting, DefaultExecutions)
		reason.Text = fmt.Sprintf("It waits for a place: at most %d executions taken from the queue run at once (%s).", limit, ExecutionsSetting)
		return reason, err
	}
	reason.BlockedBy = slices.Clone(block.By)
	what := "executions of the same deployment"
	if block.SystemWide {
		what = "executions that it can't run beside"
	}
	names := make([]string, len(block.By))
	for i, b := range block.By {
		names[i] = fmt.Sprintf("%s (%s, %s)", b.ID, b.WorkflowID, b.Status)
	}
	reason.Text = fmt.Sprintf("It waits for %s: %s.", what, strings.Join(names, ", "))
	return reason, nil
}

// positionOf counts who stands in the queue up to e, from 1: system-wide
// executions and others each have one.
func positionOf(ctx context.Context, r store.Reader, e store.Execution) (int, error) {
	alike := []store.Filter{statusIs(store.Queued), {Field: "is_system_workflow", Values: []string{fmt.Sprint(e.IsSystemWorkflow)}}}
	created := []string{e.CreatedAt.UTC().Format(time.RFC3339Nano)}
	before, err := r.ListExecutions(ctx, store.Query{Limit: 1, Filters: append(slices.Clone(alike), store.Filter{Field: "created_at", Op: store.Below, Values: created})})
	if err != nil {
		return 0, err
	}
	// Those of a group may be made in the same instant: they stand as they were added.
	together, err := r.ListExecutions(ctx, store.Query{Filters: append(slices.Clone(alike), store.Filter{Field: "created_at", Values: created})})
	if err != nil {
		return 0, err
	}
	at := slices.IndexFunc(together.Items, func(o store.Execution) bool { return o.ID == e.ID })
	return before.Total + max(at, 0) + 1, nil
}
