package child

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// A manager that was killed and that nobody has waited for yet is dead: its
// scripts are to be taken up, or ended, by the next.
func TestOwnerAlive(t *testing.T) {
	t.Parallel()
	own, _ := Stat(os.Getpid())
	dead := exec.Command("true")
	if err := dead.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dead.Wait() })
	if err := unix.Waitid(unix.P_PID, dead.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	zombie, ok := Stat(dead.Process.Pid)
	if !ok || !zombie.Dead {
		t.Fatalf("a process that nobody waited for: %+v, %v", zombie, ok)
	}
	for name, want := range map[string]bool{
		fmt.Sprintf("%d-%d-X", own.PID, own.Start):       true,
		fmt.Sprintf("%d-%d-X", own.PID, own.Start+1):     false,
		fmt.Sprintf("%d-%d-X", zombie.PID, zombie.Start): false,
		"spare": false,
		"x-1-y": false,
	} {
		if got := OwnerAlive(name); got != want {
			t.Errorf("the owner of %s lives: %v, want %v", name, got, want)
		}
	}
}
