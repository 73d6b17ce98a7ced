package execution

import (
	"context"
	"errors"
	"strings"
	"testing"

	"windlass/internal/blueprint/plan"
	"windlass/internal/operation"
	"windlass/internal/store"
	"windlass/internal/topology"
	"windlass/internal/value"
)

// modificationOf is the one modification that the execution has started.
func modificationOf(t testing.TB, st store.Store, e store.Execution) store.Modification {
	t.Helper()
	page, err := st.ListModifications(t.Context(), store.Query{Filters: []store.Filter{{Field: "execution_id", Values: []string{e.ID}}}})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%v, modifications %+v", err, page.Items)
	}
	return page.Items[0]
}

func TestCancelledScale(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		how      Action
		more     map[string]any
		status   string // of the modification after the cancel
		apps     int
		resumed  store.Status
		complain string
	}{
		"is rolled back":           {how: Cancel, status: store.ModificationRolledBack, apps: 1, resumed: store.Failed, complain: "was rolled back, so there is nothing to resume"},
		"by force stays":           {how: ForceCancel, status: store.ModificationStarted, apps: 2, resumed: store.Terminated},
		"killed stays":             {how: Kill, status: store.ModificationStarted, apps: 2, resumed: store.Terminated},
		"without a rollback stays": {how: Cancel, more: map[string]any{"rollback_if_failed": false}, status: store.ModificationStarted, apps: 2, resumed: store.Terminated},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := openStore(t)
			addDeployment(t, st, "d", withUpkeep)
			runner := newScripted()
			s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
			serve(t, s)
			waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)
			b := block(runner, "app.configure")
			parameters := map[string]any{"scalable_entity_name": "app", "delta": int64(1)}
			for k, v := range tc.more {
				parameters[k] = v
			}
			e, err := s.Start(t.Context(), StartRequest{Tenant: "default_tenant", DeploymentID: "d", WorkflowID: "scale", Parameters: parameters, AllowCustomParameters: true})
			if err != nil {
				t.Fatal(err)
			}
			<-b.begun
			r := s.runOf(e.ID)
			if _, err := s.Cancel(t.Context(), "default_tenant", e.ID, tc.how); err != nil {
				t.Fatal(err)
			}
			<-r.asked.Done()
			if tc.how != Kill {
				b.proceed <- struct{}{}
			}
			waitEnd(t, s, e.ID, store.Cancelled)
			m := modificationOf(t, st, e)
			if n := len(instancesOf(t, st, "d", "app")); n != tc.apps || m.Status != tc.status {
				t.Errorf("%d apps, modification %s", n, m.Status)
			}
			if m.Context["workflow_id"] != "scale" || m.Context["execution_id"] != e.ID {
				t.Errorf("the modification's context is %v", m.Context)
			}
			if tc.apps == 1 {
				if text := logText(t, st, e.ID); !strings.Contains(text, "removed as they are, without running their operations: app_") {
					t.Errorf("nothing is said of what is left behind:\n%s", text)
				}
			}
			for range 3 { // it may still be letting go of what it left running
				b.proceed <- struct{}{}
			}
			if _, err := s.Resume(t.Context(), "default_tenant", e.ID, true); err != nil {
				t.Fatal(err)
			}
			e = waitEnd(t, s, e.ID, tc.resumed)
			if tc.complain != "" {
				if !strings.Contains(*e.Error, tc.complain) {
					t.Errorf("the resume says %q", *e.Error)
				}
				return
			}
			m = modificationOf(t, st, e)
			n, err := st.GetNode(t.Context(), "default_tenant", "d", "app")
			if err != nil || m.Status != store.ModificationFinished || n.Scalable.Current != 2 {
				t.Errorf("%v, modification %s, %+v", err, m.Status, n.Scalable)
			}
		})
	}
}

// logText is all that the execution has logged.
func logText(t testing.TB, st store.Store, execution string) string {
	t.Helper()
	page, err := st.ListEvents(t.Context(), store.Query{Filters: []store.Filter{{Field: "execution_id", Values: []string{execution}}}})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, e := range page.Items {
		lines = append(lines, e.Message)
	}
	return strings.Join(lines, "\n")
}

func TestModificationsByHand(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", withUpkeep)
	s := newService(t, Config{Store: st})
	ask := func(changes map[string]topology.Change) (store.Modification, error) {
		return s.StartModification(t.Context(), ModificationRequest{
			Tenant: "default_tenant", DeploymentID: "d", Changes: changes, CreatedBy: "admin", Context: map[string]any{"why": "load"},
		})
	}
	refused := func(err error, code, text string) {
		t.Helper()
		var r *Refusal
		if !errors.As(err, &r) || r.Code != code || !strings.Contains(r.Message, text) {
			t.Errorf("got %v, want %s: %s", err, code, text)
		}
	}
	t.Run("are kept as they were asked for", func(t *testing.T) {
		for _, want := range []map[string]any{
			{"instances": int64(2)}, {"instances": int64(1), "removed_ids_include_hint": []any{}, "removed_ids_exclude_hint": []any{"app_1"}},
		} {
			changes, err := ReadChanges(map[string]any{"app": want})
			if err != nil {
				t.Fatal(err)
			}
			m, err := ask(changes)
			if err != nil || !value.Equal(m.ModifiedNodes["app"], want) {
				t.Errorf("%v, asked for %v, kept %v", err, want, m.ModifiedNodes)
			}
			if _, err := s.RollbackModification(t.Context(), "default_tenant", m.ID); err != nil {
				t.Fatal(err)
			}
		}
	})
	for code, changes := range map[string]map[string]topology.Change{
		CodeNotFound: {"nothing": {Instances: 1}}, CodeBadParameters: {"app": {Instances: -1}},
	} {
		_, err := ask(changes)
		refused(err, code, "")
	}
	m, err := ask(map[string]topology.Change{"app": {Instances: 3}})
	if err != nil || m.Status != store.ModificationStarted || m.Context["why"] != "load" {
		t.Fatalf("%v, %+v", err, m)
	}
	if n := len(instancesOf(t, st, "d", "app")); n != 3 {
		t.Errorf("%d apps", n)
	}
	_, err = ask(map[string]topology.Change{"app": {Instances: 1}})
	refused(err, CodeModificationStarted, m.ID)
	if m, err = s.RollbackModification(t.Context(), "default_tenant", m.ID); err != nil || m.Status != store.ModificationRolledBack || m.EndedAt.IsZero() {
		t.Errorf("%v, %+v", err, m)
	}
	if n := len(instancesOf(t, st, "d", "app")); n != 1 {
		t.Errorf("%d apps after the rollback", n)
	}
	_, err = s.FinishModification(t.Context(), "default_tenant", m.ID)
	refused(err, CodeModificationEnded, "Cannot finish deployment modification")
	if m, err = ask(map[string]topology.Change{"app": {Instances: 2}}); err != nil {
		t.Fatal(err)
	}
	if m, err = s.FinishModification(t.Context(), "default_tenant", m.ID); err != nil || m.Status != store.ModificationFinished {
		t.Errorf("%v, %+v", err, m)
	}
	n, err := st.GetNode(t.Context(), "default_tenant", "d", "app")
	if err != nil || n.Scalable.Current != 2 || n.Scalable.Planned != 2 {
		t.Errorf("%v, %+v", err, n.Scalable)
	}
	_, err = s.RollbackModification(t.Context(), "default_tenant", m.ID)
	refused(err, CodeModificationEnded, "Cannot rollback deployment modification")
	if _, err := s.FinishModification(t.Context(), "default_tenant", "none"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown one gives %v", err)
	}
}

// A modification that is under way knows nothing of an update: it keeps one from
// being made, unless by force, and taken back then it takes back only its own.
func TestUpdateDuringAModification(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", withUpkeep)
	addBlueprint(t, st, "more", func(p *plan.Plan) {
		cache := *nodeOf(p, "db")
		cache.ID, cache.Name = "cache", "cache"
		p.Nodes = append(p.Nodes, &cache)
	})
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": newScripted()}})
	serve(t, s)
	waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)
	m, err := s.StartModification(t.Context(), ModificationRequest{
		Tenant: "default_tenant", DeploymentID: "d", Changes: map[string]topology.Change{"app": {Instances: 3}}, CreatedBy: "admin",
	})
	if err != nil {
		t.Fatal(err)
	}
	e := runWorkflow(t, s, "d", "update", store.Failed, map[string]any{"blueprint_id": "more"})
	if !strings.Contains(*e.Error, "modification "+m.ID) || len(instancesOf(t, st, "d", "cache")) != 0 {
		t.Errorf("error %q", *e.Error)
	}
	e = runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{"blueprint_id": "more", "preview": true})
	if text := logText(t, st, e.ID); !strings.Contains(text, "modification "+m.ID) {
		t.Errorf("the preview says\n%s", text)
	}
	runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{"blueprint_id": "more", "force": true, "skip_reinstall": true})
	write(t, st, func(ctx context.Context, tx store.Tx) error {
		db := instancesOf(t, st, "d", "db")[0]
		_, err := tx.UpdateInstance(ctx, store.InstanceUpdate{Tenant: db.Tenant, ID: db.ID, Force: true, RuntimeProperties: map[string]any{"since": "then"}})
		return err
	})
	if _, err := s.RollbackModification(t.Context(), "default_tenant", m.ID); err != nil {
		t.Fatal(err)
	}
	apps, caches, dbs := instancesOf(t, st, "d", "app"), instancesOf(t, st, "d", "cache"), instancesOf(t, st, "d", "db")
	if len(apps) != 1 || apps[0].State != "started" || len(caches) != 1 || caches[0].State != "started" || dbs[0].RuntimeProperties["since"] != "then" {
		t.Errorf("apps %+v, caches %+v, databases %+v", apps, caches, dbs)
	}
	if scale := scaleOf(t, st, "app"); scale.Current != 1 || scale.Planned != 1 {
		t.Errorf("the node says %+v", scale)
	}
}
