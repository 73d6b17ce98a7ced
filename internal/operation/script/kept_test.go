package script_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/operation"
	"windlass/internal/operation/operationtest"
	"windlass/internal/operation/script"
	"windlass/internal/operation/warden"
)

// life is what a manager that dies is to do: to run a script until it wants the
// manager dead (a file named die).
type life struct {
	Root, Work, Name, Source string
	Inputs                   map[string]any
	Python                   string
	Alone                    bool          // without a warden
	Lease                    time.Duration // from the beginning; 0: none
}

// beManagerThatDies runs a script and dies as kill -9 does.
func beManagerThatDies(spec string) {
	var l life
	if err := json.Unmarshal([]byte(spec), &l); err != nil {
		panic(err)
	}
	c := script.Config{Root: l.Root, Python: l.Python, Warden: theWarden}
	if l.Alone {
		c.Warden = alone
	}
	r, err := script.New(c)
	if err != nil {
		panic(err)
	}
	host := newHost()
	host.Resources[l.Name] = l.Source
	ended := make(chan struct{})
	req := l.request()
	if l.Lease > 0 {
		req.Lease = leaseFor(l.Lease)
	}
	go func() {
		_, _ = r.Run(context.Background(), req, host)
		close(ended)
	}()
	for {
		if _, err := os.Stat(filepath.Join(l.Work, "die")); err == nil {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		select {
		case <-ended: // its outcome is not stored: there is no Settled
			if l.Lease > 0 { // it may have lapsed before it came to that
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (l life) request() *operation.Request {
	inputs := map[string]any{"script_path": l.Name}
	for k, v := range l.Inputs {
		inputs[k] = v
	}
	return &operation.Request{
		TaskID: "task-1", ExecutionID: "exec-1", Name: "cloudify.interfaces.lifecycle.create",
		Implementation: "script_runner.tasks.run", Inputs: inputs, WorkDir: l.Work,
		Self: operation.Subject{NodeID: "web", InstanceID: "web_1"},
	}
}

// live runs a manager until it is dead.
func (l life) live(t *testing.T) {
	t.Helper()
	spec, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.StartProcess(os.Args[0], []string{os.Args[0], "manager-that-dies", string(spec)},
		&os.ProcAttr{Files: []*os.File{nil, nil, os.Stderr}, Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	if state, err := p.Wait(); err != nil || state.Success() {
		t.Fatalf("the manager ended with %v, %v", state, err)
	}
}

func newLife(t *testing.T, name, source string) life {
	t.Helper()
	return life{Root: t.TempDir(), Work: t.TempDir(), Name: name, Source: source, Python: python()}
}

// nextManager opens a runner at the root of one that died.
func (l life) nextManager(t *testing.T, keep bool) (*script.Runner, []script.Orphan) {
	t.Helper()
	r := newRunner(t, func(c *script.Config) { c.Root = l.Root })
	orphans, err := r.Reap(t.Context(), func(_ context.Context, task string) (bool, error) {
		if task != "task-1" {
			t.Errorf("asked about %q", task)
		}
		return keep, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, orphans
}

func (l life) goesOn(t *testing.T, r *script.Runner) (any, *operationtest.Host, error) {
	t.Helper()
	host := newHost()
	req := l.request()
	req.Resume = true
	result, err := r.Run(t.Context(), req, host)
	r.Settled(req.TaskID)
	return result, host, err
}

const shellThatOutlives = `#!/bin/bash
set -e
echo begun >>runs
ctx instance runtime-properties before death
echo before
touch die
until [ -e ../go-%s ]; do [ -e go ] && break; sleep 0.01; done
echo after
ctx instance runtime-properties after life
ctx returns @'{"answer": 42}'
`

// A script goes on while there is no manager, waits for one when it needs its
// context, and its end is learnt by the next.
func TestScriptOutlivesManager(t *testing.T) {
	t.Parallel()
	l := newLife(t, "s.sh", strings.ReplaceAll(shellThatOutlives, "%s", "never"))
	l.live(t)
	if err := os.WriteFile(filepath.Join(l.Work, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, orphans := l.nextManager(t, true)
	if len(orphans) > 0 || r.Left() != 1 {
		t.Fatalf("orphans %v, %d left", orphans, r.Left())
	}
	result, host, err := l.goesOn(t, r)
	mustSucceed(t, err, host)
	if diff := cmp.Diff(map[string]any{"answer": int64(42)}, result); diff != "" {
		t.Error(diff)
	}
	properties := host.Runtime("web_1")
	if properties["before"] != "death" || properties["after"] != "life" {
		t.Errorf("runtime properties %v", properties)
	}
	runs, err := os.ReadFile(filepath.Join(l.Work, "runs"))
	if err != nil || string(runs) != "begun\n" {
		t.Errorf("it ran %q, %v", runs, err)
	}
	if !slices.ContainsFunc(host.Lines(), func(line operationtest.Line) bool { return line.Message == "<out> after" }) {
		t.Errorf("log %v", host.Lines())
	}
	if r.Left() != 0 {
		t.Error("still left")
	}
}

// The end of a script that came while there was no manager is collected.
func TestEndedWithoutManager(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{
		"after":  "touch die; until [ -e go ]; do sleep 0.01; done; echo last words; exit 9",
		"before": "echo last words; touch die; exit 9", // or so: the manager dies about then
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t, "s.sh", "#!/bin/bash\necho begun >>runs\n"+source)
			l.live(t)
			if err := os.WriteFile(filepath.Join(l.Work, "go"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			awaitFile(t, filepath.Join(l.Root, "runs", "*", "ending"))
			r, _ := l.nextManager(t, true)
			_, host, err := l.goesOn(t, r)
			e := operationError(t, err)
			if e.ExitCode == nil || *e.ExitCode != 9 || !strings.Contains(e.Message, "last words") {
				t.Errorf("failed with %+v; log %v", e, host.Lines())
			}
			if runs, _ := os.ReadFile(filepath.Join(l.Work, "runs")); string(runs) != "begun\n" {
				t.Errorf("it ran %q", runs)
			}
		})
	}
}

func awaitFile(t *testing.T, pattern string) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		if found, err := filepath.Glob(pattern); err != nil || len(found) > 0 {
			return
		}
		select {
		case <-look.C:
		case <-t.Context().Done():
			t.Fatalf("%s never came", pattern)
		}
	}
}

func TestPythonOutlivesManager(t *testing.T) {
	t.Parallel()
	l := newLife(t, "s.py", `
import os, time
from cloudify import ctx
ctx.instance.runtime_properties['before'] = 1
ctx.instance.update()
open('runs', 'a').write('begun')
open('die', 'w').close()
while not os.path.exists('go'):
    time.sleep(0.01)
ctx.instance.refresh()
ctx.instance.runtime_properties['after'] = ctx.instance.runtime_properties.get('before', 'forgotten')
ctx.logger.info('back again')
`)
	l.live(t)
	if err := os.WriteFile(filepath.Join(l.Work, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, _ := l.nextManager(t, true)
	_, host, err := l.goesOn(t, r)
	mustSucceed(t, err, host)
	// The host of the first life is gone with its memory, so what it stored is.
	if got := host.Runtime("web_1")["after"]; got != "forgotten" {
		t.Errorf("after: %v", got)
	}
	if runs, _ := os.ReadFile(filepath.Join(l.Work, "runs")); string(runs) != "begun" {
		t.Errorf("it ran %q", runs)
	}
}

// A manager that stops in order leaves its scripts to the next, too.
func TestStopLeavesScripts(t *testing.T) {
	t.Parallel()
	l := newLife(t, "s.sh", "#!/bin/bash\ntouch die\nuntil [ -e go ]; do sleep 0.01; done\nexit 4\n")
	first, err := script.New(script.Config{Root: l.Root, Python: l.Python, Warden: theWarden})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	host := newHost()
	host.Resources[l.Name] = l.Source
	go func() {
		_, err := first.Run(ctx, l.request(), host)
		ended <- err
	}()
	awaitFile(t, filepath.Join(l.Work, "die"))
	first.Leave()
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(l.Work, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	awaitFile(t, filepath.Join(l.Root, "runs", "*", warden.EndingFile))
	dirs, err := filepath.Glob(filepath.Join(l.Root, "runs", "*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("run directories %v, %v", dirs, err)
	}
	if status, ok := warden.Ending(dirs[0]); !ok || status.ExitStatus() != 4 {
		t.Errorf("ended with %v, %v", status, ok)
	}
}

// A script that nobody wants any more is ended; one that is to be run anew is
// ended first.
func TestLeftScriptsEnd(t *testing.T) {
	t.Parallel()
	source := "#!/bin/bash\necho $$ >>pids\ntouch die\n[ -e second ] || sleep 600\n"
	for name, anew := range map[string]bool{"not wanted": false, "run anew": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t, "s.sh", source)
			l.live(t)
			r, orphans := l.nextManager(t, anew)
			if anew {
				if err := os.WriteFile(filepath.Join(l.Work, "second"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
				host := newHost()
				host.Resources[l.Name] = l.Source
				_, err := r.Run(t.Context(), l.request(), host)
				mustSucceed(t, err, host)
			} else if len(orphans) != 1 || orphans[0].TaskID != "task-1" || orphans[0].Killed == 0 {
				t.Errorf("orphans %+v", orphans)
			}
			pids, _ := os.ReadFile(filepath.Join(l.Work, "pids"))
			if lines := strings.Fields(string(pids)); len(lines) == 0 || anew != (len(lines) == 2) {
				t.Errorf("ran as %q", pids)
			} else if _, err := os.Stat("/proc/" + lines[0] + "/fd/0"); err == nil {
				t.Errorf("process %s lives", lines[0])
			}
		})
	}
}

// Without a warden a script ends with its manager, and nothing is taken up.
func TestWithoutWardenScriptsEndWithTheManager(t *testing.T) {
	t.Parallel()
	l := newLife(t, "s.sh", "#!/bin/bash\necho $$ >pid\ntouch die\n[ -e second ] || exec sleep 600\n")
	l.Alone = true
	l.live(t)
	r, orphans := l.nextManager(t, true)
	if len(orphans) != 1 || orphans[0].TaskID != "task-1" || r.Left() != 0 {
		t.Errorf("orphans %+v, %d left", orphans, r.Left())
	}
	pid, err := os.ReadFile(filepath.Join(l.Work, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/" + strings.TrimSpace(string(pid)) + "/fd/0"); err == nil {
		t.Errorf("process %s lives", pid)
	}
}

// What a script does and how it ends is the same without a warden.
func TestWithoutWarden(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		source  string
		inputs  map[string]any
		timeout time.Duration
		result  any
		failure string
	}{
		"returns":        {source: "#!/bin/bash\nctx returns \"$word\"", inputs: map[string]any{"word": "hello"}, result: "hello"},
		"fails":          {source: "#!/bin/bash\necho why >&2; exit 3", failure: "exit_code: 3"},
		"is killed":      {source: "#!/bin/bash\nkill -9 $$", failure: "exit_code: -9"},
		"can't start":    {source: "#!/no/such/interpreter\n", failure: "exit_code: 127"},
		"takes too long": {source: "#!/bin/bash\nsleep 600", timeout: 20 * time.Millisecond, failure: "timeout of 0.02 seconds"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t, func(c *script.Config) { c.Warden = alone })
			host := newHost()
			host.Resources["s.sh"] = tc.source
			inputs := map[string]any{"script_path": "s.sh"}
			for k, v := range tc.inputs {
				inputs[k] = v
			}
			req := request(t, inputs)
			req.Timeout = tc.timeout
			result, err := r.Run(t.Context(), req, host)
			if tc.failure == "" {
				mustSucceed(t, err, host)
			} else if err == nil || !strings.Contains(err.Error(), tc.failure) {
				t.Errorf("failed with %v", err)
			}
			if !cmp.Equal(result, tc.result) {
				t.Errorf("result %v", result)
			}
		})
	}
}

// A timeout counts from the beginning, not from the manager's return; a cancel
// reaches a script that was taken up.
func TestTakenUpIsStopped(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"timeout", "cancel"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			l := newLife(t, "s.sh", "#!/bin/bash\ntouch die\nsleep 600\n")
			l.live(t)
			r, _ := l.nextManager(t, true)
			req := l.request()
			req.Resume = true
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if how == "timeout" {
				req.Timeout = time.Millisecond
			} else {
				go func() { // ends with Left, which ends with Run's beginning
					for r.Left() > 0 {
						runtime.Gosched()
					}
					cancel()
				}()
			}
			_, err := r.Run(ctx, req, newHost())
			r.Settled(req.TaskID)
			if err == nil || how == "timeout" && !strings.Contains(err.Error(), "timeout of 0.001 seconds") {
				t.Errorf("ended with %v", err)
			}
		})
	}
}
