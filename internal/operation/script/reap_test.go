package script_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"windlass/internal/operation"
	"windlass/internal/operation/script"
)

const managerDir = "WINDLASS_TEST_MANAGER"

// TestManagerToBeKilled is not a test by itself: TestReap starts this program
// again with it, as a manager that will be killed.
func TestManagerToBeKilled(t *testing.T) {
	dir := os.Getenv(managerDir)
	if dir == "" {
		t.Skip("started by TestReap only")
	}
	r, err := script.New(script.Config{Root: filepath.Join(dir, "root")})
	if err != nil {
		t.Fatal(err)
	}
	host := newHost()
	host.Resources["s.sh"] = family
	work := filepath.Join(dir, "work")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = r.Run(ctx, &operation.Request{
			TaskID: "task-9", ExecutionID: "exec-9", Name: "create", Implementation: "script_runner.tasks.run",
			Inputs: map[string]any{"script_path": "s.sh"}, WorkDir: work,
			Self: operation.Subject{NodeID: "web", InstanceID: "web_1"},
		}, host)
	}()
	eventually(t, "the script to be ready", func() bool { return join(host.Output("<out> ")) == "ready" })
	fmt.Println("running")
	<-done
}

func TestReap(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "work"), 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	manager := exec.Command(self, "-test.run", "^TestManagerToBeKilled$", "-test.v")
	manager.Env = append(os.Environ(), managerDir+"="+dir)
	stdout, err := manager.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := manager.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && !strings.Contains(lines.Text(), "running") {
	}
	r := newRunner(t, func(c *script.Config) { c.Root, c.Grace = filepath.Join(dir, "root"), 300*time.Millisecond })
	if left, err := r.Reap(t.Context(), nil); err != nil || len(left) != 0 {
		t.Errorf("what a living manager runs is none of ours: %v %v", left, err)
	}
	if err := manager.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = manager.Wait() // it was killed

	left, err := r.Reap(t.Context(), nil)
	if err != nil || len(left) != 1 {
		t.Fatalf("%v %v", left, err)
	}
	o := left[0]
	if o.TaskID != "task-9" || o.ExecutionID != "exec-9" || o.InstanceID != "web_1" || o.Stdout != "ready" || o.Killed < 4 {
		t.Errorf("%+v", o)
	}
	noneAlive(t, filepath.Join(dir, "work"))
	if left, err := r.Reap(t.Context(), nil); err != nil || len(left) != 0 {
		t.Errorf("the second time there must be nothing: %v %v", left, err)
	}
}

// A process that was given the number of a dead one must live.
func TestReapSparesARecycledNumber(t *testing.T) {
	t.Parallel()
	innocent := exec.Command("sleep", "1000")
	if err := innocent.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = innocent.Process.Kill()
		_ = innocent.Wait()
	}()
	root := t.TempDir()
	r := newRunner(t, func(c *script.Config) { c.Root = root })
	for name, record := range map[string]string{
		"1-1-recycled": fmt.Sprintf(`{"pid": %d, "start": 1, "boot": "x", "task_id": "t"}`, innocent.Process.Pid),
		"1-1-broken":   `{"pid": `,
		"odd":          `[]`,
		"1-1-init":     `{"pid": 1, "start": 0}`,
	} {
		dir := filepath.Join(root, "runs", name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "process.json"), []byte(record), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	left, err := r.Reap(t.Context(), nil)
	if err != nil || len(left) != 4 {
		t.Errorf("%v %v", left, err)
	}
	for _, o := range left {
		if o.Killed != 0 {
			t.Errorf("%+v", o)
		}
	}
	if !alive(innocent.Process.Pid) {
		t.Error("a stranger was killed")
	}
}
