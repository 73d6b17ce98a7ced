package execution

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
	"windlass/internal/value"
)

// componentType is the type of nodes that stand for deployments, which they
// make and remove. Which one it is, is among the runtime properties of their
// instances.
const componentType = "cloudify.nodes.Component"

// componentsOf lists the deployments that a deployment's component nodes have made.
func componentsOf(ctx context.Context, r store.Reader, d store.DeploymentKey) ([]string, error) {
	if d.ID == "" {
		return nil, nil
	}
	nodes, err := r.NodesOfType(ctx, d, componentType)
	if err != nil || len(nodes) == 0 {
		return nil, err
	}
	instances, err := r.ListInstances(ctx, store.Query{Filters: []store.Filter{
		tenantIs(d.Tenant), {Field: "deployment_id", Values: []string{d.ID}}, {Field: "node_id", Values: nodes},
	}})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, i := range instances.Items {
		made, _ := i.RuntimeProperties["deployment"].(map[string]any)
		if id, _ := made["id"].(string); id != "" && id != d.ID && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// latestOfComponents finds the newest execution of each component of e's
// deployment.
func latestOfComponents(ctx context.Context, r store.Reader, e store.Execution) ([]store.Execution, error) {
	ids, err := componentsOf(ctx, r, store.DeploymentKey{Tenant: e.Tenant, ID: e.DeploymentID})
	if err != nil {
		return nil, fmt.Errorf("find the components of deployment %s: %w", e.DeploymentID, err)
	}
	var latest []store.Execution
	for _, id := range ids {
		page, err := r.ListExecutions(ctx, store.Query{
			Filters: []store.Filter{tenantIs(e.Tenant), {Field: "deployment_id", Values: []string{id}}},
			Sort:    []store.SortKey{{Field: "created_at", Descending: true}}, Limit: 1,
		})
		if err != nil {
			return nil, fmt.Errorf("find the latest execution of component %s: %w", id, err)
		}
		latest = append(latest, page.Items...)
	}
	return latest, nil
}

// cancelComponents asks of what runs in e's components what was asked of e, and
// of their components. What is being stopped in another way already goes on so.
func (s *Service) cancelComponents(ctx context.Context, tx store.Tx, e store.Execution, how Action, seen map[string]bool) error {
	return s.eachComponent(ctx, tx, e, seen, func(c store.Execution) error {
		if c.Status.IsEnd() {
			return nil
		}
		_, err := s.cancelIn(ctx, tx, c.ID, how)
		return err
	})
}

// resumeComponents resumes what failed or was cancelled in e's components. An
// install that failed is begun again by the component's node.
func (s *Service) resumeComponents(ctx context.Context, tx store.Tx, e store.Execution, how Action, seen map[string]bool) error {
	return s.eachComponent(ctx, tx, e, seen, func(c store.Execution) error {
		if c.Status != store.Failed && c.Status != store.Cancelled || c.WorkflowID == "install" {
			return nil
		}
		_, err := s.resumeIn(ctx, tx, c.ID, how)
		return err
	})
}

// eachComponent calls act with the newest execution of each component of e's
// deployment, and of theirs. A refusal of one is not one of all.
func (s *Service) eachComponent(ctx context.Context, tx store.Tx, e store.Execution, seen map[string]bool, act func(store.Execution) error) error {
	if seen[e.ID] {
		return nil
	}
	seen[e.ID] = true
	latest, err := latestOfComponents(ctx, tx, e)
	if err != nil {
		return err
	}
	for _, c := range latest {
		if seen[c.ID] {
			continue
		}
		var refusal *Refusal
		if err := act(c); errors.As(err, &refusal) {
			s.log.Info("a component's execution stays as it is", "execution", c.ID, "of", e.ID, "reason", refusal.Message)
		} else if err != nil {
			return fmt.Errorf("execution %s of component %s: %w", c.ID, c.DeploymentID, err)
		}
		if err := s.eachComponent(ctx, tx, c, seen, act); err != nil {
			return err
		}
	}
	return nil
}

// cascade starts the workflow of e, which was let in, on the components of its
// deployment too, if it is one of those that go on there. They wait if they
// can't start now. One that can't have it keeps none of the others from it.
func (s *Service) cascade(ctx context.Context, tx store.Tx, e store.Execution, w plan.Workflow, r StartRequest) error {
	if !w.IsCascading {
		return nil
	}
	ids, err := componentsOf(ctx, tx, store.DeploymentKey{Tenant: e.Tenant, ID: e.DeploymentID})
	if err != nil {
		return fmt.Errorf("find the components of deployment %s: %w", e.DeploymentID, err)
	}
	above := append(slices.Clone(r.above), e.DeploymentID)
	for _, id := range ids {
		if slices.Contains(above, id) {
			continue
		}
		_, err := s.start(ctx, tx, StartRequest{
			Tenant: e.Tenant, DeploymentID: id, WorkflowID: e.WorkflowID, Parameters: value.CopyMap(e.Parameters),
			AllowCustomParameters: e.AllowCustomParameters, Force: e.Force, DryRun: e.IsDryRun, Queue: true, WaitAfterFail: &e.WaitAfterFail,
			CreatedBy: e.CreatedBy, above: above,
		})
		var refusal *Refusal
		if errors.As(err, &refusal) {
			s.log.Info("a component can't have the workflow", "workflow", e.WorkflowID, "deployment", id, "of", e.DeploymentID, "reason", refusal.Message)
			err = tx.AddEvents(ctx, []store.Event{s.leftOutLine(e, id, refusal.Message)})
		}
		if err != nil {
			return fmt.Errorf("start %s on component %s: %w", e.WorkflowID, id, err)
		}
	}
	return nil
}

// leftOutLine tells those who look at e which component does not have its workflow.
func (s *Service) leftOutLine(e store.Execution, component, reason string) store.Event {
	line := s.workflowEvent(e, "", fmt.Sprintf("The workflow '%s' is not started on the component '%s': %s", e.WorkflowID, component, reason))
	line.Type, line.Level, line.Logger = store.TypeLog, "warning", "ctx."+e.ID
	return line
}
