package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"windlass/internal/blueprint"
	"windlass/internal/blueprint/plan"
	"windlass/internal/preparation"
	"windlass/internal/topology"
	"windlass/internal/value"
)

// planOptions are the options of blueprints plan.
type planOptions struct {
	bases  []string
	inputs []string
	deploy bool
	newer  bool
	stdio  bool
	brief  bool
}

// planCommand is for scripts, editors, and whoever wants to see what was made
// of a blueprint. Its answers are JSON, errors too.
func (a *app) planCommand() *cobra.Command {
	var o planOptions
	c := leaf("plan FILE | plan --stdio", "Print a blueprint's plan as JSON", cobra.MaximumNArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case o.stdio && len(args) > 0:
			return usageError{errors.New("--stdio reads its requests from standard input: leave out the file")}
		case o.stdio:
			return answerPlanRequests(c.Context(), a.Stdin, a.Stdout)
		case len(args) == 0:
			return usageError{errors.New("name the blueprint's file, or use --stdio")}
		}
		if o.brief {
			return a.summarise(c.Context(), args[0], o)
		}
		result, err := a.planFile(c.Context(), args[0], o)
		var usage usageError
		switch {
		case errors.As(err, &usage):
			return err
		case err != nil:
			return errors.Join(a.printJSON(object{"error": planError(err)}), silent{err})
		}
		return a.printJSON(result)
	}
	c.Hidden = true
	flags := c.Flags()
	flags.StringArrayVar(&o.bases, "base", nil, "where resources lie; more of them are searched for scripts too")
	flags.StringArrayVarP(&o.inputs, "inputs", "i", nil, "inputs of the deployment plan")
	flags.BoolVar(&o.deploy, "deploy", false, "go on to the deployment plan")
	flags.BoolVar(&o.newer, "no-validate-version", false, "let elements pass that are newer than the blueprint's version")
	flags.BoolVar(&o.brief, "summary", false, "print what is in the plan, for people")
	flags.BoolVar(&o.stdio, "stdio", false, "answer requests from standard input, one JSON object a line")
	return c
}

func (a *app) planFile(ctx context.Context, path string, o planOptions) (any, error) {
	inputs, err := readInputs(o.inputs)
	if err != nil {
		return nil, err
	}
	opts, err := a.planning(o)
	if err != nil {
		return nil, err
	}
	p, warnings, err := blueprint.Parse(ctx, blueprint.Source{Path: path}, opts)
	for _, w := range warnings {
		fmt.Fprint(a.Stderr, w.Text())
	}
	if err != nil || !o.deploy {
		return planResult(p, err)
	}
	d, err := preparation.HandleDeploy(preparation.DeployRequest{Plan: p, Inputs: inputs}, randomIDs())
	return planResult(d, err)
}

func (a *app) planning(o planOptions) (blueprint.Options, error) {
	opts, err := a.blueprintOptions()
	if err != nil {
		return blueprint.Options{}, err
	}
	opts.NoVersionCheck = opts.NoVersionCheck || o.newer
	if len(o.bases) > 0 {
		opts.ResourcesBase, opts.AdditionalResources = o.bases[0], o.bases[1:]
	}
	return opts, nil
}

// summarise prints what is in a plan for people.
func (a *app) summarise(ctx context.Context, path string, o planOptions) error {
	opts, err := a.planning(o)
	if err != nil {
		return err
	}
	p, warnings, err := blueprint.Parse(ctx, blueprint.Source{Path: path}, opts)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		fmt.Fprint(a.Stderr, w.Text())
	}
	instances, err := topology.Expand(p.Nodes, p.ScalingGroups, nil, randomIDs())
	if err != nil {
		return err
	}
	of := map[string]int64{}
	for _, i := range instances {
		of[i.NodeID]++
	}
	var rows []object
	for _, n := range p.Nodes {
		var related []string
		for _, r := range n.Relationships {
			related = append(related, fmt.Sprintf("%s %s", r.Type[strings.LastIndex(r.Type, ".")+1:], r.TargetID))
		}
		rows = append(rows, object{
			"node": n.ID, "type": n.Type, "instances": of[n.ID], "host": n.HostID, "relationships": strings.Join(related, ", "),
			"operations": int64(mapped(n)),
		})
	}
	if err := a.table("Nodes:", []string{"node", "type", "instances", "host", "relationships", "operations"}, rows); err != nil {
		return err
	}
	a.say("%s: %d nodes, %d instances, %d inputs, %d outputs, %d capabilities, %d workflows",
		p.Version.Raw, len(p.Nodes), len(instances), len(p.Inputs), len(p.Outputs), len(p.Capabilities), len(p.Workflows))
	return nil
}

// mapped counts the node's operations that do something, each once.
func mapped(n *plan.Node) int {
	count := 0
	for name, op := range n.Operations {
		if strings.Contains(name, ".") && op.IsMapped() {
			count++
		}
	}
	return count
}

// planResult brings a plan, or whatever else there is, into its JSON shape.
func planResult[T *plan.Plan | *plan.Deployment | any](result T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return value.Of(result)
}
