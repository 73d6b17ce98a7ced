package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"windlass/internal/blueprint"
	"windlass/internal/blueprint/imports"
)

// configFile is beside the profiles. It is the original's, of which the entries
// for reading blueprints count; the others are let pass.
const configFile = "config.yaml"

// config says how blueprints are read on this machine.
type config struct {
	rules   imports.Rules
	newer   bool // validate_definitions_version: false
	private bool // allow_private_addresses, which the original doesn't have
}

func (a *app) config() (config, error) {
	name := filepath.Join(a.home, configFile)
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return config{}, nil
	}
	if err != nil {
		return config{}, err
	}
	v, err := yamlValue(name, data)
	if err != nil {
		return config{}, err
	}
	entries, ok := v.(object)
	if !ok && v != nil {
		return config{}, fmt.Errorf("%s must be a dictionary", name)
	}
	var c config
	if c.rules, err = imports.ParseRules(entries["import_resolver"]); err != nil {
		return config{}, fmt.Errorf("%s: %w", name, err)
	}
	validate, err := flag(entries, "validate_definitions_version", true)
	if err != nil {
		return config{}, fmt.Errorf("%s: %w", name, err)
	}
	c.newer = !validate
	if c.private, err = flag(entries, "allow_private_addresses", false); err != nil {
		return config{}, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

func flag(entries object, name string, otherwise bool) (bool, error) {
	switch v := entries[name].(type) {
	case nil:
		return otherwise, nil
	case bool:
		return v, nil
	}
	return false, fmt.Errorf("%s must be true or false", name)
}

// blueprintOptions say how blueprints are read that are on this machine.
func (a *app) blueprintOptions() (blueprint.Options, error) {
	c, err := a.config()
	if err != nil {
		return blueprint.Options{}, err
	}
	c.rules.Direct = imports.New(imports.Config{Web: &imports.Web{AllowPrivate: true}})
	return blueprint.Options{
		Rules: c.rules, NoVersionCheck: c.newer,
		Resolver: imports.New(imports.Config{Web: &imports.Web{AllowPrivate: c.private}}),
	}, nil
}
