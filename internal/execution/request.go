package execution

import (
	"context"
	"errors"

	"windlass/internal/store"
)

// StartRequest asks for a workflow to be run on a deployment.
type StartRequest struct {
	ID                    string // of the new execution; "" for a new one
	Tenant                string
	DeploymentID          string
	WorkflowID            string
	Parameters            map[string]any
	AllowCustomParameters bool
	Force                 bool // beside other executions, and where the workflow is unavailable
	DryRun                bool
	Queue                 bool // wait if it can't start now
	WaitAfterFail         *int // seconds; nil: 600
	CreatedBy             string
	GroupID               string // the execution group that it belongs to; "" for none
	// Caller is the execution whose token made the request; "" if none.
	Caller string
	// MayRunGlobal lets the creator run workflows on a global deployment of
	// another tenant.
	MayRunGlobal bool

	above []string // deployments on whose behalf it runs on their component
}

// SystemRequest asks for a workflow that the manager itself carries out.
type SystemRequest struct {
	ID           string // of the new execution; "" for a new one
	Tenant       string
	WorkflowID   string
	DeploymentID string // "" for none
	BlueprintID  string
	Parameters   map[string]any
	Arguments    map[string]any // what the workflow needs besides the parameters; not shown
	Visibility   store.Visibility
	CreatedBy    string
	Force        bool
	Queue        bool   // wait if it can't start now
	GroupID      string // the execution group that it belongs to; "" for none
	Overlap      bool   // may run beside others of the deployment
	Caller       string
}

// StatusUpdate reports an execution's status from outside, as PATCH does.
type StatusUpdate struct {
	Tenant string
	ID     string
	Status store.Status
	Error  string
}

// Start stores an execution and lets it in, or queues it if asked to. It
// returns a *Refusal where the rules are against it. A refusal that concerns
// the deployment's state leaves a failed execution behind, as the original does.
func (s *Service) Start(ctx context.Context, r StartRequest) (store.Execution, error) {
	var e store.Execution
	var refusal *Refusal
	err := s.store.WriteLocked(ctx, admissionLock, func(tx store.Tx) error {
		var err error
		e, err = s.StartIn(ctx, tx, r)
		return keepRefused(&e, err, &refusal)
	})
	if err == nil && refusal != nil {
		return store.Execution{}, refusal
	}
	return e, err
}

// StartIn is Start within the caller's transaction. With a refusal that leaves
// a failed execution behind it returns that execution, and the caller decides
// by committing whether the record stays.
func (s *Service) StartIn(ctx context.Context, tx store.Tx, r StartRequest) (store.Execution, error) {
	return s.start(ctx, tx, r)
}

// StartSystem stores an execution of a system workflow and lets it in, or
// queues it. tx may be nil, else it becomes part of that transaction. It
// returns a *Refusal where the rules are against it.
func (s *Service) StartSystem(ctx context.Context, tx store.Tx, r SystemRequest) (store.Execution, error) {
	if tx != nil {
		return s.startSystem(ctx, tx, r)
	}
	var e store.Execution
	err := s.store.WriteLocked(ctx, admissionLock, func(tx store.Tx) error {
		var err error
		e, err = s.startSystem(ctx, tx, r)
		return err
	})
	return e, err
}

// keepRefused lets a transaction commit the failed execution that a refusal
// leaves behind.
func keepRefused(e *store.Execution, err error, refusal **Refusal) error {
	*refusal = nil
	var r *Refusal
	if e.ID != "" && errors.As(err, &r) {
		*refusal = r
		return nil
	}
	return err
}

// Get returns an execution of the tenant, or a not-found *Refusal. An empty
// tenant means any.
func (s *Service) Get(ctx context.Context, tenant, id string) (store.Execution, error) {
	return getIn(ctx, s.store, tenant, id)
}

func getIn(ctx context.Context, r store.Reader, tenant, id string) (store.Execution, error) {
	e, err := r.GetExecution(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && tenant != "" && e.Tenant != tenant && e.Visibility != store.Global {
		return store.Execution{}, refuse(CodeNotFound, "Requested `Execution` ['%s'] was not found", id)
	}
	return e, err
}

// Cancel carries out one of the actions Cancel, ForceCancel and Kill, and
// returns the execution with its new status. The running of operations ends
// soon after; see Action.
func (s *Service) Cancel(ctx context.Context, tenant, id string, how Action) (store.Execution, error) {
	return s.cancel(ctx, tenant, id, how)
}

// Resume lets an execution that failed or was cancelled go on. force also
// repeats operations that were under way. It does not wait for others.
func (s *Service) Resume(ctx context.Context, tenant, id string, force bool) (store.Execution, error) {
	how := Resume
	if force {
		how = ForceResume
	}
	return s.resume(ctx, tenant, id, how)
}

// UpdateStatus applies a status reported from outside and returns the
// execution as it is then. Whoever runs the execution stops if it has ended.
func (s *Service) UpdateStatus(ctx context.Context, u StatusUpdate) (store.Execution, error) {
	return s.updateStatus(ctx, u)
}

// Wait blocks until the execution has ended and returns it. An execution that
// was deleted with its deployment gives store.ErrNotFound.
func (s *Service) Wait(ctx context.Context, id string) (store.Execution, error) {
	return s.wait(ctx, id)
}
