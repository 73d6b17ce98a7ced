package approval

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"windlass/internal/operation"
	"windlass/internal/operation/operationtest"
	"windlass/internal/store"
	"windlass/internal/store/sqlite"
	"windlass/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newGate(t *testing.T) Gate {
	t.Helper()
	st, err := sqlite.Open(t.Context(), storetest.SQLiteFile(t, filepath.Join(t.TempDir(), "test.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	err = st.Write(t.Context(), func(tx store.Tx) error {
		return tx.AddExecution(t.Context(), store.Execution{
			Owned: store.Owned{Tenant: "acme", Visibility: store.Tenants, CreatedBy: "jo", CreatedAt: time.Now()},
			ID:    "e", WorkflowID: "install", Status: store.Started,
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return Gate{NewService(st, "here", time.Now)}
}

func newHost() *operationtest.Host {
	return operationtest.NewHost(operation.Instance{ID: "gate_1", NodeID: "gate", RuntimeProperties: map[string]any{"kept": true}})
}

func asking(inputs map[string]any) *operation.Request {
	return &operation.Request{
		TaskID: "t1", ExecutionID: "e", Tenant: "acme", ExecutionCreator: "jo", DeploymentID: "d",
		Name: "cloudify.interfaces.lifecycle.create", Implementation: "request", Inputs: inputs,
		Self: operation.Subject{NodeID: "gate", InstanceID: "gate_1"},
	}
}

// outcome is how a request ended.
type outcome struct {
	result any
	err    error
}

// begin asks in the background, and returns once the question is stored.
func begin(t *testing.T, ctx context.Context, g Gate, req *operation.Request) (store.Approval, <-chan outcome) {
	t.Helper()
	wake, stop := g.Service.store.Subscribe(store.TopicApprovals)
	defer stop()
	ended := make(chan outcome, 1)
	host := newHost()
	go func() {
		result, err := g.Run(ctx, req, host)
		ended <- outcome{result, err}
	}()
	for {
		a, err := g.Service.store.GetOperationApproval(t.Context(), req.TaskID)
		if err == nil {
			return a, ended
		}
		if !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		select {
		case <-wake:
		case o := <-ended:
			t.Fatalf("ended without asking: %+v", o)
		}
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		inputs  map[string]any
		answer  Answer
		refusal string // of the answer; the operation goes on waiting
		failure string // of the operation
	}{
		{"yes", nil, Answer{By: "ann", Approve: true, Comment: "fine"}, "", ""},
		{"no", nil, Answer{By: "ann", Comment: "not on a Friday"}, "", "Rejected by ann: not on a Friday"},
		{"an approver", map[string]any{"approvers": []any{"ann"}}, Answer{By: "ann", Approve: true}, "", ""},
		{"an approver's role", map[string]any{"approvers": []any{"role:manager"}}, Answer{By: "bo", Role: "manager", Approve: true}, "", ""},
		{"an admin", map[string]any{"approvers": []any{"ann"}}, Answer{By: "root", IsAdmin: true, Approve: true}, "", ""},
		{"somebody else", map[string]any{"approvers": []any{"ann", "role:manager"}}, Answer{By: "bo", Role: "user", Approve: true},
			"User `bo` may not answer approval ID: only ann, role:manager may", ""},
		{"a name that looks like a role", map[string]any{"approvers": []any{"manager"}}, Answer{By: "bo", Role: "manager", Approve: true},
			"User `bo` may not answer approval ID: only manager may", ""},
		{"the starter", map[string]any{"not_by_starter": true}, Answer{By: "jo", IsAdmin: true, Approve: true},
			"User `jo` started execution e: somebody else must answer approval ID", ""},
		{"an operation", nil, Answer{By: "ann", IsExecution: true, Approve: true}, "An execution can't answer approvals: a person must", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			g := newGate(t)
			inputs := map[string]any{"question": "Go on?"}
			for k, v := range tc.inputs {
				inputs[k] = v
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			asked, ended := begin(t, ctx, g, asking(inputs))
			tc.answer.Tenant, tc.answer.ID = "acme", asked.ID
			_, err := g.Service.Answer(t.Context(), tc.answer)
			if tc.refusal != "" {
				if err == nil || strings.ReplaceAll(err.Error(), asked.ID, "ID") != tc.refusal {
					t.Errorf("refused with %v, want %s", err, tc.refusal)
				}
				cancel()
				if o := <-ended; !errors.Is(o.err, context.Canceled) {
					t.Errorf("ended with %+v", o)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			o := <-ended
			if tc.failure == "" {
				if by := o.result.(map[string]any)["decided_by"]; o.err != nil || by != tc.answer.By {
					t.Errorf("ended with %+v", o)
				}
			} else if o.err == nil || o.err.Error() != tc.failure {
				t.Errorf("failed with %v, want %s", o.err, tc.failure)
			}
			_, err = g.Service.Answer(t.Context(), tc.answer)
			if err == nil || !strings.HasSuffix(err.Error(), "by "+tc.answer.By+" before") {
				t.Errorf("a second answer: %v", err)
			}
			page, err := g.Service.store.ListEvents(t.Context(), store.Query{})
			if err != nil {
				t.Fatal(err)
			}
			var types []string
			for _, e := range page.Items {
				types = append(types, e.EventType)
			}
			if len(types) != 2 || types[0] != EventRequested || types[1] == EventRequested {
				t.Errorf("events %v", types)
			}
		})
	}
}

// An attempt that goes on elsewhere waits for the answer to the same question,
// and finds one that came meanwhile.
func TestGoesOnElsewhere(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	ctx, die := context.WithCancel(t.Context())
	asked, ended := begin(t, ctx, g, asking(map[string]any{"question": "Go on?"}))
	die()
	<-ended
	if _, err := g.Service.Answer(t.Context(), Answer{Tenant: "acme", ID: asked.ID, By: "ann", Approve: true}); err != nil {
		t.Fatal(err)
	}
	result, err := g.Run(t.Context(), asking(map[string]any{"question": "Go on?"}), newHost())
	if err != nil || result.(map[string]any)["approval_id"] != asked.ID {
		t.Errorf("got %v, %v", result, err)
	}
}

func TestTimeAnswers(t *testing.T) {
	t.Parallel()
	for reaction, want := range map[string]store.ApprovalStatus{"approve": store.ApprovalGiven, "reject": store.ApprovalRefused} {
		t.Run(reaction, func(t *testing.T) {
			t.Parallel()
			g := newGate(t)
			_, err := g.Run(t.Context(), asking(map[string]any{"question": "Go on?", "timeout": 0.01, "on_timeout": reaction}), newHost())
			if (err == nil) != (want == store.ApprovalGiven) {
				t.Errorf("ended with %v", err)
			}
			a, err := g.Service.store.GetOperationApproval(t.Context(), "t1")
			if err != nil || a.Status != want || a.DecidedBy != "" || a.DecidedAt.Before(a.ExpiresAt) {
				t.Errorf("stored %+v, %v", a, err)
			}
		})
	}
}

func TestBadInputs(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	for name, inputs := range map[string]map[string]any{
		"question":       {},
		"approvers":      {"question": "q", "approvers": "ann"},
		"approvers'":     {"question": "q", "approvers": []any{int64(1)}},
		"timeout":        {"question": "q", "timeout": "soon"},
		"timeout'":       {"question": "q", "timeout": int64(-1)},
		"timeout''":      {"question": "q", "timeout": 1e30},
		"on_timeout":     {"question": "q", "on_timeout": "maybe"},
		"not_by_starter": {"question": "q", "not_by_starter": "yes"},
	} {
		_, err := g.Run(t.Context(), asking(inputs), newHost())
		var e *operation.Error
		if !errors.As(err, &e) || e.Verdict != operation.NonRecoverable || !strings.Contains(e.Message, strings.TrimRight(name, "'")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
