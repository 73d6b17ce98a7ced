package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"windlass/internal/store"
)

// Whoever locks both rows of an execution locks executions before progress.

// LockExecution reads an execution and keeps others from changing it.
func (t *Tx) LockExecution(ctx context.Context, id string) (store.Execution, error) {
	return pick(ctx, t.Reader, executions, id, "t.id = ?"+fmt.Sprintf(t.dialect.RowLock, "t, p"), id)
}

// ClaimExecution claims an execution whose claim still is what was seen.
func (t *Tx) ClaimExecution(ctx context.Context, seen store.Execution, owner string, lease store.Lease) (store.Execution, error) {
	e, err := t.LockExecution(ctx, seen.ID)
	if err != nil {
		return e, err
	}
	if !e.Status.IsActive() || e.Owner != seen.Owner || e.Epoch != seen.Epoch || !e.LeaseUntil.Equal(seen.LeaseUntil) {
		return e, recordError("Execution", seen.ID, store.ErrVersion)
	}
	e.Owner, e.Epoch = owner, e.Epoch+1
	end, args := t.leaseEnd(lease)
	_, err = row(ctx, t.conn, "UPDATE progress SET owner = ?, epoch = ?, lease_until = "+end+" WHERE execution_id = ? RETURNING lease_until",
		append([]any{e.Owner, e.Epoch}, append(args, e.ID)...), timeCell{&e.LeaseUntil})
	return e, err
}

// leaseEnd is when a lease ends that is written now, as an expression.
func (t *Tx) leaseEnd(l store.Lease) (expression string, args []any) {
	if l.From.IsZero() && t.dialect.Now != "" {
		return t.dialect.Now + " + CAST(? AS BIGINT)", []any{l.For.Microseconds()}
	}
	if l.From.IsZero() {
		l.From = t.now()
	}
	return "CAST(? AS BIGINT)", []any{micros(l.From.Add(l.For))}
}

// RenewLeases prolongs claims that are still the newest.
func (t *Tx) RenewLeases(ctx context.Context, owner string, fences []store.Fence, lease store.Lease) ([]string, error) {
	sorted := slices.Clone(fences) // all lock in one order
	slices.SortFunc(sorted, func(a, b store.Fence) int { return strings.Compare(a.ExecutionID, b.ExecutionID) })
	var held []string
	end, until := t.leaseEnd(lease)
	err := chunks(len(sorted), func(from, to int) error {
		var args []any
		for _, f := range sorted[from:to] {
			args = append(args, f.ExecutionID, f.Epoch)
		}
		some, err := texts(ctx, t.conn, with("execution, epoch", "(?, CAST(? AS BIGINT))", to-from)+
			`UPDATE progress SET lease_until = `+end+` FROM v WHERE progress.execution_id = v.execution AND progress.epoch = v.epoch
			AND progress.owner = ? RETURNING progress.execution_id`, append(append(args, until...), owner)...)
		held = append(held, some...)
		return err
	})
	return held, err
}

// ReleaseExecution ends a claim, if it is the newest.
func (t *Tx) ReleaseExecution(ctx context.Context, f store.Fence) error {
	n, err := t.conn.Exec(ctx, "UPDATE progress SET owner = '', lease_until = NULL WHERE execution_id = ? AND epoch = ?", f.ExecutionID, f.Epoch)
	if n > 0 {
		t.Notify(store.TopicExecutions)
	}
	return err
}

// CheckFence locks the execution if f is its newest claim.
func (t *Tx) CheckFence(ctx context.Context, f store.Fence) error {
	var epoch int64
	found, err := row(ctx, t.conn, "SELECT p.epoch FROM executions t JOIN progress p ON p.num = t.num WHERE t.id = ?"+
		fmt.Sprintf(t.dialect.RowLock, "t, p"), []any{f.ExecutionID}, &epoch)
	if err != nil {
		return err
	}
	if !found || epoch != f.Epoch {
		return fenced(f, found)
	}
	return nil
}

// fenced is the error for an old claim; a deleted execution is both fenced off
// and not found.
func fenced(f store.Fence, exists bool) error {
	if exists {
		return recordError("Execution", f.ExecutionID, store.ErrFenced)
	}
	return recordError("Execution", f.ExecutionID, fmt.Errorf("%w, or deleted: %w", store.ErrFenced, store.ErrNotFound))
}
