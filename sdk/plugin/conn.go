package plugin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// protocol is the version that is spoken.
const protocol = 1

// conn is the connection to the manager. Goroutines may share it.
type conn struct {
	in *bufio.Reader

	writing sync.Mutex // keeps lines whole
	out     io.Writer

	mu      sync.Mutex // guards what follows
	last    int64
	waiting map[int64]chan answer
	broken  error
}

type answer struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

func newConn(in io.Reader, out io.Writer) *conn {
	return &conn{in: bufio.NewReader(in), out: out, waiting: map[int64]chan answer{}}
}

// task reads the first line: what to do.
func (c *conn) task() (*Call, error) {
	line, err := c.in.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("read what to do: %w (this program is run by a manager, see docs/protocol-plugins.md)", err)
	}
	var t struct {
		Type      string
		Protocol  int
		Operation string
		Inputs    json.RawMessage
		Context   about
	}
	if err := json.Unmarshal(line, &t); err != nil {
		return nil, fmt.Errorf("read what to do: %w", err)
	}
	if t.Type != "run" || t.Protocol != protocol {
		return nil, fmt.Errorf("the manager asks for %q of protocol %d; this program knows run of protocol %d", t.Type, t.Protocol, protocol)
	}
	return newCall(c, t.Operation, t.Inputs, t.Context), nil
}

// listen hands answers on until the connection ends.
func (c *conn) listen() {
	for {
		line, err := c.in.ReadBytes('\n')
		if err != nil {
			c.end(errors.New("the manager listens no more"))
			return
		}
		var reply struct {
			ID int64 `json:"id"`
			answer
		}
		if err := json.Unmarshal(line, &reply); err != nil {
			c.end(fmt.Errorf("the manager's answer: %w", err))
			return
		}
		c.mu.Lock()
		if to := c.waiting[reply.ID]; to != nil {
			delete(c.waiting, reply.ID)
			to <- reply.answer
		}
		c.mu.Unlock()
	}
}

func (c *conn) end(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.broken = why
	for id, to := range c.waiting {
		delete(c.waiting, id)
		close(to)
	}
}

type request struct {
	ID     *int64 `json:"id,omitempty"`
	Method string `json:"method"`
	Params any    `json:"params,omitempty"`
}

func (c *conn) send(r request) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	_, err = c.out.Write(append(line, '\n'))
	return err
}

// tell sends what needs no answer. If it can't be sent the process is about to
// end anyway.
func (c *conn) tell(method string, params any) { _ = c.send(request{Method: method, Params: params}) }

// ask sends a request and decodes its answer into result, if that is not nil.
func (c *conn) ask(ctx context.Context, method string, params, result any) error {
	to := make(chan answer, 1)
	c.mu.Lock()
	if c.broken != nil {
		defer c.mu.Unlock()
		return c.broken
	}
	c.last++
	id := c.last
	c.waiting[id] = to
	c.mu.Unlock()
	if err := c.send(request{ID: &id, Method: method, Params: params}); err != nil {
		return err
	}
	select {
	case a, ok := <-to:
		if !ok {
			return errors.New("the manager listens no more")
		}
		return a.decode(result)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a answer) decode(result any) error {
	if a.Type != "error" {
		if result == nil {
			return nil
		}
		return json.Unmarshal(a.Payload, result)
	}
	var e struct{ Type, Message string }
	if err := json.Unmarshal(a.Payload, &e); err != nil {
		return err
	}
	if e.Type == "NonRecoverableError" {
		return Fatal(errors.New(e.Message))
	}
	return errors.New(e.Message)
}

func (c *conn) finish(result any) error {
	if _, err := json.Marshal(result); err != nil {
		return c.fail(Fatal(fmt.Errorf("the result of the operation can't be told: %w", err)), "")
	}
	return c.send(request{Method: "finish", Params: map[string]any{"result": result}})
}

func (c *conn) fail(err error, trace string) error {
	params := map[string]any{"message": err.Error(), "verdict": "recoverable"}
	if trace != "" {
		params["traceback"] = trace
	}
	var f failure
	if errors.As(err, &f) {
		params["verdict"] = f.verdict
		if f.after != nil {
			params["retry_after"] = f.after.Seconds()
		}
	}
	return c.send(request{Method: "fail", Params: params})
}
