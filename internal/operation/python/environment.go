package python

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"windlass/internal/blueprint/plan"
	"windlass/internal/operation"
)

// Environments finds the environments that plugins' code runs in.
type Environments interface {
	// Environment returns where the plugin of a deployment is installed; it may
	// install it first, which can take minutes. It stops when ctx ends. An error
	// that trying again can't mend is an *operation.Error that says so.
	Environment(ctx context.Context, q Query) (Environment, error)
}

// Query names a plugin as a deployment uses it.
type Query struct {
	Tenant, DeploymentID, BlueprintID string
	Plugin                            plan.Plugin
}

// Environment is where Python code is found.
type Environment struct {
	// Key names the environment and its present content: workers are kept as
	// long as it stays the same.
	Key string
	// Python is the interpreter: that of a virtualenv for one; "" is the runner's.
	Python string
	// Path are folders that modules are looked for in, before all others but the
	// framework.
	Path []string
}

// OffersNote is a file in a virtualenv that lists, as JSON, folders of packages of
// the interpreter that it was made of. What the original's workers have for all
// plugins is looked for there when it is nowhere else.
const OffersNote = "offers.json"

// none knows the plugins only that bring no code of their own.
type none struct{}

func (none) Environment(_ context.Context, q Query) (Environment, error) {
	return Environment{}, nil
}

// interpreter finds a program on the PATH that workers have.
func (r *Runner) interpreter(python string) (string, error) {
	python = orDefault(python, r.cfg.Python)
	path := lookUp(r.cfg.Env, "PATH")
	if strings.ContainsRune(python, filepath.Separator) {
		if found, err := exec.LookPath(python); err == nil {
			return found, nil
		}
	} else {
		for _, dir := range filepath.SplitList(path) {
			if found, err := exec.LookPath(filepath.Join(dir, python)); err == nil && filepath.IsAbs(dir) {
				return found, nil
			}
		}
	}
	return "", nonRecoverable("Python plugins need an interpreter, and %s was not found on this machine (PATH=%s): install Python 3.8 or newer",
		python, path)
}

// lookUp returns the value of a variable in an environment; "" if it isn't there.
func lookUp(env []string, name string) string {
	value := ""
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			value = v
		}
	}
	return value
}

// workerEnv is the environment of a worker: programs of its interpreter's
// folder are found first, as in a virtualenv that is active.
func (r *Runner) workerEnv(interpreter string) []string {
	dirs := []string{filepath.Dir(interpreter)}
	if r.cfg.Bin != "" {
		dirs = append(dirs, r.cfg.Bin)
	}
	path := strings.Join(append(dirs, lookUp(r.cfg.Env, "PATH")), string(os.PathListSeparator))
	env := append(append([]string{}, r.cfg.Env...), "PATH="+path, "CLOUDIFY_DISPATCH=true")
	if venv := filepath.Dir(filepath.Dir(interpreter)); isVenv(venv) {
		env = append(env, "VIRTUAL_ENV="+venv)
	}
	return env
}

func isVenv(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "pyvenv.cfg"))
	return err == nil
}

func nonRecoverable(format string, args ...any) error {
	return &operation.Error{
		Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: fmt.Sprintf(format, args...),
	}
}
