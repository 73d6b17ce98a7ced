package execution

import (
	"context"
	"errors"
	"fmt"
	"time"

	"windlass/internal/store"
)

// updatesLooked is how many of the latest updates are looked at to find the one
// that stored last: previews and refused ones have stored nothing.
const updatesLooked = 10

// latestUpdate finds the execution, other than the given one, whose update of
// the deployment was the last to store what it makes of it, and when it did.
// false means that there is none.
func (s *Service) latestUpdate(ctx context.Context, from store.Reader, of store.Execution) (latest store.Execution, at time.Time, ok bool, err error) {
	page, err := from.ListExecutions(ctx, store.Query{
		Filters: []store.Filter{
			tenantIs(of.Tenant), {Field: "deployment_id", Values: []string{of.DeploymentID}}, {Field: "workflow_id", Values: updateWorkflows},
		},
		Sort: []store.SortKey{{Field: "created_at", Descending: true}}, Limit: updatesLooked,
	})
	if err != nil {
		return latest, at, false, fmt.Errorf("look for other updates of deployment %s: %w", of.DeploymentID, err)
	}
	for _, e := range page.Items {
		if e.ID == of.ID {
			continue
		}
		g, err := from.GetGraph(ctx, e.ID, store.DecisionPrefix+updateRecord)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return latest, at, false, fmt.Errorf("look for other updates of deployment %s: %w", of.DeploymentID, err)
		}
		if !ok || g.CreatedAt.After(at) {
			latest, at, ok = e, g.CreatedAt, true
		}
	}
	return latest, at, ok, nil
}

// notSuperseded refuses to go on with an update when another has changed the
// deployment since this one stored its plan.
func (r *run) notSuperseded(ctx context.Context, from store.Reader) error {
	mine, err := from.GetGraph(ctx, r.e.ID, store.DecisionPrefix+updateRecord)
	if err != nil {
		return fmt.Errorf("read when this update was planned: %w", err)
	}
	other, at, ok, err := r.s.latestUpdate(ctx, from, r.e)
	if err != nil || !ok || !at.After(mine.CreatedAt) {
		return err
	}
	return fmt.Errorf("deployment %s has been updated since this update was planned, by execution %s: going on would undo that; start a new update",
		r.e.DeploymentID, other.ID)
}
