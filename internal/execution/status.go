package execution

import (
	"slices"

	"windlass/internal/store"
)

// Action is something that people ask of an execution that exists. The names
// are those of the REST API.
type Action string

// The actions.
const (
	Cancel      Action = "cancel"       // start nothing more; running operations end by themselves
	ForceCancel Action = "force-cancel" // as cancel, but don't wait for them
	Kill        Action = "kill"         // stop running operations
	Resume      Action = "resume"       // go on after the last success
	ForceResume Action = "force-resume" // as resume, also repeating what was under way
)

// refusedReports is the table of status changes that a report may not make.
// Reporting the status that an execution has already is always allowed.
var refusedReports = map[store.Status][]store.Status{
	store.Pending:        nil,
	store.Queued:         nil,
	store.Scheduled:      nil,
	store.Started:        nil,
	store.KillCancelling: nil,
	store.Cancelling: {store.Pending, store.Started, store.ForceCancelling,
		store.KillCancelling, store.Terminated},
	store.ForceCancelling: {store.Pending, store.Started, store.Cancelling,
		store.KillCancelling, store.Terminated},
	store.Terminated: statuses,
	store.Failed:     statuses,
	store.Cancelled:  statuses,
}

// isLegal tells whether an execution may ever go from one status to another:
// where a report of it is allowed, and where people's actions lead, which are a
// stronger stop and a resume.
func isLegal(e store.Execution, to store.Status) bool {
	switch {
	case CheckReport(e, to) == nil, to == store.KillCancelling:
		return true
	case to == store.ForceCancelling:
		return e.Status == store.Cancelling
	case to == store.Pending, to == store.Queued:
		return e.Status == store.Failed || e.Status == store.Cancelled
	}
	return false
}

var statuses = []store.Status{store.Pending, store.Queued, store.Scheduled, store.Started,
	store.Cancelling, store.ForceCancelling, store.KillCancelling,
	store.Terminated, store.Failed, store.Cancelled}

// KnownStatus tells whether s is a status at all.
func KnownStatus(s store.Status) bool { return slices.Contains(statuses, s) }

// CheckReport refuses a status reported for e (by the engine, or with PATCH)
// that may not follow the one it has. A snapshot's execution may be revived:
// restoring it brings back its own record as it was while it ran.
func CheckReport(e store.Execution, to store.Status) error {
	if e.Status == to || (e.Status.IsEnd() && e.WorkflowID == "create_snapshot") {
		return nil
	}
	refused, known := refusedReports[e.Status]
	if known && !slices.Contains(refused, to) {
		return nil
	}
	return refuse(CodeStatusUpdate, "Invalid relationship - can't change status from %s to %s "+
		"for \"%s\" execution while running \"%s\" workflow.", e.Status, to, e.ID, e.WorkflowID)
}

// allowedActions lists the statuses in which an action is allowed. Kill is
// allowed in all of them.
var allowedActions = map[Action][]store.Status{
	Cancel:      {store.Pending, store.Started, store.Scheduled, store.Queued},
	ForceCancel: {store.Pending, store.Started, store.Scheduled, store.Queued, store.Cancelling},
	Kill:        statuses,
	Resume:      {store.Started, store.Failed, store.Cancelled},
	ForceResume: {store.Failed, store.Cancelled},
}

// After returns the status that e gets when the action is asked for, or the
// refusal. What has not been let in yet is cancelled at once: there is nothing
// to stop.
func (a Action) After(e store.Execution) (store.Status, error) {
	allowed, known := allowedActions[a]
	if !known {
		return "", refuse(CodeBadParameters,
			"Invalid action: %s, Valid action values are: ['cancel', 'force-cancel', 'resume', 'force-resume', 'kill']", a)
	}
	resuming := a == Resume || a == ForceResume
	if !slices.Contains(allowed, e.Status) {
		if resuming {
			return "", refuse(CodeConflict, "Cannot %s execution: `%s` in state: `%s`", a, e.ID, e.Status)
		}
		return "", refuse(CodeIllegalAction, "Can't %s execution %s because it's in status %s", a, e.ID, e.Status)
	}
	switch {
	case resuming:
		return store.Pending, nil
	case e.Status.IsWaiting():
		return store.Cancelled, nil
	case a == ForceCancel:
		return store.ForceCancelling, nil
	case a == Kill:
		return store.KillCancelling, nil
	}
	return store.Cancelling, nil
}

// operationStates that a resume puts back to pending. A plain resume repeats
// what ended badly; a forced one also what was under way.
func resetOnResume(a Action) []string {
	if a == ForceResume {
		return []string{"rescheduled", "failed", "started", "sent", "sending"}
	}
	return []string{"rescheduled", "failed"}
}
