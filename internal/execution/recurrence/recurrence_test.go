package recurrence

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func at(t testing.TB, text string, zone string) time.Time {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	when, err := ParseTime(text, loc, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rule         Rule
		zone         string
		since, until string
		after        string // "" for before the first
		want         []string
	}{
		"once":               {rule: Rule{Count: 1}, since: "2026-01-31 10:00:00", want: []string{"2026-01-31 10:00:00"}},
		"once, over":         {rule: Rule{Count: 1}, since: "2026-01-31 10:00:00", after: "2026-01-31 10:00:00"},
		"every two weeks":    {rule: Rule{Recurrence: "2 weeks", Count: 2}, since: "2026-01-01", want: []string{"2026-01-01 00:00:00", "2026-01-15 00:00:00"}},
		"weekdays":           {rule: Rule{Recurrence: "1 w", Weekdays: []string{"MO", "fr"}}, since: "2026-01-01", want: []string{"2026-01-02 00:00:00", "2026-01-05 00:00:00", "2026-01-09 00:00:00"}},
		"days filtered":      {rule: Rule{Recurrence: "1 day", Weekdays: []string{"su"}}, since: "2026-01-01", want: []string{"2026-01-04 00:00:00", "2026-01-11 00:00:00", "2026-01-18 00:00:00"}},
		"second of a month":  {rule: Rule{Recurrence: "1 month", Weekdays: []string{"2tu"}}, since: "2026-01-01", want: []string{"2026-01-13 00:00:00", "2026-02-10 00:00:00", "2026-03-10 00:00:00"}},
		"last of a month":    {rule: Rule{Recurrence: "1 mo", Weekdays: []string{"L-FR"}}, since: "2026-01-01", want: []string{"2026-01-30 00:00:00", "2026-02-27 00:00:00", "2026-03-27 00:00:00"}},
		"until":              {rule: Rule{Recurrence: "1 hour"}, since: "2026-01-01", until: "2026-01-01 01:00:00", want: []string{"2026-01-01 00:00:00", "2026-01-01 01:00:00"}},
		"seconds, years on":  {rule: Rule{Recurrence: "7 seconds"}, since: "1970-01-01", after: "2026-01-01", want: []string{"2026-01-01 00:00:07", "2026-01-01 00:00:14", "2026-01-01 00:00:21"}},
		"rrule":              {rule: Rule{RRule: "RRULE:FREQ=DAILY;INTERVAL=3"}, since: "2026-01-01 08:00:00", after: "2026-01-01 08:00:00", want: []string{"2026-01-04 08:00:00", "2026-01-07 08:00:00", "2026-01-10 08:00:00"}},
		"31st skips months":  {rule: Rule{RRule: "FREQ=MONTHLY"}, since: "2026-01-31", want: []string{"2026-01-31 00:00:00", "2026-03-31 00:00:00", "2026-05-31 00:00:00"}},
		"summer time starts": {rule: Rule{Recurrence: "1 day"}, zone: "Europe/Berlin", since: "2026-03-28 09:00:00", want: []string{"2026-03-28 08:00:00", "2026-03-29 07:00:00", "2026-03-30 07:00:00"}},
		"summer time ends":   {rule: Rule{Recurrence: "1 day"}, zone: "Europe/Berlin", since: "2026-10-24 09:00:00", want: []string{"2026-10-24 07:00:00", "2026-10-25 08:00:00", "2026-10-26 08:00:00"}},
		"hours of the night": {rule: Rule{Recurrence: "1 hour"}, zone: "Europe/Berlin", since: "2026-10-25 00:30:00", after: "2026-10-25 01:00:00", want: []string{"2026-10-24 23:30:00", "2026-10-25 00:30:00", "2026-10-25 01:30:00"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var until time.Time
			if tc.until != "" {
				until = at(t, tc.until, tc.zone)
			}
			since := at(t, tc.since, tc.zone)
			times, err := New(tc.rule, since, until)
			if err != nil {
				t.Fatal(err)
			}
			after := since.Add(-time.Second)
			if tc.after != "" {
				after = at(t, tc.after, tc.zone)
			}
			var got []string
			for _, when := range times.After(after, 3) {
				got = append(got, when.Format(time.DateTime))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBadRules(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rule Rule
		want string
	}{
		"nothing":          {Rule{}, "recurrence must be specified for execution count larger than 1"},
		"count alone":      {Rule{Count: 2}, "recurrence must be specified for execution count larger than 1"},
		"unit":             {Rule{Recurrence: "2 fortnights"}, "not a legal recurrence expression"},
		"zero":             {Rule{Recurrence: "0 days"}, "must be from 1"},
		"huge":             {Rule{Recurrence: "99999999999999999999 days"}, "must be from 1"},
		"weekday":          {Rule{Recurrence: "1 w", Weekdays: []string{"monday"}}, "is not a weekday"},
		"position":         {Rule{Recurrence: "1 w", Weekdays: []string{"1mo"}}, "only allowed when recurrence is of months or years"},
		"both":             {Rule{RRule: "FREQ=DAILY", Count: 2}, "can't go with"},
		"no rrule":         {Rule{RRule: "every day"}, "not an iCalendar rule"},
		"never due":        {Rule{RRule: "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"}, "use FREQ=DAILY"},
		"start in rule":    {Rule{RRule: "DTSTART=20260101T000000Z;FREQ=DAILY"}, "DTSTART"},
		"too many":         {Rule{Recurrence: "1 day", Count: MaxCount + 1}, "is more than"},
		"negative":         {Rule{Recurrence: "1 day", Count: -1}, "is more than"},
		"frequency is odd": {Rule{RRule: "FREQ=OFTEN"}, "not an iCalendar rule"},
	} {
		_, err := New(tc.rule, time.Unix(0, 0), time.Time{})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
	if _, err := New(Rule{Count: 1}, time.Time{}, time.Time{}); err == nil {
		t.Error("a schedule without a start passed")
	}
	if _, err := New(Rule{Count: 1}, time.Unix(100, 0), time.Unix(1, 0)); err == nil {
		t.Error("an end before the start passed")
	}
	for _, text := range []string{"tomorrow", "+3 parsecs", "+", "+1 day 2 hours", "+1day+", "+1234567 days", ""} {
		if when, err := ParseTime(text, time.UTC, time.Unix(0, 0)); err == nil {
			t.Errorf("%q passed as the time %v", text, when)
		}
	}
}

func TestTimesFromNow(t *testing.T) {
	t.Parallel()
	now := at(t, "2026-03-28 12:00:00", "Europe/Berlin")
	for text, want := range map[string]string{
		"+4 hours": "2026-03-28 16:00:00", "+1y+1d": "2027-03-29 12:00:00", "+ 1 day +30min": "2026-03-29 12:30:00",
		"+2mo": "2026-05-28 12:00:00", "+1 week": "2026-04-04 12:00:00",
	} {
		when, err := ParseTime(text, now.Location(), now)
		if err != nil || when.Format(time.DateTime) != want {
			t.Errorf("%s: %v, %v; want %s", text, when, err, want)
		}
	}
}

// FuzzTimes: no rule panics or takes long, and the next time is a later one.
func FuzzTimes(f *testing.F) {
	f.Add("", "2 weeks", 3, "mo,fr", int64(1_700_000_000))
	f.Add("FREQ=MONTHLY;BYDAY=1MO,-1FR;COUNT=3", "", 0, "", int64(0))
	f.Add("FREQ=YEARLY;BYWEEKNO=53;BYSETPOS=-1", "", 0, "", int64(1))
	f.Add("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "", 0, "", int64(1))
	f.Fuzz(func(t *testing.T, rule, recurrence string, count int, weekdays string, now int64) {
		if now < 0 || now > 4e9 {
			return
		}
		r := Rule{RRule: rule, Recurrence: recurrence, Count: count}
		if weekdays != "" {
			r.Weekdays = strings.Split(weekdays, ",")
		}
		times, err := New(r, time.Unix(1_600_000_000, 0).UTC(), time.Time{})
		if err != nil {
			return
		}
		after := time.Unix(now, 0)
		for _, when := range times.After(after, 2) {
			if !when.After(after) {
				t.Fatalf("%v is not after %v", when, after)
			}
		}
	})
}
