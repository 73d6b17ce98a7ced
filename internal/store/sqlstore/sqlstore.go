// Package sqlstore is what the SQL databases have in common: every statement of
// the store, written once in the subset of SQL that SQLite and PostgreSQL
// share, with ? for parameters. The packages sqlite and postgres bring the
// connections, the transactions and a Dialect.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"windlass/internal/store"
)

// Conn runs statements: on a pool of connections, or inside one transaction.
type Conn interface {
	// Exec returns how many rows were affected.
	Exec(ctx context.Context, query string, args ...any) (int64, error)
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Dialect holds the places where the databases differ. In the texts, %s stands
// for an expression.
type Dialect struct {
	Name      string
	Contains  string // does %s contain the parameter, respecting case
	Like      string // does %s match the pattern, ignoring the case of ASCII letters
	Member    string // is %s in the list of texts that the parameter holds as JSON
	RowLock   string // suffix of a SELECT that locks the rows of table %s
	ForUpdate string // suffix of a SELECT that locks the rows of all its tables

	Now        string // the database's clock, in microseconds; "" for the one of this process
	ByIndex    string // after a table: reads it by the index %s, where the planner has to be told
	LockTables string // keeps others from changing the tables %s; "" where writers are serial
	Override   string // lets an INSERT give numbers that the database gives otherwise
	Advance    string // makes the numbers of table %[1]s go on after the largest; "" where they do
}

// Reader implements store.Reader.
type Reader struct {
	conn    Conn
	dialect *Dialect
}

// NewReader returns a reader on a connection. Readers of one database may share
// documents; nil: this one shares nothing.
func NewReader(conn Conn, d *Dialect, documents *Documents) Reader {
	return Reader{conn: cleaned{conn, documents}, dialect: d}
}

// Now is the present by the database's clock.
func (r Reader) Now(ctx context.Context) (now time.Time, err error) {
	if r.dialect.Now == "" {
		return time.Now().UTC(), ctx.Err()
	}
	if _, err = row(ctx, r.conn, "SELECT "+r.dialect.Now, nil, timeCell{&now}); err != nil {
		return now, fmt.Errorf("read the database's clock: %w", err)
	}
	return now, nil
}

// Tx implements store.Tx on a connection that is in a transaction. Beginning
// and ending the transaction, and publishing Topics, is up to its maker.
type Tx struct {
	Reader
	lock   func(name string) error
	topics map[string]struct{}
	now    func() time.Time
	shift  map[string]int64 // by how much an import moves the numbers of a table's rows
}

// NewTx returns a transaction. lock implements store.Tx.Lock; see NewReader for
// documents.
func NewTx(conn Conn, d *Dialect, documents *Documents, lock func(name string) error) *Tx {
	return &Tx{Reader: NewReader(conn, d, documents), lock: lock, topics: map[string]struct{}{}, now: time.Now}
}

var (
	_ store.Reader = Reader{}
	_ store.Tx     = (*Tx)(nil)
)

// Lock holds the named lock until the transaction ends.
func (t *Tx) Lock(name string) error { return t.lock(name) }

// Notify wakes the subscribers of topic after the commit.
func (t *Tx) Notify(topic string) { t.topics[topic] = struct{}{} }

// Topics are those to notify once the transaction is committed.
func (t *Tx) Topics() map[string]struct{} { return t.topics }

// cleaned passes texts on in a form that every database stores: valid UTF-8
// without NUL, which becomes <NUL> as in the original.
type cleaned struct {
	Conn
	documents *Documents // see NewReader
}

func (c cleaned) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	clean(args)
	return c.Conn.Exec(ctx, query, args...)
}

func (c cleaned) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	clean(args)
	return c.Conn.Query(ctx, query, args...)
}

func clean(args []any) {
	for i, a := range args {
		if s, is := a.(string); is && (strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s)) {
			args[i] = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "<NUL>"), "\ufffd")
		}
	}
}

// row reads exactly one row into the targets; found is false if there is none.
func row(ctx context.Context, c Conn, query string, args []any, targets ...any) (found bool, err error) {
	rows, err := c.Query(ctx, query, args...)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if !rows.Next() {
		return false, rows.Err()
	}
	return true, rows.Scan(sharing(c, targets)...)
}

// all reads every row into a T.
func all[T any](ctx context.Context, c Conn, targets func(*T) []any, query string, args ...any) (items []T, err error) {
	rows, err := c.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		items = append(items, *new(T))
		if err := rows.Scan(sharing(c, targets(&items[len(items)-1]))...); err != nil {
			return nil, err
		}
	}
	return items, rows.Err()
}

// texts reads a column of texts.
func texts(ctx context.Context, c Conn, query string, args ...any) ([]string, error) {
	return all(ctx, c, func(s *string) []any { return []any{s} }, query, args...)
}

func recordError(kind, id string, err error) error {
	return &store.RecordError{Kind: kind, ID: id, Err: err}
}

// one turns the count of affected rows into ErrNotFound or another error for
// rows that were not there.
func one(n int64, err error, kind, id string, otherwise error) error {
	if err == nil && n == 0 {
		return recordError(kind, id, otherwise)
	}
	return err
}
