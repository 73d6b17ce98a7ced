package python

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	"windlass/internal/graph"
	"windlass/internal/operation"
	"windlass/internal/value"
	"windlass/internal/workflow"
)

// Names of the handlers of a Python workflow's tasks.
const (
	handlerSuccess = "python.on_success"
	handlerFailure = "python.on_failure"
)

// outcomes collects what became of a graph's tasks, by their keys.
type outcomes struct {
	mu      sync.Mutex // guards what follows
	results map[string]any
	news    []string // keys of what has ended well since the workflow was last told
}

func (o *outcomes) add(key string, result any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.results[key] = result
	o.news = append(o.news, key)
}

// fresh is what the workflow has not been told yet.
func (o *outcomes) fresh() map[string]any {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := make(map[string]any, len(o.news))
	for _, key := range o.news {
		m[key] = o.results[key]
	}
	o.news = nil
	return m
}

// execute runs a graph that the workflow describes, and tells how it ended. It
// waits until that is so.
func (s *conversation) execute(name string, described []any) (any, error) {
	o := &outcomes{results: map[string]any{}}
	operations := false
	build := func(ids graph.IDs) (*graph.Graph, error) {
		g := graph.New(ids)
		b := graphBuilder{s: s, g: g}
		if _, err := b.add(described); err != nil {
			return nil, buildError{err}
		}
		g.Optimize()
		return g, nil
	}
	for _, d := range described {
		entry, _ := d.(map[string]any)
		operations = operations || entry["kind"] == string(graph.Operation) || entry["kind"] == "local"
	}
	err := s.host.Execute(s.ctx, name, s.handlers(o), build)
	var failed *graph.FailedError
	var stuck *graph.StuckError
	var unbuilt buildError
	switch {
	case err == nil:
		return s.succeeded(name, operations, o)
	case errors.As(err, &graph.Cancelled{}):
		return map[string]any{"outcome": "cancelled", "results": o.all()}, nil
	case errors.As(err, &failed):
		return s.failed(err, failed, o), nil
	case errors.As(err, &stuck), errors.As(err, &unbuilt):
		return nil, err
	}
	s.breakOff(err) // the host can't go on
	return nil, err
}

// buildError is an error of making a graph from its description.
type buildError struct{ error }

func (e buildError) Unwrap() error { return e.error }

// succeeded gives the results of a graph that has ended well. A task by itself
// gives its result again when the workflow runs a second time.
func (s *conversation) succeeded(name string, operations bool, o *outcomes) (any, error) {
	results := o.all()
	if operations && strings.HasPrefix(name, "task ") {
		kept, err := s.host.Once(s.ctx, "result of "+name, func() (any, error) { return results, nil })
		if err != nil {
			return nil, s.hostError(err)
		}
		if m, ok := kept.(map[string]any); ok {
			results = m
		}
	}
	return map[string]any{"outcome": "succeeded", "results": results}, nil
}

func (s *conversation) failed(err error, failed *graph.FailedError, o *outcomes) any {
	failures := map[string]any{}
	for _, t := range failed.Tasks {
		failures[keyOf(t)] = describeFailure(t.Failure)
	}
	return map[string]any{
		"outcome": "failed", "error": failed.Error(), "token": s.note(err), "results": o.all(), "failures": failures,
	}
}

// note keeps an error of a graph for the case that the workflow ends with it.
func (s *conversation) note(err error) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.ended[s.last] = err
	return s.last
}

func (o *outcomes) all() map[string]any {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.results)
}

func describeFailure(f *graph.Failure) any {
	if f == nil {
		return map[string]any{"message": "unknown error", "type": "RecoverableError", "verdict": "recoverable"}
	}
	verdict := "recoverable"
	switch f.Verdict {
	case graph.NonRecoverable:
		verdict = "non_recoverable"
	case graph.Reschedule:
		verdict = "reschedule"
	}
	return map[string]any{"message": f.Message, "type": f.Type, "verdict": verdict, "traceback": f.Traceback}
}

// keyOf is the key that the workflow has given the task, or the one it retries.
func keyOf(t *graph.Task) string {
	for _, h := range []*graph.Handler{t.OnSuccess, t.OnFailure} {
		if h == nil {
			continue
		}
		if key, ok := h.Args["task"].(string); ok {
			return key
		}
	}
	return t.ID
}

// local is the payload of a task that the workflow performs itself.
func (s *conversation) local(key, name string, payload map[string]any) *workflow.OperationPayload {
	p := &workflow.OperationPayload{Plugin: operation.WorkflowPlugin, Implementation: name, Inputs: value.Map{"task": key}}
	p.InstanceID, _ = payload["node_id"].(string)
	p.NodeID, _ = payload["node_name"].(string)
	return p
}

// handlers are the functions behind the handlers of the workflow's tasks.
func (s *conversation) handlers(o *outcomes) map[string]graph.HandlerFunc {
	all := workflow.Handlers(s.deployment, false)
	all[handlerSuccess] = func(g *graph.Graph, t *graph.Task) graph.Answer {
		o.add(keyOf(t), t.Result)
		if ask, _ := t.OnSuccess.Args["ask"].(bool); !ask {
			return graph.Answer{Decision: graph.Continue}
		}
		return s.decide(g, t, "on_success", t.OnSuccess, o)
	}
	all[handlerFailure] = func(g *graph.Graph, t *graph.Task) graph.Answer {
		a := s.decide(g, t, "on_failure", t.OnFailure, o)
		if a.Decision == graph.Continue && !t.OnFailure.Ignores {
			// Said now and not when the graph was stored, since it depends.
			h := *t.OnFailure
			h.Ignores = true
			t.OnFailure = &h
		}
		return a
	}
	return all
}

// decide asks the workflow what follows from the end of a task.
func (s *conversation) decide(g *graph.Graph, t *graph.Task, which string, h *graph.Handler, o *outcomes) graph.Answer {
	params := map[string]any{
		"ended": o.fresh(),
		"task":  h.Args["task"], "name": h.Args["name"], "stored": h.Args["stored"], "which": which, "state": string(t.State),
		"result": t.Result, "retries": int64(t.CurrentRetries),
		"described": map[string]any{
			"kind": string(t.Kind), "name": t.Name, "info": t.Info, "total_retries": int64(t.TotalRetries),
			"retry_interval": t.RetryInterval.Seconds(), "send_events": t.SendEvents, "payload": describePayload(t.Payload),
		},
	}
	if t.Failure != nil {
		params["error"] = describeFailure(t.Failure)
	}
	if m, ok := t.Payload.(graph.FailedMember); ok {
		params["failed"] = keyOf(m.Task)
	}
	answer, err := s.ask(s.ctx, "handler", params)
	if err != nil {
		if !errors.Is(err, errProcessEnded) && s.ctx.Err() == nil {
			why := fmt.Sprintf("the handler %s of %s failed: %v", which, t.Describe(), err)
			s.log("error", why)
			if t.Failure == nil {
				t.Failure = &graph.Failure{Message: why}
			}
		}
		return graph.Answer{Decision: graph.Fail}
	}
	d, _ := answer.(map[string]any)
	return s.answer(g, t, d)
}

func describePayload(payload any) any {
	v, err := value.Of(payload)
	if err != nil {
		return map[string]any{}
	}
	return orList(v, map[string]any{})
}

// answer is what a handler in Python decided.
func (s *conversation) answer(g *graph.Graph, t *graph.Task, d map[string]any) graph.Answer {
	a := graph.Answer{Decision: graph.Fail, RetryAfter: seconds(d["retry_after"])}
	a.IgnoreTotal, _ = d["ignore_total"].(bool)
	events, _ := d["events"].([]any)
	for _, e := range events {
		p := &workflow.EventPayload{}
		if err := value.Into(e, p); err == nil {
			a.Events = append(a.Events, &graph.Task{Kind: graph.NodeEvent, Name: string(graph.NodeEvent), Payload: p})
		}
	}
	switch d["action"] {
	case "continue":
		a.Decision = graph.Continue
	case "retry":
		a.Decision = graph.Retry
	}
	var added []*graph.Task
	if described, _ := d["tasks"].([]any); len(described) > 0 {
		var err error
		if added, err = (graphBuilder{s: s, g: g}).add(described); err != nil {
			s.log("error", fmt.Sprintf("what a handler of %s has added to the graph: %v", t.Describe(), err))
			return graph.Answer{Decision: graph.Fail}
		}
	}
	if a.Decision == graph.Retry && t.Kind == graph.Subgraph {
		id, _ := d["replaced"].(string)
		if a.Replaced = g.Get(id); a.Replaced == nil { // a subgraph has nothing left that could run again
			return graph.Answer{Decision: graph.Fail}
		}
		a.Replaced.CurrentRetries, a.Replaced.RetriedTask = t.CurrentRetries+1, t.ID
	}
	for _, n := range added {
		if a.Replaced == nil || !within(g, n, a.Replaced) {
			a.Added = append(a.Added, n)
		}
	}
	return a
}

// within tells whether a task is the subgraph or belongs to it.
func within(g *graph.Graph, t, subgraph *graph.Task) bool {
	for ; t != nil; t = g.Get(t.Container) {
		if t == subgraph {
			return true
		}
	}
	return false
}

// liveWorkflows are the workflows that run now, by execution.
type liveWorkflows struct {
	mu  sync.Mutex // guards all
	all map[string]*conversation
}

func (l *liveWorkflows) enter(s *conversation) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := s.deployment.ExecutionID
	if l.all[id] != nil {
		return fmt.Errorf("the workflow of execution %s runs already", id)
	}
	if l.all == nil {
		l.all = map[string]*conversation{}
	}
	l.all[id] = s
	return nil
}

func (l *liveWorkflows) leave(s *conversation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, s.deployment.ExecutionID)
}

func (l *liveWorkflows) get(executionID string) *conversation {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[executionID]
}

// runLocal has a workflow perform one of its own tasks. What can't be stopped
// before its time ends with the workflow.
func (r *Runner) runLocal(ctx context.Context, req *operation.Request, host operation.Host) (any, error) {
	if err := host.Started(ctx); err != nil {
		return nil, err
	}
	s := r.live.get(req.ExecutionID)
	if s == nil {
		return nil, nonRecoverable("the workflow of execution %s doesn't run here, which should perform %s", req.ExecutionID, req.Implementation)
	}
	if req.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, req.Timeout, errors.New(timeoutText(req.Timeout)))
		defer cancel()
	}
	return s.ask(ctx, "local", map[string]any{"task": req.Inputs["task"]})
}
