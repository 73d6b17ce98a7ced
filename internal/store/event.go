package store

import (
	"context"
	"time"
)

// Event types of the wire.
const (
	TypeEvent = "cloudify_event"
	TypeLog   = "cloudify_log"
)

// Event is an event or a log line. Logs have Level and Logger, events EventType.
type Event struct {
	StorageID         int64  // assigned on storing; grows, but is visible out of order on PostgreSQL
	Seq               int64  // assigned on storing, dense per execution, in the order of visibility
	Type              string // TypeEvent or TypeLog
	ExecutionID       string
	ExecutionGroupID  string
	Tenant            string
	Timestamp         time.Time // when stored; set by the store if zero
	ReportedTimestamp time.Time // when it happened
	EventType         string
	Level             string // lower case
	Logger            string
	Message           string
	MessageCode       string
	Operation         string // interface operation
	NodeID            string // node instance id
	SourceID          string
	TargetID          string
	ErrorCauses       []ErrorCause
	ManagerName       string
	AgentName         string

	// Filled on reading, from the execution and the instance.
	WorkflowID            string
	DeploymentID          string
	DeploymentDisplayName string
	BlueprintID           string
	NodeName              string
}

// ErrorCause is one exception in the chain behind a failure.
type ErrorCause struct {
	Message   string `json:"message"`
	Type      string `json:"type"`
	Traceback string `json:"traceback"`
}

// EventReader reads events. Filter fields: type, execution_id,
// execution_group_id, deployment_id, blueprint_id, node_id (node name),
// node_instance_id, operation, event_type, level, message, tenant_name,
// timestamp, reported_timestamp, workflow_id. Sort fields: timestamp,
// reported_timestamp and the filter fields; ties break by storage id.
type EventReader interface {
	ListEvents(ctx context.Context, q Query) (Page[Event], error)
	// TailEvents returns up to limit events of the execution with a Seq
	// greater than after, in order of Seq: no gap, no duplicate.
	TailEvents(ctx context.Context, executionID string, after int64, limit int) ([]Event, error)
}

// EventWriter stores and deletes events.
type EventWriter interface {
	// AddEvents stores events and logs of executions, assigning Seq, and
	// notifies TopicEvents of each. Events of unknown executions give ErrNotFound.
	AddEvents(ctx context.Context, events []Event) error
	// DeleteEvents removes the deployment's events of the given types (all if
	// empty) stored before the time (all if zero) and returns how many.
	DeleteEvents(ctx context.Context, tenant, deployment string, types []string, before time.Time) (int, error)
	// TrimEvents removes up to limit of an execution's oldest events and logs
	// and tells how many it were.
	TrimEvents(ctx context.Context, executionID string, limit int) (int, error)
}
