package python_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/operation/child"
	"windlass/internal/operation/python"
)

func TestReap(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	// A directory of a manager that has died, with a process that its operation
	// left; and one of a manager that lives.
	dead := filepath.Join(root, "runs", "999999999-1-ABC")
	living := filepath.Join(root, "runs", fmt.Sprintf("%d-%d-DEF", os.Getpid(), startTime(t)))
	for _, dir := range []string{dead, living} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dead, "process.json"), []byte(`{"pid": 1, "task_id": "t", "execution_id": "e", "operation": "o", "instance_id": "i"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func(dir string) *exec.Cmd {
		cmd := exec.Command("sleep", "600")
		cmd.Env = append(os.Environ(), "WINDLASS_RUN_DIR="+dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	left, other := start(dead), start(living)
	gone := make(chan error)
	go func() { gone <- left.Wait() }()
	r, err := python.New(python.Config{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	orphans, err := r.Reap(within(t, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	want := []child.Orphan{{TaskID: "t", ExecutionID: "e", Operation: "o", InstanceID: "i", Killed: 1}}
	if d := cmp.Diff(want, orphans); d != "" {
		t.Error(d)
	}
	<-gone
	if !alive(other.Process.Pid) {
		t.Error("another manager's process was ended")
	}
	_ = other.Process.Kill()
	_ = other.Wait()
	entries, err := os.ReadDir(filepath.Join(root, "runs"))
	if err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(living) {
		t.Errorf("%v %v", entries, err)
	}
}

// startTime is this process's, as /proc has it.
func startTime(t *testing.T) (start uint64) {
	t.Helper()
	data, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Skip("no /proc here")
	}
	var skip string
	fields := 22
	for i, rest := 0, string(data); i < fields; i++ {
		if _, err := fmt.Sscan(rest, &skip); err != nil {
			t.Fatal(err)
		}
		rest = rest[min(len(rest), len(skip)+1):]
		if i == fields-1 {
			fmt.Sscan(skip, &start)
		}
	}
	return start
}
