// Package graph is the task graph and its engine. It knows tasks and their
// dependencies, not deployments: what a task does is its Payload, which only
// the performer, the handlers and the journal understand.
//
// The engine (Engine) is a pure step: an event goes in, commands come out.
// Run is the loop around it that keeps the journal, asks for slots, performs
// tasks and waits for time to pass.
package graph

import (
	"fmt"
	"strings"
	"time"
)

// Kind is a task's kind, by the name under which the original stores it.
type Kind string

// The kinds. Operations are performed; for all others the record that they
// succeeded is their whole effect.
const (
	Operation     Kind = "RemoteWorkflowTask"
	NOP           Kind = "NOPLocalWorkflowTask"
	DryRun        Kind = "DryRunLocalWorkflowTask"
	Subgraph      Kind = "SubgraphTask"
	SetState      Kind = "SetNodeInstanceStateTask"
	NodeEvent     Kind = "SendNodeEventTask"
	WorkflowEvent Kind = "SendWorkflowEventTask"
)

// State is where a task is in its life.
type State string

// The states.
const (
	Pending     State = "pending"
	Sending     State = "sending" // the intent to perform it is durable
	Started     State = "started"
	Succeeded   State = "succeeded"
	Failed      State = "failed"
	Rescheduled State = "rescheduled" // asked for another try by itself
)

// Ended tells whether the task's life is over.
func (s State) Ended() bool { return s == Succeeded || s == Failed || s == Rescheduled }

// Infinite is a number of retries without a limit.
const Infinite = -1

// Task is one node of the graph.
type Task struct {
	ID             string
	Kind           Kind
	Name           string
	Info           string
	Payload        any
	Container      string // the subgraph it is in; "" for none
	TotalRetries   int    // Infinite for no limit
	RetryInterval  time.Duration
	CurrentRetries int
	RetriedTask    string    // the task that this one retries
	ExecuteAfter   time.Time // not before; zero: at once
	State          State
	SendEvents     bool
	OnSuccess      *Handler
	OnFailure      *Handler
	Result         any
	Failure        *Failure
	Resume         bool // it was under way when its manager stopped
	Position       int  // order of creation
}

// Handler names a registered function that decides what happens when a task
// has ended. Args are stored with the task.
type Handler struct {
	Name string         `json:"path"`
	Args map[string]any `json:"args,omitempty"`
	// Ignores says that the handler always goes on after a failure. It is stored,
	// so that a graph which is taken up again knows that the failure is over.
	Ignores bool `json:"ignores,omitempty"`
}

// Verdict says what a failure means for the task's retries.
type Verdict int

// The verdicts.
const (
	Recoverable Verdict = iota
	NonRecoverable
	Reschedule // the task itself asked to be tried again; its handlers are not asked
)

// Failure is why a task failed.
type Failure struct {
	Verdict    Verdict
	Type       string
	Message    string
	Traceback  string
	RetryAfter *time.Duration // nil: the task's interval
	Causes     []Cause
	ExitCode   *int
	Output     string // last lines of the process's output
}

// Cause is one exception behind a failure.
type Cause struct{ Message, Type, Traceback string }

func (f *Failure) Error() string { return f.Message }

// Describer gives a short description of an operation for errors.
type Describer interface{ Describe() string }

// Describe names the task for people.
func (t *Task) Describe() string {
	if d, ok := t.Payload.(Describer); ok {
		return d.Describe()
	}
	if t.Name != "" {
		return t.Name
	}
	return t.ID
}

// Cancelled is returned by Run when a cancel request ended the graph.
type Cancelled struct {
	// Forced is set by those who know that operations were not waited for.
	Forced bool
}

func (Cancelled) Error() string { return "the execution was cancelled" }

// StuckError is returned by Run when tasks wait for each other.
type StuckError struct{ Tasks []*Task }

func (e *StuckError) Error() string {
	names := make([]string, 0, len(e.Tasks))
	for _, t := range e.Tasks[:min(len(e.Tasks), 5)] {
		names = append(names, t.Describe())
	}
	return fmt.Sprintf("%d tasks wait for each other and can never start, among them %s", len(e.Tasks), strings.Join(names, ", "))
}

// FailedError is returned by Run when tasks failed for good.
type FailedError struct{ Tasks []*Task }

// Error is Summary with the traceback of the first operation that failed, if it has one.
func (e *FailedError) Error() string {
	first := e.Tasks[0]
	if first.Failure == nil || first.Failure.Traceback == "" {
		return e.Summary()
	}
	return fmt.Sprintf("%s\nTraceback of %s (most recent call last):\n%s", e.Summary(), first.Describe(), first.Failure.Traceback)
}

// Summary leads with the operation that failed, its exit code and last output.
func (e *FailedError) Summary() string {
	var b strings.Builder
	first := e.Tasks[0]
	if len(e.Tasks) == 1 {
		fmt.Fprintf(&b, "Task failed: %s: %s", first.Describe(), cause(first))
	} else {
		fmt.Fprintf(&b, "%d operation errors:", len(e.Tasks))
		for _, t := range e.Tasks {
			fmt.Fprintf(&b, "\n%s: %s", t.Describe(), cause(t))
		}
	}
	return b.String()
}

func cause(t *Task) string {
	f := t.Failure
	if f == nil {
		return "unknown error"
	}
	text := f.Message
	if f.Type != "" {
		text = fmt.Sprintf("%s `%s`", f.Type, f.Message)
	}
	return text
}
