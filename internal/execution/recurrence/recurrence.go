// Package recurrence works out when a schedule is due. It is pure: the time of
// day comes from outside.
package recurrence

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// Rule says how a schedule repeats: by an iCalendar rule, or by a recurrence
// such as "2 weeks" with a count and weekdays, or, with a count of 1 alone,
// not at all.
type Rule struct {
	RRule      string   `json:"rrule,omitempty"`
	Recurrence string   `json:"recurrence,omitempty"`
	Count      int      `json:"count,omitempty"` // 0: no bound
	Weekdays   []string `json:"weekdays,omitempty"`
}

// MaxCount bounds how many occurrences a rule may count.
const MaxCount = 100_000

// Times are the occurrences of a rule.
type Times struct {
	option rrule.ROption
	since  time.Time
	until  time.Time // zero: no end
	// step is the distance of occurrences that are so close that counting them
	// from the first would take long; 0 where they are not.
	step time.Duration
}

// New checks a rule and gives its occurrences from since to until, both
// included; a zero until is no end. The wall clock of since's location counts.
// Times are whole seconds.
func New(rule Rule, since, until time.Time) (*Times, error) {
	if since.IsZero() {
		return nil, fmt.Errorf("a schedule needs the time since when it runs")
	}
	t := &Times{since: since.Truncate(time.Second), until: until}
	if !until.IsZero() && until.Before(t.since) {
		return nil, fmt.Errorf("until (%s) is before since (%s)", until.UTC().Format(time.DateTime), since.UTC().Format(time.DateTime))
	}
	var err error
	if rule.RRule != "" {
		if rule.Recurrence != "" || rule.Count != 0 || len(rule.Weekdays) > 0 {
			return nil, fmt.Errorf("rrule can't go with recurrence, count or weekdays: write them into the rule")
		}
		t.option, err = parseRRule(rule.RRule)
	} else {
		t.option, err = parseRecurrence(rule)
	}
	if err != nil {
		return nil, err
	}
	if t.option.Freq >= rrule.HOURLY && len(t.option.Byweekday)+len(t.option.Byhour)+len(t.option.Byminute) == 0 {
		t.since = t.since.UTC() // an hour is an hour, also when the clocks are changed
	}
	t.option.Dtstart = t.since
	if !until.IsZero() && (t.option.Until.IsZero() || until.Before(t.option.Until)) {
		t.option.Until = until
	}
	if t.option.Count == 0 {
		t.step = closeStep(t.option)
	}
	if _, err := rrule.NewRRule(t.option); err != nil {
		return nil, fmt.Errorf("the schedule's rule: %w", err)
	}
	return t, nil
}

func closeStep(o rrule.ROption) time.Duration {
	interval := time.Duration(max(o.Interval, 1))
	switch o.Freq {
	case rrule.SECONDLY:
		return interval * time.Second
	case rrule.MINUTELY:
		return interval * time.Minute
	case rrule.HOURLY:
		return interval * time.Hour
	}
	return 0
}

func parseRRule(text string) (rrule.ROption, error) {
	text = strings.TrimPrefix(strings.TrimSpace(text), "RRULE:")
	o, err := rrule.StrToROption(text)
	if err != nil {
		return rrule.ROption{}, fmt.Errorf("%q is not an iCalendar rule: %w", text, err)
	}
	if !o.Dtstart.IsZero() {
		return rrule.ROption{}, fmt.Errorf("the rule %q has a DTSTART: give it as since", text)
	}
	if o.Count > MaxCount {
		return rrule.ROption{}, tooMany(o.Count)
	}
	// Such rules may be due so rarely that looking for the next time takes years.
	if o.Freq >= rrule.HOURLY && len(o.Bymonth)+len(o.Bymonthday)+len(o.Byyearday)+len(o.Byweekno)+len(o.Byeaster)+len(o.Bysetpos) > 0 {
		return rrule.ROption{}, fmt.Errorf("the rule %q counts hours or less and is bound to certain days of months or years: "+
			"use FREQ=DAILY with BYHOUR, BYMINUTE and BYSECOND", text)
	}
	return *o, nil
}

func tooMany(n int) error {
	return fmt.Errorf("a count of %d is more than the %d that a schedule may have", n, MaxCount)
}

var recurrenceForm = regexp.MustCompile(`^\s*(\d+)\s*(sec|second|min|minute|h|hour|d|day|w|week|mo|month|y|year)s?\s*$`)

func parseRecurrence(rule Rule) (rrule.ROption, error) {
	var o rrule.ROption
	if rule.Count < 0 || rule.Count > MaxCount {
		return o, tooMany(rule.Count)
	}
	if rule.Recurrence == "" {
		if rule.Count != 1 {
			return o, fmt.Errorf("recurrence must be specified for execution count larger than 1")
		}
		return rrule.ROption{Freq: rrule.DAILY, Count: 1}, nil
	}
	m := recurrenceForm.FindStringSubmatch(strings.ToLower(rule.Recurrence))
	if m == nil {
		return o, fmt.Errorf("`%s` is not a legal recurrence expression. Supported format is: <integer> seconds|minutes|hours|days|weeks|months|years",
			rule.Recurrence)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n < 1 || n > MaxCount {
		return o, fmt.Errorf("the number in the recurrence `%s` must be from 1 to %d", rule.Recurrence, MaxCount)
	}
	o.Freq, o.Interval, o.Count = frequency(m[2]), n, rule.Count
	for _, day := range rule.Weekdays {
		w, err := weekday(day, o.Freq == rrule.MONTHLY || o.Freq == rrule.YEARLY)
		if err != nil {
			return o, err
		}
		o.Byweekday = append(o.Byweekday, w)
	}
	return o, nil
}

func frequency(unit string) rrule.Frequency {
	switch unit {
	case "sec", "second":
		return rrule.SECONDLY
	case "min", "minute":
		return rrule.MINUTELY
	case "h", "hour":
		return rrule.HOURLY
	case "d", "day":
		return rrule.DAILY
	case "w", "week":
		return rrule.WEEKLY
	case "mo", "month":
		return rrule.MONTHLY
	}
	return rrule.YEARLY
}

var weekdayForm = regexp.MustCompile(`^([1-4]|l-)?(mo|tu|we|th|fr|sa|su)$`)

// weekday reads mo to su; where a position is allowed, 1 to 4 before it count
// from the start of the month or year, and l- is the last.
func weekday(text string, positions bool) (rrule.Weekday, error) {
	m := weekdayForm.FindStringSubmatch(strings.ToLower(strings.TrimSpace(text)))
	if m == nil {
		return rrule.Weekday{}, fmt.Errorf("`%s` is not a weekday: write mo, tu, we, th, fr, sa or su; "+
			"for recurrences of months and years also with 1 to 4 or l- before it", text)
	}
	days := map[string]rrule.Weekday{
		"mo": rrule.MO, "tu": rrule.TU, "we": rrule.WE, "th": rrule.TH, "fr": rrule.FR, "sa": rrule.SA, "su": rrule.SU,
	}
	day := days[m[2]]
	switch {
	case m[1] == "":
		return day, nil
	case !positions:
		return day, fmt.Errorf("`%s`: complex weekday expressions are only allowed when recurrence is of months or years", text)
	case m[1] == "l-":
		return day.Nth(-1), nil
	}
	n, err := strconv.Atoi(m[1])
	return day.Nth(n), err
}

// Next is the first occurrence after a time, false if there is none.
func (t *Times) Next(after time.Time) (time.Time, bool) {
	list := t.After(after, 1)
	if len(list) == 0 {
		return time.Time{}, false
	}
	return list[0], true
}

// After lists up to limit occurrences after a time, in UTC.
func (t *Times) After(after time.Time, limit int) []time.Time {
	option := t.option
	if gap := after.Sub(t.since); t.step > 0 && gap > 2*t.step {
		option.Dtstart = t.since.Add((gap/t.step - 1) * t.step)
	}
	rule, err := rrule.NewRRule(option)
	if err != nil {
		return nil // New has seen that there is one
	}
	var list []time.Time
	next := rule.Iterator()
	for len(list) < limit {
		at, ok := next()
		if !ok {
			break
		}
		if at.After(after) {
			list = append(list, at.UTC())
		}
	}
	return list
}

// ParseTime reads a time of a schedule: a day or a time without a zone, which
// is meant in loc, one with a zone, or one counted from now, such as "+1 day +4
// hours".
func ParseTime(text string, loc *time.Location, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "+") {
		return fromNow(text, now.In(loc))
	}
	for _, form := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00"} {
		if t, err := time.Parse(form, text); err == nil {
			return t.In(loc), nil
		}
	}
	for _, form := range []string{
		time.DateOnly, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04",
	} {
		if t, err := time.ParseInLocation(form, text, loc); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("`%s` is not a time: write it as 2026-01-31, as 2026-01-31 23:59:59, or as +4 hours from now", text)
}

var relativeForm = regexp.MustCompile(`^\+\s*(\d{1,6})\s*(min|minute|h|hour|d|day|w|week|mo|month|y|year)s?(\s|\+|$)`)

func fromNow(text string, now time.Time) (time.Time, error) {
	at := now
	for rest := text; rest != ""; {
		m := relativeForm.FindStringSubmatch(rest)
		if m == nil {
			return time.Time{}, fmt.Errorf("`%s` is not a time: write it as +4 hours or +1y+1d", text)
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return time.Time{}, err
		}
		at = later(at, n, frequency(m[2]))
		rest = strings.TrimSpace(rest[len(m[0])-len(m[3]):])
	}
	return at, nil
}

func later(at time.Time, n int, unit rrule.Frequency) time.Time {
	switch unit {
	case rrule.MINUTELY:
		return at.Add(time.Duration(n) * time.Minute)
	case rrule.HOURLY:
		return at.Add(time.Duration(n) * time.Hour)
	case rrule.DAILY:
		return at.AddDate(0, 0, n)
	case rrule.WEEKLY:
		return at.AddDate(0, 0, 7*n)
	case rrule.MONTHLY:
		return at.AddDate(0, n, 0)
	}
	return at.AddDate(n, 0, 0)
}
