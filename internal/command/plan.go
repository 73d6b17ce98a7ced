package command

import (
	"errors"

	"github.com/spf13/cobra"

	"windlass/internal/value"
)

func (a *app) planCommand() *cobra.Command {
	c := leaf("plan FILE", "Print the plan of a blueprint", cobra.ExactArgs(1), func(c *cobra.Command, args []string) error {
		s, err := findSource(args[0], "")
		if err != nil {
			return err
		}
		p, err := a.parse(c.Context(), s)
		if err != nil {
			return err
		}
		v, err := value.Of(p)
		if err != nil {
			return err
		}
		return a.printJSON(v)
	})
	c.Hidden = true
	return c
}

var errNoStdio = errors.New("not there yet")
