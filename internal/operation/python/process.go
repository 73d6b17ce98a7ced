package python

import (
	"syscall"
	"time"
)

// processInfo is what is known of a process.
type processInfo struct {
	pid, group int
	start      uint64 // in clock ticks after boot; 0 where that cannot be known
	dead       bool   // has ended, but nobody took notice
	run        string // the run directory it belongs to, where that was asked for
}

// wanted tells which processes to find: those of the groups, and those with a
// run directory in their environment, whatever their group.
type wanted struct {
	groups map[int]string // the run directory of each group
	runs   map[string]bool
}

// marker is the environment variable by which the processes of a run are
// known; its value is the run directory.
const marker = "WINDLASS_RUN_DIR"

// stop ends a child, its group, and whatever else it started: it asks first,
// forces after the grace period, and returns when all are gone. What does not
// even yield to force is given up after another grace period. meanwhile is
// called again and again.
func (r *Runner) stop(c *child, run string, meanwhile func()) {
	step := 2 * time.Millisecond // looking is not for free: less and less often
	started := time.Now()
	c.signal(syscall.SIGTERM, run)
	tick := time.NewTimer(step)
	defer tick.Stop()
	for {
		<-tick.C
		step = min(2*step, 50*time.Millisecond)
		tick.Reset(step)
		meanwhile()
		if c.hasEnded() && len(c.left(run)) == 0 {
			return
		}
		waited := time.Since(started)
		if waited > r.cfg.Grace {
			c.signal(syscall.SIGKILL, run)
		}
		if waited > 2*r.cfg.Grace+time.Second {
			r.cfg.Logger.Error("processes did not end by force", "pid", c.pid)
			return
		}
	}
}

// signal reaches the group, and what left the group but not the run.
func (c *child) signal(s syscall.Signal, run string) {
	alive := !c.hasEnded()
	if alive { // so its number is still its own
		_ = syscall.Kill(-c.pid, s)
	}
	for _, other := range c.left(run) {
		if !alive || other.group != c.pid {
			_ = syscall.Kill(other.pid, s) // one that has just ended is fine
		}
	}
}

// left returns what is still alive of the child, its group, and others that it
// started.
func (c *child) left(run string) []processInfo {
	return findProcesses(wanted{groups: map[int]string{c.pid: run}, runs: map[string]bool{run: true}})
}

func (c *child) hasEnded() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}
