package rest

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"windlass/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sse is one server-sent event.
type sse struct{ id, name, data string }

// follow opens a stream and returns a function that reads the next event, or
// false at the end. It fails the test if nothing comes for long.
func (a *api) follow(path, after string) func() (sse, bool) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), 20*time.Second)
	a.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", a.url+prefix+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	setBasic(req, "admin:admin-password")
	req.Header.Set("Tenant", "default_tenant")
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		a.t.Fatalf("status %d, %v", resp.StatusCode, resp.Header)
	}
	lines := bufio.NewScanner(resp.Body)
	return func() (sse, bool) {
		var e sse
		for lines.Scan() {
			name, v, _ := strings.Cut(lines.Text(), ": ")
			switch {
			case lines.Text() == "" && e.name != "":
				return e, true
			case name == "id":
				e.id = v
			case name == "event":
				e.name = v
			case name == "data":
				e.data = v
			}
		}
		if err := lines.Err(); err != nil {
			a.t.Errorf("the stream broke: %v", err)
		}
		return e, false
	}
}

func (a *api) log(id, message string) {
	a.t.Helper()
	a.write(func(tx store.Tx) error {
		return tx.AddEvents(a.t.Context(), []store.Event{{Type: store.TypeLog, ExecutionID: id, Tenant: "default_tenant", Level: "info", Message: message, ReportedTimestamp: started}})
	})
}

func (a *api) setStatus(id string, status store.Status) {
	a.t.Helper()
	a.write(func(tx store.Tx) error {
		e, err := tx.LockExecution(a.t.Context(), id)
		if err != nil {
			return err
		}
		e.Status = status
		tx.Notify(store.TopicExecutions)
		return tx.UpdateExecution(a.t.Context(), e)
	})
}

func TestStreamTellsEverythingInOrder(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.deployment("d1")
	e := a.execution(store.Execution{DeploymentID: "d1", Status: store.Pending})
	const before = 450 // more than a batch
	for i := range before {
		a.log(e.ID, fmt.Sprint("line ", i))
	}
	next := a.follow("/executions/"+e.ID+"/events/stream", "")
	seen := 0
	take := func(n int) {
		t.Helper()
		for n > 0 {
			ev, more := next()
			if !more {
				t.Fatalf("the stream ended after %d", seen)
			}
			if ev.name == "execution" {
				continue
			}
			if want := fmt.Sprintf(`"line %d"`, seen); ev.name != "log" || !strings.Contains(ev.data, want) || ev.id == "" {
				t.Fatalf("got %+v, want %s", ev, want)
			}
			seen++
			n--
		}
	}
	take(before)
	a.setStatus(e.ID, store.Started)
	for i := range 5 {
		a.log(e.ID, fmt.Sprint("line ", before+i))
		take(1)
	}
	a.log(e.ID, fmt.Sprint("line ", before+5))
	a.setStatus(e.ID, store.Terminated)
	take(1)
	var rest []string
	for ev, more := next(); more; ev, more = next() {
		rest = append(rest, ev.name)
		if ev.name == "end" && ev.data != `{"status":"terminated"}` {
			t.Errorf("the end: %s", ev.data)
		}
	}
	if got := rest[len(rest)-1]; got != "end" {
		t.Errorf("the last events: %v", rest)
	}
}

func TestStreamResumes(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.deployment("d1")
	e := a.execution(store.Execution{DeploymentID: "d1", Status: store.Terminated})
	for i := range 3 {
		a.log(e.ID, fmt.Sprint("line ", i))
	}
	path := "/executions/" + e.ID + "/events/stream"
	next := a.follow(path, "")
	first, _ := next()
	second := a.follow(path, first.id)
	ev, _ := second()
	if !strings.Contains(ev.data, `"line 1"`) {
		t.Errorf("resumed with %+v", ev)
	}
	a.get(path+"?from=x").refused("bad_parameters_error", "not the number of an event")
	a.get("/executions/nope/events/stream").refused("not_found_error", "nope")
}

func TestStreamEndsWithTheServer(t *testing.T) {
	t.Parallel()
	stopping := make(chan struct{})
	a := newAPI(t, func(c *Config) { c.Stopping = stopping })
	a.deployment("d1")
	e := a.execution(store.Execution{DeploymentID: "d1", Status: store.Started})
	next := a.follow("/executions/"+e.ID+"/events/stream", "")
	if ev, _ := next(); ev.name != "execution" {
		t.Fatalf("first: %+v", ev)
	}
	close(stopping)
	if ev, more := next(); more {
		t.Errorf("after the stop: %+v", ev)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(c *Config) { c.MaxStreams = 1 })
	a.deployment("d1")
	e := a.execution(store.Execution{DeploymentID: "d1", Status: store.Started})
	path := "/executions/" + e.ID + "/events/stream"
	next := a.follow(path, "")
	next()
	a.get(path).refused("too_many_streams_error", "1 event streams are open")
}

// TestSlowReaderIsDropped: a client that stops reading loses its stream, and
// nobody waits for it meanwhile.
func TestSlowReaderIsDropped(t *testing.T) {
	t.Parallel()
	a := newAPI(t, func(c *Config) { c.Patience = 200 * time.Millisecond; c.MaxStreams = 1 })
	a.deployment("d1")
	e := a.execution(store.Execution{DeploymentID: "d1", Status: store.Started})
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	path := "/executions/" + e.ID + "/events/stream"
	auth := base64.StdEncoding.EncodeToString([]byte("admin:admin-password"))
	if _, err := fmt.Fprintf(conn, "GET %s%s HTTP/1.1\r\nHost: x\r\nAuthorization: Basic %s\r\nTenant: default_tenant\r\n\r\n", prefix, path, auth); err != nil {
		t.Fatal(err)
	}
	begin := make([]byte, len("HTTP/1.1 200"))
	if _, err := io.ReadFull(conn, begin); err != nil || string(begin) != "HTTP/1.1 200" {
		t.Fatalf("%q, %v", begin, err)
	}
	long := strings.Repeat("x", 1<<20)
	for range 16 { // more than the sockets hold
		a.log(e.ID, long)
	}
	deadline := time.After(30 * time.Second)
	for len(a.server.streams) > 0 {
		select {
		case <-deadline:
			t.Fatal("the slow reader keeps its stream")
		case <-time.After(time.Millisecond):
		}
		a.log(e.ID, "others go on")
	}
}
