package script

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"windlass/internal/operation/ctxproxy"
	"windlass/internal/value"
)

// pythonCommand tells how to run a script on the framework.
func (r *Runner) pythonCommand(path string) (command, error) {
	interpreter, err := r.interpreter("this operation is a Python script")
	if err != nil {
		return command{}, err
	}
	framework, err := r.frameworkDir()
	if err != nil {
		return command{}, err
	}
	return command{argv: []string{interpreter, filepath.Join(framework, "run_script.py"), path}, text: path, python: true}, nil
}

// interpreter finds Python on the PATH that scripts have.
func (r *Runner) interpreter(why string) (string, error) {
	path := lookUp(r.cfg.Env, "PATH")
	if found := lookPath(r.cfg.Python, path); found != "" {
		return found, nil
	}
	return "", nonRecoverable("%s, but %s was not found on this machine (PATH=%s): install Python 3.8 or newer", why, r.cfg.Python, path)
}

// lookPath finds a program on a PATH that need not be ours; "" if there is none.
func lookPath(program, path string) string {
	if strings.ContainsRune(program, filepath.Separator) {
		if found, err := exec.LookPath(program); err == nil {
			return found
		}
		return ""
	}
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if found, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return found
		}
	}
	return ""
}

// syntaxCache remembers which inline scripts are Python, since asking costs
// the start of an interpreter.
type syntaxCache struct {
	mu    sync.Mutex // guards known
	known map[[sha256.Size]byte]bool
}

// syntaxCacheSize bounds the cache; it starts anew beyond.
const syntaxCacheSize = 10_000

func (c *syntaxCache) get(key [sha256.Size]byte) (isPython, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	isPython, known = c.known[key]
	return isPython, known
}

func (c *syntaxCache) put(key [sha256.Size]byte, isPython bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= syntaxCacheSize {
		c.known = map[[sha256.Size]byte]bool{}
	}
	c.known[key] = isPython
}

var (
	pythonShebang = regexp.MustCompile(`^#!.*\bpython[0-9.]*\b`)
	looksPython   = regexp.MustCompile(`(?m)^(from\s+[\w.]+\s+)?import\s+\w`)
)

// isPython tells whether an inline script is Python: its shebang says so, or,
// without a shebang, it is valid Python.
func (r *Runner) isPython(ctx context.Context, source string) (bool, error) {
	if strings.HasPrefix(source, "#!") {
		return pythonShebang.MatchString(source), nil
	}
	key := sha256.Sum256([]byte(source))
	if isPython, known := r.syntax.get(key); known {
		return isPython, nil
	}
	interpreter, err := r.interpreter("the inline script may be Python")
	if err != nil {
		if looksPython.MatchString(source) {
			return false, err
		}
		return false, nil
	}
	const check = "import ast, sys\ntry:\n ast.parse(sys.stdin.buffer.read())\nexcept (SyntaxError, ValueError, MemoryError, RecursionError):\n sys.exit(3)\n"
	_, err = r.runHelper(ctx, []string{interpreter, "-I", "-S", "-c", check}, r.cfg.Env, []byte(source))
	exit, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		r.syntax.put(key, true)
		return true, nil
	case ended && exit.ExitCode() == 3:
		r.syntax.put(key, false)
		return false, nil
	}
	return false, fmt.Errorf("find out whether the inline script is Python: %w", err)
}

// helperTimeout bounds what helpers may take; they read a text and write one.
const helperTimeout = time.Minute

// runHelper runs a small Python program in a process group of its own. An
// error carries what it wrote to stderr.
func (r *Runner) runHelper(ctx context.Context, argv, env []string, input []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, helperTimeout)
	defer cancel()
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Env, c.Stdin = env, bytes.NewReader(input)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = r.cfg.Grace
	if err := c.Run(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		return nil, fmt.Errorf("%w: %s", err, clean([]byte(lines[len(lines)-1])))
	}
	return stdout.Bytes(), nil
}

// renderer renders Jinja2 templates by way of Python.
type renderer struct{ runner *Runner }

var _ ctxproxy.Renderer = (*renderer)(nil)

// Render renders a template; ctx in it is the operation's context at socketURL.
func (n *renderer) Render(ctx context.Context, socketURL, template string, variables map[string]any) (string, error) {
	r := n.runner
	framework, err := r.frameworkDir()
	if err != nil {
		return "", err
	}
	candidates := n.interpreters()
	input := value.Encode(map[string]any{"template": template, "variables": variables})
	env := append(append([]string{}, r.cfg.Env...), "CTX_SOCKET_URL="+socketURL)
	for _, interpreter := range candidates {
		answer, err := r.runHelper(ctx, []string{interpreter, filepath.Join(framework, "render.py")}, env, input)
		if err != nil {
			return "", err
		}
		reply, err := value.DecodeMap(answer)
		if err != nil {
			return "", fmt.Errorf("the rendering helper answered nonsense: %w", err)
		}
		if text, ok := reply["text"].(string); ok {
			return text, nil
		}
		if missing, _ := reply["missing"].(bool); !missing {
			return "", &ctxproxy.Failure{Type: value.Text(reply["type"]), Message: value.Text(reply["message"])}
		}
	}
	return "", &ctxproxy.Failure{Type: "NonRecoverableError", Message: "templates are rendered by Python's Jinja2, and no Python here has it (tried: " +
		strings.Join(append(candidates, ""), ", ") + "PATH=" + lookUp(r.cfg.Env, "PATH") + "): install python3-jinja2"}
}

// interpreters are those that may have Jinja2: the configured one, and the
// system's own, for which distributions package it.
func (n *renderer) interpreters() []string {
	var list []string
	if found, err := n.runner.interpreter("rendering a template"); err == nil {
		list = append(list, found)
	}
	const system = "/usr/bin/python3"
	if _, err := os.Stat(system); err == nil && n.runner.cfg.Python == "python3" && (len(list) == 0 || list[0] != system) {
		list = append(list, system)
	}
	return list
}
