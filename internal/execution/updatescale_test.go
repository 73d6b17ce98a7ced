package execution

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint/plan"
	"windlass/internal/operation"
	"windlass/internal/store"
	"windlass/internal/value"
)

// deploys makes a node's blueprint say instances.deploy.
func deploys(node string, n int64) func(*plan.Plan) {
	return func(p *plan.Plan) {
		number := value.Any{V: n}
		of := nodeOf(p, node)
		of.Instances = value.Map{"deploy": n}
		of.Capabilities.Scalable.Properties.Default = number
		of.Capabilities.Scalable.Properties.Current, of.Capabilities.Scalable.Properties.Planned = number, number
	}
}

// scalable makes a node's blueprint say how many instances a new deployment has.
func scalable(node string, n int64) func(*plan.Plan) {
	return func(p *plan.Plan) {
		deploys(node, n)(p)
		nodeOf(p, node).Instances = nil
	}
}

func scaleOf(t testing.TB, st store.Store, node string) store.NodeScale {
	t.Helper()
	n, err := st.GetNode(t.Context(), "default_tenant", "d", node)
	if err != nil {
		t.Fatal(err)
	}
	return n.Scalable
}

func TestUpdateScales(t *testing.T) {
	t.Parallel()
	out := map[string]any{"scalable_entity_name": "app", "delta": int64(2)}
	for name, tc := range map[string]struct {
		scaled bool // by hand, to three, before the update
		to     func(*plan.Plan)
		more   map[string]any
		// what is there after the update
		apps            int
		current, deploy int
		started, ended  int // how often app.start and app.stop have run
	}{
		"out":                                 {to: deploys("app", 3), apps: 3, current: 3, deploy: 3, started: 3},
		"in":                                  {scaled: true, to: deploys("app", 2), apps: 2, current: 2, deploy: 2, started: 3, ended: 1},
		"to none":                             {to: deploys("app", 0), ended: 1, started: 1},
		"back to a number that never changed": {scaled: true, to: deploys("app", 1), apps: 1, current: 1, deploy: 1, started: 3, ended: 2},
		"to what it is":                       {scaled: true, to: deploys("app", 3), apps: 3, current: 3, deploy: 3, started: 3},
		"not without a number":                {scaled: true, to: scalable("app", 1), apps: 3, current: 3, deploy: 1, started: 3},
		"not for a new default":               {scaled: true, to: scalable("app", 5), apps: 3, current: 3, deploy: 5, started: 3},
		"not for a preview": {scaled: true, to: deploys("app", 1), more: map[string]any{"preview": true},
			apps: 3, current: 3, deploy: 1, started: 3},
		"without operations": {scaled: true, to: deploys("app", 1), more: map[string]any{"skip_uninstall": true},
			apps: 1, current: 1, deploy: 1, started: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := openStore(t)
			addDeployment(t, st, "d", withUpkeep)
			addBlueprint(t, st, "bp2", tc.to)
			runner := newScripted()
			s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
			serve(t, s)
			waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)
			if tc.scaled {
				runWorkflow(t, s, "d", "scale", store.Terminated, out)
			}
			parameters := map[string]any{"blueprint_id": "bp2", "skip_reinstall": true}
			for k, v := range tc.more {
				parameters[k] = v
			}
			runWorkflow(t, s, "d", "update", store.Terminated, parameters)
			apps := instancesOf(t, st, "d", "app")
			if len(apps) != tc.apps || slices.ContainsFunc(apps, func(i store.NodeInstance) bool { return i.State != "started" }) {
				t.Errorf("apps %+v", apps)
			}
			scale := scaleOf(t, st, "app")
			if scale.Current != tc.current || scale.Planned != tc.current || scale.Deploy != tc.deploy {
				t.Errorf("the node says %+v", scale)
			}
			if n := runner.counts(); n["app.start"] != tc.started || n["app.stop"] != tc.ended || n["db.start"] != 1 {
				t.Errorf("ran %v", n)
			}
		})
	}
}

// An update that fails while it takes down what is too many is made good by the
// next, and by the one back.
func TestUpdateScalesAfterAFailure(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		to   string
		apps int
	}{"the same again": {"small", 1}, "back": {"large", 3}, "one without a number": {"any", 3}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := openStore(t)
			addDeployment(t, st, "d", withUpkeep)
			addBlueprint(t, st, "large", deploys("app", 3))
			addBlueprint(t, st, "small", deploys("app", 1))
			addBlueprint(t, st, "any", scalable("app", 1))
			runner := newScripted()
			s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
			serve(t, s)
			waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)
			runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{"blueprint_id": "large"})
			runner.do["app.stop"] = func(context.Context, *operation.Request, operation.Host) (any, error) {
				return nil, &operation.Error{Verdict: operation.NonRecoverable, Message: "busy"}
			}
			runWorkflow(t, s, "d", "update", store.Failed, map[string]any{"blueprint_id": "small"})
			delete(runner.do, "app.stop")
			runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{"blueprint_id": tc.to})
			if n, scale := len(instancesOf(t, st, "d", "app")), scaleOf(t, st, "app"); n != tc.apps || scale.Current != tc.apps || scale.Planned != tc.apps {
				t.Errorf("%d apps, the node says %+v", n, scale)
			}
		})
	}
}

// A scaling group keeps its members and their number; it takes the limits of the
// new blueprint.
func TestUpdateKeepsScalingGroups(t *testing.T) {
	t.Parallel()
	group := func(members []string, n, most int64) plan.ScalingGroup {
		number := value.Any{V: n}
		return plan.ScalingGroup{Members: members, Properties: plan.Scalable{
			Min: value.Any{V: int64(0)}, Max: value.Any{V: most}, Default: number, Current: number, Planned: number,
		}}
	}
	with := func(groups map[string]plan.ScalingGroup) func(*plan.Plan) {
		return func(p *plan.Plan) {
			p.Groups = map[string]plan.Group{"stack": {Members: []string{"db", "host"}}, "data": {Members: []string{"app"}}}
			p.ScalingGroups = groups
			p.Workflows["scale"] = plan.Workflow{Plugin: "default_workflows", Operation: "cloudify.plugins.workflows.scale_entity"}
		}
	}
	st := openStore(t)
	addDeployment(t, st, "d", func(p *plan.Deployment) {
		withUpkeep(p)
		p.Groups = map[string]plan.Group{"stack": {Members: []string{"host", "db"}}, "data": {Members: []string{"app"}}}
		p.ScalingGroups = map[string]plan.ScalingGroup{"stack": group([]string{"host", "db"}, 1, 5)}
		p.NodeInstances = slices.Clone(p.NodeInstances)
		for k, i := range p.NodeInstances {
			if i.NodeID != "app" {
				p.NodeInstances[k].ScalingGroups = []plan.GroupInstance{{Name: "stack", ID: "stack_x00001"}}
			}
		}
	})
	stack := []string{"host", "db"}
	addBlueprint(t, st, "fewer", with(map[string]plan.ScalingGroup{"stack": group(stack, 1, 9)}))
	addBlueprint(t, st, "none", with(nil))
	addBlueprint(t, st, "other", with(map[string]plan.ScalingGroup{"stack": group(stack, 7, 9), "data": group([]string{"app"}, 4, 4)}))
	runner := newScripted()
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
	serve(t, s)
	waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)
	runWorkflow(t, s, "d", "scale", store.Terminated, map[string]any{"scalable_entity_name": "stack", "delta": int64(2)})
	ids := func() (list []string) {
		for _, node := range []string{"host", "app", "db"} {
			for _, i := range instancesOf(t, st, "d", node) {
				list = append(list, i.ID)
			}
		}
		return list
	}
	was := ids()
	if len(was) != 9 {
		t.Fatalf("instances %v", was)
	}
	for blueprint, noted := range map[string]bool{"fewer": false, "none": true, "other": true} {
		e := runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{"blueprint_id": blueprint, "skip_reinstall": true})
		if diff := cmp.Diff(was, ids()); diff != "" {
			t.Errorf("%s: %s", blueprint, diff)
		}
		d, err := st.GetDeployment(t.Context(), "default_tenant", "d")
		if err != nil {
			t.Fatal(err)
		}
		got := d.ScalingGroups["stack"].Properties
		if len(d.ScalingGroups) != 1 || got.Current.V != int64(3) || got.Planned.V != int64(3) || got.Max.V != int64(9) && blueprint != "none" {
			t.Errorf("%s: scaling groups %+v", blueprint, d.ScalingGroups)
		}
		if said := logText(t, st, e.ID); noted != strings.Contains(said, "a scaling group") {
			t.Errorf("%s: the log says\n%s", blueprint, said)
		}
	}
	runWorkflow(t, s, "d", "scale", store.Terminated, map[string]any{"scalable_entity_name": "stack", "delta": int64(-2)})
	if left := ids(); len(left) != 3 {
		t.Errorf("instances %v", left)
	}
}

// Afterwards the relationships of instances are in the order of the blueprint,
// as operations go through them in that order.
func TestUpdateOrdersRelationships(t *testing.T) {
	t.Parallel()
	to := func(target string) plan.Relationship {
		return plan.Relationship{
			Type: "cloudify.relationships.connected_to", TargetID: target, Properties: value.Map{"connection_type": "all_to_all"},
			TypeHierarchy: []string{"cloudify.relationships.depends_on", "cloudify.relationships.connected_to"},
		}
	}
	relate := func(targets ...string) func(p *plan.Plan) {
		return func(p *plan.Plan) {
			cache := *nodeOf(p, "db")
			cache.ID, cache.Name = "cache", "cache"
			p.Nodes = append(p.Nodes, &cache)
			deploys("cache", 2)(p)
			app := nodeOf(p, "app")
			inside := app.Relationships[0]
			app.Relationships = nil
			for _, target := range targets {
				if target == "host" {
					app.Relationships = append(app.Relationships, inside)
				} else {
					app.Relationships = append(app.Relationships, to(target))
				}
			}
		}
	}
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": newScripted()}})
	serve(t, s)
	waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)
	for _, tc := range []struct{ targets, want []string }{
		{[]string{"cache", "host", "db"}, []string{"cache", "cache", "host", "db"}},
		{[]string{"db", "cache", "host"}, []string{"db", "cache", "cache", "host"}},
		{[]string{"host", "cache"}, []string{"host", "cache", "cache"}},
		{[]string{"db", "host", "cache"}, []string{"db", "host", "cache", "cache"}},
	} {
		addBlueprint(t, st, "bp2", relate(tc.targets...))
		u := updateOf(t, st, runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{"blueprint_id": "bp2"}))
		var got []string
		for _, r := range instancesOf(t, st, "d", "app")[0].Relationships {
			got = append(got, r.TargetName)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%v: %s", tc.targets, diff)
		}
		n, err := st.GetNode(t.Context(), "default_tenant", "d", "app")
		if err != nil {
			t.Fatal(err)
		}
		var declared []string
		for _, r := range n.Relationships {
			declared = append(declared, r.TargetID)
		}
		if diff := cmp.Diff(tc.targets, declared); diff != "" {
			t.Errorf("the node: %s", diff)
		}
		changes, _ := u.Details["deployment_update_node_instances"].(map[string]any)
		if !value.Equal(changes["relationships_changed"], []any{"app"}) {
			t.Errorf("%v: changed are %v", tc.targets, changes["relationships_changed"])
		}
	}
}

// A relationship that becomes one of another type is unlinked as what it was and
// established as what it is.
func TestUpdateChangesTheTypeOfARelationship(t *testing.T) {
	t.Parallel()
	const role = "cloudify.interfaces.relationship_lifecycle."
	st := openStore(t)
	addDeployment(t, st, "d", func(p *plan.Deployment) {
		k := slices.IndexFunc(p.Nodes, func(n *plan.Node) bool { return n.ID == "app" })
		p.Nodes[k].Relationships[1].SourceOperations[role+"unlink"] = &plan.Operation{Plugin: "script", Operation: "old.unlink"}
	})
	addBlueprint(t, st, "bp2", func(p *plan.Plan) {
		r := &nodeOf(p, "app").Relationships[1]
		r.Type, r.TypeHierarchy = "mine", append(slices.Clone(r.TypeHierarchy), "mine")
		r.SourceOperations = map[string]*plan.Operation{
			role + "establish": {Plugin: "script", Operation: "new.establish"}, role + "unlink": {Plugin: "script", Operation: "new.unlink"},
		}
	})
	runner := newScripted()
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
	serve(t, s)
	waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)
	runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{"blueprint_id": "bp2"})
	if n := runner.counts(); n["old.unlink"] != 1 || n["new.establish"] != 1 || n["new.unlink"] != 0 || n["app.stop"] != 0 {
		t.Errorf("ran %v", n)
	}
	var types []string
	for _, r := range instancesOf(t, st, "d", "app")[0].Relationships {
		types = append(types, r.Type)
	}
	if diff := cmp.Diff([]string{"cloudify.relationships.contained_in", "mine"}, types); diff != "" {
		t.Error(diff)
	}
	runWorkflow(t, s, "d", "uninstall", store.Terminated, nil)
	if n := runner.counts(); n["old.unlink"] != 1 || n["new.unlink"] != 1 {
		t.Errorf("ran %v", n)
	}
}

// An update that has failed can't be resumed over one that was made since, and
// the one that is made says what it leaves undone.
func TestUpdateAfterOneThatFailed(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	addBlueprint(t, st, "more", func(p *plan.Plan) {
		cache := *nodeOf(p, "db")
		cache.ID, cache.Name = "cache", "cache"
		cache.Operations = map[string]*plan.Operation{"cloudify.interfaces.lifecycle.start": {Plugin: "script", Operation: "cache.start"}}
		p.Nodes = append(slices.DeleteFunc(p.Nodes, func(n *plan.Node) bool { return n.ID == "app" }), &cache)
	})
	addBlueprint(t, st, "same", nil)
	runner := newScripted()
	runner.do["cache.start"] = func(context.Context, *operation.Request, operation.Host) (any, error) {
		return nil, &operation.Error{Verdict: operation.NonRecoverable, Message: "cold"}
	}
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
	serve(t, s)
	waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)
	failed := runWorkflow(t, s, "d", "update", store.Failed, map[string]any{"blueprint_id": "more"})
	preview := runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{"blueprint_id": "same", "preview": true})
	next := runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{"blueprint_id": "same"})
	last := runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{"blueprint_id": "same"})
	for e, tells := range map[string]bool{preview.ID: true, next.ID: true, last.ID: false} {
		if text := logText(t, st, e); strings.Contains(text, "by execution "+failed.ID+", ended as failed") != tells {
			t.Errorf("the log says\n%s", text)
		}
	}
	was := instanceStates(t, st, "d")
	delete(runner.do, "cache.start")
	if _, err := s.Resume(t.Context(), "default_tenant", failed.ID, false); err != nil {
		t.Fatal(err)
	}
	e := waitEnd(t, s, failed.ID, store.Failed)
	if !strings.Contains(*e.Error, "has been updated since") || !strings.Contains(*e.Error, last.ID) {
		t.Errorf("the resume says %q", *e.Error)
	}
	if diff := cmp.Diff(was, instanceStates(t, st, "d")); diff != "" {
		t.Error(diff)
	}
	if d, err := st.GetDeployment(t.Context(), "default_tenant", "d"); err != nil || d.BlueprintID != "same" {
		t.Errorf("%v, blueprint %s", err, d.BlueprintID)
	}
}

// What an update is asked for in vain is told; a workflow that isn't there is
// refused before anything is changed.
func TestUpdateAskedInVain(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	addBlueprint(t, st, "bp2", func(p *plan.Plan) { p.Inputs = map[string]plan.Schema{"size": {}} })
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": newScripted()}})
	serve(t, s)
	waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)
	e := runWorkflow(t, s, "d", "update", store.Failed, map[string]any{"blueprint_id": "bp2", "inputs": map[string]any{"size": int64(1)}, "workflow_id": "gone"})
	if d, err := st.GetDeployment(t.Context(), "default_tenant", "d"); err != nil || d.BlueprintID != "bp" || !strings.Contains(*e.Error, "blueprint bp2 has no workflow gone") {
		t.Errorf("%v, blueprint %s, error %q", err, d.BlueprintID, *e.Error)
	}
	e = runWorkflow(t, s, "d", "update", store.Terminated, map[string]any{
		"blueprint_id": "bp2", "inputs": map[string]any{"size": int64(1), "sise": int64(2)}, "reinstall_list": []any{"d-db_b00001", "db_b00001"},
	})
	text := logText(t, st, e.ID)
	for _, want := range []string{"does not declare are ignored: sise", "reinstall_list names what deployment d doesn't have: db_b00001"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the log:\n%s", want, text)
		}
	}
	if strings.Contains(text, "ignored: size") || strings.Contains(text, "have: d-db") {
		t.Errorf("the log says\n%s", text)
	}
}

func TestUpdateDryRun(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	addBlueprint(t, st, "bp2", deploys("app", 3))
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": newScripted()}})
	serve(t, s)
	e, err := s.Start(t.Context(), StartRequest{Tenant: "default_tenant", DeploymentID: "d", WorkflowID: "update", CreatedBy: "admin",
		Parameters: map[string]any{"blueprint_id": "bp2"}, AllowCustomParameters: true, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	e = waitEnd(t, s, e.ID, store.Terminated)
	if u := updateOf(t, st, e); u.State != store.UpdatePreview || len(instancesOf(t, st, "d", "app")) != 1 {
		t.Errorf("the update is %s, there are %d apps", u.State, len(instancesOf(t, st, "d", "app")))
	}
}
