package script

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"windlass/internal/value"

	"windlass/internal/operation/child"
)

// inputs are the inputs of script_runner.tasks.run.
type inputs struct {
	path    string // script_path
	source  string // script_source
	caCert  string // ssl_cert_content
	process process
	rest    map[string]any // all others: the script's own
}

// process is the input of that name.
type process struct {
	env            map[string]any
	cwd            string
	args           []string
	prefix         string // command_prefix
	evalPython     *bool
	logStdout      bool
	logStderr      bool
	stderrToStdout bool
	noProxy        bool // ctx_proxy_type none
}

func readInputs(all map[string]any) (*inputs, error) {
	in := &inputs{rest: map[string]any{}}
	var settings any
	for k, v := range all {
		var err error
		switch k {
		case "script_path":
			in.path, err = text(k, v)
		case "script_source":
			in.source, err = text(k, v)
		case "ssl_cert_content":
			in.caCert, err = text(k, v)
		case "process":
			settings = v
		case "ctx":
		default:
			in.rest[k] = v
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case in.path == "" && in.source == "":
		return nil, nonRecoverable("Either script_path or script_source must be provided")
	case in.path != "" && in.source != "":
		return nil, nonRecoverable("Only provide script_path or script_source, not both")
	}
	var err error
	in.process, err = readProcess(settings)
	return in, err
}

// text reads a text that may be missing; then it is "".
func text(name string, v any) (string, error) {
	switch t := v.(type) {
	case nil:
		return "", nil
	case string:
		return t, nil
	}
	return "", nonRecoverable("%s must be a text, not %s: %s", name, value.TypeName(v), value.Repr(v))
}

func readProcess(v any) (process, error) {
	p := process{logStdout: true, logStderr: true}
	if v == nil {
		return p, nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		return p, nonRecoverable("process must be a dictionary, not %s: %s", value.TypeName(v), value.Repr(v))
	}
	for _, k := range value.SortedKeys(m) {
		if m[k] == nil {
			continue
		}
		if err := p.set(k, m[k]); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (p *process) set(key string, v any) (err error) {
	name := "process." + key
	switch key {
	case "env":
		env, ok := v.(map[string]any)
		if !ok {
			return nonRecoverable("%s must be a dictionary, not %s: %s", name, value.TypeName(v), value.Repr(v))
		}
		p.env = env
	case "cwd":
		p.cwd, err = text(name, v)
	case "args":
		list, ok := v.([]any)
		if !ok {
			return nonRecoverable("%s must be a list, not %s: %s", name, value.TypeName(v), value.Repr(v))
		}
		for _, a := range list {
			p.args = append(p.args, value.Text(a))
		}
	case "command_prefix":
		p.prefix, err = text(name, v)
	case "eval_python":
		var b bool
		b, err = flag(name, v)
		p.evalPython = &b
	case "log_stdout":
		p.logStdout, err = flag(name, v)
	case "log_stderr":
		p.logStderr, err = flag(name, v)
	case "stderr_to_stdout":
		p.stderrToStdout, err = flag(name, v)
	case "ctx_proxy_type":
		switch kind := value.Text(v); kind {
		case "", "auto", "http":
		case "none":
			p.noProxy = true
		default:
			return nonRecoverable("Unsupported proxy type: %s", kind)
		}
	}
	return err // other keys are not ours to judge
}

// flag reads a truth value, also in the words of YAML and shells.
func flag(name string, v any) (bool, error) {
	switch t := v.(type) {
	case bool:
		return t, nil
	case string:
		switch strings.ToLower(t) {
		case "true", "yes", "on":
			return true, nil
		case "false", "no", "off", "":
			return false, nil
		}
	}
	return false, nonRecoverable("%s must be true or false, not %s", name, value.Repr(v))
}

// runsAsPython tells whether the script at path runs on the framework.
func (in *inputs) runsAsPython(path string) bool {
	if in.process.evalPython != nil {
		return *in.process.evalPython
	}
	return strings.EqualFold(filepath.Ext(path), ".py")
}

// environment is what a script finds in its environment. The inputs of a
// Python script are not in there: it has ctx_parameters.
func (r *Runner) environment(in *inputs, isPython bool, url string, dir *runDir) ([]string, error) {
	env := slices.Clone(r.cfg.Env)
	if lookUp(env, "TMPDIR") == "" {
		if dir := lookUp(env, "CFY_EXEC_TEMP"); dir != "" {
			env = append(env, "TMPDIR="+dir)
		}
	}
	given := map[string]any{}
	if !isPython {
		for k, v := range in.rest {
			given[k] = v
		}
	}
	for k, v := range in.process.env {
		given[k] = v
	}
	for _, k := range value.SortedKeys(given) {
		v := envText(given[k])
		switch {
		case k == "" || strings.ContainsAny(k, "=\x00"):
			return nil, nonRecoverable("%q cannot be the name of an environment variable", k)
		case strings.Contains(v, "\x00"):
			return nil, nonRecoverable("the value of %s cannot be an environment variable: it has a NUL character in it", k)
		case len(k)+len(v) > maxVariable:
			return nil, nonRecoverable("the value of %s is too long for an environment variable: %d bytes; the most is %d."+
				" A Python script would get it whole in ctx_parameters", k, len(v), maxVariable)
		}
		env = append(env, k+"="+v)
	}
	if in.process.noProxy && !isPython {
		url = ""
	}
	path := r.binDir()
	if p := lookUp(env, "PATH"); p != "" {
		path += string(filepath.ListSeparator) + p
	}
	if r.keeper != nil { // else it doesn't live to see the manager gone
		env = append(env, fmt.Sprintf("CTX_PATIENCE=%d", int(patienceWithContext.Seconds())))
	}
	return append(env, "CTX_SOCKET_URL="+url, "PATH="+path, child.Marker+"="+dir.path), nil
}

// patienceWithContext is how long a script waits for a manager that is gone to
// come back, when it uses its context.
const patienceWithContext = 10 * time.Minute

// maxVariable is the most that Linux takes for one variable.
const maxVariable = 128<<10 - 2

// envText is an input as an environment variable: structures and truth values
// as JSON, all else as Python prints it.
func envText(v any) string {
	switch v.(type) {
	case bool, []any, map[string]any:
		return value.PythonJSON(v)
	}
	return value.Text(v)
}

// lookUp finds a variable; the last one counts.
func lookUp(env []string, name string) string {
	for _, e := range slices.Backward(env) {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

func (in *inputs) String() string {
	if in.path != "" {
		return in.path
	}
	return fmt.Sprintf("script_source (%d bytes)", len(in.source))
}
