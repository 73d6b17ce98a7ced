package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"windlass/internal/store"
	"windlass/internal/store/sqlstore"
)

// Bounds of one transaction: how many writes share it, and for how long it
// goes on taking in those that wait.
const (
	mostWrites  = 256
	longestTake = 10 * time.Millisecond
)

var (
	errClosed = errors.New("the store is closed")
	errGone   = errors.New("a write ended its goroutine")
)

// writer owns the one connection that writes, and the goroutine that does.
type writer struct {
	db   *sql.DB
	conn *session
	hub  *sqlstore.Hub

	documents *sqlstore.Documents

	trouble sqlstore.Trouble

	mu       sync.RWMutex // held while sending to requests, exclusively while closing it
	closed   bool         // guarded by mu
	requests chan *request
	done     chan struct{} // closed when the goroutine has ended

	// fatal is what broke the database. When the disk fails in a commit nobody
	// knows what is on it, and syncing again may falsely succeed: so nothing is
	// written any more until the process starts anew. A disk that is full is not
	// broken. Only the goroutine sets it.
	fatal  error
	broken chan struct{} // closed when fatal is set
}

// request is one call of write.
type request struct {
	ctx    context.Context
	fn     func(store.Tx) error
	state  atomic.Int32 // waiting, taken or dropped
	topics map[string]struct{}
	wrote  bool
	err    error
	panics any           // what fn panicked with
	done   chan struct{} // closed when err is final
}

const (
	waiting int32 = iota
	taken
	dropped // by its caller, whose context ended
)

func startWriter(ctx context.Context, db *sql.DB, hub *sqlstore.Hub, documents *sqlstore.Documents) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{
		db: db, conn: &session{conn: conn, stmts: map[string]*sql.Stmt{}}, hub: hub, documents: documents,
		requests: make(chan *request, mostWrites), done: make(chan struct{}), broken: make(chan struct{}),
	}
	go w.run()
	return w, nil
}

// write hands fn to the goroutine and waits.
func (w *writer) write(ctx context.Context, fn func(store.Tx) error) error {
	r := &request{ctx: ctx, fn: fn, done: make(chan struct{})}
	if err := w.send(ctx, r); err != nil {
		return err
	}
	select {
	case <-r.done:
	case <-w.done:
	case <-ctx.Done():
		if r.state.CompareAndSwap(waiting, dropped) {
			return ctx.Err()
		}
	}
	select {
	case <-r.done:
	case <-w.done:
		select {
		case <-r.done:
		default:
			return errGone
		}
	}
	if r.panics != nil {
		panic(r.panics)
	}
	return r.err
}

func (w *writer) send(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return errClosed
	}
	select {
	case w.requests <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-w.done: // only after errGone
		return errGone
	}
}

// stop lets the goroutine finish what was sent and waits for its end.
func (w *writer) stop() error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.requests)
	}
	w.mu.Unlock()
	<-w.done
	return nil
}

// close closes the connection, after stop.
func (w *writer) close() error { return errors.Join(w.conn.close(), w.db.Close()) }

func (w *writer) run() {
	defer close(w.done) // also after a write that called runtime.Goexit, as t.FailNow does
	batch := make([]*request, 0, mostWrites)
	for first := range w.requests {
		batch = w.serve(append(batch[:0], first))
		w.note(batch)
		for _, r := range batch {
			close(r.done)
		}
	}
}

// serve runs the first request of the batch and those that wait in one
// transaction, and returns them all with their outcomes set.
func (w *writer) serve(batch []*request) []*request {
	if w.fatal == nil {
		if err := w.conn.do("BEGIN IMMEDIATE"); err != nil {
			w.settle(batch, fmt.Errorf("begin transaction: %w", err))
			return batch
		}
	}
	failed := false
	start := time.Now()
	for i := 0; ; i++ {
		r := batch[i]
		r.err = w.fatal
		if r.state.CompareAndSwap(waiting, taken) && w.fatal == nil {
			w.call(r)
		}
		failed = failed || r.err != nil || r.panics != nil
		if failed || len(batch) >= mostWrites || time.Since(start) > longestTake {
			break
		}
		next, ok := w.waiting()
		if !ok {
			break
		}
		batch = append(batch, next)
	}
	if w.fatal != nil {
		return batch
	}
	if !failed {
		w.commit(batch)
		return batch
	}
	w.rollback()
	if len(batch) > 1 && w.fatal == nil {
		w.serveApart(batch)
	}
	return batch
}

// note remembers whether the database takes what is written.
func (w *writer) note(batch []*request) {
	for _, r := range batch {
		switch {
		case r.err == nil && r.panics == nil && r.wrote && r.state.Load() == taken:
			w.trouble.Passed()
		case w.fatal != nil && errors.Is(r.err, w.fatal), errors.Is(r.err, store.ErrFull), isBroken(r.err), code(r.err) == sqlite3.SQLITE_READONLY:
			w.trouble.Met(r.err)
		}
	}
}

func (w *writer) waiting() (*request, bool) {
	select {
	case r, ok := <-w.requests:
		return r, ok
	default:
		return nil, false
	}
}

// serveApart runs again a batch in which one failed, in one transaction still,
// but such that only what fails is undone.
func (w *writer) serveApart(batch []*request) {
	if err := w.conn.do("BEGIN IMMEDIATE"); err != nil {
		w.settle(batch, fmt.Errorf("begin transaction: %w", err))
		return
	}
	for _, r := range batch {
		if r.state.Load() == dropped {
			continue
		}
		r.err, r.panics = nil, nil
		if err := w.conn.do("SAVEPOINT one"); err != nil {
			r.err = err
			continue
		}
		w.call(r)
		if r.err != nil || r.panics != nil {
			if err := w.conn.do("ROLLBACK TO one"); err != nil {
				if errors.Is(r.err, store.ErrFull) {
					err = r.err // it undid the whole transaction
				}
				w.abandon(batch, err)
				return
			}
		}
		if err := w.conn.do("RELEASE one"); err != nil {
			w.abandon(batch, err)
			return
		}
	}
	w.commit(batch)
}

// call runs a request's function in the transaction under way.
func (w *writer) call(r *request) {
	if r.err = r.ctx.Err(); r.err != nil {
		return
	}
	session := &guarded{session: w.conn, ctx: r.ctx}
	tx := sqlstore.NewTx(session, dialect, w.documents, func(string) error { return nil })
	defer func() { r.panics = recover() }()
	r.err = r.fn(tx)
	r.wrote = session.wrote
	r.topics = tx.Topics()
	if r.err == nil {
		r.err = r.ctx.Err()
	}
	r.err = named(r.err)
}

// commit makes the transaction durable and wakes the subscribers.
func (w *writer) commit(batch []*request) {
	if err := w.conn.do("COMMIT"); err != nil {
		if isBroken(err) {
			w.breakOff(err)
		}
		w.abandon(batch, err)
		return
	}
	for _, r := range batch {
		if r.err != nil || r.panics != nil {
			continue
		}
		for topic := range r.topics {
			w.hub.Publish(topic)
		}
	}
}

// rollback undoes the transaction under way, unless SQLite has done so: it does
// when the disk is full.
func (w *writer) rollback() {
	if err := w.conn.do("ROLLBACK"); err != nil && !strings.Contains(err.Error(), "no transaction is active") {
		w.breakOff(err)
	}
}

// abandon undoes the transaction under way, which nobody of the batch gets over.
func (w *writer) abandon(batch []*request, err error) {
	if w.fatal == nil {
		w.rollback()
	}
	if w.fatal != nil {
		err = w.fatal
	}
	w.settle(batch, named(err))
}

// isBroken tells whether a commit failed such that it may be on the disk or not.
func isBroken(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return true
	}
	return false
}

// code is SQLite's, without what it says beyond that; 0 if err is not SQLite's.
func code(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}

// named says what to do about an error of SQLite's, if anybody can.
func named(err error) error {
	if code(err) != sqlite3.SQLITE_FULL || errors.Is(err, store.ErrFull) {
		return err
	}
	return fmt.Errorf("%w: %w", store.ErrFull, err)
}

// breakOff ends writing for good.
func (w *writer) breakOff(err error) {
	w.fatal = fmt.Errorf("the database failed and takes no more writes until the manager is restarted: %w", err)
	close(w.broken)
}

// settle gives all of a batch the same outcome, but for those that failed by
// themselves.
func (w *writer) settle(batch []*request, err error) {
	for _, r := range batch {
		if r.err == nil && r.panics == nil {
			r.err = err
		}
	}
}
