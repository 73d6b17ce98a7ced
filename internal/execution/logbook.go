package execution

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"windlass/internal/store"
)

// Sizes of a logbook, in entries.
const (
	logbookFlushAt = 256  // written at once when this many have gathered
	logbookFull    = 4096 // whoever logs more waits until some are written
)

// logbookDelay is how long a line waits for others to be written with it.
const logbookDelay = 100 * time.Millisecond

// logbook gathers the log lines and events of one execution between writes. It
// keeps their order, and holds back whoever writes faster than the store.
type logbook struct {
	mu      sync.Mutex
	room    sync.Cond     // entries left, or closed
	entries []store.Event // guarded by mu
	closed  bool          // guarded by mu: entries are dropped
	first   chan struct{} // has a value once there is something to write
	many    chan struct{} // has a value once there is enough not to wait
}

func newLogbook() *logbook {
	b := &logbook{first: make(chan struct{}, 1), many: make(chan struct{}, 1)}
	b.room.L = &b.mu
	return b
}

// add enters an event, waiting while the book is full.
func (b *logbook) add(e store.Event) {
	e.Message = strings.ReplaceAll(e.Message, "\x00", "<NUL>")
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.entries) >= logbookFull && !b.closed {
		b.room.Wait()
	}
	if b.closed {
		return
	}
	b.entries = append(b.entries, e)
	signal(b.first)
	if len(b.entries) >= logbookFlushAt {
		signal(b.many)
	}
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// take removes and returns all entries.
func (b *logbook) take() []store.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.entries
	b.entries = nil
	b.room.Broadcast()
	return taken
}

// putBack returns entries that could not be written to the head of the book.
func (b *logbook) putBack(entries []store.Event) {
	if len(entries) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries = append(entries, b.entries...)
	signal(b.first)
}

// close lets go of whoever waits; what is entered from now on is dropped.
func (b *logbook) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.room.Broadcast()
}

// keep writes what is entered until ctx ends or the claim is lost.
func (b *logbook) keep(ctx context.Context, write func(context.Context) error) {
	for {
		select {
		case <-b.first:
		case <-ctx.Done():
			return
		}
		delay := time.NewTimer(logbookDelay)
		select {
		case <-delay.C:
		case <-b.many:
		case <-ctx.Done():
		}
		delay.Stop()
		if ctx.Err() != nil || errors.Is(write(ctx), store.ErrFenced) {
			return
		}
	}
}
