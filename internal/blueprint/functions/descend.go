package functions

import (
	"strconv"

	"windlass/internal/value"
)

// gap says where and why a path can't be followed.
type gap struct {
	step int // the step that failed
	why  int
	in   any // what it was to be taken in
}

const (
	noKey    = iota // a dict without the key
	noIndex         // a list that is too short
	noNumber        // a list, and the step is no number
	noInside        // neither dict nor list
)

// descend follows steps from v. Where a call of a function is met, and at the
// end, resolve works it out; done is how many steps lead there. If a call is
// left of it on the way, descend stops and gives that call with left.
func descend(v any, steps []any, resolve func(v any, done int) (any, error)) (result any, left bool, g *gap, err error) {
	for i, s := range steps {
		if Is(v) {
			if v, err = resolve(v, i); err != nil {
				return nil, false, nil, err
			}
			if Is(v) {
				return v, true, nil, nil
			}
		}
		next, why, ok := take(v, s)
		if !ok {
			return nil, false, &gap{step: i, why: why, in: v}, nil
		}
		v = next
	}
	v, err = resolve(v, len(steps))
	return v, false, nil, err
}

// take gives one item of a dict or list. A negative index counts from the end.
func take(v, step any) (item any, why int, ok bool) {
	switch t := v.(type) {
	case map[string]any:
		key, isText := step.(string)
		item, ok = t[key]
		return item, noKey, ok && isText
	case []any:
		i, isNumber := index(step)
		if !isNumber {
			return nil, noNumber, false
		}
		if i < 0 {
			i += len(t)
		}
		if i < 0 || i >= len(t) {
			return nil, noIndex, false
		}
		return t[i], 0, true
	}
	return nil, noInside, false
}

func index(step any) (int, bool) {
	switch t := step.(type) {
	case int64:
		return int(t), true
	case bool:
		if t {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// dotted writes steps as properties are written in messages: a.b.0
func dotted(steps []any) string {
	text := ""
	for i, s := range steps {
		if i > 0 {
			text += "."
		}
		text += value.Text(s)
	}
	return text
}

// subscript writes steps as they would be in Python: obj.attr[7].other
func subscript(steps []any) string {
	text := ""
	for i, s := range steps {
		n, isNumber := index(s)
		switch {
		case i == 0:
			text = value.Text(s)
		case isNumber:
			text += "[" + strconv.Itoa(n) + "]"
		default:
			text += "." + value.Text(s)
		}
	}
	return text
}

func listed(steps []any) string {
	text := ""
	for i, s := range steps {
		if i > 0 {
			text += ", "
		}
		text += value.Text(s)
	}
	return text
}

// plainly is the resolve of descend for data in which functions are not worked out.
func plainly(v any, _ int) (any, error) { return v, nil }
