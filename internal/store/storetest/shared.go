package storetest

import (
	"fmt"
	"sync"
	"testing"

	"windlass/internal/store"
)

// RunShared tests what several managers on one database may rely on. It is for
// databases that can be opened more than once at a time.
func RunShared(t *testing.T, fresh func(t *testing.T) Opener) {
	t.Helper()
	for _, one := range sharedTests {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			one.run(newSubject(t, fresh(t)))
		})
	}
}

var sharedTests = []test{
	{"managers that start at once", func(s *subject) {
		s.must(s.Close())
		var all sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			all.Go(func() {
				st, err := s.open(s.ctx())
				if err == nil {
					err = st.Close()
				}
				errs[i] = err
			})
		}
		all.Wait()
		for _, err := range errs {
			s.must(err)
		}
	}},
	{"wake-ups reach other managers", func(s *subject) {
		other := s.another()
		wake, stop := other.Subscribe("a")
		defer stop()
		silent, stopSilent := other.Subscribe("b")
		defer stopSilent()
		for range 3 {
			s.write(func(tx store.Tx) error { tx.Notify("a"); return nil })
			s.woken(wake)
		}
		s.quiet(silent)
		s.write(func(tx store.Tx) error { // more than one message takes
			for i := range 2000 {
				tx.Notify(fmt.Sprint("some long topic that nobody waits for ", i))
			}
			tx.Notify("b")
			return nil
		})
		s.woken(silent)
	}},
	{"what is notified last before closing arrives", func(s *subject) {
		other := s.another()
		wake, stop := other.Subscribe("a")
		defer stop()
		s.write(func(tx store.Tx) error { tx.Notify("a"); return nil })
		s.must(s.Close())
		s.woken(wake)
	}},
	{"locks hold between managers", func(s *subject) {
		s.write(func(tx store.Tx) error { return tx.PutSetting(s.ctx(), store.Setting{Name: "n", Value: int64(0)}) })
		managers := []store.Store{s.Store, s.another(), s.another()}
		const each = 20
		errs := make([]error, len(managers)*2)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				for n := range each {
					m := managers[i%len(managers)]
					locked := func(fn func(store.Tx) error) error { return m.WriteLocked(s.ctx(), "counter", fn) }
					if n%2 == 0 {
						locked = func(fn func(store.Tx) error) error { return m.Write(s.ctx(), fn) }
					}
					errs[i] = locked(func(tx store.Tx) error {
						if err := tx.Lock("counter"); err != nil {
							return err
						}
						list, err := tx.ListSettings(s.ctx())
						if err != nil {
							return err
						}
						return tx.PutSetting(s.ctx(), store.Setting{Name: "n", Value: list[0].Value.(int64) + 1})
					})
					if errs[i] != nil {
						return
					}
				}
			})
		}
		all.Wait()
		for _, err := range errs {
			s.must(err)
		}
		list, err := s.ListSettings(s.ctx())
		s.must(err)
		same(s, list[0].Value, any(int64(each*len(errs))))
	}},
	{"writes that deadlock run again", func(s *subject) {
		s.instances("a", "d", "vm", 2)
		other := s.another()
		errs := make([]error, 8)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				st, ids := s.Store, []string{"vm_0", "vm_1"}
				if i%2 == 1 {
					st, ids = other, []string{"vm_1", "vm_0"}
				}
				errs[i] = st.Write(s.ctx(), func(tx store.Tx) error {
					for _, id := range ids {
						if _, err := tx.UpdateInstance(s.ctx(), store.InstanceUpdate{Tenant: "a", ID: id, Force: true, State: fmt.Sprint(i)}); err != nil {
							return err
						}
					}
					return nil
				})
			})
		}
		all.Wait()
		for _, err := range errs {
			s.must(err)
		}
		page, err := s.ListInstances(s.ctx(), store.Query{})
		s.must(err)
		if page.Items[0].State != page.Items[1].State || page.Items[0].Version != len(errs)+1 || page.Items[1].Version != len(errs)+1 {
			s.Errorf("got %+v", page.Items)
		}
	}},
}
