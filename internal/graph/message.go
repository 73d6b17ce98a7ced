package graph

import "time"

// Event is what happened; see the types that implement it.
type Event interface{ event() }

// Begin starts the engine.
type Begin struct{}

// Granted: the task may be performed now.
type Granted struct{ ID string }

// Began: the performer has really started the task.
type Began struct{ ID string }

// Ended: the performer is done with the task.
type Ended struct {
	ID      string
	Result  any
	Failure *Failure // nil: it succeeded
}

// Interrupted: the performer has let go of the task as the run is being cancelled,
// of which the engine may not have heard yet. The task has no outcome; a restored
// graph performs it anew, to resume it.
type Interrupted struct{ ID string }

// Tick: time has passed.
type Tick struct{}

// Cancel asks the engine to stop. Nothing new starts; it ends when what runs
// has ended, or, if Now, at once. With Kill what runs is being stopped from
// outside, and its failures tell nothing about it.
type Cancel struct{ Now, Kill bool }

// SetPaused holds everything that has not started, or lets it go on. What runs
// goes on and its outcome is recorded. A failure's grace period goes on, too.
type SetPaused struct{ To bool }

// Denied: there will be no slot for the task; it fails without being performed.
type Denied struct {
	ID      string
	Failure *Failure
}

func (Begin) event()       {}
func (Granted) event()     {}
func (Began) event()       {}
func (Ended) event()       {}
func (Tick) event()        {}
func (Cancel) event()      {}
func (Interrupted) event() {}
func (Denied) event()      {}
func (SetPaused) event()   {}

// Command is what is to be done. Perform and Finish are carried out in order,
// after all records before them are durable; for the others that doesn't matter.
type Command interface{ command() }

// Record is a change to be made durable: a task with its new state, or a task
// that was added.
type Record struct {
	Task         *Task // a copy as it is at this moment
	Added        bool
	Dependencies []string // of an added task
	// Effect is something that becomes durable together with the task's end; it
	// is the only news in this record. The journal knows its types.
	Effect any
}

// Ask requests a slot for the task.
type Ask struct{ Task *Task }

// Release gives back a slot that is not needed any more.
type Release struct{ ID string }

// Perform runs the task.
type Perform struct{ Task *Task }

// WakeAt asks for a Tick at the time.
type WakeAt struct{ At time.Time }

// Finish ends the run; the result is nil, Cancelled, *FailedError or *StuckError.
type Finish struct{ Err error }

func (Record) command()  {}
func (Ask) command()     {}
func (Release) command() {}
func (Perform) command() {}
func (WakeAt) command()  {}
func (Finish) command()  {}
