package workflow

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/schema/primitive"
	"windlass/internal/graph"
	"windlass/internal/value"
)

// OperationPayload says which operation of which instance a task performs.
type OperationPayload struct {
	Operation          string    `json:"operation"`      // cloudify.interfaces.lifecycle.create
	Plugin             string    `json:"plugin"`         // plugin's name
	Implementation     string    `json:"implementation"` // script_runner.tasks.run
	Executor           string    `json:"executor"`
	Inputs             value.Map `json:"inputs"`
	HasFunctions       bool      `json:"has_intrinsic_functions"`
	InstanceID         string    `json:"node_id"`
	NodeID             string    `json:"node_name"`
	Related            *Related  `json:"related,omitempty"`
	Timeout            float64   `json:"timeout,omitempty"` // seconds; 0: none
	TimeoutRecoverable bool      `json:"timeout_recoverable,omitempty"`
}

// Related is the other side of a relationship operation.
type Related struct {
	InstanceID string `json:"node_id"`
	NodeID     string `json:"node_name"`
	IsTarget   bool   `json:"is_target"` // the other side is the target
}

// Describe names the operation for errors. A task that a workflow performs
// itself has no operation.
func (p *OperationPayload) Describe() string {
	if p.Operation == "" && p.InstanceID == "" {
		return p.Implementation
	}
	return fmt.Sprintf("%s (%s:%s)", p.Implementation, p.InstanceID, p.Operation)
}

// StatePayload is an instance's new state.
type StatePayload struct {
	InstanceID string `json:"node_instance_id"`
	State      string `json:"state"`
}

// EventPayload is an event of an instance, or of the workflow if InstanceID is "".
type EventPayload struct {
	InstanceID string `json:"node_instance_id,omitempty"`
	Event      string `json:"event"`
	Type       string `json:"event_type,omitempty"` // "" for workflow_node_event
}

// builder makes tasks for one deployment.
type builder struct {
	d *Deployment
	// ignore gives every task the handler that goes on after a failure.
	ignore bool
}

func (b *builder) state(i *Instance, state string) *graph.Task {
	kind := graph.SetState
	if b.d.DryRun {
		return nil
	}
	return &graph.Task{Kind: kind, Name: string(kind), Payload: &StatePayload{i.ID, state}}
}

func (b *builder) event(i *Instance, text string) *graph.Task {
	return &graph.Task{Kind: graph.NodeEvent, Name: string(graph.NodeEvent), Payload: &EventPayload{InstanceID: i.ID, Event: text}}
}

// operation makes the task for an instance's operation, or nil if it is not mapped.
func (b *builder) operation(i *Instance, name string, kwargs map[string]any, override bool) (*graph.Task, error) {
	op := i.Node.Operations[name]
	if !op.IsMapped() {
		return nil, nil
	}
	return b.task(i, nil, name, op, kwargs, override)
}

func (b *builder) task(i *Instance, related *Related, name string, op *plan.Operation, kwargs map[string]any, override bool) (*graph.Task, error) {
	inputs := value.CopyMap(op.Inputs)
	if inputs == nil {
		inputs = map[string]any{}
	}
	for k, v := range kwargs {
		if _, clash := inputs[k]; clash && !override {
			return nil, duplicateError(k)
		}
		inputs[k] = v
	}
	if !slices.ContainsFunc(i.Node.Plugins, func(p plan.Plugin) bool { return p.Name == op.Plugin }) {
		//lint:ignore ST1005 the original's text
		return nil, fmt.Errorf("Plugin not found: %s", op.Plugin)
	}
	if err := checkInputs(op.InputsTypes, inputs); err != nil {
		return nil, err
	}
	p := &OperationPayload{
		Operation: name, Plugin: op.Plugin, Implementation: op.Operation, Inputs: inputs,
		HasFunctions: op.HasIntrinsicFunctions || len(kwargs) > 0, InstanceID: i.ID, NodeID: i.NodeID, Related: related,
		TimeoutRecoverable: op.TimeoutRecoverable != nil && *op.TimeoutRecoverable,
	}
	if op.Executor != nil {
		p.Executor = *op.Executor
	}
	if op.Timeout != nil {
		p.Timeout = seconds(op.Timeout.V)
	}
	t := &graph.Task{
		Kind: graph.Operation, Name: op.Operation, Payload: p, SendEvents: true,
		TotalRetries: b.d.Settings.TaskRetries, RetryInterval: b.d.Settings.RetryInterval,
	}
	if op.MaxRetries != nil {
		t.TotalRetries = int(*op.MaxRetries)
	}
	if op.RetryInterval != nil && op.RetryInterval.V != nil {
		t.RetryInterval = time.Duration(seconds(op.RetryInterval.V) * float64(time.Second))
	}
	if b.d.DryRun {
		t.Kind = graph.DryRun
	}
	if b.ignore {
		t.OnFailure = &graph.Handler{Name: handlerIgnore, Ignores: true}
	}
	return t, nil
}

// checkInputs checks inputs against their declared types. Functions are left:
// what they give is known when the operation runs.
func checkInputs(types map[string]string, inputs map[string]any) error {
	for _, name := range value.SortedKeys(types) {
		v, given := inputs[name]
		if !given || functions.Contains(v) || primitive.Accepts(types[name], v) {
			continue
		}
		//lint:ignore ST1005 the original's text
		return fmt.Errorf("Value %s of '%s' does not match the definition: %s", value.Text(v), name, types[name])
	}
	return nil
}

// duplicateError tells, in the original's words, of an input that is given both
// in the blueprint and when the operation is started.
type duplicateError string

func (e duplicateError) Error() string {
	return fmt.Sprintf("Duplicate definition of %s in operation properties and in kwargs. "+
		"To allow redefinition, pass \"allow_kwargs_override\" to \"execute_operation\"", string(e))
}

func seconds(v any) float64 {
	switch n := v.(type) {
	case int64:
		return float64(n)
	case float64:
		return math.Max(0, n)
	}
	return 0
}

// relationshipOperation makes the task for one side of a relationship, or nil.
func (b *builder) relationshipOperation(source, target *Instance, r plan.Relationship, name string, onTarget bool) (*graph.Task, error) {
	ops, self := r.SourceOperations, source
	related := &Related{InstanceID: target.ID, NodeID: target.NodeID, IsTarget: true}
	if onTarget {
		ops, self = r.TargetOperations, target
		related = &Related{InstanceID: source.ID, NodeID: source.NodeID}
	}
	op := ops[name]
	if !op.IsMapped() {
		return nil, nil
	}
	return b.task(self, related, name, op, nil, false)
}

// EventText is the message of a task's event, or "" if its state has none. In a
// dry run those of subgraphs say so, as those of operations do by their kind.
func EventText(t *graph.Task, isDryRun bool) (eventType, text string) {
	word := "Task"
	if t.Kind == graph.Subgraph {
		word = "Subgraph"
	}
	switch t.State {
	case graph.Sending:
		eventType, text = "sending_task", fmt.Sprintf("Sending %s '%s'", strings.ToLower(word), t.Name)
	case graph.Started:
		eventType, text = "task_started", fmt.Sprintf("%s started '%s'", word, t.Name)
	case graph.Succeeded:
		eventType, text = "task_succeeded", fmt.Sprintf("%s succeeded '%s'", word, t.Name)
		if t.Result != nil {
			text += " - " + value.Text(t.Result)
		}
	case graph.Rescheduled:
		eventType, text = "task_rescheduled", fmt.Sprintf("%s rescheduled '%s'", word, t.Name)
	case graph.Failed:
		eventType, text = "task_failed", fmt.Sprintf("%s failed '%s'", word, t.Name)
	default:
		return "", ""
	}
	if t.Failure != nil && t.Kind != graph.Subgraph && (t.State == graph.Failed || t.State == graph.Rescheduled) {
		text += " -> " + t.Failure.Message
	}
	if t.Kind == graph.DryRun || isDryRun && t.Kind == graph.Subgraph {
		text += " (dry run)"
	}
	if t.CurrentRetries > 0 {
		if t.TotalRetries == graph.Infinite {
			text += fmt.Sprintf(" [retry %d]", t.CurrentRetries)
		} else {
			text += fmt.Sprintf(" [retry %d/%d]", t.CurrentRetries, t.TotalRetries)
		}
	}
	return eventType, text
}
