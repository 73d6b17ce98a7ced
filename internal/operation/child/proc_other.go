//go:build !linux

package child

import (
	"os"
	"syscall"
)

// Without /proc all that is known of a process is that it exists. So Reap kills
// nothing here.

func statProcess(pid int) (info, bool) {
	return info{pid: pid}, syscall.Kill(pid, 0) == nil
}

func findProcesses(w wanted) []info {
	var found []info
	for group, run := range w.groups {
		if syscall.Kill(-group, 0) == nil {
			found = append(found, info{pid: group, group: group, run: run})
		}
	}
	return found
}

// Attributes put a process into a group of its own.
func Attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func bootID() string { return "" }

func release(*os.File, int64) {}
