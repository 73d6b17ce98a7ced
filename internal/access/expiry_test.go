package access

import (
	"testing"
	"time"
)

func TestParseExpiry(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 31, 12, 30, 15, 0, time.UTC)
	for text, want := range map[string]string{
		"":                     "0001-01-01T00:00:00Z",
		"2027-01-02 03:04":     "2027-01-02T03:04:00Z",
		"2027-01-02":           "2027-01-02T00:00:00Z",
		"2027-01-02T03:04:05Z": "2027-01-02T03:04:05Z",
		"23:15":                "2026-03-31T23:15:00Z",
		"+10h":                 "2026-03-31T22:30:15Z",
		"+1 day":               "2026-04-01T12:30:15Z",
		"+2 weeks":             "2026-04-14T12:30:15Z",
		"+1day+10min":          "2026-04-01T12:40:15Z",
		"+1 day +10 minutes":   "2026-04-01T12:40:15Z",
		"+1y":                  "2027-03-31T12:30:15Z",
		"+2 months":            "2026-05-31T12:30:15Z",
	} {
		got, err := ParseExpiry(text, now)
		if err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%q: got %s, %v, want %s", text, got.Format(time.RFC3339), err, want)
		}
	}
	for _, text := range []string{"soon", "+", "+h", "+10", "+10 fortnights", "+1dayx", "+99999999999999999999h", "+9999999y",
		"2020-01-01 00:00", "2026-13-01 00:00", "10:00"} {
		if got, err := ParseExpiry(text, now); err == nil {
			t.Errorf("%q: got %s, want an error", text, got)
		}
	}
}

func FuzzParseExpiry(f *testing.F) {
	for _, s := range []string{"+10h", "2027-01-02 03:04", "+1day+10min", "+0h"} {
		f.Add(s)
	}
	now := time.Date(2026, 3, 31, 12, 30, 15, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseExpiry(text, now)
		if err == nil && !got.IsZero() && !got.After(now) {
			t.Errorf("%q gave %s, which has passed", text, got)
		}
	})
}
