package execution

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint/plan"
	"windlass/internal/operation"
	"windlass/internal/store"
	"windlass/internal/value"
)

// withUpkeep declares the upkeep workflows and gives db and app a check and app
// the operations of heal and update.
func withUpkeep(p *plan.Deployment) {
	for name, function := range map[string]string{
		"check_status": "check_status", "check_drift": "check_drift", "heal": "auto_heal_reinstall_node_subgraph", "scale": "scale_entity",
	} {
		p.Workflows[name] = plan.Workflow{Plugin: "default_workflows", Operation: "cloudify.plugins.workflows." + function}
	}
	for _, n := range p.Nodes {
		for _, op := range []string{"validation.check_status", "lifecycle.heal", "lifecycle.update"} {
			if n.ID == "app" || n.ID == "db" && strings.HasSuffix(op, "status") {
				n.Operations["cloudify.interfaces."+op] = &plan.Operation{Plugin: "script", Operation: n.ID + "." + lastPart(op), Inputs: value.Map{}}
			}
		}
	}
}

// runWorkflow starts a workflow and waits for its end.
func runWorkflow(t testing.TB, s *Service, deployment, name string, want store.Status, parameters map[string]any) store.Execution {
	t.Helper()
	e, err := s.Start(t.Context(), StartRequest{
		Tenant: "default_tenant", DeploymentID: deployment, WorkflowID: name, Parameters: parameters, AllowCustomParameters: true, CreatedBy: "admin",
	})
	if err != nil {
		t.Fatal(err)
	}
	return waitEnd(t, s, e.ID, want)
}

func instancesOf(t testing.TB, st store.Store, deployment, node string) []store.NodeInstance {
	t.Helper()
	page, err := st.ListInstances(t.Context(), store.Query{Filters: []store.Filter{
		{Field: "deployment_id", Values: []string{deployment}}, {Field: "node_id", Values: []string{node}}}})
	if err != nil {
		t.Fatal(err)
	}
	return page.Items
}

func TestScale(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", withUpkeep)
	runner := newScripted()
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
	serve(t, s)
	waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)
	scale := func(delta int64, want store.Status, more map[string]any) store.Execution {
		t.Helper()
		p := map[string]any{"scalable_entity_name": "app", "delta": delta}
		maps.Copy(p, more)
		return runWorkflow(t, s, "d", "scale", want, p)
	}
	counts := func() store.NodeScale {
		n, err := st.GetNode(t.Context(), "default_tenant", "d", "app")
		if err != nil {
			t.Fatal(err)
		}
		return n.Scalable
	}
	status := func(e store.Execution) string {
		page, err := st.ListModifications(t.Context(), store.Query{Filters: []store.Filter{{Field: "execution_id", Values: []string{e.ID}}}})
		if err != nil || len(page.Items) != 1 {
			t.Fatalf("%v, modifications %+v", err, page.Items)
		}
		return page.Items[0].Status
	}

	e := scale(1, store.Terminated, nil)
	apps := instancesOf(t, st, "d", "app")
	if len(apps) != 2 || apps[1].State != "started" || apps[1].Index != 2 || len(apps[1].Relationships) != len(apps[0].Relationships) {
		t.Errorf("after scaling out: %+v", apps)
	}
	if c := counts(); c.Current != 2 || c.Planned != 2 || status(e) != store.ModificationFinished {
		t.Errorf("counts %+v, modification %s", c, status(e))
	}
	if runner.counts()["app.connect"] != 2 || runner.counts()["db.create"] != 1 {
		t.Errorf("ran %v", runner.counts())
	}

	// Out again, but the new one fails: all is as before.
	before := instancesOf(t, st, "d", "app")
	runner.do["app.configure"] = func(context.Context, *operation.Request, operation.Host) (any, error) {
		return nil, &operation.Error{Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: "full"}
	}
	e = scale(2, store.Failed, nil)
	if !strings.Contains(*e.Error, "full") || status(e) != store.ModificationRolledBack || counts().Current != 2 || counts().Planned != 2 {
		t.Errorf("error %q, modification %s, counts %+v", *e.Error, status(e), counts())
	}
	after := instancesOf(t, st, "d", "app")
	for k := range after {
		after[k].Version = before[k].Version
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	if _, err := s.Resume(t.Context(), "default_tenant", e.ID, false); err != nil {
		t.Fatal(err)
	}
	if e = waitEnd(t, s, e.ID, store.Failed); !strings.Contains(*e.Error, "was rolled back, so there is nothing to resume") {
		t.Errorf("resume of what was rolled back: %q", *e.Error)
	}

	// Left behind, refused beside it, aborted.
	left := scale(1, store.Failed, map[string]any{"rollback_if_failed": false})
	if n := len(instancesOf(t, st, "d", "app")); n != 3 || status(left) != store.ModificationStarted {
		t.Errorf("left behind %d instances, modification %s", n, status(left))
	}
	if e := scale(-1, store.Failed, nil); !strings.Contains(*e.Error, "existing started deployment modifications") {
		t.Errorf("beside another: %q", *e.Error)
	}
	delete(runner.do, "app.configure")
	scale(-1, store.Terminated, map[string]any{"abort_started": true, "exclude_instances": before[1].ID})
	apps = instancesOf(t, st, "d", "app")
	if len(apps) != 1 || apps[0].ID != before[1].ID || counts().Current != 1 {
		t.Errorf("after scaling in: %+v, counts %+v", apps, counts())
	}
	if status(left) != store.ModificationRolledBack {
		t.Errorf("the aborted modification is %s", status(left))
	}
	// A dry run changes nothing.
	e, err := s.Start(t.Context(), StartRequest{Tenant: "default_tenant", DeploymentID: "d", WorkflowID: "scale", DryRun: true,
		Parameters: map[string]any{"scalable_entity_name": "app", "delta": int64(3)}, AllowCustomParameters: true})
	if err != nil {
		t.Fatal(err)
	}
	waitEnd(t, s, e.ID, store.Terminated)
	if n := len(instancesOf(t, st, "d", "app")); n != 1 {
		t.Errorf("a dry run leaves %d instances", n)
	}
}

func TestCheckAndHeal(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", withUpkeep)
	runner := newScripted()
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
	serve(t, s)
	waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)
	runner.do["app.check_status"] = func(context.Context, *operation.Request, operation.Host) (any, error) {
		return nil, errors.New("no answer")
	}
	e := runWorkflow(t, s, "d", "check_status", store.Failed, nil)
	system := instancesOf(t, st, "d", "app")[0].SystemProperties
	status, _ := system["status"].(map[string]any)
	if status["ok"] != false || status["result"] != "no answer" || status["task"] != "app.check_status" || system["previous_status"] == nil {
		t.Errorf("kept %v", system)
	}
	if n := runner.counts()["app.check_status"]; n != 1 {
		t.Errorf("a check ran %d times", n)
	}
	d, err := st.GetDeployment(t.Context(), "default_tenant", "d")
	if err != nil || d.UnavailableInstances != 1 {
		t.Errorf("%v, %d unavailable; %v", err, d.UnavailableInstances, e.Error)
	}
	runWorkflow(t, s, "d", "heal", store.Terminated, nil)
	status, _ = instancesOf(t, st, "d", "app")[0].SystemProperties["status"].(map[string]any)
	if runner.counts()["app.heal"] != 1 || runner.counts()["app.create"] != 1 || status["ok"] != true || status["healed"] != true {
		t.Errorf("ran %v, status %v", runner.counts(), status)
	}
	// When healing fails the instance is made anew.
	runner.do["app.heal"] = func(context.Context, *operation.Request, operation.Host) (any, error) {
		return nil, &operation.Error{Verdict: operation.NonRecoverable, Message: "can't"}
	}
	e = runWorkflow(t, s, "d", "heal", store.Terminated, nil)
	i := instancesOf(t, st, "d", "app")[0]
	if runner.counts()["app.create"] != 2 || i.SystemProperties["heal_failed"] != nil || i.State != "started" {
		t.Errorf("ran %v, instance %+v", runner.counts(), i)
	}
	// What it has decided in between is kept, but no graph that ran.
	for of, want := range map[string][]string{
		"false": {"check_status", "heal", "reinstall-uninstall", "reinstall-install"},
		"true":  {store.DecisionPrefix + "heal_choice", store.DecisionPrefix + "heal_reinstall"},
	} {
		page, err := st.ListGraphs(t.Context(), store.Query{Filters: []store.Filter{
			{Field: "execution_id", Values: []string{e.ID}}, {Field: "is_decision", Values: []string{of}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, g := range page.Items {
			names = append(names, g.Name)
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("is_decision=%s (-want +got):\n%s", of, diff)
		}
	}
}

// What was decided before a crash holds after it: heal goes on where it was.
func TestHealOutlivesACrash(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", withUpkeep)
	runner := newScripted()
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
	stop := serve(t, s)
	waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)
	runner.do["app.check_status"] = func(context.Context, *operation.Request, operation.Host) (any, error) {
		return nil, errors.New("no answer")
	}
	b := block(runner, "app.heal")
	e, err := s.Start(t.Context(), StartRequest{Tenant: "default_tenant", DeploymentID: "d", WorkflowID: "heal"})
	if err != nil {
		t.Fatal(err)
	}
	<-b.begun
	crash(s, stop)
	again := newService(t, Config{Store: st, Alone: true, Runners: map[string]operation.Runner{"": runner}})
	serve(t, again)
	if req := <-b.begun; !req.Resume {
		t.Error("the operation isn't told that it is resumed")
	}
	b.proceed <- struct{}{}
	waitEnd(t, again, e.ID, store.Terminated)
	if c := runner.counts(); c["app.check_status"] != 1 || c["app.heal"] != 2 || c["app.create"] != 1 {
		t.Errorf("ran %v", c)
	}
}

// Who resumes a heal has mended something: what is found then is what counts, not
// what was found before.
func TestHealResumed(t *testing.T) {
	t.Parallel()
	broken := func(context.Context, *operation.Request, operation.Host) (any, error) {
		return nil, &operation.Error{Verdict: operation.NonRecoverable, Message: "no answer"}
	}
	for name, tt := range map[string]struct {
		fails      []string
		parameters map[string]any
		cancelled  bool // while app is healed; else it fails
		want       map[string]int
	}{
		"what could not be healed now can": {[]string{"app.check_status", "app.heal"}, map[string]any{"allow_reinstall": false}, false,
			map[string]int{"app.create": 1, "app.heal": 2, "db.create": 1}},
		"what had to be made anew is well": {[]string{"db.check_status"}, map[string]any{"allow_reinstall": false}, false,
			map[string]int{"app.create": 1, "app.heal": 0, "db.create": 1}},
		"what had to be made anew after another was healed is well": {[]string{"app.check_status", "db.check_status"}, nil, true,
			map[string]int{"app.create": 1, "app.heal": 2, "db.create": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := openStore(t)
			addDeployment(t, st, "d", withUpkeep)
			runner := newScripted()
			s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
			serve(t, s)
			waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)
			for _, op := range tt.fails {
				runner.do[op] = broken
			}
			var e store.Execution
			if tt.cancelled {
				b := block(runner, "app.heal")
				var err error
				if e, err = s.Start(t.Context(), StartRequest{Tenant: "default_tenant", DeploymentID: "d", WorkflowID: "heal"}); err != nil {
					t.Fatal(err)
				}
				<-b.begun
				if _, err := s.Cancel(t.Context(), "default_tenant", e.ID, Kill); err != nil {
					t.Fatal(err)
				}
				waitEnd(t, s, e.ID, store.Cancelled)
			} else {
				e = runWorkflow(t, s, "d", "heal", store.Failed, tt.parameters)
				if e.Error == nil || !strings.Contains(*e.Error, "allow_reinstall is false") {
					t.Errorf("failed for %v", e.Error)
				}
			}
			clear(runner.do)
			if _, err := s.Resume(t.Context(), "default_tenant", e.ID, false); err != nil {
				t.Fatal(err)
			}
			waitEnd(t, s, e.ID, store.Terminated)
			got := map[string]int{}
			for op := range tt.want {
				got[op] = runner.counts()[op]
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("runs (-want +got):\n%s", diff)
			}
			for _, node := range []string{"app", "db"} {
				if i := instancesOf(t, st, "d", node)[0]; i.SystemProperties["heal_failed"] != nil || i.State != "started" {
					t.Errorf("%s is %s with %v", node, i.State, i.SystemProperties)
				}
			}
		})
	}
}

// Instances that are gone, whose checks pass all the same, are told of.
func TestHealTellsOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", withUpkeep)
	runner := newScripted()
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
	serve(t, s)
	waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)
	told := func() bool {
		e := runWorkflow(t, s, "d", "heal", store.Terminated, nil)
		events, err := st.TailEvents(t.Context(), e.ID, 0, 1000)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(events, func(e store.Event) bool {
			return strings.Contains(e.Message, "Not started, which heal doesn't change: d-app_a00001 (deleted)")
		})
	}
	if told() {
		t.Error("all are there, but it says they aren't")
	}
	i := instancesOf(t, st, "d", "app")[0]
	write(t, st, func(ctx context.Context, tx store.Tx) error {
		_, err := tx.UpdateInstance(ctx, store.InstanceUpdate{Tenant: i.Tenant, ID: i.ID, Version: i.Version, State: "deleted"})
		return err
	})
	if !told() {
		t.Error("nothing was told of the instance that is gone")
	}
}

func TestUninstallOfServices(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	for _, id := range []string{"env", "service", "other"} {
		addDeployment(t, st, id, nil)
	}
	write(t, st, func(ctx context.Context, tx store.Tx) error {
		d, err := tx.GetDeployment(ctx, "default_tenant", "service")
		d.Labels = []store.Label{{Key: "csys-obj-parent", Value: "env"}}
		return errors.Join(err, tx.UpdateDeployment(ctx, d))
	})
	runner := newScripted()
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
	serve(t, s)
	for _, id := range []string{"env", "service", "other"} {
		waitEnd(t, s, install(t, s, id, nil).ID, store.Terminated)
	}
	runWorkflow(t, s, "env", "uninstall", store.Terminated, map[string]any{"recursive": true})
	for id, want := range map[string]string{"env": "deleted", "service": "deleted", "other": "started"} {
		if got := instanceStates(t, st, id)["app"]; got != want {
			t.Errorf("the app of %s is %s, want %s", id, got, want)
		}
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	p := readBlueprintPlan(t)
	addDeployment(t, st, "d", nil)
	runner := newScripted()
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
	serve(t, s)
	waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)

	// In the next version db has another size, and there is a cache.
	next := readBlueprintPlan(t)
	var db *plan.Node
	for _, n := range next.Nodes {
		if n.ID == "db" {
			db = n
		}
	}
	db.Operations["cloudify.interfaces.lifecycle.create"].Inputs = value.Map{"size": int64(9)}
	cache := *db
	cache.ID, cache.Name = "cache", "cache"
	next.Nodes = append(next.Nodes, &cache)
	write(t, st, func(ctx context.Context, tx store.Tx) error {
		owned := store.Owned{Tenant: "default_tenant", Visibility: store.Tenants, CreatedBy: "admin"}
		b, err := tx.GetBlueprint(ctx, "default_tenant", "bp")
		b.Plan = p
		return errors.Join(err, tx.UpdateBlueprint(ctx, b),
			tx.AddBlueprint(ctx, store.Blueprint{Owned: owned, ID: "bp2", State: store.BlueprintUploaded, Plan: next}))
	})
	runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{"blueprint_id": "bp2"})
	d, err := st.GetDeployment(t.Context(), "default_tenant", "d")
	if err != nil || d.BlueprintID != "bp2" {
		t.Errorf("%v, blueprint %s", err, d.BlueprintID)
	}
	if states := instanceStates(t, st, "d"); states["cache"] != "started" || states["db"] != "started" {
		t.Errorf("states %v", states)
	}
	if c := runner.counts(); c["db.create"] != 3 || c["host.create"] != 1 { // first, again, and the cache's
		t.Errorf("ran %v", c)
	}
	last := runner.requests("db.create")
	if size := last[len(last)-1].Inputs["size"]; size != int64(9) {
		t.Errorf("the last database has size %v", size)
	}

	// And back: the cache goes.
	runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{"blueprint_id": "bp", "skip_reinstall": true})
	if _, err := st.GetNode(t.Context(), "default_tenant", "d", "cache"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the removed node gives %v", err)
	}
	if n := len(instancesOf(t, st, "d", "cache")); n != 0 {
		t.Errorf("%d instances of the removed node are left", n)
	}
	// What can't be changed changes nothing.
	write(t, st, func(ctx context.Context, tx store.Tx) error {
		b, err := tx.GetBlueprint(ctx, "default_tenant", "bp2")
		b.Plan.Nodes[0].Type = "another"
		return errors.Join(err, tx.UpdateBlueprint(ctx, b))
	})
	e := runWorkflow(t, s, "d", "update", store.Failed, map[string]any{"blueprint_id": "bp2"})
	d, err = st.GetDeployment(t.Context(), "default_tenant", "d")
	if err != nil || d.BlueprintID != "bp" || !strings.Contains(*e.Error, "Cannot update: unsupported steps found") {
		t.Errorf("%v, blueprint %s, error %q", err, d.BlueprintID, *e.Error)
	}
}

// readBlueprintPlan is the blueprint's plan that the small deployment is made of.
func readBlueprintPlan(t testing.TB) *plan.Plan {
	t.Helper()
	d := readPlan(t)
	return &plan.Plan{Body: d.Body, Inputs: map[string]plan.Schema{}}
}
