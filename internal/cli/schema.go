package cli

import (
	"github.com/spf13/cobra"

	"windlass/internal/blueprint/jsonschema"
)

func (a *app) schemaCommand() *cobra.Command {
	var imported bool
	c := leaf("schema", "Print the JSON Schema of the blueprint language, for editors", cobra.NoArgs, nil)
	c.RunE = func(*cobra.Command, []string) error {
		kind := jsonschema.Blueprint
		if imported {
			kind = jsonschema.Imported
		}
		text, err := jsonschema.Write(kind)
		if err != nil {
			return err
		}
		_, err = a.Stdout.Write(text)
		return err
	}
	c.Flags().BoolVar(&imported, "imported", false, "that of a file which is imported")
	return c
}
