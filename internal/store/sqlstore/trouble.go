package sqlstore

import (
	"sync"
	"time"

	"windlass/internal/store"
)

// Trouble remembers whether the database takes what is written. The zero value
// knows of none. It may be used from several goroutines.
type Trouble struct {
	mu   sync.Mutex
	last store.Trouble // guarded by mu
}

// Met notes that the database refused a write for reasons of its own.
func (t *Trouble) Met(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = store.Trouble{Err: err, At: time.Now()}
}

// Passed notes that it took one.
func (t *Trouble) Passed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last.IsOver = t.last.Err != nil
}

// Trouble implements store.Reporter.
func (t *Trouble) Trouble() store.Trouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}
