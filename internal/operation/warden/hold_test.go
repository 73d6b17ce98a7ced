package warden_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"windlass/internal/operation/warden"
)

func TestHolds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		begin func(t *testing.T, run string) // nil: no hold is begun
		held  bool
	}{
		"none":    {},
		"current": {func(t *testing.T, run string) { grant(t, run, warden.Uptime()+time.Hour) }, true},
		"over":    {func(t *testing.T, run string) { grant(t, run, warden.Uptime()-1) }, false},
		"lapsed":  {func(t *testing.T, run string) { grant(t, run, 0) }, false},
		"cut off": {func(t *testing.T, run string) { write(t, filepath.Join(run, warden.HoldFile), "abc") }, false},
		"garbled": {func(t *testing.T, run string) {
			write(t, filepath.Join(run, warden.HoldFile), strings.Repeat("\xff", 8))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := t.TempDir()
			if tc.begin != nil {
				tc.begin(t, run)
			}
			if got := warden.IsHeld(run); got != tc.held {
				t.Errorf("held: %v", got)
			}
			for _, until := range []time.Duration{warden.Uptime() + 2*time.Hour, warden.Uptime() + time.Minute} {
				if got, err := warden.Prolong(run, until); got != tc.held || err != nil {
					t.Errorf("prolonged: %v, %v", got, err)
				}
			}
			if got := warden.IsHeld(run); got != tc.held {
				t.Errorf("held afterwards: %v", got)
			}
		})
	}
	if err := warden.Grant(filepath.Join(t.TempDir(), "missing"), time.Hour); err == nil {
		t.Error("a hold in a folder that is missing")
	}
}

func grant(t *testing.T, run string, until time.Duration) {
	t.Helper()
	if err := warden.Grant(run, until); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// heldIn is a process with a hold that runs until it is ended, or there is a file named
// go. It notes its number and that of one that it left in a session of its own.
func heldIn(dir string) warden.Process {
	p := shellIn(dir, `setsid sleep 600 & echo $! >other; echo $$ >self.new; mv self.new self
until [ -e go ]; do sleep 0.01; done; exit 6`)
	p.Env, p.Held = append(p.Env, "WINDLASS_RUN_DIR="+dir), true
	return p
}

// isAlive tells whether the process whose number is in a file lives; one that was
// never noted doesn't.
func isAlive(t *testing.T, file string) bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(text) == 0 {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	_, err = os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for !is() {
		select {
		case <-look.C:
		case <-t.Context().Done():
			t.Fatal(what + " never came")
		}
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// A process whose hold is over ends, with all that it has started; others don't.
func TestHoldLapses(t *testing.T) {
	t.Parallel()
	c := start(t)
	stays, goes := t.TempDir(), t.TempDir()
	grant(t, stays, warden.Uptime()+time.Hour)
	kept, err := c.Launch(heldIn(stays))
	if err != nil {
		t.Fatal(err)
	}
	grant(t, goes, warden.Uptime()+700*time.Millisecond) // on a slow machine it may not come to do much
	deaf := heldIn(goes)
	deaf.Argv[2] = "trap '' TERM; " + deaf.Argv[2]
	ended, err := c.Launch(deaf)
	if err != nil {
		t.Fatal(err)
	}
	<-ended.Done
	if status, known := ended.Status(); known {
		t.Errorf("known to have ended with %v", status)
	}
	if _, written := warden.Ending(goes); written {
		t.Error("its end was written")
	}
	until(t, "the end of what it started", func() bool { return !isAlive(t, filepath.Join(goes, "other")) })
	if held, err := warden.Prolong(goes, warden.Uptime()+time.Hour); held || err != nil {
		t.Errorf("prolonged after the end: %v, %v", held, err)
	}
	select {
	case <-kept.Done:
		t.Error("the other has ended, too")
	default:
	}
	write(t, filepath.Join(stays, "go"), "")
	<-kept.Done
	if status, known := kept.Status(); !known || status.ExitStatus() != 6 {
		t.Errorf("ended with %v, %v", status, known)
	}
	killOther(t, stays)
}

func killOther(t *testing.T, dir string) {
	t.Helper()
	text, _ := os.ReadFile(filepath.Join(dir, "other"))
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// What a dead manager left goes on if its hold is prolonged by another, and ends if not.
func TestHoldOutlivesTheManager(t *testing.T) {
	t.Parallel()
	stays, goes := t.TempDir(), t.TempDir()
	manager, err := os.StartProcess(os.Args[0], []string{os.Args[0], "holder", stays, goes}, &os.ProcAttr{Files: []*os.File{nil, nil, os.Stderr}})
	if err != nil {
		t.Fatal(err)
	}
	if state, err := manager.Wait(); err != nil || state.Success() {
		t.Fatalf("the manager ended with %v, %v", state, err)
	}
	if held, err := warden.Prolong(stays, warden.Uptime()+time.Hour); !held || err != nil {
		t.Fatalf("prolonged: %v, %v", held, err)
	}
	until(t, "the end", func() bool {
		return !warden.IsHeld(goes) && !isAlive(t, filepath.Join(goes, "self")) && !isAlive(t, filepath.Join(goes, "other"))
	})
	write(t, filepath.Join(stays, "go"), "")
	if status := awaitEnding(t, stays); status.ExitStatus() != 6 {
		t.Errorf("ended with %v", status)
	}
	if _, written := warden.Ending(goes); written {
		t.Error("the end of the other was written")
	}
	killOther(t, stays)
}

// dieHolding starts two processes with holds, and dies when they run.
func dieHolding(dirs ...string) {
	c, err := warden.Start([]string{os.Args[0], os.Args[0], "warden"})
	if err != nil {
		panic(err)
	}
	for k, dir := range dirs {
		until := warden.Uptime() + time.Hour
		if k == 1 { // for as long as it takes the next manager
			until = warden.Uptime() + time.Second
		}
		if err := warden.Grant(dir, until); err != nil {
			panic(err)
		}
		if _, err := c.Launch(heldIn(dir)); err != nil {
			panic(err)
		}
		for k == 0 && !exists(filepath.Join(dir, "self")) {
			time.Sleep(time.Millisecond)
		}
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// Nothing with a hold outlives its warden: nobody would look at the hold.
func TestHeldProcessEndsWithTheWarden(t *testing.T) {
	t.Parallel()
	c := start(t)
	dir := t.TempDir()
	grant(t, dir, warden.Uptime()+time.Hour)
	if _, err := c.Launch(heldIn(dir)); err != nil {
		t.Fatal(err)
	}
	until(t, "it", func() bool { return exists(filepath.Join(dir, "self")) })
	_ = syscall.Kill(c.PID(), syscall.SIGKILL)
	until(t, "its end", func() bool { return !isAlive(t, filepath.Join(dir, "self")) })
	killOther(t, dir)
}

// At the last moment, a hold is prolonged or the process is ended, and not both.
func TestProlongedOrEnded(t *testing.T) {
	t.Parallel()
	c := start(t)
	const races = 40
	var prolonged, ended atomic.Int32
	var race sync.WaitGroup
	for k := range races {
		dir := t.TempDir()
		race.Go(func() {
			end := warden.Uptime() + 200*time.Millisecond + time.Duration(k)*time.Millisecond
			if err := warden.Grant(dir, end); err != nil {
				t.Error(err)
				return
			}
			p := shellIn(dir, "until [ -e go ]; do sleep 0.02; done; exit 6")
			p.Held = true
			r, err := c.Launch(p)
			if err != nil {
				t.Error(err)
				return
			}
			for warden.Uptime() < end-time.Duration(k%5)*500*time.Microsecond { // the last moment, or a little too late
				time.Sleep(100 * time.Microsecond)
			}
			held, err := warden.Prolong(dir, warden.Uptime()+time.Hour)
			if err != nil {
				t.Error(err)
			}
			if held {
				prolonged.Add(1)
				_ = os.WriteFile(filepath.Join(dir, "go"), nil, 0o600) // else it runs until the test is given up
			} else {
				ended.Add(1)
			}
			<-r.Done
			if status, known := r.Status(); known != held || held && status.ExitStatus() != 6 {
				t.Errorf("prolonged: %v; ended with %v, %v", held, status, known)
			}
		})
	}
	race.Wait()
	t.Logf("%d prolonged, %d ended", prolonged.Load(), ended.Load())
}
