package sqlstore

import (
	"context"
	"fmt"
	"strings"
)

// mostRows is the largest number of rows in one statement. Sizes are powers of
// two, so that few different statements have to be prepared.
const mostRows = 128

// chunks calls do with consecutive parts of n items.
func chunks(n int, do func(from, to int) error) error {
	for from := 0; from < n; {
		size := mostRows
		for size > n-from {
			size /= 2
		}
		if err := do(from, from+size); err != nil {
			return err
		}
		from += size
	}
	return nil
}

// insert adds one row; added is false if its key is taken.
func insert(ctx context.Context, c Conn, table string, columns []string, args []any) (added bool, err error) {
	n, err := insertRows(ctx, c, table, columns, args)
	return n == 1, err
}

// insertRows adds rows, whose values are all in args, and returns how many;
// those with keys that are taken are left out.
func insertRows(ctx context.Context, c Conn, table string, columns []string, args []any) (int64, error) {
	var added int64
	width := len(columns)
	err := chunks(len(args)/width, func(from, to int) error {
		n, err := c.Exec(ctx, insertStatement(table, columns, to-from), args[from*width:to*width]...)
		added += n
		return err
	})
	return added, err
}

func insertStatement(table string, columns []string, rows int) string {
	return "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES " +
		list(rowOf(len(columns)), rows) + " ON CONFLICT DO NOTHING"
}

// rowOf is (?, ?, ...).
func rowOf(n int) string { return "(" + list("?", n) + ")" }

func list(item string, n int) string {
	return strings.Repeat(item+", ", n-1) + item
}

// updateStatement sets columns of the rows that the condition selects.
func updateStatement(table string, columns []string, where string) string {
	return fmt.Sprintf("UPDATE %s SET %s = ? WHERE %s", table, strings.Join(columns, " = ?, "), where)
}

// with is a table of parameters: WITH v(columns) AS (VALUES (...), ...). row
// has a ? for each column, cast where it isn't text.
func with(columns, row string, rows int) string {
	return "WITH v(" + columns + ") AS (VALUES " + list(row, rows) + ") "
}
