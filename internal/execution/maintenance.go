package execution

import (
	"context"
	"fmt"
	"time"

	"windlass/internal/store"
)

// Maintenance is whether the manager works on executions. While it is
// activating nothing new starts and what runs goes on; it is activated once
// nothing runs.
type Maintenance struct {
	Status      string // deactivated, activating, activated
	RequestedAt time.Time
	RequestedBy string
	ActivatedAt time.Time
	Remaining   []store.Execution // what it waits for
}

// The statuses of maintenance.
const (
	MaintenanceOff     = "deactivated"
	MaintenanceWaiting = "activating"
	MaintenanceOn      = "activated"
)

// MaintenanceSetting keeps maintenance among the settings, where it outlives
// restarts and all managers see it.
const (
	MaintenanceScope   = "execution"
	MaintenanceSetting = "maintenance"
)

// Maintenance tells whether maintenance is on.
func (s *Service) Maintenance(ctx context.Context) (Maintenance, error) {
	return maintenanceIn(ctx, s.store)
}

func maintenanceIn(ctx context.Context, r store.Reader) (Maintenance, error) {
	m := Maintenance{Status: MaintenanceOff}
	settings, err := r.ListSettings(ctx)
	if err != nil {
		return m, fmt.Errorf("read whether maintenance is on: %w", err)
	}
	asked, is := maintenanceAmong(settings)
	if !is {
		return m, nil
	}
	m.Status, m.RequestedAt, m.RequestedBy = MaintenanceOn, asked.UpdatedAt, asked.UpdatedBy
	if m.Remaining, err = executionsWhere(ctx, r, 0, statusIs(store.ActiveStatuses...)); err != nil {
		return m, err
	}
	if len(m.Remaining) > 0 {
		m.Status = MaintenanceWaiting
		return m, nil
	}
	// Nothing has started since the request: it came into force when that was
	// made, or when the last execution ended.
	m.ActivatedAt = m.RequestedAt
	last, err := r.ListExecutions(ctx, store.Query{
		Filters: []store.Filter{{Field: "ended_at", Op: store.IsNotNull}}, Sort: []store.SortKey{{Field: "ended_at", Descending: true}}, Limit: 1,
	})
	if err == nil && len(last.Items) > 0 && last.Items[0].EndedAt.After(m.ActivatedAt) {
		m.ActivatedAt = last.Items[0].EndedAt
	}
	return m, err
}

// maintenanceAmong finds the setting by which maintenance is asked for.
func maintenanceAmong(settings []store.Setting) (asked store.Setting, is bool) {
	for _, set := range settings {
		if set.Scope == MaintenanceScope && set.Name == MaintenanceSetting && set.Value == true {
			return set, true
		}
	}
	return asked, false
}

// SetMaintenance asks for maintenance or ends it, and tells whether that
// changed anything. Ending it lets in who waits.
func (s *Service) SetMaintenance(ctx context.Context, on bool, by string) (Maintenance, bool, error) {
	var m Maintenance
	changed := false
	err := s.store.Write(ctx, func(tx store.Tx) error {
		if err := tx.Lock(admissionLock); err != nil {
			return err
		}
		before, err := maintenanceIn(ctx, tx)
		if err != nil {
			return err
		}
		if m, changed = before, (before.Status == MaintenanceOff) == on; !changed {
			return nil
		}
		set := store.Setting{Scope: MaintenanceScope, Name: MaintenanceSetting, Value: on, UpdatedAt: s.now(), UpdatedBy: by}
		if err := tx.PutSetting(ctx, set); err != nil {
			return err
		}
		if m, err = maintenanceIn(ctx, tx); err != nil || on {
			return err
		}
		tx.Notify(store.TopicSchedules)
		tx.Notify(store.TopicExecutions)
		return s.dequeue(ctx, tx)
	})
	return m, changed, err
}

// refuseInMaintenance keeps executions from starting while maintenance is on.
func refuseInMaintenance(ctx context.Context, r store.Reader) error {
	m, err := maintenanceIn(ctx, r)
	switch {
	case err != nil:
		return err
	case m.Status == MaintenanceWaiting:
		return refuse(CodeEnteringMaintenance, "Your request was rejected since Cloudify manager is currently entering maintenance mode: "+
			"it waits for %d executions", len(m.Remaining))
	case m.Status == MaintenanceOn:
		return refuse(CodeInMaintenance, "Your request was rejected since Cloudify manager is currently in maintenance mode")
	}
	return nil
}
