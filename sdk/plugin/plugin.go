// Package plugin is for plugins of Windlass that are written in Go: programs
// whose functions are operations of blueprints.
//
//	func main() {
//		plugin.Main(map[string]plugin.Operation{"greet": greet})
//	}
//
//	func greet(ctx context.Context, call *plugin.Call) (any, error) {
//		var in struct{ Name string }
//		if err := call.Inputs(&in); err != nil {
//			return nil, err
//		}
//		call.Log.Info("hello", "name", in.Name)
//		return "hello " + in.Name, nil
//	}
//
// The program is put into the folder of a plugin, beside a manifest that says
// how to run it. It speaks the protocol of docs/protocol-plugins.md on its
// standard input and output, so it must not print there itself: what it prints
// on its standard error is logged.
package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Operation performs an operation. Its result must be something that
// encoding/json can encode. ctx ends when the operation is to end: it was
// cancelled, or its time is up; a few seconds later the process is killed.
//
// An error means that the operation is tried again while retries are left,
// unless it is one of Fatal or Again.
type Operation func(ctx context.Context, call *Call) (any, error)

// Main performs the operation that the manager asks for and ends the program.
func Main(operations map[string]Operation) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := Serve(ctx, os.Stdin, os.Stdout, operations)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Serve performs one operation, asked for on in, and tells its result on out.
// Its error is that of the connection: a failure of the operation is told like
// any result.
func Serve(ctx context.Context, in io.Reader, out io.Writer, operations map[string]Operation) error {
	c := newConn(in, out)
	call, err := c.task()
	if err != nil {
		return err
	}
	go c.listen() // ends with in
	perform, ok := operations[call.Operation]
	if !ok {
		return c.fail(Fatal(fmt.Errorf("the plugin has no operation %s; it has %s", call.Operation, names(operations))), "")
	}
	result, trace, err := guarded(ctx, perform, call)
	if err != nil {
		return c.fail(err, trace)
	}
	return c.finish(result)
}

func names(operations map[string]Operation) string {
	all := make([]string, 0, len(operations))
	for name := range operations {
		all = append(all, name)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// guarded makes a panic a failure that is not tried again.
func guarded(ctx context.Context, perform Operation, call *Call) (result any, trace string, err error) {
	defer func() {
		if p := recover(); p != nil {
			trace, err = string(debug.Stack()), Fatal(fmt.Errorf("panic: %v", p))
		}
	}()
	result, err = perform(ctx, call)
	return result, "", err
}

// failure is an error that says what follows from it.
type failure struct {
	error
	verdict string
	after   *time.Duration
}

func (f failure) Unwrap() error { return f.error }

// Fatal makes an operation fail without being tried again.
func Fatal(err error) error { return failure{error: err, verdict: "non_recoverable"} }

// After makes an operation fail so that it is tried again after the delay,
// while retries are left.
func After(delay time.Duration, err error) error {
	return failure{error: err, verdict: "recoverable", after: &delay}
}

// Again has the operation performed again after the delay, because something
// is not ready yet. Each time counts as a retry.
func Again(delay time.Duration, why string) error {
	return failure{error: errors.New(why), verdict: "reschedule", after: &delay}
}
