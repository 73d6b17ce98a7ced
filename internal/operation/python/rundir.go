package python

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"windlass/internal/operation"
)

// A run directory is named <manager's pid>-<its start time>-<random> and holds
// the output of one child and, while it runs, the file that names it.
type runDir struct{ path string }

const (
	outputFile = "output"
	recordFile = "process.json"
)

// record is what the file about a child says.
type record struct {
	PID         int    `json:"pid"`
	Start       uint64 `json:"start"` // as in /proc/<pid>/stat
	Boot        string `json:"boot"`
	TaskID      string `json:"task_id"`
	ExecutionID string `json:"execution_id"`
	Operation   string `json:"operation"`
	InstanceID  string `json:"instance_id"`
}

// ownPrefix begins the names of the run directories of this process, so that
// another can tell whether their owner still lives.
func ownPrefix() string {
	p, _ := statProcess(os.Getpid())
	return fmt.Sprintf("%d-%d-", os.Getpid(), p.start)
}

// ownerAlive tells whether the process lives that made a run directory.
func ownerAlive(name string) bool {
	pid, rest, ok := strings.Cut(name, "-")
	start, _, ok2 := strings.Cut(rest, "-")
	id, err := strconv.Atoi(pid)
	if !ok || !ok2 || err != nil {
		return false
	}
	p, alive := statProcess(id)
	return alive && strconv.FormatUint(p.start, 10) == start
}

func (r *Runner) newRunDir() (*runDir, error) {
	dir := filepath.Join(r.runsDir(), r.prefix+rand.Text()[:16])
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make a run directory: %w", err)
	}
	return &runDir{path: dir}, nil
}

// write names the child. Should the manager die before, Reap finds it by its
// marker.
func (d *runDir) write(pid int, boot string, req *operation.Request) error {
	p, _ := statProcess(pid)
	data, err := json.Marshal(record{
		PID: pid, Start: p.start, Boot: boot, TaskID: req.TaskID, ExecutionID: req.ExecutionID, Operation: req.Name,
		InstanceID: req.Self.InstanceID,
	})
	if err == nil {
		err = os.WriteFile(filepath.Join(d.path, recordFile), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("note the process of an operation: %w", err)
	}
	return nil
}

// read gives what write has written; an empty record if that is missing.
func (d *runDir) read() record {
	var rec record
	data, err := os.ReadFile(filepath.Join(d.path, recordFile))
	if err == nil {
		err = json.Unmarshal(data, &rec)
	}
	if err != nil {
		return record{}
	}
	return rec
}

func (r *Runner) remove(d *runDir) {
	if err := os.RemoveAll(d.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		r.cfg.Logger.Warn("a run directory could not be removed", "error", err)
	}
}
