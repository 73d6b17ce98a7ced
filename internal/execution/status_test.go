package execution

import (
	"errors"
	"net/http"
	"testing"

	"windlass/internal/store"
)

// TestCheckReport walks the whole table: a letter per target, in the order of
// statuses, x where the change is refused.
func TestCheckReport(t *testing.T) {
	t.Parallel()
	// to:              pqusCFKtfc  (pending queued sched started Cancelling Force Kill terminated failed cancelled)
	want := map[store.Status]string{
		store.Pending:         "..........",
		store.Queued:          "..........",
		store.Scheduled:       "..........",
		store.Started:         "..........",
		store.Cancelling:      "x..x.xxx..",
		store.ForceCancelling: "x..xx.xx..",
		store.KillCancelling:  "..........",
		store.Terminated:      "xxxxxxx.xx",
		store.Failed:          "xxxxxxxx.x",
		store.Cancelled:       "xxxxxxxxx.",
	}
	for from, row := range want {
		for i, to := range statuses {
			err := CheckReport(store.Execution{ID: "e", WorkflowID: "install", Status: from}, to)
			if got := err != nil; got != (row[i] == 'x') {
				t.Errorf("%s to %s: refused %v", from, to, got)
			}
			if err := CheckReport(store.Execution{WorkflowID: "create_snapshot", Status: from}, to); from.IsEnd() && err != nil {
				t.Errorf("create_snapshot, %s to %s: %v", from, to, err)
			}
		}
	}
	err := CheckReport(store.Execution{ID: "e-1", WorkflowID: "install", Status: store.Failed}, store.Started)
	wantRefusal(t, err, CodeStatusUpdate, http.StatusBadRequest,
		`Invalid relationship - can't change status from failed to started for "e-1" execution while running "install" workflow.`)
}

func TestActionAfter(t *testing.T) {
	t.Parallel()
	const no = store.Status("")
	tests := map[Action][]store.Status{ // in the order of statuses
		Cancel:      {store.Cancelling, store.Cancelled, store.Cancelled, store.Cancelling, no, no, no, no, no, no},
		ForceCancel: {store.ForceCancelling, store.Cancelled, store.Cancelled, store.ForceCancelling, store.ForceCancelling, no, no, no, no, no},
		Kill: {store.KillCancelling, store.Cancelled, store.Cancelled, store.KillCancelling, store.KillCancelling, store.KillCancelling,
			store.KillCancelling, store.KillCancelling, store.KillCancelling, store.KillCancelling},
		Resume:      {no, no, no, store.Pending, no, no, no, no, store.Pending, store.Pending},
		ForceResume: {no, no, no, no, no, no, no, no, store.Pending, store.Pending},
	}
	for action, row := range tests {
		for i, from := range statuses {
			to, err := action.After(store.Execution{ID: "e", Status: from})
			if to != row[i] || (err == nil) != (row[i] != no) {
				t.Errorf("%s in %s gives %q, %v; want %q", action, from, to, err, row[i])
			}
		}
	}
	_, err := ForceCancel.After(store.Execution{ID: "e-1", Status: store.Failed})
	wantRefusal(t, err, CodeIllegalAction, http.StatusBadRequest, "Can't force-cancel execution e-1 because it's in status failed")
	_, err = ForceResume.After(store.Execution{ID: "e-1", Status: store.Started})
	wantRefusal(t, err, CodeConflict, http.StatusConflict, "Cannot force-resume execution: `e-1` in state: `started`")
	_, err = Action("requeue").After(store.Execution{ID: "e-1", Status: store.Started})
	wantRefusal(t, err, CodeBadParameters, http.StatusBadRequest,
		"Invalid action: requeue, Valid action values are: ['cancel', 'force-cancel', 'resume', 'force-resume', 'kill']")
}

func wantRefusal(t *testing.T, err error, code string, status int, message string) {
	t.Helper()
	var r *Refusal
	if !errors.As(err, &r) {
		t.Errorf("got %v, want the refusal %s %q", err, code, message)
		return
	}
	if r.Code != code || r.Status != status || r.Message != message {
		t.Errorf("got %s %d %q\nwant %s %d %q", r.Code, r.Status, r.Message, code, status, message)
	}
}
