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
// with e. What a function can't tell yet stays open.
func (s *Service) followDependencies(ctx context.Context, tx store.Tx, e store.Execution) error {
	if e.DeploymentID == "" {
		return nil
	}
	page, err := tx.ListDependencies(ctx, store.Query{Filters: []store.Filter{
		{Field: "tenant_name", Values: []string{e.Tenant}}, {Field: "source_deployment_id", Values: []string{e.DeploymentID}},
	}})
	if err != nil {
		return fmt.Errorf("read the dependencies of deployment %s: %w", e.DeploymentID, err)
	}
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
		dep.TargetDeployment = target
		if _, err := tx.PutDependency(ctx, dep); err != nil {
			return fmt.Errorf("update the dependencies of deployment %s: %w", e.DeploymentID, err)
		}
	}
	return nil
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
