// Package workflow holds the built-in workflows: functions that build task
// graphs from a deployment and have them run, in the original's order of
// steps, states and events.
package workflow

import (
	"context"
	"fmt"
	"slices"
	"time"

	"windlass/internal/blueprint/plan"
	"windlass/internal/graph"
)

// Host is what a workflow may ask of whoever runs it.
type Host interface {
	// Execute runs the named graph to its end: the execution's stored graph of
	// that name if there is one, else the one that build makes, which is stored
	// first. A graph that has ended returns at once. Errors are those of graph.Run.
	Execute(ctx context.Context, name string, handlers map[string]graph.HandlerFunc,
		build func(ids graph.IDs) (*graph.Graph, error)) error
	// Deployment reads the deployment as it is now.
	Deployment(ctx context.Context) (*Deployment, error)
	// Log stores a log line of the execution.
	Log(ctx context.Context, level, message string)
}

// Func is a workflow. After a crash it runs again from the top, and its graphs
// go on where they were.
type Func func(ctx context.Context, h Host, parameters map[string]any) error

// Deployment is a snapshot of a deployment.
type Deployment struct {
	ID        string
	Nodes     map[string]*Node
	Instances []*Instance // in stored order
	Settings  Settings
	DryRun    bool
	Resume    bool

	byID map[string]*Instance
}

// Settings are the defaults for tasks that say nothing themselves.
type Settings struct {
	TaskRetries     int // graph.Infinite for no limit
	RetryInterval   time.Duration
	SubgraphRetries int
}

// Node is a node of the deployment.
type Node struct {
	ID            string
	Type          string
	TypeHierarchy []string
	Properties    map[string]any
	Operations    map[string]plan.Operation
	Relationships []plan.Relationship
	Plugins       []plan.Plugin
	HostID        string
}

// IsHost tells whether the node is a host.
func (n *Node) IsHost() bool { return slices.Contains(n.TypeHierarchy, "cloudify.nodes.Compute") }

// relationship returns the node's relationship to the target node: of several
// the last one.
func (n *Node) relationship(target string) (plan.Relationship, bool) {
	for i := len(n.Relationships) - 1; i >= 0; i-- {
		if n.Relationships[i].TargetID == target {
			return n.Relationships[i], true
		}
	}
	return plan.Relationship{}, false
}

// Instance is an instance of a node.
type Instance struct {
	ID               string
	NodeID           string
	HostID           string
	State            string
	SystemProperties map[string]any
	Relationships    []plan.InstanceRelationship
	Node             *Node
}

// Instance returns an instance by id, or nil.
func (d *Deployment) Instance(id string) *Instance {
	if d.byID == nil {
		d.byID = make(map[string]*Instance, len(d.Instances))
		for _, i := range d.Instances {
			d.byID[i.ID] = i
		}
	}
	return d.byID[id]
}

// filter selects instances by the usual three parameters; all given ones must match.
func (d *Deployment) filter(parameters map[string]any) (selected, others []*Instance, err error) {
	types, err := texts(parameters, "type_names")
	if err != nil {
		return nil, nil, err
	}
	nodes, err := texts(parameters, "node_ids")
	if err != nil {
		return nil, nil, err
	}
	ids, err := texts(parameters, "node_instance_ids")
	if err != nil {
		return nil, nil, err
	}
	for _, i := range d.Instances {
		matches := (len(nodes) == 0 || slices.Contains(nodes, i.NodeID)) &&
			(len(ids) == 0 || slices.Contains(ids, i.ID)) &&
			(len(types) == 0 || slices.ContainsFunc(types, func(t string) bool {
				return slices.Contains(i.Node.TypeHierarchy, t)
			}))
		if matches {
			selected = append(selected, i)
		} else {
			others = append(others, i)
		}
	}
	return selected, others, nil
}

// texts reads a parameter that is a list of strings, or one string, or null.
func texts(parameters map[string]any, name string) ([]string, error) {
	switch v := parameters[name].(type) {
	case nil:
		return nil, nil
	case string:
		if v == "" {
			return nil, nil
		}
		return []string{v}, nil
	case []any:
		list := make([]string, len(v))
		for i, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, fmt.Errorf("parameter %s must be a list of strings, found %v in it", name, e)
			}
			list[i] = s
		}
		return list, nil
	default:
		return nil, fmt.Errorf("parameter %s must be a list of strings, found %v", name, v)
	}
}

func flag(parameters map[string]any, name string) bool {
	b, _ := parameters[name].(bool)
	return b
}
