package preparation

import (
	"context"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/topology"
	"windlass/internal/value"
)

// DeployRequest asks for a deployment plan. Its JSON is what scripts send.
type DeployRequest struct {
	Plan        *plan.Plan `json:"plan"`
	Inputs      value.Map  `json:"inputs"`
	Secrets     *[]string  `json:"secrets"` // names of those that exist; nil: there are no secrets
	RuntimeOnly bool       `json:"runtime_only_evaluation"`
	AutoCorrect bool       `json:"auto_correct_types"`
}

// HandleDeploy prepares a deployment plan.
func HandleDeploy(r DeployRequest, ids topology.IDSource) (*plan.Deployment, error) {
	if r.Plan == nil {
		return nil, problem.New(problem.KeyMissing, "the request has no plan")
	}
	if err := named(r.Plan.Nodes); err != nil {
		return nil, err
	}
	opts := Options{Inputs: r.Inputs, RuntimeOnly: r.RuntimeOnly, AutoCorrect: r.AutoCorrect, IDs: ids}
	if r.Secrets != nil {
		known := map[string]bool{}
		for _, name := range *r.Secrets {
			known[name] = true
		}
		opts.HasSecret = func(name string) (bool, error) { return known[name], nil }
	}
	return Deploy(r.Plan, opts)
}

// ExpandRequest asks for the instances of nodes.
type ExpandRequest struct {
	Nodes  []*plan.Node                 `json:"nodes"`
	Groups map[string]plan.ScalingGroup `json:"scaling_groups"`
}

// HandleExpand makes the instances of nodes.
func HandleExpand(r ExpandRequest, ids topology.IDSource) ([]plan.NodeInstance, error) {
	if err := named(r.Nodes); err != nil {
		return nil, err
	}
	return topology.Expand(r.Nodes, r.Groups, nil, ids)
}

// ModifyRequest asks what scaling changes.
type ModifyRequest = topology.Modification

// HandleModify works out what scaling changes.
func HandleModify(r ModifyRequest, ids topology.IDSource) (topology.Result, error) {
	if err := named(r.Nodes); err != nil {
		return topology.Result{}, err
	}
	if err := named(r.PreviousNodes); err != nil {
		return topology.Result{}, err
	}
	return topology.Modify(r, ids)
}

// EvaluateRequest asks for the functions in a payload, or in a node, to be
// worked out as at run time.
type EvaluateRequest struct {
	Payload value.Any `json:"payload"`
	Node    value.Map `json:"node"` // instead of Payload, if not nil
	Context struct {
		Self    string `json:"self"`
		Source  string `json:"source"`
		Target  string `json:"target"`
		Outputs bool   `json:"outputs"`
	} `json:"context"`
	State functions.Memory `json:"state"`
}

// HandleEvaluate works out the functions of the request and gives the payload,
// or the node, without them.
func HandleEvaluate(ctx context.Context, r EvaluateRequest) (any, error) {
	scope := functions.Scope{
		Self: r.Context.Self, Source: r.Context.Source, Target: r.Context.Target, Outputs: r.Context.Outputs,
	}
	if len(r.Node) == 0 {
		return functions.Evaluate(ctx, r.Payload.V, scope, r.State.State())
	}
	n := &plan.Node{}
	if err := value.Into(map[string]any(r.Node), n); err != nil {
		return nil, problem.New(problem.BadValue, "read the node: %v", err)
	}
	if err := named([]*plan.Node{n}); err != nil {
		return nil, err
	}
	evaluated, err := functions.EvaluateNode(ctx, n, scope, r.State.State())
	if err != nil {
		return nil, err
	}
	return withProperties(r.Node, evaluated)
}

// withProperties gives a node as it was sent, with the evaluated properties.
func withProperties(sent map[string]any, evaluated *plan.Node) (any, error) {
	result := value.CopyMap(sent)
	if _, ok := sent["properties"]; ok {
		result["properties"] = map[string]any(evaluated.Properties)
	}
	numbers, err := value.Of(evaluated.Capabilities.Scalable.Properties)
	if err != nil {
		return nil, err
	}
	capabilities, _ := result["capabilities"].(map[string]any)
	scalable, _ := capabilities["scalable"].(map[string]any)
	properties, _ := scalable["properties"].(map[string]any)
	for k := range properties {
		if v, ok := numbers.(map[string]any)[k]; ok {
			properties[k] = v
		}
	}
	return result, nil
}

// named sees that every node can be told by its name: a plan that comes from
// outside may say only id, or only name.
func named(nodes []*plan.Node) error {
	for i, n := range nodes {
		switch {
		case n == nil:
			return problem.New(problem.BadValue, "node %d of the plan is null", i)
		case n.Name == "" && n.ID == "":
			return problem.New(problem.KeyMissing, "node %d of the plan has no name", i)
		case n.Name == "":
			n.Name = n.ID
		case n.ID == "":
			n.ID = n.Name
		}
	}
	return nil
}
