package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"windlass/internal/store"
)

func (s *subject) hasTenant(name string) bool {
	s.Helper()
	_, err := s.GetTenant(s.ctx(), name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		s.Fatal(err)
	}
	return err == nil
}

var writeTests = []test{
	{"of writes at once, only those that fail are undone", func(s *subject) {
		boom := errors.New("boom")
		const many = 64
		errs := make([]error, many)
		var all sync.WaitGroup
		for i := range many {
			all.Go(func() {
				errs[i] = s.Write(s.ctx(), func(tx store.Tx) error {
					if err := tx.AddTenant(s.ctx(), store.Tenant{Name: fmt.Sprint("t", i)}); err != nil {
						return err
					}
					if i%5 == 0 {
						return fmt.Errorf("number %d: %w", i, boom)
					}
					return nil
				})
			})
		}
		all.Wait()
		for i, err := range errs {
			if bad := i%5 == 0; errors.Is(err, boom) != bad || err != nil != bad || s.hasTenant(fmt.Sprint("t", i)) == bad {
				s.Errorf("write %d: error %v, kept %v", i, err, s.hasTenant(fmt.Sprint("t", i)))
			}
		}
	}},
	{"a refused statement leaves the transaction usable", func(s *subject) {
		s.write(func(tx store.Tx) error { return tx.AddTenant(s.ctx(), store.Tenant{Name: "a"}) })
		s.write(func(tx store.Tx) error {
			if err := tx.AddTenant(s.ctx(), store.Tenant{Name: "a"}); !errors.Is(err, store.ErrExists) {
				return fmt.Errorf("got error %v, want that it exists", err)
			}
			if _, err := tx.GetTenant(s.ctx(), "none"); !errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("got error %v, want that it is not found", err)
			}
			return tx.AddTenant(s.ctx(), store.Tenant{Name: "b"})
		})
		same(s, s.hasTenant("b"), true)
	}},
	{"a transaction sees its own changes, others only after the commit", func(s *subject) {
		s.write(func(tx store.Tx) error {
			s.must(tx.AddTenant(s.ctx(), store.Tenant{Name: "a"}))
			_, err := tx.GetTenant(s.ctx(), "a")
			if s.hasTenant("a") {
				s.Error("others see it already")
			}
			return err
		})
		same(s, s.hasTenant("a"), true)
	}},
	{"a cancelled context", func(s *subject) {
		ctx, cancel := context.WithCancel(s.ctx())
		err := s.Write(ctx, func(tx store.Tx) error {
			err := tx.AddTenant(ctx, store.Tenant{Name: "a"})
			cancel()
			return err
		})
		if !errors.Is(err, context.Canceled) || s.hasTenant("a") {
			s.Errorf("cancelled at the end: got error %v, kept %v", err, s.hasTenant("a"))
		}
		ran := false
		err = s.Write(ctx, func(store.Tx) error { ran = true; return nil })
		if !errors.Is(err, context.Canceled) || ran {
			s.Errorf("cancelled before: got error %v, ran %v", err, ran)
		}
		if _, err := s.GetTenant(ctx, "a"); !errors.Is(err, context.Canceled) {
			s.Errorf("read: got error %v", err)
		}
		ctx, cancel = context.WithCancel(s.ctx())
		err = s.Write(s.ctx(), func(tx store.Tx) error {
			cancel()
			if err := tx.AddTenant(ctx, store.Tenant{Name: "b"}); !errors.Is(err, context.Canceled) {
				return fmt.Errorf("a statement ran with a cancelled context: %v", err)
			}
			return tx.AddTenant(s.ctx(), store.Tenant{Name: "c"})
		})
		s.must(err)
		same(s, s.hasTenant("c"), true)
	}},
	{"cancelled writes don't disturb those beside them", func(s *subject) {
		const many = 60
		var all sync.WaitGroup
		errs := make([]error, many)
		for i := range many {
			all.Go(func() {
				ctx, cancel := context.WithCancel(s.ctx())
				defer cancel()
				errs[i] = s.Write(ctx, func(tx store.Tx) error {
					err := tx.AddTenant(ctx, store.Tenant{Name: fmt.Sprint("t", i)})
					if i%3 == 0 {
						cancel()
					}
					return err
				})
			})
		}
		all.Wait()
		for i, err := range errs {
			if cancelled := i%3 == 0; errors.Is(err, context.Canceled) != cancelled || (err == nil) == cancelled || s.hasTenant(fmt.Sprint("t", i)) == cancelled {
				s.Errorf("write %d: error %v, kept %v", i, err, s.hasTenant(fmt.Sprint("t", i)))
			}
		}
	}},
	{"a panic reaches its caller and undoes its write", func(s *subject) {
		func() {
			defer func() { same(s, recover(), any("ouch")) }()
			_ = s.Write(s.ctx(), func(tx store.Tx) error {
				s.must(tx.AddTenant(s.ctx(), store.Tenant{Name: "a"}))
				panic("ouch")
			})
		}()
		same(s, s.hasTenant("a"), false)
		s.write(func(tx store.Tx) error { return tx.AddTenant(s.ctx(), store.Tenant{Name: "a"}) })
	}},
	{"reads and changes under a lock don't interleave", func(s *subject) {
		const workers, each = 8, 10
		s.write(func(tx store.Tx) error {
			return tx.PutSetting(s.ctx(), store.Setting{Scope: "x", Name: "n", Value: int64(0)})
		})
		var all sync.WaitGroup
		var failed atomic.Value
		for range workers {
			all.Go(func() {
				for range each {
					err := s.Write(s.ctx(), func(tx store.Tx) error {
						if err := tx.Lock("counter"); err != nil {
							return err
						}
						list, err := tx.ListSettings(s.ctx())
						if err != nil {
							return err
						}
						n := list[0]
						n.Value = n.Value.(int64) + 1
						return tx.PutSetting(s.ctx(), n)
					})
					if err != nil {
						failed.Store(err)
					}
				}
			})
		}
		all.Wait()
		if err := failed.Load(); err != nil {
			s.Fatal(err)
		}
		list, err := s.ListSettings(s.ctx())
		s.must(err)
		same(s, list[0].Value, any(int64(workers*each)))
	}},
	{"who waits for the same lock fails by himself", func(s *subject) {
		const many = 60
		s.write(func(tx store.Tx) error { return tx.PutSetting(s.ctx(), store.Setting{Name: "n", Value: int64(0)}) })
		mine := errors.New("mine")
		var all sync.WaitGroup
		errs, panics := make([]error, many), make([]any, many)
		for i := range many {
			all.Go(func() {
				defer func() { panics[i] = recover() }()
				ctx, cancel := context.WithCancel(s.ctx())
				defer cancel()
				errs[i] = s.WriteLocked(ctx, "counter", func(tx store.Tx) error {
					list, err := tx.ListSettings(ctx)
					if err != nil {
						return err
					}
					if err := tx.PutSetting(ctx, store.Setting{Name: "n", Value: list[0].Value.(int64) + 1}); err != nil {
						return err
					}
					switch i % 6 {
					case 1:
						return mine
					case 2:
						cancel()
					case 3:
						panic("ouch")
					case 4:
						return tx.Lock("counter") // held already
					}
					return tx.AddTenant(ctx, store.Tenant{Name: fmt.Sprint("t", i)})
				})
			})
		}
		all.Wait()
		for i := range many {
			var want error
			var panicked any
			switch i % 6 {
			case 1:
				want = mine
			case 2:
				want = context.Canceled
			case 3:
				panicked = "ouch"
			}
			if !errors.Is(errs[i], want) || panics[i] != panicked || s.hasTenant(fmt.Sprint("t", i)) != (i%6 == 0 || i%6 == 5) {
				s.Errorf("write %d: error %v, panic %v", i, errs[i], panics[i])
			}
		}
		list, err := s.ListSettings(s.ctx())
		s.must(err)
		same(s, list[0].Value, any(int64(many/2)))
	}},
	{"a lock that is not to be had is waited for no longer than its caller wants", func(s *subject) {
		holds, release := make(chan struct{}), make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			s.must(s.WriteLocked(s.ctx(), "door", func(store.Tx) error {
				close(holds)
				<-release
				return nil
			}))
		})
		<-holds
		ctx, cancel := context.WithCancel(s.ctx())
		all.Go(func() {
			if err := s.WriteLocked(ctx, "door", func(store.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
				s.Errorf("got %v", err)
			}
			close(release)
		})
		all.Go(func() { s.must(s.WriteLocked(s.ctx(), "door", func(store.Tx) error { return nil })) })
		cancel()
		all.Wait()
	}},
	{"opening again keeps everything", func(s *subject) {
		f := s.seed("a", "d", "e")
		s.graph("e", "g", 3)
		s.write(func(tx store.Tx) error {
			return tx.Journal(s.ctx(), f, store.JournalBatch{Events: []store.Event{{Message: "one"}}})
		})
		before, err := s.GetExecution(s.ctx(), "e")
		s.must(err)
		s.reopen()
		after, err := s.GetExecution(s.ctx(), "e")
		s.must(err)
		same(s, after, before)
		s.write(func(tx store.Tx) error {
			return tx.Journal(s.ctx(), f, store.JournalBatch{Events: []store.Event{{Message: "two"}}})
		})
		got, err := s.TailEvents(s.ctx(), "e", 0, 10)
		s.must(err)
		if len(got) != 2 || got[1].Seq != 2 || got[1].Message != "two" || got[1].StorageID <= got[0].StorageID {
			s.Errorf("got events %+v", got)
		}
	}},
	{"close finishes writes under way and refuses new ones", func(s *subject) {
		started, closed := make(chan struct{}), make(chan error, 1)
		var once sync.Once
		go func() {
			<-started
			closed <- s.Close()
		}()
		s.write(func(tx store.Tx) error {
			once.Do(func() { close(started) })
			return tx.AddTenant(s.ctx(), store.Tenant{Name: "a"})
		})
		s.must(<-closed)
		if err := s.Write(s.ctx(), func(store.Tx) error { return nil }); err == nil {
			s.Error("a closed store takes writes")
		}
		s.must(s.Close())
		s.Store = s.another()
		same(s, s.hasTenant("a"), true)
	}},
	{"size", func(s *subject) {
		size, err := s.Size(s.ctx())
		s.must(err)
		if size < 4096 {
			s.Errorf("the database takes %d bytes", size)
		}
	}},
}
