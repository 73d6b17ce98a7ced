package storetest

import (
	"time"

	"windlass/internal/store"
)

func sampleApproval(id string) store.Approval {
	at := time.UnixMicro(1_700_000_000_123_456).UTC()
	return store.Approval{
		Owned: store.Owned{Tenant: "a", Visibility: store.Tenants, CreatedBy: "jo", CreatedAt: at},
		ID:    id, ExecutionID: "e", DeploymentID: "d", OperationID: "op-" + id, NodeID: "gate", InstanceID: "gate_1",
		OperationName: "cloudify.interfaces.lifecycle.create", Question: "Go on?", Details: map[string]any{"cost": 2.0},
		Approvers: []string{"ann", "role:manager"}, NotByStarter: true, ExpiresAt: at.Add(time.Hour), ApproveOnExpiry: true,
		Status: store.ApprovalRefused, DecidedBy: "ann", DecidedAt: at.Add(time.Minute), Comment: "no",
	}
}

var approvalTests = []test{
	{"round trip", func(s *subject) {
		full := sampleApproval("1")
		filled(s, full)
		bare := store.Approval{
			Owned: store.Owned{Tenant: "a", CreatedAt: full.CreatedAt.Add(time.Second)}, ID: "2", OperationID: "op-2", Status: store.ApprovalWaiting,
		}
		for _, one := range []store.Approval{full, bare} {
			s.write(func(tx store.Tx) error { return tx.AddApproval(s.ctx(), one) })
			got, err := s.GetApproval(s.ctx(), "a", one.ID)
			s.must(err)
			same(s, got, one)
			got, err = s.GetOperationApproval(s.ctx(), one.OperationID)
			s.must(err)
			same(s, got, one)
		}
		again := bare
		again.ID = "3" // the same attempt
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddApproval(s.ctx(), again) })
		page, err := s.ListApprovals(s.ctx(), store.Query{Filters: []store.Filter{{Field: "status", Values: []string{"waiting"}}}})
		s.must(err)
		same(s, page, store.Page[store.Approval]{Items: []store.Approval{bare}, Total: 1})
		_, err = s.GetApproval(s.ctx(), "b", "1")
		s.missing(err, "Approval", "1")
		_, err = s.GetOperationApproval(s.ctx(), "no")
		s.missing(err, "Approval", "no")
	}},
	{"is answered once", func(s *subject) {
		one := sampleApproval("1")
		one.Status, one.DecidedBy, one.DecidedAt, one.Comment = store.ApprovalWaiting, "", time.Time{}, ""
		s.write(func(tx store.Tx) error { return tx.AddApproval(s.ctx(), one) })
		answer := one
		answer.Status, answer.DecidedBy, answer.DecidedAt, answer.Comment = store.ApprovalGiven, "ann", one.ExpiresAt, "yes"
		s.write(func(tx store.Tx) error { return tx.DecideApproval(s.ctx(), answer) })
		late := answer
		late.Status = store.ApprovalRefused
		s.refused(store.ErrVersion, func(tx store.Tx) error { return tx.DecideApproval(s.ctx(), late) })
		s.write(func(tx store.Tx) error { return tx.WithdrawApprovals(s.ctx(), "e", one.ExpiresAt) })
		got, err := s.GetApproval(s.ctx(), "a", "1")
		s.must(err)
		same(s, got, answer)
	}},
	{"is asked for again once it is answered", func(s *subject) {
		one := sampleApproval("1")
		two := one
		two.ID, two.Status = "2", store.ApprovalWaiting
		for _, a := range []store.Approval{one, two} {
			s.write(func(tx store.Tx) error { return tx.AddApproval(s.ctx(), a) })
		}
		got, err := s.GetOperationApproval(s.ctx(), "op-1")
		s.must(err)
		same(s, got, two)
	}},
	{"is withdrawn, and goes, with its execution", func(s *subject) {
		e := store.Execution{Owned: store.Owned{Tenant: "a", CreatedAt: time.UnixMicro(1).UTC()}, ID: "e", WorkflowID: "w", Status: store.Started}
		s.write(func(tx store.Tx) error { return tx.AddExecution(s.ctx(), e) })
		mine, other := sampleApproval("1"), sampleApproval("2")
		other.ExecutionID = "another"
		for _, one := range []*store.Approval{&mine, &other} {
			one.Status, one.DecidedBy, one.DecidedAt, one.Comment = store.ApprovalWaiting, "", time.Time{}, ""
			s.write(func(tx store.Tx) error { return tx.AddApproval(s.ctx(), *one) })
		}
		s.write(func(tx store.Tx) error { return tx.WithdrawApprovals(s.ctx(), "e", mine.ExpiresAt) })
		mine.Status, mine.DecidedAt = store.ApprovalWithdrawn, mine.ExpiresAt
		for _, one := range []store.Approval{mine, other} {
			got, err := s.GetApproval(s.ctx(), "a", one.ID)
			s.must(err)
			same(s, got, one)
		}
		s.write(func(tx store.Tx) error { return tx.DeleteExecutions(s.ctx(), []string{"e"}) })
		_, err := s.GetApproval(s.ctx(), "a", "1")
		s.missing(err, "Approval", "1")
	}},
}
