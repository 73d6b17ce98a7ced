// Package sqlite is the store of a single manager: one SQLite file.
//
// Readers have a pool of connections and see the newest committed state.
// Writes go through one goroutine on one connection, which runs those that
// wait in one transaction and syncs once for all of them.
package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // registers the driver

	"windlass/internal/store"
	"windlass/internal/store/sqlstore"
)

//go:embed migrations/*.sql
var migrations embed.FS

var dialect = &sqlstore.Dialect{
	Name:      "sqlite",
	Contains:  `instr(%s, ?) > 0`,
	Like:      `%s LIKE ? ESCAPE '\'`,
	Member:    `%s IN (SELECT value FROM json_each(?))`,
	RowLock:   "%.0s", // one writer at a time: everything is locked
	ForUpdate: "",
	ByIndex:   " INDEXED BY %s",
}

// readers is how many connections read at the same time.
const readers = 8

// Store is an open database file. It implements store.Store.
type Store struct {
	sqlstore.Reader
	path string
	lock *os.File
	read *sql.DB
	hub  sqlstore.Hub

	documents sqlstore.Documents

	writer *writer
	once   sync.Once
	closed error // of the one Close
}

var (
	_ store.Store    = (*Store)(nil)
	_ store.Breaker  = (*Store)(nil)
	_ store.Reporter = (*Store)(nil)
)

// Broken implements store.Breaker.
func (s *Store) Broken() <-chan struct{} { return s.writer.broken }

// Trouble implements store.Reporter.
func (s *Store) Trouble() store.Trouble { return s.writer.trouble.Trouble() }

// Open opens or creates the database at path and brings it to the newest
// schema. It fails if another process has it open.
func Open(ctx context.Context, path string) (store.Store, error) {
	s, err := open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return s, nil
}

func open(ctx context.Context, path string) (_ *Store, err error) {
	s := &Store{path: path}
	if s.lock, err = lockFile(ctx, path+".lock"); err != nil {
		return nil, err
	}
	var db *sql.DB
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(db, s.read, s.lock))
		}
	}()
	if db, err = connect(path, 1, "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)", "temp_store(MEMORY)",
		"cache_size(-65536)", "wal_autocheckpoint(4000)"); err != nil {
		return nil, err
	}
	if err := migrate(ctx, db); err != nil {
		return nil, err
	}
	if s.read, err = connect(path, readers, "query_only(ON)", "temp_store(MEMORY)", "cache_size(-16384)"); err != nil {
		return nil, err
	}
	s.Reader = sqlstore.NewReader(&pool{db: s.read}, dialect, &s.documents)
	if s.writer, err = startWriter(ctx, db, &s.hub, &s.documents); err != nil {
		return nil, err
	}
	return s, nil
}

// connect prepares a pool of connections. busy_timeout comes first, for the
// other settings may have to wait for a lock already.
func connect(path string, size int, pragmas ...string) (*sql.DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	settings := url.Values{"_pragma": append([]string{"busy_timeout(10000)"}, pragmas...), "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: absolute, RawQuery: settings.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	// Migrations are independent of each other: one with a lower number may come
	// later than others that are applied.
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithAllowOutofOrder(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// Dialect is "sqlite".
func (s *Store) Dialect() string { return dialect.Name }

// Write runs fn in a transaction that it may share with other writes.
func (s *Store) Write(ctx context.Context, fn func(tx store.Tx) error) error {
	return s.writer.write(ctx, fn)
}

// WriteLocked is Write: there is one writer, which shares its transactions anyway.
func (s *Store) WriteLocked(ctx context.Context, _ string, fn func(tx store.Tx) error) error {
	return s.Write(ctx, fn)
}

// Freeze calls fn with a view of one moment.
func (s *Store) Freeze(ctx context.Context, fn func(v store.View) error) (err error) {
	single, err := s.read.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { err = errors.Join(err, single.Close()) }() // gives it back to the pool
	if _, err := single.ExecContext(ctx, "BEGIN DEFERRED"); err != nil {
		return fmt.Errorf("begin to read: %w", err)
	}
	defer func() {
		_, ending := single.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		err = errors.Join(err, ending)
	}()
	return fn(sqlstore.View{Reader: sqlstore.NewReader(frozen{single}, dialect, &s.documents)})
}

// frozen reads on one connection.
type frozen struct{ *sql.Conn }

func (f frozen) Exec(context.Context, string, ...any) (int64, error) {
	return 0, errors.New("a reader can't write")
}

func (f frozen) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return f.QueryContext(ctx, query, args...)
}

// Subscribe returns a channel that is woken after writes that notified topic.
func (s *Store) Subscribe(topic string) (wake <-chan struct{}, stop func()) {
	return s.hub.Subscribe(topic)
}

// Size is that of the database file and its journal.
func (s *Store) Size(context.Context) (int64, error) {
	var total int64
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(s.path + suffix)
		if errors.Is(err, fs.ErrNotExist) && suffix != "" {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("measure database: %w", err)
		}
		total += info.Size()
	}
	return total, nil
}

// Close finishes the writes under way and closes the file. Closing again gives
// the same result.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.closed = errors.Join(s.writer.stop(), closeAll(nil, s.read, nil), s.writer.close(), s.lock.Close())
	})
	return s.closed
}

func closeAll(db, read *sql.DB, lock *os.File) error {
	var errs []error
	if read != nil {
		errs = append(errs, read.Close())
	}
	if db != nil {
		errs = append(errs, db.Close())
	}
	if lock != nil {
		errs = append(errs, lock.Close())
	}
	return errors.Join(errs...)
}

// pool reads through prepared statements.
type pool struct {
	db    *sql.DB
	mu    sync.Mutex
	stmts map[string]*sql.Stmt // guarded by mu
}

// mostPrepared bounds the statements that are kept; lists come in many forms.
const mostPrepared = 256

func (p *pool) Exec(context.Context, string, ...any) (int64, error) {
	return 0, errors.New("a reader can't write")
}

func (p *pool) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := p.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	if stmt == nil {
		return p.db.QueryContext(ctx, query, args...)
	}
	return stmt.QueryContext(ctx, args...)
}

// prepared returns a statement, or nil if there are too many already.
func (p *pool) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	p.mu.Lock()
	stmt, full := p.stmts[query], len(p.stmts) >= mostPrepared
	p.mu.Unlock()
	if stmt != nil || full {
		return stmt, nil
	}
	stmt, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if other := p.stmts[query]; other != nil {
		return other, stmt.Close()
	}
	if p.stmts == nil {
		p.stmts = map[string]*sql.Stmt{}
	}
	p.stmts[query] = stmt
	return stmt, nil
}
