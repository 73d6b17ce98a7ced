package storetest

import (
	"time"

	"windlass/internal/store"
)

func sampleSchedule(id string, due time.Time) store.Schedule {
	at := time.UnixMicro(1_700_000_000_123_456).UTC()
	return store.Schedule{
		Owned: store.Owned{Tenant: "a", Visibility: store.Tenants, CreatedBy: "jo", CreatedAt: at},
		ID:    id, DeploymentID: "d", WorkflowID: "backup", Parameters: map[string]any{"full": true},
		Arguments: map[string]any{"force": true}, Rule: map[string]any{"recurrence": "1 day", "count": int64(3)},
		Since: at, Until: at.Add(time.Hour), TimeZone: "Europe/Berlin", Slip: 5, StopOnFail: true, CatchUp: "once", Enabled: true,
		NextOccurrence: due, LatestExecutionID: "x",
	}
}

var scheduleTests = []test{
	{"round trip", func(s *subject) {
		full := sampleSchedule("s1", time.UnixMicro(1_700_000_001_000_000).UTC())
		filled(s, full)
		bare := store.Schedule{Owned: store.Owned{Tenant: "a", CreatedAt: full.CreatedAt.Add(time.Second)}, ID: "s2", DeploymentID: "d", Since: full.Since}
		for _, one := range []store.Schedule{full, bare} {
			s.write(func(tx store.Tx) error { return tx.AddSchedule(s.ctx(), one) })
			got, err := s.GetSchedule(s.ctx(), "a", "d", one.ID)
			s.must(err)
			same(s, got, one)
		}
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddSchedule(s.ctx(), full) })
		elsewhere := full
		elsewhere.DeploymentID = "other"
		s.write(func(tx store.Tx) error { return tx.AddSchedule(s.ctx(), elsewhere) })
		page, err := s.ListSchedules(s.ctx(), store.Query{Filters: []store.Filter{{Field: "deployment_id", Values: []string{"d"}}}})
		s.must(err)
		same(s, page, store.Page[store.Schedule]{Items: []store.Schedule{full, bare}, Total: 2})
		_, err = s.GetSchedule(s.ctx(), "b", "d", "s1")
		s.missing(err, "ExecutionSchedule", "s1")
	}},
	{"what is due", func(s *subject) {
		base := time.UnixMicro(1_700_000_000_000_000).UTC()
		late, soon, off, never := sampleSchedule("late", base), sampleSchedule("soon", base.Add(time.Minute)), sampleSchedule("off", base), sampleSchedule("never", time.Time{})
		off.Enabled = false
		next, err := s.NextDue(s.ctx())
		s.must(err)
		same(s, next, time.Time{})
		for _, one := range []store.Schedule{soon, off, never, late} {
			s.write(func(tx store.Tx) error { return tx.AddSchedule(s.ctx(), one) })
		}
		due, err := s.DueSchedules(s.ctx(), base, 10)
		s.must(err)
		same(s, due, []store.Schedule{late})
		due, err = s.DueSchedules(s.ctx(), base.Add(time.Hour), 10)
		s.must(err)
		same(s, due, []store.Schedule{late, soon})
		next, err = s.NextDue(s.ctx())
		s.must(err)
		same(s, next, base)
	}},
	{"changes, and goes with the deployment", func(s *subject) {
		one := sampleSchedule("s1", time.Time{})
		d := store.Deployment{Owned: store.Owned{Tenant: "a", CreatedAt: time.UnixMicro(1).UTC()}, ID: "d", BlueprintID: "b"}
		s.write(func(tx store.Tx) error { return tx.AddDeployment(s.ctx(), d) })
		s.write(func(tx store.Tx) error { return tx.AddSchedule(s.ctx(), one) })
		one.Enabled, one.Slip = false, 7
		s.write(func(tx store.Tx) error { return tx.UpdateSchedule(s.ctx(), one) })
		got, err := s.GetSchedule(s.ctx(), "a", "d", "s1")
		s.must(err)
		same(s, got, one)
		s.write(func(tx store.Tx) error { return tx.DeleteDeployment(s.ctx(), "a", "d") })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UpdateSchedule(s.ctx(), one) })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteSchedule(s.ctx(), "a", "d", "s1") })
		s.write(func(tx store.Tx) error { return tx.AddSchedule(s.ctx(), one) })
		s.write(func(tx store.Tx) error { return tx.DeleteSchedule(s.ctx(), "a", "d", "s1") })
	}},
}
