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

	mu   sync.Mutex // guards what follows
	open map[string]*opened
	// awaited are those that are about to be opened again; each channel is closed
	// when that has happened, or will not.
	awaited map[string]chan struct{}
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
func Listen(logger *slog.Logger) (*Server, error) { return ListenAgain("", nil, logger) }

// ListenAgain is Listen at the address of an earlier server, if that is free,
// for the operations that know it. Requests under the tokens wait until they
// are opened or forgotten.
func ListenAgain(address string, tokens []string, logger *slog.Logger) (*Server, error) {
	if address == "" {
		address = anyPort
	}
	listener, err := net.Listen("tcp", address)
	if err != nil && address != anyPort {
		listener, err = net.Listen("tcp", anyPort)
	}
	if err != nil {
		return nil, fmt.Errorf("listen for operations on loopback: %w", err)
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{address: listener.Addr().String(), open: map[string]*opened{}, awaited: map[string]chan struct{}{}}
	for _, token := range tokens {
		s.awaited[token] = make(chan struct{})
	}
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

const anyPort = "127.0.0.1:0"

// Address is where the server listens.
func (s *Server) Address() string { return s.address }

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
	return s.OpenAs(ctx, NewToken(), session)
}

// NewToken makes a secret name for a session.
func NewToken() string {
	secret := make([]byte, 18)
	rand.Read(secret) // never fails
	return base64.RawURLEncoding.EncodeToString(secret)
}

// Forget tells that a session that was awaited will not come.
func (s *Server) Forget(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ready := s.awaited[token]; ready != nil {
		close(ready)
		delete(s.awaited, token)
	}
}

// OpenAs is Open under a token that is known to the operation already.
func (s *Server) OpenAs(ctx context.Context, token string, session *Session) (url string, end func()) {
	session.url = "http://" + s.address + "/" + token
	ctx, cancel := context.WithCancel(ctx)
	o := &opened{session: session, ctx: ctx}
	s.mu.Lock()
	s.open[token] = o
	s.mu.Unlock()
	s.Forget(token)
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

// await waits for a session that is about to be opened again.
func (s *Server) await(ctx context.Context, token string) {
	s.mu.Lock()
	ready := s.awaited[token]
	s.mu.Unlock()
	if ready == nil {
		return
	}
	select {
	case <-ready:
	case <-ctx.Done():
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
	token := strings.Trim(r.URL.Path, "/")
	s.await(r.Context(), token)
	o, ok := s.enter(token)
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
