package script

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"windlass/internal/operation"
	"windlass/internal/operation/child"
)

// output follows what a process writes into its output files and logs it line
// by line. Memory stays bounded whatever the process writes, and so does what
// is logged; disk space is given back as the output is read.
type output struct {
	host    operation.Host
	limits  OutputLimits
	buffers *sync.Pool // of *[readBytes]byte

	stdout, stderr *stream // the same if they are merged
	offsets        string  // the file that tells how far they were read; "" for none

	lines, bytes int // logged so far
	seen         int // lines seen so far, numbering them
	dropped      int // lines not logged because of the limits
	droppedBytes int
}

// stream is one of the files.
type stream struct {
	file     *os.File
	prefix   string
	log      bool
	read     int64  // bytes read so far
	noted    int64  // bytes that need not be read again by a later manager
	released int64  // bytes whose disk space was given back
	partial  []byte // the beginning of a line
	last     tail
}

func newOutput(dir string, p process, limits OutputLimits, buffers *sync.Pool, host operation.Host) (*output, error) {
	o := &output{host: host, limits: limits, buffers: buffers}
	var err error
	if o.stdout, err = newStream(filepath.Join(dir, stdoutFile), "<out> ", p.logStdout); err != nil {
		return nil, err
	}
	o.stderr = o.stdout
	if p.stderrToStdout && p.logStderr {
		return o, nil
	}
	if o.stderr, err = newStream(filepath.Join(dir, stderrFile), "<err> ", p.logStderr); err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

func newStream(path, prefix string, log bool) (*stream, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make an output file: %w", err)
	}
	return &stream{file: f, prefix: prefix, log: log}, nil
}

func (o *output) streams() []*stream {
	if o.stderr == o.stdout || o.stderr == nil {
		return []*stream{o.stdout}
	}
	return []*stream{o.stdout, o.stderr}
}

func (o *output) close() {
	for _, s := range o.streams() {
		s.file.Close()
	}
}

// leftOutput is what a run leaves in the output files.
type leftOutput struct {
	free    bool // nobody has them open any more
	written bool // there is something in them
}

// closeInto closes the files and tells the run directory what is left in them.
func (o *output) closeInto(d *runDir) {
	d.output = leftOutput{free: true}
	for _, s := range o.streams() {
		info, err := s.file.Stat()
		d.output.written = d.output.written || err != nil || info.Size() > 0
		d.output.free = d.output.free && isSoleUser(s.file)
	}
	o.close()
}

// readBytes is how much is read at once. The buffers are shared: most of the
// time a thousand waiting operations have nothing to read.
const readBytes = 32 << 10

func newBuffers() *sync.Pool { return &sync.Pool{New: func() any { return new([readBytes]byte) }} }

// pollBytes bounds how much one poll reads of a stream, so that a flood does
// not keep its reader from anything else.
const pollBytes = 4 << 20

// poll reads what was written since, and tells whether there was anything.
func (o *output) poll() bool {
	any := false
	if o.hasMore() {
		o.noteOffsets()
	}
	for _, s := range o.streams() {
		any = o.readSome(s, pollBytes) > 0 || any
	}
	return any
}

// hasMore tells whether there is output that was not read. Without a file for
// offsets nobody asks.
func (o *output) hasMore() bool {
	if o.offsets == "" {
		return false
	}
	for _, s := range o.streams() {
		if info, err := s.file.Stat(); err == nil && info.Size() > s.read {
			return true
		}
	}
	return false
}

func (o *output) readSome(s *stream, most int) int {
	shared := o.buffers.Get().(*[readBytes]byte)
	defer o.buffers.Put(shared)
	buffer := shared[:]
	total := 0
	for total < most {
		n, err := s.file.ReadAt(buffer, s.read)
		if n > 0 {
			s.read += int64(n)
			total += n
			o.take(s, buffer[:n])
		}
		if err != nil || n < len(buffer) {
			if err != nil && err != io.EOF {
				o.host.Log("warning", "Output could not be read: "+err.Error())
			}
			break
		}
	}
	const worthwhile, block = 1 << 20, 4096
	done := s.read
	if o.offsets != "" {
		done = s.noted // what comes after may have to be read again
	}
	if done-s.released > worthwhile {
		s.released = done / block * block
		child.GiveBack(s.file, s.released)
	}
	return total
}

// finish reads what is left when the process has ended. What its background
// children still write is theirs: the end is where the file ends now.
func (o *output) finish() {
	for _, s := range o.streams() {
		info, err := s.file.Stat()
		for err == nil && s.read < info.Size() {
			if o.readSome(s, int(min(info.Size()-s.read, pollBytes))) == 0 {
				break
			}
		}
		if len(s.partial) > 0 {
			o.split(s, s.partial)
			s.partial = nil
		}
	}
	if o.dropped == 0 {
		return
	}
	last := o.lastLines(lastAfterDrop)
	shown := min(len(last), o.dropped)
	o.host.Log("warning", fmt.Sprintf(
		"The output was longer than the limit of %d lines or %d bytes for one operation: %d lines (%d bytes) were dropped. The last %d lines:",
		o.limits.Lines, o.limits.Bytes, o.dropped, o.droppedBytes, shown))
	for _, l := range last[len(last)-shown:] {
		o.host.Log("info", l)
	}
}

const lastAfterDrop = 20

// take splits what was read into lines.
func (o *output) take(s *stream, data []byte) {
	for len(data) > 0 {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			s.partial = append(s.partial, data...)
			data = nil
		} else if len(s.partial) == 0 {
			o.split(s, data[:i])
			data = data[i+1:]
			continue
		} else {
			s.partial = append(s.partial, data[:i]...)
			data = data[i+1:]
			o.split(s, s.partial)
			s.partial = s.partial[:0]
			continue
		}
		for len(s.partial) > o.limits.LineBytes {
			n := cut(s.partial, o.limits.LineBytes)
			o.line(s, s.partial[:n])
			s.partial = append(s.partial[:0], s.partial[n:]...)
		}
	}
}

// split logs a whole line, in pieces if it is long.
func (o *output) split(s *stream, line []byte) {
	line = bytes.TrimSuffix(line, []byte("\r"))
	for len(line) > o.limits.LineBytes {
		n := cut(line, o.limits.LineBytes)
		o.line(s, line[:n])
		line = line[n:]
	}
	o.line(s, line)
}

// cut is where to split a line, at most bytes long, between two characters.
func cut(line []byte, most int) int {
	for n := most; n > most-utf8.UTFMax && n > 0; n-- {
		if utf8.RuneStart(line[n]) {
			return n
		}
	}
	return most
}

func (o *output) line(s *stream, line []byte) {
	o.seen++
	s.last.add(o.seen, line)
	if !s.log {
		return
	}
	if o.lines >= o.limits.Lines || o.bytes+len(line) > o.limits.Bytes {
		if o.dropped == 0 {
			o.host.Log("warning", fmt.Sprintf(
				"The output reaches the limit of %d lines or %d bytes for one operation: from here on it is dropped, but for the last lines.",
				o.limits.Lines, o.limits.Bytes))
			o.lines = o.limits.Lines // what is shorter shall not slip through later
		}
		o.dropped++
		o.droppedBytes += len(line)
		return
	}
	o.lines++
	o.bytes += len(line)
	o.host.Log("info", s.prefix+clean(line))
}

// clean makes output a text that every store takes.
func clean(line []byte) string {
	return strings.ReplaceAll(strings.ToValidUTF8(string(line), "\uFFFD"), "\x00", "\uFFFD")
}

// lastLines returns the last lines of all streams in the order of their coming,
// with their prefixes.
func (o *output) lastLines(n int) []string {
	type numbered struct {
		n    int
		text string
	}
	var all []numbered
	for _, s := range o.streams() {
		for _, l := range s.last.lines() {
			all = append(all, numbered{l.number, s.prefix + clean(l.text)})
		}
	}
	slices.SortFunc(all, func(a, b numbered) int { return cmp.Compare(a.n, b.n) })
	all = all[max(0, len(all)-n):]
	texts := make([]string, len(all))
	for i, l := range all {
		texts[i] = l.text
	}
	return texts
}

// tail keeps the last lines of a stream.
type tail struct {
	ring  []tailLine
	count int
}

type tailLine struct {
	number int
	text   []byte
}

const (
	tailLines     = 50
	tailLineBytes = 2 << 10
)

func (t *tail) add(number int, line []byte) {
	if len(line) > tailLineBytes {
		line = line[:cut(line, tailLineBytes)]
	}
	if len(t.ring) < tailLines {
		t.ring = append(t.ring, tailLine{number, bytes.Clone(line)})
	} else {
		slot := &t.ring[t.count%tailLines]
		slot.number, slot.text = number, append(slot.text[:0], line...)
	}
	t.count++
}

// lines returns the lines kept, oldest first.
func (t *tail) lines() []tailLine {
	if t.count <= tailLines {
		return t.ring
	}
	at := t.count % tailLines
	return append(slices.Clone(t.ring[at:]), t.ring[:at]...)
}

// text is the end of the stream for a failure's message.
func (t *tail) text() string {
	var b strings.Builder
	if left := t.count - len(t.ring); left > 0 {
		fmt.Fprintf(&b, "[%d lines before]\n", left)
	}
	for _, l := range t.lines() {
		b.WriteString(clean(l.text))
		b.WriteByte('\n')
	}
	return b.String()
}
