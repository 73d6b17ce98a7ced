package sqlite

import (
	"context"
	"database/sql"
	"errors"
)

// session is the connection that writes, with its statements prepared. Only
// the writer's goroutine uses it. Statements run without a context that could
// end: interrupting one would undo the transaction of everybody in the batch.
type session struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func (s *session) prepared(query string) (*sql.Stmt, error) {
	if stmt := s.stmts[query]; stmt != nil {
		return stmt, nil
	}
	if len(s.stmts) >= 2*mostPrepared {
		if err := s.forget(); err != nil {
			return nil, err
		}
	}
	stmt, err := s.conn.PrepareContext(context.Background(), query)
	if err == nil {
		s.stmts[query] = stmt
	}
	return stmt, err
}

// forget closes the prepared statements.
func (s *session) forget() error {
	var errs []error
	for _, stmt := range s.stmts {
		errs = append(errs, stmt.Close())
	}
	clear(s.stmts)
	return errors.Join(errs...)
}

// do runs a statement without parameters or results.
func (s *session) do(query string) error {
	stmt, err := s.prepared(query)
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(context.Background())
	return err
}

func (s *session) close() error { return errors.Join(s.forget(), s.conn.Close()) }

// guarded is the session for one write, whose context is looked at before each
// statement.
type guarded struct {
	*session
	ctx   context.Context
	wrote bool // something was changed
}

func (g *guarded) ready(ctx context.Context) error {
	if err := g.ctx.Err(); err != nil {
		return err
	}
	return ctx.Err()
}

func (g *guarded) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := g.ready(ctx); err != nil {
		return 0, err
	}
	stmt, err := g.prepared(query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	g.wrote = g.wrote || n > 0
	return n, err
}

func (g *guarded) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := g.ready(ctx); err != nil {
		return nil, err
	}
	stmt, err := g.prepared(query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(context.Background(), args...)
}
