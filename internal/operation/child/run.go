package child

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"windlass/internal/operation"
)

// Runs are the run directories of a runner. They are named
// <manager's pid>-<its start time>-<random>.
type Runs struct {
	dir    string
	prefix string // begins the names of this runner's
	boot   string // see Boot
	log    *slog.Logger
}

// OpenRuns prepares the directory that run directories are made in.
func OpenRuns(dir string, log *slog.Logger) (*Runs, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return &Runs{dir: dir, prefix: OwnPrefix(), boot: Boot(), log: log}, nil
}

// Run is a run directory: it holds the output of one process and, while that
// runs, the file that names it.
type Run struct {
	Path string
	runs *Runs
}

// New makes a run directory.
func (r *Runs) New() (*Run, error) {
	dir := filepath.Join(r.dir, r.prefix+rand.Text()[:16])
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make a run directory: %w", err)
	}
	return &Run{Path: dir, runs: r}, nil
}

const (
	outputFile = "output"
	recordFile = "process.json"
)

// record is what the file about a process says.
type record struct {
	PID         int    `json:"pid"`
	Start       uint64 `json:"start"` // as in /proc/<pid>/stat
	Boot        string `json:"boot"`
	TaskID      string `json:"task_id"`
	ExecutionID string `json:"execution_id"`
	Operation   string `json:"operation"`
	InstanceID  string `json:"instance_id"`
}

// OwnPrefix begins the names of the run directories of this process, so that
// another can tell whether their owner still lives.
func OwnPrefix() string {
	p, _ := Stat(os.Getpid())
	return fmt.Sprintf("%d-%d-", os.Getpid(), p.Start)
}

// OwnerAlive tells whether the process lives that made a run directory. One that
// was killed and that nobody has waited for yet is dead.
func OwnerAlive(name string) bool {
	pid, rest, ok := strings.Cut(name, "-")
	start, _, ok2 := strings.Cut(rest, "-")
	id, err := strconv.Atoi(pid)
	if !ok || !ok2 || err != nil {
		return false
	}
	p, alive := Stat(id)
	return alive && !p.Dead && strconv.FormatUint(p.Start, 10) == start
}

// Note names the process. Should the manager die before, Reap finds it by its
// marker.
func (d *Run) Note(pid int, req *operation.Request) error {
	p, _ := Stat(pid)
	data, err := json.Marshal(record{
		PID: pid, Start: p.Start, Boot: d.runs.boot, TaskID: req.TaskID, ExecutionID: req.ExecutionID, Operation: req.Name,
		InstanceID: req.Self.InstanceID,
	})
	if err == nil {
		err = os.WriteFile(filepath.Join(d.Path, recordFile), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("note the process of an operation: %w", err)
	}
	return nil
}

// read gives what Note has written; an empty record if that is missing.
func (d *Run) read() record {
	var rec record
	data, err := os.ReadFile(filepath.Join(d.Path, recordFile))
	if err == nil {
		err = json.Unmarshal(data, &rec)
	}
	if err != nil {
		return record{}
	}
	return rec
}

// Remove removes the directory and all in it.
func (d *Run) Remove() {
	if err := os.RemoveAll(d.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
		d.runs.log.Warn("a run directory could not be removed", "error", err)
	}
}
