package sqlstore

import (
	"context"
	"fmt"

	"windlass/internal/store"
)

// nop is the type of tasks that do nothing; they are not counted.
const nop = "NOPLocalWorkflowTask"

// endStates is the set of states after which a task is not heard of again.
const endStates = "('succeeded', 'failed', 'rescheduled')"

func isEnd(state string) bool {
	return state == "succeeded" || state == "failed" || state == "rescheduled"
}

// tally counts tasks for the counters of their execution.
func tally(ops []store.Operation) (total, finished int) {
	for _, op := range ops {
		if op.Type == nop {
			continue
		}
		total++
		if isEnd(op.State) {
			finished++
		}
	}
	return total, finished
}

var operationColumns = []string{
	"id", "graph_num", "position", "state", "type", "name", "created_at", "manager_name", "agent_name", "error", "result",
	"dependencies", "parameters",
}

var operations = view[store.Operation]{
	listing: &listing{
		kind: "Operation", from: "operations t", num: "t.num", search: "t.id",
		joins: map[string]string{
			"graph":     "JOIN graphs g ON g.num = t.graph_num",
			"execution": "JOIN graphs h ON h.num = t.graph_num JOIN progress p ON p.num = h.execution_num",
		},
		fields: map[string]column{
			"id":             {expr: "t.id"},
			"graph_id":       {expr: "g.id", join: "graph"},
			"tasks_graph_id": {expr: "g.id", join: "graph"},
			"execution_id":   {expr: "p.execution_id", join: "execution"},
			"state":          {expr: "t.state"},
			"type":           {expr: "t.type"},
			"name":           {expr: "t.name"},
			"created_at":     {expr: "t.created_at", kind: instant},
		},
		order: []column{{expr: "t.graph_num", kind: number}, {expr: "t.position", kind: number}, {expr: "t.num", kind: number}},
	},
	from: "operations t\n JOIN graphs g ON g.num = t.graph_num JOIN progress p ON p.num = g.execution_num",
	columns: "t.id, g.id, p.execution_id, t.position, t.name, t.type, t.state, t.dependencies, t.parameters, t.result, t.error, " +
		"t.created_at, t.manager_name, t.agent_name",
	targets: func(o *store.Operation) []any {
		return []any{
			&o.ID, &o.GraphID, &o.ExecutionID, &o.Position, &o.Name, &o.Type, &o.State, jsonTo(&o.Dependencies),
			mapCell{&o.Parameters}, valueCell{&o.Result}, &o.Error, timeCell{&o.CreatedAt}, &o.ManagerName, &o.AgentName,
		}
	},
}

// GetOperation reads a task.
func (r Reader) GetOperation(ctx context.Context, id string) (store.Operation, error) {
	return pick(ctx, r, operations, id, "t.id = ?", id)
}

// ListOperations lists tasks, by default graph by graph in their order there.
func (r Reader) ListOperations(ctx context.Context, q store.Query) (store.Page[store.Operation], error) {
	return page(ctx, r, operations, q)
}

// addOperations adds tasks to their graphs without counting them.
func (t *Tx) addOperations(ctx context.Context, ops []store.Operation) error {
	graph, num := "", int64(0)
	args := make([]any, 0, len(ops)*len(operationColumns))
	for _, op := range ops {
		if op.GraphID != graph || num == 0 {
			found, err := row(ctx, t.conn, "SELECT num FROM graphs WHERE id = ?", []any{op.GraphID}, &num)
			if err != nil {
				return err
			}
			if !found {
				return recordError("TasksGraph", op.GraphID, store.ErrNotFound)
			}
			graph = op.GraphID
		}
		args = append(args, op.ID, num, op.Position, op.State, op.Type, op.Name, micros(op.CreatedAt), op.ManagerName,
			op.AgentName, op.Error, valueArg(op.Result), jsonArg(op.Dependencies), mapArg(op.Parameters))
	}
	n, err := insertRows(ctx, t.conn, "operations", operationColumns, args)
	if err == nil && int(n) < len(ops) {
		return recordError("Operation", t.firstTaken(ctx, ops), store.ErrExists)
	}
	return err
}

// firstTaken names an operation that stood in the way of a duplicate, for the
// message.
func (t *Tx) firstTaken(ctx context.Context, ops []store.Operation) string {
	seen := map[string]bool{}
	for _, op := range ops {
		if o, err := t.GetOperation(ctx, op.ID); seen[op.ID] || err == nil && o.GraphID != op.GraphID {
			return op.ID
		}
		seen[op.ID] = true
	}
	return ops[0].ID
}

// UpdateOperation replaces state, result, error, dependencies and parameters of a task, and
// counts it as finished if it enters an end state.
func (t *Tx) UpdateOperation(ctx context.Context, op store.Operation) error {
	var state, kind, execution string
	found, err := row(ctx, t.conn, `SELECT t.state, t.type, p.execution_id FROM operations t JOIN graphs g ON g.num = t.graph_num
		JOIN progress p ON p.num = g.execution_num WHERE t.id = ?`+fmt.Sprintf(t.dialect.RowLock, "t, p"), []any{op.ID}, &state, &kind, &execution)
	if err != nil {
		return err
	}
	if !found {
		return recordError("Operation", op.ID, store.ErrNotFound)
	}
	if _, err := t.conn.Exec(ctx, "UPDATE operations SET state = ?, result = ?, error = ?, dependencies = ?, parameters = ? WHERE id = ?",
		op.State, valueArg(op.Result), op.Error, jsonArg(op.Dependencies), mapArg(op.Parameters), op.ID); err != nil {
		return err
	}
	step := 0
	if isEnd(op.State) {
		step++
	}
	if isEnd(state) {
		step--
	}
	if step == 0 || kind == nop {
		return nil
	}
	_, err = t.conn.Exec(ctx, "UPDATE progress SET finished_operations = finished_operations + ? WHERE execution_id = ?", step, execution)
	return err
}

// UpdateOperationParameters replaces the parameters of a task and nothing else,
// or gives ErrNotFound.
func (t *Tx) UpdateOperationParameters(ctx context.Context, id string, parameters map[string]any) error {
	n, err := t.conn.Exec(ctx, "UPDATE operations SET parameters = ? WHERE id = ?", mapArg(parameters), id)
	return one(n, err, "Operation", id, store.ErrNotFound)
}

// DeleteOperation removes a task, or gives ErrNotFound. The counters stay.
func (t *Tx) DeleteOperation(ctx context.Context, id string) error {
	n, err := t.conn.Exec(ctx, "DELETE FROM operations WHERE id = ?", id)
	return one(n, err, "Operation", id, store.ErrNotFound)
}
