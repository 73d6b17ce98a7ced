package warden

import (
	"time"

	"golang.org/x/sys/unix"
)

// Uptime is how long the machine has been up, the time that it slept included:
// a clock that goes on whatever happens, that nobody sets, and that is the same
// for all processes.
func Uptime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0 // every system that it is built for has that clock
	}
	return time.Duration(now.Nano())
}
