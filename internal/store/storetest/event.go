package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"windlass/internal/store"
)

func sampleEvent(execution string) store.Event {
	return store.Event{
		Type: store.TypeEvent, ExecutionID: execution, ExecutionGroupID: "eg", Tenant: "a", Timestamp: at(5), ReportedTimestamp: at(4),
		EventType: "task_failed", Level: "error", Logger: "ctx.x", Message: "Ünïcödé 🚢", MessageCode: "c", Operation: "cloudify.interfaces.lifecycle.create",
		NodeID: "vm_0", SourceID: "s_1", TargetID: "t_1", ErrorCauses: []store.ErrorCause{{Message: "m", Type: "T", Traceback: "a\nb"}},
		ManagerName: "m", AgentName: "ag",
	}
}

func messages(s *subject, q store.Query) (list []string, total int) {
	s.Helper()
	page, err := s.ListEvents(s.ctx(), q)
	s.must(err)
	list = []string{}
	for _, e := range page.Items {
		list = append(list, e.Message)
	}
	return list, page.Total
}

var eventTests = []test{
	{"round trip", func(s *subject) {
		s.seed("a", "d", "e")
		s.instances("a", "d", "vm", 1)
		want := sampleEvent("e")
		s.write(func(tx store.Tx) error { return tx.AddEvents(s.ctx(), []store.Event{want}) })
		want.WorkflowID, want.DeploymentID, want.DeploymentDisplayName, want.BlueprintID, want.NodeName = "install", "d", "d shown", "bp", "vm"
		want.Seq = 1
		for name, list := range map[string]func() ([]store.Event, error){
			"tail": func() ([]store.Event, error) { return s.TailEvents(s.ctx(), "e", 0, 5) },
			"list": func() ([]store.Event, error) { p, err := s.ListEvents(s.ctx(), store.Query{}); return p.Items, err },
			"page": func() ([]store.Event, error) {
				p, err := s.ListEvents(s.ctx(), store.Query{Limit: 3, Filters: []store.Filter{field("execution_id", "e")}})
				return p.Items, err
			},
		} {
			got, err := list()
			s.must(err)
			if len(got) != 1 || got[0].StorageID == 0 {
				s.Fatalf("%s: got %+v", name, got)
			}
			want.StorageID = got[0].StorageID
			filled(s, got[0])
			same(s, got[0], want)
		}
		s.write(func(tx store.Tx) error { return tx.DeleteInstances(s.ctx(), "a", []string{"vm_0"}) })
		got, err := s.TailEvents(s.ctx(), "e", 0, 5)
		s.must(err)
		same(s, got[0].NodeName, "vm") // as the instance's id tells
	}},
	{"defaults and unfit characters", func(s *subject) {
		s.seed("a", "d", "e")
		before := time.Now().Truncate(time.Microsecond)
		s.write(func(tx store.Tx) error {
			return tx.AddEvents(s.ctx(), []store.Event{{Type: store.TypeLog, ExecutionID: "e", Message: "a\x00b\xffc"}})
		})
		got, err := s.TailEvents(s.ctx(), "e", 0, 5)
		s.must(err)
		e := got[0]
		if e.Timestamp.Before(before) || e.Timestamp.After(time.Now()) || !e.ReportedTimestamp.Equal(e.Timestamp) {
			s.Errorf("got times %v and %v", e.Timestamp, e.ReportedTimestamp)
		}
		same(s, e.Message, "a<NUL>b\ufffdc")
		s.missing(s.Write(s.ctx(), func(tx store.Tx) error { return tx.AddEvents(s.ctx(), []store.Event{{ExecutionID: "none"}}) }), "Execution", "none")
		s.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.AddEvents(s.ctx(), []store.Event{{}}) })
	}},
	{"numbers are dense under concurrent writers, and a tail misses none", func(s *subject) {
		const writers, each = 12, 40
		f := s.seed("a", "d", "e")
		s.seed("a", "d", "other")
		errs := make(chan error, writers)
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for i := range each {
					err := s.Write(s.ctx(), func(tx store.Tx) error {
						m := fmt.Sprintf("%d.%d", w, i)
						if w%2 == 0 {
							return tx.Journal(s.ctx(), f, store.JournalBatch{Events: []store.Event{{Message: m}, {Message: m + "b"}}})
						}
						return tx.AddEvents(s.ctx(), []store.Event{{ExecutionID: "other"}, {ExecutionID: "e", Message: m}, {ExecutionID: "e", Message: m + "b"}})
					})
					if err == nil && i%10 == 0 { // what fails takes no number
						err = s.Write(s.ctx(), func(tx store.Tx) error {
							s.must(tx.AddEvents(s.ctx(), []store.Event{{ExecutionID: "e", Message: "undone"}}))
							return store.ErrVersion
						})
						if errors.Is(err, store.ErrVersion) {
							err = nil
						}
					}
					if err != nil {
						errs <- err
						return
					}
				}
			})
		}
		stopped := make(chan struct{})
		go func() { all.Wait(); close(stopped) }()
		seen, last := map[string]bool{}, int64(0)
		for done := false; !done; {
			select {
			case <-stopped:
				done = true // look once more
			default:
			}
			for {
				got, err := s.TailEvents(s.ctx(), "e", last, 7)
				s.must(err)
				for _, e := range got {
					if e.Seq != last+1 || seen[e.Message] || e.Message == "undone" {
						s.Fatalf("after number %d came %d, %q", last, e.Seq, e.Message)
					}
					last, seen[e.Message] = e.Seq, true
				}
				if len(got) == 0 {
					break
				}
			}
		}
		select {
		case err := <-errs:
			s.Fatal(err)
		default:
		}
		same(s, last, int64(writers*each*2))
	}},
	{"filters, sorting and totals", func(s *subject) {
		s.seed("a", "d1", "e1")
		s.seed("a", "d2", "e2")
		s.seed("b", "d1", "e3")
		s.instances("a", "d1", "vm", 1)
		s.write(func(tx store.Tx) error {
			return tx.AddEvents(s.ctx(), []store.Event{
				{ExecutionID: "e1", Message: "1", Timestamp: at(1), ReportedTimestamp: at(9), NodeID: "vm_0", EventType: "task_failed", Operation: "x.create"},
				{ExecutionID: "e1", Message: "2", Timestamp: at(2), ReportedTimestamp: at(8), Type: store.TypeLog, Level: "info"},
				{ExecutionID: "e1", Message: "3", Timestamp: at(2), ReportedTimestamp: at(7), Type: store.TypeLog, Level: "debug"},
				{ExecutionID: "e2", Message: "4", Timestamp: at(0), ReportedTimestamp: at(6)},
				{ExecutionID: "e3", Message: "5", Timestamp: at(5), ReportedTimestamp: at(5), ExecutionGroupID: "eg"},
			})
		})
		for _, tt := range []struct {
			name  string
			query store.Query
			want  string
			total int
		}{
			{"by time", store.Query{}, "[4 1 2 3 5]", 5},
			{"newest first", store.Query{Sort: []store.SortKey{{Field: "timestamp", Descending: true}}}, "[5 3 2 1 4]", 5},
			{"reported", store.Query{Sort: []store.SortKey{{Field: "reported_timestamp"}}, Limit: 2}, "[5 4]", 5},
			{"tenant", store.Query{Tenants: []string{"a"}, Limit: 1, Offset: 1}, "[1]", 4},
			{"execution", store.Query{Filters: []store.Filter{field("execution_id", "e1")}, Limit: 2}, "[1 2]", 3},
			{"execution, reported", store.Query{Filters: []store.Filter{field("execution_id", "e1")}, Sort: []store.SortKey{{Field: "reported_timestamp"}}}, "[3 2 1]", 3},
			{"executions", store.Query{Filters: []store.Filter{field("execution_id", "e3", "e2")}, Limit: 1}, "[4]", 2},
			{"unknown execution", where(field("execution_id", "e9")), "[]", 0},
			{"other tenant's execution", store.Query{Tenants: []string{"a"}, Filters: []store.Filter{field("execution_id", "e3")}}, "[]", 0},
			{"deployment", store.Query{Filters: []store.Filter{field("deployment_id", "d1")}, Limit: 3}, "[1 2 3]", 4},
			{"deployment in tenant", store.Query{Tenants: []string{"b"}, Filters: []store.Filter{field("deployment_id", "d1")}, Limit: 1}, "[5]", 1},
			{"logs", store.Query{Filters: []store.Filter{field("type", store.TypeLog)}, Limit: 1}, "[2]", 2},
			{"events", store.Query{Filters: []store.Filter{field("type", store.TypeEvent)}, Limit: 1}, "[4]", 3},
			{"both", store.Query{Filters: []store.Filter{field("type", store.TypeEvent, store.TypeLog)}, Limit: 1}, "[4]", 5},
			{"neither", store.Query{Filters: []store.Filter{field("type", "x")}, Limit: 1}, "[]", 0},
			{"beyond the end", store.Query{Limit: 5, Offset: 9}, "[]", 5},
			{"level", store.Query{Filters: []store.Filter{field("level", "info", "error")}, Limit: 1}, "[2]", 1},
			{"node", where(field("node_id", "vm")), "[1]", 1},
			{"node instance", where(field("node_instance_id", "vm_0")), "[1]", 1},
			{"group", where(field("execution_group_id", "eg")), "[5]", 1},
			{"workflow", store.Query{Filters: []store.Filter{field("workflow_id", "install")}, Limit: 2}, "[4 1]", 5},
			{"operation pattern", where(store.Filter{Field: "operation", Op: store.Like, Values: []string{"%CREATE"}}), "[1]", 1},
			{"range", store.Query{Filters: []store.Filter{
				{Field: "timestamp", Op: store.AtLeast, Values: []string{at(1).Format(time.RFC3339Nano)}},
				{Field: "timestamp", Op: store.Below, Values: []string{at(5).Format(time.RFC3339Nano)}},
			}, Limit: 1}, "[1]", 3},
		} {
			got, total := messages(s, tt.query)
			if fmt.Sprint(got) != tt.want || total != tt.total {
				s.Errorf("%s: got %v of %d, want %s of %d", tt.name, got, total, tt.want, tt.total)
			}
		}
		for _, name := range []string{"x", "storage_id"} {
			if _, err := s.ListEvents(s.ctx(), where(field("execution_id", "e1"), field(name))); !errors.Is(err, store.ErrBadQuery) {
				s.Errorf("%s: got error %v, want a bad query", name, err)
			}
		}
	}},
	{"private executions", func(s *subject) {
		s.write(func(tx store.Tx) error {
			o := owned("a", 0)
			o.Visibility = store.Private
			s.must(tx.AddExecution(s.ctx(), store.Execution{Owned: o, ID: "e"}))
			return tx.AddEvents(s.ctx(), []store.Event{{ExecutionID: "e", Message: "m"}})
		})
		for viewer, want := range map[string]int{"": 1, "admin": 1, "jo": 0} {
			got, total := messages(s, store.Query{Tenants: []string{"a"}, Viewer: viewer, Limit: 1, Filters: []store.Filter{field("execution_id", "e")}})
			if len(got) != want || total != want {
				s.Errorf("%q sees %v of %d, want %d", viewer, got, total, want)
			}
		}
	}},
	{"delete", func(s *subject) {
		s.seed("a", "d1", "e1")
		s.seed("a", "d2", "e2")
		s.seed("b", "d1", "e3")
		s.write(func(tx store.Tx) error {
			for _, e := range []string{"e1", "e2", "e3"} {
				for i := range 6 {
					kind := store.TypeEvent
					if i%2 == 1 {
						kind = store.TypeLog
					}
					s.must(tx.AddEvents(s.ctx(), []store.Event{{ExecutionID: e, Type: kind, Timestamp: at(i)}}))
				}
			}
			return nil
		})
		for _, tt := range []struct {
			types  []string
			before time.Time
			want   int
			left   int
		}{
			{[]string{"x"}, time.Time{}, 0, 6},
			{[]string{store.TypeLog}, at(3), 1, 5},
			{nil, at(3), 2, 3},
			{[]string{store.TypeEvent, store.TypeLog}, at(4), 1, 2},
			{nil, time.Time{}, 2, 0},
		} {
			var n int
			s.write(func(tx store.Tx) (err error) {
				n, err = tx.DeleteEvents(s.ctx(), "a", "d1", tt.types, tt.before)
				return err
			})
			_, total := messages(s, store.Query{Filters: []store.Filter{field("execution_id", "e1")}, Limit: 1})
			_, all := messages(s, store.Query{Limit: 1})
			if n != tt.want || total != tt.left || all != 12+tt.left {
				s.Errorf("%v before %v: deleted %d, left %d of %d; want %d, %d of %d", tt.types, tt.before, n, total, all, tt.want, tt.left, 12+tt.left)
			}
		}
		s.write(func(tx store.Tx) error { return tx.AddEvents(s.ctx(), []store.Event{{ExecutionID: "e1"}}) })
		got, err := s.TailEvents(s.ctx(), "e1", 6, 5)
		s.must(err)
		if len(got) != 1 || got[0].Seq != 7 {
			s.Errorf("numbers start anew: %+v", got)
		}
	}},
	{"are trimmed, oldest first", func(s *subject) {
		started := store.Execution{Owned: store.Owned{Tenant: "a", CreatedAt: at(1)}, ID: "e1", Status: store.Started}
		other := started
		other.ID = "e2"
		s.write(func(tx store.Tx) error {
			return errors.Join(tx.AddExecution(s.ctx(), started), tx.AddExecution(s.ctx(), other))
		})
		s.write(func(tx store.Tx) error {
			return tx.AddEvents(s.ctx(), []store.Event{
				{ExecutionID: "e1", Type: store.TypeEvent}, {ExecutionID: "e2", Type: store.TypeEvent}, {ExecutionID: "e1", Type: store.TypeLog}, {ExecutionID: "e1", Type: store.TypeLog},
			})
		})
		for _, want := range []int{2, 1, 0} {
			var n int
			s.write(func(tx store.Tx) (err error) { n, err = tx.TrimEvents(s.ctx(), "e1", 2); return err })
			if n != want {
				s.Errorf("%d events were trimmed, want %d", n, want)
			}
			_, left := messages(s, store.Query{Filters: []store.Filter{field("execution_id", "e1")}, Limit: 1})
			if wantLeft := map[int]int{2: 1, 1: 0, 0: 0}[want]; left != wantLeft {
				s.Errorf("%d events are left, want %d", left, wantLeft)
			}
		}
		page, err := s.ListExecutions(s.ctx(), store.Query{Filters: []store.Filter{{Field: "stored_events", Op: store.AtLeast, Values: []string{"1"}}}})
		s.must(err)
		if len(page.Items) != 1 || page.Items[0].ID != "e2" {
			s.Errorf("with events: %v", page.Items)
		}
		if _, err := s.TailEvents(s.ctx(), "e2", 0, 5); err != nil {
			s.Error(err)
		}
	}},
}
