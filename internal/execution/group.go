package execution

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"windlass/internal/store"
	"windlass/internal/value"
)

// GroupRequest asks for a workflow to be run on all deployments of a group.
type GroupRequest struct {
	Tenant            string
	DeploymentGroupID string
	Deployments       []string // without a group: the deployments themselves
	WorkflowID        string
	DefaultParameters map[string]any
	Parameters        map[string]map[string]any // by deployment, over the default ones
	Force             bool
	Concurrency       int // members that may run at once; 0 starts the group paused
	CreatedBy         string
	Caller            string

	// Of a group that is restored. With executions to restore nothing is started.
	ID        string    // "" for a new one
	CreatedAt time.Time // zero: now
	Restored  []string  // the executions that are its members
}

// groupBatch is how many members are started in one transaction.
const groupBatch = 100

// StartGroup starts a workflow on all deployments of a group, or on those given: as many as may
// run at once, the others wait. A deployment that can't have the workflow gets
// no execution.
func (s *Service) StartGroup(ctx context.Context, r GroupRequest) (store.ExecutionGroup, error) {
	g := store.ExecutionGroup{
		Owned: store.Owned{Tenant: r.Tenant, Visibility: store.Tenants, CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt},
		ID:    orNewID(r.ID), DeploymentGroupID: r.DeploymentGroupID, WorkflowID: r.WorkflowID, Concurrency: r.Concurrency,
	}
	if g.CreatedAt.IsZero() {
		g.CreatedAt = s.now()
	}
	if r.Concurrency < 0 {
		return g, refuse(CodeBadParameters, "concurrency must not be negative, got %d", r.Concurrency)
	}
	if len(r.Restored) > 0 {
		return g, s.restoreGroup(ctx, g, r.Restored)
	}
	deployments := r.Deployments
	if r.DeploymentGroupID != "" {
		var err error
		if deployments, err = s.store.GroupMembers(ctx, r.Tenant, r.DeploymentGroupID); err != nil {
			return g, fmt.Errorf("read the members of group %s: %w", r.DeploymentGroupID, err)
		}
	}
	if err := s.AddGroup(ctx, g); err != nil {
		return g, err
	}
	for batch := range slices.Chunk(deployments, groupBatch) {
		err := s.store.WriteLocked(ctx, admissionLock, func(tx store.Tx) error {
			for _, d := range batch {
				if err := s.startMember(ctx, tx, r, g.ID, d); err != nil {
					return fmt.Errorf("start %s on deployment %s: %w", r.WorkflowID, d, err)
				}
			}
			return nil
		})
		if err != nil {
			return g, err
		}
	}
	return g, nil
}

// restoreGroup stores a group with members that there are.
func (s *Service) restoreGroup(ctx context.Context, g store.ExecutionGroup, members []string) error {
	return s.store.WriteLocked(ctx, admissionLock, func(tx store.Tx) error {
		if err := tx.AddExecutionGroup(ctx, g); err != nil {
			return err
		}
		for _, id := range members {
			e, err := lockForAction(ctx, tx, g.Tenant, id)
			if err != nil {
				return err
			}
			e.GroupID = g.ID
			if err := tx.UpdateExecution(ctx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// AddGroup stores a group whose members are started elsewhere.
func (s *Service) AddGroup(ctx context.Context, g store.ExecutionGroup) error {
	return s.store.Write(ctx, func(tx store.Tx) error { return tx.AddExecutionGroup(ctx, g) })
}

func (s *Service) startMember(ctx context.Context, tx store.Tx, r GroupRequest, group, deployment string) error {
	parameters := value.CopyMap(r.DefaultParameters)
	if parameters == nil {
		parameters = map[string]any{}
	}
	for k, v := range r.Parameters[deployment] {
		parameters[k] = v
	}
	_, err := s.StartIn(ctx, tx, StartRequest{
		Tenant: r.Tenant, DeploymentID: deployment, WorkflowID: r.WorkflowID, Parameters: parameters, Force: r.Force, Queue: true,
		CreatedBy: r.CreatedBy, Caller: r.Caller, GroupID: group,
	})
	var refusal *Refusal
	if errors.As(err, &refusal) {
		s.log.Info("a deployment of a group can't run the workflow", "group", group, "deployment", deployment, "reason", refusal.Message)
		return nil
	}
	return err
}

// hasPlace tells whether another member of e's group may run now.
func hasPlace(ctx context.Context, r store.Reader, e store.Execution) (bool, error) {
	if e.GroupID == "" {
		return true, nil
	}
	g, err := r.GetExecutionGroup(ctx, e.Tenant, e.GroupID)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	running, err := r.ListExecutions(ctx, store.Query{
		Filters: []store.Filter{groupIs(g.ID), statusIs(store.ActiveStatuses...)}, Limit: 1,
	})
	return running.Total < g.Concurrency, err
}

func groupIs(id string) store.Filter { return store.Filter{Field: "group_id", Values: []string{id}} }

// leaveGroup moves the deployment of a member that has ended into the group's
// deployment group of successes or failures.
func leaveGroup(ctx context.Context, tx store.Tx, e store.Execution) error {
	if e.GroupID == "" || e.DeploymentID == "" {
		return nil
	}
	g, err := tx.GetExecutionGroup(ctx, e.Tenant, e.GroupID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	into := map[store.Status]string{store.Terminated: g.SuccessGroupID, store.Failed: g.FailureGroupID}[e.Status]
	if into == "" {
		return nil
	}
	return tx.AddGroupMembers(ctx, e.Tenant, into, []string{e.DeploymentID})
}

// ActOnGroup cancels or resumes the members of a group that are in a state for
// it. Those that wait are cancelled at once.
func (s *Service) ActOnGroup(ctx context.Context, tenant, id string, how Action) error {
	members, err := executionsWhere(ctx, s.store, 0, groupIs(id), tenantIs(tenant))
	if err != nil {
		return fmt.Errorf("read the members of group %s: %w", id, err)
	}
	slices.SortStableFunc(members, func(a, b store.Execution) int { // so that none is let in meanwhile
		return boolOrder(a.Status == store.Queued, b.Status == store.Queued)
	})
	for _, e := range members {
		if how == Resume || how == ForceResume {
			_, err = s.Resume(ctx, tenant, e.ID, how == ForceResume)
		} else if e.Status == store.Queued {
			_, err = s.Cancel(ctx, tenant, e.ID, Kill)
		} else {
			_, err = s.Cancel(ctx, tenant, e.ID, how)
		}
		var refusal *Refusal
		if err != nil && !errors.As(err, &refusal) {
			return fmt.Errorf("execution %s: %w", e.ID, err)
		}
	}
	return nil
}

// boolOrder puts what is true first.
func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// UpdateGroup changes a group's concurrency and the deployment groups that its
// deployments join; nil leaves a thing as it is. Room for more lets members in.
func (s *Service) UpdateGroup(ctx context.Context, tenant, id string, concurrency *int, success, failure *string) (store.ExecutionGroup, error) {
	var g store.ExecutionGroup
	err := s.store.Write(ctx, func(tx store.Tx) error {
		if err := tx.Lock(admissionLock); err != nil {
			return err
		}
		var err error
		if g, err = tx.GetExecutionGroup(ctx, tenant, id); err != nil {
			return err
		}
		for _, change := range []struct {
			to   *string
			from *string
		}{{&g.SuccessGroupID, success}, {&g.FailureGroupID, failure}} {
			if change.from == nil {
				continue
			}
			if _, err := tx.GetDeploymentGroup(ctx, tenant, *change.from); err != nil {
				return err
			}
			*change.to = *change.from
		}
		if concurrency != nil {
			if g.Concurrency = *concurrency; g.Concurrency < 0 {
				return refuse(CodeBadParameters, "concurrency must not be negative, got %d", g.Concurrency)
			}
		}
		if err := tx.UpdateExecutionGroup(ctx, g); err != nil {
			return err
		}
		return s.dequeue(ctx, tx)
	})
	return g, err
}

// GroupStatus sums up the statuses of a group's members: "" if there are none.
func GroupStatus(members []store.Execution) store.Status {
	if len(members) == 0 {
		return ""
	}
	all := func(fits func(store.Status) bool) bool {
		return !slices.ContainsFunc(members, func(e store.Execution) bool { return !fits(e.Status) })
	}
	switch {
	case all(func(s store.Status) bool { return s == store.Pending }):
		return store.Pending
	case all(func(s store.Status) bool { return s == store.Pending || s.IsWaiting() }):
		return store.Queued
	case !all(store.Status.IsEnd):
		return store.Started
	case slices.ContainsFunc(members, func(e store.Execution) bool { return e.Status == store.Failed }):
		return store.Failed
	}
	return store.Terminated
}
