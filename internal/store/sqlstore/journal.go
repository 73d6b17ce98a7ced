package sqlstore

import (
	"context"
	"fmt"
	"time"

	"windlass/internal/store"
)

// Journal applies what an execution's engine has decided. The check of the
// fence, the counters and the numbers of the events are one statement, which
// also holds off a claim by anybody else until the end of the transaction.
func (t *Tx) Journal(ctx context.Context, f store.Fence, b store.JournalBatch) error {
	changes := latestChanges(b.Changed)
	num, seq, err := t.advance(ctx, f, b, changes)
	if err != nil {
		return err
	}
	if err := t.addOperations(ctx, b.Added); err != nil {
		return err
	}
	if err := t.changeOperations(ctx, changes); err != nil {
		return err
	}
	if err := t.setInstanceStates(ctx, b.InstanceStates); err != nil {
		return err
	}
	if len(b.Events) == 0 {
		return nil
	}
	t.Notify(store.TopicEvents(f.ExecutionID))
	return t.insertEvents(ctx, num, seq-int64(len(b.Events)), b.Events)
}

// advance checks the fence and moves the counters. It returns the execution's
// number and the last number that the batch's events take.
func (t *Tx) advance(ctx context.Context, f store.Fence, b store.JournalBatch, changes []store.OperationChange) (num, seq int64, err error) {
	for _, e := range b.Events {
		if e.ExecutionID != "" && e.ExecutionID != f.ExecutionID {
			return 0, 0, fmt.Errorf("journal of execution %s: event of execution %s", f.ExecutionID, e.ExecutionID)
		}
	}
	total, finished := tally(b.Added)
	counted, ids := countedChanges(b.Added, changes)
	events, logs := tallyEvents(b.Events)
	query := `UPDATE progress SET total_operations = total_operations + ?, finished_operations = finished_operations + ?,
		event_seq = event_seq + ?, events = events + ?, logs = logs + ? WHERE execution_id = ? AND epoch = ? RETURNING num, event_seq`
	args := []any{total, finished + counted, len(b.Events), events, logs, f.ExecutionID, f.Epoch}
	if len(ids) > 0 {
		query = fmt.Sprintf(`UPDATE progress SET total_operations = total_operations + ?, finished_operations = finished_operations + ?
			- (SELECT COUNT(*) FROM operations WHERE %s AND state IN `+endStates+` AND type <> '`+nop+`'),
			event_seq = event_seq + ?, events = events + ?, logs = logs + ? WHERE execution_id = ? AND epoch = ? RETURNING num, event_seq`,
			fmt.Sprintf(t.dialect.Member, "operations.id"))
		args = []any{total, finished + counted, jsonTexts(ids), len(b.Events), events, logs, f.ExecutionID, f.Epoch}
	}
	found, err := row(ctx, t.conn, query, args, &num, &seq)
	if err != nil || found {
		return num, seq, err
	}
	if found, err = row(ctx, t.conn, "SELECT num FROM progress WHERE execution_id = ?", []any{f.ExecutionID}, &num); err != nil {
		return 0, 0, err
	}
	return 0, 0, fenced(f, found)
}

// countedChanges counts the changes that end a task, and returns the ids of
// those tasks that may have ended before. Those on their way from pending to an
// end are not among them: a task that has ended begins again as pending.
func countedChanges(added []store.Operation, changes []store.OperationChange) (finished int, ids []string) {
	fresh := make(map[string]bool, len(added)) // whether it was counted as finished
	for _, op := range added {
		fresh[op.ID] = isEnd(op.State) && op.Type != nop
	}
	for _, c := range changes {
		if c.Type == nop {
			continue
		}
		before, isNew := fresh[c.ID]
		if isEnd(c.State) {
			finished++
		}
		switch {
		case isNew && before:
			finished--
		case !isNew && (isEnd(c.State) || c.State == "pending"):
			ids = append(ids, c.ID)
		}
	}
	return finished, ids
}

// latestChanges merges several changes of one task into its last.
func latestChanges(changes []store.OperationChange) []store.OperationChange {
	at := make(map[string]int, len(changes))
	for i, c := range changes {
		if _, twice := at[c.ID]; twice {
			return mergeChanges(changes)
		}
		at[c.ID] = i
	}
	return changes
}

func mergeChanges(changes []store.OperationChange) []store.OperationChange {
	at := map[string]int{}
	var merged []store.OperationChange
	for _, c := range changes {
		i, seen := at[c.ID]
		if !seen {
			at[c.ID] = len(merged)
			merged = append(merged, c)
			continue
		}
		if c.Parameters == nil {
			c.Parameters = merged[i].Parameters
		}
		merged[i] = c
	}
	return merged
}

func (t *Tx) changeOperations(ctx context.Context, changes []store.OperationChange) error {
	var n int64
	args := make([]any, 0, 5*len(changes))
	for _, c := range changes {
		var result any
		if c.State == "succeeded" {
			result = valueArg(c.Result)
		}
		args = append(args, c.ID, c.State, result, c.Error, mapArg(c.Parameters))
	}
	err := chunks(len(changes), func(from, to int) error {
		if to-from == 1 { // the commonest case, and the table of parameters costs a little
			c := args[5*from : 5*to]
			some, err := t.conn.Exec(ctx, "UPDATE operations SET state = ?, result = ?, error = ?, parameters = COALESCE(?, parameters) WHERE id = ?",
				c[1], c[2], c[3], c[4], c[0])
			n += some
			return err
		}
		some, err := t.conn.Exec(ctx, with("id, state, result, error, parameters", "(?, ?, ?, ?, ?)", to-from)+
			`UPDATE operations SET state = v.state, result = v.result, error = v.error,
			parameters = COALESCE(v.parameters, operations.parameters) FROM v WHERE operations.id = v.id`, args[5*from:5*to]...)
		n += some
		return err
	})
	if err != nil || int(n) == len(changes) {
		return err
	}
	for _, c := range changes {
		if _, err := t.GetOperation(ctx, c.ID); err != nil {
			return err
		}
	}
	return fmt.Errorf("change %d operations: %d were changed", len(changes), n)
}

// instanceKey names an instance.
type instanceKey struct{ tenant, id string }

// setInstanceStates sets states in their order; an instance may come up more
// than once.
func (t *Tx) setInstanceStates(ctx context.Context, states []store.InstanceState) error {
	if len(states) == 0 {
		return nil
	}
	last := map[instanceKey]*instanceChange{}
	var order []*instanceChange
	for _, s := range states {
		k := instanceKey{s.Tenant, s.InstanceID}
		c := last[k]
		if c == nil {
			c = &instanceChange{instanceKey: k}
			last[k], order = c, append(order, c)
		}
		c.state = s.State
		c.steps++
		if s.State == "configured" || s.State == "started" {
			c.effects = append(c.effects, s.State)
		}
	}
	var plain []*instanceChange
	for _, c := range order {
		if len(c.effects) == 0 {
			plain = append(plain, c)
		} else if err := t.setInstanceWithEffects(ctx, c); err != nil {
			return err
		}
	}
	return t.setPlainStates(ctx, plain)
}

type instanceChange struct {
	instanceKey
	state   string
	steps   int      // how often the state changes
	effects []string // states on the way that change system properties
}

func (t *Tx) setPlainStates(ctx context.Context, changes []*instanceChange) error {
	return chunks(len(changes), func(from, to int) error {
		var args []any
		for _, c := range changes[from:to] {
			args = append(args, c.tenant, c.id, c.state, c.steps)
		}
		n, err := t.conn.Exec(ctx, with("tenant, id, state, steps", "(?, ?, ?, CAST(? AS BIGINT))", to-from)+
			`UPDATE node_instances SET state = v.state, version = version + v.steps FROM v
			WHERE node_instances.id = v.id AND node_instances.tenant = v.tenant`, args...)
		if err != nil || int(n) == to-from {
			return err
		}
		for _, c := range changes[from:to] {
			if _, err := t.GetInstance(ctx, c.tenant, c.id); err != nil {
				return err
			}
		}
		return fmt.Errorf("set the states of %d node instances: %d were changed", to-from, n)
	})
}

// setInstanceWithEffects sets a state that changes system properties.
func (t *Tx) setInstanceWithEffects(ctx context.Context, c *instanceChange) error {
	var system map[string]any
	found, err := row(ctx, t.conn, "SELECT system_properties FROM node_instances WHERE id = ? AND tenant = ?"+t.dialect.ForUpdate,
		[]any{c.id, c.tenant}, mapCell{&system})
	if err != nil {
		return err
	}
	if !found {
		return recordError("NodeInstance", c.id, store.ErrNotFound)
	}
	for _, state := range c.effects {
		system = systemProperties(system, state, t.now())
	}
	_, err = t.conn.Exec(ctx, `UPDATE node_instances SET state = ?, version = version + ?, system_properties = ?, status_ok = ?, drifted = ?
		WHERE id = ? AND tenant = ?`, c.state, c.steps, mapArg(system), isStatusOK(system), isDrifted(system), c.id, c.tenant)
	return err
}

// systemProperties is what an instance's system properties become when it
// enters a state: freshly configured there is no drift, freshly started all is
// well.
func systemProperties(before map[string]any, state string, now time.Time) map[string]any {
	after := make(map[string]any, len(before)+2)
	for k, v := range before {
		after[k] = v
	}
	fine := map[string]any{"ok": true, "result": nil, "task": nil, "timestamp": now.UTC().Format("2006-01-02T15:04:05.000Z")}
	switch state {
	case "configured":
		after["configuration_drift"] = fine
	case "started":
		after["status"], after["previous_status"] = fine, nil
	}
	return after
}
