package execution

import (
	"context"
	"errors"
	"fmt"
	"time"

	"windlass/internal/store"
)

// pluginsWorkflow updates the plugins of a blueprint's deployments.
const pluginsWorkflow = "update_plugin"

// followPluginsUpdate takes an update of plugins back when its execution fails
// or is cancelled: deployments that were updated already keep the new versions
// and get their blueprint's id again; the hidden blueprint goes.
func (s *Service) followPluginsUpdate(ctx context.Context, tx store.Tx, e store.Execution) error {
	id, _ := e.Parameters["update_id"].(string)
	if e.WorkflowID != pluginsWorkflow || id == "" || !e.Status.IsEnd() || e.Status == store.Terminated {
		return nil
	}
	u, err := tx.GetPluginsUpdate(ctx, e.Tenant, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && u.ExecutionID != e.ID {
		return nil
	} else if err != nil {
		return err
	}
	if u.TempBlueprintID != "" {
		if err := MoveDeployments(ctx, tx, u, s.now()); err != nil {
			return err
		}
		if err := tx.DeleteBlueprint(ctx, u.Tenant, u.TempBlueprintID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	u.State, u.TempBlueprintID = store.UpdateFailed, ""
	return tx.UpdatePluginsUpdate(ctx, u)
}

// MoveDeployments gives the deployments of an update's hidden blueprint the id
// of the one that it stands for.
func MoveDeployments(ctx context.Context, tx store.Tx, u store.PluginsUpdate, now time.Time) error {
	q := store.Query{Filters: []store.Filter{{Field: "blueprint_id", Values: []string{u.TempBlueprintID}}}}
	if !u.AllTenants {
		q.Tenants = []string{u.Tenant}
	}
	page, err := tx.ListDeployments(ctx, q)
	if err != nil {
		return err
	}
	for _, listed := range page.Items {
		d, err := tx.GetDeployment(ctx, listed.Tenant, listed.ID)
		if err != nil {
			return err
		}
		d.BlueprintID, d.UpdatedAt = u.BlueprintID, now
		if err := tx.UpdateDeployment(ctx, d); err != nil {
			return fmt.Errorf("give deployment %s its blueprint again: %w", d.ID, err)
		}
	}
	return nil
}
