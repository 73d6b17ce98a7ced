package access

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	deltas = regexp.MustCompile(`^(\+\d+ ?[a-z]+ ?)+$`)
	delta  = regexp.MustCompile(`\+(\d+) ?([a-z]+)`)
)

// ParseExpiry reads when a token runs out: "" for never, YYYY-MM-DD HH:mm in
// UTC, a full ISO date, or what to add to now: +10h, +1 day, +2 weeks+30min.
// It must lie ahead.
func ParseExpiry(text string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return time.Time{}, nil
	}
	when, ok := parseMoment(text, now.UTC())
	if !ok {
		return time.Time{}, refuse(BadParameters,
			"%q is not a legal expiration date; use YYYY-MM-DD HH:mm in UTC, or a delta such as +10h, +1 day or +2 weeks", text)
	}
	if !when.After(now) {
		return time.Time{}, refuse(BadParameters, "The expiration date %s has already passed", text)
	}
	return when, nil
}

func parseMoment(text string, now time.Time) (time.Time, bool) {
	if strings.HasPrefix(text, "+") {
		return addDeltas(text, now)
	}
	for _, layout := range []string{
		"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02",
		time.RFC3339Nano, "2006-01-02 15:04:05Z07:00",
	} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	if t, err := time.Parse("15:04", text); err == nil { // today
		return time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC), true
	}
	return time.Time{}, false
}

func addDeltas(text string, now time.Time) (time.Time, bool) {
	if !deltas.MatchString(text) {
		return time.Time{}, false
	}
	for _, m := range delta.FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil || n > 10_000_000 {
			return time.Time{}, false
		}
		switch strings.TrimSuffix(m[2], "s") {
		case "min", "minute":
			now = now.Add(time.Duration(n) * time.Minute)
		case "h", "hour":
			now = now.Add(time.Duration(n) * time.Hour)
		case "d", "day":
			now = now.AddDate(0, 0, n)
		case "w", "week":
			now = now.AddDate(0, 0, 7*n)
		case "mo", "month":
			now = now.AddDate(0, n, 0)
		case "y", "year":
			now = now.AddDate(n, 0, 0)
		default:
			return time.Time{}, false
		}
	}
	if now.Year() > 9999 {
		return time.Time{}, false
	}
	return now, true
}
