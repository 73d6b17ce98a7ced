package warden

import (
	"encoding/gob"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Client is a manager's side of its warden. It is safe for concurrent use.
type Client struct {
	process *exec.Cmd
	orders  *os.File
	reports *os.File
	done    chan struct{} // closed when the warden reports no more

	mu     sync.Mutex // guards what follows, and writing to orders
	encode *gob.Encoder
	last   uint64
	known  map[uint64]*Running
	closed bool
}

// Running is a process that was started.
type Running struct {
	PID int
	// Done is closed when it has ended, or when the warden has gone and its end
	// will not be known.
	Done   <-chan struct{}
	id     uint64
	client *Client

	began  chan report
	done   chan struct{}
	status *syscall.WaitStatus // set before done is closed; nil if the end is not known
}

// ErrGone tells that the warden has ended before its manager.
var ErrGone = errors.New("the process that watches over scripts has ended")

// helloWithin is how long a warden may take to begin.
const helloWithin = 10 * time.Second

// Start starts a warden: command is the file of a program and its arguments, its
// name first, with which it calls Serve on its standard input and output.
func Start(command []string) (*Client, error) {
	if len(command) < 2 {
		return nil, errors.New("start the warden: no program and arguments are given")
	}
	ordersRead, ordersWrite, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the warden: %w", err)
	}
	reportsRead, reportsWrite, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the warden: %w", err), ordersRead.Close(), ordersWrite.Close())
	}
	c := exec.Command(command[0])
	c.Args = command[1:]
	c.Stdin, c.Stdout, c.Dir = ordersRead, reportsWrite, "/"
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // what ends a terminal's programs is not meant for it
	err = c.Start()
	err = errors.Join(err, ordersRead.Close(), reportsWrite.Close())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the warden: %w", err), ordersWrite.Close(), reportsRead.Close())
	}
	client := &Client{process: c, orders: ordersWrite, reports: reportsRead, encode: gob.NewEncoder(ordersWrite), known: map[uint64]*Running{}, done: make(chan struct{})}
	decode := gob.NewDecoder(reportsRead)
	var hello report
	err = reportsRead.SetReadDeadline(time.Now().Add(helloWithin))
	if err == nil {
		err = decode.Decode(&hello)
	}
	if err = errors.Join(err, reportsRead.SetReadDeadline(time.Time{})); err != nil {
		_ = c.Process.Kill()
		_ = c.Wait()
		return nil, errors.Join(fmt.Errorf("start the warden: %s doesn't begin as one: %w", command[0], err), ordersWrite.Close(), reportsRead.Close())
	}
	go client.listen(decode)
	return client, nil
}

// PID is the warden's.
func (c *Client) PID() int { return c.process.Process.Pid }

// Done is closed when the warden has gone.
func (c *Client) Done() <-chan struct{} { return c.done }

func (c *Client) listen(decode *gob.Decoder) {
	defer close(c.done)
	defer c.reports.Close()
	for {
		var r report
		if err := decode.Decode(&r); err != nil {
			c.lost()
			return
		}
		c.mu.Lock()
		p := c.known[r.ID]
		switch {
		case p == nil:
		case r.Ended:
			if !r.Lapsed {
				p.status = &r.Status
			}
			delete(c.known, r.ID)
			close(p.done)
		default:
			p.began <- r
		}
		c.mu.Unlock()
	}
}

// lost lets go of all who wait for something.
func (c *Client) lost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, p := range c.known {
		close(p.done)
	}
	clear(c.known)
}

// Launch starts a process. An error of the system is in the error's chain.
func (c *Client) Launch(p Process) (*Running, error) {
	done := make(chan struct{})
	running := &Running{Done: done, done: done, began: make(chan report, 1), client: c}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, ErrGone
	}
	c.last++
	running.id = c.last
	c.known[running.id] = running
	err := c.encode.Encode(order{ID: running.id, Process: &p})
	c.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	var r report
	select {
	case r = <-running.began:
	case <-running.done:
		select {
		case r = <-running.began: // it was started, and has ended since
		default:
			return nil, ErrGone
		}
	}
	if r.PID != 0 {
		running.PID = r.PID
		return running, nil
	}
	c.mu.Lock()
	delete(c.known, running.id)
	c.mu.Unlock()
	if r.Errno != 0 {
		return nil, &os.PathError{Op: "start", Path: p.Argv[0], Err: r.Errno}
	}
	return nil, errors.New(r.Error)
}

// Status is how the process ended, once Done is closed; false if that is not
// known, or its hold has lapsed.
func (r *Running) Status() (syscall.WaitStatus, bool) {
	if r.status == nil {
		return 0, false
	}
	return *r.status, true
}

// Settle tells that nobody will ask for the end of the process any more.
func (r *Running) Settle() {
	c := r.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		_ = c.encode.Encode(order{ID: r.id}) // a warden that is gone keeps nothing
	}
}

// Close lets the warden go: it leaves once all processes have ended. Close
// doesn't wait for that, unless nothing runs.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	idle := len(c.known) == 0
	err := c.orders.Close()
	c.mu.Unlock()
	if !idle { // it writes down what it would report
		err = errors.Join(err, c.reports.SetReadDeadline(time.Now()))
	}
	<-c.done
	if !idle {
		return errors.Join(err, c.process.Process.Release())
	}
	_ = c.process.Wait() // its exit status says nothing that matters
	return err
}
