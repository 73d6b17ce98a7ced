package rest

import (
	"fmt"
	"net/http"
	"strings"

	"windlass/internal/store"
	"windlass/internal/value"
)

var operationShape = shape[store.Operation]{name: "Operation", fields: []field[store.Operation]{
	{"id", text, func(o store.Operation) any { return o.ID }},
	{"name", text, func(o store.Operation) any { return o.Name }},
	{"state", text, func(o store.Operation) any { return o.State }},
	{"created_at", moment, func(o store.Operation) any { return date(o.CreatedAt) }},
	{"dependencies", list, func(o store.Operation) any { return array(o.Dependencies) }},
	{"type", text, func(o store.Operation) any { return o.Type }},
	{"parameters", dict, func(o store.Operation) any { return mapOrEmpty(operationParameters(o)) }},
	{"tasks_graph_id", text, func(o store.Operation) any { return o.GraphID }},
	{"manager_name", text, func(o store.Operation) any { return orNull(o.ManagerName) }},
	{"agent_name", text, func(o store.Operation) any { return orNull(o.AgentName) }},
}}

var operationStates = []string{"pending", "sending", "sent", "started", "rescheduled", "response-sent", "succeeded", "failed"}

// visibleTypes are the operations that are left when internal ones are skipped.
var visibleTypes = []string{"SubgraphTask", "RemoteWorkflowTask"}

func (s *server) listOperations(w http.ResponseWriter, r *request) error {
	graph, id := r.query.Get("graph_id"), r.query.Get("execution_id")
	if (graph == "") == (id == "") {
		return badParameter("Missing required param: graph_id or execution_id")
	}
	skip, err := r.queryFlag("skip_internal", false)
	if err != nil {
		return err
	}
	if graph != "" {
		if id, err = s.executionOfGraph(r, graph); err != nil {
			return err
		}
	}
	if _, err := s.visibleExecution(r, id); err != nil {
		return err
	}
	q, err := s.listing(r, listed{filters: []string{"graph_id", "execution_id", "state", "type", "id"}, global: true})
	if err != nil {
		return err
	}
	if skip {
		q.with(store.Filter{Field: "type", Values: visibleTypes})
	}
	page, err := s.Store.ListOperations(r.Context(), q.Query)
	if err != nil {
		return err
	}
	return reply(w, q, operationShape, page)
}

func (s *server) executionOfGraph(r *request, graph string) (string, error) {
	page, err := s.Store.ListGraphs(r.Context(), store.Query{Filters: []store.Filter{{Field: "id", Values: []string{graph}}}, Limit: 1})
	if err != nil {
		return "", err
	}
	if len(page.Items) == 0 {
		return "", notFound("TasksGraph", graph)
	}
	return page.Items[0].ExecutionID, nil
}

// findOperation reads the operation that the path names, with its execution,
// if the caller sees that.
func (s *server) findOperation(r *request) (store.Operation, store.Execution, error) {
	id := r.PathValue("id")
	op, err := s.Store.GetOperation(r.Context(), id)
	if err != nil {
		return op, store.Execution{}, err
	}
	e, err := s.visibleExecution(r, op.ExecutionID)
	if isMissing(err) {
		return op, e, notFound("Operation", id)
	}
	return op, e, err
}

func (s *server) getOperation(w http.ResponseWriter, r *request) error {
	op, _, err := s.findOperation(r)
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, operationShape, op)
}

// postedOperation reads an operation as workflows send them.
func (s *server) postedOperation(m map[string]any) (store.Operation, error) {
	op := store.Operation{
		ID: textOf(m["id"]), Name: textOf(m["name"]), Type: textOf(m["type"]), State: textOf(m["state"]), CreatedAt: s.Now(),
		ManagerName: textOf(m["manager_name"]), AgentName: textOf(m["agent_name"]),
	}
	if op.ID == "" || op.Type == "" {
		return op, badParameter("An operation needs an id and a type")
	}
	if op.State == "" {
		op.State = "pending"
	}
	op.Parameters, _ = m["parameters"].(map[string]any)
	dependencies, _ := m["dependencies"].([]any)
	for _, d := range dependencies {
		id, isText := d.(string)
		if !isText {
			return op, wrongType("dependency", text, d)
		}
		op.Dependencies = append(op.Dependencies, id)
	}
	if t := textOf(m["created_at"]); t != "" {
		at, err := parseNaive(t)
		if err != nil {
			return op, err
		}
		op.CreatedAt = at
	}
	return op, nil
}

// putOperation adds an operation to a graph that is there.
func (s *server) putOperation(w http.ResponseWriter, r *request) error {
	graph := r.str("graph_id")
	id, err := s.executionOfGraph(r, graph)
	if err != nil {
		return err
	}
	e, err := s.visibleExecution(r, id)
	if err != nil {
		return err
	}
	r.body["id"] = r.PathValue("id")
	op, err := s.postedOperation(r.body)
	if err != nil {
		return err
	}
	op.GraphID, op.ExecutionID = graph, e.ID
	existing, err := s.Store.ListOperations(r.Context(), store.Query{Filters: []store.Filter{{Field: "graph_id", Values: []string{graph}}}, Limit: 1})
	if err != nil {
		return err
	}
	op.Position = existing.Total
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		return tx.Journal(r.Context(), store.Fence{ExecutionID: e.ID, Epoch: e.Epoch}, store.JournalBatch{Added: []store.Operation{op}})
	})
	if err != nil {
		return err
	}
	return replyOne(w, r, http.StatusCreated, operationShape, op)
}

// patchOperation records an operation's new state and what follows from it:
// counters, instance states, events.
func (s *server) patchOperation(w http.ResponseWriter, r *request) error {
	state := r.str("state")
	known := false
	for _, st := range operationStates {
		known = known || st == state
	}
	if !known {
		return badParameter("Invalid operation state: `%s`. Valid states are: %s", state, pyList(operationStates))
	}
	op, e, err := s.findOperation(r)
	if err != nil {
		return err
	}
	batch := store.JournalBatch{Changed: []store.OperationChange{{
		ID: op.ID, Type: op.Type, State: state, Result: r.body["result"], Error: textOf(r.body["exception"]),
	}}}
	if op.State != state {
		s.consequences(r, e, op, state, &batch)
	}
	err = s.Store.Write(r.Context(), func(tx store.Tx) error {
		return tx.Journal(r.Context(), store.Fence{ExecutionID: e.ID, Epoch: e.Epoch}, batch)
	})
	if err != nil {
		return err
	}
	return ok(w, object{})
}

// consequences adds to the batch what a new state of an operation entails.
func (s *server) consequences(r *request, e store.Execution, op store.Operation, state string, batch *store.JournalBatch) {
	kwargs, _ := op.Parameters["task_kwargs"].(map[string]any)
	ev := store.Event{
		Type: store.TypeEvent, ExecutionID: e.ID, Tenant: e.Tenant, ReportedTimestamp: s.Now(),
		ManagerName: r.str("manager_name"), AgentName: r.str("agent_name"),
	}
	switch op.Type {
	case "SetNodeInstanceStateTask":
		if state == "succeeded" {
			batch.InstanceStates = append(batch.InstanceStates, store.InstanceState{
				Tenant: e.Tenant, InstanceID: textOf(kwargs["node_instance_id"]), State: textOf(kwargs["state"]),
			})
		}
	case "SendNodeEventTask":
		if state == "succeeded" {
			ev.EventType, ev.NodeID, ev.Message = "workflow_node_event", textOf(kwargs["node_instance_id"]), textOf(kwargs["event"])
			batch.Events = append(batch.Events, ev)
		}
	case "RemoteWorkflowTask", "SubgraphTask":
		if r.caller.Execution == nil {
			return
		}
		if describeTask(&ev, op, kwargs, state, r.body) {
			batch.Events = append(batch.Events, ev)
		}
	}
}

var taskEvents = map[string][2]string{
	"sending": {"sending_task", "Sending task '%s'"}, "started": {"task_started", "Task started '%s'"},
	"succeeded": {"task_succeeded", "Task succeeded '%s'"}, "rescheduled": {"task_rescheduled", "Task rescheduled '%s'"},
	"failed": {"task_failed", "Task failed '%s'"},
}

// describeTask fills in the event about a task's new state; false means that
// there is none.
func describeTask(ev *store.Event, op store.Operation, kwargs map[string]any, state string, body map[string]any) bool {
	known, tells := taskEvents[state]
	if !tells {
		return false
	}
	inner, _ := kwargs["kwargs"].(map[string]any)
	scope, _ := inner["__cloudify_context"].(map[string]any)
	name := op.Name
	if t := textOf(scope["task_name"]); t != "" {
		name = t
	}
	ev.EventType, ev.Message = known[0], fmt.Sprintf(known[1], name)
	if op.Type == "SubgraphTask" {
		ev.Message = strings.NewReplacer("Task ", "Subgraph ", "task ", "subgraph ").Replace(ev.Message)
	}
	if result := body["result"]; state == "succeeded" && result != nil {
		ev.Message += " - " + value.Text(result)
	}
	if problem := textOf(body["exception"]); problem != "" && (state == "failed" || state == "rescheduled") {
		ev.Message += " -> " + problem
	}
	retries, _ := op.Parameters["current_retries"].(int64)
	total, limited := op.Parameters["total_retries"].(int64)
	if retries > 0 && limited && total >= 0 {
		ev.Message += fmt.Sprintf(" [retry %d/%d]", retries, total)
	} else if retries > 0 {
		ev.Message += fmt.Sprintf(" [retry %d]", retries)
	}
	ev.NodeID, ev.Operation = textOf(scope["node_id"]), ""
	if o, isMap := scope["operation"].(map[string]any); isMap {
		ev.Operation = textOf(o["name"])
	}
	ev.SourceID, ev.TargetID = textOf(scope["source_id"]), textOf(scope["target_id"])
	if causes := body["exception_causes"]; causes != nil {
		_ = value.Into(causes, &ev.ErrorCauses) // of another form: the message tells it all the same
	}
	return true
}

func (s *server) deleteOperation(w http.ResponseWriter, r *request) error {
	op, _, err := s.findOperation(r)
	if err != nil {
		return err
	}
	if err := s.Store.Write(r.Context(), func(tx store.Tx) error { return tx.DeleteOperation(r.Context(), op.ID) }); err != nil {
		return err
	}
	return replyOne(w, r, http.StatusOK, operationShape, op)
}
