package store

import (
	"context"
	"errors"
	"testing"
	"time"
)

// twoClocks are a database's and a machine's, and what lies between them.
type twoClocks struct {
	Reader
	database time.Time
	own      time.Time
	slow     time.Duration // how long a read takes, half there and half back
	err      error
}

func (c *twoClocks) Now(context.Context) (time.Time, error) {
	c.pass(c.slow / 2)
	now := c.database
	c.pass(c.slow / 2)
	return now, c.err
}

func (c *twoClocks) pass(d time.Duration) {
	c.database, c.own = c.database.Add(d), c.own.Add(d)
}

func TestClock(t *testing.T) {
	t.Parallel()
	const lease = 15 * time.Second
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	w := &twoClocks{database: noon, own: noon.Add(-7 * time.Minute)}
	c := newClock(w, func() time.Time { return w.own })
	read := func(want bool) {
		t.Helper()
		wasSet, err := c.Read(t.Context())
		if err != nil || wasSet != want {
			t.Fatalf("%t, %v; want %t", wasSet, err, want)
		}
	}
	within := func(d time.Duration) {
		t.Helper()
		if off := w.database.Sub(c.Now()); off < 0 || off > d {
			t.Fatalf("it is %s behind, want at most %s", off, d)
		}
	}
	if got := c.Now(); !got.Equal(w.own) {
		t.Errorf("before the first read it tells %v", got)
	}
	w.slow = time.Second
	read(false)
	within(500 * time.Millisecond)
	w.slow = 20 * time.Millisecond
	read(false) // which is a better one
	within(10 * time.Millisecond)
	before := c.Now()
	w.slow = 5 * time.Second
	read(false) // a slow one tells nothing new, and turns nothing back
	within(10 * time.Millisecond)
	if c.Now().Before(before.Add(5 * time.Second)) {
		t.Errorf("it went back")
	}
	w.slow, w.err = 0, errors.New("away")
	w.pass(time.Hour)
	if _, err := c.Read(t.Context()); !errors.Is(err, w.err) {
		t.Errorf("got %v", err)
	}
	within(10 * time.Millisecond) // it goes on without the database

	w.err = nil
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		if h := c.Holding(lease); !h.Has(w.database.Add(lease)) || h.Has(w.database.Add(-time.Second)) || h.Has(w.database.Add(time.Hour)) {
			t.Errorf("all is well, and %v hold", h)
		}
		w.database = w.database.Add(by)
		read(true)
		within(0)
		// Until they must have been renewed, all hold.
		for _, until := range []time.Time{w.database.Add(-time.Hour), w.database.Add(time.Hour)} {
			if h := c.Holding(lease); !h.Has(until) {
				t.Errorf("%s: one that ends at %v holds no more", by, until)
			}
		}
		w.pass(lease)
		read(false)
		within(0)
		for _, until := range []time.Time{w.database.Add(-time.Hour), w.database.Add(time.Hour)} {
			if h := c.Holding(lease); h.Has(until) {
				t.Errorf("%s: one that ends at %v holds for ever", by, until)
			}
		}
	}
	w.own = w.own.Add(-time.Minute) // the machine stood still
	read(true)
	within(0)
}
