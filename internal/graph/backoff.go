package graph

import "time"

// Backoff says how the waits before the retries of a task grow: each is Factor
// times as long as the one before, but not longer than Longest, unless the task's
// own interval is. Waits that operations or handlers ask for by themselves stay as
// they are. The zero value lets nothing grow, as in the original.
type Backoff struct {
	Factor  int // 0 and 1: the same each time
	Longest time.Duration
}

// wait is how long a task waits before its n-th retry, which counts from 0.
func (b Backoff) wait(interval time.Duration, n int) time.Duration {
	if b.Factor < 2 {
		return interval
	}
	longest := max(interval, b.Longest)
	wait := interval
	for ; n > 0 && wait > 0 && wait < longest; n-- {
		if wait > longest/time.Duration(b.Factor) { // it would be longer, or even more than fits
			return longest
		}
		wait *= time.Duration(b.Factor)
	}
	return wait
}
