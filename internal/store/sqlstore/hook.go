package sqlstore

import (
	"context"
	"fmt"
	"strings"

	"windlass/internal/store"
)

var hookCallColumns = []string{
	"id", "tenant", "execution_id", "event_type", "created_at", "implementation", "inputs", "facts", "claimed_until", "token_hash",
}

func hookCallValues(c store.HookCall) []any {
	return []any{c.ID, c.Tenant, c.ExecutionID, c.EventType, micros(c.CreatedAt), c.Implementation, mapArg(c.Inputs), mapArg(c.Facts),
		micros(c.ClaimedUntil), c.TokenHash}
}

// hookCalls are read as they are to be made; nobody lists them.
var hookCalls = "SELECT " + strings.Join(hookCallColumns, ", ") + " FROM hook_calls t WHERE "

func hookCallTargets(c *store.HookCall) []any {
	return []any{&c.ID, &c.Tenant, &c.ExecutionID, &c.EventType, timeCell{&c.CreatedAt}, &c.Implementation, mapCell{&c.Inputs},
		mapCell{&c.Facts}, timeCell{&c.ClaimedUntil}, &c.TokenHash}
}

// DueHookCalls lists the calls that nobody makes, the oldest first.
func (r Reader) DueHookCalls(ctx context.Context, h store.Holding, limit int) ([]store.HookCall, error) {
	calls, err := all(ctx, r.conn, hookCallTargets, hookCalls+`(t.claimed_until <= ? OR t.claimed_until > ?) AND NOT EXISTS (
		SELECT 1 FROM hook_calls o WHERE o.execution_id = t.execution_id AND o.num < t.num) ORDER BY t.num LIMIT ?`, micros(h.From), latest(h.To), limit)
	if err != nil {
		return nil, fmt.Errorf("list calls of hooks: %w", err)
	}
	return calls, nil
}

// FindHookCallByToken finds the call whose token has this hash.
func (r Reader) FindHookCallByToken(ctx context.Context, tokenHash string) (store.HookCall, error) {
	calls, err := all(ctx, r.conn, hookCallTargets, hookCalls+"t.token_hash = ? AND t.token_hash <> ''", tokenHash)
	if err == nil && len(calls) == 0 {
		err = recordError("HookCall", "with this token", store.ErrNotFound)
	}
	if err != nil {
		return store.HookCall{}, err
	}
	return calls[0], nil
}

// AddHookCall adds a call, or gives ErrExists.
func (t *Tx) AddHookCall(ctx context.Context, c store.HookCall) error {
	added, err := insert(ctx, t.conn, "hook_calls", hookCallColumns, hookCallValues(c))
	if err := taken(added, err, "HookCall", c.ID); err != nil {
		return err
	}
	t.Notify(store.TopicHooks)
	return nil
}

// UpdateHookCall stores who makes the call, or gives ErrNotFound.
func (t *Tx) UpdateHookCall(ctx context.Context, c store.HookCall) error {
	n, err := t.conn.Exec(ctx, "UPDATE hook_calls SET claimed_until = ?, token_hash = ? WHERE id = ?", micros(c.ClaimedUntil), c.TokenHash, c.ID)
	return one(n, err, "HookCall", c.ID, store.ErrNotFound)
}

// DeleteHookCall removes a call.
func (t *Tx) DeleteHookCall(ctx context.Context, id string) error {
	if _, err := t.conn.Exec(ctx, "DELETE FROM hook_calls WHERE id = ?", id); err != nil {
		return fmt.Errorf("remove the call %s of a hook: %w", id, err)
	}
	return nil
}
