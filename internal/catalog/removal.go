package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"windlass/internal/execution"
	"windlass/internal/store"
)

// delete is the delete_deployment_environment execution. The deployment's row,
// and with it this execution, goes when it has ended; here go the files, and
// what others know of it, and before that its children if that was asked for.
func (e *Environment) delete(ctx context.Context, x store.Execution, h execution.SystemHost) error {
	if recursive, _ := x.Parameters["recursive"].(bool); recursive {
		if err := e.deleteChildren(ctx, x, h); err != nil {
			return err
		}
	}
	err := h.Write(ctx, func(tx store.Tx) error {
		d, err := tx.GetDeployment(ctx, x.Tenant, x.DeploymentID)
		if isNotFound(err) {
			return nil
		} else if err != nil {
			return err
		}
		needs, err := tx.ListDependencies(ctx, store.Query{
			Tenants: []string{d.Tenant}, Filters: []store.Filter{{Field: "source_deployment_id", Values: []string{d.ID}}},
		})
		if err != nil {
			return err
		}
		for _, dep := range needs.Items {
			if err := Release(ctx, tx, dep); err != nil {
				return err
			}
		}
		return Relabel(ctx, tx, d, d.Labels, nil)
	})
	if err != nil {
		return fmt.Errorf("let go of what deployment %s depends on: %w", x.DeploymentID, err)
	}
	return e.Library.RemoveWorkDir(x.Tenant, x.DeploymentID)
}

// deleteChildren removes the deployments that have this one as their parent,
// with theirs, and waits until they are gone. Where one can't be removed it
// stays, and so do its ancestors.
func (e *Environment) deleteChildren(ctx context.Context, x store.Execution, h execution.SystemHost) error {
	d, err := e.Store.GetDeployment(ctx, x.Tenant, x.DeploymentID)
	if isNotFound(err) {
		return nil
	} else if err != nil {
		return err
	}
	children, err := childrenOf(ctx, e.Store, d)
	if err != nil {
		return fmt.Errorf("read the children of deployment %s: %w", d.ID, err)
	}
	if len(children) == 0 {
		return nil
	}
	h.Log("info", fmt.Sprintf("Deleting %d service deployments of %s: %s", len(children), d.ID, strings.Join(children, ", ")))
	isSet := func(name string) bool { b, _ := x.Parameters[name].(bool); return b }
	removals := make([]string, len(children))
	var failed []error
	for i, child := range children {
		if removals[i], err = e.removalOf(ctx, d.Tenant, child); err == nil && removals[i] == "" {
			var started store.Execution
			started, err = e.Remove(ctx, Deletion{
				Tenant: d.Tenant, ID: child, Force: isSet("force"), DeleteLogs: isSet("delete_logs"), Recursive: true, CreatedBy: x.CreatedBy,
			})
			removals[i] = started.ID
		}
		if err != nil && !isNotFound(err) {
			failed = append(failed, fmt.Errorf("delete service deployment %s: %w", child, err))
		}
	}
	for i, id := range removals {
		if id == "" {
			continue
		}
		ended, err := e.Wait(ctx, id)
		switch {
		case isNotFound(err): // gone with its deployment
		case err != nil:
			return err
		case ended.Status != store.Terminated:
			failed = append(failed, fmt.Errorf("delete service deployment %s: %s", children[i], reasonOf(ended)))
		}
	}
	return errors.Join(failed...)
}

// removalOf finds the removal of a deployment that is under way, as after a
// crash; "" if none is.
func (e *Environment) removalOf(ctx context.Context, tenant, id string) (string, error) {
	statuses := []string{string(store.Queued)}
	for _, s := range store.ActiveStatuses {
		statuses = append(statuses, string(s))
	}
	page, err := e.Store.ListExecutions(ctx, store.Query{Limit: 1, Filters: []store.Filter{
		{Field: "tenant_name", Values: []string{tenant}}, {Field: "deployment_id", Values: []string{id}},
		{Field: "workflow_id", Values: []string{WorkflowDelete}}, {Field: "status", Values: statuses},
	}})
	if err != nil || len(page.Items) == 0 {
		return "", err
	}
	return page.Items[0].ID, nil
}

// reasonOf says why an execution did not end well.
func reasonOf(e store.Execution) string {
	if e.Error != nil && *e.Error != "" {
		return *e.Error
	}
	return string(e.Status)
}
