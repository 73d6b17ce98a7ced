package ctxproxy

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/operation"
	"windlass/internal/operation/operationtest"
	"windlass/internal/value"
)

// What an operation said to one manager is known to the next.
func TestKeepAndRestore(t *testing.T) {
	t.Parallel()
	host := operationtest.NewHost(operation.Instance{ID: "i1", NodeID: "n", Version: 1, RuntimeProperties: map[string]any{"old": int64(1), "gone": "x"}})
	req := &operation.Request{TaskID: "t", Self: operation.Subject{NodeID: "n", InstanceID: "i1"}}
	var kept []byte
	times := 0
	first := NewSession(SessionConfig{Request: req, Host: host, Keep: func(state []byte) error {
		kept = state
		times++
		return nil
	}})
	say := func(s *Session, request string) string {
		t.Helper()
		return string(s.answer(t.Context(), []byte(request)))
	}
	say(first, `{"args": ["logger", "info", "hello"]}`)
	say(first, `{"args": ["instance", "runtime-properties", "old"]}`)
	if kept != nil {
		t.Errorf("kept though nothing changed: %s", kept)
	}
	say(first, `{"args": ["instance", "runtime-properties", "ratio", 2.0]}`)
	say(first, `{"method": "save_instance", "params": {"id": "no-such"}}`)
	say(first, `{"args": ["returns", {"n": 1}]}`)
	if times != 2 {
		t.Errorf("kept %d times", times)
	}

	second := NewSession(SessionConfig{Request: req, Host: host, Keep: func([]byte) error { return nil }})
	if err := second.Restore(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(value.Encode(first.state()), value.Encode(second.state())); diff != "" {
		t.Errorf("restored (-kept +got):\n%s", diff)
	}
	if got := say(second, `{"args": ["returns", {"n": 1}], "again": true}`); got != `{"payload":null,"type":"result"}` {
		t.Errorf("the same decision again: %s", got)
	}
	if r := second.Outcome().Result; !cmp.Equal(r, map[string]any{"n": int64(1)}) {
		t.Errorf("result %v", r)
	}
	if err := second.Save(t.Context()); err != nil {
		t.Fatal(err)
	}
	i, err := host.Instance(t.Context(), "i1")
	if err != nil || !cmp.Equal(i.RuntimeProperties, map[string]any{"old": int64(1), "gone": "x", "ratio": 2.0}) {
		t.Errorf("stored %v, %v", i.RuntimeProperties, err)
	}
	if got := say(second, `{"args": ["returns", 2], "again": true}`); got == `{"payload":null,"type":"result"}` {
		t.Error("another decision passed as the same")
	}
}

func TestRestoreFailures(t *testing.T) {
	t.Parallel()
	after := 3 * time.Second
	s := NewSession(SessionConfig{Request: &operation.Request{}, Host: operationtest.NewHost()})
	s.outcome = outcome{decided: true, stop: &operation.Error{
		Verdict: operation.Reschedule, Type: "OperationRetry", Message: "later", RetryAfter: &after,
		Causes: []operation.Cause{{Message: "m", Type: "t", Traceback: "b"}},
	}}
	again := NewSession(SessionConfig{Request: &operation.Request{}, Host: operationtest.NewHost()})
	if err := again.Restore(t.Context(), value.Encode(s.state())); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.Outcome(), again.Outcome()); diff != "" {
		t.Error(diff)
	}
	if err := again.Restore(t.Context(), []byte("nonsense")); err == nil {
		t.Error("nonsense was restored")
	}
}

// Requests under a token that is awaited wait until it is opened, or forgotten.
func TestAwaitedTokens(t *testing.T) {
	t.Parallel()
	s, err := ListenAgain("", []string{"one", "two"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s.await(ended, "one") // returns with its context
	done := make(chan struct{}, 2)
	for _, token := range []string{"one", "two"} {
		go func() {
			s.await(t.Context(), token)
			done <- struct{}{}
		}()
	}
	_, end := s.OpenAs(t.Context(), "one", NewSession(SessionConfig{Request: &operation.Request{}, Host: operationtest.NewHost()}))
	defer end()
	<-done
	s.Forget("two")
	<-done
	again, err := ListenAgain(s.Address(), nil, nil) // taken: another port
	if err != nil || again.Address() == s.Address() {
		t.Fatalf("%v, %v", again, err)
	}
	_ = again.Close()
}

// Requests come at once: what is kept is one state of them all, and the last one
// knows everything.
func TestKeepsWhileOthersChange(t *testing.T) {
	t.Parallel()
	host := operationtest.NewHost(operation.Instance{ID: "i1", NodeID: "n", Version: 1})
	var kept []byte
	s := NewSession(SessionConfig{
		Request: &operation.Request{Self: operation.Subject{NodeID: "n", InstanceID: "i1"}}, Host: host,
		Keep: func(state []byte) error { kept = state; return nil },
	})
	s.answer(t.Context(), []byte(`{"args": ["instance", "runtime-properties", "deep", {}]}`))
	var all sync.WaitGroup
	want := map[string]int{}
	for i := range 8 {
		name := fmt.Sprintf("n%d", i)
		want[name] = 19
		all.Go(func() {
			for j := range 20 {
				s.answer(t.Context(), fmt.Appendf(nil, `{"args": ["instance", "runtime-properties", "deep.%s", %d]}`, name, j))
			}
		})
	}
	all.Wait()
	var state struct {
		Instances map[string]struct {
			Properties map[string]map[string]int `json:"runtime_properties"`
		}
	}
	if err := json.Unmarshal(kept, &state); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, state.Instances["i1"].Properties["deep"]); diff != "" {
		t.Error(diff)
	}
}
