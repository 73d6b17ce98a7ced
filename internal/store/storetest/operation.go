package storetest

import (
	"fmt"

	"windlass/internal/store"
)

const nop = "NOPLocalWorkflowTask"

func (s *subject) counters(execution string, total, finished int) {
	s.Helper()
	e, err := s.GetExecution(s.ctx(), execution)
	s.must(err)
	if e.TotalOperations != total || e.FinishedOperations != finished {
		s.Fatalf("got %d of %d operations finished, want %d of %d", e.FinishedOperations, e.TotalOperations, finished, total)
	}
}

var operationTests = []test{
	{"round trip", func(s *subject) {
		s.seed("a", "d", "e")
		op := store.Operation{
			ID: "o", GraphID: "g", ExecutionID: "e", Position: 3, Name: "p.m.f", Type: "RemoteWorkflowTask", State: "succeeded",
			Dependencies: []string{"x", "y"}, Parameters: map[string]any{"n": int64(1), "f": 1.0}, Result: map[string]any{"r": int64(2)},
			Error: "no", CreatedAt: at(2), ManagerName: "m", AgentName: "ag",
		}
		filled(s, op)
		g := store.Graph{ID: "g", ExecutionID: "e", Name: "install", CreatedAt: at(1)}
		filled(s, g)
		s.write(func(tx store.Tx) error { return tx.AddGraph(s.ctx(), g, []store.Operation{op}) })
		gotGraph, err := s.GetGraph(s.ctx(), "e", "install")
		s.must(err)
		same(s, gotGraph, g)
		got, err := s.GetOperation(s.ctx(), "o")
		s.must(err)
		same(s, got, op)
		_, err = s.GetGraph(s.ctx(), "e", "other")
		s.missing(err, "TasksGraph", "other")
		_, err = s.GetOperation(s.ctx(), "none")
		s.missing(err, "Operation", "none")
		s.refused(store.ErrExists, func(tx store.Tx) error {
			return tx.AddGraph(s.ctx(), store.Graph{ID: "g2", ExecutionID: "e", Name: "install"}, nil)
		})
		s.refused(store.ErrExists, func(tx store.Tx) error {
			return tx.AddGraph(s.ctx(), store.Graph{ID: "g2", ExecutionID: "e", Name: "second"}, []store.Operation{{ID: "o"}})
		})
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.AddGraph(s.ctx(), store.Graph{ID: "g3", ExecutionID: "none"}, nil) })
		s.counters("e", 1, 1)
		op.State, op.Result, op.Parameters, op.Error, op.Dependencies = "pending", nil, map[string]any{}, "", []string{"another"}
		s.write(func(tx store.Tx) error { return tx.UpdateOperation(s.ctx(), op) })
		got, err = s.GetOperation(s.ctx(), "o")
		s.must(err)
		same(s, got, op)
		s.counters("e", 1, 0)
		op.Parameters = map[string]any{"k": int64(1)}
		s.write(func(tx store.Tx) error { return tx.UpdateOperationParameters(s.ctx(), "o", op.Parameters) })
		got, err = s.GetOperation(s.ctx(), "o")
		s.must(err)
		same(s, got, op)
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UpdateOperationParameters(s.ctx(), "none", nil) })
		s.write(func(tx store.Tx) error { return tx.DeleteOperation(s.ctx(), "o") })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.DeleteOperation(s.ctx(), "o") })
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.UpdateOperation(s.ctx(), op) })
	}},
	{"counters leave out what does nothing", func(s *subject) {
		s.seed("a", "d", "e")
		s.write(func(tx store.Tx) error {
			return tx.AddGraph(s.ctx(), store.Graph{ID: "g", ExecutionID: "e", Name: "g"}, []store.Operation{
				{ID: "1", Type: "SubgraphTask", State: "pending"}, {ID: "2", Type: nop, State: "succeeded"},
				{ID: "3", Type: "RemoteWorkflowTask", State: "rescheduled"}, {ID: "4", Type: nop, State: "pending"},
			})
		})
		s.counters("e", 2, 1)
		for _, tt := range []struct {
			id, state string
			finished  int
		}{{"1", "started", 1}, {"1", "failed", 2}, {"1", "succeeded", 2}, {"4", "succeeded", 2}, {"3", "pending", 1}} {
			s.write(func(tx store.Tx) error {
				op, err := tx.GetOperation(s.ctx(), tt.id)
				if err != nil {
					return err
				}
				op.State = tt.state
				return tx.UpdateOperation(s.ctx(), op)
			})
			s.counters("e", 2, tt.finished)
		}
	}},
	{"lists", func(s *subject) {
		s.seed("a", "d", "e1")
		s.seed("a", "d", "e2")
		s.graph("e1", "g1", 300)
		s.graph("e2", "g2", 2)
		for _, name := range []string{"graph_id", "tasks_graph_id"} {
			page, err := s.ListOperations(s.ctx(), store.Query{Filters: []store.Filter{field(name, "g1")}, Limit: 10, Offset: 295})
			s.must(err)
			same(s, page.Total, 300)
			for i, op := range page.Items {
				same(s, op.ID, fmt.Sprintf("g1-%d", 295+i))
			}
		}
		page, err := s.ListOperations(s.ctx(), where(field("execution_id", "e2"), field("state", "pending"), field("type", "RemoteWorkflowTask")))
		s.must(err)
		same(s, page.Total, 2)
		graphs, err := s.ListGraphs(s.ctx(), where(field("execution_id", "e2")))
		s.must(err)
		same(s, graphs.Items, []store.Graph{{ID: "g2", ExecutionID: "e2", Name: "g2"}})
		decision := store.Graph{ID: "g3", ExecutionID: "e2", Name: store.DecisionPrefix + "which"}
		s.write(func(tx store.Tx) error { return tx.AddGraph(s.ctx(), decision, nil) })
		graphs, err = s.ListGraphs(s.ctx(), where(field("execution_id", "e2"), field("is_decision", "false")))
		s.must(err)
		same(s, graphs.Items, []store.Graph{{ID: "g2", ExecutionID: "e2", Name: "g2"}})
		graphs, err = s.ListGraphs(s.ctx(), where(field("execution_id", "e2"), field("is_decision", "true")))
		s.must(err)
		same(s, graphs.Items, []store.Graph{decision})
	}},
}
