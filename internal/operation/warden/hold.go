package warden

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// A hold is until when (see Uptime) a process surely is nobody else's to run. It
// is a file in the process's run folder, so that it is the same for the warden
// that started the process, for the manager, and for the manager after that. A
// hold that nobody prolonged in time lapses for good: the warden ends the
// process, and nobody may take it up. The file's lock lets only one of both
// happen, prolonging and lapsing.

// HoldFile is the file in Process.Run with the hold.
const HoldFile = "hold"

const holdSize = 8

// Grant begins a hold for a process that is not started yet.
func Grant(run string, until time.Duration) error {
	f, err := os.OpenFile(filepath.Join(run, HoldFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = errors.Join(writeHold(f, until), f.Close())
	}
	if err != nil {
		return fmt.Errorf("note until when a script may run: %w", err)
	}
	return nil
}

// Prolong moves the end of a hold, which only grows. It is false if that has
// lapsed, or is over by now, or was never begun.
func Prolong(run string, until time.Duration) (bool, error) {
	held := false
	err := lockHold(run, func(f *os.File, now time.Duration) error {
		held = now > Uptime()
		if !held || until <= now {
			return nil
		}
		return writeHold(f, until)
	})
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return held && err == nil, err
}

// IsHeld tells whether a hold was begun and is not over.
func IsHeld(run string) bool {
	held := false
	err := lockHold(run, func(_ *os.File, until time.Duration) error {
		held = until > Uptime()
		return nil
	})
	return err == nil && held
}

// lapse ends a hold for good, unless it was prolonged: then it tells until when.
func lapse(run string) (until time.Duration, lapsed bool) {
	err := lockHold(run, func(f *os.File, now time.Duration) error {
		if until = now; until > Uptime() {
			return nil
		}
		lapsed = true
		return writeHold(f, 0) // one that can't be written is over all the same
	})
	return until, lapsed || err != nil
}

// lockHold calls do with the file and what it says, 0 for nothing.
func lockHold(run string, do func(f *os.File, until time.Duration) error) error {
	f, err := os.OpenFile(filepath.Join(run, HoldFile), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close() // and with it the lock
	for {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		return &os.PathError{Op: "lock", Path: f.Name(), Err: err}
	}
	var data [holdSize]byte
	var until time.Duration
	if n, _ := f.ReadAt(data[:], 0); n == len(data) {
		until = time.Duration(binary.LittleEndian.Uint64(data[:]))
	}
	return do(f, until)
}

func writeHold(f *os.File, until time.Duration) error {
	var data [holdSize]byte
	binary.LittleEndian.PutUint64(data[:], uint64(until))
	_, err := f.WriteAt(data[:], 0)
	return err
}
