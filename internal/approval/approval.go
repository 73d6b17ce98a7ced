// Package approval lets a person decide: an operation asks for a yes or no and
// waits, a person answers, and both stand in the execution's events.
package approval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"windlass/internal/store"
)

// Refusal is an answer that may not be given.
type Refusal struct {
	Code    string // error_code of the REST API: illegal_action_error or forbidden_error
	Message string
}

func (r *Refusal) Error() string { return r.Message }

func illegal(format string, args ...any) error {
	return &Refusal{"illegal_action_error", fmt.Sprintf(format, args...)}
}

func forbidden(format string, args ...any) error {
	return &Refusal{"forbidden_error", fmt.Sprintf(format, args...)}
}

// Event types that tell of approvals.
const (
	EventRequested = "approval_requested"
	EventGiven     = "approval_given"
	EventRefused   = "approval_rejected"
)

// rolePrefix marks an approver that is whoever has a role in the tenant.
const rolePrefix = "role:"

// Service takes answers.
type Service struct {
	store       store.Store
	managerName string
	now         func() time.Time
}

// NewService makes a service; managerName is what events are signed with, now
// tells the time.
func NewService(st store.Store, managerName string, now func() time.Time) *Service {
	return &Service{store: st, managerName: managerName, now: now}
}

// Answer is a person's answer.
type Answer struct {
	Tenant, ID string
	Approve    bool
	Comment    string
	By         string // user name
	Role       string // of the user in the tenant; "" for none
	IsAdmin    bool   // may answer whoever was named
	// IsExecution: an execution calls, in the name of who started it. It can't
	// answer: no operation lets itself through.
	IsExecution bool
}

// Answer stores an answer; the operation goes on, or fails, at once. It gives a
// *Refusal for a person who may not answer and for what was answered before.
func (s *Service) Answer(ctx context.Context, a Answer) (store.Approval, error) {
	var asked store.Approval
	err := s.store.Write(ctx, func(tx store.Tx) (err error) {
		if asked, err = tx.GetApproval(ctx, a.Tenant, a.ID); err != nil {
			return err
		}
		if err := mayAnswer(asked, a); err != nil {
			return err
		}
		asked.Status, asked.DecidedBy, asked.Comment = store.ApprovalRefused, a.By, a.Comment
		if a.Approve {
			asked.Status = store.ApprovalGiven
		}
		return s.decide(ctx, tx, &asked)
	})
	if errors.Is(err, store.ErrVersion) {
		return asked, illegal("Approval %s was answered by somebody else just now", a.ID)
	}
	return asked, err
}

func mayAnswer(asked store.Approval, a Answer) error {
	switch {
	case asked.Status == store.ApprovalWithdrawn:
		return illegal("Approval %s can't be answered any more: execution %s has ended", asked.ID, asked.ExecutionID)
	case asked.Status != store.ApprovalWaiting:
		return illegal("Approval %s was %s %sbefore", asked.ID, asked.Status, by(asked))
	case a.IsExecution:
		return forbidden("An execution can't answer approvals: a person must")
	case asked.NotByStarter && a.By == asked.CreatedBy:
		return forbidden("User `%s` started execution %s: somebody else must answer approval %s", a.By, asked.ExecutionID, asked.ID)
	case len(asked.Approvers) == 0 || a.IsAdmin:
		return nil
	case slices.Contains(asked.Approvers, a.By), a.Role != "" && slices.Contains(asked.Approvers, rolePrefix+a.Role):
		return nil
	}
	return forbidden("User `%s` may not answer approval %s: only %s may", a.By, asked.ID, strings.Join(asked.Approvers, ", "))
}

func by(a store.Approval) string {
	if a.DecidedBy == "" {
		return ""
	}
	return "by " + a.DecidedBy + " "
}

// decide stores an answer and tells of it.
func (s *Service) decide(ctx context.Context, tx store.Tx, a *store.Approval) error {
	a.DecidedAt = s.now()
	if err := tx.DecideApproval(ctx, *a); err != nil {
		return err
	}
	eventType := EventRefused
	if a.Status == store.ApprovalGiven {
		eventType = EventGiven
	}
	return tx.AddEvents(ctx, []store.Event{s.event(*a, eventType, decisionText(*a))})
}

func (s *Service) event(a store.Approval, eventType, message string) store.Event {
	return store.Event{
		Type: store.TypeEvent, ExecutionID: a.ExecutionID, Tenant: a.Tenant, ReportedTimestamp: s.now(), EventType: eventType,
		Message: message, Operation: a.OperationName, NodeID: a.InstanceID, ManagerName: s.managerName,
	}
}

// decisionText is an answer as a sentence.
func decisionText(a store.Approval) string {
	text := "Rejected"
	if a.Status == store.ApprovalGiven {
		text = "Approved"
	}
	if a.DecidedBy == "" {
		text += " because nobody answered in time"
	} else {
		text += " by " + a.DecidedBy
	}
	if a.Comment != "" {
		text += ": " + a.Comment
	}
	return text
}
