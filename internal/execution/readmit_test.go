package execution

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"windlass/internal/store"
)

// TestResumeIsAdmitted: what is resumed runs beside nothing that it couldn't be
// started beside.
func TestResumeIsAdmitted(t *testing.T) {
	t.Parallel()
	const (
		wide   = "You cannot start an execution if there is a running system-wide execution"
		alone  = "You cannot start a system-wide execution if there are other executions running."
		beside = "The following executions are currently running for this deployment: [<Execution id=`x` tenant=`default_tenant` status=`started` " +
			"workflow_id=`install`>]. To execute this workflow anyway, pass \"force=true\" as a query parameter to this request"
	)
	for name, tc := range map[string]struct {
		e, x store.Execution
		want string // the refusal; "" for none
	}{
		"another of the deployment":     {store.Execution{DeploymentID: "d"}, store.Execution{DeploymentID: "d", Status: store.Started}, beside},
		"forced once, forced again":     {store.Execution{DeploymentID: "d", Force: true}, store.Execution{DeploymentID: "d", Status: store.Started}, ""},
		"another deployment":            {store.Execution{DeploymentID: "d"}, store.Execution{DeploymentID: "other", Status: store.Started}, ""},
		"one that waits for deployment": {store.Execution{DeploymentID: "d"}, store.Execution{DeploymentID: "d", Status: store.Queued}, ""},
		"system-wide runs":              {store.Execution{DeploymentID: "d"}, store.Execution{IsSystemWorkflow: true, Status: store.Started}, wide},
		"system-wide waits":             {store.Execution{DeploymentID: "d"}, store.Execution{IsSystemWorkflow: true, Status: store.Queued}, wide},
		"a system-wide one":             {store.Execution{IsSystemWorkflow: true}, store.Execution{DeploymentID: "d", Status: store.Started}, alone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := openStore(t)
			addDeployment(t, st, "d", nil)
			addDeployment(t, st, "other", nil)
			tc.e.ID, tc.e.Status, tc.x.ID = "e", store.Failed, "x"
			for _, e := range []store.Execution{tc.e, tc.x} {
				e.Owned = store.Owned{Tenant: "default_tenant", Visibility: store.Tenants, CreatedBy: "admin", CreatedAt: time.Now()}
				if e.WorkflowID = "install"; e.IsSystemWorkflow {
					e.WorkflowID = "restore_snapshot"
				}
				e.Parameters = map[string]any{}
				write(t, st, func(ctx context.Context, tx store.Tx) error { return tx.AddExecution(ctx, e) })
			}
			s := newService(t, Config{Store: st})
			e, err := s.Resume(t.Context(), "", "e", false)
			if tc.want != "" {
				wantRefusal(t, err, CodeExistingRunning, http.StatusBadRequest, tc.want)
				return
			}
			if err != nil || e.Status != store.Pending {
				t.Errorf("it is %s, %v", e.Status, err)
			}
		})
	}
}

// TestResumedGroupKeepsItsConcurrency: members that are resumed run as few at
// once as they did before; the others wait in the queue.
func TestResumedGroupKeepsItsConcurrency(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	s := newService(t, Config{Store: st})
	write(t, st, func(ctx context.Context, tx store.Tx) error {
		return tx.AddExecutionGroup(ctx, store.ExecutionGroup{
			Owned: store.Owned{Tenant: "default_tenant", Visibility: store.Tenants, CreatedBy: "admin", CreatedAt: time.Now()},
			ID:    "g", WorkflowID: "install", Concurrency: 1,
		})
	})
	ids := []string{"d0", "d1", "d2"}
	for _, d := range ids {
		addDeployment(t, st, d, nil)
		stored(t, st, "of-"+d, d, "install", store.Failed)
		write(t, st, func(ctx context.Context, tx store.Tx) error {
			e, err := tx.LockExecution(ctx, "of-"+d)
			if err != nil {
				return err
			}
			e.GroupID = "g"
			return tx.UpdateExecution(ctx, e)
		})
	}
	if err := s.ActOnGroup(t.Context(), "default_tenant", "g", Resume); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"of-d0 pending, of-d1 queued, of-d2 queued",
		"of-d0 failed, of-d1 pending, of-d2 queued",
		"of-d0 failed, of-d1 failed, of-d2 pending",
	} {
		if got := statusesOf(t, st, "of-d0", "of-d1", "of-d2"); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		for _, d := range ids {
			if e, err := s.Get(t.Context(), "", "of-"+d); err != nil {
				t.Fatal(err)
			} else if e.Status == store.Pending {
				write(t, st, func(ctx context.Context, tx store.Tx) error { return endIn(ctx, s, tx, e.ID, store.Failed) })
				break
			}
		}
	}
}

// TestQueueDoesNotStarve: executions that never had to wait don't take the
// places of those in the queue, however many they are.
func TestQueueDoesNotStarve(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	s := newService(t, Config{Store: st})
	write(t, st, func(ctx context.Context, tx store.Tx) error {
		return tx.PutSetting(ctx, store.Setting{Scope: "rest", Name: "max_concurrent_workflows", Value: int64(2)})
	})
	start := func(deployment string, want store.Status) string {
		t.Helper()
		e, err := s.Start(t.Context(), StartRequest{Tenant: "default_tenant", DeploymentID: deployment, WorkflowID: "install", Queue: true})
		if err != nil || e.Status != want {
			t.Fatalf("it is %s, %v, want %s", e.Status, err, want)
		}
		return e.ID
	}
	for _, d := range []string{"a", "b", "c", "d", "e"} {
		addDeployment(t, st, d, nil)
	}
	var first, second []string
	for _, d := range []string{"a", "b", "c"} {
		first = append(first, start(d, store.Pending))
	}
	for _, d := range []string{"a", "b", "c"} {
		second = append(second, start(d, store.Queued))
	}
	start("d", store.Pending)
	start("e", store.Pending)
	for _, id := range first {
		write(t, st, func(ctx context.Context, tx store.Tx) error { return endIn(ctx, s, tx, id, store.Terminated) })
	}
	if got := statusesOf(t, st, second...); got != second[0]+" pending, "+second[1]+" pending, "+second[2]+" queued" {
		t.Errorf("got %s", got)
	}
	// A larger limit lets in the third without the end of any.
	write(t, st, func(ctx context.Context, tx store.Tx) error {
		return tx.PutSetting(ctx, store.Setting{Scope: "rest", Name: "max_concurrent_workflows", Value: int64(3)})
	})
	if err := s.lookAtQueue(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := statusesOf(t, st, second[2]); got != second[2]+" pending" {
		t.Errorf("got %s", got)
	}
}

// TestIllegalChangesOfStatus: whoever asks, there is no such change.
func TestIllegalChangesOfStatus(t *testing.T) {
	t.Parallel()
	legal := map[store.Status]string{ // to what, beside itself and kill_cancelling
		store.Cancelling:      "queued scheduled force_cancelling failed cancelled",
		store.ForceCancelling: "queued scheduled failed cancelled",
		store.Terminated:      "",
		store.Failed:          "pending queued",
		store.Cancelled:       "pending queued",
	}
	for from, want := range legal {
		got := ""
		for _, to := range statuses {
			if isLegal(store.Execution{Status: from}, to) && to != from && to != store.KillCancelling {
				got += " " + string(to)
			}
		}
		if got = strings.TrimSpace(got); got != want {
			t.Errorf("from %s to %q, want %q", from, got, want)
		}
	}
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	stored(t, st, "e", "d", "install", store.Terminated)
	s := newService(t, Config{Store: st})
	err := st.Write(t.Context(), func(tx store.Tx) error { return endIn(t.Context(), s, tx, "e", store.Failed) })
	if err == nil || err.Error() != "execution e can't go from terminated to failed" {
		t.Errorf("got %v", err)
	}
	if got := statusesOf(t, st, "e"); got != "e terminated" {
		t.Errorf("got %s", got)
	}
}
