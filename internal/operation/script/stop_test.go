package script_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"windlass/internal/operation"
	"windlass/internal/operation/operationtest"
	"windlass/internal/operation/script"
)

// family leaves a child, a grandchild, and a grandchild in a session of its
// own, which all tell their numbers in files; then it waits.
const family = `#!/bin/bash
echo $$ > leader
sleep 1000 & echo $! > child
bash -c 'sleep 1000 & echo $! > grandchild; wait' &
setsid bash -c 'echo $$ > detached; exec sleep 1000' &
while [ ! -s grandchild ] || [ ! -s detached ]; do sleep 0.02; done
echo ready
wait
`

// stubborn is family that does not want to end.
const stubborn = `#!/bin/bash
trap '' TERM
` + family

func alive(pid int) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	state := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))[0]
	return state != "Z" && state != "X"
}

func noneAlive(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"leader", "child", "grandchild", "detached"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
		if err != nil {
			t.Error(err)
			continue
		}
		if alive(pid) {
			t.Errorf("the %s, process %d, is still alive", name, pid)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script      string
		recoverable bool
	}{
		"final": {family, false}, "recoverable": {family, true}, "stubborn": {stubborn, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := newHost()
			host.Resources["s.sh"] = c.script
			req := request(t, map[string]any{"script_path": "s.sh"})
			req.Timeout, req.TimeoutRecoverable = 2500*time.Millisecond, c.recoverable
			r := newRunner(t, func(c *script.Config) { c.Grace = 300 * time.Millisecond })
			_, err := r.Run(t.Context(), req, host)
			e := operationError(t, err)
			want := operation.NonRecoverable
			if c.recoverable {
				want = operation.Recoverable
			}
			if e.Message != "Process killed due to timeout of 2.5 seconds" || e.Verdict != want || e.Output != "<out> ready" {
				t.Errorf("%+v", e)
			}
			noneAlive(t, req.WorkDir)
		})
	}
}

// cancelWhenReady runs a script and cancels it when it has said "ready".
func cancelWhenReady(t *testing.T, r *script.Runner, req *operation.Request, host *operationtest.Host) error {
	t.Helper()
	cause := errors.New("cancelled by a person")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	done := make(chan error, 1)
	go func() {
		_, err := r.Run(ctx, req, host)
		done <- err
	}()
	eventually(t, "the script to be ready", func() bool { return strings.Contains(join(host.Output("<out> ")), "ready") })
	cancel(cause)
	err := <-done
	if !errors.Is(err, cause) {
		t.Errorf("the cause is lost: %v", err)
	}
	return err
}

func TestCancelEndsTheWholeFamily(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{"willing": family, "stubborn": stubborn} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := newHost()
			host.Resources["s.sh"] = source
			req := request(t, map[string]any{"script_path": "s.sh"})
			r := newRunner(t, func(c *script.Config) { c.Grace = 300 * time.Millisecond })
			_ = cancelWhenReady(t, r, req, host)
			noneAlive(t, req.WorkDir)
		})
	}
}

func TestAScriptMayCleanUpWhenItIsCancelled(t *testing.T) {
	t.Parallel()
	host := newHost()
	host.Resources["s.sh"] = `#!/bin/bash
ctx instance runtime-properties created disk-1
cleanup() { ctx instance runtime-properties cleaned @true; echo cleaned up; exit 1; }
trap cleanup TERM
echo ready
while :; do sleep 0.02; done
`
	req := request(t, map[string]any{"script_path": "s.sh"})
	_ = cancelWhenReady(t, newRunner(t, nil), req, host)
	got := host.Runtime("web_1")
	if got["created"] != "disk-1" || got["cleaned"] != true {
		t.Errorf("%v\n%v", got, host.Lines())
	}
	if out := join(host.Output("<out> ")); strings.Count(out, "cleaned up") != 1 {
		t.Errorf("%q", out)
	}
}

func TestCancelledBeforeItStarted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newRunner(t, nil).Run(ctx, request(t, map[string]any{"script_source": "true"}), newHost())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestCancelAPythonScript(t *testing.T) {
	t.Parallel()
	host := newHost()
	host.Resources["s.py"] = "import time\nprint('ready')\ntime.sleep(1000)\n"
	_ = cancelWhenReady(t, newRunner(t, nil), request(t, map[string]any{"script_path": "s.py"}), host)
}
