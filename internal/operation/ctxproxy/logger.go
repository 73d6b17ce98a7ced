package ctxproxy

import (
	"context"
	"strings"

	"windlass/internal/value"
)

// loggerObject is ctx.logger.
type loggerObject struct{ s *Session }

func (loggerObject) className() string { return "Logger" }

// levels are the logger's methods and the levels that they write at.
var levels = map[string]string{
	"debug": "debug", "info": "info", "warning": "warning", "warn": "warning",
	"error": "error", "exception": "error", "critical": "critical", "fatal": "critical",
}

func (o loggerObject) attribute(_ context.Context, name string) (any, bool, error) {
	switch name {
	case "name":
		return found(o.s.cfg.Request.TaskID)
	case "log":
		return found(method(func(_ context.Context, args []any, kwargs map[string]any) (any, error) {
			if len(args) < 2 {
				return nil, failf(typeError, "log() takes a level and a message")
			}
			return nil, o.write(levelNamed(args[0]), args[1:], kwargs)
		}))
	}
	level, ok := levels[name]
	if !ok {
		return nil, false, nil
	}
	return found(method(func(_ context.Context, args []any, kwargs map[string]any) (any, error) {
		return nil, o.write(level, args, kwargs)
	}))
}

func (o loggerObject) write(level string, args []any, kwargs map[string]any) error {
	if msg, ok := kwargs["msg"]; ok && len(args) == 0 {
		args = []any{msg}
	} else if kwargs != nil {
		args = append(args, kwargs)
	}
	if len(args) == 0 {
		return failf(typeError, "%s() missing 1 required positional argument: 'msg'", level)
	}
	o.s.cfg.Host.Log(level, cleanText(format(value.Text(args[0]), args[1:])))
	return nil
}

// cleanText makes a text fit for every store: valid UTF-8 without NUL.
func cleanText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// levelNamed maps Python's level numbers and names.
func levelNamed(v any) string {
	if n, ok := v.(int64); ok {
		switch {
		case n < 20:
			return "debug"
		case n < 30:
			return "info"
		case n < 40:
			return "warning"
		case n < 50:
			return "error"
		}
		return "critical"
	}
	if level, ok := levels[strings.ToLower(value.Text(v))]; ok {
		return level
	}
	return "info"
}

// format puts arguments into a message in the way of Python's logging: %s, %r,
// %d and so on take one each. Arguments that are left over are appended, so
// that an unquoted message is logged whole.
func format(message string, args []any) string {
	if len(args) == 0 {
		return message
	}
	var b strings.Builder
	for i := 0; i < len(message); i++ {
		if message[i] != '%' || i+1 == len(message) {
			b.WriteByte(message[i])
			continue
		}
		verb := message[i+1]
		switch {
		case verb == '%':
			b.WriteByte('%')
		case strings.IndexByte("srdifg", verb) >= 0 && len(args) > 0:
			if verb == 'r' {
				b.WriteString(value.Repr(args[0]))
			} else {
				b.WriteString(value.Text(args[0]))
			}
			args = args[1:]
		default:
			b.WriteByte('%')
			continue
		}
		i++
	}
	for _, a := range args {
		b.WriteByte(' ')
		b.WriteString(value.Text(a))
	}
	return b.String()
}
