package child

import (
	"context"
	"errors"
	"log/slog"
	"syscall"
	"time"

	"windlass/internal/operation"
)

// Info is what is known of a process.
type Info struct {
	PID, Group int
	Start      uint64 // in clock ticks after boot; 0 where that cannot be known
	Dead       bool   // has ended, but nobody took notice
	Run        string // the run directory it belongs to, where that was asked for
}

// Is tells whether it is the process that was given its number at that time.
func (p Info) Is(start uint64) bool {
	return p.PID > 1 && p.Start != 0 && p.Start == start
}

// Wanted tells which processes to find: those of the groups, and those with a
// run directory in their environment, whatever their group.
type Wanted struct {
	Groups map[int]string // the run directory of each group
	Runs   map[string]bool
}

// WantRun is what belongs to one run directory.
func WantRun(run string) Wanted {
	return Wanted{Groups: map[int]string{}, Runs: map[string]bool{run: true}}
}

// Marker is the environment variable by which the processes of a run are
// known; its value is the run directory.
const Marker = "WINDLASS_RUN_DIR"

// Process is a process that leads a group of its own.
type Process struct {
	PID   int             // 0: it is not known, and has ended
	Run   string          // its run directory
	Ended <-chan struct{} // closed when it has ended
}

// HasEnded tells whether the process itself has ended.
func (p Process) HasEnded() bool {
	select {
	case <-p.Ended:
		return true
	default:
		return false
	}
}

// HurriedGrace is how long a process may take to end by itself whose manager may
// not be the only one to run it any more.
const HurriedGrace = 2 * time.Second

// Grace is how long a process may take to end by itself when ctx has ended: less
// than usual if that is for a lease that has lapsed.
func Grace(ctx context.Context, usual time.Duration) time.Duration {
	if errors.Is(context.Cause(ctx), operation.ErrLapsed) {
		return min(usual, HurriedGrace)
	}
	return usual
}

// Stop ends a process, its group, and whatever else it started: it asks first,
// forces after the grace period, and returns when all are gone. What does not
// even yield to force is given up after another grace period. meanwhile is
// called again and again.
func (p Process) Stop(grace time.Duration, log *slog.Logger, meanwhile func()) {
	step := 2 * time.Millisecond // looking is not for free: less and less often
	started := time.Now()
	p.signal(syscall.SIGTERM)
	tick := time.NewTimer(step)
	defer tick.Stop()
	for {
		<-tick.C
		step = min(2*step, 50*time.Millisecond)
		tick.Reset(step)
		meanwhile()
		if p.HasEnded() && len(p.left()) == 0 {
			return
		}
		waited := time.Since(started)
		if waited > grace {
			p.signal(syscall.SIGKILL)
		}
		if waited > 2*grace+time.Second {
			log.Error("processes did not end by force", "pid", p.PID)
			return
		}
	}
}

// signal reaches the group, and what left the group but not the run.
func (p Process) signal(s syscall.Signal) {
	alive := !p.HasEnded() && p.PID > 1 // 0 would be ourselves
	if alive {                          // so its number is still its own
		_ = syscall.Kill(-p.PID, s)
	}
	for _, other := range p.left() {
		if !alive || other.Group != p.PID {
			_ = syscall.Kill(other.PID, s) // one that has just ended is fine
		}
	}
}

// left returns what is still alive of the process, its group, and others that
// it started.
func (p Process) left() []Info {
	w := WantRun(p.Run)
	if p.PID > 1 {
		w.Groups[p.PID] = p.Run
	}
	return Find(w)
}
