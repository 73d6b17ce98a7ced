package ctxproxy

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxRequest bounds the body of one request.
const maxRequest = 64 << 20

// Server listens on loopback for the operations of one manager.
type Server struct {
	address string
	http    *http.Server
	served  sync.WaitGroup

	mu   sync.Mutex // guards open
	open map[string]*opened
}

// opened is a session that can be reached.
type opened struct {
	session *Session
	// ctx is the operation's: it ends what its requests still do.
	ctx context.Context

	mu       sync.Mutex // guards closed and additions to requests
	closed   bool
	requests sync.WaitGroup
}

// Listen starts a server on a free port of the loopback interface. It serves
// until Close.
func Listen(logger *slog.Logger) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for operations on loopback: %w", err)
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{address: listener.Addr().String(), open: map[string]*opened{}}
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	s.served.Go(func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("the listener for operations ended", "error", err)
		}
	})
	return s, nil
}

// Close stops the listener and ends all requests. Sessions should be closed
// before.
func (s *Server) Close() error {
	err := s.http.Close()
	s.served.Wait()
	return err
}

// Open makes a session reachable under the URL it returns, until end is
// called or ctx ends. end is idempotent, ends requests under way and returns
// when nothing of the session runs any more.
func (s *Server) Open(ctx context.Context, session *Session) (url string, end func()) {
	secret := make([]byte, 18)
	rand.Read(secret) // never fails
	token := base64.RawURLEncoding.EncodeToString(secret)
	session.url = "http://" + s.address + "/" + token
	ctx, cancel := context.WithCancel(ctx)
	o := &opened{session: session, ctx: ctx}
	s.mu.Lock()
	s.open[token] = o
	s.mu.Unlock()
	return session.url, func() {
		s.mu.Lock()
		delete(s.open, token)
		s.mu.Unlock()
		o.mu.Lock()
		o.closed = true
		o.mu.Unlock()
		cancel()
		o.requests.Wait()
	}
}

// enter finds the session of a token and counts a request in.
func (s *Server) enter(token string) (*opened, bool) {
	s.mu.Lock()
	o, ok := s.open[token]
	s.mu.Unlock()
	if !ok {
		return nil, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil, false
	}
	o.requests.Add(1)
	return o, true
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	o, ok := s.enter(strings.Trim(r.URL.Path, "/"))
	if !ok {
		write(w, http.StatusNotFound, errorReply(failf(notInContext,
			"no operation runs under this CTX_SOCKET_URL: it has ended, or the address is wrong")))
		return
	}
	defer o.requests.Done()
	if r.Method != http.MethodPost {
		write(w, http.StatusMethodNotAllowed, errorReply(failf(runtimeError, "ctx takes POST requests only, not %s", r.Method)))
		return
	}
	ctx, cancel := context.WithCancel(o.ctx)
	defer cancel()
	defer context.AfterFunc(r.Context(), cancel)()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
			err = failf(runtimeError, "the request is longer than %d bytes", maxRequest)
		}
		write(w, http.StatusOK, errorReply(err))
		return
	}
	write(w, http.StatusOK, o.session.answer(ctx, body))
}

func write(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // a client that went away needs no answer
}
