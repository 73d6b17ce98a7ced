package plugin

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
)

// logHandler sends log records to the manager. Attributes follow the message.
type logHandler struct {
	conn   *conn
	attrs  []slog.Attr
	groups []string
}

// Enabled implements slog.Handler: the manager takes all.
func (h *logHandler) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	var text bytes.Buffer
	plain := slog.NewTextHandler(&text, &slog.HandlerOptions{
		Level: slog.LevelDebug - 100,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
				return slog.Attr{}
			}
			return a
		},
	})
	handler := plain.WithAttrs(h.attrs)
	for _, g := range h.groups {
		handler = handler.WithGroup(g)
	}
	if err := handler.Handle(ctx, r); err != nil {
		return err
	}
	message := strings.TrimSpace(r.Message + " " + text.String())
	h.conn.tell("log", map[string]any{"level": level(r.Level), "message": message})
	return nil
}

func level(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "error"
	case l >= slog.LevelWarn:
		return "warning"
	case l >= slog.LevelInfo:
		return "info"
	}
	return "debug"
}

// WithAttrs implements slog.Handler.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for i := len(h.groups) - 1; i >= 0; i-- {
		attrs = []slog.Attr{{Key: h.groups[i], Value: slog.GroupValue(attrs...)}}
	}
	return &logHandler{h.conn, append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...), h.groups}
}

// WithGroup implements slog.Handler.
func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &logHandler{h.conn, h.attrs, append(h.groups[:len(h.groups):len(h.groups)], name)}
}
