// Package operation defines what it takes to run one operation of a node
// instance or relationship somewhere: the request, the services the running
// operation may call, and how it ends. Sub-packages are the places to run it.
package operation

import (
	"context"
	"errors"
	"time"

	"windlass/internal/blueprint/plan"
)

// Runner runs operations of the plugins it knows.
type Runner interface {
	// Run performs the operation and returns its result, which must be a value
	// (see package value). It calls host.Started once, when the operation
	// really begins. When ctx ends it stops everything the operation started
	// (first asking, then forcing) and returns after all of it is gone.
	// Failures are an *Error where the operation decides about retries; any
	// other error counts as recoverable, but for ErrLeft and ErrLapsed: then
	// there is no outcome.
	Run(ctx context.Context, req *Request, host Host) (any, error)
}

// Settler is a Runner that keeps what an attempt left until its outcome is stored:
// until then another manager may have to take the attempt up.
type Settler interface {
	Runner
	// Settled tells that the outcome of the attempt is stored, or that nobody
	// will take it up.
	Settled(taskID string)
}

// Waiter is a Runner whose operations do nothing but wait for something outside
// the manager. They take no place among the operations that run at once.
type Waiter interface {
	Runner
	// WaitsFor says for people what the operation waits for; "since ..." follows.
	WaitsFor(req *Request) string
	// EndsWithCancel tells whether a cancel of the execution ends the wait at once:
	// ctx ends then. The operation is begun anew when the execution is resumed.
	EndsWithCancel() bool
}

// Request says what to run, and for whom.
type Request struct {
	TaskID                string // one attempt of one task; unique
	ExecutionID           string
	WorkflowID            string
	WorkflowParameters    map[string]any
	Tenant                string
	ExecutionCreator      string
	DeploymentID          string
	DeploymentDisplayName string
	DeploymentCreator     string
	ResourceTags          map[string]any // of the deployment; functions are evaluated
	RuntimeOnlyEvaluation bool           // of the deployment
	BlueprintID           string

	Name               string // interface and operation: cloudify.interfaces.lifecycle.create
	Plugin             plan.Plugin
	Implementation     string         // what to call in the plugin: script_runner.tasks.run
	Inputs             map[string]any // functions are evaluated
	RetryNumber        int            // 0 for the first attempt
	MaxRetries         int            // -1: no limit
	Timeout            time.Duration  // 0: none
	TimeoutRecoverable bool
	Resume             bool // the attempt was interrupted and runs again
	// Lease is until when nobody else may run the operation; nil: nobody else can,
	// ever.
	Lease *Lease

	// Self is whom the operation acts on. In a relationship operation it is
	// the side it runs on.
	Self Subject
	// Relationship is set for relationship operations.
	Relationship *Relationship

	WorkDir string // of the deployment; exists
	// Token lets the operation call the REST API as the execution's creator.
	Token   string
	RestURL string // "" when no REST API is served (local profile)
}

// Subject is a node and one of its instances.
type Subject struct {
	NodeID     string
	InstanceID string
}

// Relationship names both ends of a relationship operation.
type Relationship struct {
	Source, Target Subject
	OnTarget       bool // the target's operation runs, else the source's
}

// Node is what an operation sees of a node; functions are evaluated.
type Node struct {
	ID                string
	Type              string
	TypeHierarchy     []string
	Properties        map[string]any
	NumberOfInstances int
}

// Instance is what an operation sees of a node instance.
type Instance struct {
	ID                string
	NodeID            string
	HostID            string
	Index             int
	State             string
	Version           int
	RuntimeProperties map[string]any
	SystemProperties  map[string]any
	Relationships     []InstanceRelationship
	ScalingGroups     []plan.GroupInstance
}

// InstanceRelationship is one relationship of an instance.
type InstanceRelationship struct {
	Type          string
	TypeHierarchy []string
	Target        Subject
}

// Host is what a running operation may ask of the manager. All methods are
// safe for concurrent use and stop when ctx ends.
type Host interface {
	// Started tells that the operation has begun.
	Started(ctx context.Context) error
	// Node returns a node with its properties evaluated for the instance.
	Node(ctx context.Context, s Subject) (Node, error)
	// Instance returns an instance as it is stored now, functions evaluated.
	Instance(ctx context.Context, instanceID string) (Instance, error)
	// UpdateInstance stores runtime properties read at the given version and
	// returns the new version. It gives ErrConflict if they were changed meanwhile.
	UpdateInstance(ctx context.Context, instanceID string, version int, runtime map[string]any) (int, error)
	// Resource returns a file of the deployment, the blueprint, or the shared
	// resources, looked for in that order; ErrNoResource if none has it.
	Resource(ctx context.Context, path string) ([]byte, error)
	// ResourceFiles returns the paths, relative to a directory, of all files below
	// it, in the first of those places that has it; ErrNoResource if none has.
	ResourceFiles(ctx context.Context, directory string) ([]string, error)
	// Log stores a log line: level is debug, info, warning, error or critical.
	// It may return before the line is durable.
	Log(level, message string)
	// Event stores a plugin_event.
	Event(message string)
}

// Errors of Host methods.
var (
	ErrConflict   = errors.New("runtime properties were changed by somebody else meanwhile")
	ErrNoResource = errors.New("resource not found in the deployment, the blueprint or the shared resources")
)

// Verdict is what an operation's failure means for its retries.
type Verdict int

// The verdicts.
const (
	Recoverable    Verdict = iota // retry while retries are left
	NonRecoverable                // fail at once
	Reschedule                    // the operation itself asked for another try
)

// Error is an operation's failure.
type Error struct {
	Verdict    Verdict
	Type       string // the exception's class: ProcessException, NonRecoverableError, OperationRetry ...
	Message    string
	Traceback  string         // for people; may be empty
	RetryAfter *time.Duration // nil: the operation's or manager's interval
	Causes     []Cause
	// ExitCode and Output tell of a failed process, for the head of the
	// execution's error. Output holds its last lines.
	ExitCode *int
	Output   string
}

// Cause is one exception in the chain behind a failure.
type Cause struct {
	Message, Type, Traceback string
}

func (e *Error) Error() string { return e.Message }
