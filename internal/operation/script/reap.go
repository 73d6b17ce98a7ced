package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Orphan is what a dead manager left of one operation.
type Orphan struct {
	TaskID, ExecutionID   string // "" if it died before they were written
	Operation, InstanceID string
	Killed                int // processes that were still alive
	// Stdout and Stderr are the ends of what the script has written.
	Stdout, Stderr string
}

// Reap ends the processes that dead managers left and removes their run
// directories. Call it before the first Run of a manager. Processes are
// recognised by their start time or by the run directory in their environment,
// so one that was given the number of a dead one is never touched. Directories
// of living managers stay. When ctx ends it stops where it is; calling it again
// goes on. Errors on one directory do not keep it from the others.
func (r *Runner) Reap(ctx context.Context) ([]Orphan, error) {
	entries, err := os.ReadDir(r.runsDir())
	if err != nil {
		return nil, fmt.Errorf("look for operations that a dead manager left: %w", err)
	}
	var orphans []Orphan
	var errs []error
	for _, e := range entries {
		if ownerAlive(e.Name()) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return orphans, errors.Join(append(errs, err)...)
		}
		dir := &runDir{path: filepath.Join(r.runsDir(), e.Name())}
		o, err := r.reapOne(ctx, dir)
		if err != nil {
			errs = append(errs, fmt.Errorf("end what a dead manager left in %s: %w", e.Name(), err))
			continue
		}
		orphans = append(orphans, o)
	}
	return orphans, errors.Join(errs...)
}

func (r *Runner) reapOne(ctx context.Context, dir *runDir) (Orphan, error) {
	rec := dir.record()
	o := Orphan{TaskID: rec.TaskID, ExecutionID: rec.ExecutionID, Operation: rec.Operation, InstanceID: rec.InstanceID}
	var err error
	if o.Killed, err = r.killLeft(ctx, rec, dir.marker()); err != nil {
		return o, err
	}
	o.Stdout, o.Stderr = lastOf(filepath.Join(dir.path, stdoutFile)), lastOf(filepath.Join(dir.path, stderrFile))
	return o, os.RemoveAll(dir.path)
}

// record reads the pid file; a missing or broken one gives an empty record.
func (d *runDir) record() pidRecord {
	var rec pidRecord
	data, err := os.ReadFile(filepath.Join(d.path, pidFile))
	if err == nil {
		err = json.Unmarshal(data, &rec)
	}
	if err != nil {
		return pidRecord{}
	}
	return rec
}

// killLeft ends all processes of a run: TERM, the grace period, KILL. It
// returns how many there were.
func (r *Runner) killLeft(ctx context.Context, rec pidRecord, marker string) (int, error) {
	group := 0
	if p, ok := statProcess(rec.PID); ok && rec.PID > 1 && p.start == rec.Start && p.start != 0 && rec.Boot == r.boot {
		group = rec.PID
	}
	left := findProcesses(group, marker)
	count := len(left)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	started, s := time.Now(), syscall.SIGTERM
	for len(left) > 0 {
		for _, p := range left {
			if err := syscall.Kill(p.pid, s); errors.Is(err, syscall.EPERM) {
				return count, fmt.Errorf("process %d may not be ended by this user", p.pid)
			}
		}
		// TERM once, and KILL until all are gone.
		for {
			select {
			case <-ctx.Done():
				return count, ctx.Err()
			case <-tick.C:
			}
			left = findProcesses(group, marker)
			if len(left) == 0 || time.Since(started) > r.cfg.Grace {
				break
			}
		}
		s = syscall.SIGKILL
		if time.Since(started) > 2*r.cfg.Grace+time.Second && len(left) > 0 {
			return count, fmt.Errorf("%d processes do not end by force", len(left))
		}
	}
	return count, nil
}

// lastOf reads the end of an output file.
func lastOf(path string) string {
	const most = 16 << 10
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	buf := make([]byte, min(info.Size(), most))
	n, _ := f.ReadAt(buf, info.Size()-int64(len(buf)))
	return strings.TrimRight(clean(buf[:n]), "\n")
}
