//go:build !linux

package script

import (
	"os"
	"syscall"
)

// processInfo is what is known of a process. Without /proc that is its
// existence only, so Reap kills nothing here.
type processInfo struct {
	pid, group int
	start      uint64
	dead       bool
}

func statProcess(pid int) (processInfo, bool) {
	return processInfo{pid: pid}, syscall.Kill(pid, 0) == nil
}

func findProcesses(group int, _ string) []processInfo {
	if group > 0 && syscall.Kill(-group, 0) == nil {
		return []processInfo{{pid: group, group: group}}
	}
	return nil
}

func bootID() string { return "" }

func release(*os.File, int64) {}
