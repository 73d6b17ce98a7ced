package ctxproxy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"windlass/internal/value"
)

// parameter is one parameter of a method of the context.
type parameter struct {
	name     string
	required bool
	// structured: a dictionary is a sensible argument. A dictionary at the end
	// of a call means keywords; where its keys are not parameters, it is taken
	// as such an argument.
	structured bool
}

// bind sorts arguments into parameters; those not given are nil.
func bind(function string, params []parameter, args []any, kwargs map[string]any) ([]any, error) {
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = p.name
	}
	for _, k := range value.SortedKeys(kwargs) {
		if slices.Contains(names, k) {
			continue
		}
		if len(args) >= len(params) || !params[len(args)].structured {
			return nil, failf(typeError, "%s() got an unexpected keyword argument '%s' (it takes: %s)",
				function, k, strings.Join(names, ", "))
		}
		args, kwargs = append(slices.Clone(args), kwargs), nil
		break
	}
	if len(args) == 0 && len(kwargs) == 0 && kwargs != nil && len(params) > 0 && params[0].required && params[0].structured {
		args = []any{kwargs} // an empty dictionary, meant as the argument
	}
	if len(args) > len(params) {
		return nil, failf(typeError, "%s() takes at most %d arguments, %d were given (quote a text with spaces)",
			function, len(params), len(args))
	}
	bound := make([]any, len(params))
	copy(bound, args)
	for i, p := range params {
		v, named := kwargs[p.name]
		switch {
		case named && i < len(args):
			return nil, failf(typeError, "%s() got multiple values for argument '%s'", function, p.name)
		case named:
			bound[i] = v
		case i >= len(args) && p.required:
			return nil, failf(typeError, "%s() missing 1 required positional argument: '%s'", function, p.name)
		}
	}
	return bound, nil
}

// optionalText is the text of an argument; null and absence give "".
func optionalText(v any) string {
	if v == nil {
		return ""
	}
	return value.Text(v)
}

// seconds reads a number of seconds, also from a text; nil for null.
func seconds(function, name string, v any) (*time.Duration, error) {
	var f float64
	switch t := v.(type) {
	case nil:
		return nil, nil
	case int64:
		f = float64(t)
	case float64:
		f = t
	case string:
		parsed, err := strconv.ParseFloat(strings.TrimSpace(t), 64)
		if err != nil {
			return nil, failf(typeError, "%s(): %s must be a number of seconds, not %s", function, name, value.Repr(v))
		}
		f = parsed
	default:
		return nil, failf(typeError, "%s(): %s must be a number of seconds, not %s", function, name, value.Repr(v))
	}
	const century = 100 * 365 * 24 * time.Hour
	if !(f >= 0 && f <= century.Seconds()) {
		return nil, failf(typeError, "%s(): %s must be between 0 and %.0f seconds, not %s",
			function, name, century.Seconds(), value.Repr(v))
	}
	d := time.Duration(f * float64(time.Second))
	return &d, nil
}

// truth is Python's idea of a value's truth.
func truth(v any) bool {
	switch t := v.(type) {
	case nil:
		return false
	case bool:
		return t
	case int64:
		return t != 0
	case float64:
		return t != 0
	case string:
		return t != "" && !strings.EqualFold(t, "false") && t != "0"
	case []any:
		return len(t) > 0
	case map[string]any:
		return len(t) > 0
	}
	return true
}
