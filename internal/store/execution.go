package store

import (
	"context"
	"time"
)

// Status is where an execution is in its life.
type Status string

// The statuses.
const (
	Pending         Status = "pending"
	Queued          Status = "queued"
	Scheduled       Status = "scheduled"
	Started         Status = "started"
	Cancelling      Status = "cancelling"
	ForceCancelling Status = "force_cancelling"
	KillCancelling  Status = "kill_cancelling"
	Terminated      Status = "terminated"
	Failed          Status = "failed"
	Cancelled       Status = "cancelled"
)

// IsEnd tells whether nothing more happens to the execution by itself.
func (s Status) IsEnd() bool { return s == Terminated || s == Failed || s == Cancelled }

// IsWaiting tells whether the execution has not been let in yet.
func (s Status) IsWaiting() bool { return s == Queued || s == Scheduled }

// IsActive tells whether the execution runs or is about to.
func (s Status) IsActive() bool { return !s.IsEnd() && !s.IsWaiting() }

// IsCancelling tells whether a cancel of any kind was asked for.
func (s Status) IsCancelling() bool {
	return s == Cancelling || s == ForceCancelling || s == KillCancelling
}

// Display is the status as people are shown it.
func (s Status) Display() string {
	if s == Terminated {
		return "completed"
	}
	return string(s)
}

// ActiveStatuses and EndStatuses serve as filter values.
var (
	ActiveStatuses = []Status{Pending, Started, Cancelling, ForceCancelling, KillCancelling}
	EndStatuses    = []Status{Terminated, Failed, Cancelled}
)

// Execution is one run of a workflow.
type Execution struct {
	Owned
	ID                    string // uuid
	WorkflowID            string
	DeploymentID          string // "" for system workflows without one
	DeploymentDisplayName string // filled on reading
	BlueprintID           string
	Status                Status
	Parameters            map[string]any
	Error                 *string
	StartedAt             time.Time // zero: not yet
	EndedAt               time.Time
	ScheduledFor          time.Time
	IsSystemWorkflow      bool // runs alone on the whole manager
	IsDryRun              bool
	Resume                bool
	AllowCustomParameters bool
	Force                 bool
	WaitAfterFail         int // seconds
	TotalOperations       int
	FinishedOperations    int
	GroupID               string // the execution group it belongs to; "" for none
	TokenHash             string // hex SHA-256 of the execution token; "" if none

	// The claim: who runs it, which claim this is, and until when it holds.
	Owner      string
	Epoch      int64
	LeaseUntil time.Time

	QueuedAt  time.Time      // when it joined the queue; zero: never
	Arguments map[string]any // what a system workflow needs besides the parameters
}

// ArgumentPaused is the argument that tells that an execution is paused.
const ArgumentPaused = "paused"

// IsPaused tells whether nothing more of the execution starts for now.
func (e Execution) IsPaused() bool {
	paused, _ := e.Arguments[ArgumentPaused].(bool)
	return paused && !e.Status.IsEnd()
}

// Lease is how long a claim holds that is made or renewed.
type Lease struct {
	For time.Duration
	// From is when it begins; the zero time is the moment of the write by the
	// database's own clock, which is one for all managers. Only tests know better.
	From time.Time
}

// Holding is which leases hold, in the time of the database's clock: those that
// end after From, and not after To unless that is zero. A lease that ends after
// To was written before the clock was set back.
type Holding struct{ From, To time.Time }

// Has tells whether a lease that ends then holds.
func (h Holding) Has(until time.Time) bool {
	return until.After(h.From) && (h.To.IsZero() || !until.After(h.To))
}

// Fence is a manager's claim on an execution. Writes made for an execution
// carry it and are refused with ErrFenced when a newer claim exists.
type Fence struct {
	ExecutionID string
	Epoch       int64
}

// ExecutionReader reads executions. Filter fields: id, deployment_id,
// blueprint_id, workflow_id, status, status_display, tenant_name, created_by,
// visibility, is_system_workflow, is_dry_run, created_at, started_at,
// ended_at, scheduled_for, error, group_id, stored_events. Search: id.
type ExecutionReader interface {
	// GetExecution finds an execution by id, in any tenant.
	GetExecution(ctx context.Context, id string) (Execution, error)
	// FindExecutionByToken finds the execution whose token has this hash.
	FindExecutionByToken(ctx context.Context, tokenHash string) (Execution, error)
	ListExecutions(ctx context.Context, q Query) (Page[Execution], error)
	// Claimable lists executions that are active and that nobody owns, or whose
	// lease is not one of those that hold, oldest first.
	Claimable(ctx context.Context, h Holding, limit int) ([]Execution, error)
}

// ExecutionWriter changes executions.
type ExecutionWriter interface {
	AddExecution(ctx context.Context, e Execution) error
	// UpdateExecution replaces everything but the key, the claim and the
	// counters. Callers hold the row: read it in the same transaction with
	// LockExecution.
	UpdateExecution(ctx context.Context, e Execution) error
	// LockExecution reads an execution and keeps others from changing it until
	// the transaction ends.
	LockExecution(ctx context.Context, id string) (Execution, error)
	// ClaimExecution makes owner the one who runs the execution if it is active
	// and its claim still is the one that was seen: none, or one that the caller
	// knows to be over. It returns the execution with its new epoch, or ErrVersion
	// if somebody was faster.
	ClaimExecution(ctx context.Context, seen Execution, owner string, lease Lease) (Execution, error)
	// RenewLeases prolongs the owner's claims and returns the ids of those
	// among them that it still holds.
	RenewLeases(ctx context.Context, owner string, fences []Fence, lease Lease) ([]string, error)
	// ReleaseExecution ends the claim so that others may take it at once.
	// With an old fence it does nothing.
	ReleaseExecution(ctx context.Context, f Fence) error
	// CheckFence locks the execution and returns ErrFenced unless f is its newest claim.
	CheckFence(ctx context.Context, f Fence) error
	DeleteExecutions(ctx context.Context, ids []string) error
}

// Graph is a stored task graph of an execution.
type Graph struct {
	ID          string // uuid
	ExecutionID string
	Name        string
	CreatedAt   time.Time
}

// Operation is a stored task. Type and State use the original's names
// (RemoteWorkflowTask, SubgraphTask, SetNodeInstanceStateTask ...;
// pending, sending, sent, started, response-sent, rescheduled, succeeded, failed).
type Operation struct {
	ID           string
	GraphID      string
	ExecutionID  string
	Position     int // order of creation in the graph
	Name         string
	Type         string
	State        string
	Dependencies []string
	Parameters   map[string]any // task-specific, see the graph package's coding
	Result       any            // of a succeeded task
	Error        string         // of a failed or rescheduled task
	CreatedAt    time.Time
	ManagerName  string
	AgentName    string
}

// DecisionPrefix begins the names of graphs that nothing runs: they keep what an
// execution has decided once, as the result of their only task.
const DecisionPrefix = "decision: "

// OperationReader reads stored graphs and tasks. Graph filter fields:
// execution_id, name, id, is_decision (by the name's beginning). Operation filter fields: graph_id (or
// tasks_graph_id), execution_id, state, type, id.
type OperationReader interface {
	GetGraph(ctx context.Context, executionID, name string) (Graph, error)
	ListGraphs(ctx context.Context, q Query) (Page[Graph], error)
	GetOperation(ctx context.Context, id string) (Operation, error)
	// ListOperations sorts by position in the graph by default.
	ListOperations(ctx context.Context, q Query) (Page[Operation], error)
}

// OperationWriter changes stored graphs and tasks.
type OperationWriter interface {
	// AddGraph stores a graph and its tasks and adds them to the execution's
	// total_operations (and finished_operations, for those already ended). NOPs
	// are not counted.
	AddGraph(ctx context.Context, g Graph, ops []Operation) error
	// Journal applies one batch of what an execution's engine has decided. It
	// first checks the fence (ErrFenced), so a manager that lost its claim
	// can't write.
	Journal(ctx context.Context, f Fence, b JournalBatch) error
	// UpdateOperation replaces state, result, error, dependencies and parameters
	// of one task, whoever works on its execution.
	UpdateOperation(ctx context.Context, op Operation) error
	// UpdateOperationParameters replaces the parameters of one task and nothing
	// else, so that its execution's engine can go on with it meanwhile. It gives
	// ErrNotFound if there is no such task.
	UpdateOperationParameters(ctx context.Context, id string, parameters map[string]any) error
	DeleteOperation(ctx context.Context, id string) error
}

// JournalBatch is a set of changes that become durable together.
type JournalBatch struct {
	Added          []Operation // retries and tasks added while running; counted as AddGraph does
	Changed        []OperationChange
	InstanceStates []InstanceState
	Events         []Event
}

// OperationChange is a task's new state. Entering an end state counts it as
// finished unless it is a NOP.
type OperationChange struct {
	ID     string
	Type   string
	State  string
	Result any // kept for succeeded
	Error  string
	// Parameters replaces the stored ones if not nil.
	Parameters map[string]any
}

// InstanceState is a node instance's new state. The version grows by one.
// "configured" resets and "started" sets the system properties as the
// original's server does (workflows.md 3.2).
type InstanceState struct {
	Tenant     string
	InstanceID string
	State      string
}
