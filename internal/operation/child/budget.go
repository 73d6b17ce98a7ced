package child

import (
	"fmt"
	"sync"
)

// Budget bounds what the loggers of one operation or workflow may cost.
type Budget struct {
	limits Limits

	mu                    sync.Mutex // guards what follows
	lines, bytes, dropped int
}

// NewBudget makes a budget of the limits.
func NewBudget(limits Limits) *Budget { return &Budget{limits: limits} }

// Spend returns the message as it may be logged; false if it may not.
func (b *Budget) Spend(message string) (string, bool) {
	if len(message) > b.limits.LineBytes {
		message = message[:b.limits.LineBytes] + fmt.Sprintf("... (%d more bytes)", len(message)-b.limits.LineBytes)
		message = Clean([]byte(message))
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

// Report tells what was dropped; false if that is nothing.
func (b *Budget) Report(of string) (string, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprintf("%d more log lines of this %s were dropped", b.dropped, of), b.dropped > 0
}
