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
)

// Func is a workflow. After a crash it runs again from the top, and its graphs
// go on where they were.
type Func func(ctx context.Context, h Host, parameters map[string]any) error

// Deployment is a snapshot of a deployment.
type Deployment struct {
	ID          string
	ExecutionID string // on whose behalf it was read
	WorkflowID  string
	Nodes       map[string]*Node
	Instances   []*Instance // in stored order
	Groups      map[string]plan.ScalingGroup
	Settings    Settings
	DryRun      bool
	Resume      bool

	byID   map[string]*Instance
	inside map[string][]string // what is contained in an instance directly
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
	Operations    map[string]*plan.Operation
	Relationships []plan.Relationship
	Plugins       []plan.Plugin
	HostID        string
	Count         int // instances it should have, in each container
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

// declared returns the node's relationship that an instance's was made from.
// While a relationship is being replaced there are two to the same target.
func (n *Node) declared(r plan.InstanceRelationship) (plan.Relationship, bool) {
	for i := len(n.Relationships) - 1; i >= 0; i-- {
		if n.Relationships[i].TargetID == r.TargetName && n.Relationships[i].Type == r.Type {
			return n.Relationships[i], true
		}
	}
	return n.relationship(r.TargetName)
}

// Instance is an instance of a node.
type Instance struct {
	ID               string
	NodeID           string
	HostID           string
	State            string
	SystemProperties map[string]any
	Relationships    []plan.InstanceRelationship
	ScalingGroups    []plan.GroupInstance
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

// imagine gives instances the state that they would have by now. In a dry run
// nothing was stored, and what comes next must be shown from there; else it does
// nothing.
func (d *Deployment) imagine(instances []*Instance, state string) {
	if !d.DryRun {
		return
	}
	for _, i := range instances {
		i.State = state
	}
}

// these returns the instances with the ids, leaving out those that there are not.
func (d *Deployment) these(ids []string) []*Instance {
	var found []*Instance
	for _, id := range ids {
		if i := d.Instance(id); i != nil {
			found = append(found, i)
		}
	}
	return found
}

// split divides the instances into those with the ids and all others.
func (d *Deployment) split(ids []string) (selected, others []*Instance) {
	chosen := idSet(ids)
	for _, i := range d.Instances {
		if chosen[i.ID] {
			selected = append(selected, i)
		} else {
			others = append(others, i)
		}
	}
	return selected, others
}

// without gives the deployment as if it didn't have the instances.
func (d *Deployment) without(ids map[string]bool) *Deployment {
	c := *d
	c.byID, c.inside, c.Instances = nil, nil, make([]*Instance, 0, len(d.Instances))
	for _, i := range d.Instances {
		if !ids[i.ID] {
			c.Instances = append(c.Instances, i)
		}
	}
	return &c
}

// containedIn lists an instance and all that is contained in it, at any depth.
func (d *Deployment) containedIn(i *Instance) []string {
	if d.inside == nil {
		d.inside = map[string][]string{}
		for _, k := range d.Instances {
			for _, r := range k.Relationships {
				if declared, ok := k.Node.declared(r); ok && declared.IsA(containedIn) {
					d.inside[r.TargetID] = append(d.inside[r.TargetID], k.ID)
				}
			}
		}
	}
	seen := map[string]bool{i.ID: true}
	ids := []string{i.ID}
	for k := 0; k < len(ids); k++ {
		for _, id := range d.inside[ids[k]] {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids
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

// flagOr reads a parameter that is a boolean and has a default.
func flagOr(parameters map[string]any, name string, otherwise bool) bool {
	if b, ok := parameters[name].(bool); ok {
		return b
	}
	return otherwise
}

// anys and strs translate lists of ids to untyped data and back.
func anys(ids []string) []any {
	list := make([]any, len(ids))
	for k, id := range ids {
		list[k] = id
	}
	return list
}

// idSet is for asking often whether a list has an id.
func idSet(ids []string) map[string]bool {
	has := make(map[string]bool, len(ids))
	for _, id := range ids {
		has[id] = true
	}
	return has
}

func strs(v any) []string {
	list, _ := v.([]any)
	var ids []string
	for _, e := range list {
		if id, ok := e.(string); ok {
			ids = append(ids, id)
		}
	}
	return ids
}
