package script

import (
	"time"

	"windlass/internal/operation"
	"windlass/internal/operation/warden"
)

// hold keeps the hold of a running script as long as the lease of its execution.
// The methods of nil are those of a script that has none, and that nobody else
// can run.
type hold struct {
	run     string // the run directory
	lease   *operation.Lease
	written time.Duration
}

// beginHold gives a script that outlives its manager a hold if its execution
// has a lease.
func (r *Runner) beginHold(dir *runDir, lease *operation.Lease) (*hold, error) {
	if r.keeper == nil || lease == nil {
		return nil, nil
	}
	dir.held = true
	h := &hold{run: dir.path, lease: lease, written: lease.Until()}
	return h, warden.Grant(h.run, h.written)
}

// prolong passes on that the lease was prolonged. It is false if the script may
// not run any more. What goes wrong otherwise is tried again next time.
func (h *hold) prolong() bool {
	if h == nil {
		return true
	}
	until := h.lease.Until()
	if until == h.written {
		return until > warden.Uptime()
	}
	held, err := warden.Prolong(h.run, until)
	if held {
		h.written = until
	}
	return held || err != nil && h.written > warden.Uptime()
}

// hasLapsed tells whether the script was ended, or may have been, as its time
// was over.
func (h *hold) hasLapsed() bool { return h != nil && !warden.IsHeld(h.run) }

// hold makes a script that is taken up this manager's own for as long as the
// lease lasts. It is false if its hold has lapsed meanwhile.
func (l *leftover) hold(lease *operation.Lease) (h *hold, held bool) {
	if l.record.Held != (lease != nil) {
		return nil, false // who else may run it was another question then
	}
	if lease == nil {
		return nil, true
	}
	h = &hold{run: l.dir.path, lease: lease, written: lease.Until()}
	held, err := warden.Prolong(h.run, h.written)
	return h, held && err == nil
}
