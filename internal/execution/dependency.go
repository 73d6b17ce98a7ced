package execution

import (
	"context"
	"errors"
	"fmt"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/problem"
	"windlass/internal/store"
	"windlass/internal/value"
)

// followDependencies works out anew which deployments the one that e ran on
// depends on, where functions tell it: their values may have come or changed
// with e. What a function can't tell yet stays open. A dependency that would make
// a circle stays as it was; the refusal that is returned then names it.
func (s *Service) followDependencies(ctx context.Context, tx store.Tx, e store.Execution) error {
	if e.DeploymentID == "" || e.WorkflowID == removalWorkflow {
		return nil
	}
	page, err := tx.ListDependencies(ctx, store.Query{Filters: []store.Filter{
		{Field: "tenant_name", Values: []string{e.Tenant}}, {Field: "source_deployment_id", Values: []string{e.DeploymentID}},
	}})
	if err != nil {
		return fmt.Errorf("read the dependencies of deployment %s: %w", e.DeploymentID, err)
	}
	var refused error
	for _, dep := range page.Items {
		if dep.TargetFunc == nil {
			continue
		}
		target, err := s.targetOf(ctx, tx, dep)
		if err != nil {
			return fmt.Errorf("update the dependencies of deployment %s: %w", e.DeploymentID, err)
		}
		if target == "" || target == dep.TargetDeployment || target == dep.SourceDeployment {
			continue
		}
		circle, err := DependsOn(ctx, tx, dep.Tenant, target, dep.SourceDeployment)
		if err != nil {
			return fmt.Errorf("update the dependencies of deployment %s: %w", e.DeploymentID, err)
		}
		if circle {
			refused = refuse(CodeConflict, "Failed updating dependencies of deployment %s: cyclic dependency between deployments %s and %s",
				e.DeploymentID, e.DeploymentID, target)
			continue
		}
		dep.TargetDeployment = target
		if _, err := tx.PutDependency(ctx, dep); err != nil {
			return fmt.Errorf("update the dependencies of deployment %s: %w", e.DeploymentID, err)
		}
	}
	return refused
}

// conclude is what an execution's end comes to once its deployment's dependencies
// have followed: a success that would have deployments need each other in a
// circle is a failure.
func (s *Service) conclude(ctx context.Context, tx store.Tx, e store.Execution, to store.Status, text string) (store.Status, string, error) {
	err := s.followDependencies(ctx, tx, e)
	var circle *Refusal
	if !errors.As(err, &circle) {
		return to, text, err
	}
	if to == store.Terminated {
		to, text = store.Failed, circle.Message
	}
	return to, text, nil
}

// DependsOn tells whether a deployment needs another, itself or by way of others.
// Each needs itself.
func DependsOn(ctx context.Context, r store.Reader, tenant, source, target string) (bool, error) {
	seen := map[string]bool{"": true}
	for next := []string{source}; len(next) > 0; next = next[1:] {
		id := next[0]
		if id == target {
			return true, nil
		}
		if seen[id] {
			continue
		}
		seen[id] = true
		page, err := r.ListDependencies(ctx, store.Query{
			Tenants: []string{tenant}, Filters: []store.Filter{{Field: "source_deployment_id", Values: []string{id}}},
		})
		if err != nil {
			return false, fmt.Errorf("read the dependencies of deployment %s: %w", id, err)
		}
		for _, d := range page.Items {
			next = append(next, d.TargetDeployment)
		}
	}
	return false, nil
}

// targetOf evaluates the function that names a dependency's target, "" if it
// names no deployment now.
func (s *Service) targetOf(ctx context.Context, r store.Reader, dep store.Dependency) (string, error) {
	d, err := r.GetDeployment(ctx, dep.Tenant, dep.SourceDeployment)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	function, scope := dep.TargetFunc, functions.Scope{Path: dep.Creator}
	if m, ok := dep.TargetFunc.(map[string]any); ok && m["function"] != nil {
		function = m["function"]
		at, _ := m["context"].(map[string]any)
		scope.Self, _ = at["self"].(string)
		scope.Source, _ = at["source"].(string)
		scope.Target, _ = at["target"].(string)
		if scope.Source != "" {
			scope.Self = ""
		}
	}
	v, err := s.evaluateIn(ctx, r, d, value.Copy(function), scope)
	var refusal *Refusal
	if errors.As(err, &refusal) || len(problem.All(err)) > 0 {
		return "", nil
	} else if err != nil {
		return "", err
	}
	id, _ := v.(string)
	if _, err := r.GetDeployment(ctx, dep.Tenant, id); errors.Is(err, store.ErrNotFound) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	return id, nil
}
