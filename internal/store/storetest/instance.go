package storetest

import (
	"errors"
	"fmt"
	"sync"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
)

func sampleInstance(id string) store.NodeInstance {
	return store.NodeInstance{
		Tenant: "a", DeploymentID: "d", NodeID: "vm", ID: id, HostID: "host_1", Index: 2, State: "started", Version: 3,
		RuntimeProperties: map[string]any{"ip": "10.0.0.1", "port": int64(80), "load": 1.0, "deep": map[string]any{"\x00": "a\x00b"}},
		SystemProperties:  map[string]any{"previous_status": nil},
		Relationships:     []plan.InstanceRelationship{{Type: "t", TargetName: "n", TargetID: "n_1"}},
		ScalingGroups:     []plan.GroupInstance{{Name: "g", ID: "g_1"}}, Visibility: store.Private, CreatedBy: "jo",
	}
}

var instanceTests = []test{
	{"round trip", func(s *subject) {
		n := sampleInstance("vm_1")
		filled(s, n)
		bare := store.NodeInstance{Tenant: "a", ID: "vm_2"}
		s.write(func(tx store.Tx) error { return tx.AddInstances(s.ctx(), []store.NodeInstance{n, bare}) })
		got, err := s.GetInstance(s.ctx(), "a", "vm_1")
		s.must(err)
		same(s, got, n)
		got, err = s.GetInstance(s.ctx(), "a", "vm_2")
		s.must(err)
		bare.Version = 1
		same(s, got, bare)
		_, err = s.GetInstance(s.ctx(), "b", "vm_1")
		s.missing(err, "NodeInstance", "vm_1")
		s.write(func(tx store.Tx) error { return tx.DeleteInstances(s.ctx(), "a", []string{"vm_1", "none"}) })
		page, err := s.ListInstances(s.ctx(), store.Query{})
		s.must(err)
		same(s, page, store.Page[store.NodeInstance]{Items: []store.NodeInstance{bare}, Total: 1})
	}},
	{"taken ids are named and nothing is added", func(s *subject) {
		s.instances("a", "d", "vm", 2)
		fresh := store.NodeInstance{Tenant: "a", ID: "fresh"}
		for _, list := range [][]store.NodeInstance{
			{fresh, {Tenant: "a", ID: "vm_1"}},
			{fresh, {Tenant: "a", ID: "vm_1", NodeID: "x"}, {Tenant: "b", ID: "vm_0"}},
		} {
			s.write(func(tx store.Tx) error { // who asks may go on with the transaction
				err := tx.AddInstances(s.ctx(), list)
				var record *store.RecordError
				if !errors.Is(err, store.ErrExists) || !errors.As(err, &record) || record.ID != "vm_1" {
					s.Errorf("got error %v, want that vm_1 exists", err)
				}
				return nil
			})
		}
		s.refused(store.ErrExists, func(tx store.Tx) error { return tx.AddInstances(s.ctx(), []store.NodeInstance{fresh, fresh}) })
		page, err := s.ListInstances(s.ctx(), store.Query{})
		s.must(err)
		same(s, page.Total, 2)
		s.write(func(tx store.Tx) error {
			return tx.AddInstances(s.ctx(), []store.NodeInstance{{Tenant: "b", ID: "vm_0"}})
		})
	}},
	{"versions", func(s *subject) {
		s.write(func(tx store.Tx) error { return tx.AddInstances(s.ctx(), []store.NodeInstance{sampleInstance("vm_1")}) })
		want := sampleInstance("vm_1")
		update := func(u store.InstanceUpdate) (n store.NodeInstance, err error) {
			u.Tenant, u.ID = "a", "vm_1"
			err = s.Write(s.ctx(), func(tx store.Tx) (err error) {
				n, err = tx.UpdateInstance(s.ctx(), u)
				return err
			})
			return n, err
		}
		for _, tt := range []struct {
			name   string
			update store.InstanceUpdate
			change func()
		}{
			{"nothing given", store.InstanceUpdate{Version: 3}, func() {}},
			{"nothing different", store.InstanceUpdate{
				Version: 3, State: "started", RuntimeProperties: want.RuntimeProperties, SystemProperties: want.SystemProperties, Relationships: want.Relationships,
			}, func() {}},
			{"state, and a greater version", store.InstanceUpdate{Version: 9, State: "stopped"}, func() { want.State, want.Version = "stopped", 4 }},
			{"an int becomes a float", store.InstanceUpdate{Version: 4, RuntimeProperties: map[string]any{"port": 80.0}}, func() {
				want.RuntimeProperties, want.Version = map[string]any{"port": 80.0}, 5
			}},
			{"emptied", store.InstanceUpdate{Version: 5, RuntimeProperties: map[string]any{}, Relationships: []plan.InstanceRelationship{}}, func() {
				want.RuntimeProperties, want.Relationships, want.Version = map[string]any{}, []plan.InstanceRelationship{}, 6
			}},
			{"an old version by force", store.InstanceUpdate{Version: 1, Force: true, SystemProperties: map[string]any{"x": int64(1)}}, func() {
				want.SystemProperties, want.Version = map[string]any{"x": int64(1)}, 7
			}},
		} {
			got, err := update(tt.update)
			if err != nil {
				s.Fatalf("%s: %v", tt.name, err)
			}
			tt.change()
			same(s, got, want)
			got, err = s.GetInstance(s.ctx(), "a", "vm_1")
			s.must(err)
			same(s, got, want)
		}
		if _, err := update(store.InstanceUpdate{Version: 6, State: "x"}); !errors.Is(err, store.ErrVersion) {
			s.Errorf("got error %v, want a version conflict", err)
		}
		s.refused(store.ErrNotFound, func(tx store.Tx) error {
			_, err := tx.UpdateInstance(s.ctx(), store.InstanceUpdate{Tenant: "b", ID: "vm_1", Version: 9})
			return err
		})
	}},
	{"of many who update one version, one wins", func(s *subject) {
		s.instances("a", "d", "vm", 1)
		const many = 16
		errs := make([]error, many)
		var all sync.WaitGroup
		for i := range many {
			all.Go(func() {
				errs[i] = s.Write(s.ctx(), func(tx store.Tx) error {
					_, err := tx.UpdateInstance(s.ctx(), store.InstanceUpdate{Tenant: "a", ID: "vm_0", Version: 1, State: fmt.Sprint("s", i)})
					return err
				})
			})
		}
		all.Wait()
		won := -1
		for i, err := range errs {
			switch {
			case err == nil && won >= 0:
				s.Errorf("both %d and %d won", won, i)
			case err == nil:
				won = i
			case !errors.Is(err, store.ErrVersion):
				s.Errorf("%d: got error %v, want a version conflict", i, err)
			}
		}
		n, err := s.GetInstance(s.ctx(), "a", "vm_0")
		s.must(err)
		if n.Version != 2 || n.State != fmt.Sprint("s", won) {
			s.Errorf("got version %d and state %s, want 2 and s%d", n.Version, n.State, won)
		}
	}},
}
