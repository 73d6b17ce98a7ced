package graph

import (
	"slices"
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		backoff  Backoff
		interval time.Duration
		want     []time.Duration // seconds, of the first retry and those after it
	}{
		"none":                  {Backoff{}, 15, []time.Duration{15, 15, 15}},
		"one":                   {Backoff{1, 100}, 15, []time.Duration{15, 15, 15}},
		"doubled":               {Backoff{2, 100}, 15, []time.Duration{15, 30, 60, 100, 100}},
		"tenfold":               {Backoff{10, 1000}, 1, []time.Duration{1, 10, 100, 1000, 1000}},
		"longer from the start": {Backoff{2, 10}, 15, []time.Duration{15, 15}},
		"no interval":           {Backoff{2, 10}, 0, []time.Duration{0, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []time.Duration
			for n := range c.want {
				got = append(got, c.backoff.wait(c.interval, n))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if last := c.backoff.wait(c.interval, 1<<40); last != c.want[len(c.want)-1] {
				t.Errorf("in the long run %v", last)
			}
		})
	}
	if got := (Backoff{Factor: 3, Longest: 1<<63 - 1}).wait(time.Hour, 1000); got != 1<<63-1 {
		t.Errorf("it overflows to %v", got)
	}
}

// Failures let the waits grow; what an operation asks for is kept to.
func TestRetriesBackOff(t *testing.T) {
	t.Parallel()
	g := New(&counter{})
	a := op("a")
	a.TotalRetries, a.RetryInterval = Infinite, 10*time.Second
	g.Add(a)
	s := newSteps(t, g, nil, time.Minute)
	s.e.backoff = Backoff{Factor: 2, Longest: 25 * time.Second}
	asked := 3 * time.Second
	for _, c := range []struct{ asked, want time.Duration }{{0, 10}, {0, 20}, {asked, 3}, {0, 25}, {0, 25}} {
		f := &Failure{Verdict: Recoverable, Message: "again"}
		if c.asked > 0 {
			f.RetryAfter = &asked
		}
		s.end("a", f)
		if got := s.wake.Sub(s.now); got != c.want*time.Second {
			t.Errorf("it waits %v, want %v", got, c.want*time.Second)
		}
		s.now = s.wake
		s.step(Tick{})
	}
}
