package ctxcli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// post sends a body and returns the answer's. It speaks just the HTTP/1.1 that
// the proxy needs: net/http would cost more to start than the request itself.
func post(ctx context.Context, address string, body []byte) ([]byte, error) {
	rest, ok := strings.CutPrefix(address, "http://")
	if !ok {
		scheme, _, _ := strings.Cut(address, "://")
		//lint:ignore ST1005 the original's text, which scripts may look for
		return nil, fmt.Errorf("Unsupported protocol: %s", scheme)
	}
	host, path, _ := strings.Cut(rest, "/")
	dialed := host
	if _, _, err := net.SplitHostPort(host); err != nil {
		dialed = net.JoinHostPort(host, "80")
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", dialed)
	if err != nil {
		return nil, fmt.Errorf("reach the operation's context: %w", broken(ctx, err))
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()

	request := make([]byte, 0, len(body)+200)
	request = fmt.Appendf(request, "POST /%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
		path, host, len(body))
	if _, err := conn.Write(append(request, body...)); err != nil {
		return nil, fmt.Errorf("ask the operation's context: %w", broken(ctx, err))
	}
	reader := bufio.NewReader(conn)
	if _, err := reader.Peek(1); err != nil {
		return nil, fmt.Errorf("read the answer of the operation's context: %w", broken(ctx, err))
	}
	answer, err := read(reader)
	if err != nil {
		return nil, fmt.Errorf("read the answer of the operation's context: %w", causeOf(ctx, err))
	}
	return answer, nil
}

// errBroken tells that nobody answers: the manager is not there, at the moment
// or any more.
var errBroken = errors.New("nobody answers")

// broken is an error of a connection that no answer came over, unless it was
// our doing.
func broken(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return fmt.Errorf("%w: %w", errBroken, err)
}

// causeOf tells why a connection broke if that was our doing.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

const maxHeaders = 64 << 10

// read reads a response with its whole body.
func read(r *bufio.Reader) ([]byte, error) {
	status, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(status, "HTTP/1.") {
		return nil, errors.New("this is not an HTTP server")
	}
	length, seen := -1, len(status)
	chunked := false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		if seen += len(line); seen > maxHeaders {
			return nil, errors.New("the headers are too long")
		}
		name, v, _ := strings.Cut(line, ":")
		switch v = strings.TrimSpace(v); strings.ToLower(name) {
		case "content-length":
			if length, err = strconv.Atoi(v); err != nil || length < 0 {
				return nil, fmt.Errorf("the content length %q is wrong", v)
			}
		case "transfer-encoding":
			chunked = strings.EqualFold(v, "chunked")
		}
	}
	switch {
	case chunked:
		return nil, errors.New("the answer is chunked, which this client does not read")
	case length < 0:
		return io.ReadAll(r) // the connection's end is the body's
	}
	var body strings.Builder
	if n, err := io.CopyN(&body, r, int64(length)); err != nil {
		return nil, fmt.Errorf("the answer broke off after %d of %d bytes: %w", n, length, err)
	}
	return []byte(body.String()), nil
}
