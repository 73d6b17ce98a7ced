package store

import (
	"context"
	"sync"
	"time"
)

// Clock tells the time that all who use a database share: what the database's
// clock said last, carried on by the monotonic clock of this machine. So what two
// managers compare was never read from the clocks of two machines, and a machine
// whose clock is wrong or set anew tells the same time as the others. It is never
// ahead of the database's clock, and behind by less than a read took. Its methods
// are safe for concurrent use.
type Clock struct {
	source interface {
		Now(ctx context.Context) (time.Time, error)
	}
	own   func() time.Time // only differences count
	fixed bool             // own is the time, for tests

	mu   sync.Mutex
	born time.Time // by own
	base time.Time // the least that the shared time was when it was born; zero before the first read
	most time.Time // the most that it was
	set  time.Time // by own: when the database's clock was found to be set; zero: never
}

// step is how much more than time has passed tells that a clock was set.
const step = 100 * time.Millisecond

// NewClock makes a clock that follows the store's. Before the first Read it tells
// this machine's time.
func NewClock(s Reader) *Clock { return newClock(s, time.Now) }

// NewSkewedClock makes a clock on a machine whose own is given; only tests need it.
func NewSkewedClock(s Reader, own func() time.Time) *Clock { return newClock(s, own) }

// NewTestClock makes a clock that tells what now does.
func NewTestClock(now func() time.Time) *Clock { return &Clock{own: now, fixed: true, born: now()} }

func newClock(s Reader, own func() time.Time) *Clock {
	return &Clock{source: s, own: own, born: own()}
}

// Now is the shared time, in UTC.
func (c *Clock) Now() time.Time {
	own := c.own()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fixed || c.base.IsZero() {
		return own.UTC()
	}
	return c.base.Add(own.Sub(c.born))
}

// Own is the moment by this machine's clock, for how long something took: what
// lies between two of them doesn't change when a clock is set.
func (c *Clock) Own() time.Time { return c.own() }

// Read looks at the database's clock. It tells whether that was set since the
// last time, which is so too if this machine stood still meanwhile.
func (c *Clock) Read(ctx context.Context) (wasSet bool, err error) {
	if c.fixed {
		return false, nil
	}
	before := c.own()
	now, err := c.source.Now(ctx)
	if err != nil {
		return false, err
	}
	after := c.own()
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.base.IsZero()
	low, high := now.Add(-after.Sub(c.born)), now.Add(-before.Sub(c.born))
	off := max(low.Sub(c.most), c.base.Sub(high))
	switch {
	case first, off > 0:
		c.base, c.most = low, high
	default: // both reads are right: it lies where they agree
		c.base, c.most = later(c.base, low), earlier(c.most, high)
	}
	if wasSet = !first && off > step; wasSet {
		c.set = after
	}
	return wasSet, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Lease is one of that length that begins when it is written.
func (c *Clock) Lease(length time.Duration) Lease {
	l := Lease{For: length}
	if c.fixed {
		l.From = c.Now()
	}
	return l
}

// Holding is which leases of that length hold now. After the database's clock was
// set they all do until their holders must have renewed them by what it says now.
// One that reaches much further than leases do was written before it was set back,
// and is over once nobody has renewed it for that long.
func (c *Clock) Holding(length time.Duration) Holding {
	now, own := c.Now(), c.own()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.set.IsZero() && own.Sub(c.set) < length:
		return Holding{}
	case own.Sub(c.born) < length:
		return Holding{From: now}
	}
	return Holding{From: now, To: now.Add(2 * length)}
}
