package lsp

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// buffer is the text of an open document. Lines and columns inside of the
// server count from 0, columns in bytes.
type buffer struct {
	uri     string
	path    string // "" for a document that is no file
	version int
	text    string
	starts  []int // offset of each line
}

// encoding is the unit in which clients count characters.
type encoding int

const (
	utf16 encoding = iota
	utf8Units
)

func newBuffer(uri string, version int, text string) *buffer {
	b := &buffer{uri: uri, path: pathOf(uri)}
	b.set(version, text)
	return b
}

func (b *buffer) set(version int, text string) {
	b.version, b.text = version, text
	b.starts = lineStarts(text)
}

func lineStarts(text string) []int {
	starts := []int{0}
	for i := range len(text) {
		if text[i] == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// line is the text of a line without its end; "" beyond the text.
func (b *buffer) line(n int) string {
	if n < 0 || n >= len(b.starts) {
		return ""
	}
	end := len(b.text)
	if n+1 < len(b.starts) {
		end = b.starts[n+1] - 1
	}
	return strings.TrimSuffix(b.text[b.starts[n]:end], "\r")
}

// column turns a character of the client's into a byte of the line. What is
// beyond the line is its end.
func column(line string, character int, enc encoding) int {
	if enc == utf8Units {
		return max(0, min(character, len(line)))
	}
	units := 0
	for i, r := range line {
		if units >= character {
			return i
		}
		units++
		if r >= 0x10000 {
			units++
		}
	}
	return len(line)
}

// character is the reverse of column.
func character(line string, column int, enc encoding) int {
	column = max(0, min(column, len(line)))
	if enc == utf8Units {
		return column
	}
	units := 0
	for _, r := range line[:column] {
		units++
		if r >= 0x10000 {
			units++
		}
	}
	return units
}

// runeColumn turns a column in characters, counted from 1, into bytes.
func runeColumn(line string, n int) int {
	at := 0
	for range n - 1 {
		if at >= len(line) {
			return len(line)
		}
		_, size := utf8.DecodeRuneInString(line[at:])
		at += size
	}
	return at
}

// offset finds a position in the text; what is beyond it is its end.
func (b *buffer) offset(p position, enc encoding) int {
	switch {
	case p.Line < 0:
		return 0
	case p.Line >= len(b.starts):
		return len(b.text)
	}
	return b.starts[p.Line] + column(b.line(p.Line), p.Character, enc)
}

// apply changes the text as the client did.
func (b *buffer) apply(version int, changes []change, enc encoding) error {
	for _, c := range changes {
		if c.Range == nil {
			b.set(version, c.Text)
			continue
		}
		start, end := b.offset(c.Range.Start, enc), b.offset(c.Range.End, enc)
		if start > end {
			return fmt.Errorf("a change of %s ends at %v, before it starts at %v", b.uri, c.Range.End, c.Range.Start)
		}
		b.set(version, b.text[:start]+c.Text+b.text[end:])
	}
	b.version = version
	return nil
}
