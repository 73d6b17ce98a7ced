package approval

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"

	"windlass/internal/operation"
	"windlass/internal/store"
)

// Plugin is the name under which blueprints map operations to a Gate.
const Plugin = "approval"

// implementation is what such an operation is mapped to, after the plugin's name.
const implementation = "request"

// property is the runtime property that holds the answer.
const property = "approval"

// lookAgain is how long a lost notification may go unseen.
const lookAgain = 5 * time.Second

// Gate runs operations that ask for a person's yes or no: it ends with a yes
// and fails for good with a no. What one attempt asked for outlives the manager:
// the attempt that goes on elsewhere waits for the same answer.
type Gate struct{ Service *Service }

var (
	_ operation.Runner = Gate{}
	_ operation.Waiter = Gate{}
)

// WaitsFor implements operation.Waiter.
func (g Gate) WaitsFor(req *operation.Request) string {
	question, _ := req.Inputs["question"].(string)
	return fmt.Sprintf("it waits for somebody's approval (%s), see cfy approvals list,", question)
}

// EndsWithCancel implements operation.Waiter.
func (g Gate) EndsWithCancel() bool { return true }

// Run implements operation.Runner. The answer becomes the operation's result,
// and the instance's runtime property "approval".
func (g Gate) Run(ctx context.Context, req *operation.Request, host operation.Host) (any, error) {
	if req.Implementation != implementation {
		return nil, failure("plugin %s has no %s: map the operation to %s.%s", Plugin, req.Implementation, Plugin, implementation)
	}
	a, err := g.Service.ask(ctx, req)
	if err != nil {
		return nil, err
	}
	if err := host.Started(ctx); err != nil {
		return nil, err
	}
	if a, err = g.Service.await(ctx, a); err != nil {
		return nil, err
	}
	answer := map[string]any{
		"approval_id": a.ID, "status": string(a.Status), "decided_by": a.DecidedBy,
		"decided_at": a.DecidedAt.UTC().Format(time.RFC3339Nano), "comment": a.Comment,
	}
	switch a.Status {
	case store.ApprovalGiven:
		return answer, keep(ctx, host, req.Self.InstanceID, answer)
	case store.ApprovalRefused:
		if err := keep(ctx, host, req.Self.InstanceID, answer); err != nil {
			return nil, err
		}
		return nil, &operation.Error{Verdict: operation.NonRecoverable, Type: "ApprovalRejected", Message: decisionText(a)}
	}
	return nil, failure("approval %s was withdrawn: the execution ended", a.ID)
}

// keep stores the answer with the instance, for others to read.
func keep(ctx context.Context, host operation.Host, instanceID string, answer map[string]any) error {
	for {
		i, err := host.Instance(ctx, instanceID)
		if err != nil {
			return err
		}
		runtime := maps.Clone(i.RuntimeProperties)
		if runtime == nil {
			runtime = map[string]any{}
		}
		runtime[property] = answer
		if _, err = host.UpdateInstance(ctx, instanceID, i.Version, runtime); !errors.Is(err, operation.ErrConflict) {
			return err
		}
	}
}

func failure(format string, args ...any) error {
	return &operation.Error{Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: fmt.Sprintf(format, args...)}
}

// ask finds what an attempt asked for, or asks. An attempt that begins anew after
// a no or a cancel, because somebody resumed its execution, asks again.
func (s *Service) ask(ctx context.Context, req *operation.Request) (store.Approval, error) {
	a, err := s.store.GetOperationApproval(ctx, req.TaskID)
	again := err == nil && (a.Status == store.ApprovalRefused && !req.Resume || a.Status == store.ApprovalWithdrawn)
	if !again && !errors.Is(err, store.ErrNotFound) {
		return a, err
	}
	if a, err = s.request(req); err != nil {
		return a, err
	}
	e, err := s.store.GetExecution(ctx, req.ExecutionID)
	if err != nil {
		return a, err
	}
	a.Visibility = e.Visibility
	err = s.store.Write(ctx, func(tx store.Tx) error {
		if err := tx.AddApproval(ctx, a); err != nil {
			return err
		}
		return tx.AddEvents(ctx, []store.Event{s.event(a, EventRequested, fmt.Sprintf(
			"Approval needed: %s (answer with: cfy approvals approve %s, or reject)", a.Question, a.ID))})
	})
	if errors.Is(err, store.ErrExists) { // by the manager that ran the execution before, just now
		return s.store.GetOperationApproval(ctx, req.TaskID)
	}
	return a, err
}

// request reads what an operation asks from its inputs.
func (s *Service) request(req *operation.Request) (store.Approval, error) {
	now := s.now()
	a := store.Approval{
		Owned: store.Owned{Tenant: req.Tenant, CreatedBy: req.ExecutionCreator, CreatedAt: now},
		ID:    uuid.NewString(), ExecutionID: req.ExecutionID, DeploymentID: req.DeploymentID, OperationID: req.TaskID,
		NodeID: req.Self.NodeID, InstanceID: req.Self.InstanceID, OperationName: req.Name,
		Details: req.Inputs["details"], Status: store.ApprovalWaiting,
	}
	var ok bool
	if a.Question, ok = req.Inputs["question"].(string); !ok || a.Question == "" {
		return a, failure("input question of %s must be the text to ask, found %v", req.Name, req.Inputs["question"])
	}
	var err error
	if a.Approvers, err = approvers(req.Inputs["approvers"]); err != nil {
		return a, err
	}
	switch v := req.Inputs["not_by_starter"].(type) {
	case nil:
	case bool:
		a.NotByStarter = v
	default:
		return a, failure("input not_by_starter must be true or false, found %v", v)
	}
	switch v := req.Inputs["on_timeout"]; v {
	case nil, "reject":
	case "approve":
		a.ApproveOnExpiry = true
	default:
		return a, failure("input on_timeout must be reject or approve, found %v", v)
	}
	timeout := req.Timeout
	if v := req.Inputs["timeout"]; v != nil {
		if timeout, ok = seconds(v); !ok {
			return a, failure("input timeout must be a number of seconds, found %v; 0 is no limit", v)
		}
	}
	if timeout > 0 {
		a.ExpiresAt = now.Add(timeout)
	}
	return a, nil
}

func approvers(v any) ([]string, error) {
	if v == nil {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, failure("input approvers must be a list of user names and role:NAME, found %v", v)
	}
	names := make([]string, 0, len(list))
	for _, item := range list {
		name, ok := item.(string)
		if !ok || name == "" {
			return nil, failure("input approvers must be a list of user names and role:NAME, found %v in it", item)
		}
		names = append(names, name)
	}
	return names, nil
}

// maxSeconds keeps durations within what they can hold: a century.
const maxSeconds = 100 * 366 * 24 * 3600

func seconds(v any) (time.Duration, bool) {
	s := -1.0
	switch n := v.(type) {
	case int64:
		s = float64(n)
	case float64:
		s = n
	}
	return time.Duration(s * float64(time.Second)), s >= 0 && s <= maxSeconds
}

// await waits for the answer. If time runs out, it gives it.
func (s *Service) await(ctx context.Context, a store.Approval) (store.Approval, error) {
	wake, stop := s.store.Subscribe(store.TopicApprovals)
	defer stop()
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	var expiry <-chan time.Time
	if !a.ExpiresAt.IsZero() {
		timer := time.NewTimer(a.ExpiresAt.Sub(s.now()))
		defer timer.Stop()
		expiry = timer.C
	}
	for {
		now, err := s.store.GetApproval(ctx, a.Tenant, a.ID)
		if err != nil || now.Status != store.ApprovalWaiting {
			return now, err
		}
		select {
		case <-wake:
		case <-look.C:
		case <-expiry:
			return s.expire(ctx, a)
		case <-ctx.Done():
			return a, ctx.Err()
		}
	}
}

// expire answers in place of the people who didn't.
func (s *Service) expire(ctx context.Context, a store.Approval) (store.Approval, error) {
	a.Status = store.ApprovalRefused
	if a.ApproveOnExpiry {
		a.Status = store.ApprovalGiven
	}
	decided := a
	err := s.store.Write(ctx, func(tx store.Tx) error {
		decided = a
		return s.decide(ctx, tx, &decided)
	})
	if errors.Is(err, store.ErrVersion) { // somebody did, at the last moment
		return s.store.GetApproval(ctx, a.Tenant, a.ID)
	}
	return decided, err
}
