package rest

import (
	"net/http"

	"github.com/google/uuid"

	"windlass/internal/store"
)

var graphShape = shape[store.Graph]{name: "TasksGraph", fields: []field[store.Graph]{
	{"id", text, func(g store.Graph) any { return g.ID }},
	{"name", text, func(g store.Graph) any { return g.Name }},
	{"execution_id", text, func(g store.Graph) any { return g.ExecutionID }},
	{"created_at", moment, func(g store.Graph) any { return date(g.CreatedAt) }},
}}

// listGraphs lists the graphs that an execution has run. What it only noted for
// itself is nobody else's.
func (s *server) listGraphs(w http.ResponseWriter, r *request) error {
	id := r.query.Get("execution_id")
	if id == "" {
		return badParameter("Missing required param: execution_id")
	}
	if _, err := s.visibleExecution(r, id); err != nil {
		return err
	}
	q, err := s.listing(r, listed{filters: []string{"execution_id", "name", "id"}, global: true})
	if err != nil {
		return err
	}
	q.with(store.Filter{Field: "is_decision", Values: []string{"false"}})
	page, err := s.Store.ListGraphs(r.Context(), q.Query)
	if err != nil {
		return err
	}
	return reply(w, q, graphShape, page)
}

func (s *server) postGraph(w http.ResponseWriter, r *request) error {
	e, err := s.visibleExecution(r, r.str("execution_id"))
	if err != nil {
		return err
	}
	g := store.Graph{ID: r.str("graph_id"), ExecutionID: e.ID, Name: r.str("name"), CreatedAt: s.Now()}
	if g.ID == "" {
		g.ID = uuid.NewString()
	}
	if g.CreatedAt, err = r.createdAt(g.CreatedAt); err != nil {
		return err
	}
	raw := r.list("operations")
	ops := make([]store.Operation, len(raw))
	for i, item := range raw {
		m, isMap := item.(map[string]any)
		if !isMap {
			return wrongType("operation", dict, item)
		}
		if ops[i], err = s.postedOperation(m); err != nil {
			return err
		}
		ops[i].GraphID, ops[i].ExecutionID, ops[i].Position = g.ID, e.ID, i
	}
	if err := s.Store.Write(r.Context(), func(tx store.Tx) error { return tx.AddGraph(r.Context(), g, ops) }); err != nil {
		return err
	}
	return replyOne(w, r, http.StatusCreated, graphShape, g)
}

// patchGraph accepts a state, which is not kept.
func (s *server) patchGraph(w http.ResponseWriter, r *request) error {
	page, err := s.Store.ListGraphs(r.Context(), store.Query{
		Filters: []store.Filter{{Field: "id", Values: []string{r.PathValue("id")}}}, Limit: 1,
	})
	if err != nil {
		return err
	}
	if len(page.Items) == 0 {
		return notFound("TasksGraph", r.PathValue("id"))
	}
	if _, err := s.visibleExecution(r, page.Items[0].ExecutionID); isMissing(err) {
		return notFound("TasksGraph", r.PathValue("id"))
	} else if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, graphShape, page.Items[0])
}
