// Package preparation turns a plan and inputs into a deployment plan: inputs
// resolved, functions worked out as far as they can be, secrets seen to exist,
// node instances made. It is pure but for the questions it is given to ask.
package preparation

import (
	"fmt"
	"strings"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/schema"
	"windlass/internal/topology"
)

// Options are what a deployment is prepared with.
type Options struct {
	Inputs map[string]any

	// RuntimeOnly leaves every function as it stands.
	RuntimeOnly bool

	// AutoCorrect turns texts given for inputs into the type that is wanted.
	AutoCorrect bool

	// HasSecret tells whether a secret exists; nil where there are no secrets.
	HasSecret func(key string) (bool, error)

	// Candidates knows the objects that inputs of object types may name; nil
	// makes such inputs an error.
	Candidates schema.Candidates

	// Taken are ids of node instances that must not be given again.
	Taken []string

	// IDs makes the random ends of instance ids. Required.
	IDs topology.IDSource
}

// Deploy prepares a deployment. The plan is not changed; the result shares with
// it what preparation leaves as it was, so neither must be changed afterwards.
//
// Errors are problems, with all that is wrong in one step at once: first with
// inputs, then with functions, then with secrets, then with instances. An error
// of HasSecret is wrapped.
func Deploy(p *plan.Plan, opts Options) (*plan.Deployment, error) {
	inputs, err := ResolveInputs(p, opts)
	if err != nil {
		return nil, err
	}
	body, err := functions.Prepare(&p.Body, inputs, opts.RuntimeOnly)
	if err != nil {
		return nil, err
	}
	if err := checkSecrets(functions.Secrets(body), opts.HasSecret); err != nil {
		return nil, err
	}
	instances, err := topology.Expand(body.Nodes, body.ScalingGroups, opts.Taken, opts.IDs)
	if err != nil {
		return nil, err
	}
	return &plan.Deployment{
		Body:                     *body,
		Inputs:                   inputs,
		NodeInstances:            instances,
		InterDeploymentFunctions: interDeployment(functions.Dependencies(body), instances),
	}, nil
}

func checkSecrets(names []string, exists func(string) (bool, error)) error {
	if len(names) == 0 {
		return nil
	}
	if exists == nil {
		return problem.New(problem.UnsupportedGetSecret, "The get_secret intrinsic function is not supported")
	}
	var unknown []string
	for _, name := range names {
		ok, err := exists(name)
		if err != nil {
			return fmt.Errorf("look up secret %s: %w", name, err)
		}
		if !ok {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return problem.New(problem.UnknownSecret, "Required secrets: [%s] don't exist in this tenant", strings.Join(unknown, ", ")).
		With("secrets", list(unknown)).WithHint("create them with: cfy secrets create NAME -s VALUE")
}

// interDeployment lists the dependencies on other deployments, one for each
// instance in whose context it will be worked out.
func interDeployment(found []functions.Dependency, instances []plan.NodeInstance) []plan.InterDeploymentFunction {
	byNode := map[string][]plan.NodeInstance{}
	for _, i := range instances {
		byNode[i.NodeID] = append(byNode[i.NodeID], i)
	}
	all := []plan.InterDeploymentFunction{}
	for _, d := range found {
		f := plan.InterDeploymentFunction{FunctionIdentifier: d.Identifier, TargetDeployment: []any{d.Deployment, d.Deployment}}
		if functions.Is(d.Deployment) {
			f.TargetDeployment[0] = nil
		}
		if d.Node == "" {
			f.Context = map[string]string{}
			all = append(all, f)
			continue
		}
		for _, i := range byNode[d.Node] {
			f.Context = map[string]string{"self": i.ID}
			if d.Target != "" {
				target := related(i, d)
				if target == "" {
					continue // the target has no instances: nothing will ask
				}
				f.Context["source"], f.Context["target"] = i.ID, target
			}
			all = append(all, f)
		}
	}
	return all
}

// related is the instance that i has the dependency's relationship to, "" for
// none.
func related(i plan.NodeInstance, d functions.Dependency) string {
	for _, r := range i.Relationships {
		if r.TargetName == d.Target && r.Type == d.Relationship {
			return r.TargetID
		}
	}
	return ""
}
