package postgres

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"windlass/internal/store"
	"windlass/internal/store/sqlstore"
)

// Bounds of a transaction that several writes under one lock share: how many,
// and for how long it goes on taking in those that wait.
const (
	mostInside    = 64
	longestInside = 20 * time.Millisecond
)

var (
	errClosed = errors.New("the store is closed")
	errGone   = errors.New("a write ended its goroutine")
	errPanic  = errors.New("a write panicked")
)

// doors are where writes wait that need the same lock. One of those that wait
// leads: it takes the lock and carries out all that have come until then.
type doors struct {
	mu     sync.Mutex
	byName map[string]*door // guarded by mu; those with a leader
}

type door struct{ waiting []*visit } // guarded by doors.mu

// visit is one call of WriteLocked.
type visit struct {
	ctx    context.Context
	fn     func(store.Tx) error
	taken  atomic.Bool   // by a leader, or by its caller who gave up
	lead   chan struct{} // closed when it is to lead
	done   chan struct{} // closed when err is final
	err    error
	panics any // what fn panicked with
}

// WriteLocked runs fn in a transaction that holds the lock.
func (s *Store) WriteLocked(ctx context.Context, lock string, fn func(tx store.Tx) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	v := &visit{ctx: ctx, fn: fn, lead: make(chan struct{}), done: make(chan struct{})}
	if s.doors.enter(lock, v) {
		return s.leads(lock, v)
	}
	select {
	case <-v.done:
	case <-v.lead:
		return s.leads(lock, v)
	case <-ctx.Done():
		if v.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		select {
		case <-v.done:
		case <-v.lead:
			return s.leads(lock, v)
		}
	}
	return v.outcome()
}

func (v *visit) outcome() error {
	if v.panics != nil {
		panic(v.panics)
	}
	return v.err
}

// enter joins those that wait, or tells that v is to lead.
func (d *doors) enter(lock string, v *visit) (leads bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at, busy := d.byName[lock]; busy {
		at.waiting = append(at.waiting, v)
		return false
	}
	if d.byName == nil {
		d.byName = map[string]*door{}
	}
	d.byName[lock] = &door{}
	return true
}

// take gives the first of those that wait.
func (d *doors) take(lock string) (v *visit, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.byName[lock]
	for len(at.waiting) > 0 {
		v, at.waiting = at.waiting[0], at.waiting[1:]
		if v.taken.CompareAndSwap(false, true) {
			return v, true
		}
	}
	return nil, false
}

// next lets the first of those that wait lead.
func (d *doors) next(lock string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.byName[lock]
	for len(at.waiting) > 0 {
		v := at.waiting[0]
		at.waiting = at.waiting[1:]
		if v.taken.CompareAndSwap(false, true) {
			close(v.lead)
			return
		}
	}
	delete(d.byName, lock)
}

// leads carries out v, and with it those that wait for the same lock.
func (s *Store) leads(lock string, v *visit) error {
	inside := []*visit{v}
	defer func() { // also when a write ended this goroutine, as t.FailNow does
		for _, o := range inside[1:] {
			select {
			case <-o.done:
			default:
				o.err = errGone
				close(o.done)
			}
		}
		s.doors.next(lock)
	}()
	topics, again, err := s.together(lock, &inside)
	switch {
	case again:
		for _, o := range inside { // such that only what fails is undone
			s.alone(lock, o)
		}
	case err != nil:
		s.note(v.ctx, err)
		for _, o := range inside {
			o.err = err
		}
	default:
		s.publish(topics)
	}
	for _, o := range inside[1:] {
		close(o.done)
	}
	return v.outcome()
}

// alone carries out one in a transaction of its own.
func (s *Store) alone(lock string, v *visit) {
	defer func() { v.panics = recover() }()
	v.err = s.write(v.ctx, func(tx store.Tx) error {
		if err := tx.Lock(lock); err != nil {
			return err
		}
		return v.fn(tx)
	})
}

// together carries out the first, and who waits once the lock is held, in one
// transaction. What it took in is in inside. If again is true nothing was kept,
// and each has to be carried out apart; else an error is that of all.
func (s *Store) together(lock string, inside *[]*visit) (topics map[string]struct{}, again bool, err error) {
	first := (*inside)[0]
	t, err := s.begin(first.ctx)
	if err != nil {
		return nil, false, err
	}
	defer t.close()
	if err := t.lock(lock); err != nil {
		return nil, isTransient(err) && first.ctx.Err() == nil, because(first.ctx, err)
	}
	if !t.unlink() {
		return nil, false, first.ctx.Err()
	}
	topics = map[string]struct{}{}
	start := time.Now()
	for i := 0; ; i++ {
		if err := t.visited((*inside)[i], topics); err != nil {
			return nil, i > 0 || isTransient(err), because(first.ctx, err)
		}
		if len(*inside) >= mostInside || time.Since(start) > longestInside {
			break
		}
		next, ok := s.doors.take(lock)
		if !ok {
			break
		}
		*inside = append(*inside, next)
	}
	for _, v := range *inside {
		if v.ctx.Err() != nil {
			return nil, len(*inside) > 1, v.ctx.Err()
		}
	}
	if err := t.sql.Commit(); err != nil {
		return nil, false, &commitError{err}
	}
	if t.wrote {
		s.trouble.Passed()
	}
	return topics, false, nil
}

// visited runs one in the transaction. The end of its context stops a statement
// of its own, and with it the transaction.
func (t *transaction) visited(v *visit, topics map[string]struct{}) (err error) {
	ctx, cancel := context.WithCancel(t.lasting)
	defer cancel()
	defer context.AfterFunc(v.ctx, cancel)()
	defer func() {
		if p := recover(); p != nil {
			v.panics, err = p, errPanic
		}
	}()
	tx := sqlstore.NewTx(bound{conn{t.sql}, ctx, &t.wrote}, dialect, t.documents, t.lock)
	if err := v.fn(tx); err != nil {
		return err
	}
	for topic := range tx.Topics() {
		topics[topic] = struct{}{}
	}
	return v.ctx.Err()
}
