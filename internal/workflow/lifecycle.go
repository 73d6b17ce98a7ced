package workflow

import (
	"fmt"
	"slices"

	"windlass/internal/blueprint/plan"
	"windlass/internal/graph"
)

const (
	lifecycle   = "cloudify.interfaces.lifecycle."
	validation  = "cloudify.interfaces.validation."
	monitoring  = "cloudify.interfaces.monitoring."
	relLife     = "cloudify.interfaces.relationship_lifecycle."
	agentIface  = "cloudify.interfaces.cloudify_agent."
	monitorIf   = "cloudify.interfaces.monitoring_agent."
	hostState   = "cloudify.interfaces.host.get_state"
	byOperation = "cloudify.relationships.depends_on_lifecycle_operation"
	containedIn = "cloudify.relationships.contained_in"
)

// items are what one instance goes through: the tasks of an item run side by
// side, the items one after the other.
type items [][]*graph.Task

func (s *items) add(tasks ...*graph.Task) {
	tasks = slices.DeleteFunc(tasks, func(t *graph.Task) bool { return t == nil })
	if len(tasks) > 0 {
		*s = append(*s, tasks)
	}
}

// sequencer builds the items of one instance; the first error sticks.
type sequencer struct {
	*builder
	g   *graph.Graph
	sub *graph.Task
	i   *Instance
	out items
	err error
}

func (s *sequencer) op(name string) *graph.Task {
	t, err := s.operation(s.i, name, nil, false)
	if err != nil && s.err == nil {
		s.err = err
	}
	return t
}

func (s *sequencer) ev(text string) *graph.Task { return s.event(s.i, text) }

func (s *sequencer) st(state string) *graph.Task { return s.builder.state(s.i, state) }

// framed adds an operation with an event before and one after it; without the
// operation it adds the event that there is nothing to do.
func (s *sequencer) framed(op, before, after, nothing string) {
	t := s.op(op)
	if t == nil {
		if nothing != "" {
			s.out.add(s.ev(nothing))
		}
		return
	}
	s.out.add(s.ev(before))
	s.out.add(t)
	if after != "" {
		s.out.add(s.ev(after))
	}
}

// stated adds an operation that changes the instance's state around it.
func (s *sequencer) stated(op, doing, before, done, after, nothing string) {
	t := s.op(op)
	if t == nil {
		s.out.add(s.ev(nothing))
		return
	}
	s.out.add(s.ev(before), s.st(doing))
	s.out.add(t)
	if done != "" {
		s.out.add(s.ev(after), s.st(done))
	}
}

// real tells whether anything but "nothing to do" events is there.
func (s *sequencer) real() bool {
	for _, item := range s.out {
		for _, t := range item {
			if t.Kind != graph.NodeEvent {
				return true
			}
		}
	}
	return false
}

func (i *Instance) in(states ...string) bool { return slices.Contains(states, i.State) }

// install builds the sequence that brings an instance up.
func (s *sequencer) install() {
	i := s.i
	before := s.out
	s.out = nil
	if !i.in("started", "starting", "created", "creating", "configured", "configuring") {
		s.framed(validation+"create", "Validating node instance before creation", "Node instance validated before creation",
			"Validating node instance before creation: nothing to do")
		s.framed(lifecycle+"precreate", "Precreating node instance", "Node instance precreated",
			"Precreating node instance: nothing to do")
	} else {
		s.out.add(s.ev("Validating node instance before creation: nothing to do"))
		s.out.add(s.ev("Precreating node instance: nothing to do"))
	}
	if !i.in("started", "starting", "created", "configuring", "configured") {
		s.stated(lifecycle+"create", "creating", "Creating node instance", "created", "Node instance created",
			"Creating node instance: nothing to do")
	} else {
		s.out.add(s.ev("Creating node instance: nothing to do"))
	}
	if !i.in("started", "starting", "configured") {
		s.relationships("preconfigure", "Pre-configuring relationships", "Relationships pre-configured", false)
		s.stated(lifecycle+"configure", "configuring", "Configuring node instance", "configured", "Node instance configured",
			"Configuring node instance: nothing to do")
	} else {
		s.out.add(s.ev("Configuring node instance: nothing to do"))
	}
	if !i.in("started") {
		s.relationships("postconfigure", "Post-configuring relationships", "Relationships post-configured", false)
		s.stated(lifecycle+"start", "starting", "Starting node instance", "", "", "Starting node instance: nothing to do")
		if i.Node.IsHost() {
			s.hostStarted()
		}
		s.framed(lifecycle+"poststart", "Poststarting node instance", "Node instance poststarted",
			"Poststarting node instance: nothing to do")
		s.out.add(s.op(monitoring + "start"))
		s.relationships("establish", "Establishing relationships", "Relationships established", false)
	}
	// A host always has something to do, as far as the original is concerned.
	if !s.real() && (!i.Node.IsHost() || i.in("started")) {
		s.out = before
		s.out.add(s.st("started"), s.ev("Node instance started (nothing to do)"))
		return
	}
	before.add(s.st("initializing"))
	s.out = append(before, s.out...)
	s.out.add(s.st("started"), s.ev("Node instance started"))
}

// uninstall builds the sequence that takes an instance down.
func (s *sequencer) uninstall() {
	i := s.i
	if i.in("stopped", "deleting", "deleted", "uninitialized", "configured") {
		s.out.add(s.ev("Validating node instance after deletion: nothing to do"))
		s.out.add(s.ev("Stop: instance already " + i.State))
	} else {
		s.stop()
	}
	if !i.in("stopped", "deleting", "deleted") {
		s.out.add(s.st("stopped"))
	}
	s.remove()
	if !i.in("deleted") {
		s.out.add(s.st("deleted"), s.ev("Deleted node instance"))
	}
}

// stop builds all that takes down an instance that runs, or may.
func (s *sequencer) stop() {
	s.out.add(s.st("stopping"), s.ev("Stopping node instance"))
	s.framed(validation+"delete", "Validating node instance before deletion", "Node instance validated before deletion",
		"Validating node instance after deletion: nothing to do")
	s.out.add(s.op(monitoring + "stop"))
	s.framed(lifecycle+"prestop", "Prestopping node instance", "Node instance prestopped", "")
	if s.i.Node.IsHost() {
		s.hostStopping()
	}
	if t := s.op(lifecycle + "stop"); t != nil {
		s.out.add(t)
		s.out.add(s.ev("Stopped node instance"))
	} else {
		s.out.add(s.ev("Stopped node instance: nothing to do"))
	}
}

func (s *sequencer) remove() {
	if s.i.in("deleted", "uninitialized") {
		s.out.add(s.ev("Delete: instance already " + s.i.State))
		return
	}
	s.relationships("unlink", "Unlinking relationships", "Relationships unlinked", true)
	s.stated(lifecycle+"delete", "deleting", "Deleting node instance", "", "", "Deleting node instance: nothing to do")
	s.framed(lifecycle+"postdelete", "Postdeleting node instance", "Node instance postdeleted", "")
}

// relationships adds a subgraph with the source and target operations of the
// instance's relationships, target node by target node.
func (s *sequencer) relationships(name, before, after string, reverse bool) {
	rels := s.i.perTarget()
	if reverse {
		slices.Reverse(rels)
	}
	var groups items
	for k := 0; k < len(rels); {
		var group []*graph.Task
		target := rels[k].TargetName
		for ; k < len(rels) && rels[k].TargetName == target; k++ {
			group = append(group, s.both(rels[k], relLife+name)...)
		}
		groups.add(group...)
	}
	if len(groups) == 0 {
		return
	}
	s.out.add(s.ev(before))
	sub := s.g.AddSubgraph(s.sub, relLife+name+"_subgraph", 0)
	seq := s.g.NewSequence(sub)
	for _, group := range groups {
		seq.Add(group...)
	}
	s.out.add(sub)
	s.out.add(s.ev(after))
}

// perTarget lists the instance's relationships, one to each target: of several
// the last one, in the place of the first.
func (i *Instance) perTarget() []plan.InstanceRelationship {
	var list []plan.InstanceRelationship
	at := map[string]int{}
	for _, r := range i.Relationships {
		if k, again := at[r.TargetID]; again {
			list[k] = r
			continue
		}
		at[r.TargetID] = len(list)
		list = append(list, r)
	}
	return list
}

func (s *sequencer) both(r plan.InstanceRelationship, name string) []*graph.Task {
	target := s.d.Instance(r.TargetID)
	declared, ok := s.i.Node.declared(r)
	if target == nil || !ok {
		return nil
	}
	var tasks []*graph.Task
	for _, onTarget := range []bool{false, true} {
		t, err := s.relationshipOperation(s.i, target, declared, name, onTarget)
		if err != nil && s.err == nil {
			s.err = err
		}
		if t != nil {
			tasks = append(tasks, t)
		}
	}
	return tasks
}

func installMethod(n *Node) string {
	if v, ok := n.Properties["install_agent"]; ok {
		switch v {
		case false:
			return "none"
		case true:
			return "remote"
		}
	}
	config, _ := n.Properties["agent_config"].(map[string]any)
	method, _ := config["install_method"].(string)
	if method == "" {
		return "none"
	}
	return method
}

func (s *sequencer) hostStarted() {
	if t := s.op(hostState); t != nil && s.d.DryRun {
		s.out.add(t)
	} else if t != nil {
		t.OnSuccess = &graph.Handler{Name: handlerHostState}
		s.out.add(t)
	}
	if method := installMethod(s.i.Node); method != "none" {
		s.framed(agentIface+"create", "Creating agent", "Agent created", "")
		if method == "plugin" || method == "init_script" {
			s.framed(agentIface+"start", "Waiting for agent to start", "Agent started", "")
		}
	}
	s.out.add(s.op(monitorIf + "install"))
	s.out.add(s.op(monitorIf + "start"))
}

func (s *sequencer) hostStopping() {
	s.out.add(s.op(monitorIf + "stop"))
	s.out.add(s.op(monitorIf + "uninstall"))
	method := installMethod(s.i.Node)
	if method == "none" {
		return
	}
	stop := "stop_amqp"
	if method == "remote" {
		stop = "stop"
	}
	s.framed(agentIface+stop, "Stopping agent", "", "")
	s.framed(agentIface+"delete", "Deleting agent", "Agent deleted", "")
}

// processor builds the graph of a lifecycle workflow.
type processor struct {
	builder
	selected []*Instance
	intact   []*Instance
	up       bool // install-like: targets before sources
	apart    bool // instances that stay run nothing, they only pass on the order
	// modified has relationships, target nodes by source node, that count as acted
	// on though their instances stay.
	modified map[string][]string
	// lost has relationships of instances that are going, by source instance:
	// they count also where there are others to the same targets.
	lost map[string][]plan.InstanceRelationship
	// build fills the sequence of one instance.
	build func(s *sequencer)
	name  func(i *Instance) string
	// handler is the failure handler of instance subgraphs; "" for none.
	handler string
}

func (p *processor) graph(ids graph.IDs) (*graph.Graph, error) {
	g := graph.New(ids)
	subs := make(map[string]*graph.Task, len(p.selected)+len(p.intact))
	following := map[string]map[string][]*graph.Task{}
	for _, i := range p.intact {
		subs[i.ID] = g.AddSubgraph(nil, "stub_"+i.ID, 0)
	}
	for _, i := range p.selected {
		sub := g.AddSubgraph(nil, p.name(i), p.d.Settings.SubgraphRetries)
		if p.handler != "" && p.d.Settings.SubgraphRetries != 0 {
			sub.OnFailure = &graph.Handler{Name: p.handler, Args: map[string]any{"instance": i.ID}}
		}
		subs[i.ID] = sub
		after, err := fill(&p.builder, g, sub, i, p.build)
		if err != nil {
			return nil, err
		}
		following[i.ID] = after
	}
	for _, i := range p.selected {
		if err := p.order(g, subs, following, i); err != nil {
			return nil, err
		}
	}
	acted := make(map[string]bool, len(p.selected))
	for _, i := range p.selected {
		acted[i.ID] = true
	}
	for _, i := range p.intact {
		if err := p.reconnect(g, subs, following, acted, i); err != nil {
			return nil, err
		}
	}
	g.Optimize()
	return g, nil
}

// fill puts an instance's sequence into its subgraph and returns, for each
// operation, the tasks that directly follow it.
func fill(b *builder, g *graph.Graph, sub *graph.Task, i *Instance, build func(*sequencer)) (map[string][]*graph.Task, error) {
	s := &sequencer{builder: b, g: g, sub: sub, i: i}
	build(s)
	if s.err != nil {
		return nil, fmt.Errorf("%s: %w", i.ID, s.err)
	}
	seq := g.NewSequence(sub)
	after := map[string][]*graph.Task{}
	for k, item := range s.out {
		seq.Add(item...)
		for _, t := range item {
			if op, ok := t.Payload.(*OperationPayload); ok && k+1 < len(s.out) {
				after[op.Operation] = s.out[k+1]
			}
		}
	}
	return after, nil
}

// order makes an instance's subgraph wait for those of its targets when
// installing, and the targets' for it when uninstalling.
func (p *processor) order(g *graph.Graph, subs map[string]*graph.Task, following map[string]map[string][]*graph.Task, i *Instance) error {
	for _, r := range i.perTarget() {
		target := subs[r.TargetID]
		if target == nil {
			continue
		}
		source := subs[i.ID]
		if !p.up {
			source, target = target, source
		}
		declared, _ := i.Node.declared(r)
		if declared.IsA(byOperation) {
			operation, _ := declared.Properties["operation"].(string)
			from := following[r.TargetID]
			if !p.up {
				from = following[i.ID]
			}
			for _, t := range from[lifecycle+operation] {
				if err := g.Depend(source, t); err != nil {
					return err
				}
			}
			continue
		}
		if err := g.Depend(source, target); err != nil {
			return err
		}
	}
	return nil
}

// reconnect runs establish, or unlink, of an instance that stays as it is
// towards those that are acted on. It also passes order on between those that
// are acted on, through any number of instances that stay.
func (p *processor) reconnect(
	g *graph.Graph, subs map[string]*graph.Task, following map[string]map[string][]*graph.Task, acted map[string]bool, i *Instance,
) error {
	if err := p.order(g, subs, following, i); err != nil {
		return err
	}
	if p.apart {
		return nil
	}
	rels, name := i.perTarget(), "establish"
	if lost := p.lost[i.ID]; len(lost) > 0 {
		going := make(map[string]plan.InstanceRelationship, len(lost))
		for _, r := range lost {
			going[r.TargetID] = r
		}
		for k, r := range rels {
			if l, ok := going[r.TargetID]; ok {
				rels[k] = l
			}
		}
	}
	b := p.builder
	if !p.up {
		slices.Reverse(rels)
		name, b.ignore = "unlink", true
	}
	s := &sequencer{builder: &b, g: g, sub: subs[i.ID], i: i}
	seq := g.NewSequence(subs[i.ID])
	for _, r := range rels {
		if !acted[r.TargetID] && !slices.Contains(p.modified[i.NodeID], r.TargetName) {
			continue
		}
		tasks := s.both(r, relLife+name)
		if len(tasks) == 0 && b.ignore {
			// The original's subgraphs show up in events even if there is nothing in
			// them to run, as long as failures in them are ignored.
			tasks = append(tasks, &graph.Task{Kind: graph.NOP, Name: "NOP", OnFailure: &graph.Handler{Name: handlerIgnore, Ignores: true}})
		}
		for _, t := range tasks {
			seq.Add(t)
		}
	}
	return s.err
}
