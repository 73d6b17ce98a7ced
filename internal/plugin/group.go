package plugin

import (
	"os/exec"
	"syscall"
)

// ownGroup has a command end together with all that it starts.
func ownGroup(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
}
