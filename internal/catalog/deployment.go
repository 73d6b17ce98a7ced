package catalog

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"windlass/internal/blueprint/problem"
	"windlass/internal/execution"
	"windlass/internal/preparation"
	"windlass/internal/store"
)

// Creation asks for a deployment.
type Creation struct {
	Tenant                string
	ID                    string
	BlueprintID           string
	Inputs                map[string]any
	CreatedBy             string
	Visibility            store.Visibility
	DisplayName           string // "" for the id
	SiteName              string
	Labels                []store.Label
	RuntimeOnlyEvaluation bool
	Caller                string // execution whose token made the request; "" if none
	GroupID               string // execution group that the creation belongs to; "" for none
	// SkipPlugins leaves out the check that the plugins it needs were uploaded.
	SkipPlugins bool
}

// CreateDeployment stores a deployment and starts the making of its nodes and
// instances. It returns at once; WaitForEnvironment tells how that ended.
// Inputs that can't be used are refused here, and nothing is stored then.
func (s *Service) CreateDeployment(ctx context.Context, c Creation) (store.Deployment, error) {
	b, err := s.store.GetBlueprint(ctx, c.Tenant, c.BlueprintID)
	if err != nil {
		return store.Deployment{}, err
	}
	if b.State != store.BlueprintUploaded {
		return store.Deployment{}, refusal(http.StatusBadRequest, "deployment_creation_error", fmt.Sprintf(
			"Unable to create a deployment based on a blueprint which is not `uploaded` but: `%s`", b.State))
	}
	if !c.SkipPlugins {
		if err := (PluginShelf{s.store, s.library}).checkPlugins(ctx, c.Tenant, b.Plan); err != nil {
			return store.Deployment{}, err
		}
	}
	if c.Visibility == store.Global && b.Visibility != store.Global {
		return store.Deployment{}, refusal(http.StatusForbidden, "forbidden_error", fmt.Sprintf(
			"Can't create global deployment %s because blueprint %s is not global", c.ID, b.ID))
	}
	if err := preparation.CheckInputs(b.Plan, c.Inputs); err != nil {
		return store.Deployment{}, inputRefusal(err)
	}
	d := s.newDeployment(c)
	err = s.store.Write(ctx, func(tx store.Tx) error { return s.addDeployment(ctx, tx, &d, c) })
	return d, err
}

func (s *Service) newDeployment(c Creation) store.Deployment {
	now := s.now()
	d := store.Deployment{
		Owned: store.Owned{Tenant: c.Tenant, Visibility: c.Visibility, CreatedBy: c.CreatedBy, CreatedAt: now},
		ID:    c.ID, DisplayName: c.DisplayName, BlueprintID: c.BlueprintID, SiteName: c.SiteName, UpdatedAt: now,
		Labels: c.Labels, RuntimeOnlyEvaluation: c.RuntimeOnlyEvaluation, DeploymentStatus: "requires_attention",
	}
	if d.DisplayName == "" {
		d.DisplayName = d.ID
	}
	return d
}

func (s *Service) addDeployment(ctx context.Context, tx store.Tx, d *store.Deployment, c Creation) error {
	if err := s.removeStillborn(ctx, tx, c); err != nil {
		return err
	}
	if err := tx.AddDeployment(ctx, *d); err != nil {
		return err
	}
	e, err := s.executions.StartSystem(ctx, tx, execution.SystemRequest{
		Tenant: c.Tenant, WorkflowID: WorkflowCreate, DeploymentID: c.ID, BlueprintID: c.BlueprintID,
		Visibility: c.Visibility, CreatedBy: c.CreatedBy, Queue: true, Caller: c.Caller, GroupID: c.GroupID,
		Parameters: map[string]any{
			"inputs": orEmpty(c.Inputs), "labels": labelParameter(c.Labels), "display_name": nilIfEmpty(c.DisplayName),
		},
	})
	if err != nil {
		return err
	}
	d.CreateExecutionID, d.LatestExecutionID = e.ID, e.ID
	return tx.UpdateDeployment(ctx, *d)
}

// removeStillborn clears the way for another try: a deployment of that id
// whose only execution is a failed creation. Any other is a conflict.
func (s *Service) removeStillborn(ctx context.Context, tx store.Tx, c Creation) error {
	old, err := tx.GetDeployment(ctx, c.Tenant, c.ID)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	runs, err := tx.ListExecutions(ctx, store.Query{
		Tenants: []string{old.Tenant}, Filters: []store.Filter{{Field: "deployment_id", Values: []string{old.ID}}}, Limit: 2,
	})
	if err != nil {
		return err
	}
	if old.Tenant == c.Tenant && runs.Total == 1 && runs.Items[0].WorkflowID == WorkflowCreate &&
		runs.Items[0].Status == store.Failed {
		return tx.DeleteDeployment(ctx, old.Tenant, old.ID)
	}
	return refusal(http.StatusConflict, "conflict_error", fmt.Sprintf(
		"<Deployment id=`%s` tenant=`%s`> already exists on <Tenant name=`%s`> or with global visibility",
		c.ID, old.Tenant, c.Tenant))
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// inputRefusal words what is wrong with inputs as the REST API does.
func inputRefusal(err error) error {
	problems := problem.All(err)
	if len(problems) == 0 {
		return err
	}
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = p.Message
	}
	message := strings.Join(texts, "\n")
	switch problems[0].Kind {
	case problem.MissingRequiredInput:
		return refusal(http.StatusBadRequest, "missing_required_deployment_input_error", "Cannot create deployment - "+message)
	case problem.UnknownInput:
		return refusal(http.StatusBadRequest, "unknown_deployment_input_error", "Cannot create deployment - "+message)
	case problem.InputEvaluation:
		return refusal(http.StatusBadRequest, "deployment_input_evaluation_error", message)
	case problem.Constraint:
		return refusal(http.StatusBadRequest, "constraint_error", message)
	case problem.UnknownSecret, problem.UnsupportedGetSecret:
		return refusal(http.StatusBadRequest, "unknown_deployment_secret_error", message)
	}
	return refusal(http.StatusBadRequest, "bad_parameters_error", message)
}

// WaitForEnvironment waits until the deployment's nodes and instances exist,
// and returns it, or a refusal that tells why they can't be made.
func (s *Service) WaitForEnvironment(ctx context.Context, d store.Deployment) (store.Deployment, error) {
	e, err := s.executions.Wait(ctx, d.CreateExecutionID)
	if err != nil {
		return d, err
	}
	if e.Status != store.Terminated {
		return d, refusal(http.StatusBadRequest, "deployment_creation_error", reasonOf(e))
	}
	return s.store.GetDeployment(ctx, d.Tenant, d.ID)
}

// Deletion asks for a deployment to be removed.
type Deletion struct {
	Tenant     string
	ID         string
	Force      bool // also with live instances and dependents
	DeleteLogs bool
	Recursive  bool
	CreatedBy  string
	Caller     string
	GroupID    string // execution group that the deletion belongs to; "" for none
}

// DeleteDeployment starts the removal of a deployment and returns its
// execution. It is refused while executions run or queue, and, without Force,
// while instances live.
func (s *Service) DeleteDeployment(ctx context.Context, r Deletion) (store.Execution, error) {
	var e store.Execution
	err := s.store.Write(ctx, func(tx store.Tx) error {
		d, err := tx.GetDeployment(ctx, r.Tenant, r.ID)
		if err != nil {
			return err
		}
		if err := mayRemove(ctx, tx, d, r); err != nil {
			return err
		}
		e, err = s.executions.StartSystem(ctx, tx, execution.SystemRequest{
			Tenant: d.Tenant, WorkflowID: WorkflowDelete, DeploymentID: d.ID, BlueprintID: d.BlueprintID,
			Visibility: d.Visibility, CreatedBy: r.CreatedBy, Caller: r.Caller, GroupID: r.GroupID, Queue: r.GroupID != "",
			Parameters: map[string]any{"delete_logs": r.DeleteLogs, "force": r.Force, "recursive": r.Recursive},
		})
		return err
	})
	return e, err
}

func mayRemove(ctx context.Context, tx store.Tx, d store.Deployment, r Deletion) error {
	busy := append([]store.Status{store.Queued}, store.ActiveStatuses...)
	statuses := make([]string, len(busy))
	for i, status := range busy {
		statuses[i] = string(status)
	}
	of := store.Filter{Field: "deployment_id", Values: []string{d.ID}}
	running, err := tx.ListExecutions(ctx, store.Query{
		Tenants: []string{d.Tenant}, Filters: []store.Filter{of, {Field: "status", Values: statuses}}, Limit: 20,
	})
	if err != nil {
		return err
	}
	if len(running.Items) > 0 {
		ids := make([]string, len(running.Items))
		for i, e := range running.Items {
			ids[i] = e.ID
		}
		return dependents("Can't delete deployment %s - There are running or queued executions for this deployment. "+
			"Running executions ids: %s", d.ID, ids)
	}
	if r.Force {
		return nil
	}
	lines, err := dependentsOf(ctx, tx, d, neglect{children: r.Recursive, busy: true})
	if err != nil {
		return err
	}
	if len(lines) > 0 {
		return refusal(http.StatusBadRequest, "dependent_exists_error", fmt.Sprintf(
			"Can't delete deployment %s - the following existing installations depend on it:\n%s", d.ID, strings.Join(lines, "\n")))
	}
	live, err := tx.ListInstances(ctx, store.Query{
		Tenants: []string{d.Tenant}, Limit: 20,
		Filters: []store.Filter{of, {Field: "state", Op: store.NotIn, Values: []string{"uninitialized", "deleted"}}},
	})
	if err != nil || len(live.Items) == 0 {
		return err
	}
	ids := make([]string, len(live.Items))
	for i, n := range live.Items {
		ids[i] = n.ID
	}
	return dependents("Can't delete deployment %s - There are live nodes for this deployment. Live nodes ids: %s", d.ID, ids)
}

func dependents(format, id string, ids []string) error {
	return refusal(http.StatusBadRequest, "dependent_exists_error", fmt.Sprintf(format, id, strings.Join(ids, ",")))
}
