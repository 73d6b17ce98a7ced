// Package cli runs the command line as its users do: one process a command,
// managers in processes of their own, real scripts.
package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"windlass/internal/cli"
	"windlass/internal/ctxcli"
)

func TestMain(m *testing.M) {
	lastPort.Store(15000 + rand.Int32N(7000))
	testscript.Main(m, map[string]func(){
		"cfy": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			status := cli.Run(ctx, cli.Environment{
				Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Version: "test",
			})
			stop()
			os.Exit(status)
		},
		"ctx": func() {
			os.Exit(ctxcli.Main(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
		},
	})
}

// TestScripts runs testdata/*.txtar. Beside testscript's own commands they have
//
//	manager start|stop|kill    a manager on a free port, its data in $WORK/data
//	exits STATUS CMD ARGS...    like exec, and checks the exit status
//	until PATTERN CMD ARGS...   runs the command until its output matches
//	gobuild PACKAGE FILE        builds a program of this project
func TestScripts(t *testing.T) {
	t.Parallel()
	p := params()
	p.Dir = "testdata"
	testscript.Run(t, p)
}

// TestScriptsBesideTheOriginal runs what concerns Python with an interpreter
// that has the original's own packages, too.
func TestScriptsBesideTheOriginal(t *testing.T) {
	t.Parallel()
	python := os.Getenv("WINDLASS_TEST_PYTHON")
	if python == "" {
		t.Skip("WINDLASS_TEST_PYTHON is not set: run `make test`")
	}
	p := params()
	for _, pattern := range []string{"testdata/flow*.txtar", "testdata/guide.txtar", "testdata/python.txtar"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		p.Files = append(p.Files, files...)
	}
	setup := p.Setup
	p.Setup = func(env *testscript.Env) error {
		env.Setenv("PATH", filepath.Dir(python)+string(os.PathListSeparator)+env.Getenv("PATH"))
		return setup(env)
	}
	testscript.Run(t, p)
}

func params() testscript.Params {
	return testscript.Params{
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("CFY_HOME", filepath.Join(env.WorkDir, "client"))
			env.Values[managerKey{}] = &managerProcess{}
			env.Defer(func() { _ = env.Values[managerKey{}].(*managerProcess).end(os.Kill) })
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"manager": manage, "exits": exits, "until": until, "gobuild": build, "take": take,
		},
	}
}

type managerKey struct{}

// managerProcess is a script's manager.
type managerProcess struct {
	cmd     *exec.Cmd
	address string
}

func manage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: manager start|stop|kill|fails [OPTION]...")
	}
	m := ts.Value(managerKey{}).(*managerProcess)
	switch args[0] {
	case "start":
		ts.Check(m.start(ts, args[1:]))
	case "stop":
		ts.Check(m.end(os.Interrupt))
	case "kill":
		ts.Check(m.end(os.Kill))
	case "fails": // by itself
		if m.cmd == nil || m.cmd.Wait() == nil {
			ts.Fatalf("the manager has not failed")
		}
		m.cmd = nil
	default:
		ts.Fatalf("there is no manager %s", args[0])
	}
}

func (m *managerProcess) start(ts *testscript.TestScript, more []string) error {
	if m.address == "" {
		if err := m.choose(); err != nil {
			return err
		}
	}
	args := append([]string{"manager", "start", "--data-dir", ts.MkAbs("data"), "--listen", m.address}, more...)
	cfy, err := exec.LookPath("cfy")
	if err != nil {
		return err
	}
	m.cmd = exec.Command(cfy, args...)
	m.cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"HOME", "CFY_HOME", "PATH"} {
		m.cmd.Env = append(m.cmd.Env, name+"="+ts.Getenv(name))
	}
	log, err := os.OpenFile(ts.MkAbs("manager.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	m.cmd.Stderr = log
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := m.cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		text, _ := os.ReadFile(log.Name())
		return errors.Join(errors.New("the manager did not come up: "+string(text)), m.end(os.Kill))
	}
	_, rest, _ := strings.Cut(lines.Text(), "http://")
	m.address, _, _ = strings.Cut(rest, ",")
	first := ""
	if strings.Contains(lines.Text(), "First start") || !fileExists(ts.MkAbs("manager.known")) {
		for lines.Scan() { // the first start goes on to tell the password
			first += lines.Text() + "\n"
			if strings.Contains(lines.Text(), "shown this once") {
				break
			}
		}
		if err := os.WriteFile(ts.MkAbs("manager.known"), []byte(first), 0o600); err != nil {
			return err
		}
	}
	ts.Setenv("MANAGER", m.address)
	return nil
}

// lastPort is the port that was chosen last: each script gets others. Those of the
// tests that run beside this one begin elsewhere.
var lastPort atomic.Int32

// choose finds a free address that no connection takes by itself while the
// manager is down: its port is below those that systems give away.
func (m *managerProcess) choose() error {
	var err error
	for range 100 {
		m.address = fmt.Sprintf("127.0.0.1:%d", lastPort.Add(1))
		var l net.Listener
		if l, err = net.Listen("tcp", m.address); err == nil {
			return l.Close()
		}
	}
	return fmt.Errorf("no port is free: %w", err)
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// end stops the manager and waits for it. Without one it does nothing.
func (m *managerProcess) end(with os.Signal) error {
	if m.cmd == nil {
		return nil
	}
	err := m.cmd.Process.Signal(with)
	waited := m.cmd.Wait()
	m.cmd = nil
	if with == os.Kill {
		return nil
	}
	return errors.Join(err, waited)
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS CMD ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s exited with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN CMD ARGS...")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	program, err := exec.LookPath(args[1])
	if err != nil {
		program = ts.MkAbs(args[1])
	}
	var out []byte
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		cmd := exec.Command(program, args[2:]...)
		cmd.Dir = ts.MkAbs(".")
		for _, name := range []string{"HOME", "CFY_HOME", "PATH"} {
			cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
		}
		out, _ = cmd.CombinedOutput()
		if pattern.Match(out) {
			return
		}
	}
	ts.Fatalf("%s never printed %q, but:\n%s", strings.Join(args[1:], " "), args[0], out)
}

// take keeps what a group of the pattern finds in the output of the last
// command, as a variable.
func take(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: take VARIABLE PATTERN")
	}
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	found := pattern.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("the output has nothing like %q", args[1])
	}
	ts.Setenv(args[0], found[1])
}

func build(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: gobuild PACKAGE FILE")
	}
	cmd := exec.Command("go", "build", "-o", ts.MkAbs(args[1]), args[0])
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		ts.Fatalf("build %s: %v\n%s", args[0], err, out)
	}
}
