// Package postgres is the store of several managers: one PostgreSQL database
// that they share.
//
// Writes are transactions of their own at READ COMMITTED, and run again after
// a deadlock. Who must not be disturbed locks the row, or a named lock.
package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"windlass/internal/store"
	"windlass/internal/store/sqlstore"
)

//go:embed migrations/*.sql
var migrations embed.FS

var dialect = &sqlstore.Dialect{
	Name:      "postgres",
	Contains:  `strpos(%s, ?) > 0`,
	Like:      `%s ILIKE ? ESCAPE '\'`,
	Member:    `%s IN (SELECT jsonb_array_elements_text(CAST(? AS jsonb)))`,
	RowLock:   " FOR NO KEY UPDATE OF %s",
	ForUpdate: " FOR NO KEY UPDATE",

	Now:        "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)",
	ByIndex:    "%.0s",
	LockTables: "LOCK TABLE %s IN EXCLUSIVE MODE",
	Override:   " OVERRIDING SYSTEM VALUE",
	Advance:    "SELECT setval(pg_get_serial_sequence('%[1]s', 'num'), COALESCE((SELECT MAX(num) FROM %[1]s), 0) + 1, false)",
}

// session are the settings of our connections, unless the URL has others. What
// is read is mostly a few rows by an index; without being told the planner
// reads whole tables where its statistics are young or old.
var session = map[string]string{
	"application_name": "windlass",
	"random_page_cost": "1.1",
	"jit":              "off",
	"plan_cache_mode":  "force_generic_plan",
}

// connections is how many one manager opens at most, besides the one that
// listens.
const connections = 16

// Store is an open database. It implements store.Store.
type Store struct {
	sqlstore.Reader
	db    *sql.DB
	hub   sqlstore.Hub
	news  *notifier
	doors doors

	trouble   sqlstore.Trouble
	documents sqlstore.Documents

	mu     sync.RWMutex // held while writing, exclusively while closing
	closed bool         // guarded by mu
	once   sync.Once
	result error // of the one Close
}

var (
	_ store.Store    = (*Store)(nil)
	_ store.Reporter = (*Store)(nil)
)

// Open connects to the database that the URL names and brings it to the newest
// schema; of several managers that start at once, one does that.
func Open(ctx context.Context, url string) (store.Store, error) {
	config, err := pgx.ParseConfig(url) // its errors leave the password out
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	for name, setting := range session {
		if config.RuntimeParams[name] == "" {
			config.RuntimeParams[name] = setting
		}
	}
	s, err := open(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open database %s on %s: %w", config.Database, config.Host, err)
	}
	return s, nil
}

func open(ctx context.Context, config *pgx.ConnConfig) (*Store, error) {
	s := &Store{db: stdlib.OpenDB(*config)}
	s.db.SetMaxOpenConns(connections)
	s.db.SetMaxIdleConns(connections)
	s.db.SetConnMaxIdleTime(5 * time.Minute)
	if err := migrate(ctx, s.db); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	s.Reader = sqlstore.NewReader(conn{s.db}, dialect, &s.documents)
	news, err := startNotifier(ctx, config, s.db, &s.hub)
	if err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	s.news = news
	return s, nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	// Migrations are independent of each other: one with a lower number may come
	// later than others that are applied.
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker), goose.WithAllowOutofOrder(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// Dialect is "postgres".
func (s *Store) Dialect() string { return dialect.Name }

// Freeze calls fn with a view of one moment.
func (s *Store) Freeze(ctx context.Context, fn func(v store.View) error) error {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return because(ctx, fmt.Errorf("begin to read: %w", err))
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	if err := fn(sqlstore.View{Reader: sqlstore.NewReader(conn{tx}, dialect, &s.documents)}); err != nil {
		return because(ctx, err)
	}
	return nil
}

// Subscribe returns a channel that is woken after writes that notified topic,
// by this manager or another.
func (s *Store) Subscribe(topic string) (wake <-chan struct{}, stop func()) {
	return s.hub.Subscribe(topic)
}

// Size is that of the whole database.
func (s *Store) Size(ctx context.Context) (size int64, err error) {
	if err := s.db.QueryRowContext(ctx, "SELECT pg_database_size(current_database())").Scan(&size); err != nil {
		return 0, fmt.Errorf("measure database: %w", err)
	}
	return size, nil
}

// Close waits for the writes under way, sends what is left to notify and
// closes the connections. Closing again gives the same result.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.result = errors.Join(s.news.stop(), s.db.Close())
	})
	return s.result
}

// mostAttempts bounds how often a write runs that others get in the way of.
const mostAttempts = 10

// Write runs fn in a transaction, again if the database asks for it.
func (s *Store) Write(ctx context.Context, fn func(tx store.Tx) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errClosed
	}
	return s.write(ctx, fn)
}

func (s *Store) write(ctx context.Context, fn func(tx store.Tx) error) error {
	for attempt := 1; ; attempt++ {
		topics, err := s.attempt(ctx, fn)
		if err == nil {
			s.publish(topics)
			return nil
		}
		if !isTransient(err) || attempt == mostAttempts {
			s.note(ctx, err)
			return named(err)
		}
		pause := time.NewTimer(rand.N(time.Duration(attempt) * 10 * time.Millisecond))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
}

// attempt runs fn in one transaction and commits it.
func (s *Store) attempt(ctx context.Context, fn func(tx store.Tx) error) (map[string]struct{}, error) {
	t, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer t.close()
	tx := sqlstore.NewTx(bound{conn{t.sql}, t.running, &t.wrote}, dialect, t.documents, t.lock)
	if err := fn(tx); err != nil {
		return nil, because(ctx, err)
	}
	if !t.unlink() {
		return nil, ctx.Err()
	}
	if err := t.sql.Commit(); err != nil {
		return nil, &commitError{err}
	}
	if t.wrote {
		s.trouble.Passed()
	}
	return tx.Topics(), nil
}

// note remembers an error that came of the database itself: it could not be
// reached, or would take no write from anybody.
func (s *Store) note(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	var e *pgconn.PgError
	var unreachable *pgconn.ConnectError
	var network net.Error
	isOwn := errors.As(err, &unreachable) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn)
	if errors.As(err, &e) {
		switch e.Code[:2] {
		case "08", "53", "57", "58", "XX": // connection, resources, operator's intervention, system, internal
			isOwn = true
		}
		isOwn = isOwn || e.Code == "25006" // a read-only transaction: the server is a stand-by
	}
	if isOwn {
		s.trouble.Met(named(err))
	}
}

// Trouble implements store.Reporter.
func (s *Store) Trouble() store.Trouble { return s.trouble.Trouble() }

// transaction is one under way, on a connection of its own.
type transaction struct {
	sql     *sql.Tx
	conn    *sql.Conn
	lasting context.Context // never ends
	running context.Context // ends with the context of who began, until unlink
	cancel  context.CancelFunc
	unlink  func() bool
	held    []string // named locks

	documents *sqlstore.Documents
	wrote     bool // something was changed
}

func (s *Store) begin(ctx context.Context) (*transaction, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// The end of ctx stops waiting and statements. It must not stop a commit
	// half-way, nor take the connection with it where nothing is under way.
	t := &transaction{lasting: context.WithoutCancel(ctx), documents: &s.documents}
	t.running, t.cancel = context.WithCancel(t.lasting)
	t.unlink = context.AfterFunc(ctx, t.cancel)
	var err error
	if t.conn, err = s.db.Conn(t.running); err != nil {
		t.unlink()
		t.cancel()
		return nil, because(ctx, fmt.Errorf("connect: %w", named(err)))
	}
	if t.sql, err = t.conn.BeginTx(t.lasting, nil); err != nil {
		t.close()
		return nil, because(ctx, fmt.Errorf("begin transaction: %w", named(err)))
	}
	return t, nil
}

// lock takes a named lock until the transaction ends. What it holds already it
// doesn't ask for again: who starts many in one transaction locks for each.
func (t *transaction) lock(name string) error {
	if slices.Contains(t.held, name) {
		return nil
	}
	_, err := conn{t.sql}.Exec(t.running, "SELECT pg_advisory_xact_lock(?)", lockNumber(name))
	if err == nil {
		t.held = append(t.held, name)
	}
	return err
}

// close undoes what is not committed and gives the connection back.
func (t *transaction) close() {
	if t.sql != nil {
		_ = t.sql.Rollback() // after a commit it does nothing
	}
	_ = t.conn.Close()
	t.unlink()
	t.cancel()
}

// because gives the end of the context as the reason for an error that came of it.
func because(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

func (s *Store) publish(topics map[string]struct{}) {
	if len(topics) == 0 {
		return
	}
	for topic := range topics {
		s.hub.Publish(topic)
	}
	s.news.send(topics)
}

// commitError is a failed commit. If the connection broke, it may have
// happened: nobody knows.
type commitError struct{ err error }

func (e *commitError) Error() string { return "commit: " + e.err.Error() }

func (e *commitError) Unwrap() error { return e.err }

// isTransient tells whether nothing was done for reasons that are likely to be
// over: others were in the way, or the connection was found broken.
func isTransient(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01") { // serialization failure, deadlock
		return true
	}
	var commit *commitError
	return errors.Is(err, driver.ErrBadConn) && !errors.As(err, &commit)
}

// named says what to do about an error of PostgreSQL's, if anybody can.
func named(err error) error {
	var e *pgconn.PgError
	switch {
	case err == nil, errors.Is(err, store.ErrFull), errors.Is(err, store.ErrUnavailable):
		return err
	case errors.As(err, &e) && e.Code == "53100": // disk full
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	case isUnreachable(err):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return err
}

// isUnreachable tells whether the server is away, goes or comes, or takes no
// more connections, so that the same may succeed later.
func isUnreachable(err error) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		closed := e.Code == "55000" && e.Severity == "FATAL" // the database lets nobody in for now
		return closed || strings.HasPrefix(e.Code, "08") || strings.HasPrefix(e.Code, "57P0") || e.Code == "53300"
	}
	var connecting *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connecting) || errors.As(err, &network) && !errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// lockNumber is the number under which the database knows a named lock.
func lockNumber(name string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("windlass/" + name))
	return int64(h.Sum64())
}
