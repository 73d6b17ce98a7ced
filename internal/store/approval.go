package store

import (
	"context"
	"time"
)

// ApprovalStatus is where a request for a person's yes or no stands.
type ApprovalStatus string

// The statuses. All but the first are ends.
const (
	ApprovalWaiting   ApprovalStatus = "waiting"
	ApprovalGiven     ApprovalStatus = "approved"
	ApprovalRefused   ApprovalStatus = "rejected"
	ApprovalWithdrawn ApprovalStatus = "withdrawn" // its execution ended before an answer
)

// Approval is one request of an operation for a person's yes or no, and its
// answer.
type Approval struct {
	Owned         // CreatedBy is who started the execution
	ID            string
	ExecutionID   string
	DeploymentID  string
	OperationID   string // the attempt that asks
	NodeID        string
	InstanceID    string
	OperationName string // interface and operation

	Question string
	Details  any // what else there is to know; nil: nothing
	// Approvers may answer: user names, and role:NAME for whoever has the role
	// in the tenant. None: whoever has the permission to.
	Approvers []string
	// NotByStarter keeps who started the execution from answering.
	NotByStarter bool
	// ExpiresAt is when it is answered by itself; zero: never.
	ExpiresAt time.Time
	// ApproveOnExpiry is that answer.
	ApproveOnExpiry bool

	Status    ApprovalStatus
	DecidedBy string    // "" while it waits, and if time decided
	DecidedAt time.Time // zero while it waits
	Comment   string
}

// ApprovalReader reads approvals. Filter fields: id, execution_id,
// deployment_id, operation_id, node_id, status, decided_by, tenant_name,
// created_by, visibility, created_at, expires_at. Search: id.
type ApprovalReader interface {
	GetApproval(ctx context.Context, tenant, id string) (Approval, error)
	// GetOperationApproval reads the one that an attempt of an operation asked for last.
	GetOperationApproval(ctx context.Context, operationID string) (Approval, error)
	ListApprovals(ctx context.Context, q Query) (Page[Approval], error)
}

// ApprovalWriter changes approvals. They go with their execution.
type ApprovalWriter interface {
	// AddApproval gives ErrExists if the operation's attempt waits for an answer
	// already.
	AddApproval(ctx context.Context, a Approval) error
	// DecideApproval stores an answer: Status, DecidedBy, DecidedAt and Comment.
	// It gives ErrVersion for one that is answered already.
	DecideApproval(ctx context.Context, a Approval) error
	// WithdrawApprovals ends what an execution still asks for.
	WithdrawApprovals(ctx context.Context, executionID string, now time.Time) error
}

// TopicApprovals is notified when an approval is asked for or answered.
const TopicApprovals = "approvals"
