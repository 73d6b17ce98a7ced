package execution

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
)

// admissionLock is held while deciding who is let in, so that two managers
// never let in what excludes each other. It is taken before any execution is
// locked.
const admissionLock = "execution-admission"

// defaultWaitAfterFail is in seconds.
const defaultWaitAfterFail = 600

// managerWorkflows may be run on any deployment, though no blueprint declares
// them; they take any parameters.
var managerWorkflows = []string{
	"create_snapshot", "restore_snapshot", "uninstall_plugin", environmentWorkflow, removalWorkflow, "update_plugin",
	"upload_blueprint", "csys_update_deployment", "csys_new_deployment_update", "update", "create_log_bundle",
}

func (s *Service) start(ctx context.Context, tx store.Tx, r StartRequest) (store.Execution, error) {
	var none store.Execution
	if err := refuseWhileCancelling(ctx, tx, r.Caller); err != nil {
		return none, err
	}
	if err := tx.Lock(admissionLock); err != nil {
		return none, err
	}
	if err := refuseInMaintenance(ctx, tx); err != nil {
		return none, err
	}
	d, err := tx.GetDeployment(ctx, r.Tenant, r.DeploymentID)
	if errors.Is(err, store.ErrNotFound) {
		return none, refuse(CodeNotFound, "Requested `Deployment` with ID `%s` was not found", r.DeploymentID)
	} else if err != nil {
		return none, err
	}
	if err := checkEnvironmentOf(ctx, tx, d); err != nil && r.GroupID == "" {
		return none, err
	}
	w, allowCustom, err := findWorkflow(d, r.WorkflowID)
	if err != nil {
		return none, err
	}
	e := store.Execution{
		Owned: store.Owned{Tenant: d.Tenant, Visibility: d.Visibility, CreatedBy: r.CreatedBy, CreatedAt: s.now()},
		ID:    orNewID(r.ID), WorkflowID: r.WorkflowID, DeploymentID: d.ID, DeploymentDisplayName: d.DisplayName, BlueprintID: d.BlueprintID,
		Status: store.Pending, IsSystemWorkflow: IsSystemWide(r.WorkflowID), IsDryRun: r.DryRun,
		AllowCustomParameters: allowCustom || r.AllowCustomParameters, Force: r.Force,
		WaitAfterFail: defaultWaitAfterFail, GroupID: r.GroupID,
	}
	if r.WaitAfterFail != nil {
		e.WaitAfterFail = *r.WaitAfterFail
	}
	if e.Parameters, err = s.mergeParameters(ctx, tx, d, w, e, r.Parameters); err != nil {
		return none, err
	}
	if err := s.addUpdate(ctx, tx, d, &e); err != nil {
		return none, err
	}
	if err := s.checkDeployment(ctx, tx, d, e, r); err != nil {
		return s.keepAsFailed(ctx, tx, e, "preparing", err)
	}
	if err := s.admit(ctx, tx, &e, r.Queue, false); err != nil {
		return none, err
	}
	if err := checkAvailability(ctx, tx, d, w, e); err != nil && e.Status == store.Pending {
		return s.keepAsFailed(ctx, tx, e, "preparing", err)
	}
	if err := s.add(ctx, tx, e); err != nil || e.Status != store.Pending {
		return e, err
	}
	return e, s.cascade(ctx, tx, e, w, r)
}

func (s *Service) startSystem(ctx context.Context, tx store.Tx, r SystemRequest) (store.Execution, error) {
	var none store.Execution
	if err := refuseWhileCancelling(ctx, tx, r.Caller); err != nil {
		return none, err
	}
	if err := tx.Lock(admissionLock); err != nil {
		return none, err
	}
	if err := refuseInMaintenance(ctx, tx); err != nil {
		return none, err
	}
	e := store.Execution{
		Owned: store.Owned{Tenant: r.Tenant, Visibility: r.Visibility, CreatedBy: r.CreatedBy, CreatedAt: s.now()},
		ID:    orNewID(r.ID), WorkflowID: r.WorkflowID, DeploymentID: r.DeploymentID, BlueprintID: r.BlueprintID,
		Status: store.Pending, Parameters: r.Parameters, IsSystemWorkflow: IsSystemWide(r.WorkflowID),
		AllowCustomParameters: true, Force: r.Force, WaitAfterFail: defaultWaitAfterFail, Arguments: r.Arguments,
		GroupID: r.GroupID,
	}
	if e.Parameters == nil {
		e.Parameters = map[string]any{}
	}
	if e.Visibility == "" {
		e.Visibility = store.Tenants
	}
	if err := s.admit(ctx, tx, &e, r.Queue, r.Overlap); err != nil {
		return none, err
	}
	return e, s.add(ctx, tx, e)
}

func orNewID(id string) string {
	if id == "" {
		return uuid.NewString()
	}
	return id
}

// refuseWhileCancelling keeps an execution that is being cancelled from
// starting others.
func refuseWhileCancelling(ctx context.Context, r store.Reader, caller string) error {
	if caller == "" {
		return nil
	}
	e, err := r.GetExecution(ctx, caller)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	if e.Status.IsCancelling() {
		return refuse(CodeWhileCancelling, "Execution `%s` is being cancelled [status=%s] and can't start anything", e.ID, e.Status)
	}
	return nil
}

func checkEnvironmentOf(ctx context.Context, r store.Reader, d store.Deployment) error {
	if d.CreateExecutionID == "" {
		return nil
	}
	creation, err := r.GetExecution(ctx, d.CreateExecutionID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	return CheckEnvironment(d.ID, creation)
}

// findWorkflow returns the deployment's workflow, or one of the manager's own,
// which then takes any parameters.
func findWorkflow(d store.Deployment, id string) (w plan.Workflow, allowCustom bool, err error) {
	if w, ok := d.Workflows[id]; ok {
		return w, false, nil
	}
	if slices.Contains(managerWorkflows, id) {
		return plan.Workflow{}, true, nil
	}
	return w, false, refuse(CodeNoWorkflow, "Workflow %s does not exist in the deployment %s", id, d.ID)
}

// checkDeployment holds the checks whose failure leaves a record.
func (s *Service) checkDeployment(ctx context.Context, tx store.Tx, d store.Deployment, e store.Execution, r StartRequest) error {
	if d.Tenant != r.Tenant && !r.MayRunGlobal {
		return refuse(CodeForbidden, "User `%s` is not allowed to execute workflows on a global deployment %s from a different tenant",
			r.CreatedBy, d.ID)
	}
	if s.cfg.Dependents == nil || e.Force {
		return nil
	}
	lines, err := s.cfg.Dependents(ctx, tx, d, e.WorkflowID, e.Parameters)
	if err != nil {
		return err
	}
	if len(lines) > 0 {
		return refuse(CodeDependents, "Can't execute workflow `%s` on deployment %s - existing installations depend on it:\n%s",
			e.WorkflowID, d.ID, strings.Join(lines, "\n"))
	}
	return nil
}

// checkAvailability refuses a workflow whose rules don't fit the deployment as it is.
func checkAvailability(ctx context.Context, r store.Reader, d store.Deployment, w plan.Workflow, e store.Execution) error {
	if w.AvailabilityRules == nil || e.Force || e.Resume {
		return nil
	}
	d.Workflows = map[string]plan.Workflow{e.WorkflowID: w} // the others may need more to be read
	found, err := Topologies(ctx, r, []store.Deployment{d})
	if err != nil {
		return err
	}
	if !IsAvailable(w.AvailabilityRules, found[store.DeploymentKey{Tenant: d.Tenant, ID: d.ID}]) {
		return refuse(CodeUnavailable, "Workflow not available: %s", e.WorkflowID)
	}
	return nil
}

// admit decides whether e starts now or waits, and sets its status.
func (s *Service) admit(ctx context.Context, tx store.Tx, e *store.Execution, queue, overlap bool) error {
	block, place, err := obstacles(ctx, tx, Candidate{Execution: *e, Queue: queue, Overlap: overlap}, false)
	if err != nil {
		return err
	}
	behind := false
	if block != nil {
		if behind, err = boolSetting(ctx, tx, "queue_behind_system_wide"); err != nil {
			return err
		}
	}
	switch {
	case block == nil && place:
		e.Status = store.Pending
	case block == nil || queue || block.SystemWide && !e.IsSystemWorkflow && behind:
		e.Status, e.QueuedAt = store.Queued, s.now()
	default:
		return block.Refusal
	}
	return nil
}

// obstacles tells what keeps c from starting now, and whether its group has a
// place for it. One that returns passes those that wait for its deployment.
func obstacles(ctx context.Context, tx store.Tx, c Candidate, returns bool) (block *Block, place bool, err error) {
	n, err := neighboursOf(ctx, tx, c.Execution)
	if err != nil {
		return nil, false, err
	}
	if returns {
		n.QueuedHere = nil
	}
	if slices.Contains(updateWorkflows, c.WorkflowID) && !slices.ContainsFunc(n.Active, func(o store.Execution) bool {
		return o.ID != c.ID && o.DeploymentID == c.DeploymentID && o.Tenant == c.Tenant && slices.Contains(updateWorkflows, o.WorkflowID)
	}) {
		c.Force = true // an update may run beside anything but another one
	}
	place, err = hasPlace(ctx, tx, c.Execution)
	return Admit(c, n), place, err
}

// neighboursOf reads what Admit looks at.
func neighboursOf(ctx context.Context, r store.Reader, e store.Execution) (n Neighbours, err error) {
	if e.IsSystemWorkflow && e.DeploymentID == "" {
		if n.QueuedSystemWide, _, err = r.HeadOfQueue(ctx, 1); err != nil {
			return n, err
		}
		n.Active, err = r.ActiveExecutions(ctx, someBlockers)
		return n, err
	}
	beside, err := r.ExecutionsBeside(ctx, store.DeploymentKey{Tenant: e.Tenant, ID: e.DeploymentID}, someBlockers)
	n = Neighbours{Active: beside.Active, QueuedSystemWide: beside.SystemWide}
	if e.DeploymentID != "" {
		n.QueuedHere = beside.Queued
	}
	return n, err
}

// someBlockers bounds how many of the executions in the way are read when any
// of all will do. It leaves room for some that stand aside.
const someBlockers = 20

func statusIs(statuses ...store.Status) store.Filter {
	f := store.Filter{Field: "status"}
	for _, s := range statuses {
		f.Values = append(f.Values, string(s))
	}
	return f
}

// add stores a new execution that was let in or queued.
func (s *Service) add(ctx context.Context, tx store.Tx, e store.Execution) error {
	if err := tx.AddExecution(ctx, e); err != nil {
		return err
	}
	tx.Notify(store.TopicExecutions)
	if err := s.announce(ctx, tx, e); err != nil {
		return err
	}
	if e.Status == store.Queued {
		if err := tx.AddEvents(ctx, []store.Event{s.statusEvent(e)}); err != nil {
			return err
		}
	}
	return markLatest(ctx, tx, e)
}

// keepAsFailed stores an execution that was refused for the deployment's state,
// and returns it together with the refusal. Other errors pass.
func (s *Service) keepAsFailed(ctx context.Context, tx store.Tx, e store.Execution, doing string, cause error) (store.Execution, error) {
	var refusal *Refusal
	if !errors.As(cause, &refusal) {
		return store.Execution{}, cause
	}
	text := fmt.Sprintf("Error %s execution: %s", doing, refusal.Message)
	e.Status, e.Error, e.EndedAt = store.Failed, &text, s.now()
	if err := tx.AddExecution(ctx, e); err != nil {
		return store.Execution{}, err
	}
	if err := s.announce(ctx, tx, e); err != nil {
		return store.Execution{}, err
	}
	if err := followUpdate(ctx, tx, e); err != nil {
		return store.Execution{}, err
	}
	return e, refusal
}
