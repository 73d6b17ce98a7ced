package python

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strconv"

	"windlass/internal/operation/ctxproxy"
	"windlass/internal/value"
)

// maxFrame bounds one request of a child, in bytes.
const maxFrame = 64 << 20

// serveFrames answers one request after the other until the connection ends,
// or a line is too long to be a request: then it ends the connection, so that the
// child does not wait. A reply of nil is not sent.
func serveFrames(conn *net.UnixConn, answer func(frame []byte) []byte) {
	reader := bufio.NewReaderSize(conn, 16<<10)
	for {
		frame, err := readLine(reader)
		if err != nil {
			hangUp(conn, err)
			return
		}
		if reply := answer(frame); reply != nil {
			if _, err := conn.Write(reply); err != nil {
				return
			}
		}
	}
}

// hangUp closes the connection to a child that sends what can't be taken.
func hangUp(conn *net.UnixConn, err error) {
	if errors.Is(err, io.ErrShortBuffer) {
		_ = conn.Close()
	}
}

// readLine reads a line of at most maxFrame bytes, without its end.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case err != bufio.ErrBufferFull:
			return nil, err
		case len(line) > maxFrame:
			return nil, io.ErrShortBuffer
		}
	}
}

// answer performs a request of an operation. One without an id gets no reply.
// Modules that it tells of are given to imported.
func answer(ctx context.Context, session *ctxproxy.Session, frame []byte, imported func(modules []any)) []byte {
	request, err := value.DecodeMap(frame)
	if err != nil {
		return []byte(`{"id": null, "type": "error", "payload": {"type": "ValueError", "message": "the request is not a JSON object"}}` + "\n")
	}
	if request["method"] == "imported" {
		params, _ := request["params"].(map[string]any)
		modules, _ := params["modules"].([]any)
		imported(modules)
		return nil
	}
	body := session.Answer(ctx, request)
	id, ok := request["id"].(int64)
	if !ok {
		return nil
	}
	return withID(id, body)
}

// withID puts an id into a reply, which is a JSON object with members.
func withID(id int64, body []byte) []byte {
	reply := make([]byte, 0, len(body)+32)
	reply = append(reply, `{"id":`...)
	reply = strconv.AppendInt(reply, id, 10)
	reply = append(reply, ',')
	reply = append(reply, body[1:]...)
	return append(reply, '\n')
}
