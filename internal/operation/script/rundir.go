package script

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"windlass/internal/operation"
	"windlass/internal/operation/child"
	"windlass/internal/operation/warden"
)

// A run directory is named <manager's pid>-<its start time>-<random> and holds
// the script, its output and, while it runs, the pid file.
type runDir struct {
	path  string
	lived bool   // it is where the script worked
	file  string // the name of the script in it, "" if there is none yet
	head  []byte // how that script begins
	token string // under which the script has its context; "" before it has one
	held  bool   // it has a hold (see warden.Grant)
	// output is what is known of the output files once they are closed.
	output leftOutput
	// settle lets the warden forget the process; nil: it doesn't know it.
	settle func()
}

const (
	stdoutFile = "stdout"
	stderrFile = "stderr"
	pidFile    = "process.json"
	// sessionFile and offsetFile are there for scripts that outlive the manager:
	// what the script said through its context, and how far its output was read.
	sessionFile = "session.json"
	offsetFile  = "read"
)

// reserved are the names in a run directory that a script cannot have.
var reserved = map[string]bool{
	stdoutFile: true, stderrFile: true, pidFile: true, sessionFile: true, offsetFile: true, warden.EndingFile: true,
	warden.HoldFile: true,
}

// newRunDir makes a run directory for a script of that name, whose content may be
// there already (see writeScript).
func (r *Runner) newRunDir(script string) (*runDir, error) {
	dir := filepath.Join(r.runsDir(), r.prefix+rand.Text()[:16])
	if file, ok := r.takeSpare(dir, script); ok {
		return &runDir{path: dir, file: file}, nil
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make a run directory: %w", err)
	}
	return &runDir{path: dir}, nil
}

// writeScript writes an executable file, unless an earlier run has left it just
// so. No process may be started meanwhile: it would inherit the descriptor, and a
// file that anybody has open for writing cannot be executed.
func (d *runDir) writeScript(name string, data []byte) (string, error) {
	path := filepath.Join(d.path, name)
	d.head = data[:min(len(data), headBytes)]
	if d.file != "" {
		if d.file == name && holds(path, data) {
			return path, nil
		}
		if err := os.RemoveAll(filepath.Join(d.path, d.file)); err != nil {
			return "", fmt.Errorf("remove an earlier script: %w", err)
		}
	}
	d.file = name
	syscall.ForkLock.RLock()
	err := os.WriteFile(path, data, scriptMode)
	syscall.ForkLock.RUnlock()
	if err != nil {
		return "", fmt.Errorf("write the script: %w", err)
	}
	return path, nil
}

// scriptMode are the permissions of a script's file.
const scriptMode = 0o755

// mostKept bounds the size of a script that is looked at to keep it.
const mostKept = 64 << 10

// holds tells whether path is a script with that content, which nothing else
// shares. Making a file anew costs many times as much as reading it.
func holds(path string, data []byte) bool {
	if len(data) > mostKept {
		return false
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != scriptMode || info.Size() != int64(len(data)) || linked(info) != 1 {
		return false
	}
	there, err := os.ReadFile(path)
	return err == nil && bytes.Equal(there, data)
}

// pidRecord is what the pid file says.
type pidRecord struct {
	PID         int    `json:"pid,omitzero"`   // 0: not known
	Start       uint64 `json:"start,omitzero"` // as in /proc/<pid>/stat
	Boot        string `json:"boot"`
	TaskID      string `json:"task_id"`
	ExecutionID string `json:"execution_id"`
	Operation   string `json:"operation"`
	InstanceID  string `json:"instance_id"`

	// Of scripts that outlive the manager: who knows how they end, where their
	// context is, and what was run.
	Held        bool      `json:"held,omitempty"` // it may be taken up only while its hold lasts
	WardenPID   int       `json:"warden_pid,omitempty"`
	WardenStart uint64    `json:"warden_start,omitempty"`
	Token       string    `json:"token,omitempty"`
	Command     string    `json:"command,omitempty"`
	Directory   string    `json:"directory,omitempty"`
	Python      bool      `json:"python,omitempty"`
	Began       time.Time `json:"began,omitzero"`
}

// beginRecord writes the pid file before the process is started, so that it is
// known whatever becomes of the manager. The process's number follows
// (recordProcess); should it be missing, the process is found by its marker.
func (d *runDir) beginRecord(r *Runner, req *operation.Request, cmd command) (*os.File, error) {
	rec := pidRecord{
		Boot: r.boot, TaskID: req.TaskID, ExecutionID: req.ExecutionID, Operation: req.Name, InstanceID: req.Self.InstanceID,
	}
	if r.keeper != nil {
		rec.WardenPID, rec.WardenStart = r.keeper.identity()
		rec.Token, rec.Command, rec.Directory, rec.Python = d.token, cmd.text, cmd.dir, cmd.python
		rec.Began, rec.Held = time.Now(), d.held
	}
	data, err := json.Marshal(rec)
	if err != nil {
		return nil, fmt.Errorf("write the pid file: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(d.path, pidFile), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("write the pid file: %w", err)
	}
	if _, err := f.Write(append(data, '\n')); err != nil {
		return nil, errors.Join(fmt.Errorf("write the pid file: %w", err), f.Close())
	}
	return f, nil
}

// recordProcess completes and closes the pid file.
func recordProcess(f *os.File, pid int) error {
	p, _ := child.Stat(pid)
	_, err := fmt.Fprintf(f, `{"pid": %d, "start": %d}`+"\n", pid, p.Start)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the pid file: %w", err)
	}
	return nil
}

// remove removes the directory. It goes after the operation's end is known but
// need not be lasting: Reap removes what is left.
func (d *runDir) remove(logger *slog.Logger) {
	if err := os.RemoveAll(d.path); err != nil {
		logger.Warn("a run directory could not be removed", "error", err)
	}
}
