// Package warden starts processes that outlive the manager, and keeps how they
// ended for the manager that comes after.
//
// The system tells the end of a process to its parent only. So the parent is a
// small process of our own, the warden: it starts what the manager asks for and
// reports ends. When the manager dies the warden goes on: it writes the end of
// each process into a file (Ending) beside the process's output, and leaves when
// the last has ended. The next manager starts a warden of its own.
//
// Where other managers may run again what a process does, it has a hold: the
// moment until which that can't be. The manager prolongs it for as long as it
// is sure. If it doesn't, dead or alive, the warden ends the process at that moment.
package warden

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	processes "windlass/internal/operation/child"
)

// Process is what to start.
type Process struct {
	Path      string // the program; "": Argv[0]
	Argv, Env []string
	Dir       string // where it starts
	// Stdout and Stderr are files that exist; they are appended to.
	Stdout, Stderr string
	// Run is the folder that the process's end is written into if the manager
	// is gone by then.
	Run string
	// Held says that the process may run only for as long as its hold in Run
	// lasts (see Grant). It doesn't outlive the warden then.
	Held bool
}

// EndingFile is the file in Process.Run with the end of a process.
const EndingFile = "ending"

// Ending reads how a process ended that outlived its manager. It is false if
// nothing is written: the process still runs, or nobody was there to see it end.
func Ending(run string) (syscall.WaitStatus, bool) {
	data, err := os.ReadFile(filepath.Join(run, EndingFile))
	if err != nil {
		return 0, false
	}
	status, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 32)
	return syscall.WaitStatus(status), err == nil
}

// order is what the manager sends: a process to start, or, without one, the
// number of one whose end needs not be kept any more.
type order struct {
	ID      uint64
	Process *Process
}

// report is what the warden sends: that a process was started or could not be,
// or that it has ended.
type report struct {
	ID     uint64
	PID    int           // if it was started
	Errno  syscall.Errno // why it was not, if the system refused
	Error  string        // why it was not, else
	Ended  bool
	Lapsed bool // it was ended as its hold has lapsed
	Status syscall.WaitStatus
}

// warden is the state of the process.
type warden struct {
	orders  *gob.Decoder
	started chan struct{} // has a value after a start
	held    chan struct{} // has a value after the start of a process with a hold
	bound   bool          // orders are followed by one thread only

	mu       sync.Mutex // guards what follows, and writing to reports
	reports  *gob.Encoder
	detached bool           // the manager is gone
	running  map[int]*child // by process id
	ended    map[uint64]*child
}

type child struct {
	id     uint64
	pid    int
	run    string
	status syscall.WaitStatus
	gone   chan struct{} // closed when it has ended

	held   bool
	until  time.Duration // when the hold is to be looked at
	lapsed bool
}

// Serve is the warden's life: it follows the orders from in and writes reports
// to out, until in has ended and all processes have.
func Serve(in io.Reader, out io.Writer) error {
	// It leaves when it is done, not before. What it ignored its processes would
	// ignore too, so it listens instead.
	deaf := make(chan os.Signal, 1)
	signal.Notify(deaf, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer signal.Stop(deaf)
	w := &warden{
		orders: gob.NewDecoder(in), reports: gob.NewEncoder(out), started: make(chan struct{}, 1),
		held:    make(chan struct{}, 1),
		running: map[int]*child{}, ended: map[uint64]*child{},
	}
	w.send(report{}) // it is there
	over := make(chan struct{})
	var reaped sync.WaitGroup
	reaped.Go(func() { w.reap(over) })
	done := make(chan struct{})
	var guarded sync.WaitGroup
	guarded.Go(func() { w.guard(done) })
	err := w.follow()
	w.detach()
	close(over)
	reaped.Wait()
	close(done)
	guarded.Wait()
	if w.bound {
		runtime.UnlockOSThread()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// follow carries out orders until there are no more.
func (w *warden) follow() error {
	for {
		var o order
		if err := w.orders.Decode(&o); err != nil {
			return err
		}
		if o.Process == nil {
			w.mu.Lock()
			delete(w.ended, o.ID)
			w.mu.Unlock()
			continue
		}
		w.start(o)
	}
}

func (w *warden) start(o order) {
	if o.Process.Held && !w.bound {
		// The system ends such processes when the thread dies that started them.
		runtime.LockOSThread()
		w.bound = true
	}
	w.mu.Lock() // until it is known by its number, so that its end is not seen before
	defer w.mu.Unlock()
	pid, err := launch(o.Process)
	r := report{ID: o.ID, PID: pid}
	if err != nil {
		r.PID, r.Error = 0, err.Error()
		errors.As(err, &r.Errno)
	} else {
		w.running[pid] = &child{id: o.ID, pid: pid, run: o.Process.Run, gone: make(chan struct{}), held: o.Process.Held}
		signalTo(w.started)
		if o.Process.Held {
			signalTo(w.held)
		}
	}
	w.send(r)
}

func signalTo(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// send needs mu. A manager that doesn't listen any more is about to be missed.
func (w *warden) send(r report) {
	if !w.detached {
		_ = w.reports.Encode(r)
	}
}

func launch(p *Process) (int, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	files := []uintptr{null.Fd()}
	for _, name := range []string{p.Stdout, p.Stderr} {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		files = append(files, f.Fd())
	}
	program := p.Path
	if program == "" {
		program = p.Argv[0]
	}
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if p.Held {
		attributes = processes.Attributes()
	}
	return syscall.ForkExec(program, p.Argv, &syscall.ProcAttr{Dir: p.Dir, Env: p.Env, Files: files, Sys: attributes})
}

// reap takes notice of every end until over is closed and nothing runs.
func (w *warden) reap(over <-chan struct{}) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == nil:
			w.note(pid, status)
			continue
		case err == syscall.EINTR:
			continue
		}
		select { // there is no child now
		case <-w.started:
		case <-over:
			select {
			case <-w.started:
				continue
			default:
				return
			}
		}
	}
}

// note reports an end, and writes it down if there is nobody to report it to.
func (w *warden) note(pid int, status syscall.WaitStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.running[pid]
	if c == nil {
		return
	}
	delete(w.running, pid)
	close(c.gone)
	c.status = status
	switch {
	case c.lapsed: // how it ended is of no use to anybody
		w.send(report{ID: c.id, Ended: true, Lapsed: true})
	case w.detached:
		c.write()
	default:
		w.ended[c.id] = c
		w.send(report{ID: c.id, Ended: true, Status: status})
	}
}

// detach writes down the ends that the manager may not have come to use.
func (w *warden) detach() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.detached = true
	for _, c := range w.ended {
		c.write()
	}
}

// write stores the end such that it is there as a whole or not at all. If it
// can't be written the process is run again, which is all that is left to do.
func (c *child) write() {
	fresh := filepath.Join(c.run, EndingFile+".new")
	if err := os.WriteFile(fresh, fmt.Appendf(nil, "%d\n", uint32(c.status)), 0o600); err == nil {
		_ = os.Rename(fresh, filepath.Join(c.run, EndingFile))
	}
}
