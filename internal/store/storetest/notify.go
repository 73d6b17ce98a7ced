package storetest

import (
	"time"

	"windlass/internal/store"
)

// patience is how long a wake-up may take on a very busy machine.
const patience = 20 * time.Second

func (s *subject) woken(wake <-chan struct{}) {
	s.Helper()
	select {
	case <-wake:
	case <-time.After(patience):
		s.Fatal("nobody was woken")
	}
}

func (s *subject) quiet(wake <-chan struct{}) {
	s.Helper()
	select {
	case <-wake:
		s.Fatal("woken for nothing")
	default:
	}
}

var notifyTests = []test{
	{"after the commit, by topic", func(s *subject) {
		a, stopA := s.Subscribe("a")
		defer stopA()
		b, stopB := s.Subscribe("b")
		defer stopB()
		s.write(func(tx store.Tx) error {
			tx.Notify("a")
			tx.Notify("a")
			s.quiet(a)
			return nil
		})
		s.woken(a)
		s.quiet(a) // two are one
		s.quiet(b)
		s.refused(store.ErrVersion, func(tx store.Tx) error {
			tx.Notify("b")
			return store.ErrVersion
		})
		s.quiet(b)
	}},
	{"stopped subscriptions", func(s *subject) {
		a, stop := s.Subscribe("a")
		other, stopOther := s.Subscribe("a")
		defer stopOther()
		stop()
		stop()
		s.write(func(tx store.Tx) error { tx.Notify("a"); return nil })
		s.woken(other)
		s.quiet(a)
	}},
	{"by the store's own changes", func(s *subject) {
		executions, stop := s.Subscribe(store.TopicExecutions)
		defer stop()
		events, stopEvents := s.Subscribe(store.TopicEvents("e"))
		defer stopEvents()
		f := s.seed("a", "d", "e")
		s.woken(executions) // created
		s.quiet(events)
		s.write(func(tx store.Tx) error { return tx.AddEvents(s.ctx(), []store.Event{{ExecutionID: "e"}}) })
		s.woken(events)
		s.write(func(tx store.Tx) error { return tx.Journal(s.ctx(), f, store.JournalBatch{Events: []store.Event{{}}}) })
		s.woken(events)
		s.quiet(executions)
		s.write(func(tx store.Tx) error {
			e, err := tx.LockExecution(s.ctx(), "e")
			if err != nil {
				return err
			}
			e.Resume = true
			return tx.UpdateExecution(s.ctx(), e)
		})
		s.woken(executions) // whatever changed
		s.write(func(tx store.Tx) error {
			e, err := tx.LockExecution(s.ctx(), "e")
			if err != nil {
				return err
			}
			e.Status = store.Cancelling
			return tx.UpdateExecution(s.ctx(), e)
		})
		s.woken(executions)
		s.write(func(tx store.Tx) error { return tx.ReleaseExecution(s.ctx(), f) })
		s.woken(executions)
		s.write(func(tx store.Tx) error {
			return tx.ReleaseExecution(s.ctx(), store.Fence{ExecutionID: "e", Epoch: f.Epoch - 1})
		})
		s.quiet(executions)
	}},
}
