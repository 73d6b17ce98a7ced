package execution

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"windlass/internal/store"
)

// Leases are written and judged by the database's clock alone, and their holders
// count by their own monotonic one, from before the write was sent: so a holder
// stops before anybody else may begin, whatever the clocks of their machines say.
// What a holder leaves unused is for its operations to end in (see
// child.HurriedGrace), for machines that are slow at it, and for clocks that go a
// little faster.
const leaseParts, unusedParts = 10, 3

// lease is what a claim made or renewed now gets.
func (s *Service) lease() store.Lease { return s.cfg.Clock.Lease(s.cfg.Timing.Lease) }

// held is until when a claim is relied on, by both clocks of this machine.
type held struct {
	own time.Time     // Clock.Own
	up  time.Duration // Config.Uptime
}

// heldUntil is until when a claim is relied on whose making or renewing is sent now.
func (s *Service) heldUntil() held {
	used := s.cfg.Timing.Lease - s.cfg.Timing.Lease/leaseParts*unusedParts
	return held{s.cfg.Clock.Own().Add(used), s.cfg.Uptime() + used}
}

// hold moves on until when the claim is relied on.
func (r *run) hold(until held) {
	r.held.Store(&until.own)
	r.lease.Prolong(until.up)
}

// Owns tells whether the claim on an execution is this manager's, of this life or
// a former one, or whether nobody else could have one.
func (s *Service) Owns(e store.Execution) bool {
	name, _, _ := strings.Cut(e.Owner, ownerSeparator)
	return s.cfg.Alone || name == s.cfg.ManagerName
}

// HeldUntil tells until when no other manager can have taken the execution from
// this one, by this machine's monotonic clock: compare with time.Now or use
// time.Until. Each renewal moves it on. ok is false for what doesn't run here.
func (s *Service) HeldUntil(executionID string) (until time.Time, ok bool) {
	r := s.runOf(executionID)
	if r == nil {
		return time.Time{}, false
	}
	return *r.held.Load(), true
}

// holding is which leases hold now.
func (s *Service) holding() store.Holding { return s.cfg.Clock.Holding(s.cfg.Timing.Lease) }

// free are those of the executions that may be claimed: nobody owns them, or
// whoever did has not renewed, also by a fresh look at the clock.
func (s *Service) free(ctx context.Context, es []store.Execution) []store.Execution {
	over := func(h store.Holding) {
		es = slices.DeleteFunc(es, func(e store.Execution) bool { return e.Owner != "" && h.Has(e.LeaseUntil) })
	}
	over(s.holding())
	if slices.ContainsFunc(es, func(e store.Execution) bool { return e.Owner != "" }) {
		if s.readClock(ctx) {
			over(s.holding())
		} else {
			es = slices.DeleteFunc(es, func(e store.Execution) bool { return e.Owner != "" })
		}
	}
	return es
}

// readClock follows the shared clock. If it was set, those who wait for a time
// hear of it.
func (s *Service) readClock(ctx context.Context) bool {
	set, err := s.cfg.Clock.Read(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn("could not read the clock that managers share; it goes on by this machine's", "error", err)
		}
		return false
	}
	if set {
		s.log.Warn("the clock that managers share was set, or this machine stood still; leases hold until they are renewed", "now", s.now())
		signal(s.timeSet)
	}
	return true
}

// renew prolongs the leases of all runs until ctx ends. Runs whose lease could
// not be kept stop at once: somebody else may have taken over.
func (l *loop) renew(ctx context.Context) {
	timer := time.NewTimer(l.s.cfg.Timing.Renew)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		timer.Reset(l.renewOnce(ctx))
	}
}

// renewOnce renews the leases and tells when to do so again: at the latest when
// the first that could not be renewed ends.
func (l *loop) renewOnce(ctx context.Context) (again time.Duration) {
	s := l.s
	runs := slices.DeleteFunc(s.runs(), func(r *run) bool { return errors.Is(context.Cause(r.ctx), errLost) })
	if len(runs) == 0 {
		return s.cfg.Timing.Renew
	}
	fences := make([]store.Fence, len(runs))
	for i, r := range runs {
		fences[i] = r.fence
	}
	left := s.cfg.Timing.Lease
	if !s.cfg.Alone {
		left = l.left(runs)
	}
	writing, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	until := s.heldUntil()
	var held []string
	err := s.store.Write(writing, func(tx store.Tx) error {
		var err error
		held, err = tx.RenewLeases(writing, s.owner, fences, s.lease())
		return err
	})
	if err != nil {
		return l.notRenewed(ctx, runs, err)
	}
	holds := make(map[string]bool, len(held))
	for _, id := range held {
		holds[id] = true
	}
	for _, r := range runs {
		if holds[r.e.ID] {
			r.hold(until)
		} else {
			r.stop(errLost)
		}
	}
	return s.cfg.Timing.Renew
}

// left is how long the first of the claims still holds.
func (l *loop) left(runs []*run) time.Duration {
	first := l.s.heldUntil().own
	for _, r := range runs {
		if until := *r.held.Load(); until.Before(first) && !r.inside.Load() {
			first = until
		}
	}
	return first.Sub(l.s.cfg.Clock.Own())
}

// notRenewed stops the runs whose claims hold no more.
func (l *loop) notRenewed(ctx context.Context, runs []*run, err error) (again time.Duration) {
	s := l.s
	if ctx.Err() != nil {
		return s.cfg.Timing.Renew
	}
	s.log.Error("could not renew the leases of running executions", "executions", len(runs), "error", err)
	// A write that takes long, such as the restoring of a snapshot, holds up
	// the renewal, and so does a full disk; where nobody else can take over,
	// that does no harm.
	if s.cfg.Alone && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, store.ErrFull)) {
		return s.cfg.Timing.Renew
	}
	own := s.cfg.Clock.Own()
	runs = slices.DeleteFunc(runs, func(r *run) bool {
		over := !own.Before(*r.held.Load()) && !r.inside.Load()
		if over {
			r.stop(errLost)
		}
		return over
	})
	if len(runs) == 0 {
		return s.cfg.Timing.Renew
	}
	return max(0, min(s.cfg.Timing.Renew/4, l.left(runs)))
}

// renewForNextLife gives the next life of this manager time to take up what goes
// on without it.
func (l *loop) renewForNextLife() {
	const atMost = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), atMost)
	defer cancel()
	if !l.s.cfg.Alone {
		l.renewOnce(ctx)
	}
}
