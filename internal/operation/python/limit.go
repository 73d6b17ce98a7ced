package python

import (
	"context"
	"fmt"
	"sync"

	"windlass/internal/operation"
	"windlass/internal/operation/child"
	"windlass/internal/operation/ctxproxy"
)

// budget bounds what the loggers of one operation or workflow may cost.
type budget struct {
	limits child.Limits

	mu                    sync.Mutex // guards what follows
	lines, bytes, dropped int
}

// spend returns the message as it may be logged; false if it may not.
func (b *budget) spend(message string) (string, bool) {
	if len(message) > b.limits.LineBytes {
		message = message[:b.limits.LineBytes] + fmt.Sprintf("... (%d more bytes)", len(message)-b.limits.LineBytes)
		message = child.Clean([]byte(message))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lines >= b.limits.Lines || b.bytes+len(message) > b.limits.Bytes {
		b.dropped++
		return "", false
	}
	b.lines++
	b.bytes += len(message)
	return message, true
}

// report tells what was dropped; false if that is nothing.
func (b *budget) report(of string) (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprintf("%d more log lines of this %s were dropped", b.dropped, of), b.dropped > 0
}

// limitedHost bounds what the loggers of one operation may cost.
type limitedHost struct {
	operation.Host
	budget budget
}

// limitHost returns a host with a bounded log; it lists directories if host
// does. finish logs what was dropped.
func limitHost(host operation.Host, limits child.Limits) (limited operation.Host, finish func()) {
	l := &limitedHost{Host: host, budget: budget{limits: limits}}
	if lister, ok := host.(ctxproxy.DirectoryLister); ok {
		return listingHost{l, lister}, l.finish
	}
	return l, l.finish
}

type listingHost struct {
	*limitedHost
	lister ctxproxy.DirectoryLister
}

func (h listingHost) ResourceFiles(ctx context.Context, directory string) ([]string, error) {
	return h.lister.ResourceFiles(ctx, directory)
}

func (l *limitedHost) Log(level, message string) {
	if message, ok := l.budget.spend(message); ok {
		l.Host.Log(level, message)
	}
}

func (l *limitedHost) finish() {
	if text, ok := l.budget.report("operation"); ok {
		l.Host.Log("warning", text)
	}
}
