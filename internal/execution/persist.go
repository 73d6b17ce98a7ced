package execution

import (
	"context"
	"errors"
	"time"

	"windlass/internal/store"
)

// How a write that fails for the store's sake is repeated: after a first delay
// that doubles up to a longest one.
const (
	writeAttempts     = 10
	firstWriteDelay   = 50 * time.Millisecond
	longestWriteDelay = 3 * time.Second
)

// persist writes, and writes again when the store fails, so that a moment's
// trouble with the database fails no execution. An attempt that seemed to fail
// may have been kept: then what would be added is there already, which is fine
// for what adds and changes with the same ids. A disk that is full, or a database
// that can't be reached, is waited for, until the lease ends where another manager
// may take over: giving up would mean to do again what was done.
func (r *run) persist(ctx context.Context, lasting func(error) bool, fn func(tx store.Tx) error) error {
	delay := firstWriteDelay
	for attempt := 1; ; attempt++ {
		err := r.s.store.Write(ctx, fn)
		switch {
		case err == nil, ctx.Err() != nil:
			return err
		case attempt > 1 && errors.Is(err, store.ErrExists) && !lasting(err):
			return nil
		case lasting(err) || attempt >= writeAttempts && !isPassing(err):
			return err
		}
		r.s.log.Warn("could not write; trying again", "execution", r.e.ID, "attempt", attempt, "error", err)
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		delay = min(2*delay, longestWriteDelay)
	}
}

// isPassing tells whether a write will succeed at last, if one waits.
func isPassing(err error) bool {
	return errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrUnavailable)
}

// isLasting tells whether trying a journal's batch again is of no use.
func isLasting(err error) bool {
	return errors.Is(err, store.ErrFenced) || errors.Is(err, store.ErrNotFound)
}

// patiently reads, and reads again for as long as the database can't be reached,
// until ctx ends, as it does when the claim is lost meanwhile: not knowing what an
// operation needs must not fail it.
func patiently[T any](ctx context.Context, read func() (T, error)) (T, error) {
	for delay := firstWriteDelay; ; delay = min(2*delay, longestWriteDelay) {
		found, err := read()
		if !errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
			return found, err
		}
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return found, err
		}
	}
}
