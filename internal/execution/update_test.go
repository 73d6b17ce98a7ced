package execution

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint/plan"
	"windlass/internal/operation"
	"windlass/internal/store"
	"windlass/internal/value"
)

func nodeOf(p *plan.Plan, id string) *plan.Node {
	k := slices.IndexFunc(p.Nodes, func(n *plan.Node) bool { return n.ID == id })
	return p.Nodes[k]
}

// addBlueprint stores the small blueprint, changed by edit.
func addBlueprint(t testing.TB, st store.Store, id string, edit func(p *plan.Plan)) {
	t.Helper()
	p := readBlueprintPlan(t)
	if edit != nil {
		edit(p)
	}
	write(t, st, func(ctx context.Context, tx store.Tx) error {
		b, err := tx.GetBlueprint(ctx, "default_tenant", id)
		if err == nil {
			b.Plan = p
			return tx.UpdateBlueprint(ctx, b)
		}
		owned := store.Owned{Tenant: "default_tenant", Visibility: store.Tenants, CreatedBy: "admin"}
		return tx.AddBlueprint(ctx, store.Blueprint{Owned: owned, ID: id, State: store.BlueprintUploaded, Plan: p})
	})
}

func steps(all []updateStep) []string {
	list := make([]string, len(all))
	for k, s := range all {
		list[k] = s.String()
		if s.problem != "" {
			list[k] += " !"
		}
	}
	return list
}

func TestUpdateSteps(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	before, err := readShape(t.Context(), st, "default_tenant", "d")
	if err != nil {
		t.Fatal(err)
	}
	text := func(s string) *string { return &s }
	for name, tc := range map[string]struct {
		change func(p *plan.Deployment, nodes map[string]*plan.Node)
		want   []string
	}{
		"nothing": {change: func(*plan.Deployment, map[string]*plan.Node) {}},
		"text": {change: func(p *plan.Deployment, _ map[string]*plan.Node) { p.Description = text("new") },
			want: []string{"add description description"}},
		"outputs and workflows": {change: func(p *plan.Deployment, _ map[string]*plan.Node) {
			p.Outputs = map[string]plan.Output{"url": {}}
			p.Workflows = maps.Clone(p.Workflows)
			delete(p.Workflows, "uninstall")
			p.Workflows["install"] = plan.Workflow{Plugin: "mine", Operation: "mine.install"}
		}, want: []string{"remove workflow workflows:uninstall", "add output outputs:url", "modify workflow workflows:install"}},
		"groups": {change: func(p *plan.Deployment, _ map[string]*plan.Node) { p.Groups = map[string]plan.Group{"g": {}} },
			want: []string{"add group groups:g !"}},
		"properties and operations": {change: func(_ *plan.Deployment, n map[string]*plan.Node) {
			n["db"].Properties = value.Map{"port": int64(1)}
			n["db"].Operations["cloudify.interfaces.lifecycle.create"].Inputs = value.Map{"size": int64(9)}
			n["app"].Operations["mine.stop"] = &plan.Operation{Plugin: "script", Operation: "app.stop"}
			delete(n["app"].Operations, "cloudify.interfaces.lifecycle.start")
		}, want: []string{
			"remove operation nodes:app:operations:cloudify.interfaces.lifecycle.start",
			"add property nodes:db:properties:port",
			"add operation nodes:app:operations:mine.stop",
			"modify operation nodes:db:operations:cloudify.interfaces.lifecycle.create",
		}},
		"type": {change: func(_ *plan.Deployment, n map[string]*plan.Node) { n["db"].Type = "another" }, want: []string{"modify node nodes:db !"}},
		"nodes": {change: func(p *plan.Deployment, n map[string]*plan.Node) {
			second, third := *n["app"], *n["host"]
			second.ID, third.ID = "app2", "host2"
			second.Relationships = []plan.Relationship{{Type: "r", TargetID: "host2"}}
			p.Nodes = []*plan.Node{n["host"], n["db"], &second, &third}
		}, want: []string{"remove node nodes:app", "add node nodes:host2", "add node nodes:app2"}},
		"plugins": {change: func(_ *plan.Deployment, n map[string]*plan.Node) {
			n["app"].Plugins = append(slices.Clone(n["app"].Plugins), plan.Plugin{Name: "cloud", Install: true, Executor: plan.Central}, plan.Plugin{Name: "own"})
			n["host"].PluginsToInstall = []plan.Plugin{{Name: "agent", Install: true}}
		}, want: []string{"add plugin plugins_to_install:host:agent", "add plugin plugins:app:cloud"}},
		"relationships": {change: func(_ *plan.Deployment, n map[string]*plan.Node) {
			first := plan.Relationship{Type: "r", TargetID: "host"}
			n["app"].Relationships = append([]plan.Relationship{first}, n["app"].Relationships...)
		}, want: []string{"add relationship nodes:app:relationships:[0]", "modify relationship nodes:app:relationships:[0]:[1]", "modify relationship nodes:app:relationships:[1]:[2]"}},
		"a relationship that goes": {change: func(_ *plan.Deployment, n map[string]*plan.Node) { n["app"].Relationships = n["app"].Relationships[:1] },
			want: []string{"remove relationship nodes:app:relationships:[1]"}},
		"a relationship's content": {change: func(_ *plan.Deployment, n map[string]*plan.Node) {
			r := &n["app"].Relationships[0]
			r.Properties = value.Map{"weight": int64(1)}
			delete(r.SourceOperations, "establish")
		}, want: []string{
			"remove operation nodes:app:relationships:[0]:source_operations:establish",
			"add property nodes:app:relationships:[0]:properties:weight !",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := readPlan(t)
			nodes := map[string]*plan.Node{}
			for _, n := range to.Nodes {
				nodes[n.ID] = n
			}
			tc.change(&to, nodes)
			got := steps(findSteps(before, &to))
			if diff := cmp.Diff(tc.want, got, cmp.Transformer("", func(l []string) []string { return append([]string{}, l...) })); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func updateOf(t testing.TB, st store.Store, e store.Execution) store.DeploymentUpdate {
	t.Helper()
	id, _ := e.Parameters["update_id"].(string)
	u, err := st.GetDeploymentUpdate(t.Context(), "default_tenant", id)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestUpdateRecords(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	addBlueprint(t, st, "bp", nil)
	addBlueprint(t, st, "bp2", func(p *plan.Plan) {
		cache := *nodeOf(p, "db")
		cache.ID, cache.Name = "cache", "cache"
		cache.Plugins = append(slices.Clone(cache.Plugins), plan.Plugin{Name: "cloud", Install: true, Executor: plan.Central})
		p.Nodes = append(p.Nodes, &cache)
		p.Labels = map[string]plan.Label{"Tier": {Values: []any{"gold"}}}
	})
	addBlueprint(t, st, "bad", func(p *plan.Plan) { nodeOf(p, "db").Type = "another" })
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": newScripted()}})
	serve(t, s)
	waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)

	u := updateOf(t, st, runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{"blueprint_id": "bp2", "preview": true, "inputs": map[string]any{"x": "y"}}))
	if u.State != store.UpdatePreview || u.OldBlueprintID != "bp" || u.NewBlueprintID != "bp2" || u.NewInputs["x"] != "y" {
		t.Errorf("the preview: %+v", u)
	}
	all, _ := u.Details["steps"].([]any)
	if len(all) != 1 {
		t.Fatalf("steps %v", all)
	}
	step, _ := all[0].(map[string]any)
	if step["action"] != "add" || step["entity_type"] != "node" || !value.Equal(step["entity_id"], []any{"nodes", "cache"}) || step["id"] == "" {
		t.Errorf("the step is %v", step)
	}
	for name, want := range map[string]any{
		"labels_to_create": []any{map[string]any{"key": "tier", "value": "gold"}}, "recursive_dependencies": []any{}, "schedules_to_create": []any{},
		"deployment_update_nodes": map[string]any{"add": []any{"cache"}, "remove": []any{}, "modify_attributes": map[string]any{}},
	} {
		if !value.Equal(u.Details[name], want) {
			t.Errorf("%s is %v, want %v", name, u.Details[name], want)
		}
	}
	instances, _ := u.Details["deployment_update_node_instances"].(map[string]any)
	if added, _ := instances["added_and_related"].([]any); len(added) == 0 {
		t.Errorf("instances %v", instances)
	}
	if plugins, _ := u.Details["central_plugins_to_install"].([]any); len(plugins) != 1 {
		t.Errorf("plugins %v", u.Details["central_plugins_to_install"])
	}
	if _, err := st.GetNode(t.Context(), "default_tenant", "d", "cache"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a preview has made the node: %v", err)
	}

	u = updateOf(t, st, runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{"blueprint_id": "bp2"}))
	if u.State != store.UpdateSuccessful || u.Details["labels_to_create"] != nil || u.Details["deployment_plan"] == nil {
		t.Errorf("the update: %s, %v", u.State, slices.Sorted(maps.Keys(u.Details)))
	}
	e := runWorkflow(t, s, "d", "update", store.Failed, map[string]any{"blueprint_id": "bad"})
	u = updateOf(t, st, e)
	if all, _ := u.Details["steps"].([]any); u.State != store.UpdateFailed || len(all) == 0 || !strings.HasPrefix(*e.Error, "Cannot update: unsupported steps found\n") {
		t.Errorf("what can't be done: %s, steps %v, error %q", u.State, all, *e.Error)
	}
	started, err := s.StartUpdate(t.Context(), StartRequest{Tenant: "default_tenant", DeploymentID: "d", CreatedBy: "admin"})
	under := []string{store.UpdateUpdating, store.UpdateExecuting, store.UpdateSuccessful} // it may be on its way already
	if err != nil || !slices.Contains(under, started.State) || started.NewBlueprintID != "bp2" {
		t.Errorf("%v, %+v", err, started)
	}
	waitEnd(t, s, started.ExecutionID, store.Terminated)
}

func TestUpdateFollowsSchedules(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	declare := func(names map[string]int64) func(p *plan.Plan) {
		return func(p *plan.Plan) {
			declared := map[string]any{}
			for name, slip := range names {
				declared[name] = slip
			}
			p.DeploymentSettings = value.Map{"default_schedules": declared}
		}
	}
	addBlueprint(t, st, "one", declare(map[string]int64{"kept": 1, "changed": 1, "gone": 1}))
	addBlueprint(t, st, "two", declare(map[string]int64{"kept": 1, "changed": 2, "new": 1}))
	addBlueprint(t, st, "bad", declare(map[string]int64{"bad": -1}))
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": newScripted()},
		Replanned: func(_ context.Context, _ store.Tx, was, is store.Deployment, p *plan.Deployment) error {
			if was.BlueprintID == is.BlueprintID || len(p.Nodes) == 0 {
				t.Errorf("replanned from %s to %s", was.BlueprintID, is.BlueprintID)
			}
			return nil
		},
		Schedules: func(d store.Deployment, now time.Time) (list []store.Schedule, err error) {
			declared, _ := d.DeploymentSettings["default_schedules"].(map[string]any)
			for _, name := range value.SortedKeys(declared) {
				slip, _ := declared[name].(int64)
				list = append(list, store.Schedule{Owned: store.Owned{Tenant: d.Tenant, Visibility: d.Visibility, CreatedAt: now}, ID: name,
					DeploymentID: d.ID, WorkflowID: "install", Since: now.Add(time.Hour), Rule: map[string]any{"count": int64(1)}, Slip: int(slip), Enabled: true})
			}
			return list, nil
		},
	})
	serve(t, s)
	schedules := func() map[string]int {
		page, err := st.ListSchedules(t.Context(), store.Query{})
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]int{}
		for _, sc := range page.Items {
			found[sc.ID] = sc.Slip
			if !sc.Enabled {
				found[sc.ID] = -1
			}
		}
		return found
	}
	runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{"blueprint_id": "one"})
	if diff := cmp.Diff(map[string]int{"kept": 1, "changed": 1, "gone": 1}, schedules()); diff != "" {
		t.Error(diff)
	}
	_, err := s.ChangeSchedule(t.Context(), "default_tenant", "d", "kept", func(sc *store.Schedule) error { sc.Enabled = false; return nil })
	if err != nil {
		t.Fatal(err)
	}
	runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{"blueprint_id": "two"})
	if diff := cmp.Diff(map[string]int{"kept": -1, "changed": 2, "gone": 1, "new": 1}, schedules()); diff != "" {
		t.Error(diff)
	}
	e := runWorkflow(t, s, "d", "update", store.Failed, map[string]any{"blueprint_id": "bad"})
	if d, err := st.GetDeployment(t.Context(), "default_tenant", "d"); err != nil || d.BlueprintID != "two" || !strings.Contains(*e.Error, "default schedule bad: slip must not be negative") {
		t.Errorf("%v, blueprint %s, error %q", err, d.BlueprintID, *e.Error)
	}
}

// What other executions have yet to do is done with the inputs of the update.
func TestUpdateRewritesInputs(t *testing.T) {
	t.Parallel()
	larger := func(operation string) func(p *plan.Plan) {
		return func(p *plan.Plan) {
			nodeOf(p, "db").Operations["cloudify.interfaces.lifecycle."+operation].Inputs = value.Map{"size": int64(9)}
		}
	}
	last := func(runner *scripted) any {
		reqs := runner.requests("db.start")
		return reqs[len(reqs)-1].Inputs["size"]
	}
	t.Run("of one that failed", func(t *testing.T) {
		t.Parallel()
		st := openStore(t)
		addDeployment(t, st, "d", nil)
		addBlueprint(t, st, "bp2", larger("start"))
		runner := newScripted()
		runner.do["db.start"] = func(context.Context, *operation.Request, operation.Host) (any, error) {
			return nil, &operation.Error{Verdict: operation.NonRecoverable, Message: "too small"}
		}
		s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
		serve(t, s)
		e := waitEnd(t, s, install(t, s, "d", nil).ID, store.Failed)
		delete(runner.do, "db.start")
		runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{"blueprint_id": "bp2"})
		if _, err := s.Resume(t.Context(), "default_tenant", e.ID, false); err != nil {
			t.Fatal(err)
		}
		waitEnd(t, s, e.ID, store.Terminated)
		if size := last(runner); size != int64(9) {
			t.Errorf("resumed with the size %v", size)
		}
	})
	t.Run("of relationships", func(t *testing.T) {
		t.Parallel()
		st := openStore(t)
		addDeployment(t, st, "d", nil)
		addBlueprint(t, st, "bp2", func(p *plan.Plan) {
			for _, r := range nodeOf(p, "app").Relationships {
				if op := r.SourceOperations["cloudify.interfaces.relationship_lifecycle.establish"]; op.IsMapped() {
					op.Inputs = value.Map{"size": int64(9)}
				}
			}
		})
		runner := newScripted()
		runner.do["db.start"] = func(context.Context, *operation.Request, operation.Host) (any, error) {
			return nil, &operation.Error{Verdict: operation.NonRecoverable, Message: "too small"}
		}
		s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
		serve(t, s)
		e := waitEnd(t, s, install(t, s, "d", nil).ID, store.Failed)
		delete(runner.do, "db.start")
		runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{"blueprint_id": "bp2"})
		if _, err := s.Resume(t.Context(), "default_tenant", e.ID, false); err != nil {
			t.Fatal(err)
		}
		waitEnd(t, s, e.ID, store.Terminated)
		if reqs := runner.requests("app.connect"); len(reqs) != 1 || reqs[0].Inputs["size"] != int64(9) {
			t.Errorf("connected by %v", reqs)
		}
	})
	t.Run("of one that is paused", func(t *testing.T) {
		t.Parallel()
		st := openStore(t)
		addDeployment(t, st, "d", nil)
		addBlueprint(t, st, "bp2", larger("start"))
		runner := newScripted()
		failed := false
		runner.do["db.start"] = func(context.Context, *operation.Request, operation.Host) (any, error) {
			if failed {
				return nil, nil
			}
			failed = true
			now := time.Duration(0)
			return nil, &operation.Error{Verdict: operation.Recoverable, Message: "again", RetryAfter: &now}
		}
		b := block(runner, "db.create")
		s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
		serve(t, s)
		e := install(t, s, "d", nil)
		<-b.begun
		if _, err := s.Pause(t.Context(), "default_tenant", e.ID); err != nil {
			t.Fatal(err)
		}
		pausedRun(t, s, e.ID)
		b.proceed <- struct{}{}
		runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{"blueprint_id": "bp2"})
		if _, err := s.Continue(t.Context(), "default_tenant", e.ID); err != nil {
			t.Fatal(err)
		}
		waitEnd(t, s, e.ID, store.Terminated)
		for _, req := range runner.requests("db.start") {
			if req.Inputs["size"] != int64(9) {
				t.Errorf("attempt %d has the size %v", req.RetryNumber, req.Inputs["size"])
			}
		}
	})
}

func TestRewrittenInputs(t *testing.T) {
	t.Parallel()
	changed := []changedInputs{{Node: "db", Operation: "start", Old: value.Map{"a": int64(1), "b": int64(1), "c": int64(1)}, New: value.Map{"a": int64(2), "b": int64(2)}, HasFunctions: true}}
	op := func(node string, related any) *store.Operation {
		return &store.Operation{Parameters: map[string]any{"task_kwargs": map[string]any{"kwargs": map[string]any{
			"a": int64(1), "b": "mine", "c": int64(1), "d": "given",
			"__cloudify_context": map[string]any{"node_name": node, "operation": "start", "has_intrinsic_functions": false, "related": related},
		}}}}
	}
	if rewritten(op("app", nil), changed) || rewritten(op("db", map[string]any{}), changed) {
		t.Error("operations that are not concerned were rewritten")
	}
	changed = append(changed, changedInputs{Node: "db", Other: "app", Operation: "start", New: value.Map{"e": int64(3)}})
	if rewritten(op("db", map[string]any{"node_name": "app", "is_target": true}), changed) ||
		!rewritten(op("db", map[string]any{"node_name": "app", "is_target": false}), changed) {
		t.Error("an operation of a relationship is that on one side of it")
	}
	o := op("db", nil)
	if !rewritten(o, changed) {
		t.Fatal("the operation was not rewritten")
	}
	want := map[string]any{"a": int64(2), "b": "mine", "d": "given", "__cloudify_context": map[string]any{
		"node_name": "db", "operation": "start", "has_intrinsic_functions": true, "related": nil}}
	if diff := cmp.Diff(want, o.Parameters["task_kwargs"].(map[string]any)["kwargs"]); diff != "" {
		t.Error(diff)
	}
}

func TestCustomUpdateTimesOut(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	addBlueprint(t, st, "bp", nil)
	runner := newScripted()
	b := block(runner, "db.create")
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
	serve(t, s)
	e, err := s.Start(t.Context(), StartRequest{Tenant: "default_tenant", DeploymentID: "d", WorkflowID: "update", CreatedBy: "admin",
		Parameters: map[string]any{"workflow_id": "install", "custom_workflow_timeout": 0.2}})
	if err != nil {
		t.Fatal(err)
	}
	<-b.begun
	if e = waitEnd(t, s, e.ID, store.Failed); !strings.HasPrefix(*e.Error, "Timeout running install") {
		t.Errorf("error %q", *e.Error)
	}
	b.proceed <- struct{}{}
}

func TestUpdatesOverlap(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	addBlueprint(t, st, "bp", nil)
	runner := newScripted()
	b := block(runner, "db.create")
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
	serve(t, s)
	e := install(t, s, "d", nil)
	<-b.begun
	q := StartRequest{Tenant: "default_tenant", DeploymentID: "d", CreatedBy: "admin", Parameters: map[string]any{"workflow_id": "install"}}
	first, err := s.StartUpdate(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	<-b.begun // the install that the update has started
	var refused *Refusal
	if _, err := s.StartUpdate(t.Context(), q); !errors.As(err, &refused) || refused.Code != CodeExistingRunning {
		t.Errorf("a second update beside the first: %v", err)
	}
	b.proceed <- struct{}{}
	b.proceed <- struct{}{}
	waitEnd(t, s, e.ID, store.Terminated)
	waitEnd(t, s, first.ExecutionID, store.Terminated)
}
