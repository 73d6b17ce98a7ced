package workflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// installNewAgents and validateAgents concern the agents on hosts. This manager
// has none yet: where there is no host with an agent there is nothing to do, and
// else they say so.
func installNewAgents(ctx context.Context, h Host, parameters map[string]any) error {
	return refuseAgents(ctx, h, parameters, "install_new_agents")
}

func validateAgents(ctx context.Context, h Host, parameters map[string]any) error {
	return refuseAgents(ctx, h, parameters, "validate_agents")
}

func refuseAgents(ctx context.Context, h Host, parameters map[string]any, workflow string) error {
	d, err := h.Deployment(ctx)
	if err != nil {
		return err
	}
	hosts, err := d.agentHosts(parameters)
	if err != nil {
		return err
	}
	for _, i := range hosts {
		if i.State != "started" {
			return fmt.Errorf("Node %s is not started (state: %s)", i.ID, i.State)
		}
	}
	if len(hosts) == 0 {
		h.Log(ctx, "info", "No node instance has an agent: nothing to do.")
		return nil
	}
	names := make([]string, len(hosts))
	for k, i := range hosts {
		names[k] = i.ID
	}
	return fmt.Errorf("%s can't be run: this manager has no agents, but these node instances ask for one: %s. "+
		"Operations of hosts without an agent (install_method: none) run on the manager", workflow, strings.Join(names, ", "))
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
