package python

import (
	"context"

	"windlass/internal/operation"
	"windlass/internal/operation/child"
	"windlass/internal/operation/ctxproxy"
)

// limitedHost bounds what the loggers of one operation may cost.
type limitedHost struct {
	operation.Host
	budget *child.Budget
}

// limitHost returns a host with a bounded log; it lists directories if host
// does. finish logs what was dropped.
func limitHost(host operation.Host, limits child.Limits) (limited operation.Host, finish func()) {
	l := &limitedHost{Host: host, budget: child.NewBudget(limits)}
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
	if message, ok := l.budget.Spend(message); ok {
		l.Host.Log(level, message)
	}
}

func (l *limitedHost) finish() {
	if text, ok := l.budget.Report("operation"); ok {
		l.Host.Log("warning", text)
	}
}
