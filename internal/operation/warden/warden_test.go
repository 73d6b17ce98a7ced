package warden_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"windlass/internal/operation/warden"
)

// TestMain is the warden if it is started as one, and a manager that dies at
// once, leaving a process behind, if it is started as that.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "warden":
		if warden.Serve(os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		return
	case len(os.Args) > 1 && os.Args[1] == "manager":
		dieWithProcess(os.Args[2], os.Args[3])
	case len(os.Args) > 1 && os.Args[1] == "holder":
		dieHolding(os.Args[2:]...)
	}
	os.Exit(m.Run())
}

func start(t *testing.T) *warden.Client {
	t.Helper()
	c, err := warden.Start([]string{os.Args[0], os.Args[0], "warden"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// shell is a process that runs a command in a run folder of its own.
func shell(t testing.TB, command string) warden.Process {
	t.Helper()
	return shellIn(t.TempDir(), command)
}

func shellIn(dir, command string) warden.Process {
	out := filepath.Join(dir, "out")
	_ = os.WriteFile(out, nil, 0o600) // if it fails so does the start
	return warden.Process{Argv: []string{"/bin/sh", "-c", command}, Env: os.Environ(), Dir: dir, Stdout: out, Stderr: out, Run: dir}
}

func TestReportsEnds(t *testing.T) {
	t.Parallel()
	c := start(t)
	for name, tc := range map[string]struct {
		command string
		code    int
		signal  syscall.Signal
		output  string
	}{
		"success":          {"echo hello; echo there >&2", 0, -1, "hello\nthere\n"},
		"failure":          {"exit 7", 7, -1, ""},
		"signal":           {"kill -9 $$", -1, syscall.SIGKILL, ""},
		"can be asked":     {"kill -TERM $$; echo still here", -1, syscall.SIGTERM, ""},
		"its own group":    {`test "$(ps -o pgid= -p $$ | tr -d ' ')" = $$`, 0, -1, ""},
		"nothing to read":  {"cat", 0, -1, ""},
		"where it was put": {`pwd`, 0, -1, "DIR\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := shell(t, tc.command)
			r, err := c.Launch(p)
			if err != nil {
				t.Fatal(err)
			}
			<-r.Done
			status, known := r.Status()
			if !known || status.Exited() && status.ExitStatus() != tc.code || status.Signaled() && status.Signal() != tc.signal {
				t.Errorf("ended with %v, %v", status, known)
			}
			out, err := os.ReadFile(p.Stdout)
			if got := strings.ReplaceAll(string(out), p.Dir, "DIR"); err != nil || got != tc.output {
				t.Errorf("wrote %q, %v", got, err)
			}
			if _, written := warden.Ending(p.Run); written {
				t.Error("the end was written though the manager lives")
			}
			r.Settle()
		})
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	c := start(t)
	p := shell(t, "true")
	p.Argv = []string{"/no/such/program"}
	if _, err := c.Launch(p); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing program: %v", err)
	}
	p = shell(t, "true")
	p.Env = []string{"A=" + strings.Repeat("x", 4<<20)}
	if _, err := c.Launch(p); !errors.Is(err, syscall.E2BIG) {
		t.Errorf("a huge environment: %v", err)
	}
	p = shell(t, "true")
	p.Stdout = filepath.Join(p.Dir, "missing")
	if _, err := c.Launch(p); err == nil {
		t.Error("missing output file")
	}
	r, err := c.Launch(shell(t, "true")) // it goes on
	if err != nil {
		t.Fatal(err)
	}
	<-r.Done
}

// dieWithProcess starts one process that has ended when it dies and one that
// has not, and tells the second's number.
func dieWithProcess(quick, slow string) {
	c, err := warden.Start([]string{os.Args[0], os.Args[0], "warden"})
	if err != nil {
		panic(err)
	}
	a, err := c.Launch(shellIn(quick, "exit 3"))
	if err != nil {
		panic(err)
	}
	<-a.Done // and is not settled
	if _, err := c.Launch(shellIn(slow, "until [ -e go ]; do sleep 0.01; done; echo done; exit 5")); err != nil {
		panic(err)
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func TestOutlivesTheManager(t *testing.T) {
	t.Parallel()
	quick, slow := t.TempDir(), t.TempDir()
	manager, err := os.StartProcess(os.Args[0], []string{os.Args[0], "manager", quick, slow}, &os.ProcAttr{Files: []*os.File{nil, nil, os.Stderr}})
	if err != nil {
		t.Fatal(err)
	}
	if state, err := manager.Wait(); err != nil || state.Success() {
		t.Fatalf("the manager ended with %v, %v", state, err)
	}
	if status := awaitEnding(t, quick); status.ExitStatus() != 3 {
		t.Errorf("the one that had ended: %v", status)
	}
	if _, written := warden.Ending(slow); written {
		t.Error("the one that runs has ended")
	}
	if err := os.WriteFile(filepath.Join(slow, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if status := awaitEnding(t, slow); status.ExitStatus() != 5 {
		t.Errorf("the one that ran on: %v", status)
	}
	if out, _ := os.ReadFile(filepath.Join(slow, "out")); string(out) != "done\n" {
		t.Errorf("it wrote %q", out)
	}
}

func awaitEnding(t *testing.T, run string) syscall.WaitStatus {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		if status, written := warden.Ending(run); written {
			return status
		}
		select {
		case <-look.C:
		case <-t.Context().Done():
			t.Fatal("the end was never written")
		}
	}
}

func TestNoWarden(t *testing.T) {
	t.Parallel()
	for name, command := range map[string][]string{
		"nothing": nil, "missing": {"/no/such/program", "x"}, "another program": {"/bin/true", "true"}, "a talkative one": {"/bin/echo", "echo", "hello"},
	} {
		if c, err := warden.Start(command); err == nil {
			t.Errorf("%s: started %v", name, c.PID())
		}
	}
}

func TestWardenDies(t *testing.T) {
	t.Parallel()
	c := start(t)
	r, err := c.Launch(shell(t, "sleep 0.2"))
	if err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(c.PID(), syscall.SIGKILL)
	<-r.Done
	if status, known := r.Status(); known {
		t.Errorf("known to have ended with %v", status)
	}
	<-c.Done()
	if _, err := c.Launch(shell(t, "true")); !errors.Is(err, warden.ErrGone) {
		t.Errorf("started by a dead warden: %v", err)
	}
	r.Settle()
}
