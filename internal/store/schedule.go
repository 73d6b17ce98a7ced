package store

import (
	"context"
	"time"
)

// Schedule starts a workflow of a deployment at set times.
type Schedule struct {
	Owned
	ID           string // unique in the deployment
	DeploymentID string
	WorkflowID   string
	Parameters   map[string]any
	Arguments    map[string]any // allow_custom_parameters, force, is_dry_run, wait_after_fail
	Rule         map[string]any // rrule; or recurrence, count, weekdays
	Since        time.Time
	Until        time.Time // zero: no end
	TimeZone     string    // whose clock the rule follows; "" for UTC
	Slip         int       // minutes that a start may be late
	StopOnFail   bool
	CatchUp      string // what of missed times is made up for: skip, once or all; "" for the manager's setting
	Enabled      bool
	// NextOccurrence is when it is due; zero: never again.
	NextOccurrence    time.Time
	LatestExecutionID string // "" before the first start
}

// ScheduleReader reads schedules. Filter fields: id, deployment_id,
// workflow_id, enabled, stop_on_fail, tenant_name, created_by, visibility,
// created_at, since, until, next_occurrence. Search: id.
type ScheduleReader interface {
	GetSchedule(ctx context.Context, tenant, deploymentID, id string) (Schedule, error)
	ListSchedules(ctx context.Context, q Query) (Page[Schedule], error)
	// DueSchedules lists enabled schedules whose time has come by now, the
	// longest due first.
	DueSchedules(ctx context.Context, now time.Time, limit int) ([]Schedule, error)
	// NextDue is when the next enabled schedule is due, the zero time if none is.
	NextDue(ctx context.Context) (time.Time, error)
}

// ScheduleWriter changes schedules. UpdateSchedule replaces all but the key.
// They go with their deployment.
type ScheduleWriter interface {
	// AddSchedule gives ErrExists if the deployment has one of that id.
	AddSchedule(ctx context.Context, s Schedule) error
	UpdateSchedule(ctx context.Context, s Schedule) error
	DeleteSchedule(ctx context.Context, tenant, deploymentID, id string) error
}

// TopicSchedules is notified when a schedule is made or changed.
const TopicSchedules = "schedules"
