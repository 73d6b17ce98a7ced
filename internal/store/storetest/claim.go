package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"windlass/internal/store"
)

// claim claims an execution as it is now, if its lease is over then.
func (s *subject) claim(id, owner string, now, until time.Time) (e store.Execution, err error) {
	err = s.Write(s.ctx(), func(tx store.Tx) error {
		seen, err := tx.GetExecution(s.ctx(), id)
		if err != nil {
			return err
		}
		if holds := (store.Holding{From: now}); seen.Owner != "" && holds.Has(seen.LeaseUntil) {
			return store.ErrVersion
		}
		e, err = tx.ClaimExecution(s.ctx(), seen, owner, lasting(now, until))
		return err
	})
	return e, err
}

func lasting(from, until time.Time) store.Lease { return store.Lease{From: from, For: until.Sub(from)} }

func (s *subject) claimable(now time.Time) []string {
	s.Helper()
	list, err := s.Claimable(s.ctx(), store.Holding{From: now}, 100)
	s.must(err)
	ids := []string{}
	for _, e := range list {
		ids = append(ids, e.ID)
	}
	return ids
}

var claimTests = []test{
	{"lease, expiry, renewal, release", func(s *subject) {
		s.write(func(tx store.Tx) error {
			return tx.AddExecution(s.ctx(), store.Execution{Owned: owned("a", 1), ID: "e", Status: store.Pending})
		})
		e, err := s.claim("e", "one", at(0), at(10))
		s.must(err)
		got, err := s.GetExecution(s.ctx(), "e")
		s.must(err)
		same(s, got, e)
		if e.Owner != "one" || e.Epoch != 1 || !e.LeaseUntil.Equal(at(10)) {
			s.Errorf("got owner %s, epoch %d, until %v", e.Owner, e.Epoch, e.LeaseUntil)
		}
		if _, err := s.claim("e", "two", at(9), at(19)); !errors.Is(err, store.ErrVersion) {
			s.Errorf("claimed under another's lease: %v", err)
		}
		if _, err := s.claim("e", "one", at(9), at(19)); !errors.Is(err, store.ErrVersion) {
			s.Errorf("claimed again under the own lease: %v", err)
		}
		first := store.Fence{ExecutionID: "e", Epoch: 1}
		renew := func(owner string, until time.Time, fences ...store.Fence) (held []string) {
			s.write(func(tx store.Tx) (err error) {
				held, err = tx.RenewLeases(s.ctx(), owner, fences, lasting(at(0), until))
				return err
			})
			return held
		}
		same(s, renew("one", at(20), first, store.Fence{ExecutionID: "none", Epoch: 1}), []string{"e"})
		same(s, renew("two", at(99), first), nil)
		same(s, renew("one", at(99), store.Fence{ExecutionID: "e", Epoch: 0}), nil)
		same(s, renew("one", at(99)), nil)
		if _, err := s.claim("e", "two", at(19), at(29)); !errors.Is(err, store.ErrVersion) {
			s.Errorf("claimed under a renewed lease: %v", err)
		}
		e, err = s.claim("e", "two", at(20), at(30))
		s.must(err)
		same(s, e.Epoch, int64(2))
		same(s, renew("one", at(99), first), nil)
		s.write(func(tx store.Tx) error { return tx.ReleaseExecution(s.ctx(), first) }) // does nothing
		same(s, s.claimable(at(29)), []string{})
		s.write(func(tx store.Tx) error { return tx.ReleaseExecution(s.ctx(), store.Fence{ExecutionID: "e", Epoch: 2}) })
		same(s, s.claimable(at(21)), []string{"e"})
		e, err = s.claim("e", "three", at(21), at(31))
		s.must(err)
		same(s, e.Epoch, int64(3))
		_, err = s.claim("none", "one", at(0), at(1))
		s.missing(err, "Execution", "none")
	}},
	{"claimable, oldest first", func(s *subject) {
		statuses := []store.Status{
			store.Queued, store.Cancelling, store.Pending, store.Terminated, store.Started, store.Scheduled, store.Failed,
			store.KillCancelling, store.Cancelled, store.ForceCancelling,
		}
		var want []string
		s.write(func(tx store.Tx) error {
			want = nil
			for i, status := range statuses {
				id := fmt.Sprintf("e%d", i)
				s.must(tx.AddExecution(s.ctx(), store.Execution{Owned: owned("a", 100-i), ID: id, Status: status}))
				if status.IsActive() {
					want = append(want, id)
				}
			}
			return nil
		})
		slices.Reverse(want)
		same(s, s.claimable(at(0)), want)
		if _, err := s.claim("e0", "one", at(0), at(1)); !errors.Is(err, store.ErrVersion) {
			s.Errorf("claimed a queued execution: %v", err)
		}
		_, err := s.claim(want[0], "one", at(0), at(10))
		s.must(err)
		same(s, s.claimable(at(9)), want[1:])
		same(s, s.claimable(at(10)), want)
		list, err := s.Claimable(s.ctx(), store.Holding{From: at(0)}, 2)
		s.must(err)
		same(s, len(list), 2)
	}},
	{"of many who claim at once, one wins", func(s *subject) {
		const many, rounds = 24, 5
		for round := range rounds {
			id := fmt.Sprint("e", round)
			s.write(func(tx store.Tx) error {
				return tx.AddExecution(s.ctx(), store.Execution{Owned: owned("a", 1), ID: id, Status: store.Pending})
			})
			errs := make([]error, many)
			var all sync.WaitGroup
			for i := range many {
				all.Go(func() { _, errs[i] = s.claim(id, fmt.Sprint("owner", i), at(0), at(60)) })
			}
			all.Wait()
			e, err := s.GetExecution(s.ctx(), id)
			s.must(err)
			won := 0
			for i, err := range errs {
				switch {
				case err == nil:
					won++
					same(s, e.Owner, fmt.Sprint("owner", i))
				case !errors.Is(err, store.ErrVersion):
					s.Errorf("owner %d: %v", i, err)
				}
			}
			if won != 1 || e.Epoch != 1 {
				s.Errorf("%d owners won, the epoch is %d", won, e.Epoch)
			}
		}
	}},
	{"a claim that has changed since it was seen", func(s *subject) {
		s.write(func(tx store.Tx) error {
			return tx.AddExecution(s.ctx(), store.Execution{Owned: owned("a", 1), ID: "e", Status: store.Pending})
		})
		free, err := s.GetExecution(s.ctx(), "e")
		s.must(err)
		first, err := s.claim("e", "one", at(0), at(10))
		s.must(err)
		claim := func(seen store.Execution) func(tx store.Tx) error {
			return func(tx store.Tx) error {
				_, err := tx.ClaimExecution(s.ctx(), seen, "two", lasting(at(0), at(10)))
				return err
			}
		}
		s.refused(store.ErrVersion, claim(free))
		s.write(func(tx store.Tx) error {
			_, err := tx.RenewLeases(s.ctx(), "one", []store.Fence{{ExecutionID: "e", Epoch: 1}}, lasting(at(1), at(11)))
			return err
		})
		s.refused(store.ErrVersion, claim(first)) // it has been renewed
		again, err := s.GetExecution(s.ctx(), "e")
		s.must(err)
		s.write(claim(again))
		s.refused(store.ErrVersion, claim(again))
	}},
	{"leases by the database's clock", func(s *subject) {
		s.write(func(tx store.Tx) error {
			return tx.AddExecution(s.ctx(), store.Execution{Owned: owned("a", 1), ID: "e", Status: store.Pending})
		})
		within := func(what string, length time.Duration, change func(tx store.Tx) error) {
			s.Helper()
			before, err := s.Now(s.ctx())
			s.must(err)
			s.write(change)
			after, err := s.Now(s.ctx())
			s.must(err)
			e, err := s.GetExecution(s.ctx(), "e")
			s.must(err)
			before, after = before.Add(length).Truncate(time.Microsecond), after.Add(length)
			if e.LeaseUntil.Before(before) || e.LeaseUntil.After(after) {
				s.Errorf("%s: the lease ends at %v, want between %v and %v", what, e.LeaseUntil, before, after)
			}
		}
		within("claimed", time.Hour, func(tx store.Tx) error {
			seen, err := tx.GetExecution(s.ctx(), "e")
			s.must(err)
			e, err := tx.ClaimExecution(s.ctx(), seen, "one", store.Lease{For: time.Hour})
			s.must(err)
			got, err := tx.GetExecution(s.ctx(), "e")
			same(s, got, e)
			return err
		})
		within("renewed", time.Minute, func(tx store.Tx) error {
			held, err := tx.RenewLeases(s.ctx(), "one", []store.Fence{{ExecutionID: "e", Epoch: 1}}, store.Lease{For: time.Minute})
			same(s, held, []string{"e"})
			return err
		})
	}},
	{"a lease that reaches too far", func(s *subject) {
		s.write(func(tx store.Tx) error {
			return tx.AddExecution(s.ctx(), store.Execution{Owned: owned("a", 1), ID: "e", Status: store.Pending})
		})
		_, err := s.claim("e", "one", at(0), at(100))
		s.must(err)
		for _, h := range []struct {
			holding store.Holding
			free    int
		}{
			{store.Holding{}, 0}, {store.Holding{From: at(50)}, 0}, {store.Holding{From: at(50), To: at(100)}, 0},
			{store.Holding{From: at(50), To: at(99)}, 1}, {store.Holding{From: at(100)}, 1},
		} {
			list, err := s.Claimable(s.ctx(), h.holding, 10)
			s.must(err)
			if len(list) != h.free {
				s.Errorf("%v: %d are free, want %d", h.holding, len(list), h.free)
			}
			if h.holding.Has(at(100)) != (h.free == 0) {
				s.Errorf("%v tells otherwise", h.holding)
			}
		}
	}},
	{"old fences are refused", func(s *subject) {
		old := s.seed("a", "d", "e")
		s.graph("e", "g", 1)
		e, err := s.claim("e", "two", at(60), at(120))
		s.must(err)
		s.refused(store.ErrFenced, func(tx store.Tx) error { return tx.CheckFence(s.ctx(), old) })
		s.refused(store.ErrFenced, func(tx store.Tx) error {
			return tx.Journal(s.ctx(), old, store.JournalBatch{
				Changed: []store.OperationChange{{ID: "g-0", State: "succeeded"}}, Events: []store.Event{{Message: "late"}},
			})
		})
		s.refused(store.ErrFenced, func(tx store.Tx) error { return tx.Journal(s.ctx(), old, store.JournalBatch{}) })
		newest := store.Fence{ExecutionID: "e", Epoch: e.Epoch}
		s.write(func(tx store.Tx) error {
			s.must(tx.CheckFence(s.ctx(), newest))
			return tx.Journal(s.ctx(), newest, store.JournalBatch{})
		})
		op, err := s.GetOperation(s.ctx(), "g-0")
		s.must(err)
		same(s, op.State, "pending")
		events, err := s.TailEvents(s.ctx(), "e", 0, 10)
		s.must(err)
		same(s, len(events), 0)
	}},
	{"a deleted execution is fenced off and not found", func(s *subject) {
		f := s.seed("a", "d", "e")
		s.write(func(tx store.Tx) error { return tx.DeleteExecutions(s.ctx(), []string{"e"}) })
		for _, fn := range []func(store.Tx) error{
			func(tx store.Tx) error { return tx.CheckFence(s.ctx(), f) },
			func(tx store.Tx) error { return tx.Journal(s.ctx(), f, store.JournalBatch{}) },
		} {
			s.refused(store.ErrFenced, fn)
			s.refused(store.ErrNotFound, fn)
		}
	}},
	{"a claim waits for the journal of the one before", func(s *subject) {
		f := s.seed("a", "d", "e")
		s.graph("e", "g", 1)
		journalled, claimed := make(chan struct{}), make(chan error, 1)
		var once sync.Once
		go func() {
			<-journalled
			_, err := s.claim("e", "two", at(60), at(120))
			claimed <- err
		}()
		s.write(func(tx store.Tx) error {
			if err := tx.Journal(s.ctx(), f, store.JournalBatch{Changed: []store.OperationChange{{ID: "g-0", State: "sending"}}}); err != nil {
				return err
			}
			once.Do(func() { close(journalled) })
			select {
			case err := <-claimed:
				s.Errorf("claimed while the journal was being written: %v", err)
				claimed <- err
			case <-time.After(50 * time.Millisecond): // nothing tells that somebody waits
			}
			return nil
		})
		s.must(<-claimed)
		s.refused(store.ErrFenced, func(tx store.Tx) error { return tx.CheckFence(s.ctx(), f) })
	}},
}
