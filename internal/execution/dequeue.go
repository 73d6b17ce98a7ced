package execution

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
)

// ExecutionsSetting names the setting that bounds how many executions the queue
// lets run at once, and DefaultExecutions is its value unless it is set.
const (
	ExecutionsSetting = "max_concurrent_workflows"
	DefaultExecutions = 20
)

// dequeue lets in whoever of the queue may start now. The caller holds
// admissionLock, so nobody is let in twice.
func (s *Service) dequeue(ctx context.Context, tx store.Tx) error {
	settings, err := tx.ListSettings(ctx)
	if err != nil {
		return fmt.Errorf("read what executions may run: %w", err)
	}
	if _, asked := maintenanceAmong(settings); asked {
		return nil // whoever ends the maintenance looks again
	}
	wide, head, err := tx.HeadOfQueue(ctx, shortQueue)
	if err != nil {
		return err
	}
	if len(wide) > 0 {
		// The oldest system-wide execution goes before all others, and alone.
		return s.letInSystemWide(ctx, tx, wide[0])
	}
	if len(head) == 0 {
		return nil // nobody waits at all
	}
	return s.letInOrdinary(ctx, tx, head, intAmong(settings, ExecutionsSetting, DefaultExecutions))
}

// LetIn lets in whoever of the queue may start now, as part of a transaction that
// gives them more room: ends of executions do so by themselves.
func (s *Service) LetIn(ctx context.Context, tx store.Tx) error {
	if err := tx.Lock(admissionLock); err != nil {
		return err
	}
	return s.dequeue(ctx, tx)
}

// lookAtQueue is a net below that.
func (s *Service) lookAtQueue(ctx context.Context) error {
	wide, head, err := s.store.HeadOfQueue(ctx, 1)
	if err != nil || len(wide)+len(head) == 0 {
		return err
	}
	return s.store.WriteLocked(ctx, admissionLock, func(tx store.Tx) error { return s.LetIn(ctx, tx) })
}

// How much of the queue is looked through one by one: at first, as most are no
// longer, and before it is looked through by deployments.
const (
	shortQueue  = 32
	headOfQueue = 256
)

func (s *Service) letInSystemWide(ctx context.Context, tx store.Tx, e store.Execution) error {
	n, err := neighboursOf(ctx, tx, e)
	n.QueuedSystemWide = nil // it is the first of them, whatever the clocks of managers said
	if err != nil || Admit(Candidate{Execution: e, Queue: true}, n) != nil {
		return err
	}
	ended, _, err := s.letIn(ctx, tx, e.ID)
	if err == nil && ended {
		return s.dequeue(ctx, tx)
	}
	return err
}

// letInOrdinary fills the free places from the queue in order: at most one
// execution per deployment, and none beside another of its deployment. head is
// the queue, or its beginning if it is a long one.
func (s *Service) letInOrdinary(ctx context.Context, tx store.Tx, head []store.Execution, limit int) error {
	active, err := tx.ActiveExecutions(ctx, 0)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(active, func(e store.Execution) bool { return e.IsSystemWorkflow && !standsAside(e) }) {
		return nil
	}
	line := newLine(tx, head, active)
	for free := limit - fromQueue(active); free > 0; {
		next, ok, err := line.next(ctx)
		if err != nil || !ok {
			return err
		}
		ended, cascades, err := s.letIn(ctx, tx, next.ID)
		if err != nil {
			return err
		}
		if cascades { // more may run now than it
			return s.dequeue(ctx, tx)
		}
		if !ended {
			line.occupy(next)
			free--
		}
	}
	return nil
}

// fromQueue counts those that were let in from the queue. Only they take its
// places: else those who never wait, because their deployments are idle, could
// keep the queue waiting for ever.
func fromQueue(active []store.Execution) (n int) {
	for _, e := range active {
		if !e.QueuedAt.IsZero() {
			n++
		}
	}
	return n
}

// letIn makes a queued execution pending, or failed where the world has changed
// so that it can't run any more. It does nothing if it waits no longer. cascades
// tells that it was started on components too.
func (s *Service) letIn(ctx context.Context, tx store.Tx, id string) (ended, cascades bool, err error) {
	e, err := tx.LockExecution(ctx, id)
	if err != nil || e.Status != store.Queued {
		return true, false, err
	}
	w, err := s.recheck(ctx, tx, &e)
	if err != nil {
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			return false, false, err
		}
		text := "Error dequeueing execution: " + refusal.Message
		if err := tx.AddEvents(ctx, []store.Event{s.endEvent(e, store.Failed, text)}); err != nil {
			return false, false, err
		}
		_, err := s.apply(ctx, tx, &e, store.Failed, text)
		return true, false, err
	}
	if _, err = s.apply(ctx, tx, &e, store.Pending, ""); err != nil {
		return false, false, err
	}
	return false, w.IsCascading, s.cascade(ctx, tx, e, w, StartRequest{})
}

// recheck repeats for a queued execution what was checked when it was asked for,
// and returns its workflow.
func (s *Service) recheck(ctx context.Context, tx store.Tx, e *store.Execution) (w plan.Workflow, err error) {
	if e.DeploymentID == "" || e.WorkflowID == environmentWorkflow {
		return w, nil
	}
	d, err := tx.GetDeployment(ctx, e.Tenant, e.DeploymentID)
	if errors.Is(err, store.ErrNotFound) {
		return w, refuse(CodeNotFound, "Requested `Deployment` with ID `%s` was not found", e.DeploymentID)
	} else if err != nil {
		return w, err
	}
	if e.WorkflowID == removalWorkflow {
		return w, nil
	}
	if d.CreateExecutionID != "" {
		creation, err := tx.GetExecution(ctx, d.CreateExecutionID)
		if err == nil && creation.Status == store.Failed {
			return w, refuse(CodeCreation, "%s failed", environmentWorkflow)
		} else if err != nil && !errors.Is(err, store.ErrNotFound) {
			return w, err
		}
	}
	w, _, err = findWorkflow(d, e.WorkflowID)
	if err != nil {
		return w, err
	}
	if e.Parameters, err = s.mergeParameters(ctx, tx, d, w, *e, e.Parameters); err != nil {
		return w, err
	}
	return w, checkAvailability(ctx, tx, d, w, *e)
}

// line is the queue of ordinary executions as seen in one transaction.
type line struct {
	tx       store.Tx
	head     []store.Execution     // of the queue, as far as it has not been looked at
	read     int                   // how many of the queue were asked for
	isWhole  bool                  // there is nobody behind head
	occupied []store.DeploymentKey // with an execution running or let in
	full     []string              // groups
	knowFull bool                  // full is right
}

func newLine(tx store.Tx, head, active []store.Execution) *line {
	l := &line{tx: tx, head: head, read: shortQueue, isWhole: len(head) < shortQueue}
	for _, e := range active {
		if !standsAside(e) {
			l.occupy(e)
		}
	}
	return l
}

// occupy keeps further executions of e's deployment waiting. If e is of a
// group, the group may be full now.
func (l *line) occupy(e store.Execution) {
	if e.DeploymentID != "" {
		l.occupied = append(l.occupied, store.DeploymentKey{Tenant: e.Tenant, ID: e.DeploymentID})
	}
	l.knowFull = l.knowFull && e.GroupID == ""
}

// next returns the first in the queue whose deployment is idle and whose group
// has a place. Each call expects that the last one returned waits no more. Who
// can't go in once can't later in the same transaction: places only get fewer.
func (l *line) next(ctx context.Context) (first store.Execution, ok bool, err error) {
	for len(l.head) > 0 {
		e := l.head[0]
		l.head = l.head[1:]
		busy := e.DeploymentID != "" && e.WorkflowID != environmentWorkflow &&
			slices.Contains(l.occupied, store.DeploymentKey{Tenant: e.Tenant, ID: e.DeploymentID})
		if busy {
			continue
		}
		if e.GroupID != "" {
			if err := l.readFull(ctx); err != nil {
				return first, false, err
			}
		}
		if !slices.Contains(l.full, e.GroupID) {
			return e, true, nil
		}
	}
	switch {
	case l.isWhole:
		return first, false, nil
	case l.read < headOfQueue:
		if err := l.readHead(ctx); err != nil {
			return first, false, err
		}
		return l.next(ctx)
	}
	if err := l.readFull(ctx); err != nil {
		return first, false, err
	}
	first, err = l.tx.NextQueued(ctx, l.occupied, l.full)
	if errors.Is(err, store.ErrNotFound) {
		return first, false, nil
	}
	return first, err == nil, err
}

// readHead reads more of the queue. Those who were let in are not in it any
// more, so some that were looked at may be there again; they still can't go in.
func (l *line) readHead(ctx context.Context) (err error) {
	_, l.head, err = l.tx.HeadOfQueue(ctx, headOfQueue)
	l.read, l.isWhole = headOfQueue, len(l.head) < headOfQueue
	return err
}

func (l *line) readFull(ctx context.Context) (err error) {
	if !l.knowFull {
		l.full, err = l.tx.FullGroups(ctx)
		l.knowFull = err == nil
	}
	return err
}

func executionsWhere(ctx context.Context, r store.Reader, limit int, filters ...store.Filter) ([]store.Execution, error) {
	page, err := r.ListExecutions(ctx, store.Query{Filters: filters, Limit: limit})
	return page.Items, err
}

func tenantIs(name string) store.Filter {
	return store.Filter{Field: "tenant_name", Values: []string{name}}
}

// boolSetting reads a switch of the manager's settings; it is off by default.
func boolSetting(ctx context.Context, r store.Reader, name string) (bool, error) {
	settings, err := r.ListSettings(ctx)
	if err != nil {
		return false, fmt.Errorf("read setting %s: %w", name, err)
	}
	for _, setting := range settings {
		if on, ok := setting.Value.(bool); ok && setting.Name == name {
			return on, nil
		}
	}
	return false, nil
}

// intSetting reads a whole number from the manager's settings.
func intSetting(ctx context.Context, r store.Reader, name string, otherwise int) (int, error) {
	settings, err := r.ListSettings(ctx)
	if err != nil {
		return 0, fmt.Errorf("read setting %s: %w", name, err)
	}
	return intAmong(settings, name, otherwise), nil
}

func intAmong(settings []store.Setting, name string, otherwise int) int {
	for _, setting := range settings {
		if n, ok := setting.Value.(int64); ok && setting.Name == name {
			return int(n)
		}
	}
	return otherwise
}
