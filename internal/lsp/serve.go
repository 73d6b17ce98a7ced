// Package lsp is a language server for blueprints: it speaks the Language
// Server Protocol with an editor and shows what is wrong, completes, explains
// and finds what names mean.
package lsp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"windlass/internal/blueprint"
	"windlass/internal/blueprint/imports"
)

// Options say how a server works. The zero value will do.
type Options struct {
	// Blueprint says how blueprints are read, imports included.
	Blueprint blueprint.Options
	// Version is shown to the client.
	Version string
	// Delay is how long the text must rest before it is checked; 0 for a fifth
	// of a second.
	Delay time.Duration
	// Bundled is a folder in which copies of the documents that come with the
	// program are put when the editor wants to show one. "": none is shown.
	Bundled string
	// Now is the clock; nil for the real one.
	Now func() time.Time
}

// errNoShutdown is the error for clients that leave without saying so.
var errNoShutdown = errors.New("the client left without shutdown")

// Serve answers the messages that come in until the client says exit. It is an
// error if the client leaves without having asked for shutdown, if the input is
// no sequence of messages, or if ctx ends before.
//
// Nothing of the server runs on after that. Only a read that is under way when
// ctx ends may: Serve closes in, if it can be closed, and waits a second; where
// that does not interrupt the read, as with the standard input of a process, the
// goroutine that reads ends with the next message or the end of in.
func Serve(ctx context.Context, in io.Reader, out io.Writer, opts Options) error {
	if opts.Delay == 0 {
		opts.Delay = 200 * time.Millisecond
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Blueprint.Resolver == nil {
		opts.Blueprint.Resolver = imports.New(imports.Config{})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &server{
		opts: opts, out: &writer{out: out}, buffers: map[string]*buffer{}, surveys: map[string]*surveyed{},
		checked: map[string]checked{}, sent: map[string]string{},
		remote: &remembering{Resolver: opts.Blueprint.Resolver, now: opts.Now, known: map[[2]string]remembered{}},
		calls:  pendingRequests(),
	}
	incoming := make(chan arrival, 16)
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		s.read(ctx, in, incoming)
	}()
	err := s.run(ctx, incoming)
	cancel()
	s.stopChecking()
	s.stopReading(in, reading)
	return err
}

// patience is how long the end of a read that was interrupted is waited for.
const patience = time.Second

func (s *server) stopReading(in io.Reader, reading <-chan struct{}) {
	if c, ok := in.(io.Closer); ok {
		_ = c.Close() // only to end the read
	}
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case <-reading:
	case <-wait.C:
	}
}

// arrival is a message, or the end of the input.
type arrival struct {
	message message
	call    *call // of a request
	err     error
}

// read reads messages until the input ends or ctx does. Cancellations are
// obeyed at once: the request may be under way.
func (s *server) read(ctx context.Context, in io.Reader, incoming chan<- arrival) {
	buffered := bufio.NewReaderSize(in, 64<<10)
	for {
		content, err := readMessage(buffered)
		a := arrival{err: err}
		if err == nil {
			if bad := json.Unmarshal(content, &a.message); bad != nil {
				a.message = message{Error: &failure{Code: codeParse, Message: fmt.Sprintf("the message is no JSON-RPC: %v", bad)}}
			} else if a.message.Method == "$/cancelRequest" {
				s.calls.cancel(a.message.Params)
				continue
			} else if a.message.ID != nil && a.message.Method != "" {
				a.call = s.calls.begin(ctx, a.message.ID)
			}
		}
		select {
		case incoming <- a:
		case <-ctx.Done():
			return
		}
		if err != nil || a.message.Method == "exit" {
			return
		}
	}
}

// run handles messages and the results of checks, one at a time: nothing else
// touches the server's state.
func (s *server) run(ctx context.Context, incoming <-chan arrival) error {
	s.timer = time.NewTimer(s.opts.Delay)
	s.timer.Stop()
	defer s.timer.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.timer.C:
			s.startChecking(ctx)
		case found := <-s.results():
			err = s.finishChecking(found)
		case a := <-incoming:
			switch {
			case errors.Is(a.err, io.EOF) && s.isShutdown:
				return nil
			case errors.Is(a.err, io.EOF):
				return errNoShutdown
			case a.err != nil:
				return fmt.Errorf("read message: %w", a.err)
			case a.message.Method == "exit" && s.isShutdown:
				return nil
			case a.message.Method == "exit":
				return errNoShutdown
			}
			err = s.handle(a)
		}
		if err != nil {
			return err
		}
	}
}

// handle answers one message. The error is one of writing.
func (s *server) handle(a arrival) error {
	m := a.message
	if m.Error != nil && m.Error.Code == codeParse && m.ID == nil {
		return s.answer(json.RawMessage("null"), nil, m.Error)
	}
	if m.Method == "" {
		if m.ID != nil && m.Result == nil && m.Error == nil {
			return s.answer(m.ID, nil, &failure{Code: codeInvalidRequest, Message: "the request names no method"})
		}
		return nil // an answer; the server asks nothing
	}
	if m.ID == nil {
		return s.notify(m)
	}
	result, bad := s.request(a.call.ctx, m)
	if bad == nil && a.call.ctx.Err() != nil {
		result, bad = nil, &failure{Code: codeCancelled, Message: "cancelled"}
	}
	s.calls.end(m.ID, a.call)
	return s.answer(m.ID, result, bad)
}

func (s *server) answer(id json.RawMessage, result any, bad *failure) error {
	m := message{Version: "2.0", ID: id, Error: bad}
	if bad == nil {
		text, err := json.Marshal(result)
		if err != nil {
			m.Error = &failure{Code: codeInternal, Message: err.Error()}
		}
		m.Result = text
	}
	return s.send(m)
}

func (s *server) tell(method string, params any) error {
	text, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("encode %s: %w", method, err)
	}
	return s.send(message{Version: "2.0", Method: method, Params: text})
}

func (s *server) send(m message) error {
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	return s.out.write(text)
}
