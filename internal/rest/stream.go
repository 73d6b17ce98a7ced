package rest

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"windlass/internal/store"
	"windlass/internal/value"
)

const (
	streamBatch = 200
	heartbeat   = 15 * time.Second
	lookAgain   = time.Second // wake-ups may be lost, and not every change of status comes with an event
)

// streamEvents sends the execution's events and logs as they are stored, as
// server-sent events. Each carries its sequence number as id; a client that
// comes back with Last-Event-ID (or from=) goes on after it, without a gap or
// a duplicate. Whenever the execution changes its status an event named
// "execution" tells it, and after its end and last event one named "end".
//
// Whoever reads too slowly is dropped: a write that does not get through
// within Patience ends the stream. Nobody else waits for it.
func (s *server) streamEvents(w http.ResponseWriter, r *request) error {
	e, err := s.findExecution(r)
	if err != nil {
		return err
	}
	after, err := streamStart(r)
	if err != nil {
		return err
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return fail("too_many_streams_error", "%d event streams are open already; try again later", s.MaxStreams)
	}
	out := &eventStream{w: w, rc: http.NewResponseController(w), s: s}
	if err := out.open(); err != nil || r.Method == http.MethodHead {
		return nil // the client has gone, or wants no more
	}
	s.follow(r, e, after, out)
	return nil
}

// streamStart is the sequence number after which to start.
func streamStart(r *request) (int64, error) {
	id := r.Header.Get("Last-Event-ID")
	if id == "" {
		id = r.query.Get("from")
	}
	if id == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 0 {
		return 0, badParameter("Last-Event-ID: `%s` is not the number of an event", id)
	}
	return n, nil
}

// follow sends until the execution has ended, the client has gone, or the
// server stops. Errors from here on can only end the stream.
func (s *server) follow(r *request, e store.Execution, after int64, out *eventStream) {
	ctx := r.Context()
	// Executions in general are not listened to: with many streams every change
	// of any of them would wake all.
	events, stopEvents := s.Store.Subscribe(store.TopicEvents(e.ID))
	defer stopEvents()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	again := time.NewTicker(lookAgain)
	defer again.Stop()

	var told store.Status
	for {
		// The state is read before the events: if it is an end then all events
		// of the execution are among those read after it.
		now, err := s.Store.GetExecution(ctx, e.ID)
		if err != nil {
			if errors.Is(err, store.ErrNotFound) { // deleted with its deployment
				_ = out.send("", "end", object{"status": nil})
			}
			return
		}
		if after, err = s.sendEvents(r, e.ID, after, out); err != nil {
			return
		}
		if now.Status != told {
			told = now.Status
			if out.send("", "execution", executionShape.encode(now, nil)) != nil {
				return
			}
		}
		if now.Status.IsEnd() {
			_ = out.send("", "end", object{"status": string(now.Status)})
			return
		}
		if !s.waitForNews(r, events, beat.C, again.C, out) {
			return
		}
	}
}

// waitForNews waits until there may be something to send; false means that
// the stream is over.
func (s *server) waitForNews(r *request, events <-chan struct{}, beat, again <-chan time.Time, out *eventStream) bool {
	for {
		select {
		case <-events:
			return true
		case <-again:
			return true
		case <-beat:
			if out.comment("still here") != nil {
				return false
			}
		case <-r.Context().Done():
			return false
		case <-s.Stopping:
			return false
		}
	}
}

// sendEvents sends all events stored after the given one and returns the last.
func (s *server) sendEvents(r *request, id string, after int64, out *eventStream) (int64, error) {
	for {
		batch, err := s.Store.TailEvents(r.Context(), id, after, streamBatch)
		if err != nil {
			return after, err
		}
		for _, ev := range batch {
			name := "event"
			if ev.Type == store.TypeLog {
				name = "log"
			}
			if err := out.write(strconv.FormatInt(ev.Seq, 10), name, encodeEvent(ev, nil)); err != nil {
				return after, err
			}
			after = ev.Seq
		}
		if len(batch) > 0 {
			if err := out.flush(); err != nil {
				return after, err
			}
		}
		if len(batch) < streamBatch {
			return after, nil
		}
	}
}

// eventStream writes server-sent events.
type eventStream struct {
	w  http.ResponseWriter
	rc *http.ResponseController
	s  *server
}

func (o *eventStream) open() error {
	h := o.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // proxies must hand on at once
	o.w.WriteHeader(http.StatusOK)
	return o.comment("events follow")
}

func (o *eventStream) comment(words string) error {
	o.arm()
	if _, err := fmt.Fprintf(o.w, ": %s\n\n", words); err != nil {
		return err
	}
	return o.flush()
}

func (o *eventStream) write(id, name string, data any) error {
	o.arm()
	b := make([]byte, 0, 512)
	if id != "" {
		b = append(append(append(b, "id: "...), id...), '\n')
	}
	b = append(append(append(b, "event: "...), name...), "\ndata: "...)
	b = append(value.Append(b, data), "\n\n"...) // JSON has no line breaks of its own
	_, err := o.w.Write(b)
	return err
}

func (o *eventStream) send(id, name string, data any) error {
	if err := o.write(id, name, data); err != nil {
		return err
	}
	return o.flush()
}

func (o *eventStream) flush() error {
	o.arm()
	if err := o.rc.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// arm sets the time by which the next write must be through.
func (o *eventStream) arm() { _ = o.rc.SetWriteDeadline(o.s.deadline()) }

func (s *server) deadline() time.Time { return time.Now().Add(s.Patience) }
