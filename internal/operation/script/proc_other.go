//go:build !linux

package script

import (
	"os"
	"syscall"
)

// Without /proc all that is known of a process is that it exists. So Reap kills
// nothing here.

func statProcess(pid int) (processInfo, bool) {
	return processInfo{pid: pid}, syscall.Kill(pid, 0) == nil
}

func findProcesses(w wanted) []processInfo {
	var found []processInfo
	for group, run := range w.groups {
		if syscall.Kill(-group, 0) == nil {
			found = append(found, processInfo{pid: group, group: group, run: run})
		}
	}
	return found
}

func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func awaitEnd(int) {}

func bootID() string { return "" }

func release(*os.File, int64) {}

// linked is 0: elsewhere that can't be told.
func linked(os.FileInfo) uint64 { return 0 }

// isSoleUser is false: elsewhere that can't be told.
func isSoleUser(*os.File) bool { return false }
