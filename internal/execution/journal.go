package execution

import (
	"context"
	"fmt"
	"runtime/debug"

	"windlass/internal/graph"
	"windlass/internal/store"
	"windlass/internal/workflow"
)

// graphJournal writes what a graph's engine decides: the tasks' states together
// with the events and instance states that follow from them.
type graphJournal struct {
	r       *run
	graphID string // "" in a dry run, which stores nothing but events
}

var _ graph.Journal = (*graphJournal)(nil)

// Commit implements graph.Journal. A panic is an error of it, and so the end of
// this execution and not of the manager.
func (j *graphJournal) Commit(ctx context.Context, records []graph.Record) (err error) {
	defer func() {
		if p := recover(); p != nil {
			j.r.s.log.Error("journal panicked", "execution", j.r.e.ID, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("internal error: %v", p)
		}
	}()
	return j.commit(ctx, records)
}

func (j *graphJournal) commit(ctx context.Context, records []graph.Record) error {
	var batch store.JournalBatch
	var effects []workflow.SystemChange
	changes := make(map[string]int, len(records))
	for _, rec := range records {
		if rec.Effect != nil {
			if c, ok := rec.Effect.(workflow.SystemChange); ok && j.graphID != "" {
				effects = append(effects, c)
			}
			continue
		}
		if j.graphID != "" {
			if err := j.keep(&batch, changes, rec); err != nil {
				return err
			}
		}
		if rec.Task.Kind == graph.Operation && rec.Task.State == graph.Started {
			continue // it was entered in the logbook, in order with the operation's own lines
		}
		if e, ok := j.r.taskEvent(rec.Task); ok {
			batch.Events = append(batch.Events, e)
		}
	}
	if err := j.r.journal(ctx, batch, effects...); err != nil {
		return err
	}
	j.r.s.settle(batch.Changed)
	return nil
}

// settle tells the runners which attempts have an outcome that is stored.
func (s *Service) settle(changes []store.OperationChange) {
	for _, c := range changes {
		if c.Type != string(graph.Operation) || !graph.State(c.State).Ended() {
			continue
		}
		for _, runner := range s.settlers {
			runner.Settled(c.ID)
		}
	}
}

// keep enters the task's state, and what succeeding means for its instance. Of
// several states in one batch only the last is worth writing; changes tells
// where in the batch it is.
func (j *graphJournal) keep(batch *store.JournalBatch, changes map[string]int, rec graph.Record) error {
	t := rec.Task
	if rec.Added {
		op, err := j.r.storedTask(t, j.graphID, rec.Dependencies)
		if err != nil {
			return err
		}
		batch.Added = append(batch.Added, op)
	} else {
		change := store.OperationChange{ID: t.ID, Type: string(t.Kind), State: string(t.State), Result: t.Result}
		if t.Failure != nil {
			change.Error = t.Failure.Message
		}
		if i, ok := changes[t.ID]; ok {
			batch.Changed[i] = change
		} else {
			changes[t.ID] = len(batch.Changed)
			batch.Changed = append(batch.Changed, change)
		}
	}
	if p, ok := t.Payload.(*workflow.StatePayload); ok && t.State == graph.Succeeded {
		batch.InstanceStates = append(batch.InstanceStates,
			store.InstanceState{Tenant: j.r.e.Tenant, InstanceID: p.InstanceID, State: p.State})
	}
	return nil
}

// storedTask is a task as it is stored.
func (r *run) storedTask(t *graph.Task, graphID string, dependencies []string) (store.Operation, error) {
	parameters, err := workflow.EncodeTask(r.asChanged(t))
	if err != nil {
		return store.Operation{}, fmt.Errorf("store task %s: %w", t.Describe(), err)
	}
	return store.Operation{
		ID: t.ID, GraphID: graphID, ExecutionID: r.e.ID, Position: t.Position, Name: t.Name, Type: string(t.Kind),
		State: string(t.State), Dependencies: dependencies, Parameters: parameters, Result: t.Result,
		CreatedAt: r.s.now(), ManagerName: r.s.cfg.ManagerName,
	}, nil
}

// taskEvent is the event that tells of a task's new state, if it has one.
func (r *run) taskEvent(t *graph.Task) (store.Event, bool) {
	switch t.Kind {
	case graph.NodeEvent, graph.WorkflowEvent:
		p, ok := t.Payload.(*workflow.EventPayload)
		if !ok || t.State != graph.Succeeded {
			return store.Event{}, false
		}
		e := r.s.workflowEvent(r.e, p.Type, p.Event)
		switch {
		case p.Type != "":
		case t.Kind == graph.NodeEvent:
			e.EventType = "workflow_node_event"
		default:
			e.EventType = "workflow_stage"
		}
		e.NodeID = p.InstanceID
		return e, true
	case graph.Operation, graph.Subgraph, graph.DryRun:
	default:
		if t.State != graph.Failed {
			return store.Event{}, false
		}
	}
	if t.State == graph.Sending && byWorkflow(t) {
		return store.Event{}, false // it is sent nowhere
	}
	eventType, text := workflow.EventText(t, r.e.IsDryRun)
	if text == "" || !t.SendEvents && t.State != graph.Failed {
		return store.Event{}, false
	}
	e := r.s.workflowEvent(r.e, eventType, text)
	if p, ok := t.Payload.(*workflow.OperationPayload); ok {
		e.Operation, e.NodeID = p.Operation, p.InstanceID
	}
	// A subgraph fails by what is in it, which has told its causes.
	if t.Failure != nil && t.Kind != graph.Subgraph && (t.State == graph.Failed || t.State == graph.Rescheduled) {
		e.ErrorCauses = causesOf(t.Failure)
	}
	return e, true
}

// causesOf lists the exceptions behind a failure: those recorded, else itself.
func causesOf(f *graph.Failure) []store.ErrorCause {
	if len(f.Causes) == 0 {
		return []store.ErrorCause{{Message: f.Message, Type: f.Type, Traceback: f.Traceback}}
	}
	causes := make([]store.ErrorCause, len(f.Causes))
	for i, c := range f.Causes {
		causes[i] = store.ErrorCause{Message: c.Message, Type: c.Type, Traceback: c.Traceback}
	}
	return causes
}
