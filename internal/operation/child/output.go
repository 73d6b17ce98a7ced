package child

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode/utf8"
)

// Output follows the file that a process's standard output and error go to and
// logs it line by line. It is a file and no pipe, so that what a process leaves
// running in the background neither holds it up nor is killed by a closed
// pipe. Memory stays bounded, and so does what is logged.
type Output struct {
	File   *os.File // what the process writes to
	log    func(message string)
	limits Limits

	mu      sync.Mutex // guards what follows
	read    int64
	partial []byte
	lines   int
	bytes   int
	dropped int
	last    []string // the last lines, for errors
}

// errorLines is how many lines of output a failure carries.
const errorLines = 50

// NewOutput makes the file for the output of the run's process. Each line is
// given to log, as far as the limits allow.
func (d *Run) NewOutput(limits Limits, log func(message string)) (*Output, error) {
	f, err := os.OpenFile(filepath.Join(d.Path, outputFile), os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the file for an operation's output: %w", err)
	}
	return &Output{File: f, log: log, limits: limits}, nil
}

// Poll logs what has come since the last time and tells whether anything has.
func (o *Output) Poll() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.poll()
}

// Say logs a line that did not come by the file.
func (o *Output) Say(line []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	begun := o.partial
	o.partial = nil
	o.take(append(line, '\n'))
	o.partial = begun
}

func (o *Output) poll() bool {
	var buf [16 << 10]byte
	any := false
	for {
		n, err := o.File.ReadAt(buf[:], o.read)
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
		o.giveBack()
	}
	return any
}

// giveBack gives back the disk space of what was read.
func (o *Output) giveBack() {
	const worthwhile = 1 << 20
	if o.read >= worthwhile {
		GiveBack(o.File, o.read)
	}
}

func (o *Output) take(data []byte) {
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
func (o *Output) line() {
	text := Clean(bytes.TrimSuffix(o.partial, []byte("\r")))
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

// Finish logs what is left and what was dropped, and closes the file.
func (o *Output) Finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.poll()
	if len(o.partial) > 0 {
		o.line()
	}
	if o.dropped > 0 {
		o.log(fmt.Sprintf("(%d more lines of output were dropped)", o.dropped))
	}
	_ = o.File.Close() // it is only read here
}

// Text is the last lines.
func (o *Output) Text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.last, "\n")
}

// Clean makes bytes a text that can be stored.
func Clean(b []byte) string {
	if !utf8.Valid(b) {
		b = bytes.ToValidUTF8(b, []byte("\uFFFD"))
	}
	return strings.ReplaceAll(string(b), "\x00", "<NUL>")
}

// Limits bound what is logged for one operation. What is beyond is counted and
// dropped.
type Limits struct {
	// Lines and Bytes are how much is logged.
	Lines, Bytes int
	// LineBytes is where longer lines are cut.
	LineBytes int
}

// Or puts the values of others where there are none.
func (l Limits) Or(others Limits) Limits {
	return Limits{cmp.Or(l.Lines, others.Lines), cmp.Or(l.Bytes, others.Bytes), cmp.Or(l.LineBytes, others.LineBytes)}
}

// The limits where nothing else is configured: of output, and of what loggers
// say.
var (
	OutputLimits = Limits{Lines: 10_000, Bytes: 4 << 20, LineBytes: 16 << 10}
	LogLimits    = Limits{Lines: 100_000, Bytes: 40 << 20, LineBytes: 1 << 20}
)
