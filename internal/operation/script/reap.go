package script

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"windlass/internal/operation/child"
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
// directories, but for the scripts that keep tells to keep: they wait for a Run
// that takes them up. Call it before the first Run of a manager, and, if
// anything was kept, again from time to time. keep is asked about a task only if
// the end of its script can still be learnt; nil keeps nothing. Processes are
// recognised by their start time or by the run directory in their environment,
// so one that was given the number of a dead one is never touched. Directories
// of living managers stay. All are asked to end at once, and forced after a
// second at most, so that a restart is quick. When ctx ends it stops where it
// is; calling it again goes on. Errors on one directory do not keep it from the
// others.
func (r *Runner) Reap(ctx context.Context, keep func(ctx context.Context, taskID string) (bool, error)) ([]Orphan, error) {
	entries, err := os.ReadDir(r.runsDir())
	if err != nil {
		return nil, fmt.Errorf("look for operations that a dead manager left: %w", err)
	}
	var dirs []*runDir
	var records []pidRecord
	w := child.Wanted{Groups: map[int]string{}, Runs: map[string]bool{}}
	for _, e := range entries {
		if child.OwnerAlive(e.Name()) {
			continue
		}
		dir := &runDir{path: filepath.Join(r.runsDir(), e.Name())}
		if r.keeper.isTaken(dir.path) {
			continue
		}
		rec := dir.record()
		kept, err := r.leaveToTake(ctx, dir, rec, keep)
		if err != nil {
			return nil, fmt.Errorf("find out what became of task %s: %w", rec.TaskID, err)
		}
		if kept {
			continue
		}
		w.Runs[dir.path] = true
		if r.stillRuns(rec) {
			w.Groups[rec.PID] = dir.path
		}
		dirs, records = append(dirs, dir), append(records, rec)
	}
	if len(dirs) == 0 {
		return nil, nil
	}
	killed, left, err := child.KillAll(ctx, w, r.cfg.Grace)
	if err != nil {
		return nil, fmt.Errorf("end what a dead manager left: %w", err)
	}
	var orphans []Orphan
	var errs []error
	for i, dir := range dirs {
		if n := left[dir.path]; n > 0 {
			errs = append(errs, child.StillThere(dir.path, n))
			continue
		}
		rec := records[i]
		orphans = append(orphans, Orphan{
			TaskID: rec.TaskID, ExecutionID: rec.ExecutionID, Operation: rec.Operation, InstanceID: rec.InstanceID,
			Killed: killed[dir.path],
			Stdout: lastOf(filepath.Join(dir.path, stdoutFile)), Stderr: lastOf(filepath.Join(dir.path, stderrFile)),
		})
		r.proxy.Forget(rec.Token)
		if err := os.RemoveAll(dir.path); err != nil {
			errs = append(errs, err)
		}
	}
	return orphans, errors.Join(errs...)
}

// leaveToTake keeps a script for whoever runs its task again.
func (r *Runner) leaveToTake(
	ctx context.Context, dir *runDir, rec pidRecord, keep func(context.Context, string) (bool, error),
) (bool, error) {
	if keep == nil || !r.mayBeTakenUp(dir, rec) {
		return false, nil
	}
	wanted, err := keep(ctx, rec.TaskID)
	if err != nil {
		return false, err
	}
	k := r.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.taken[dir.path] {
		return true, nil // just now
	}
	if wanted {
		k.left[rec.TaskID] = &leftover{dir, rec}
	} else {
		delete(k.left, rec.TaskID)
	}
	return wanted, nil
}

// Left tells how many scripts of dead managers wait to be taken up.
func (r *Runner) Left() int {
	if r.keeper == nil {
		return 0
	}
	r.keeper.mu.Lock()
	defer r.keeper.mu.Unlock()
	return len(r.keeper.left)
}

// stillRuns tells whether the process of a record is the one that lives under
// its number now.
func (r *Runner) stillRuns(rec pidRecord) bool {
	p, ok := child.Stat(rec.PID)
	return ok && p.Is(rec.Start) && rec.Boot == r.boot
}

// record reads the pid file; a missing or broken one gives an empty record.
func (d *runDir) record() pidRecord {
	var rec pidRecord
	data, err := os.ReadFile(filepath.Join(d.path, pidFile))
	if err != nil {
		return pidRecord{}
	}
	parts := json.NewDecoder(bytes.NewReader(data))
	if err := parts.Decode(&rec); err != nil {
		return pidRecord{}
	}
	var process struct {
		PID   int
		Start uint64
	}
	if err := parts.Decode(&process); err == nil {
		rec.PID, rec.Start = process.PID, process.Start
	}
	return rec
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
