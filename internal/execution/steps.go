package execution

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"windlass/internal/graph"
	"windlass/internal/store"
	"windlass/internal/workflow"
)

// Once implements workflow.Host. The answer is kept as a graph of its own with one
// task, which has it as its result.
func (h workflowHost) Once(ctx context.Context, name string, decide func() (any, error)) (any, error) {
	r := h.r
	if r.e.IsDryRun {
		return decide()
	}
	answer, known, err := r.remembered(ctx, r.s.store, name)
	if err != nil || known {
		return answer, err
	}
	if answer, err = decide(); err != nil {
		return nil, err
	}
	err = r.write(ctx, func(tx store.Tx) error { return r.remember(ctx, tx, name, answer) })
	if errors.Is(err, store.ErrExists) { // an attempt that was taken for failed had stored it
		answer, _, err = r.remembered(ctx, r.s.store, name)
		return answer, err
	}
	if err != nil {
		return nil, fmt.Errorf("store the decision %s: %w", name, err)
	}
	return answer, nil
}

// remembered returns what the execution has stored under the name.
func (r *run) remembered(ctx context.Context, from store.Reader, name string) (answer any, known bool, err error) {
	g, err := from.GetGraph(ctx, r.e.ID, store.DecisionPrefix+name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	} else if err != nil {
		return nil, false, fmt.Errorf("read the decision %s: %w", name, err)
	}
	ops, err := from.ListOperations(ctx, store.Query{Filters: []store.Filter{{Field: "graph_id", Values: []string{g.ID}}}})
	if err != nil {
		return nil, false, fmt.Errorf("read the decision %s: %w", name, err)
	}
	if len(ops.Items) != 1 {
		return nil, false, fmt.Errorf("the decision %s of execution %s has %d tasks instead of one", name, r.e.ID, len(ops.Items))
	}
	return ops.Items[0].Result, true, nil
}

func (r *run) remember(ctx context.Context, tx store.Tx, name string, answer any) error {
	g := store.Graph{ID: uuid.NewString(), ExecutionID: r.e.ID, Name: store.DecisionPrefix + name, CreatedAt: r.s.now()}
	t := &graph.Task{ID: uuid.NewString(), Kind: graph.NOP, Name: name, State: graph.Succeeded, Result: answer}
	op, err := r.storedTask(t, g.ID, nil)
	if err != nil {
		return err
	}
	return tx.AddGraph(ctx, g, []store.Operation{op})
}

// ChangeSystem implements workflow.Host.
func (h workflowHost) ChangeSystem(ctx context.Context, changes ...workflow.SystemChange) error {
	if h.r.e.IsDryRun || len(changes) == 0 {
		return nil
	}
	return h.r.write(ctx, func(tx store.Tx) error { return h.r.changeSystem(ctx, tx, changes) })
}

// changeSystem applies changes in their order. An instance that is gone has
// nothing to change.
func (r *run) changeSystem(ctx context.Context, tx store.Tx, changes []workflow.SystemChange) error {
	for _, c := range changes {
		i, err := tx.GetInstance(ctx, r.e.Tenant, c.InstanceID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return err
		}
		_, err = tx.UpdateInstance(ctx, store.InstanceUpdate{
			Tenant: i.Tenant, ID: i.ID, Version: i.Version, Force: true, SystemProperties: c.Apply(i.SystemProperties, r.s.now()),
		})
		if err != nil {
			return fmt.Errorf("change the system properties of %s: %w", i.ID, err)
		}
	}
	return nil
}

// parentLabel names, on a deployment, the environment that it is a service of.
const parentLabel = "csys-obj-parent"

// RunOnServices implements workflow.Host.
func (h workflowHost) RunOnServices(ctx context.Context, workflowID string, parameters map[string]any) (int, error) {
	r := h.r
	all, err := r.s.store.ListDeployments(ctx, store.Query{Filters: []store.Filter{tenantIs(r.e.Tenant)}})
	if err != nil {
		return 0, fmt.Errorf("look for the services of %s: %w", r.e.DeploymentID, err)
	}
	var ids []string
	for _, d := range all.Items {
		if slices.ContainsFunc(d.Labels, func(l store.Label) bool { return l.Key == parentLabel && l.Value == r.e.DeploymentID }) {
			ids = append(ids, d.ID)
		}
	}
	if r.e.IsDryRun {
		return len(ids), nil
	}
	var started []string
	for _, id := range ids {
		execution, err := h.startOnce(ctx, StartRequest{
			Tenant: r.e.Tenant, DeploymentID: id, WorkflowID: workflowID, Parameters: maps.Clone(parameters),
			AllowCustomParameters: true, Queue: true, CreatedBy: r.e.CreatedBy,
		})
		var refusal *Refusal
		if errors.As(err, &refusal) {
			h.Log(ctx, "warning", fmt.Sprintf("Service deployment %s can't run %s: %s", id, workflowID, refusal.Message))
			continue
		} else if err != nil {
			return 0, fmt.Errorf("start %s on service deployment %s: %w", workflowID, id, err)
		}
		started = append(started, execution)
	}
	for _, id := range started {
		if err := h.await(ctx, id); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// startOnce starts an execution on behalf of this one; asked again, after a
// crash, it returns the same one's id.
func (h workflowHost) startOnce(ctx context.Context, q StartRequest) (string, error) {
	r := h.r
	q.ID = uuid.NewSHA1(uuid.NameSpaceOID, []byte(r.e.ID+"/"+q.DeploymentID+"/"+q.WorkflowID)).String()
	_, err := r.s.store.GetExecution(ctx, q.ID)
	if !errors.Is(err, store.ErrNotFound) {
		return q.ID, err
	}
	_, err = r.s.Start(ctx, q)
	return q.ID, err
}

// await waits for another execution's end, or until a cancel of this one.
func (h workflowHost) await(ctx context.Context, id string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(h.r.asked, stop)()
	_, err := h.r.s.Wait(ctx, id)
	if err != nil && h.r.asked.Err() != nil && h.r.ctx.Err() == nil {
		return h.r.cancelled()
	}
	return err
}
