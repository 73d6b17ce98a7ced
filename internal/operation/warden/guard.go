package warden

import (
	"io"
	"log/slog"
	"sync"
	"time"

	processes "windlass/internal/operation/child"
)

// lookEvery is how often holds are looked at while processes run that have one.
// It is no timer: those stand still while the machine sleeps.
const lookEvery = 100 * time.Millisecond

// guard ends processes whose holds lapse, until over is closed.
func (w *warden) guard(over <-chan struct{}) {
	var ending sync.WaitGroup
	defer ending.Wait()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if w.isGuarding() {
			for _, c := range w.lapsed() {
				ending.Go(c.end)
			}
			select {
			case <-tick.C:
			case <-over:
				return
			}
			continue
		}
		tick.Stop()
		select {
		case <-w.held:
			tick.Reset(lookEvery)
		case <-over:
			return
		}
	}
}

// isGuarding tells whether a process runs that has a hold.
func (w *warden) isGuarding() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.running {
		if c.held && !c.lapsed {
			return true
		}
	}
	return false
}

// lapsed returns the processes whose holds have lapsed just now.
func (w *warden) lapsed() []*child {
	w.mu.Lock()
	defer w.mu.Unlock()
	var over []*child
	for _, c := range w.running {
		if !c.held || c.lapsed || c.until > Uptime() {
			continue
		}
		if c.until, c.lapsed = lapse(c.run); c.lapsed {
			over = append(over, c)
		}
	}
	return over
}

// end ends a process and all that it has started.
func (c *child) end() {
	p := processes.Process{PID: c.pid, Run: c.run, Ended: c.gone}
	p.Stop(processes.HurriedGrace, slog.New(slog.NewTextHandler(io.Discard, nil)), func() {})
}
