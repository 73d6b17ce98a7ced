package python

import (
	"windlass/internal/operation"
	"windlass/internal/operation/child"
)

// limitedHost bounds what the loggers of one operation may cost.
type limitedHost struct {
	operation.Host
	budget *child.Budget
}

// limitHost returns a host with a bounded log. finish logs what was dropped.
func limitHost(host operation.Host, limits child.Limits) (limited operation.Host, finish func()) {
	l := &limitedHost{Host: host, budget: child.NewBudget(limits)}
	return l, l.finish
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
