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
	w := wanted{groups: map[int]string{}, runs: map[string]bool{}}
	for _, e := range entries {
		if ownerAlive(e.Name()) {
			continue
		}
		dir := filepath.Join(r.dir, e.Name())
		rec := (&Run{Path: dir}).read()
		dirs[dir], w.runs[dir] = rec, true
		p, ok := statProcess(rec.PID)
		if ok && rec.PID > 1 && p.start != 0 && p.start == rec.Start && rec.Boot == r.boot {
			w.groups[rec.PID] = dir
		}
	}
	if len(dirs) == 0 {
		return nil, nil
	}
	killed, err := killAll(ctx, w, grace)
	if err != nil {
		return nil, fmt.Errorf("end what a dead manager left: %w", err)
	}
	var orphans []Orphan
	var errs []error
	for dir, rec := range dirs {
		orphans = append(orphans, Orphan{
			TaskID: rec.TaskID, ExecutionID: rec.ExecutionID, Operation: rec.Operation, InstanceID: rec.InstanceID, Killed: killed[dir],
		})
		errs = append(errs, os.RemoveAll(dir))
	}
	return orphans, errors.Join(errs...)
}

// killAll ends all wanted processes: TERM, a moment, KILL. It tells how many
// there were of each run.
func killAll(ctx context.Context, w wanted, grace time.Duration) (map[string]int, error) {
	grace = min(grace, time.Second)
	const force = 3 * time.Second // then it is hopeless
	killed := map[string]int{}
	alive := findProcesses(w)
	for _, p := range alive {
		killed[p.run]++
		_ = syscall.Kill(p.pid, syscall.SIGTERM) // one that has just ended is fine
	}
	started := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for len(alive) > 0 {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
		}
		alive = findProcesses(w)
		switch waited := time.Since(started); {
		case waited > grace+force && len(alive) > 0:
			return nil, fmt.Errorf("%d processes do not end, or may not be ended by this user", len(alive))
		case waited > grace:
			for _, p := range alive {
				_ = syscall.Kill(p.pid, syscall.SIGKILL)
			}
		}
	}
	return killed, nil
}
