package python

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// output follows the file that a child's standard output and error go to and
// logs it line by line. It is a file and no pipe, so that what a child leaves
// running in the background neither holds it up nor is killed by a closed
// pipe. Memory stays bounded, and so does what is logged.
type output struct {
	file   *os.File
	log    func(message string)
	limits Limits

	read    int64
	partial []byte
	lines   int
	bytes   int
	dropped int
	last    []string // the last lines, for errors
}

// errorLines is how many lines of output a failure carries.
const errorLines = 50

func newOutput(path string, limits Limits, log func(message string)) (*output, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the file for an operation's output: %w", err)
	}
	return &output{file: f, log: log, limits: limits}, nil
}

// poll logs what has come since the last time and tells whether anything has.
func (o *output) poll() bool {
	var buf [16 << 10]byte
	any := false
	for {
		n, err := o.file.ReadAt(buf[:], o.read)
		if n == 0 || err != nil && err != io.EOF {
			break
		}
		any = true
		o.read += int64(n)
		o.take(buf[:n])
		if err == io.EOF {
			break
		}
	}
	if any {
		release(o.file, o.read)
	}
	return any
}

func (o *output) take(data []byte) {
	for len(data) > 0 {
		line, rest, ended := bytes.Cut(data, []byte("\n"))
		room := o.limits.LineBytes - len(o.partial)
		if len(line) > room {
			o.partial = append(o.partial, line[:room]...)
			data = data[room:]
			o.line()
			continue
		}
		o.partial = append(o.partial, line...)
		if ended {
			o.line()
		}
		data = rest
	}
}

// line logs the line that is complete now.
func (o *output) line() {
	text := clean(bytes.TrimSuffix(o.partial, []byte("\r")))
	o.partial = o.partial[:0]
	if len(o.last) == errorLines {
		o.last = append(o.last[:0], o.last[1:]...)
	}
	o.last = append(o.last, text)
	if o.lines >= o.limits.Lines || o.bytes+len(text) > o.limits.Bytes {
		o.dropped++
		return
	}
	o.lines++
	o.bytes += len(text)
	o.log(text)
}

// finish logs what is left and what was dropped, and closes the file.
func (o *output) finish() {
	o.poll()
	if len(o.partial) > 0 {
		o.line()
	}
	if o.dropped > 0 {
		o.log(fmt.Sprintf("(%d more lines of output were dropped)", o.dropped))
	}
	_ = o.file.Close() // it is only read here
}

// text is the last lines.
func (o *output) text() string { return strings.Join(o.last, "\n") }

// clean makes bytes a text that can be stored.
func clean(b []byte) string {
	if !utf8.Valid(b) {
		b = bytes.ToValidUTF8(b, []byte("\uFFFD"))
	}
	return strings.ReplaceAll(string(b), "\x00", "<NUL>")
}
