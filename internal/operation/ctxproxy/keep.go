package ctxproxy

import (
	"context"
	"fmt"
	"time"

	"windlass/internal/operation"
	"windlass/internal/value"
)

// Keeper stores what a session knows that is stored nowhere else: how the
// operation wants to end, and runtime properties that it has changed but not
// saved. A later session can take it up (Restore), for an operation that
// outlives its manager. It is given the whole state each time.
type Keeper func(state []byte) error

// keep stores the state if it has changed, before anybody learns of the change.
func (s *Session) keep() error {
	if s.cfg.Keep == nil {
		return nil
	}
	s.keeping.Lock()
	defer s.keeping.Unlock()
	state := value.Encode(s.state())
	if string(state) == s.kept || s.kept == "" && len(state) == len(emptyState) {
		return nil
	}
	if err := s.cfg.Keep(state); err != nil {
		return fmt.Errorf("keep what the operation said: %w", err)
	}
	s.kept = string(state)
	return nil
}

// emptyState is the state of a session that nothing was said to.
const emptyState = `{}`

// state is what Restore needs.
func (s *Session) state() map[string]any {
	s.mu.Lock()
	o := s.outcome
	instances := make(map[string]*instanceState, len(s.instances))
	for id, i := range s.instances {
		instances[id] = i
	}
	downloads := map[string]any{}
	for name, n := range s.downloads {
		downloads[name] = int64(n)
	}
	s.mu.Unlock()

	state := map[string]any{}
	if o.decided || o.reported || o.stop != nil || o.retry != nil || o.failure != nil {
		state["outcome"] = map[string]any{
			"result": o.result, "decided": o.decided, "reported": o.reported, "request": o.request, "answer": o.answer,
			"stop": errorState(o.stop), "retry": errorState(o.retry), "failure": errorState(o.failure),
		}
	}
	changed := map[string]any{}
	for id, i := range instances {
		if c := i.state(); c != nil {
			changed[id] = c
		}
	}
	if len(changed) > 0 {
		state["instances"] = changed
	}
	if len(downloads) > 0 {
		state["downloads"] = downloads
	}
	return state
}

// state is what was changed and not saved; nil if nothing was. It shares nothing
// with the instance, which other requests may change meanwhile.
func (s *instanceState) state() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dirty() {
		return nil
	}
	stored := make(map[string]any, len(s.stored))
	for k, v := range s.stored {
		stored[k] = v
	}
	return map[string]any{
		"version": int64(s.instance.Version), "stored": stored,
		"runtime_properties": value.CopyMap(s.instance.RuntimeProperties),
	}
}

func errorState(e *operation.Error) any {
	if e == nil {
		return nil
	}
	state := map[string]any{
		"verdict": int64(e.Verdict), "type": e.Type, "message": e.Message, "traceback": e.Traceback, "output": e.Output,
	}
	if e.RetryAfter != nil {
		state["retry_after"] = int64(*e.RetryAfter)
	}
	causes := make([]any, len(e.Causes))
	for i, c := range e.Causes {
		causes[i] = map[string]any{"message": c.Message, "type": c.Type, "traceback": c.Traceback}
	}
	state["causes"] = causes
	return state
}

// Restore takes up what an earlier session of the same operation kept. It must
// come before any request.
func (s *Session) Restore(ctx context.Context, kept []byte) error {
	state, err := value.DecodeMap(kept)
	if err != nil {
		return fmt.Errorf("read what the operation said before: %w", err)
	}
	if o, ok := state["outcome"].(map[string]any); ok {
		s.outcome = outcome{
			request: textOf(o, "request"), answer: textOf(o, "answer"), result: o["result"], decided: o["decided"] == true, reported: o["reported"] == true,
			stop: errorOf(o["stop"]), retry: errorOf(o["retry"]), failure: errorOf(o["failure"]),
		}
	}
	downloads, _ := state["downloads"].(map[string]any)
	for name, n := range downloads {
		if n, ok := n.(int64); ok {
			s.downloads[name] = int(n)
		}
	}
	instances, _ := state["instances"].(map[string]any)
	for _, id := range value.SortedKeys(instances) {
		i, ok := instances[id].(map[string]any)
		if !ok {
			continue
		}
		if err := s.instance(id).restore(ctx, i); err != nil {
			return err
		}
	}
	s.kept = string(kept)
	return nil
}

// restore puts the changes back on top of the state they were made to: whoever
// else has changed the instance since is found out when they are saved.
func (s *instanceState) restore(ctx context.Context, state map[string]any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(ctx); err != nil {
		return err
	}
	version, _ := state["version"].(int64)
	properties, _ := state["runtime_properties"].(map[string]any)
	stored, _ := state["stored"].(map[string]any)
	if properties == nil {
		properties = map[string]any{}
	}
	s.instance.Version, s.instance.RuntimeProperties = int(version), properties
	s.stored = make(map[string]string, len(stored))
	for k, v := range stored {
		s.stored[k], _ = v.(string)
	}
	return nil
}

func textOf(m map[string]any, key string) string { t, _ := m[key].(string); return t }

func errorOf(v any) *operation.Error {
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	verdict, _ := m["verdict"].(int64)
	e := &operation.Error{
		Verdict: operation.Verdict(verdict), Type: textOf(m, "type"), Message: textOf(m, "message"),
		Traceback: textOf(m, "traceback"), Output: textOf(m, "output"),
	}
	if after, ok := m["retry_after"].(int64); ok {
		d := time.Duration(after)
		e.RetryAfter = &d
	}
	causes, _ := m["causes"].([]any)
	for _, c := range causes {
		if c, ok := c.(map[string]any); ok {
			e.Causes = append(e.Causes, operation.Cause{Message: textOf(c, "message"), Type: textOf(c, "type"), Traceback: textOf(c, "traceback")})
		}
	}
	return e
}
