package execution

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"windlass/internal/graph"
	"windlass/internal/store"
	"windlass/internal/value"
	"windlass/internal/workflow"
)

// declaredSchedules gives the schedules that new settings declare otherwise than
// the deployment's present ones, checked.
func (s *Service) declaredSchedules(ctx context.Context, r store.Reader, d store.Deployment, settings map[string]any) ([]store.Schedule, error) {
	changed, err := s.changedSchedules(d, settings)
	if err != nil {
		return nil, err
	}
	for k, sc := range changed {
		if changed[k], err = s.checkedSchedule(ctx, r, sc); err != nil {
			return nil, fmt.Errorf("default schedule %s: %w", sc.ID, err)
		}
	}
	return changed, nil
}

func (s *Service) changedSchedules(d store.Deployment, settings map[string]any) ([]store.Schedule, error) {
	if s.cfg.Schedules == nil {
		return nil, nil
	}
	was, _ := d.DeploymentSettings["default_schedules"].(map[string]any)
	is, _ := settings["default_schedules"].(map[string]any)
	d.DeploymentSettings = settings
	all, err := s.cfg.Schedules(d, s.now())
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(sc store.Schedule) bool {
		before, there := was[sc.ID]
		return there && value.Equal(before, is[sc.ID])
	}), nil
}

// scheduleChanges lists, for people, the schedules that an update makes or changes.
func (s *Service) scheduleChanges(d store.Deployment, settings map[string]any) ([]any, error) {
	changed, err := s.changedSchedules(d, settings)
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, sc := range changed {
		entry := map[string]any{"id": sc.ID, "workflow": sc.WorkflowID, "since": sc.Since.UTC().Format(time.RFC3339), "until": nil}
		if !sc.Until.IsZero() {
			entry["until"] = sc.Until.UTC().Format(time.RFC3339)
		}
		maps.Copy(entry, sc.Rule)
		list = append(list, entry)
	}
	return list, nil
}

// reschedule makes the schedules that the new settings declare otherwise than
// those before; others stay, also those that are declared no more. The settings
// become the deployment's, so that doing it again changes nothing.
func (s *Service) reschedule(ctx context.Context, tx store.Tx, d store.Deployment, settings map[string]any) error {
	changed, err := s.declaredSchedules(ctx, tx, d, settings)
	if err != nil {
		return err
	}
	for _, sc := range changed {
		old, err := tx.GetSchedule(ctx, sc.Tenant, sc.DeploymentID, sc.ID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			err = tx.AddSchedule(ctx, sc)
		case err == nil:
			sc.Owned, sc.LatestExecutionID = old.Owned, old.LatestExecutionID
			err = tx.UpdateSchedule(ctx, sc)
		}
		if err != nil {
			return fmt.Errorf("default schedule %s: %w", sc.ID, err)
		}
	}
	d.DeploymentSettings = settings
	return tx.UpdateDeployment(ctx, d)
}

// rewriteInputs gives operations that other executions of the deployment have
// yet to perform, or may perform again, the inputs that they have now.
func (r *run) rewriteInputs(ctx context.Context, tx store.Tx, changed []changedInputs) error {
	if len(changed) == 0 {
		return nil
	}
	statuses := append([]store.Status{store.Failed, store.Cancelled, store.Queued}, store.ActiveStatuses...)
	others, err := tx.ListExecutions(ctx, store.Query{Filters: []store.Filter{
		tenantIs(r.e.Tenant), {Field: "deployment_id", Values: []string{r.e.DeploymentID}}, statusIs(statuses...),
	}})
	if err != nil {
		return fmt.Errorf("look for executions with operations that have changed: %w", err)
	}
	for _, e := range others.Items {
		if e.ID == r.e.ID {
			continue
		}
		ops, err := tx.ListOperations(ctx, store.Query{Filters: []store.Filter{
			{Field: "execution_id", Values: []string{e.ID}}, {Field: "type", Values: []string{"RemoteWorkflowTask"}},
			{Field: "state", Values: []string{"pending", "failed", "rescheduled"}},
		}})
		if err != nil {
			return fmt.Errorf("look for operations that have changed: %w", err)
		}
		for _, op := range ops.Items {
			if !rewritten(&op, changed) {
				continue
			}
			// Its own run may be starting or ending it: what is stored of that stays.
			if err := tx.UpdateOperationParameters(ctx, op.ID, op.Parameters); err != nil {
				return err
			}
		}
	}
	return nil
}

// rewritten changes the inputs of a stored operation, if they are among those
// that changed. Inputs that whoever started it gave for this once stay.
func rewritten(op *store.Operation, changed []changedInputs) bool {
	task, _ := op.Parameters["task_kwargs"].(map[string]any)
	inputs, _ := task["kwargs"].(map[string]any)
	about, _ := inputs["__cloudify_context"].(map[string]any)
	if about == nil {
		return false
	}
	k := slices.IndexFunc(changed, func(c changedInputs) bool {
		return about["node_name"] == c.Node && about["operation"] == c.Operation && c.isWith(about["related"])
	})
	if k < 0 {
		return false
	}
	c := changed[k]
	for name, was := range c.Old {
		if is, ok := inputs[name]; ok && value.Equal(is, was) {
			delete(inputs, name)
		}
	}
	for name, v := range c.New {
		if _, given := inputs[name]; !given {
			inputs[name] = v
		}
	}
	if about["has_intrinsic_functions"] != true {
		about["has_intrinsic_functions"] = c.HasFunctions
	}
	return true
}

// isWith tells whether a stored operation with this other side is meant.
func (c changedInputs) isWith(related any) bool {
	m, is := related.(map[string]any)
	if !is {
		return c.Other == ""
	}
	return c.Other != "" && m["node_name"] == c.Other && m["is_target"] == c.OtherTarget
}

// present gives an operation as it is to be performed now: an update that was
// made while the execution was paused may have changed its inputs.
func (r *run) present(ctx context.Context, t *graph.Task, p *workflow.OperationPayload) (*workflow.OperationPayload, error) {
	if !r.pause.wasOn() || r.e.IsDryRun {
		return p, nil
	}
	op, err := r.s.store.GetOperation(ctx, t.ID)
	if errors.Is(err, store.ErrNotFound) {
		return p, nil
	} else if err != nil {
		return nil, fmt.Errorf("read %s as it is now: %w", t.Describe(), err)
	}
	now := &graph.Task{ID: t.ID, Kind: t.Kind}
	if err := workflow.DecodeTask(now, op.Parameters); err != nil {
		return nil, err
	}
	q, ok := now.Payload.(*workflow.OperationPayload)
	if !ok || value.Equal(map[string]any(q.Inputs), map[string]any(p.Inputs)) && q.HasFunctions == p.HasFunctions {
		return p, nil
	}
	r.changed.Store(operationKey(q), q) // retries are made from what was in memory
	return q, nil
}

// operationKey tells which operation of which instance, or relationship, it is.
func operationKey(p *workflow.OperationPayload) string {
	key := p.InstanceID + " " + p.Operation
	if p.Related != nil {
		key += " " + p.Related.InstanceID
	}
	return key
}

// asChanged gives a task with the inputs that an update has given its operation
// meanwhile.
func (r *run) asChanged(t *graph.Task) *graph.Task {
	p, ok := t.Payload.(*workflow.OperationPayload)
	if !ok {
		return t
	}
	q, ok := r.changed.Load(operationKey(p))
	if !ok {
		return t
	}
	c := *t
	c.Payload = q
	return &c
}
