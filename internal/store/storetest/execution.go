package storetest

import (
	"fmt"

	"windlass/internal/store"
)

func sampleExecution(id string) store.Execution {
	return store.Execution{
		Owned: owned("a", 1), ID: id, WorkflowID: "install", DeploymentID: "d", BlueprintID: "bp", Status: store.Queued,
		Parameters: map[string]any{"n": int64(1), "f": 1.0}, Error: ptr(""), StartedAt: at(2), EndedAt: at(3), ScheduledFor: at(4),
		IsSystemWorkflow: true, IsDryRun: true, Resume: true, AllowCustomParameters: true, Force: true, WaitAfterFail: 600,
		TotalOperations: 5, FinishedOperations: 2, TokenHash: "hash-" + id, QueuedAt: at(5), GroupID: "g", Arguments: map[string]any{"path": "/x"},
	}
}

var executionTests = []test{
	{"round trip", func(s *subject) {
		e := sampleExecution("e")
		filled(s, e, "DeploymentDisplayName", "Owner", "Epoch", "LeaseUntil")
		s.write(func(tx store.Tx) error {
			claimed := e
			claimed.Owner, claimed.Epoch, claimed.LeaseUntil = "somebody", 7, at(9) // claims are made by claiming
			return tx.AddExecution(s.ctx(), claimed)
		})
		got, err := s.GetExecution(s.ctx(), "e")
		s.must(err)
		same(s, got, e)
		got, err = s.FindExecutionByToken(s.ctx(), "hash-e")
		s.must(err)
		same(s, got, e)
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddExecution(s.ctx(), e) })
		s.write(func(tx store.Tx) error {
			return tx.AddDeployment(s.ctx(), store.Deployment{Owned: owned("a", 1), ID: "d", DisplayName: "Shown"})
		})
		e = store.Execution{
			Owned: owned("a", 1), ID: "e", DeploymentID: "d", DeploymentDisplayName: "Shown", Status: store.Started, TotalOperations: 5, FinishedOperations: 2,
		}
		s.write(func(tx store.Tx) error {
			changed := e
			changed.TotalOperations, changed.FinishedOperations = 0, 0 // the counters count by themselves
			return tx.UpdateExecution(s.ctx(), changed)
		})
		got, err = s.GetExecution(s.ctx(), "e")
		s.must(err)
		same(s, got, e)
		for _, hash := range []string{"hash-e", ""} {
			_, err = s.FindExecutionByToken(s.ctx(), hash)
			s.missing(err, "Execution", "of a token")
		}
		e.ID = "none"
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UpdateExecution(s.ctx(), e) })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { _, err := tx.LockExecution(s.ctx(), "none"); return err })
	}},
	{"update keeps the claim", func(s *subject) {
		f := s.seed("a", "d", "e")
		e, err := s.GetExecution(s.ctx(), "e")
		s.must(err)
		changed := e
		changed.Owner, changed.Epoch, changed.LeaseUntil, changed.Status = "other", 9, at(999), store.Cancelling
		s.write(func(tx store.Tx) error { return tx.UpdateExecution(s.ctx(), changed) })
		e.Status = store.Cancelling
		got, err := s.GetExecution(s.ctx(), f.ExecutionID)
		s.must(err)
		same(s, got, e)
	}},
	{"filters", func(s *subject) {
		list := []store.Execution{
			{Owned: owned("a", 1), ID: "e1", WorkflowID: "install", DeploymentID: "d1", Status: store.Terminated, Error: ptr("")},
			{Owned: owned("a", 2), ID: "e2", WorkflowID: "heal", DeploymentID: "d1", Status: store.Failed, Error: ptr("boom"), EndedAt: at(50)},
			{Owned: owned("a", 3), ID: "e3", WorkflowID: "snapshot", Status: store.Queued, IsSystemWorkflow: true},
		}
		s.write(func(tx store.Tx) error {
			for _, e := range list {
				s.must(tx.AddExecution(s.ctx(), e))
			}
			return nil
		})
		for _, tt := range []struct {
			filter store.Filter
			want   string
		}{
			{field("status", "failed", "queued"), "[e2 e3]"},
			{field("status_display", "completed"), "[e1]"},
			{field("status_display", "terminated"), "[]"},
			{field("is_system_workflow", "true"), "[e3]"},
			{field("is_system_workflow", "False"), "[e1 e2]"},
			{field("is_system_workflow", "maybe"), "[]"},
			{field("deployment_id", ""), "[e3]"},
			{store.Filter{Field: "deployment_id", Op: store.IsNull}, "[e3]"},
			{store.Filter{Field: "deployment_id", Op: store.IsNotNull}, "[e1 e2]"},
			{store.Filter{Field: "error", Op: store.IsNull}, "[e1 e3]"},
			{field("error", ""), "[e1 e3]"},
			{store.Filter{Field: "error", Op: store.NotIn, Values: []string{"boom"}}, "[e1 e3]"},
			{store.Filter{Field: "ended_at", Op: store.IsNull}, "[e1 e3]"},
			{store.Filter{Field: "ended_at", Op: store.AtLeast, Values: []string{"2026-03-01T12:00:50.123456Z"}}, "[e2]"},
			{store.Filter{Field: "ended_at", Op: store.Below, Values: []string{"2026-03-01T12:00:50.123456Z"}}, "[]"},
			{store.Filter{Field: "created_at", Op: store.Below, Values: []string{"2026-03-01T14:00:03+02:00"}}, "[e1 e2]"},
			{field("created_at", "2026-03-01T12:00:01.123456Z"), "[e1]"},
		} {
			page, err := s.ListExecutions(s.ctx(), where(tt.filter))
			s.must(err)
			got := []string{}
			for _, e := range page.Items {
				got = append(got, e.ID)
			}
			if fmt.Sprint(got) != tt.want {
				s.Errorf("%+v: got %v, want %s", tt.filter, got, tt.want)
			}
		}
		_, err := s.ListExecutions(s.ctx(), where(store.Filter{Field: "created_at", Op: store.AtLeast, Values: []string{"yesterday"}}))
		if err == nil {
			s.Error("a time that is none was taken")
		}
	}},
	{"delete", func(s *subject) {
		s.seed("a", "d", "e1")
		s.seed("a", "d", "e2")
		s.graph("e1", "g1", 2)
		s.write(func(tx store.Tx) error { return tx.AddEvents(s.ctx(), []store.Event{{ExecutionID: "e1"}}) })
		s.write(func(tx store.Tx) error { return tx.DeleteExecutions(s.ctx(), []string{"e1", "none"}) })
		_, err := s.GetExecution(s.ctx(), "e1")
		s.missing(err, "Execution", "e1")
		_, err = s.GetOperation(s.ctx(), "g1-0")
		s.missing(err, "Operation", "g1-0")
		_, err = s.GetExecution(s.ctx(), "e2")
		s.must(err)
	}},
}
