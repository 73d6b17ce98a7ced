package execution

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
	"windlass/internal/topology"
	"windlass/internal/value"
)

// shape is a deployment with its nodes and instances, as stored.
type shape struct {
	deployment store.Deployment
	was        store.Deployment // before an update began to change it
	nodes      []store.Node
	instances  []store.NodeInstance

	nodeAt, instanceAt map[string]int // where they are in the lists, by id
}

func readShape(ctx context.Context, from store.Reader, tenant, deployment string) (*shape, error) {
	d, err := from.GetDeployment(ctx, tenant, deployment)
	if err != nil {
		return nil, err
	}
	of := []store.Filter{tenantIs(d.Tenant), {Field: "deployment_id", Values: []string{d.ID}}}
	nodes, err := from.ListNodes(ctx, store.Query{Filters: of})
	if err != nil {
		return nil, fmt.Errorf("read the nodes of %s: %w", d.ID, err)
	}
	instances, err := from.ListInstances(ctx, store.Query{Filters: of})
	if err != nil {
		return nil, fmt.Errorf("read the node instances of %s: %w", d.ID, err)
	}
	slices.SortStableFunc(nodes.Items, func(a, b store.Node) int { return a.Position - b.Position })
	s := &shape{
		deployment: d, nodes: nodes.Items, instances: instances.Items,
		nodeAt: make(map[string]int, len(nodes.Items)), instanceAt: make(map[string]int, len(instances.Items)),
	}
	for k, n := range s.nodes {
		s.nodeAt[n.ID] = k
	}
	for k, i := range s.instances {
		s.instanceAt[i.ID] = k
	}
	return s, nil
}

// node gives a node by its id; false if there is none.
func (s *shape) node(id string) (store.Node, bool) {
	k, ok := s.nodeAt[id]
	if !ok {
		return store.Node{}, false
	}
	return s.nodes[k], true
}

// find gives an instance by its id, nil if there is none.
func (s *shape) find(id string) *store.NodeInstance {
	k, ok := s.instanceAt[id]
	if !ok {
		return nil
	}
	return &s.instances[k]
}

// modify works out a modification of the shape.
func (s *shape) modify(changes map[string]topology.Change) (topology.Result, error) {
	nodes := s.planNodes()
	return topology.Modify(topology.Modification{
		Nodes: nodes, PreviousNodes: nodes, PreviousInstances: s.planInstances(), Changes: changes, Groups: s.deployment.ScalingGroups,
	}, newSuffix)
}

func (s *shape) planNodes() []*plan.Node {
	nodes := make([]*plan.Node, len(s.nodes))
	for k, n := range s.nodes {
		nodes[k] = &plan.Node{
			Name: n.ID, ID: n.ID, Type: n.Type, TypeHierarchy: n.TypeHierarchy, Properties: n.Properties, Operations: n.Operations,
			Relationships: n.Relationships, HostID: n.HostID, Plugins: n.Plugins, PluginsToInstall: n.PluginsToInstall,
		}
		nodes[k].Capabilities.Scalable.Properties = plan.Scalable{
			Min: value.Any{V: int64(n.Scalable.Min)}, Max: value.Any{V: int64(n.Scalable.Max)}, Default: value.Any{V: int64(n.Scalable.Deploy)},
			Current: value.Any{V: int64(n.Scalable.Current)}, Planned: value.Any{V: int64(n.Scalable.Planned)},
		}
	}
	return nodes
}

func (s *shape) planInstances() []plan.NodeInstance {
	instances := make([]plan.NodeInstance, len(s.instances))
	for k, i := range s.instances {
		instances[k] = plan.NodeInstance{
			Name: i.NodeID, NodeID: i.NodeID, ID: i.ID, HostID: i.HostID, Relationships: i.Relationships, ScalingGroups: i.ScalingGroups,
		}
	}
	return instances
}

// newSuffix draws the random end of an instance id.
func newSuffix() string {
	const letters = "0123456789abcdefghijklmnopqrstuvwxyz"
	b := make([]byte, 6)
	for k := range b {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			return "" // not reached: the system's randomness doesn't fail
		}
		b[k] = letters[n.Int64()]
	}
	return string(b)
}

// setCount changes the numbers of a node or, if there is one of that name, of a
// scaling group.
func (s *shape) setCount(ctx context.Context, tx store.Tx, name string, node func(*store.NodeScale), group func(*plan.Scalable)) error {
	if g, ok := s.deployment.ScalingGroups[name]; ok {
		group(&g.Properties)
		s.deployment.ScalingGroups = maps.Clone(s.deployment.ScalingGroups)
		s.deployment.ScalingGroups[name] = g
		return tx.UpdateDeployment(ctx, s.deployment)
	}
	n, ok := s.node(name)
	if !ok {
		return nil
	}
	node(&n.Scalable)
	return tx.UpdateNode(ctx, n)
}

// grow adds the instances with the mark, and their new relationships to those
// around them.
func (s *shape) grow(ctx context.Context, tx store.Tx, list []plan.NodeInstance, mark string) error {
	index := map[string]int{}
	for _, i := range s.instances {
		index[i.NodeID] = max(index[i.NodeID], i.Index)
	}
	var added []store.NodeInstance
	for _, p := range list {
		if p.Modification == mark && mark == topology.Added {
			index[p.NodeID]++
			added = append(added, store.NodeInstance{
				Tenant: s.deployment.Tenant, DeploymentID: s.deployment.ID, NodeID: p.NodeID, ID: p.ID, HostID: p.HostID, Index: index[p.NodeID],
				State: "uninitialized", Version: 1, RuntimeProperties: map[string]any{}, Relationships: p.Relationships,
				ScalingGroups: p.ScalingGroups, Visibility: s.deployment.Visibility, CreatedBy: s.deployment.CreatedBy,
			})
			continue
		}
		i := s.find(p.ID)
		if i == nil {
			continue
		}
		has := setOf(i.Relationships)
		relationships := slices.Clone(i.Relationships)
		for _, r := range p.Relationships {
			if !has[r] {
				has[r] = true
				relationships = append(relationships, r)
			}
		}
		if err := s.relate(ctx, tx, i, relationships); err != nil {
			return err
		}
	}
	if len(added) == 0 {
		return nil
	}
	return tx.AddInstances(ctx, added)
}

func setOf(list []plan.InstanceRelationship) map[plan.InstanceRelationship]bool {
	set := make(map[plan.InstanceRelationship]bool, len(list))
	for _, r := range list {
		set[r] = true
	}
	return set
}

func (s *shape) relate(ctx context.Context, tx store.Tx, i *store.NodeInstance, relationships []plan.InstanceRelationship) error {
	if slices.Equal(relationships, i.Relationships) {
		return nil
	}
	if relationships == nil {
		relationships = []plan.InstanceRelationship{}
	}
	_, err := tx.UpdateInstance(ctx, store.InstanceUpdate{Tenant: i.Tenant, ID: i.ID, Version: i.Version, Force: true, Relationships: relationships})
	i.Relationships = relationships
	return err
}

// shrink takes away the instances with the mark if that is Removed, and the
// listed relationships of those around them.
func (s *shape) shrink(ctx context.Context, tx store.Tx, list []plan.NodeInstance, mark string) error {
	var gone []string
	for _, p := range list {
		i := s.find(p.ID)
		if p.Modification == mark && mark == topology.Removed {
			gone = append(gone, p.ID)
			continue
		}
		if i == nil {
			continue
		}
		lost := setOf(p.Relationships)
		left := slices.DeleteFunc(slices.Clone(i.Relationships), func(r plan.InstanceRelationship) bool { return lost[r] })
		if err := s.relate(ctx, tx, i, left); err != nil {
			return err
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return tx.DeleteInstances(ctx, s.deployment.Tenant, gone)
}

// restore makes the instances what they were: those that were not there go, all
// others get back what they had.
func (s *shape) restore(ctx context.Context, tx store.Tx, before []wireInstance) error {
	had := map[string]wireInstance{}
	for _, w := range before {
		had[w.ID] = w
	}
	var gone []string
	for _, i := range s.instances {
		w, ok := had[i.ID]
		if !ok {
			gone = append(gone, i.ID)
			continue
		}
		relationships := w.Relationships
		if relationships == nil {
			relationships = []plan.InstanceRelationship{}
		}
		_, err := tx.UpdateInstance(ctx, store.InstanceUpdate{
			Tenant: i.Tenant, ID: i.ID, Version: i.Version, Force: true, State: w.State, RuntimeProperties: orEmpty(w.RuntimeProperties),
			SystemProperties: orEmpty(w.SystemProperties), Relationships: relationships,
		})
		if err != nil {
			return err
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return tx.DeleteInstances(ctx, s.deployment.Tenant, gone)
}

func orEmpty(m value.Map) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}

// wireInstance is a node instance as modifications keep it.
type wireInstance struct {
	ID                string                      `json:"id"`
	NodeID            string                      `json:"node_id"`
	DeploymentID      string                      `json:"deployment_id"`
	HostID            string                      `json:"host_id"`
	Index             int                         `json:"index"`
	State             string                      `json:"state"`
	Version           int                         `json:"version"`
	Tenant            string                      `json:"tenant_name"`
	CreatedBy         string                      `json:"created_by"`
	Visibility        store.Visibility            `json:"visibility"`
	RuntimeProperties value.Map                   `json:"runtime_properties"`
	SystemProperties  value.Map                   `json:"system_properties"`
	Relationships     []plan.InstanceRelationship `json:"relationships"`
	ScalingGroups     []plan.GroupInstance        `json:"scaling_groups"`
}

func wireInstances(instances []store.NodeInstance) []wireInstance {
	list := make([]wireInstance, len(instances))
	for k, i := range instances {
		list[k] = wireInstance{
			ID: i.ID, NodeID: i.NodeID, DeploymentID: i.DeploymentID, HostID: i.HostID, Index: i.Index, State: i.State, Version: i.Version,
			Tenant: i.Tenant, CreatedBy: i.CreatedBy, Visibility: i.Visibility, RuntimeProperties: i.RuntimeProperties,
			SystemProperties: i.SystemProperties, Relationships: i.Relationships, ScalingGroups: i.ScalingGroups,
		}
	}
	return list
}
