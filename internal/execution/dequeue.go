package execution

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"windlass/internal/store"
)

// defaultMaxConcurrent bounds how many executions the queue lets run at once,
// unless the setting max_concurrent_workflows says otherwise.
const defaultMaxConcurrent = 20

// dequeue lets in whoever of the queue may start now. The caller holds
// admissionLock, so nobody is let in twice.
func (s *Service) dequeue(ctx context.Context, tx store.Tx) error {
	if m, err := maintenanceIn(ctx, tx); err != nil || m.Status != MaintenanceOff {
		return err // whoever ends the maintenance looks again
	}
	wide, err := executionsWhere(ctx, tx, 1, statusIs(store.Queued), isWide("true"))
	if err != nil {
		return err
	}
	if len(wide) > 0 {
		// The oldest system-wide execution goes before all others, and alone.
		return s.letInSystemWide(ctx, tx, wide[0])
	}
	any, err := executionsWhere(ctx, tx, 1, statusIs(store.Queued))
	if err != nil || len(any) == 0 {
		return err
	}
	return s.letInOrdinary(ctx, tx)
}

func (s *Service) letInSystemWide(ctx context.Context, tx store.Tx, e store.Execution) error {
	n, err := neighboursOf(ctx, tx, e)
	if err != nil || Admit(Candidate{Execution: e, Queue: true}, n) != nil {
		return err
	}
	ended, err := s.letIn(ctx, tx, e.ID)
	if err == nil && ended {
		return s.dequeue(ctx, tx)
	}
	return err
}

// letInOrdinary fills the free places from the queue in order: at most one
// execution per deployment, and none beside another of its deployment.
func (s *Service) letInOrdinary(ctx context.Context, tx store.Tx) error {
	active, err := executionsWhere(ctx, tx, 0, statusIs(store.ActiveStatuses...))
	if err != nil {
		return err
	}
	if slices.ContainsFunc(active, func(e store.Execution) bool { return e.IsSystemWorkflow && !standsAside(e) }) {
		return nil
	}
	limit, err := intSetting(ctx, tx, "max_concurrent_workflows", defaultMaxConcurrent)
	if err != nil {
		return err
	}
	line, err := newLine(ctx, tx, active)
	if err != nil {
		return err
	}
	for free := limit - len(active); free > 0; {
		next, ok, err := line.next(ctx)
		if err != nil || !ok {
			return err
		}
		ended, err := s.letIn(ctx, tx, next.ID)
		if err != nil {
			return err
		}
		if !ended {
			line.occupy(next)
			free--
		}
	}
	return nil
}

// letIn makes a queued execution pending, or failed where the world has changed
// so that it can't run any more. It does nothing if it waits no longer.
func (s *Service) letIn(ctx context.Context, tx store.Tx, id string) (ended bool, err error) {
	e, err := tx.LockExecution(ctx, id)
	if err != nil || e.Status != store.Queued {
		return true, err
	}
	if err := s.recheck(ctx, tx, &e); err != nil {
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			return false, err
		}
		text := "Error dequeueing execution: " + refusal.Message
		if err := tx.AddEvents(ctx, []store.Event{s.endEvent(e, store.Failed, text)}); err != nil {
			return false, err
		}
		_, err := s.apply(ctx, tx, &e, store.Failed, text)
		return true, err
	}
	_, err = s.apply(ctx, tx, &e, store.Pending, "")
	return false, err
}

// recheck repeats for a queued execution what was checked when it was asked for.
func (s *Service) recheck(ctx context.Context, tx store.Tx, e *store.Execution) error {
	if e.DeploymentID == "" || e.WorkflowID == environmentWorkflow {
		return nil
	}
	d, err := tx.GetDeployment(ctx, e.Tenant, e.DeploymentID)
	if errors.Is(err, store.ErrNotFound) {
		return refuse(CodeNotFound, "Requested `Deployment` with ID `%s` was not found", e.DeploymentID)
	} else if err != nil {
		return err
	}
	if e.WorkflowID == removalWorkflow {
		return nil
	}
	if d.CreateExecutionID != "" {
		creation, err := tx.GetExecution(ctx, d.CreateExecutionID)
		if err == nil && creation.Status == store.Failed {
			return refuse(CodeCreation, "%s failed", environmentWorkflow)
		} else if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	w, _, err := findWorkflow(d, e.WorkflowID)
	if err != nil {
		return err
	}
	if e.Parameters, err = s.mergeParameters(ctx, tx, d, w, *e, e.Parameters); err != nil {
		return err
	}
	return checkAvailability(ctx, tx, d, w, *e)
}

// line is the queue of ordinary executions as seen in one transaction.
type line struct {
	tx       store.Tx
	tenants  []string            // with queued executions
	occupied map[string][]string // deployments with an execution running or let in, by tenant
}

func newLine(ctx context.Context, tx store.Tx, active []store.Execution) (*line, error) {
	l := &line{tx: tx, occupied: map[string][]string{}}
	for _, e := range active {
		if !standsAside(e) {
			l.occupy(e)
		}
	}
	tenants, err := tx.ListTenants(ctx, store.Query{})
	if err != nil {
		return nil, err
	}
	for _, t := range tenants.Items {
		queued, err := executionsWhere(ctx, tx, 1, statusIs(store.Queued), tenantIs(t.Name))
		if err != nil {
			return nil, err
		}
		if len(queued) > 0 {
			l.tenants = append(l.tenants, t.Name)
		}
	}
	return l, nil
}

// occupy keeps further executions of e's deployment waiting.
func (l *line) occupy(e store.Execution) {
	if e.DeploymentID != "" {
		l.occupied[e.Tenant] = append(l.occupied[e.Tenant], e.DeploymentID)
	}
}

// next returns the first in the queue whose deployment is idle. Each call
// expects that the last one returned waits no more.
func (l *line) next(ctx context.Context) (first store.Execution, ok bool, err error) {
	full, err := l.tx.FullGroups(ctx)
	if err != nil {
		return first, false, err
	}
	for _, tenant := range l.tenants {
		for _, condition := range []store.Filter{
			{Field: "deployment_id", Op: store.IsNull},
			{Field: "workflow_id", Values: []string{environmentWorkflow}},
			{Field: "deployment_id", Op: store.NotIn, Values: l.occupied[tenant]},
		} {
			if condition.Op == store.NotIn && len(condition.Values) == 0 {
				condition = store.Filter{Field: "deployment_id", Op: store.IsNotNull}
			}
			filters := []store.Filter{statusIs(store.Queued), isWide("false"), tenantIs(tenant), condition}
			if len(full) > 0 {
				filters = append(filters, store.Filter{Field: "group_id", Op: store.NotIn, Values: full})
			}
			queued, err := executionsWhere(ctx, l.tx, 1, filters...)
			if err != nil {
				return first, false, err
			}
			if len(queued) > 0 && (!ok || queued[0].CreatedAt.Before(first.CreatedAt)) {
				first, ok = queued[0], true
			}
		}
	}
	return first, ok, nil
}

func executionsWhere(ctx context.Context, r store.Reader, limit int, filters ...store.Filter) ([]store.Execution, error) {
	page, err := r.ListExecutions(ctx, store.Query{Filters: filters, Limit: limit})
	return page.Items, err
}

func isWide(is string) store.Filter {
	return store.Filter{Field: "is_system_workflow", Values: []string{is}}
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
	for _, setting := range settings {
		if n, ok := setting.Value.(int64); ok && setting.Name == name {
			return int(n), nil
		}
	}
	return otherwise, nil
}
