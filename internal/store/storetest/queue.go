package storetest

import (
	"fmt"

	"windlass/internal/store"
)

// waiting adds executions as they stand in a queue, one second after the other.
func (s *subject) waiting(list ...store.Execution) {
	s.Helper()
	s.write(func(tx store.Tx) error {
		for i, e := range list {
			tenant := e.Tenant
			if tenant == "" {
				tenant = "a"
			}
			e.Owned = owned(tenant, i)
			if e.WorkflowID == "" {
				e.WorkflowID = "install"
			}
			if e.Status == "" {
				e.Status = store.Queued
			}
			if err := tx.AddExecution(s.ctx(), e); err != nil {
				return err
			}
		}
		return nil
	})
}

func idsOf(list []store.Execution) []string {
	ids := []string{}
	for _, e := range list {
		ids = append(ids, e.ID)
	}
	return ids
}

var queueTests = []test{
	{"who is next", func(s *subject) {
		s.waiting(
			store.Execution{ID: "ended", DeploymentID: "d", Status: store.Terminated},
			store.Execution{ID: "wide", IsSystemWorkflow: true},
			store.Execution{ID: "d1", DeploymentID: "d"},
			store.Execution{ID: "d2", DeploymentID: "d"},
			store.Execution{ID: "e1", DeploymentID: "e", GroupID: "g"},
			store.Execution{ID: "other", Owned: store.Owned{Tenant: "b"}, DeploymentID: "d"},
			store.Execution{ID: "none"},
		)
		d, e := store.DeploymentKey{Tenant: "a", ID: "d"}, store.DeploymentKey{Tenant: "a", ID: "e"}
		for i, one := range []struct {
			busy []store.DeploymentKey
			full []string
			want string
		}{
			{nil, nil, "d1"},
			{[]store.DeploymentKey{e}, []string{"g"}, "d1"},
			{[]store.DeploymentKey{d}, nil, "e1"},
			{[]store.DeploymentKey{d}, []string{"g"}, "other"},
			{[]store.DeploymentKey{d, e}, []string{"h"}, "other"},
			{[]store.DeploymentKey{d, e, {Tenant: "b", ID: "d"}}, nil, "none"},
		} {
			got, err := s.NextQueued(s.ctx(), one.busy, one.full)
			s.must(err)
			if got.ID != one.want {
				s.Errorf("case %d: %s is next, want %s", i, got.ID, one.want)
			}
		}
		s.write(func(tx store.Tx) error {
			return tx.DeleteExecutions(s.ctx(), []string{"d1", "d2", "e1", "other", "none"})
		})
		_, err := s.NextQueued(s.ctx(), nil, nil)
		s.missing(err, "Execution", "next in the queue")
	}},
	{"who is next behind many", func(s *subject) {
		many := make([]store.Execution, 600)
		for i := range many {
			many[i] = store.Execution{ID: fmt.Sprint("busy", i), DeploymentID: fmt.Sprint("d", i%3)}
			if i%2 == 0 {
				many[i] = store.Execution{ID: fmt.Sprint("full", i), DeploymentID: fmt.Sprint("x", i%5), GroupID: "g"}
			}
		}
		s.waiting(append(many, store.Execution{ID: "member", DeploymentID: "y", GroupID: "h"}, store.Execution{ID: "last", DeploymentID: "z"})...)
		busy := []store.DeploymentKey{{Tenant: "a", ID: "d0"}, {Tenant: "a", ID: "d1"}, {Tenant: "a", ID: "d2"}}
		next := func(full ...string) string {
			e, err := s.NextQueued(s.ctx(), busy, full)
			s.must(err)
			return e.ID
		}
		same(s, next("g"), "member")
		same(s, next("g", "h"), "last")
		same(s, next("h"), "full0")
		busy = append(busy, store.DeploymentKey{Tenant: "a", ID: "z"})
		_, err := s.NextQueued(s.ctx(), busy, []string{"g", "h"})
		s.missing(err, "Execution", "next in the queue")
	}},
	{"who is in the way", func(s *subject) {
		s.waiting(
			store.Execution{ID: "active", DeploymentID: "d", Status: store.Started},
			store.Execution{ID: "beside", DeploymentID: "e", Status: store.Cancelling},
			store.Execution{ID: "wide", IsSystemWorkflow: true, Status: store.Pending},
			store.Execution{ID: "q1", DeploymentID: "d"}, store.Execution{ID: "q2", DeploymentID: "d"}, store.Execution{ID: "q3", DeploymentID: "e"},
			store.Execution{ID: "w1", IsSystemWorkflow: true}, store.Execution{ID: "w2", IsSystemWorkflow: true},
			store.Execution{ID: "ended", DeploymentID: "d", Status: store.Failed},
		)
		d := store.DeploymentKey{Tenant: "a", ID: "d"}
		got := func(list []store.Execution, err error) string { s.must(err); return fmt.Sprint(idsOf(list)) }
		beside, err := s.ExecutionsBeside(s.ctx(), d, 10)
		same(s, got(beside.Active, err), "[active wide]")
		same(s, got(beside.SystemWide, err), "[w1 w2]")
		same(s, got(beside.Queued, err), "[q1 q2]")
		beside, err = s.ExecutionsBeside(s.ctx(), d, 1)
		same(s, got(beside.Queued, err), "[q1]")
		wide, others, err := s.HeadOfQueue(s.ctx(), 2)
		same(s, got(wide, err), "[w1 w2]")
		same(s, got(others, err), "[q1 q2]")
		same(s, got(s.ActiveExecutions(s.ctx(), 0)), "[active beside wide]")
		same(s, got(s.ActiveExecutions(s.ctx(), 2)), "[active beside]")
	}},
}
