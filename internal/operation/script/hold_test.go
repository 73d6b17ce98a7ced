package script_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"windlass/internal/operation"
	"windlass/internal/operation/operationtest"
	"windlass/internal/operation/script"
	"windlass/internal/operation/warden"
)

// takesUp goes on with the script of a dead manager under a lease.
func (l life) takesUp(t *testing.T, r *script.Runner, lease *operation.Lease) (*operationtest.Host, error) {
	t.Helper()
	host := newHost()
	host.Resources[l.Name] = l.Source
	req := l.request()
	req.Resume, req.Lease = true, lease
	_, err := r.Run(t.Context(), req, host)
	r.Settled(req.TaskID)
	return host, err
}

func leaseFor(d time.Duration) *operation.Lease { return operation.NewLease(warden.Uptime() + d) }

// held tells whether there is a script, and it has a hold that is not over.
func (l life) held(t *testing.T) bool {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(l.Root, "runs", "*"))
	if err != nil || len(dirs) > 1 {
		t.Fatalf("run directories %v, %v", dirs, err)
	}
	return len(dirs) == 1 && warden.IsHeld(dirs[0])
}

const heldScript = "#!/bin/bash\necho $$ >>pids\ntouch die\nuntil [ -e go ]; do sleep 0.01; done\nexit 9\n"

// A script whose execution others may take over is taken up within its lease.
func TestTakenUpWithinTheLease(t *testing.T) {
	t.Parallel()
	for name, early := range map[string]bool{"running": false, "ended": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t, "s.sh", heldScript)
			l.Lease = time.Hour
			l.live(t)
			goNow := func() {
				if err := os.WriteFile(filepath.Join(l.Work, "go"), nil, 0o600); err != nil {
					t.Error(err)
				}
			}
			if early {
				goNow()
				awaitFile(t, filepath.Join(l.Root, "runs", "*", warden.EndingFile))
			}
			r, orphans := l.nextManager(t, true)
			if len(orphans) > 0 || r.Left() != 1 {
				t.Fatalf("orphans %v, %d left", orphans, r.Left())
			}
			if !early {
				goNow()
			}
			_, err := l.takesUp(t, r, leaseFor(time.Hour))
			if e := operationError(t, err); e.ExitCode == nil || *e.ExitCode != 9 {
				t.Errorf("failed with %+v", e)
			}
			if pids, _ := os.ReadFile(filepath.Join(l.Work, "pids")); strings.Count(string(pids), "\n") != 1 {
				t.Errorf("ran as %q", pids)
			}
		})
	}
}

// A script whose lease has ended is dead, and is not taken up but run again; nor is
// what it ended with of any use then.
func TestNotTakenUpAfterTheLease(t *testing.T) {
	t.Parallel()
	for name, early := range map[string]bool{"running": false, "ended": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t, "s.sh", strings.Replace(heldScript, "exit 9", `[ $(wc -l <pids) = 2 ] || exit 9`, 1))
			l.Lease = 3 * time.Second
			if early {
				l.Source = strings.Replace(l.Source, "until [ -e go ]", "until [ -e die ]", 1)
			}
			l.live(t)
			if !l.held(t) {
				t.Skip("this machine is too slow")
			}
			if early {
				awaitFile(t, filepath.Join(l.Root, "runs", "*", warden.EndingFile))
			}
			awaitLapse(t, l)
			pids, err := os.ReadFile(filepath.Join(l.Work, "pids"))
			if err != nil {
				t.Fatal(err)
			}
			awaitGone(t, strings.TrimSpace(string(pids)))
			if err := os.WriteFile(filepath.Join(l.Work, "go"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			r := newRunner(t, func(c *script.Config) { c.Root = l.Root })
			orphans, err := r.Reap(t.Context(), func(context.Context, string) (bool, error) { return true, nil })
			if err != nil || len(orphans) != 1 || r.Left() != 0 {
				t.Errorf("orphans %v, %d left, %v", orphans, r.Left(), err)
			}
			host, err := l.takesUp(t, r, leaseFor(time.Hour))
			mustSucceed(t, err, host)
		})
	}
}

// One that is there when the next manager looks for it may lapse before it is taken up.
func TestLapsesBeforeItIsTakenUp(t *testing.T) {
	t.Parallel()
	l := newLife(t, "s.sh", strings.Replace(heldScript, "exit 9", `[ $(wc -l <pids) = 2 ] || exit 9`, 1))
	l.Lease = 4 * time.Second
	l.live(t)
	r, orphans := l.nextManager(t, true)
	if len(orphans) > 0 {
		t.Skipf("this machine is too slow: %v", orphans)
	}
	awaitLapse(t, l)
	if err := os.WriteFile(filepath.Join(l.Work, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	host, err := l.takesUp(t, r, leaseFor(time.Hour))
	mustSucceed(t, err, host)
}

func awaitLapse(t *testing.T, l life) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for l.held(t) {
		select {
		case <-look.C:
		case <-t.Context().Done():
			t.Fatal("it never lapsed")
		}
	}
}

func awaitGone(t *testing.T, pid string) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		if _, err := os.Stat("/proc/" + pid + "/fd/0"); err != nil {
			return
		}
		select {
		case <-look.C:
		case <-t.Context().Done():
			t.Fatalf("process %s lives on", pid)
		}
	}
}

// A script runs for as long as the lease is prolonged, and has no outcome if it is not:
// whether the manager or the warden is first to stop it.
func TestLeaseIsProlongedOrNot(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		prolong bool
		config  func(*script.Config)
	}{
		"prolonged": {prolong: true}, "not prolonged": {},
		"prolonged without warden":     {true, func(c *script.Config) { c.Warden = alone }},
		"not prolonged without warden": {false, func(c *script.Config) { c.Warden = []string{"/no/such/program", "x"} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t, tc.config)
			host := newHost()
			host.Resources["s.sh"] = "#!/bin/bash\necho $$ >pid.new; mv pid.new pid\nuntil [ -e go ]; do sleep 0.01; done\n"
			req := request(t, map[string]any{"script_path": "s.sh"})
			const first = 2 * time.Second
			req.Lease = leaseFor(first)
			end := req.Lease.Until()
			ended := make(chan error, 1)
			go func() {
				_, err := r.Run(t.Context(), req, host)
				ended <- err
			}()
			if !tc.prolong {
				if err := <-ended; !errors.Is(err, operation.ErrLapsed) {
					t.Errorf("ended with %v", err)
				}
				if pid, err := os.ReadFile(filepath.Join(req.WorkDir, "pid")); err == nil {
					awaitGone(t, strings.TrimSpace(string(pid)))
				}
				return
			}
			req.Lease.Prolong(warden.Uptime() + time.Hour)
			look := time.NewTicker(20 * time.Millisecond)
			defer look.Stop()
			for warden.Uptime() < end+200*time.Millisecond {
				<-look.C
			}
			if err := os.WriteFile(filepath.Join(req.WorkDir, "go"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			err := <-ended
			r.Settled(req.TaskID)
			if _, begun := os.Stat(filepath.Join(req.WorkDir, "pid")); begun != nil {
				t.Skip("this machine is too slow")
			}
			mustSucceed(t, err, host)
		})
	}
}
