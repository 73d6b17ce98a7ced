package execution

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"windlass/internal/execution/recurrence"
	"windlass/internal/store"
	"windlass/internal/value"
)

// scheduleLock is held while what is due is started, so that of several
// managers one does it. It is taken before admissionLock.
const scheduleLock = "execution-schedules"

// Schedule times of the scheduler itself.
const (
	scheduleGrace = time.Minute      // lateness that every schedule allows beyond its slip
	scheduleBatch = 64               // started in one transaction
	scheduleLook  = 30 * time.Second // how often to look without being woken
)

// AddSchedule checks a schedule and stores it; tx may be nil, else it becomes
// part of that transaction. It gives the schedule with its next occurrence; a
// *Refusal if it can't be followed, store.ErrExists if the deployment has one
// of that id.
func (s *Service) AddSchedule(ctx context.Context, tx store.Tx, sc store.Schedule) (store.Schedule, error) {
	add := func(tx store.Tx) error {
		var err error
		if sc, err = s.checkedSchedule(ctx, tx, sc); err != nil {
			return err
		}
		return tx.AddSchedule(ctx, sc)
	}
	if tx != nil {
		return sc, add(tx)
	}
	err := s.store.Write(ctx, add)
	return sc, err
}

// ChangeSchedule replaces a schedule by what change makes of it. Errors are
// those of AddSchedule and change, and store.ErrNotFound.
func (s *Service) ChangeSchedule(ctx context.Context, tenant, deployment, id string, change func(*store.Schedule) error) (store.Schedule, error) {
	var sc store.Schedule
	err := s.store.Write(ctx, func(tx store.Tx) error {
		if err := tx.Lock(scheduleLock); err != nil {
			return err
		}
		var err error
		if sc, err = tx.GetSchedule(ctx, tenant, deployment, id); err != nil {
			return err
		}
		if err := change(&sc); err != nil {
			return err
		}
		if sc, err = s.checkedSchedule(ctx, tx, sc); err != nil {
			return err
		}
		return tx.UpdateSchedule(ctx, sc)
	})
	return sc, err
}

// checkedSchedule gives the schedule with its next occurrence, if the
// deployment has the workflow and the rule can be followed.
func (s *Service) checkedSchedule(ctx context.Context, r store.Reader, sc store.Schedule) (store.Schedule, error) {
	d, err := r.GetDeployment(ctx, sc.Tenant, sc.DeploymentID)
	if err != nil {
		return sc, err
	}
	if _, _, err := findWorkflow(d, sc.WorkflowID); err != nil {
		return sc, refuse(CodeBadParameters, "Workflow %s does not exist in deployment %s", sc.WorkflowID, sc.DeploymentID)
	}
	if !IsCatchUp(sc.CatchUp) && sc.CatchUp != "" {
		return sc, refuse(CodeBadParameters, "catch_up must be one of skip, once and all, got %s", sc.CatchUp)
	}
	if sc.Slip < 0 {
		return sc, refuse(CodeBadParameters, "slip must not be negative, got %d", sc.Slip)
	}
	times, err := scheduleTimes(sc)
	if err != nil {
		return sc, refuse(CodeBadParameters, "%s", err)
	}
	// What is due this very moment is still to come, unless it was started already:
	// then it is not, also if the clock was set back since.
	from := s.now().Add(-time.Second)
	latest, err := s.latestOf(ctx, r, sc)
	if err == nil && latest != nil && latest.CreatedAt.After(from) && latest.CreatedAt.Before(from.Add(farAhead)) {
		from = latest.CreatedAt
	}
	sc.NextOccurrence, _ = times.Next(from)
	return sc, err
}

// farAhead is so far ahead of the clock that it was wrong when it told that time.
const farAhead = 24 * time.Hour

// Occurrences lists up to limit times that the schedule will be due after a time.
func Occurrences(sc store.Schedule, after time.Time, limit int) ([]time.Time, error) {
	times, err := scheduleTimes(sc)
	if err != nil {
		return nil, err
	}
	return times.After(after, limit), nil
}

func scheduleTimes(sc store.Schedule) (*recurrence.Times, error) {
	var rule recurrence.Rule
	if err := value.Into(sc.Rule, &rule); err != nil {
		return nil, fmt.Errorf("the schedule's rule: %w", err)
	}
	loc, err := time.LoadLocation(sc.TimeZone) // "" is UTC
	if err != nil {
		return nil, fmt.Errorf("time_zone: %w", err)
	}
	return recurrence.New(rule, sc.Since.In(loc), sc.Until)
}

// StartLater makes a schedule that starts a workflow once. It returns the
// execution as it will be; a record of its own it has only once it is due.
func (s *Service) StartLater(ctx context.Context, r StartRequest, at time.Time) (store.Execution, error) {
	var none store.Execution
	if !at.After(s.now()) {
		return none, refuse(CodeBadParameters, "Date `%s` has already passed, please provide valid date.", at.Format(time.RFC3339))
	}
	// Schedules know whole seconds: it starts in the next one, not before its time.
	at = at.Add(time.Second - 1).Truncate(time.Second)
	id := uuid.New()
	sc := store.Schedule{
		Owned: store.Owned{Tenant: r.Tenant, Visibility: store.Tenants, CreatedBy: r.CreatedBy, CreatedAt: s.now()},
		ID:    fmt.Sprintf("%s_%x", r.WorkflowID, id[:16]), DeploymentID: r.DeploymentID, WorkflowID: r.WorkflowID,
		Parameters: r.Parameters, Rule: map[string]any{"count": int64(1)}, Since: at.UTC(), Enabled: true,
		Arguments: map[string]any{
			"allow_custom_parameters": r.AllowCustomParameters, "force": r.Force, "is_dry_run": r.DryRun,
			"wait_after_fail": int64(defaultWaitAfterFail),
		},
	}
	if r.WaitAfterFail != nil {
		sc.Arguments["wait_after_fail"] = int64(*r.WaitAfterFail)
	}
	if _, err := s.AddSchedule(ctx, nil, sc); err != nil {
		return none, err
	}
	return store.Execution{
		Owned: sc.Owned, WorkflowID: r.WorkflowID, DeploymentID: r.DeploymentID, Status: store.Scheduled, Parameters: r.Parameters,
		ScheduledFor: at.UTC(), IsDryRun: r.DryRun, AllowCustomParameters: r.AllowCustomParameters,
	}, nil
}

// runSchedules starts what is due until ctx ends.
func (s *Service) runSchedules(ctx context.Context) {
	wake, unsubscribe := s.store.Subscribe(store.TopicSchedules)
	defer unsubscribe()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-wake:
		case <-s.timeSet:
		case <-ctx.Done():
			return
		}
		wait, err := s.startDue(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Error("could not start what is scheduled; trying again", "error", err)
			wait = time.Second
		}
		timer.Reset(wait)
	}
}

// startDue starts what is due and tells how long to wait for the next.
func (s *Service) startDue(ctx context.Context) (time.Duration, error) {
	for {
		if m, err := maintenanceIn(ctx, s.store); err != nil || m.Status != MaintenanceOff {
			return scheduleLook, err // whoever ends the maintenance wakes us up
		}
		next, err := s.store.NextDue(ctx)
		if err != nil {
			return 0, fmt.Errorf("find the next scheduled time: %w", err)
		}
		if next.IsZero() {
			return scheduleLook, nil
		}
		if left := next.Sub(s.now()); left > 0 {
			return min(left, scheduleLook), nil
		}
		if err := s.store.Write(ctx, func(tx store.Tx) error { return s.startBatch(ctx, tx) }); err != nil {
			return 0, err
		}
	}
}

func (s *Service) startBatch(ctx context.Context, tx store.Tx) error {
	if err := tx.Lock(scheduleLock); err != nil {
		return err
	}
	if err := tx.Lock(admissionLock); err != nil {
		return err
	}
	if m, err := maintenanceIn(ctx, tx); err != nil || m.Status != MaintenanceOff {
		return err // it has just begun: what is due stays so until it ends
	}
	due, err := tx.DueSchedules(ctx, s.now(), scheduleBatch)
	if err != nil {
		return err
	}
	for _, sc := range due {
		if err := s.startScheduled(ctx, tx, sc); err != nil {
			return fmt.Errorf("schedule %s of deployment %s: %w", sc.ID, sc.DeploymentID, err)
		}
	}
	return nil
}

// startScheduled starts a schedule's workflow, unless the last time isn't over,
// it is too late, or the schedule ends with a failure. Either way the schedule
// goes on to its next time. What was missed is made up for as its policy says.
func (s *Service) startScheduled(ctx context.Context, tx store.Tx, sc store.Schedule) error {
	now, was := s.now(), sc.NextOccurrence
	times, err := scheduleTimes(sc)
	if err != nil {
		s.log.Error("a schedule can't be followed and is disabled", "schedule", sc.ID, "deployment", sc.DeploymentID, "error", err)
		sc.Enabled = false
		return tx.UpdateSchedule(ctx, sc)
	}
	sc.NextOccurrence, _ = times.Next(now)
	latest, err := s.latestOf(ctx, tx, sc)
	if err != nil {
		return err
	}
	switch {
	case latest != nil && !latest.Status.IsEnd():
		s.log.Info("a scheduled start is left out: the last one has not ended", "schedule", sc.ID, "deployment", sc.DeploymentID, "execution", latest.ID)
	case latest != nil && latest.Status == store.Failed && sc.StopOnFail:
		s.log.Info("a schedule stops since its last execution failed", "schedule", sc.ID, "deployment", sc.DeploymentID, "execution", latest.ID)
		sc.Enabled = false
	case now.Sub(was) > time.Duration(sc.Slip)*time.Minute+scheduleGrace:
		s.log.Warn("a scheduled start was missed", "schedule", sc.ID, "deployment", sc.DeploymentID, "due", was)
		if sc.LatestExecutionID, err = s.catchUp(ctx, tx, sc, times, was, now); err != nil {
			return err
		}
	default:
		if sc.LatestExecutionID, err = s.startFor(ctx, tx, sc); err != nil {
			return err
		}
	}
	return tx.UpdateSchedule(ctx, sc)
}

func (s *Service) latestOf(ctx context.Context, r store.Reader, sc store.Schedule) (*store.Execution, error) {
	if sc.LatestExecutionID == "" {
		return nil, nil
	}
	e, err := r.GetExecution(ctx, sc.LatestExecutionID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return &e, err
}

// startFor starts the schedule's workflow and returns the execution's id, the
// former one if the rules are against the start.
func (s *Service) startFor(ctx context.Context, tx store.Tx, sc store.Schedule) (string, error) {
	isSet := func(name string) bool { b, _ := sc.Arguments[name].(bool); return b }
	r := StartRequest{
		Tenant: sc.Tenant, DeploymentID: sc.DeploymentID, WorkflowID: sc.WorkflowID, Parameters: value.CopyMap(sc.Parameters),
		AllowCustomParameters: isSet("allow_custom_parameters"), Force: isSet("force"), DryRun: isSet("is_dry_run"),
		Queue: true, CreatedBy: sc.CreatedBy,
	}
	if n, ok := sc.Arguments["wait_after_fail"].(int64); ok {
		seconds := int(n)
		r.WaitAfterFail = &seconds
	}
	e, err := s.StartIn(ctx, tx, r)
	var refusal *Refusal
	if errors.As(err, &refusal) {
		s.log.Warn("a scheduled start was refused", "schedule", sc.ID, "deployment", sc.DeploymentID, "reason", refusal.Message)
		err = nil
	}
	if err != nil || e.ID == "" {
		return sc.LatestExecutionID, err
	}
	return e.ID, nil
}
