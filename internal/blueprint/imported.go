package blueprint

import (
	"context"

	"windlass/internal/blueprint/compile"
	"windlass/internal/blueprint/imports"
	"windlass/internal/blueprint/problem"
	"windlass/internal/blueprint/yaml"
)

// ParseImported merges a blueprint with everything it imports into one YAML
// document, the form in which another blueprint can import it as blueprint:ID.
// The blueprint is compiled for its errors, but newer elements, calls of
// functions and defaults of inputs are left unchecked, as they will be checked
// where it is imported.
func ParseImported(ctx context.Context, source Source, opts Options) ([]byte, problem.List, error) {
	opts.NoVersionCheck, opts.NoFunctionCheck, opts.NoInputDefaultCheck = true, true, true
	merged, problems := merge(ctx, source, opts)
	if problems.Err() != nil {
		return nil, warnings(problems), failures(problems)
	}
	_, found := compile.Plan(ctx, merged.root, merged.version, compile.Options{
		ScriptExists: opts.scripts(merged.folder).exists, Now: opts.Now,
	})
	problems = append(problems, found...)
	if problems.Err() != nil {
		return nil, warnings(problems), failures(problems)
	}
	text, err := yaml.Write(imports.Standalone(merged.root))
	return text, problems, err
}
