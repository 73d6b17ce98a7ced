package workflow

import (
	"fmt"
	"time"

	"windlass/internal/graph"
	"windlass/internal/value"
)

// stored is a task's parameters as they are kept and as the REST API shows
// them: the original's keys, with what this engine needs beside them.
type stored struct {
	OnSuccess      *graph.Handler `json:"on_success"`
	OnFailure      *graph.Handler `json:"on_failure"`
	RetriedTask    *string        `json:"retried_task"`
	CurrentRetries int            `json:"current_retries"`
	SendEvents     bool           `json:"send_task_events"`
	RetryInterval  float64        `json:"retry_interval"` // seconds
	TotalRetries   int            `json:"total_retries"`
	Info           string         `json:"info"`
	Error          *string        `json:"error"`
	Container      *string        `json:"containing_subgraph"`
	ExecuteAfter   *float64       `json:"execute_after,omitempty"` // unix seconds
	TaskKwargs     value.Any      `json:"task_kwargs"`
}

// EncodeTask gives a task's parameters for the journal. It is on the way of
// every task, so it builds the map itself: see stored for the keys.
func EncodeTask(t *graph.Task) (map[string]any, error) {
	kwargs, err := encodePayload(t.Payload)
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", t.Name, err)
	}
	m := map[string]any{
		"on_success": encodeHandler(t.OnSuccess), "on_failure": encodeHandler(t.OnFailure),
		"retried_task": textOrNil(t.RetriedTask), "current_retries": int64(t.CurrentRetries),
		"send_task_events": t.SendEvents, "retry_interval": t.RetryInterval.Seconds(),
		"total_retries": int64(t.TotalRetries), "info": t.Info, "error": nil,
		"containing_subgraph": textOrNil(t.Container), "task_kwargs": kwargs,
	}
	if t.Failure != nil {
		m["error"] = t.Failure.Message
	}
	if !t.ExecuteAfter.IsZero() {
		m["execute_after"] = float64(t.ExecuteAfter.UnixMicro()) / 1e6
	}
	return m, nil
}

func textOrNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func encodeHandler(h *graph.Handler) any {
	if h == nil {
		return nil
	}
	m := map[string]any{"path": h.Name}
	if len(h.Args) > 0 {
		m["args"] = value.CopyMap(h.Args)
	}
	if h.Ignores {
		m["ignores"] = true
	}
	return m
}

// encodePayload puts an operation into the original's shape: inputs as kwargs,
// everything else as the operation's context.
func encodePayload(payload any) (any, error) {
	switch p := payload.(type) {
	case *OperationPayload:
		kwargs := make(map[string]any, len(p.Inputs)+1)
		for k, v := range p.Inputs {
			kwargs[k] = v
		}
		kwargs["__cloudify_context"] = encodeContext(p)
		return map[string]any{"kwargs": kwargs}, nil
	case *StatePayload:
		return map[string]any{"node_instance_id": p.InstanceID, "state": p.State}, nil
	case *EventPayload:
		m := map[string]any{"event": p.Event}
		if p.InstanceID != "" {
			m["node_instance_id"] = p.InstanceID
		}
		if p.Type != "" {
			m["event_type"] = p.Type
		}
		return m, nil
	}
	return map[string]any{}, nil
}

// encodeContext writes all of an operation but its inputs, by the names that
// OperationPayload has in JSON.
func encodeContext(p *OperationPayload) map[string]any {
	m := map[string]any{
		"operation": p.Operation, "plugin": p.Plugin, "implementation": p.Implementation, "executor": p.Executor, "inputs": map[string]any{},
		"has_intrinsic_functions": p.HasFunctions, "node_id": p.InstanceID, "node_name": p.NodeID,
	}
	if r := p.Related; r != nil {
		m["related"] = map[string]any{"node_id": r.InstanceID, "node_name": r.NodeID, "is_target": r.IsTarget}
	}
	if p.Timeout != 0 {
		m["timeout"] = p.Timeout
	}
	if p.TimeoutRecoverable {
		m["timeout_recoverable"] = true
	}
	return m
}

// DecodeTask fills a task from stored parameters. Kind and State are set by
// the caller before.
func DecodeTask(t *graph.Task, parameters map[string]any) error {
	var s stored
	if err := value.Into(parameters, &s); err != nil {
		return fmt.Errorf("stored task %s: %w", t.ID, err)
	}
	t.OnSuccess, t.OnFailure, t.CurrentRetries, t.SendEvents = s.OnSuccess, s.OnFailure, s.CurrentRetries, s.SendEvents
	t.RetryInterval = time.Duration(s.RetryInterval * float64(time.Second))
	t.TotalRetries, t.Info = s.TotalRetries, s.Info
	if s.RetriedTask != nil {
		t.RetriedTask = *s.RetriedTask
	}
	if s.Container != nil {
		t.Container = *s.Container
	}
	if s.ExecuteAfter != nil {
		t.ExecuteAfter = time.UnixMicro(int64(*s.ExecuteAfter * 1e6)).UTC()
	}
	if s.Error != nil {
		t.Failure = &graph.Failure{Message: *s.Error}
	}
	return decodePayload(t, s.TaskKwargs.V)
}

func decodePayload(t *graph.Task, kwargs any) error {
	switch t.Kind {
	case graph.Operation, graph.DryRun:
		outer, _ := kwargs.(map[string]any)
		inputs, _ := outer["kwargs"].(map[string]any)
		p := &OperationPayload{}
		if err := value.Into(inputs["__cloudify_context"], p); err != nil {
			return fmt.Errorf("stored task %s: %w", t.ID, err)
		}
		p.Inputs = value.CopyMap(inputs)
		delete(p.Inputs, "__cloudify_context")
		t.Payload = p
	case graph.SetState:
		t.Payload = &StatePayload{}
		return value.Into(kwargs, t.Payload)
	case graph.NodeEvent, graph.WorkflowEvent:
		t.Payload = &EventPayload{}
		return value.Into(kwargs, t.Payload)
	}
	return nil
}
