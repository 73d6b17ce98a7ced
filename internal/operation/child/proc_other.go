//go:build !linux

package child

import (
	"os"
	"syscall"
)

// Without /proc all that is known of a process is that it exists. So Reap kills
// nothing here.

// Stat looks up a process; false if there is none.
func Stat(pid int) (Info, bool) {
	return Info{PID: pid}, syscall.Kill(pid, 0) == nil
}

// Find returns the living processes of the groups that are wanted.
func Find(w Wanted) []Info {
	var found []Info
	for group, run := range w.Groups {
		if syscall.Kill(-group, 0) == nil {
			found = append(found, Info{PID: group, Group: group, Run: run})
		}
	}
	return found
}

// Attributes put a process into a group of its own.
func Attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// Boot is "": elsewhere the time since the machine was started has no name.
func Boot() string { return "" }

// GiveBack does nothing: elsewhere that can't be done.
func GiveBack(*os.File, int64) {}

// AwaitEnd returns at once: elsewhere the end is waited for in another way.
func AwaitEnd(int) {}
