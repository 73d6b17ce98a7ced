package python

import (
	"context"
	"fmt"
	"sync"

	"windlass/internal/operation"
	"windlass/internal/operation/ctxproxy"
)

// limitedHost bounds what the loggers of one operation may cost.
type limitedHost struct {
	operation.Host
	limits Limits

	mu                    sync.Mutex // guards what follows
	lines, bytes, dropped int
}

// limitHost returns a host with a bounded log; it lists directories if host
// does. finish logs what was dropped.
func limitHost(host operation.Host, limits Limits) (limited operation.Host, finish func()) {
	l := &limitedHost{Host: host, limits: limits}
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
	if len(message) > l.limits.LineBytes {
		message = message[:l.limits.LineBytes] + fmt.Sprintf("... (%d more bytes)", len(message)-l.limits.LineBytes)
		message = clean([]byte(message))
	}
	l.mu.Lock()
	if l.lines >= l.limits.Lines || l.bytes+len(message) > l.limits.Bytes {
		l.dropped++
		l.mu.Unlock()
		return
	}
	l.lines++
	l.bytes += len(message)
	l.mu.Unlock()
	l.Host.Log(level, message)
}

func (l *limitedHost) finish() {
	l.mu.Lock()
	dropped := l.dropped
	l.mu.Unlock()
	if dropped > 0 {
		l.Host.Log("warning", fmt.Sprintf("%d more log lines of this operation were dropped", dropped))
	}
}
