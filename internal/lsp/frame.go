package lsp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
)

// Bounds of one message.
const (
	maxMessage = 128 << 20 // bytes of content
	maxHeader  = 4 << 10   // bytes of one header line
	maxHeaders = 32        // lines before the content
)

// errFraming tells that the input is not made of messages; nothing after it can
// be understood.
var errFraming = errors.New("malformed message framing")

// readMessage reads the content of one message. The error is io.EOF where the
// input ends between messages.
func readMessage(in *bufio.Reader) ([]byte, error) {
	length := -1
	for lines := 0; ; lines++ {
		line, err := readHeader(in)
		switch {
		case errors.Is(err, io.EOF) && lines == 0 && line == "":
			return nil, io.EOF
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		case lines == maxHeaders:
			return nil, fmt.Errorf("%w: more than %d headers", errFraming, maxHeaders)
		}
		if line == "" {
			break
		}
		name, text, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("%w: header %.40q has no colon", errFraming, line)
		}
		if !strings.EqualFold(strings.TrimSpace(name), "Content-Length") {
			continue
		}
		if length, err = contentLength(text); err != nil {
			return nil, err
		}
	}
	if length < 0 {
		return nil, fmt.Errorf("%w: no Content-Length", errFraming)
	}
	return readContent(in, length)
}

func contentLength(text string) (int, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%w: Content-Length %.40q", errFraming, text)
	}
	if n > maxMessage {
		return 0, fmt.Errorf("%w: a message of %d bytes, more than %d", errFraming, n, maxMessage)
	}
	return int(n), nil
}

// readHeader reads one line without its end.
func readHeader(in *bufio.Reader) (string, error) {
	var line []byte
	for {
		b, err := in.ReadByte()
		if err != nil {
			return string(line), err
		}
		if b == '\n' {
			return strings.TrimSuffix(string(line), "\r"), nil
		}
		if line = append(line, b); len(line) > maxHeader {
			return "", fmt.Errorf("%w: a header longer than %d bytes", errFraming, maxHeader)
		}
	}
}

// readContent reads what was announced. Memory grows with what arrives, not
// with what is announced.
func readContent(in *bufio.Reader, length int) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(in, int64(length)))
	if err != nil {
		return nil, err
	}
	if len(content) < length {
		return nil, io.ErrUnexpectedEOF
	}
	return content, nil
}

// writer writes messages, each as a whole.
type writer struct {
	mu  sync.Mutex
	out io.Writer
}

func (w *writer) write(content []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	frame := append(fmt.Appendf(nil, "Content-Length: %d\r\n\r\n", len(content)), content...)
	if _, err := w.out.Write(frame); err != nil {
		return fmt.Errorf("write message: %w", err)
	}
	return nil
}
