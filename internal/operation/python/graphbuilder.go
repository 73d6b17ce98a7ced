package python

import (
	"fmt"

	"windlass/internal/graph"
	"windlass/internal/value"
	"windlass/internal/workflow"
)

// graphBuilder makes tasks from what a workflow says of them.
type graphBuilder struct {
	s *conversation
	g *graph.Graph
}

// add adds the tasks to the graph and returns them. Those of one description
// refer to each other by their places in it, and to tasks of a graph that runs
// by their keys.
func (b graphBuilder) add(described []any) ([]*graph.Task, error) {
	tasks := make([]*graph.Task, len(described))
	entries := make([]map[string]any, len(described))
	for i, d := range described {
		entries[i], _ = d.(map[string]any)
		t, err := b.task(entries[i])
		if err != nil {
			return nil, err
		}
		if b.g.Get(t.ID) != nil {
			return nil, fmt.Errorf("the graph's description has two tasks with the key %s", t.ID)
		}
		var container *graph.Task
		if c := entries[i]["container"]; c != nil {
			if container, err = b.at(tasks, c); err != nil {
				return nil, err
			}
			if container == nil || container.Kind != graph.Subgraph {
				return nil, fmt.Errorf("the subgraph that %s is added to is none, or has ended", t.Name)
			}
		}
		tasks[i] = b.g.AddTo(container, t)
	}
	for i, entry := range entries {
		if err := b.depend(tasks, tasks[i], entry); err != nil {
			return nil, err
		}
	}
	return tasks, nil
}

// depend makes a new task wait for others, and others for it.
func (b graphBuilder) depend(tasks []*graph.Task, t *graph.Task, entry map[string]any) error {
	waits, _ := entry["waits"].([]any)
	for _, w := range waits {
		target, err := b.at(tasks, w)
		if err != nil {
			return err
		}
		if target == nil {
			continue // it has ended
		}
		if err := b.g.Depend(t, target); err != nil {
			return err
		}
	}
	awaited, _ := entry["awaited"].([]any)
	for _, a := range awaited {
		source, err := b.at(tasks, a)
		if err != nil {
			return err
		}
		if source == nil {
			continue
		}
		if err := b.g.Depend(source, t); err != nil {
			return err
		}
	}
	return nil
}

// at finds the task that a description refers to; nil for one that has ended.
func (b graphBuilder) at(tasks []*graph.Task, v any) (*graph.Task, error) {
	if key, ok := v.(string); ok {
		if t := b.g.Get(key); t != nil {
			return t, nil
		}
		for _, t := range b.g.Tasks() { // it was tried again under another id
			if keyOf(t) == key {
				return t, nil
			}
		}
		return nil, nil
	}
	i, ok := v.(int64)
	if !ok || i < 0 || i >= int64(len(tasks)) || tasks[i] == nil {
		return nil, fmt.Errorf("the graph's description refers to a task %v that is not there yet", v)
	}
	return tasks[i], nil
}

func (b graphBuilder) task(d map[string]any) (*graph.Task, error) {
	text := func(key string) string { t, _ := d[key].(string); return t }
	key := text("key")
	t := &graph.Task{ID: key, Kind: graph.Kind(text("kind")), Name: text("name"), Info: text("info")}
	t.SendEvents, _ = d["send_events"].(bool)
	if n, ok := d["total_retries"].(int64); ok {
		t.TotalRetries = int(n)
	}
	if interval := seconds(d["retry_interval"]); interval != nil {
		t.RetryInterval = *interval
	}
	payload, _ := d["payload"].(map[string]any)
	switch t.Kind {
	case graph.Operation, graph.DryRun:
		p := &workflow.OperationPayload{}
		if err := value.Into(payload, p); err != nil {
			return nil, fmt.Errorf("task %s: %w", t.Name, err)
		}
		t.Payload = p
	case "local":
		t.Kind, t.Payload = graph.Operation, b.s.local(key, t.Name, payload)
	case graph.SetState:
		p := &workflow.StatePayload{}
		if err := value.Into(payload, p); err != nil {
			return nil, fmt.Errorf("task %s: %w", t.Name, err)
		}
		t.Payload = p
	case graph.NodeEvent, graph.WorkflowEvent:
		p := &workflow.EventPayload{}
		if err := value.Into(payload, p); err != nil {
			return nil, fmt.Errorf("task %s: %w", t.Name, err)
		}
		t.Payload = p
	case graph.Subgraph, graph.NOP:
	default:
		return nil, fmt.Errorf("task %s is of the kind %q, which is none", t.Name, t.Kind)
	}
	t.OnSuccess, t.OnFailure = handlerOf(handlerSuccess, key, t.Name, d["on_success"]), handlerOf(handlerFailure, key, t.Name, d["on_failure"])
	if t.OnSuccess == nil && t.Kind == graph.Operation { // for its result
		t.OnSuccess = &graph.Handler{Name: handlerSuccess, Args: map[string]any{"task": key}}
	}
	return t, nil
}

// handlerOf is the handler that stands for one of the workflow's; nil for none.
func handlerOf(name, key, task string, v any) *graph.Handler {
	d, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	h := &graph.Handler{Name: name, Args: map[string]any{"task": key, "name": task, "ask": true}}
	if stored, ok := d["stored"].(map[string]any); ok {
		h.Args["stored"] = stored
	}
	h.Ignores, _ = d["ignores"].(bool)
	return h
}
