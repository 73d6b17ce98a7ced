package execution

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
)

// contain makes the first node of a deployment a component that stands for
// another one.
func contain(t *testing.T, st store.Store, parent, child string) {
	t.Helper()
	write(t, st, func(ctx context.Context, tx store.Tx) error {
		page, err := tx.ListInstances(ctx, store.Query{Filters: []store.Filter{{Field: "deployment_id", Values: []string{parent}}}, Limit: 1})
		if err != nil {
			return err
		}
		i := page.Items[0]
		n, err := tx.GetNode(ctx, i.Tenant, parent, i.NodeID)
		if err != nil {
			return err
		}
		n.TypeHierarchy = []string{"cloudify.nodes.Root", componentType, "mine"}
		if err := tx.UpdateNode(ctx, n); err != nil {
			return err
		}
		_, err = tx.UpdateInstance(ctx, store.InstanceUpdate{
			Tenant: i.Tenant, ID: i.ID, Force: true, RuntimeProperties: map[string]any{"deployment": map[string]any{"id": child}},
		})
		return err
	})
}

// stored adds an execution as it was left by somebody.
func stored(t *testing.T, st store.Store, id, deployment, workflow string, status store.Status) {
	t.Helper()
	write(t, st, func(ctx context.Context, tx store.Tx) error {
		return tx.AddExecution(ctx, store.Execution{
			Owned: store.Owned{Tenant: "default_tenant", Visibility: store.Tenants, CreatedBy: "admin", CreatedAt: time.Now()},
			ID:    id, DeploymentID: deployment, WorkflowID: workflow, Status: status, Parameters: map[string]any{},
		})
	})
}

func statusesOf(t *testing.T, st store.Store, ids ...string) string {
	t.Helper()
	var out []string
	for _, id := range ids {
		e, err := st.GetExecution(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(id, " ", e.Status))
	}
	return strings.Join(out, ", ")
}

// TestComponentsFollow: what is asked of an execution is asked of what runs in
// the components of its deployment.
func TestComponentsFollow(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		parent, child, grandchild store.Status
		workflow                  string // of the child
		how                       Action
		want                      string
	}{
		"cancel":         {store.Started, store.Started, store.Pending, "install", Cancel, "p cancelling, c cancelling, g cancelling"},
		"kill":           {store.Started, store.Started, store.Started, "install", Kill, "p kill_cancelling, c kill_cancelling, g kill_cancelling"},
		"what waits":     {store.Started, store.Queued, store.Terminated, "install", ForceCancel, "p force_cancelling, c cancelled, g terminated"},
		"what ends":      {store.Started, store.Cancelling, store.Failed, "install", Cancel, "p cancelling, c cancelling, g failed"},
		"over a gap":     {store.Started, store.Terminated, store.Started, "install", Cancel, "p cancelling, c terminated, g cancelling"},
		"resume":         {store.Failed, store.Cancelled, store.Failed, "uninstall", Resume, "p pending, c pending, g failed"},
		"resume install": {store.Failed, store.Failed, store.Failed, "install", Resume, "p pending, c failed, g failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := openStore(t)
			for _, id := range []string{"parent", "child", "grandchild"} {
				addDeployment(t, st, id, nil)
			}
			contain(t, st, "parent", "child")
			contain(t, st, "child", "grandchild")
			contain(t, st, "grandchild", "parent") // nonsense, but no reason to turn in circles
			old := store.Started
			if tc.how == Resume {
				old = store.Failed
			}
			stored(t, st, "old", "child", "uninstall", old)
			stored(t, st, "g", "grandchild", "install", tc.grandchild)
			stored(t, st, "c", "child", tc.workflow, tc.child)
			stored(t, st, "p", "parent", "install", tc.parent)
			s := newService(t, Config{Store: st})
			act := s.Cancel
			if tc.how == Resume {
				act = func(ctx context.Context, tenant, id string, how Action) (store.Execution, error) {
					return s.Resume(ctx, tenant, id, false)
				}
			}
			if _, err := act(t.Context(), "default_tenant", "p", tc.how); err != nil {
				t.Fatal(err)
			}
			if got := statusesOf(t, st, "p", "c", "g", "old"); got != tc.want+", old "+string(old) {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// TestCascades: a workflow that cascades is started on the components too, at
// once or once they are idle, and when it leaves the queue.
func TestCascades(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	for _, id := range []string{"parent", "child", "busy", "other"} {
		addDeployment(t, st, id, func(p *plan.Deployment) {
			if id == "other" {
				return
			}
			w := p.Workflows["install"]
			w.IsCascading = true
			p.Workflows["check"] = w
		})
	}
	contain(t, st, "parent", "child")
	contain(t, st, "child", "busy")
	contain(t, st, "busy", "other") // which has no such workflow
	stored(t, st, "before", "busy", "install", store.Started)
	s := newService(t, Config{Store: st})
	start := func() store.Execution {
		t.Helper()
		e, err := s.Start(t.Context(), StartRequest{Tenant: "default_tenant", DeploymentID: "parent", WorkflowID: "check", Queue: true, CreatedBy: "admin"})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	checks := func() string {
		t.Helper()
		list, err := executionsWhere(t.Context(), st, 0, store.Filter{Field: "workflow_id", Values: []string{"check"}})
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, e := range list {
			out = append(out, fmt.Sprint(e.DeploymentID, " ", e.Status))
		}
		return strings.Join(out, ", ")
	}
	first := start()
	if got, want := checks(), "parent pending, child pending, busy queued"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	if start(); !strings.HasSuffix(checks(), "busy queued, parent queued") {
		t.Fatalf("what waits itself was started on components: %s", checks())
	}
	for id, to := range map[string]store.Status{first.ID: store.Terminated, "before": store.Terminated} {
		if _, err := s.UpdateStatus(t.Context(), StatusUpdate{Tenant: "default_tenant", ID: id, Status: to}); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := checks(), "parent terminated, child pending, busy pending, parent pending, child queued"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	page, err := st.ListEvents(t.Context(), store.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(page.Items, func(e store.Event) bool {
		return e.Level == "warning" && strings.Contains(e.Message, "is not started on the component 'other'")
	}) {
		t.Errorf("nobody is told of the component without the workflow: %+v", page.Items)
	}
}
