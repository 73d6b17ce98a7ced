package postgres

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
)

// runner is a pool or a transaction of database/sql.
type runner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// conn runs statements written with ? for parameters.
type conn struct{ runner }

func (c conn) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := c.ExecContext(ctx, numbered(query), args...)
	if err != nil {
		return 0, named(err)
	}
	return result.RowsAffected()
}

func (c conn) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := c.QueryContext(ctx, numbered(query), args...)
	return rows, named(err)
}

// bound runs statements of a transaction under its context: a statement that
// ends with a context of its own would take the connection with it.
type bound struct {
	conn
	ctx   context.Context
	wrote *bool // set once something was changed
}

func (b bound) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.conn.Exec(b.ctx, query, args...)
	if n > 0 {
		*b.wrote = true
	}
	return n, err
}

func (b bound) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return b.conn.Query(b.ctx, query, args...)
}

// numbered writes the parameters of a statement as $1, $2 and so on. The
// statements have no ? inside of literals.
func numbered(query string) string {
	var b strings.Builder
	b.Grow(len(query) + 2*strings.Count(query, "?"))
	for n := 1; ; n++ {
		before, after, more := strings.Cut(query, "?")
		b.WriteString(before)
		if !more {
			return b.String()
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
		query = after
	}
}
