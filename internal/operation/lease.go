package operation

import (
	"errors"
	"sync/atomic"
	"time"
)

// Lease is until when an execution is surely this manager's own: before that
// moment nobody else can run its operations. It is prolonged now and then while
// they run. It is safe for concurrent use.
type Lease struct{ until atomic.Int64 }

// NewLease makes a lease that lasts until the moment, as time since the machine
// was started; see warden.Uptime.
func NewLease(until time.Duration) *Lease {
	l := &Lease{}
	l.until.Store(int64(until))
	return l
}

// Until is when the lease ends unless it is prolonged.
func (l *Lease) Until() time.Duration { return time.Duration(l.until.Load()) }

// Prolong moves the end of the lease.
func (l *Lease) Prolong(until time.Duration) { l.until.Store(int64(until)) }

// Errors of Runner.Run that say nothing about the operation.
var (
	// ErrLeft: the operation goes on without its manager, which stops. Until the
	// lease has ended, its next life may take the operation up by a Run with the
	// same task.
	ErrLeft = errors.New("the operation goes on without its manager")
	// ErrLapsed: the operation was stopped since the lease was not prolonged in
	// time: another manager may be about to run it.
	ErrLapsed = errors.New("the operation was stopped, as its manager could not prolong its claim in time")
)
