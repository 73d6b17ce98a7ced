package workflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"windlass/internal/graph"
)

// installNewAgents has the agents of hosts checked, and new ones installed. What
// that means is up to the operations that the hosts' types map; those of the
// bundled types say that this manager installs no agents.
func installNewAgents(ctx context.Context, h Host, parameters map[string]any) error {
	w, err := findAgents(ctx, h, parameters)
	if err != nil || len(w.hosts) == 0 {
		return err
	}
	checks, installs := flagOr(parameters, "validate", true), flagOr(parameters, "install", true)
	return execute(ctx, h, "install_agents", Handlers(w.d, false), func(ids graph.IDs) (*graph.Graph, error) {
		g := graph.New(ids)
		var before, after *graph.Task
		var err error
		if checks {
			if before, err = w.check(g, false, parameters); err != nil {
				return nil, err
			}
		}
		if installs {
			if after, err = w.install(g, parameters); err != nil {
				return nil, err
			}
		}
		if checks && installs {
			if err := g.Depend(after, before); err != nil {
				return nil, err
			}
		}
		g.Optimize()
		return g, nil
	})
}

// validateAgents has the agents of hosts checked.
func validateAgents(ctx context.Context, h Host, parameters map[string]any) error {
	w, err := findAgents(ctx, h, parameters)
	if err != nil || len(w.hosts) == 0 {
		return err
	}
	return execute(ctx, h, "validate_agents", Handlers(w.d, false), func(ids graph.IDs) (*graph.Graph, error) {
		g := graph.New(ids)
		if _, err := w.check(g, true, nil); err != nil {
			return nil, err
		}
		g.Optimize()
		return g, nil
	})
}

// agentWork builds the graphs of the workflows for agents.
type agentWork struct {
	builder
	hosts []*Instance
}

// findAgents looks for the hosts with an agent that the parameters select; all
// of them must run.
func findAgents(ctx context.Context, h Host, parameters map[string]any) (agentWork, error) {
	d, err := h.Deployment(ctx)
	if err != nil {
		return agentWork{}, err
	}
	hosts, err := d.agentHosts(parameters)
	if err != nil {
		return agentWork{}, err
	}
	for _, i := range hosts {
		if i.State != "started" {
			return agentWork{}, fmt.Errorf("Node %s is not started (state: %s)", i.ID, i.State)
		}
	}
	if len(hosts) == 0 {
		h.Log(ctx, "info", "No node instance has an agent: nothing to do.")
	}
	return agentWork{builder{d: d}, hosts}, nil
}

// check adds a subgraph that checks all hosts side by side: the agents that are
// there, or whether new ones could reach the manager.
func (w agentWork) check(g *graph.Graph, current bool, parameters map[string]any) (*graph.Task, error) {
	sub := g.AddSubgraph(nil, "validate", 0)
	for _, i := range w.hosts {
		seq := g.NewSequence(sub)
		t, err := w.operation(i, agentIface+"validate_amqp", map[string]any{
			"current_amqp": current, "manager_ip": parameters["manager_ip"], "manager_certificate": parameters["manager_certificate"],
		}, false)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", i.ID, err)
		}
		add(seq, w.event(i, "Validating agent connection."), t, w.event(i, "Validation done"))
	}
	return sub, nil
}

// install adds a subgraph that installs new agents and starts again what lives
// on the hosts by them.
func (w agentWork) install(g *graph.Graph, parameters map[string]any) (*graph.Task, error) {
	sub := g.AddSubgraph(nil, "install", 0)
	for _, i := range w.hosts {
		s := &sequencer{builder: &w.builder, i: i}
		create, err := w.operation(i, agentIface+"create_amqp", map[string]any{
			"install_agent_timeout": parameters["install_agent_timeout"], "manager_ip": parameters["manager_ip"],
			"manager_certificate": parameters["manager_certificate"], "stop_old_agent": flag(parameters, "stop_old_agent"),
		}, true)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", i.ID, err)
		}
		validate, err := w.operation(i, agentIface+"validate_amqp", map[string]any{"current_amqp": true}, false)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", i.ID, err)
		}
		tasks := []*graph.Task{
			s.ev("Installing new agent"), create, s.ev("New agent installed."), validate, s.op(monitorIf + "install"), s.op(monitorIf + "start"),
		}
		for _, inside := range w.d.these(w.d.containedIn(i)) {
			on := &sequencer{builder: &w.builder, i: inside}
			tasks = append(tasks, on.op(monitoring+"start"))
			s.err = errors.Join(s.err, on.err)
		}
		if s.err != nil {
			return nil, fmt.Errorf("%s: %w", i.ID, s.err)
		}
		add(g.NewSequence(sub), tasks...)
	}
	return sub, nil
}

// add appends tasks one after the other, leaving out those that are nil.
func add(seq *graph.Sequence, tasks ...*graph.Task) {
	for _, t := range tasks {
		if t != nil {
			seq.Add(t)
		}
	}
}

// agentHosts are the hosts that the parameters select: those named, which must
// have an agent, or all that have one of the install methods.
func (d *Deployment) agentHosts(parameters map[string]any) ([]*Instance, error) {
	methods, err := texts(parameters, "install_methods")
	if err != nil {
		return nil, err
	}
	if parameters["install_methods"] == nil {
		methods = []string{"init_script", "plugin", "remote"}
	}
	filters := map[string]any{"node_ids": parameters["node_ids"], "node_instance_ids": parameters["node_instance_ids"]}
	selected, others, err := d.filter(filters)
	if err != nil {
		return nil, err
	}
	named := len(others) > 0 || !isEmpty(filters["node_ids"]) || !isEmpty(filters["node_instance_ids"])
	if !named {
		return slices.DeleteFunc(selected, func(i *Instance) bool {
			return !i.Node.IsHost() || !slices.Contains(methods, installMethod(i.Node))
		}), nil
	}
	var problems []string
	for _, i := range selected {
		switch {
		case !i.Node.IsHost():
			problems = append(problems, fmt.Sprintf("Node instance %s is not host.", i.ID))
		case installMethod(i.Node) == "none":
			problems = append(problems, fmt.Sprintf("Agent should not be installed on node instance %s", i.ID))
		}
	}
	if len(problems) > 0 {
		return nil, errors.New("Specified filters are not correct:\n" + strings.Join(problems, "\n"))
	}
	return selected, nil
}

func isEmpty(v any) bool { return !truthy(v) }
