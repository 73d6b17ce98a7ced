package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Orphan is what a dead manager left of one operation.
type Orphan struct {
	TaskID, ExecutionID   string // "" if it died before they were written
	Operation, InstanceID string
	Killed                int // processes that were still alive
}

// Reap ends the processes that operations of dead managers have started and
// removes their run directories. The operations themselves ended with their
// manager. Processes are asked to end and have grace for it, at most a second. Call it before the first Run. Processes are recognised by their
// start time or by the run directory in their environment, so one that was
// given the number of a dead one is never touched. Directories of living
// managers stay.
func (r *Runs) Reap(ctx context.Context, grace time.Duration) ([]Orphan, error) {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return nil, fmt.Errorf("look for operations that a dead manager left: %w", err)
	}
	dirs := map[string]record{}
	w := Wanted{Groups: map[int]string{}, Runs: map[string]bool{}}
	for _, e := range entries {
		if OwnerAlive(e.Name()) {
			continue
		}
		dir := filepath.Join(r.dir, e.Name())
		rec := (&Run{Path: dir}).read()
		dirs[dir], w.Runs[dir] = rec, true
		if p, ok := Stat(rec.PID); ok && p.Is(rec.Start) && rec.Boot == r.boot {
			w.Groups[rec.PID] = dir
		}
	}
	if len(dirs) == 0 {
		return nil, nil
	}
	killed, left, err := KillAll(ctx, w, grace)
	if err != nil {
		return nil, fmt.Errorf("end what a dead manager left: %w", err)
	}
	var orphans []Orphan
	var errs []error
	for dir, rec := range dirs {
		if n := left[dir]; n > 0 {
			errs = append(errs, StillThere(dir, n))
			continue
		}
		orphans = append(orphans, Orphan{
			TaskID: rec.TaskID, ExecutionID: rec.ExecutionID, Operation: rec.Operation, InstanceID: rec.InstanceID, Killed: killed[dir],
		})
		errs = append(errs, os.RemoveAll(dir))
	}
	return orphans, errors.Join(errs...)
}

// KillAll ends all wanted processes: TERM, grace or a second, KILL. It tells how many
// there were of each run and how many are left.
func KillAll(ctx context.Context, w Wanted, grace time.Duration) (killed, left map[string]int, err error) {
	grace = min(grace, time.Second)
	const force = 3 * time.Second // then it is hopeless
	alive := Find(w)
	killed = perRun(alive)
	for _, p := range alive {
		_ = syscall.Kill(p.PID, syscall.SIGTERM) // one that has just ended is fine
	}
	started := time.Now()
	step := 5 * time.Millisecond
	tick := time.NewTimer(step)
	defer tick.Stop()
	for len(alive) > 0 && time.Since(started) < grace+force {
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-tick.C:
		}
		step = min(2*step, 100*time.Millisecond)
		tick.Reset(step)
		alive = Find(w)
		if time.Since(started) > grace {
			for _, p := range alive {
				_ = syscall.Kill(p.PID, syscall.SIGKILL)
			}
		}
	}
	return killed, perRun(alive), nil
}

func perRun(processes []Info) map[string]int {
	n := map[string]int{}
	for _, p := range processes {
		n[p.Run]++
	}
	return n
}

// StillThere is the error for processes of a run that even force does not end.
func StillThere(run string, n int) error {
	return fmt.Errorf("%d processes of %s do not end, or may not be ended by this user", n, run)
}
