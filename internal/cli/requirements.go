package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"windlass/internal/blueprint"
	"windlass/internal/blueprint/problem"
)

func (a *app) requirementsCommand() *cobra.Command {
	var output, file string
	c := leaf("create-requirements PATH", "List what pip needs for a blueprint's plugins", cobra.ExactArgs(1), nil)
	c.RunE = func(c *cobra.Command, args []string) error {
		s, err := openSource(args[0], file)
		if err != nil {
			return err
		}
		defer s.close()
		opts, err := a.blueprintOptions()
		if err != nil {
			return err
		}
		opts.Confine = s.archive != ""
		lines, warnings, err := blueprint.Requirements(c.Context(), blueprint.Source{Path: s.path()}, opts)
		s.name(problem.All(err))
		if err != nil {
			return err
		}
		a.warn(s, warnings)
		text := strings.Join(lines, "\n")
		if len(lines) > 0 {
			text += "\n"
		}
		if output == "" {
			_, err = fmt.Fprint(a.Stdout, text)
			return err
		}
		// Somebody's own requirements are not written over.
		f, err := os.OpenFile(output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return fmt.Errorf("write the requirements: %w", err)
		}
		if _, err := f.WriteString(text); err != nil {
			_ = f.Close()
			return fmt.Errorf("write the requirements: %w", err)
		}
		if err := f.Close(); err != nil {
			return fmt.Errorf("write the requirements: %w", err)
		}
		a.say("Requirements file created successfully --> %s", output)
		return nil
	}
	mainFileFlag(c, &file)
	c.Flags().StringVarP(&output, "output-path", "o", "", "the file to make; printed by default")
	return c
}
