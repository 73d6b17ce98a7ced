package storetest

import (
	"fmt"
	"time"

	"windlass/internal/store"
)

var journalTests = []test{
	{"all parts of a batch", func(s *subject) {
		f := s.seed("a", "d", "e")
		s.graph("e", "g", 4)
		s.instances("a", "d", "vm", 2)
		s.write(func(tx store.Tx) error {
			return tx.Journal(s.ctx(), f, store.JournalBatch{
				Added: []store.Operation{
					{ID: "retry", GraphID: "g", Position: 4, Type: "RemoteWorkflowTask", State: "pending"}, {ID: "nop", GraphID: "g", Position: 5, Type: nop},
				},
				Changed: []store.OperationChange{
					{ID: "g-0", Type: "RemoteWorkflowTask", State: "succeeded", Result: []any{int64(1), 1.0}},
					{ID: "g-1", Type: "RemoteWorkflowTask", State: "failed", Result: "dropped", Error: "boom", Parameters: map[string]any{"error": "boom"}},
					{ID: "retry", Type: "RemoteWorkflowTask", State: "sending"},
				},
				InstanceStates: []store.InstanceState{{Tenant: "a", InstanceID: "vm_0", State: "creating"}},
				Events:         []store.Event{{Message: "one"}, {ExecutionID: "e", Type: store.TypeLog, Level: "info", Message: "two"}},
			})
		})
		s.counters("e", 5, 2)
		page, err := s.ListOperations(s.ctx(), where(field("graph_id", "g")))
		s.must(err)
		type row struct {
			ID, State, Error string
			Result           any
			Parameters       map[string]any
		}
		var got []row
		for _, op := range page.Items {
			got = append(got, row{op.ID, op.State, op.Error, op.Result, op.Parameters})
		}
		same(s, got, []row{
			{"g-0", "succeeded", "", []any{int64(1), 1.0}, map[string]any{"n": int64(0)}},
			{"g-1", "failed", "boom", nil, map[string]any{"error": "boom"}},
			{"g-2", "pending", "", nil, map[string]any{"n": int64(2)}},
			{"g-3", "pending", "", nil, map[string]any{"n": int64(3)}},
			{"retry", "sending", "", nil, nil},
			{"nop", "", "", nil, nil},
		})
		events, err := s.TailEvents(s.ctx(), "e", 0, 10)
		s.must(err)
		if len(events) != 2 || events[0].Seq != 1 || events[1].Seq != 2 || events[1].Message != "two" || events[1].Type != store.TypeLog {
			s.Errorf("got events %+v", events)
		}
		n, err := s.GetInstance(s.ctx(), "a", "vm_0")
		s.must(err)
		if n.State != "creating" || n.Version != 2 || n.SystemProperties != nil {
			s.Errorf("got instance %+v", n)
		}
	}},
	{"a task ends once", func(s *subject) {
		f := s.seed("a", "d", "e")
		s.graph("e", "g", 2)
		for _, tt := range []struct {
			changes  []string // states of g-0, in one batch
			finished int
		}{
			{[]string{"sending", "sent"}, 0}, {[]string{"started", "succeeded"}, 1}, {[]string{"succeeded"}, 1}, {[]string{"failed"}, 1},
			{[]string{"pending"}, 0}, {[]string{"failed", "pending", "succeeded"}, 1},
		} {
			var b store.JournalBatch
			for _, state := range tt.changes {
				b.Changed = append(b.Changed, store.OperationChange{ID: "g-0", Type: "RemoteWorkflowTask", State: state, Result: state})
			}
			s.write(func(tx store.Tx) error { return tx.Journal(s.ctx(), f, b) })
			s.counters("e", 2, tt.finished)
			op, err := s.GetOperation(s.ctx(), "g-0")
			s.must(err)
			same(s, op.State, tt.changes[len(tt.changes)-1])
		}
		s.write(func(tx store.Tx) error { // added and ended in one batch, and once more
			return tx.Journal(s.ctx(), f, store.JournalBatch{
				Added:   []store.Operation{{ID: "x", GraphID: "g", Type: "T", State: "failed"}, {ID: "y", GraphID: "g", Type: "T"}},
				Changed: []store.OperationChange{{ID: "x", Type: "T", State: "succeeded"}, {ID: "y", Type: "T", State: "succeeded"}},
			})
		})
		s.counters("e", 4, 3)
	}},
	{"large batches", func(s *subject) {
		f := s.seed("a", "d", "e")
		const n = 1001
		s.graph("e", "g", n)
		s.instances("a", "d", "vm", n)
		var b store.JournalBatch
		for i := range n {
			b.Added = append(b.Added, store.Operation{ID: fmt.Sprint("more-", i), GraphID: "g", Position: n + i, Type: "T", State: "pending"})
			b.Changed = append(b.Changed, store.OperationChange{ID: fmt.Sprint("g-", i), Type: "T", State: "succeeded"})
			b.InstanceStates = append(b.InstanceStates, store.InstanceState{Tenant: "a", InstanceID: fmt.Sprint("vm_", i), State: "creating"})
			b.Events = append(b.Events, store.Event{Message: fmt.Sprint(i)})
		}
		s.write(func(tx store.Tx) error { return tx.Journal(s.ctx(), f, b) })
		s.counters("e", 2*n, n)
		events, err := s.TailEvents(s.ctx(), "e", 0, 2*n)
		s.must(err)
		same(s, len(events), n)
		for i, e := range events {
			if e.Seq != int64(i+1) || e.Message != fmt.Sprint(i) {
				s.Fatalf("event %d is number %d, %q", i, e.Seq, e.Message)
			}
		}
		page, err := s.ListInstances(s.ctx(), store.Query{Filters: []store.Filter{field("state", "creating")}, Limit: 1})
		s.must(err)
		same(s, page.Total, n)
	}},
	{"states that change system properties", func(s *subject) {
		f := s.seed("a", "d", "e")
		s.instances("a", "d", "vm", 1)
		drifted := map[string]any{"ok": false, "result": "changed"}
		s.write(func(tx store.Tx) error {
			_, err := tx.UpdateInstance(s.ctx(), store.InstanceUpdate{Tenant: "a", ID: "vm_0", Version: 1, SystemProperties: map[string]any{
				"configuration_drift": drifted, "status": map[string]any{"ok": false}, "previous_status": "x", "kept": int64(1),
			}})
			return err
		})
		journal := func(states ...string) store.NodeInstance {
			var b store.JournalBatch
			for _, state := range states {
				b.InstanceStates = append(b.InstanceStates, store.InstanceState{Tenant: "a", InstanceID: "vm_0", State: state})
			}
			s.write(func(tx store.Tx) error { return tx.Journal(s.ctx(), f, b) })
			n, err := s.GetInstance(s.ctx(), "a", "vm_0")
			s.must(err)
			for _, key := range []string{"configuration_drift", "status"} {
				if entry, is := n.SystemProperties[key].(map[string]any); is && entry["timestamp"] != nil {
					if _, err := time.Parse("2006-01-02T15:04:05.000Z", entry["timestamp"].(string)); err != nil {
						s.Errorf("timestamp of %s: %v", key, err)
					}
					entry["timestamp"] = "now"
				}
			}
			return n
		}
		fine := map[string]any{"ok": true, "result": nil, "task": nil, "timestamp": "now"}
		n := journal("configuring")
		same(s, n.SystemProperties["configuration_drift"], any(drifted))
		n = journal("configured")
		same(s, n.SystemProperties, map[string]any{
			"configuration_drift": fine, "status": map[string]any{"ok": false}, "previous_status": "x", "kept": int64(1),
		})
		n = journal("starting", "started", "stopping")
		same(s, n.SystemProperties, map[string]any{"configuration_drift": fine, "status": fine, "previous_status": nil, "kept": int64(1)})
		same(s, n.State, "stopping")
		same(s, n.Version, 7)
		page, err := s.ListInstances(s.ctx(), where(field("is_status_check_ok", "true"), field("has_configuration_drift", "false")))
		s.must(err)
		same(s, page.Total, 1)
	}},
	{"nothing is kept of a batch that fails", func(s *subject) {
		f := s.seed("a", "d", "e")
		s.graph("e", "g", 1)
		good := func() store.JournalBatch {
			return store.JournalBatch{
				Changed: []store.OperationChange{{ID: "g-0", Type: "T", State: "succeeded"}}, Events: []store.Event{{Message: "m"}},
			}
		}
		for name, spoil := range map[string]func(b *store.JournalBatch){
			"operation": func(b *store.JournalBatch) {
				b.Changed = append(b.Changed, store.OperationChange{ID: "none", State: "sent"})
			},
			"instance": func(b *store.JournalBatch) {
				b.InstanceStates = []store.InstanceState{{Tenant: "a", InstanceID: "none", State: "x"}}
			},
			"started": func(b *store.JournalBatch) {
				b.InstanceStates = []store.InstanceState{{Tenant: "a", InstanceID: "none", State: "started"}}
			},
			"graph": func(b *store.JournalBatch) { b.Added = []store.Operation{{ID: "x", GraphID: "none"}} },
		} {
			b := good()
			spoil(&b)
			s.Log(name)
			s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.Journal(s.ctx(), f, b) })
		}
		b := good()
		b.Added = []store.Operation{{ID: "g-0", GraphID: "g"}}
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.Journal(s.ctx(), f, b) })
		b = good()
		b.Events[0].ExecutionID = "other"
		if err := s.Write(s.ctx(), func(tx store.Tx) error { return tx.Journal(s.ctx(), f, b) }); err == nil {
			s.Error("an event of another execution was taken")
		}
		s.counters("e", 1, 0)
		events, err := s.TailEvents(s.ctx(), "e", 0, 10)
		s.must(err)
		same(s, len(events), 0)
		s.write(func(tx store.Tx) error { return tx.Journal(s.ctx(), f, good()) })
		events, err = s.TailEvents(s.ctx(), "e", 0, 10)
		s.must(err)
		same(s, events[0].Seq, int64(1))
	}},
}
