package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"windlass/internal/blueprint"
	"windlass/internal/blueprint/plan"
	"windlass/internal/preparation"
	"windlass/internal/value"
)

// planOptions are the options of blueprints plan.
type planOptions struct {
	bases  []string
	inputs []string
	deploy bool
	newer  bool
	stdio  bool
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
	flags.BoolVar(&o.stdio, "stdio", false, "answer requests from standard input, one JSON object a line")
	return c
}

func (a *app) planFile(ctx context.Context, path string, o planOptions) (any, error) {
	inputs, err := readInputs(o.inputs)
	if err != nil {
		return nil, err
	}
	opts := blueprint.Options{NoVersionCheck: o.newer}
	if len(o.bases) > 0 {
		opts.ResourcesBase, opts.AdditionalResources = o.bases[0], o.bases[1:]
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

// planResult brings a plan, or whatever else there is, into its JSON shape.
func planResult[T *plan.Plan | *plan.Deployment | any](result T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return value.Of(result)
}
