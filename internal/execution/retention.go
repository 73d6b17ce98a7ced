package execution

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"windlass/internal/store"
)

// What is kept of executions that have ended, unless the settings
// retention_executions_days, retention_executions_count, retention_events_days
// and retention_events_count say otherwise; 0 there keeps all. Logs count as events.
const (
	KeepExecutionsDays  = 365
	KeepExecutionsCount = 100_000
	KeepEventsDays      = 90
	KeepEventsCount     = 10_000_000
)

// Removing goes in small steps with pauses, so that it is never long in the way
// of those who write.
const (
	retentionLook  = 10 * time.Minute
	retentionPause = 20 * time.Millisecond
	retentionBatch = 50   // executions of one transaction
	retentionTrim  = 1000 // events of one transaction
)

// runRetention removes what is not kept any longer, until ctx ends.
func (s *Service) runRetention(ctx context.Context) {
	look := time.NewTicker(retentionLook)
	defer look.Stop()
	for {
		if err := s.Expire(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("could not remove old executions and events; trying again later", "error", err)
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// Expire removes the events, and the executions, that are older or more than
// the settings allow. What a deployment shows of its latest execution, and the
// execution that made it, stay.
func (s *Service) Expire(ctx context.Context) error {
	events, err := s.keepSetting(ctx, "retention_events_days", KeepEventsDays)
	if err != nil {
		return err
	}
	days, err := s.keepSetting(ctx, "retention_executions_days", KeepExecutionsDays)
	if err != nil {
		return err
	}
	count, err := s.keepSetting(ctx, "retention_executions_count", KeepExecutionsCount)
	if err != nil {
		return err
	}
	eventsCount, err := s.keepSetting(ctx, "retention_events_count", KeepEventsCount)
	if err != nil {
		return err
	}
	if events > 0 {
		if err := s.expireEvents(ctx, s.now().AddDate(0, 0, -events), 0); err != nil {
			return fmt.Errorf("remove old events: %w", err)
		}
	}
	if days > 0 {
		if err := s.expireExecutions(ctx, s.now().AddDate(0, 0, -days), 0); err != nil {
			return fmt.Errorf("remove old executions: %w", err)
		}
	}
	if count > 0 {
		if err := s.expireExecutions(ctx, time.Time{}, count); err != nil {
			return fmt.Errorf("remove executions beyond %d: %w", count, err)
		}
	}
	if eventsCount > 0 {
		if err := s.expireEvents(ctx, time.Time{}, eventsCount); err != nil {
			return fmt.Errorf("remove events beyond %d: %w", eventsCount, err)
		}
	}
	return nil
}

func (s *Service) keepSetting(ctx context.Context, name string, otherwise int) (int, error) {
	return intSetting(ctx, s.store, name, otherwise)
}

func endedBefore(t time.Time) store.Filter {
	return store.Filter{Field: "ended_at", Op: store.Below, Values: []string{t.UTC().Format(time.RFC3339Nano)}}
}

var oldestFirst = []store.SortKey{{Field: "ended_at"}}

// expireEvents removes the events of executions that ended before a time, or,
// with a zero time, of those that ended first as long as there are more than keep.
func (s *Service) expireEvents(ctx context.Context, before time.Time, keep int) error {
	filters := []store.Filter{
		statusIs(store.EndStatuses...), {Field: "ended_at", Op: store.IsNotNull}, {Field: "stored_events", Op: store.AtLeast, Values: []string{"1"}},
	}
	if !before.IsZero() {
		filters = append(filters, endedBefore(before))
	}
	for {
		page, err := s.store.ListExecutions(ctx, store.Query{Filters: filters, Sort: oldestFirst, Limit: retentionBatch})
		if err != nil || len(page.Items) == 0 {
			return err
		}
		trimmed := 0
		for _, e := range page.Items {
			if before.IsZero() {
				all, err := s.store.ListEvents(ctx, store.Query{Limit: 1})
				if err != nil || all.Total <= keep {
					return err
				}
			}
			removed, err := s.trim(ctx, e.ID)
			if err != nil {
				return err
			}
			trimmed += removed
		}
		if trimmed == 0 {
			return nil // all of them were resumed meanwhile
		}
	}
}

// trim removes all events of an execution that has ended, and tells how many. It
// stops if the execution is resumed meanwhile.
func (s *Service) trim(ctx context.Context, id string) (all int, err error) {
	for removed := retentionTrim; removed == retentionTrim; {
		if err := s.store.Write(ctx, func(tx store.Tx) error {
			removed = 0
			e, err := tx.LockExecution(ctx, id)
			if errors.Is(err, store.ErrNotFound) || err == nil && !e.Status.IsEnd() {
				return nil
			} else if err != nil {
				return err
			}
			removed, err = tx.TrimEvents(ctx, id, retentionTrim)
			return err
		}); err != nil {
			return all, err
		}
		all += removed
		if err := pause(ctx, retentionPause); err != nil {
			return all, err
		}
	}
	return all, nil
}

// Remove removes those of the executions that have ended, with all that is stored
// of them, and tells how many. Others, such as one that is resumed meanwhile, stay.
func (s *Service) Remove(ctx context.Context, ids []string) (int, error) {
	var ended []string
	err := s.store.Write(ctx, func(tx store.Tx) error {
		ended = nil
		for _, id := range ids {
			e, err := tx.LockExecution(ctx, id)
			switch {
			case errors.Is(err, store.ErrNotFound):
			case err != nil:
				return err
			case e.Status.IsEnd():
				ended = append(ended, id)
			}
		}
		return tx.DeleteExecutions(ctx, ended)
	})
	return len(ended), err
}

// expireExecutions removes ended executions: those that ended before a time,
// or, with a zero time, the oldest of more than keep.
func (s *Service) expireExecutions(ctx context.Context, before time.Time, keep int) error {
	filters := []store.Filter{statusIs(store.EndStatuses...), {Field: "workflow_id", Op: store.NotIn, Values: []string{environmentWorkflow}}}
	if !before.IsZero() {
		filters = append(filters, endedBefore(before))
	}
	for stay := 0; ; {
		page, err := s.store.ListExecutions(ctx, store.Query{Filters: filters, Sort: oldestFirst, Limit: retentionBatch, Offset: stay})
		if err != nil || len(page.Items) == 0 {
			return err
		}
		items := page.Items
		if before.IsZero() {
			items = items[:max(0, min(len(items), page.Total-keep-stay))]
			if len(items) == 0 {
				return nil
			}
		}
		var ids []string
		for _, e := range items {
			latest, err := s.isLatest(ctx, e)
			if err != nil {
				return err
			}
			if latest {
				stay++
				continue
			}
			if _, err := s.trim(ctx, e.ID); err != nil {
				return err
			}
			ids = append(ids, e.ID)
		}
		slices.Sort(ids) // all lock in one order
		if _, err := s.Remove(ctx, ids); err != nil {
			return err
		}
	}
}

// isLatest tells whether the deployment shows e as its latest execution.
func (s *Service) isLatest(ctx context.Context, e store.Execution) (bool, error) {
	if e.DeploymentID == "" {
		return false, nil
	}
	d, err := s.store.GetDeployment(ctx, e.Tenant, e.DeploymentID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return d.LatestExecutionID == e.ID, err
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
