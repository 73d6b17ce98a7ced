package ctxproxy

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"windlass/internal/operation"
	"windlass/internal/value"
)

// SessionConfig says whose context a session is.
type SessionConfig struct {
	Request *operation.Request
	Host    operation.Host
	// Dir is where relative target paths of downloads start: the script's
	// working directory.
	Dir string
	// Downloads is where downloads without a target go, each operation of each
	// instance in a folder of its own; it is made when needed. They outlive the
	// operation, since scripts hand their paths on.
	Downloads string
	// Renderer renders templates; nil: rendering is a clear error.
	Renderer Renderer
	// Inputs are the parameters of a Python script.
	Inputs map[string]any
	// Keep stores what a later session may have to take up; nil: nothing is.
	Keep Keeper
}

// Renderer renders a Jinja2 template with ctx and the variables.
// Its errors are *Failure where the operation must not be retried.
type Renderer interface {
	Render(ctx context.Context, socketURL, template string, variables map[string]any) (string, error)
}

// Session is the context of one running operation. It is safe for
// concurrent use.
type Session struct {
	cfg SessionConfig
	url string // set by Server.Open

	keeping sync.Mutex // guards kept, and the order of what is kept
	kept    string

	mu        sync.Mutex // guards what follows
	instances map[string]*instanceState
	nodes     map[operation.Subject]operation.Node
	downloads map[string]int // how often each name was taken
	outcome   outcome
}

// NewSession returns the context of an operation.
func NewSession(cfg SessionConfig) *Session {
	return &Session{
		cfg:       cfg,
		instances: map[string]*instanceState{},
		nodes:     map[operation.Subject]operation.Node{},
		downloads: map[string]int{},
	}
}

// Eval performs one command of the ctx command line: ["node", "properties"].
// The result is a value. stop tells that the command ended the operation
// (abort-operation, retry-operation); then the result is the message.
func (s *Session) Eval(ctx context.Context, args []any) (result any, stop bool, err error) {
	v, err := resolve(ctx, rootObject{s}, args)
	if err != nil {
		return nil, false, err
	}
	if end, ok := v.(stopped); ok {
		return string(end), true, nil
	}
	return v, false, nil
}

// stopped is what abort and retry return: the message.
type stopped string

// Save stores the runtime properties that the operation changed. A failure on
// one instance does not keep the others from being stored.
func (s *Session) Save(ctx context.Context) error {
	var errs []error
	for _, subject := range s.subjects() {
		if err := s.instance(subject.InstanceID).save(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// subjects are the instances that the operation may change.
func (s *Session) subjects() []operation.Subject {
	req := s.cfg.Request
	switch {
	case req.Relationship == nil && req.Self.InstanceID == "":
		return nil
	case req.Relationship == nil:
		return []operation.Subject{req.Self}
	case req.Relationship.Source == req.Relationship.Target:
		return []operation.Subject{req.Relationship.Source}
	}
	return []operation.Subject{req.Relationship.Source, req.Relationship.Target}
}

// instance returns the state of an instance, one for all who look at it.
func (s *Session) instance(id string) *instanceState {
	s.mu.Lock()
	defer s.mu.Unlock()
	state, ok := s.instances[id]
	if !ok {
		state = &instanceState{host: s.cfg.Host, id: id}
		s.instances[id] = state
	}
	return state
}

// node returns a node; it is asked for once.
func (s *Session) node(ctx context.Context, subject operation.Subject) (operation.Node, error) {
	s.mu.Lock()
	n, ok := s.nodes[subject]
	s.mu.Unlock()
	if ok {
		return n, nil
	}
	n, err := s.cfg.Host.Node(ctx, subject)
	if err != nil {
		return n, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes[subject] = n
	return n, nil
}

// contextType is node-instance, relationship-instance or deployment.
func (s *Session) contextType() string {
	switch {
	case s.cfg.Request.Relationship != nil:
		return "relationship-instance"
	case s.cfg.Request.Self.InstanceID != "":
		return "node-instance"
	}
	return "deployment"
}

// Outcome is how an operation wants to end.
type Outcome struct {
	// Result is what the script returned; nil if nothing.
	Result any
	// Stop is set if the script decided to fail or to be tried again, whatever
	// its exit code.
	Stop *operation.Error
	// Retry is set if the script asked for another try should it succeed.
	Retry *operation.Error
	// Reported: a Python script told how it ended, in Failure or Result.
	Reported bool
	Failure  *operation.Error
}

// outcome collects what the script said about how it wants to end.
type outcome struct {
	result   any
	decided  bool // one of returns, abort, retry was called
	stop     *operation.Error
	retry    *operation.Error
	reported bool
	failure  *operation.Error
	// request is what decided, and answer what it was told.
	request, answer string
}

func (s *Session) hasDecided() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outcome.decided || s.outcome.reported
}

func (s *Session) noteDecision(request, answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcome.request, s.outcome.answer = request, answer
}

// decidedBy gives the answer to a request if that was what decided.
func (s *Session) decidedBy(request string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return []byte(s.outcome.answer), s.outcome.request == request && s.outcome.answer != ""
}

// Outcome returns what the operation said so far about how it ends.
func (s *Session) Outcome() Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.outcome
	return Outcome{Result: o.result, Stop: o.stop, Retry: o.retry, Reported: o.reported, Failure: o.failure}
}

const onlyOnce = "ctx may only abort or return once"

// decide notes one of returns, abort-operation and retry-operation. The second
// decision makes the operation fail.
func (s *Session) decide(note func(o *outcome)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outcome.decided {
		s.outcome.result = nil
		s.outcome.stop = &operation.Error{Verdict: operation.NonRecoverable, Type: nonRecoverable, Message: onlyOnce}
		return failf(runtimeError, onlyOnce)
	}
	note(&s.outcome)
	return nil
}

func (s *Session) returns(v any) error {
	return s.decide(func(o *outcome) { o.result, o.decided = v, v != nil })
}

func (s *Session) abort(message string) (any, error) {
	err := s.decide(func(o *outcome) {
		o.decided = true
		o.stop = &operation.Error{Verdict: operation.NonRecoverable, Type: nonRecoverable, Message: message}
	})
	return stopped(message), err
}

func (s *Session) retryOperation(message string, after *time.Duration) (any, error) {
	err := s.decide(func(o *outcome) {
		o.decided = true
		o.stop = retryError(message, after)
	})
	return stopped(message), err
}

// askForRetry notes that the operation is to run again if it does not fail.
func (s *Session) askForRetry(message string, after *time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcome.retry = retryError(message, after)
}

func retryError(message string, after *time.Duration) *operation.Error {
	if after != nil {
		suffix := "[retry_after=" + value.Text(secondsValue(*after)) + "]"
		if !strings.Contains(message, suffix) {
			message = strings.TrimSpace(message + " " + suffix)
		}
	}
	return &operation.Error{Verdict: operation.Reschedule, Type: "OperationRetry", Message: message, RetryAfter: after}
}

// secondsValue is d in seconds: an int if it is whole.
func secondsValue(d time.Duration) any {
	if d%time.Second == 0 {
		return int64(d / time.Second)
	}
	return d.Seconds()
}

// absolute makes a path absolute as the script would.
func (s *Session) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(s.cfg.Dir, path)
}
