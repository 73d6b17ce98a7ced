package python_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestManyOperationsLeaveNothing runs operations through one worker and compares
// it with what it was: the same process, with no children but the one that waits
// for the next operation, no more open files and hardly more memory. WINDLASS_TEST_OPERATIONS makes it last longer.
func TestManyOperationsLeaveNothing(t *testing.T) {
	t.Parallel()
	operations := 300
	if n, err := strconv.Atoi(os.Getenv("WINDLASS_TEST_OPERATIONS")); err == nil {
		operations = n
	}
	r := newRunner(t, nil)
	worker := func() int {
		result, _, err := run(t, r, "state", nil)
		if err != nil {
			t.Fatal(err)
		}
		return int(result.([]any)[1].(int64))
	}
	req := request(t, "nothing", nil)
	many := func(n int) {
		for range n {
			if _, err := r.Run(t.Context(), req, newHost()); err != nil {
				t.Fatal(err)
			}
		}
	}
	pid := worker()
	many(operations / 10) // what is imported ahead and kept for good
	before, own := measure(t, pid), measure(t, os.Getpid())
	began := time.Now()
	many(operations)
	took := time.Since(began)
	if again := worker(); again != pid {
		t.Fatalf("the worker %d was replaced by %d", pid, again)
	}
	after := measure(t, pid)
	t.Logf("%d operations in %s; the worker had %v, then %v", operations, took.Round(time.Millisecond), before, after)
	t.Logf("totals: python_operations=%d", operations) // summed up by scripts/soak.sh
	if after.files > before.files {
		t.Errorf("%d files are open, before it were %d", after.files, before.files)
	}
	if grown := after.memory - before.memory; grown > 4<<10 {
		t.Errorf("the worker has grown by %d KiB", grown)
	}
	// Tests beside this one are in this process, too, unless it was started for this.
	if now := measure(t, os.Getpid()); operations > 300 && (now.files > own.files || now.memory-own.memory > 32<<10) {
		t.Errorf("this process had %v, now %v", own, now)
	}
	for deadline := time.Now().Add(10 * time.Second); measure(t, pid).children > 1; {
		if time.Now().After(deadline) {
			t.Fatalf("the worker has %d children left", measure(t, pid).children)
		}
	}
}

// usage is what a process holds.
type usage struct {
	memory          int // resident, KiB
	files, children int
}

func (u usage) String() string {
	return fmt.Sprintf("%d KiB, %d files, %d children", u.memory, u.files, u.children)
}

func measure(t *testing.T, pid int) usage {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/", pid)
	var u usage
	files, err := os.ReadDir(dir + "fd")
	if err != nil {
		t.Fatal(err)
	}
	u.files = len(files)
	children, err := os.ReadFile(fmt.Sprintf("%stask/%d/children", dir, pid))
	if err != nil {
		t.Fatal(err)
	}
	u.children = len(strings.Fields(string(children)))
	status, err := os.ReadFile(dir + "status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			u.memory, _ = strconv.Atoi(fields[1])
		}
	}
	return u
}
