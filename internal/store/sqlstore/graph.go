package sqlstore

import (
	"context"

	"windlass/internal/store"
)

var graphs = view[store.Graph]{
	listing: &listing{
		kind: "TasksGraph", from: "graphs t", num: "t.num", search: "t.id",
		joins: map[string]string{"execution": "JOIN progress p ON p.num = t.execution_num"},
		fields: map[string]column{
			"id":           {expr: "t.id"},
			"name":         {expr: "t.name"},
			"execution_id": {expr: "p.execution_id", join: "execution"},
			"created_at":   {expr: "t.created_at", kind: instant},
			"is_decision":  {expr: "(t.name LIKE '" + store.DecisionPrefix + "%')", kind: boolean},
		},
		order: byCreation,
	},
	from:    "graphs t\n JOIN progress p ON p.num = t.execution_num",
	columns: "t.id, p.execution_id, t.name, t.created_at",
	targets: func(g *store.Graph) []any { return []any{&g.ID, &g.ExecutionID, &g.Name, timeCell{&g.CreatedAt}} },
}

// GetGraph reads an execution's graph by its name.
func (r Reader) GetGraph(ctx context.Context, executionID, name string) (store.Graph, error) {
	return pick(ctx, r, graphs, name, "p.execution_id = ? AND t.name = ?", executionID, name)
}

// ListGraphs lists graphs.
func (r Reader) ListGraphs(ctx context.Context, q store.Query) (store.Page[store.Graph], error) {
	return page(ctx, r, graphs, q)
}

// AddGraph adds a graph with its tasks. It gives ErrNotFound without the
// execution, and ErrExists if the execution has a graph of that name.
func (t *Tx) AddGraph(ctx context.Context, g store.Graph, ops []store.Operation) error {
	total, finished := tally(ops)
	n, err := t.conn.Exec(ctx, `UPDATE progress SET total_operations = total_operations + ?, finished_operations = finished_operations + ?
		WHERE execution_id = ?`, total, finished, g.ExecutionID)
	if err := one(n, err, "Execution", g.ExecutionID, store.ErrNotFound); err != nil {
		return err
	}
	n, err = t.conn.Exec(ctx, `INSERT INTO graphs (id, execution_num, name, created_at)
		SELECT CAST(? AS TEXT), num, CAST(? AS TEXT), CAST(? AS BIGINT) FROM progress WHERE execution_id = ? ON CONFLICT DO NOTHING`,
		g.ID, g.Name, micros(g.CreatedAt), g.ExecutionID)
	if err := taken(n > 0, err, "TasksGraph", g.Name); err != nil {
		return err
	}
	for i := range ops {
		if ops[i].GraphID != g.ID {
			ops = inGraph(g.ID, ops)
			break
		}
	}
	return t.addOperations(ctx, ops)
}

// inGraph returns ops as those of the graph.
func inGraph(id string, ops []store.Operation) []store.Operation {
	out := make([]store.Operation, len(ops))
	for i, op := range ops {
		op.GraphID = id
		out[i] = op
	}
	return out
}
