package python

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"windlass/internal/graph"
	"windlass/internal/operation"
	"windlass/internal/operation/child"
	"windlass/internal/topology"
	"windlass/internal/value"
	"windlass/internal/workflow"
)

// conversation is what is said between a workflow's process and its host. Both
// sides ask; see python/cloudify/_duplex.py.
type conversation struct {
	runner     *Runner
	host       workflow.Host
	extra      operation.Surroundings // nil if the host has none
	about      operation.About
	deployment *workflow.Deployment
	function   string
	parameters map[string]any
	ctx        context.Context // of what it asks for
	conn       *net.UnixConn
	requests   sync.WaitGroup // of the process, under way
	closed     chan struct{}  // nothing comes from the process any more
	fatal      chan struct{}  // closed when broken is set
	writing    sync.Mutex     // keeps frames whole
	budget     *child.Budget  // of its loggers

	mu       sync.Mutex // guards what follows
	last     int64
	waiting  map[string]chan reply
	ended    map[int64]error // how graphs ended, for the end of the workflow
	broken   error           // an error of the host that ends the workflow
	reported bool
	result   error
}

// reply is what the process answers.
type reply struct {
	payload any
	err     error
}

// converse serves the workflow's process until it ends or is stopped, and ends
// what it has asked for.
func (s *conversation) converse(
	ctx context.Context, c *forked, run string, out *child.Output, endProcess, endAsked context.CancelCauseFunc,
) ending {
	served := make(chan struct{})
	go func() { // waited for below
		defer close(served)
		s.listen()
	}()
	watched := make(chan struct{})
	go func() { // ends with the process
		defer close(watched)
		select {
		case <-s.fatal:
			endProcess(s.broken)
		case <-c.ended:
		}
	}()
	e := s.runner.watch(ctx, c, run, 0, out)
	<-watched
	_ = c.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	<-served
	if !errors.Is(e.canceled, errForced) {
		endAsked(errProcessEnded)
	}
	s.requests.Wait()
	_ = c.conn.Close()
	out.Finish()
	return e
}

var errProcessEnded = errors.New("the workflow's process has ended")

// listen reads what the process sends until the connection ends.
func (s *conversation) listen() {
	defer close(s.closed)
	reader := bufio.NewReaderSize(s.conn, 16<<10)
	for {
		line, err := readLine(reader)
		if err != nil {
			hangUp(s.conn, err)
			return
		}
		frame, err := value.DecodeMap(line)
		if err != nil {
			return
		}
		method, asks := frame["method"].(string)
		if !asks {
			s.answered(frame)
			continue
		}
		params, _ := frame["params"].(map[string]any)
		id, expects := frame["id"].(int64)
		if !expects { // logs and events, in their order
			_, _ = s.serve(method, params)
			continue
		}
		s.requests.Go(func() { s.send(withID(id, answerOf(s.serve(method, params)))) })
	}
}

// answerOf is the body of a reply.
func answerOf(payload any, err error) []byte {
	if err == nil {
		return value.Encode(map[string]any{"type": "result", "payload": payload})
	}
	kind := "RuntimeError"
	var e *operation.Error
	switch {
	case errors.As(err, &e):
		kind = e.Type
	case errors.Is(err, operation.ErrNoResource):
		kind = "NonRecoverableError"
	case errors.Is(err, operation.ErrConflict):
		kind = "RecoverableError"
	}
	return value.Encode(map[string]any{"type": "error", "payload": map[string]any{"type": kind, "message": err.Error()}})
}

func (s *conversation) send(frame []byte) {
	s.writing.Lock()
	defer s.writing.Unlock()
	_, _ = s.conn.Write(frame) // a process that is gone needs nothing
}

func (s *conversation) tell(method string, params map[string]any) {
	s.send(append(value.Encode(map[string]any{"method": method, "params": params}), '\n'))
}

// ask asks the process and waits for its answer, until ctx ends.
func (s *conversation) ask(ctx context.Context, method string, params map[string]any) (any, error) {
	answer := make(chan reply, 1)
	s.mu.Lock()
	s.last++
	id := "o" + strconv.FormatInt(s.last, 10)
	s.waiting[id] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.waiting, id)
		s.mu.Unlock()
	}()
	s.send(append(value.Encode(map[string]any{"id": id, "method": method, "params": params}), '\n'))
	select {
	case r := <-answer:
		return r.payload, r.err
	case <-s.closed:
		return nil, errProcessEnded
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (s *conversation) answered(frame map[string]any) {
	id, _ := frame["id"].(string)
	s.mu.Lock()
	answer := s.waiting[id]
	delete(s.waiting, id)
	s.mu.Unlock()
	if answer == nil {
		return
	}
	if frame["type"] == "error" {
		payload, _ := frame["payload"].(map[string]any)
		answer <- reply{err: toldError(payload)}
		return
	}
	answer <- reply{payload: frame["payload"]}
}

var verdicts = map[string]operation.Verdict{
	"recoverable": operation.Recoverable, "non_recoverable": operation.NonRecoverable, "reschedule": operation.Reschedule,
}

// toldError is an exception as the framework describes it.
func toldError(p map[string]any) *operation.Error {
	text := func(m map[string]any, key string) string { t, _ := m[key].(string); return child.Clean([]byte(t)) }
	e := &operation.Error{
		Verdict: verdicts[text(p, "verdict")], Type: text(p, "type"), Message: text(p, "message"), Traceback: text(p, "traceback"),
		RetryAfter: seconds(p["retry_after"]),
	}
	causes, _ := p["causes"].([]any)
	for _, c := range causes {
		m, _ := c.(map[string]any)
		e.Causes = append(e.Causes, operation.Cause{Message: text(m, "message"), Type: text(m, "type"), Traceback: text(m, "traceback")})
	}
	return e
}

// seconds reads a duration; nil for none, or for one that makes no sense.
func seconds(v any) *time.Duration {
	var f float64
	switch n := v.(type) {
	case int64:
		f = float64(n)
	case float64:
		f = n
	default:
		return nil
	}
	const most = 100 * 365 * 24 * time.Hour
	if !(f >= 0 && f <= most.Seconds()) {
		return nil
	}
	d := time.Duration(f * float64(time.Second))
	return &d
}

func (s *conversation) log(level, message string) { s.host.Log(s.ctx, level, message) }

// end notes how the workflow ended; only the first time counts.
func (s *conversation) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.reported {
		s.reported, s.result = true, err
	}
}

// breakOff ends the workflow because its host can't go on.
func (s *conversation) breakOff(err error) {
	if errors.Is(context.Cause(s.ctx), errProcessEnded) {
		return // it is what came to an end
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = err
		close(s.fatal)
	}
}

// serve performs one request of the process.
func (s *conversation) serve(method string, p map[string]any) (any, error) {
	text := func(key string) string { t, _ := p[key].(string); return child.Clean([]byte(t)) }
	switch method {
	case "context":
		return s.describe()
	case "deployment":
		d, err := s.host.Deployment(s.ctx)
		if err != nil {
			return nil, err
		}
		return describeDeployment(d)
	case "log":
		level, message := orDefault(text("level"), "info"), text("message")
		if message, ok := s.budget.Spend(message); !ok {
			return nil, nil
		} else if s.extra != nil {
			s.extra.Line(text("logger"), level, message, text("node_id"))
		} else {
			s.log(level, message)
		}
		return nil, nil
	case "event":
		if s.extra != nil {
			s.extra.Event(orDefault(text("event_type"), "workflow_stage"), text("message"), text("node_id"))
		}
		return nil, nil
	case "recall":
		return s.recall(text("name"))
	case "keep":
		_, err := s.host.Once(s.ctx, text("name"), func() (any, error) { return p["value"], nil })
		return nil, s.hostError(err)
	case "execute":
		tasks, _ := p["tasks"].([]any)
		return s.execute(text("name"), tasks)
	case "builtin":
		parameters, _ := p["parameters"].(map[string]any)
		return s.builtin(text("name"), text("workflow"), parameters)
	case "start_modification", "list_modifications", "finish_modification", "rollback_modification":
		return s.modification(method, p)
	case "instance", "update_instance", "resource":
		return s.surroundings(method, p)
	case "finish":
		s.end(nil)
		return nil, nil
	case "cancelled":
		s.end(graph.Cancelled{})
		return nil, nil
	case "fail":
		s.end(s.failure(p))
		return nil, nil
	}
	return nil, fmt.Errorf("the framework of this Python process asks for %q, which this manager does not know", method)
}

// failure is the error that a workflow ended with: that of a graph as it is, if
// it passed that on, else the exception, with its traceback if that may help.
func (s *conversation) failure(p map[string]any) error {
	if token, ok := p["token"].(int64); ok {
		s.mu.Lock()
		err := s.ended[token]
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
	e := toldError(p)
	if hide, _ := p["hide_traceback"].(bool); hide || e.Traceback == "" || e.Verdict == operation.NonRecoverable {
		return errors.New(orDefault(e.Message, e.Type))
	}
	if !strings.Contains(e.Traceback, e.Message) { // one that the exception doesn't have by itself
		return errors.New(strings.TrimRight(e.Traceback, "\n") + ": " + e.Message)
	}
	return errors.New(e.Traceback)
}

// hostError passes on an error of the host. One that ends the run ends the
// workflow, too.
func (s *conversation) hostError(err error) error {
	if err != nil && s.ctx.Err() != nil {
		s.breakOff(err)
	}
	return err
}

var errNothingKept = errors.New("nothing is stored under this name")

// recall gives what keep has stored under the name, in this run of the
// workflow or in an earlier one; nil if there is nothing.
func (s *conversation) recall(name string) (any, error) {
	kept, err := s.host.Once(s.ctx, name, func() (any, error) { return nil, errNothingKept })
	if errors.Is(err, errNothingKept) {
		return nil, nil
	}
	return kept, s.hostError(err)
}

func (s *conversation) modification(method string, p map[string]any) (any, error) {
	id, _ := p["id"].(string)
	switch method {
	case "finish_modification":
		return nil, s.host.FinishModification(s.ctx, id)
	case "rollback_modification":
		return nil, s.host.RollbackModification(s.ctx, id)
	case "list_modifications":
		list, err := s.host.ForeignModifications(s.ctx)
		if err != nil {
			return nil, err
		}
		if own, err := s.host.Modification(s.ctx, ""); err == nil && own != nil && !own.Ended {
			list = append(list, own)
		}
		described := make([]any, len(list))
		for i, m := range list {
			described[i] = s.describeModification(m)
		}
		return described, nil
	}
	if own, err := s.host.Modification(s.ctx, ""); err != nil {
		return nil, err
	} else if own != nil && !own.Ended {
		return s.describeModification(own), nil // the workflow runs again after a crash
	}
	raw, _ := p["changes"].(map[string]any)
	changes := map[string]topology.Change{}
	for name, v := range raw {
		var c topology.Change
		if err := value.Into(v, &c); err != nil {
			return nil, fmt.Errorf("the modification of %s: %w", name, err)
		}
		changes[name] = c
	}
	m, err := s.host.StartModification(s.ctx, changes)
	if err != nil {
		return nil, err
	}
	return s.describeModification(m), nil
}

func (s *conversation) surroundings(method string, p map[string]any) (any, error) {
	if s.extra == nil {
		return nil, fmt.Errorf("%s is not available to workflows here", method)
	}
	id, _ := p["id"].(string)
	switch method {
	case "resource":
		path, _ := p["path"].(string)
		data, err := s.extra.Resource(s.ctx, path)
		return base64.StdEncoding.EncodeToString(data), err
	case "instance":
		i, err := s.extra.Instance(s.ctx, id)
		if err != nil {
			return nil, err
		}
		return map[string]any{
			"id": i.ID, "version": int64(i.Version), "index": int64(i.Index), "state": i.State,
			"runtime_properties": orEmpty(i.RuntimeProperties), "system_properties": orEmpty(i.SystemProperties),
		}, nil
	}
	runtime, ok := p["runtime_properties"].(map[string]any)
	if !ok {
		return nil, errors.New("runtime_properties must be a dictionary")
	}
	version, given := p["version"].(int64)
	if !given {
		i, err := s.extra.Instance(s.ctx, id)
		if err != nil {
			return nil, err
		}
		version = int64(i.Version)
	}
	now, err := s.extra.UpdateInstance(s.ctx, id, int(version), runtime)
	return int64(now), err
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}
