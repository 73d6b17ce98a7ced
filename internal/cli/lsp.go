package cli

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"windlass/internal/lsp"
)

func (a *app) lspCommand() *cobra.Command {
	c := leaf("lsp", "Serve editors over standard input and output: diagnostics, completion, hover, definitions", cobra.NoArgs,
		func(c *cobra.Command, _ []string) error {
			opts, err := a.blueprintOptions()
			if err != nil {
				return err
			}
			return lsp.Serve(c.Context(), a.Stdin, a.Stdout, lsp.Options{
				Version: a.Version, Blueprint: opts, Bundled: filepath.Join(a.home, "bundled"),
			})
		})
	c.Flags().Bool("stdio", true, "how editors say that they use standard input and output")
	return c
}
