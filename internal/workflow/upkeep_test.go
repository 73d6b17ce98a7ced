package workflow

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"windlass/internal/blueprint/plan"
	"windlass/internal/topology"
	"windlass/internal/value"
)

// kept is the small deployment with the operations that keep it well: the server
// and the application are checked, the application can be healed and updated.
func kept(state string) *Deployment {
	d := small(state)
	d.ExecutionID = "x"
	op := func(name string) *plan.Operation {
		return &plan.Operation{Plugin: "script", Operation: "run." + name, Inputs: value.Map{}}
	}
	app, server := d.Nodes["app"], d.Nodes["server"]
	for _, name := range []string{"heal", "preheal", "check_drift", "update", "update_apply"} {
		app.Operations[lifecycle+name] = op(name)
	}
	for _, n := range []*Node{app, server} {
		n.Operations[validation+"check_status"] = op("check_status")
	}
	rel := &app.Relationships[0]
	rel.SourceOperations[relLife+"check_drift"] = op("check_drift")
	rel.TargetOperations[relLife+"check_drift"] = op("check_drift")
	rel.SourceOperations[relLife+"update"] = op("update")
	for _, i := range d.Instances {
		i.SystemProperties = map[string]any{statusKey: map[string]any{"ok": true, "task": nil, "result": nil}}
	}
	return d
}

func TestUpkeepTranscripts(t *testing.T) {
	t.Parallel()
	changed := func(nodes ...string) *Update { return &Update{ID: "u", Changed: nodes} }
	shrunk := &Modification{ID: "m", Removed: []plan.NodeInstance{
		{NodeID: "app", ID: "app_1", Modification: topology.Removed, Relationships: []plan.InstanceRelationship{
			{Type: "cloudify.relationships.connected_to", TargetName: "server", TargetID: "server_1"}}},
		{NodeID: "server", ID: "server_1"}}}
	for name, tc := range map[string]struct {
		workflow   string
		parameters map[string]any
		prepare    func(s *stage)
		dry        bool
	}{
		"check_status":        {workflow: "check_status"},
		"check_status_failed": {workflow: "check_status", prepare: failing("server_1 check_status", 9), parameters: map[string]any{"run_by_dependency_order": true}},
		"check_status_dry":    {workflow: "check_status", dry: true},
		"check_drift": {workflow: "check_drift", prepare: func(s *stage) {
			s.result = map[string]any{"app_1 check_drift": map[string]any{"port": int64(80)}}
		}},
		"check_drift_failed": {workflow: "check_drift", prepare: failing("app_1 check_drift", 9)},
		"heal_healthy":       {workflow: "auto_heal_reinstall_node_subgraph"},
		"heal_healed":        {workflow: "auto_heal_reinstall_node_subgraph", prepare: failing("app_1 check_status", 1)},
		"heal_falls_back": {workflow: "auto_heal_reinstall_node_subgraph", prepare: func(s *stage) {
			s.fail = map[string]int{"app_1 check_status": 1, "app_1 heal": 9}
		}},
		"heal_reinstalls":  {workflow: "auto_heal_reinstall_node_subgraph", prepare: failing("server_1 check_status", 1)},
		"heal_not_allowed": {workflow: "auto_heal_reinstall_node_subgraph", prepare: failing("server_1 check_status", 1), parameters: map[string]any{"allow_reinstall": false}},
		"heal_forced":      {workflow: "auto_heal_reinstall_node_subgraph", parameters: map[string]any{"node_instance_id": "app_1", "force_reinstall": true, "diagnose_value": "slow"}},
		"heal_forced_dry":  {workflow: "auto_heal_reinstall_node_subgraph", parameters: map[string]any{"node_instance_id": "app_1", "force_reinstall": true}, dry: true},
		"reinstall_dry":    {workflow: "reinstall", parameters: map[string]any{"node_ids": []any{"app"}}, dry: true},
		"rollback_full_dry": {workflow: "rollback", parameters: map[string]any{"full_rollback": true}, dry: true, prepare: func(s *stage) {
			s.d.Instance("app_1").State, s.d.Instance("server_1").State = "starting", "configuring"
		}},
		"heal_unknown":        {workflow: "auto_heal_reinstall_node_subgraph", parameters: map[string]any{"node_instance_id": "app_9"}},
		"scale_zero":          {workflow: "scale_entity", parameters: scaling("app", int64(0), nil)},
		"scale_out":           {workflow: "scale_entity", parameters: scaling("app", int64(1), nil)},
		"scale_old_name":      {workflow: "scale", parameters: map[string]any{"node_id": "app", "delta": "1"}},
		"scale_dry":           {workflow: "scale_entity", parameters: scaling("app", int64(1), nil), dry: true},
		"scale_out_failed":    {workflow: "scale_entity", parameters: scaling("app", int64(1), nil), prepare: failing("app_2 configure", 9)},
		"scale_out_left":      {workflow: "scale_entity", parameters: scaling("app", int64(1), map[string]any{"rollback_if_failed": false}), prepare: failing("app_2 configure", 9)},
		"scale_in":            {workflow: "scale_entity", parameters: scaling("app", int64(-1), map[string]any{"include_instances": "app_1"}), prepare: func(s *stage) { s.next = shrunk }},
		"scale_in_failed":     {workflow: "scale_entity", parameters: scaling("app", int64(-1), nil), prepare: func(s *stage) { s.next = shrunk; s.fail = map[string]int{"app_1 delete": 9} }},
		"scale_compute":       {workflow: "scale_entity", parameters: scaling("server", int64(1), map[string]any{"scale_compute": true}), prepare: func(s *stage) { s.d.Nodes["server"].HostID = "host" }},
		"scale_after_a_crash": {workflow: "scale_entity", parameters: scaling("app", int64(1), nil), prepare: func(s *stage) { s.mine = &Modification{ID: "m", Ended: true} }},
		"scale_resume_gone": {workflow: "scale_entity", parameters: scaling("app", int64(1), nil), prepare: func(s *stage) {
			s.mine, s.d.Resume = &Modification{ID: "m", Ended: true, RolledBack: true}, true
		}},
		"scale_aborts_others": {workflow: "scale_entity", parameters: scaling("app", int64(1), map[string]any{"abort_started": true}), prepare: func(s *stage) {
			s.others = []*Modification{{ID: "old", Added: []plan.NodeInstance{{NodeID: "server", ID: "server_1", Modification: topology.Added}}}}
		}},
		"scale_up_with_hints": {workflow: "scale_entity", parameters: scaling("app", int64(1), map[string]any{"exclude_instances": []any{"app_1"}})},
		"scale_bad_hints": {workflow: "scale_entity", parameters: scaling("app", int64(-1), map[string]any{
			"include_instances": []any{"app_7", "app_1"}, "exclude_instances": []any{"app_1", "x"}, "scale_compute": true})},
		"scale_bad_delta":     {workflow: "scale_entity", parameters: scaling("app", "many", nil)},
		"scale_too_far":       {workflow: "scale_entity", parameters: scaling("app", int64(-2), nil)},
		"scale_unknown":       {workflow: "scale_entity", parameters: scaling("nothing", int64(1), nil)},
		"uninstall_recursive": {workflow: "uninstall", parameters: map[string]any{"recursive": true, "node_ids": []any{"app"}}},
		"agents_none":         {workflow: "validate_agents", prepare: func(s *stage) { s.d.Nodes["host"].Properties = map[string]any{"install_agent": false} }},
		"agents_stopped":      {workflow: "install_new_agents", prepare: withAgent("created")},
		"agents_installed": {workflow: "install_new_agents", prepare: withAgent("started"), parameters: map[string]any{
			"install_agent_timeout": int64(9), "manager_ip": "", "manager_certificate": "", "stop_old_agent": true}},
		"agents_only_checked": {workflow: "install_new_agents", prepare: withAgent("started"), parameters: map[string]any{"install": false}},
		"agents_broken": {workflow: "install_new_agents", parameters: map[string]any{"node_ids": []any{"host"}}, prepare: func(s *stage) {
			withAgent("started")(s)
			s.fail = map[string]int{"host_1 validate_amqp": 9}
		}},
		"agents_validated":  {workflow: "validate_agents", prepare: withAgent("started"), parameters: map[string]any{"install_methods": []any{"remote"}}},
		"agents_not_hosts":  {workflow: "install_new_agents", parameters: map[string]any{"node_ids": []any{"app", "host"}}},
		"update_properties": {workflow: "update", prepare: func(s *stage) { s.update = changed("app") }},
		"update_drifted": {workflow: "update", prepare: func(s *stage) {
			s.update, s.result = changed("app"), map[string]any{"app_1 check_drift": "port"}
		}},
		"update_fails": {workflow: "update", prepare: func(s *stage) {
			s.update, s.result, s.fail = changed("app"), map[string]any{"app_1 check_drift": "port"}, map[string]int{"app_1 update": 9}
		}},
		"update_unhealthy": {workflow: "update", prepare: func(s *stage) {
			s.update, s.result, s.fail = changed("app"), map[string]any{"app_1 check_drift": "port"}, map[string]int{"app_1 check_status": 1}
		}},
		"update_reinstalls":        {workflow: "update", prepare: func(s *stage) { s.update = changed("server") }},
		"update_reinstalls_beside": {workflow: "update", prepare: besideOthers, parameters: map[string]any{"skip_drift_check": true}},
		"update_reinstalls_after":  {workflow: "update", prepare: besideOthers, parameters: map[string]any{"skip_drift_check": true, "install_first": true}},
		"update_skip_reinstall":    {workflow: "update", prepare: func(s *stage) { s.update = changed("server") }, parameters: map[string]any{"skip_reinstall": true}},
		"update_reinstall_list":    {workflow: "update", prepare: func(s *stage) { s.update = changed() }, parameters: map[string]any{"reinstall_list": []any{"app_1"}, "skip_drift_check": true}},
		"update_preview":           {workflow: "update", prepare: func(s *stage) { s.update = &Update{Preview: true} }},
		"update_custom":            {workflow: "update", prepare: func(s *stage) { s.update = changed("app") }, parameters: map[string]any{"workflow_id": "mine"}},
		"update_added":             {workflow: "update", prepare: addsAnApp, parameters: map[string]any{"skip_drift_check": true}},
		"update_relationship":      {workflow: "update", prepare: relinks, parameters: map[string]any{"skip_drift_check": true}},
		"update_removed":           {workflow: "update", prepare: func(s *stage) { s.update = &Update{ID: "u", Removed: shrunk.Removed} }, parameters: map[string]any{"skip_drift_check": true}},
		"update_skips":             {workflow: "update", prepare: addsAnApp, parameters: map[string]any{"skip_drift_check": true, "skip_install": true, "skip_uninstall": true}},
		"update_force_reinstall":   {workflow: "update", prepare: func(s *stage) { s.update = changed("app"); s.result = map[string]any{"app_1 check_drift": "port"} }, parameters: map[string]any{"force_reinstall": true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &stage{t: t, d: kept("started"), next: grown()}
			s.d.DryRun, s.d.WorkflowID = tc.dry, tc.workflow
			if tc.prepare != nil {
				tc.prepare(s)
			}
			f, ok := Lookup(Plugin, "cloudify.plugins.workflows."+tc.workflow)
			if !ok {
				t.Fatalf("no workflow %s", tc.workflow)
			}
			if err := f(t.Context(), s, tc.parameters); err != nil {
				s.lines = append(s.lines, "ERROR "+err.Error())
			}
			golden(t, name, strings.Join(s.lines, "\n")+"\n")
		})
	}
}

// withAgent gives the host an agent, and operations for it.
func withAgent(state string) func(s *stage) {
	return func(s *stage) {
		s.d.Instance("host_1").State = state
		host := s.d.Nodes["host"]
		host.Properties, host.Operations = map[string]any{"install_agent": true}, map[string]*plan.Operation{}
		for _, name := range []string{agentIface + "validate_amqp", agentIface + "create_amqp", monitorIf + "start"} {
			host.Operations[name] = &plan.Operation{Plugin: "script", Operation: "run", Inputs: value.Map{"manager_ip": "here"}}
		}
		delete(host.Operations[agentIface+"validate_amqp"].Inputs, "manager_ip")
		s.d.Nodes["server"].Operations[monitoring+"start"] = &plan.Operation{Plugin: "script", Operation: "run", Inputs: value.Map{}}
	}
}

func failing(key string, times int) func(s *stage) {
	return func(s *stage) { s.fail = map[string]int{key: times} }
}

func scaling(entity string, delta any, more map[string]any) map[string]any {
	m := map[string]any{"scalable_entity_name": entity, "delta": delta}
	maps.Copy(m, more)
	return m
}

func addsAnApp(s *stage) {
	s.d.pretend(grown().Added)
	s.update = &Update{ID: "u", Added: grown().Added}
}

// besideOthers changes the server, to which an application is added, from which
// one is removed, and beside which one was left half-way.
func besideOthers(s *stage) {
	addsAnApp(s)
	for id, state := range map[string]string{"app_8": "started", "app_9": "starting"} {
		i := *s.d.Instance("app_1")
		i.ID, i.State = id, state
		s.d.Instances = append(s.d.Instances, &i)
	}
	slices.SortFunc(s.d.Instances, func(a, b *Instance) int { return strings.Compare(a.ID, b.ID) })
	s.d.byID = nil
	s.update.Changed = []string{"server"}
	s.update.Removed = []plan.NodeInstance{
		{NodeID: "app", ID: "app_8", Modification: topology.Removed, Relationships: s.d.Instance("app_1").Relationships}, {NodeID: "server", ID: "server_1"},
	}
}

// relinks connects the application anew, with a relationship in place of another.
func relinks(s *stage) {
	relation := []plan.InstanceRelationship{{Type: "cloudify.relationships.connected_to", TargetName: "server", TargetID: "server_1"}}
	app := []plan.NodeInstance{{NodeID: "app", ID: "app_1", Relationships: relation}, {NodeID: "server", ID: "server_1"}}
	s.update = &Update{
		ID: "u", Extended: app, Reduced: app, Linked: map[string][]string{"app": {"server"}}, Unlinked: map[string][]string{"app": {"server"}},
	}
}

// Whether a workflow runs through or again after each of its steps, it does the
// same: what it decided is remembered.
func TestDecisionsAreMadeOnce(t *testing.T) {
	t.Parallel()
	s := &stage{t: t, d: kept("started"), fail: map[string]int{"app_1 check_status": 1}}
	w := &healing{h: s, chosen: []string{"app_1"}, allow: true}
	first, err := w.choose(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.d.Instance("app_1").SystemProperties[statusKey] = map[string]any{"ok": false, "task": "x"}
	again, err := w.choose(t.Context())
	if err != nil || len(first.heal) != 0 || len(again.heal) != 0 {
		t.Errorf("decided %v, then %v, %v", first, again, err)
	}
}
