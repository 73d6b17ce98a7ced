package functions

import (
	"context"

	"windlass/internal/blueprint/plan"
)

// State is what functions ask at run time. Every method is called only when a
// function needs it, and at most once for the same question in one evaluation.
// What is not there is an error; it should be a problem.Problem of kind
// KeyError. A cancelled context gives its error.
type State interface {
	// Input gives the value of an input of the deployment.
	Input(ctx context.Context, name string) (any, error)
	// Node gives a node of the deployment.
	Node(ctx context.Context, id string) (Node, error)
	// Instance gives a node instance of the deployment.
	Instance(ctx context.Context, id string) (Instance, error)
	// Instances gives the instances of a node, an empty list if it has none.
	Instances(ctx context.Context, node string) ([]Instance, error)
	// Secret gives the text of a secret.
	Secret(ctx context.Context, key string) (string, error)
	// Capability gives a capability of some deployment, worked out there.
	Capability(ctx context.Context, deployment, name string) (any, error)
	// GroupCapability gives the capabilities of the deployments of a group, as
	// CollectGroup orders them. names and steps are as there.
	GroupCapability(ctx context.Context, group string, names any, steps []any) (any, error)
	// Label gives the values of a label of the deployment, ordered by time of
	// creation and then by text.
	Label(ctx context.Context, key string) ([]string, error)
	// Consumers gives the deployments that use this one, in a stable order.
	Consumers(ctx context.Context) ([]Consumer, error)
	// Fact gives a property of the tenant ("tenant", "name") or of the
	// deployment ("deployment" and id, name, blueprint or owner).
	Fact(ctx context.Context, entity, property string) (any, error)
}

// Node is what functions need to know of a node.
type Node struct {
	ID            string
	Properties    map[string]any
	Relationships []plan.Relationship // type, its hierarchy and target suffice
}

// Instance is what functions need to know of a node instance.
type Instance struct {
	ID                string
	NodeID            string
	Index             int
	RuntimeProperties map[string]any
	Relationships     []plan.InstanceRelationship
	ScalingGroups     []plan.GroupInstance // innermost first
}

// Consumer is a deployment that uses another.
type Consumer struct{ ID, Name string }

// Scope says what SELF, SOURCE and TARGET mean at run time. All is optional.
type Scope struct {
	Self   string // node instance id
	Source string // node instance id; with Target: within a relationship
	Target string

	// Node is the node that the payload belongs to: where it speaks of that node
	// by name, the instance Self is meant, however many there are.
	Node string

	// Outputs makes a get_attribute for which no single instance can be named
	// give a text that tells so, <ERROR: message>, and not an error.
	Outputs bool

	// Path begins the paths in messages; "payload" if empty.
	Path string
}

// recall asks a State each question once.
type recall struct {
	State
	inputs       map[string]any
	nodes        map[string]Node
	instances    map[string]Instance
	byNode       map[string][]Instance
	secrets      map[string]string
	capabilities map[[2]string]any
	labels       map[string][]string
}

func remember(s State) *recall {
	return &recall{
		State: s, inputs: map[string]any{}, nodes: map[string]Node{}, instances: map[string]Instance{},
		byNode: map[string][]Instance{}, secrets: map[string]string{}, capabilities: map[[2]string]any{},
		labels: map[string][]string{},
	}
}

// once gives what is known under key, or asks and keeps the answer.
func once[K comparable, V any](known map[K]V, key K, ask func() (V, error)) (V, error) {
	if v, ok := known[key]; ok {
		return v, nil
	}
	v, err := ask()
	if err == nil {
		known[key] = v
	}
	return v, err
}

func (r *recall) Input(ctx context.Context, name string) (any, error) {
	return once(r.inputs, name, func() (any, error) { return r.State.Input(ctx, name) })
}

func (r *recall) Node(ctx context.Context, id string) (Node, error) {
	return once(r.nodes, id, func() (Node, error) { return r.State.Node(ctx, id) })
}

func (r *recall) Instance(ctx context.Context, id string) (Instance, error) {
	return once(r.instances, id, func() (Instance, error) { return r.State.Instance(ctx, id) })
}

func (r *recall) Instances(ctx context.Context, node string) ([]Instance, error) {
	list, err := once(r.byNode, node, func() ([]Instance, error) { return r.State.Instances(ctx, node) })
	for _, i := range list {
		r.instances[i.ID] = i
	}
	return list, err
}

func (r *recall) Secret(ctx context.Context, key string) (string, error) {
	return once(r.secrets, key, func() (string, error) { return r.State.Secret(ctx, key) })
}

func (r *recall) Capability(ctx context.Context, deployment, name string) (any, error) {
	return once(r.capabilities, [2]string{deployment, name}, func() (any, error) {
		return r.State.Capability(ctx, deployment, name)
	})
}

func (r *recall) Label(ctx context.Context, key string) ([]string, error) {
	return once(r.labels, key, func() ([]string, error) { return r.State.Label(ctx, key) })
}
