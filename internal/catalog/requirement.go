package catalog

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/execution"
	"windlass/internal/store"
	"windlass/internal/value"
)

// checkEnvironment refuses a deployment whose environment lacks capabilities that
// the blueprint asks for with get_environment_capability. It is asked once, when
// the deployment is made: later the environment may change.
func checkEnvironment(ctx context.Context, r store.Reader, d store.Deployment, asked [][]any) error {
	if len(asked) == 0 {
		return nil
	}
	i := slices.IndexFunc(d.Labels, func(l store.Label) bool { return l.Key == ParentLabel })
	if i < 0 {
		return unsatisfied("Environment not found, but environment capabilities are required: %s; "+
			"name the environment with label %s", pathsText(asked), ParentLabel)
	}
	environment, err := r.GetDeployment(ctx, d.Tenant, d.Labels[i].Value)
	if err != nil {
		return fmt.Errorf("read the environment %s: %w", d.Labels[i].Value, err)
	}
	if missing := missingCapabilities(asked, environment.Capabilities); len(missing) > 0 {
		return unsatisfied("Environment %s (%s) does not have the required capabilities: %s",
			environment.DisplayName, environment.ID, pathsText(missing))
	}
	return nil
}

// missingCapabilities lists those of the paths that lead nowhere. What functions
// give is known only when they are evaluated, and passes.
func missingCapabilities(asked [][]any, there map[string]plan.Output) [][]any {
	var missing [][]any
	for _, path := range asked {
		if len(path) == 0 || slices.ContainsFunc(path, functions.Is) {
			continue
		}
		capability, found := there[value.Text(path[0])]
		if !found || !leads(capability.Value.V, path[1:]) {
			missing = append(missing, path)
		}
	}
	return missing
}

// leads tells whether the steps lead into v.
func leads(v any, steps []any) bool {
	for _, step := range steps {
		if functions.Is(v) {
			return true
		}
		switch in := v.(type) {
		case map[string]any:
			found := false
			if v, found = in[value.Text(step)]; !found {
				return false
			}
		case []any:
			i, isNumber := step.(int64)
			if i < 0 {
				i += int64(len(in))
			}
			if !isNumber || i < 0 || i >= int64(len(in)) {
				return false
			}
			v = in[i]
		default:
			return false
		}
	}
	return true
}

func pathsText(paths [][]any) string {
	texts := make([]string, len(paths))
	for i, path := range paths {
		steps := make([]string, len(path))
		for j, step := range path {
			steps[j] = value.Text(step)
		}
		texts[i] = strings.Join(steps, ".")
	}
	return strings.Join(texts, ", ")
}

// unsatisfied words what a blueprint asks for in vain, as clients know it.
func unsatisfied(format string, args ...any) error {
	return refusal(http.StatusBadRequest, execution.CodeBadParameters, fmt.Sprintf(format, args...))
}
