package lsp

import "strings"

// flow reads what stands in brackets, over as many lines as it takes.
type flow struct {
	*reader
	row, column int
	outer       int  // a line that is not indented deeper ends it, closed or not
	broken      bool // it was ended that way
}

// peek is the next character that counts; 0 at the end.
func (f *flow) peek() byte {
	for !f.broken {
		line := strings.TrimSuffix(f.lines[f.row], "\r")
		for f.column < len(line) {
			c := line[f.column]
			switch {
			case c == ' ' || c == '\t':
				f.column++
			case c == '#' && (f.column == 0 || line[f.column-1] == ' '):
				f.column = len(line)
				if f.row == len(f.lines)-1 {
					f.end, f.broken = cursor{}, true // the cursor is in a comment
					return 0
				}
			default:
				return c
			}
		}
		if f.row == len(f.lines)-1 {
			return 0
		}
		next := f.lines[f.row+1]
		content := strings.TrimLeft(next, " ")
		if strings.TrimSpace(content) != "" && len(next)-len(content) <= f.outer &&
			strings.IndexByte("]}", content[0]) < 0 {
			f.broken = true
			return 0
		}
		f.row, f.column = f.row+1, 0
	}
	return 0
}

func (f *flow) here() token { return token{line: f.row, start: f.column, end: f.column} }

// stop notes that the text ends here.
func (f *flow) stop(n *node, r role, word token) {
	if !f.broken {
		f.end = cursor{node: n, role: r, word: word}
		f.broken = true
	}
}

// collection reads n from its opening bracket on.
func (f *flow) collection(n *node, depth int) {
	isMapping := f.peek() == '{'
	n.kind = sequence
	if isMapping {
		n.kind = mapping
	}
	if depth > maxNesting {
		f.broken = true
		return
	}
	f.column++
	f.end = cursor{}
	for {
		switch c := f.peek(); {
		case c == 0 && f.broken:
			return
		case c == 0 && isMapping:
			f.stop(n, atKey, f.here())
			return
		case c == 0:
			f.stop(n.item(), atItem, f.here())
			return
		case c == '}' || c == ']':
			f.column++
			return
		case c == ',':
			f.column++
		case isMapping:
			f.flowEntry(n, depth)
		default:
			f.flowItem(n.item(), depth)
		}
	}
}

// flowEntry reads a key and its value.
func (f *flow) flowEntry(to *node, depth int) {
	if c := f.peek(); c == '{' || c == '[' {
		f.collection(to.item(), depth+1)
		return
	}
	key := f.word(true)
	if f.peek() != ':' {
		n := to.entry(key)
		n.partial = true
		if f.atEnd() {
			f.stop(to, atKey, key)
		}
		return
	}
	f.column++
	f.flowValue(to.entry(key), depth)
}

// flowItem reads an item, which may be a mapping of one entry without brackets.
func (f *flow) flowItem(n *node, depth int) {
	if c := f.peek(); c == '{' || c == '[' {
		f.collection(n, depth+1)
		return
	}
	word := f.word(true)
	if f.peek() == ':' && f.keyEnds() {
		f.column++
		n.kind = mapping
		f.flowValue(n.entry(word), depth)
		return
	}
	n.kind, n.value = scalar, word
	if f.atEnd() {
		f.stop(n, atItem, word)
	}
	if f.peek() == ':' {
		f.column++
	}
}

func (f *flow) flowValue(n *node, depth int) {
	switch c := f.peek(); {
	case c == 0:
		f.stop(n, atValue, f.here())
	case c == ',' || c == '}' || c == ']':
	case c == '{' || c == '[':
		f.collection(n, depth+1)
	default:
		n.kind, n.value = scalar, f.word(false)
		if f.atEnd() {
			f.stop(n, atValue, n.value)
		}
	}
}

// atEnd tells whether the text ends right here.
func (f *flow) atEnd() bool { return f.peek() == 0 && !f.broken }

func (f *flow) keyEnds() bool {
	line := strings.TrimSuffix(f.lines[f.row], "\r")
	return f.column+1 >= len(line) || strings.IndexByte(" \t,]}[{\"'", line[f.column+1]) >= 0
}

// word reads a scalar, which ends at a colon if it may be a key. It takes at
// least one character.
func (f *flow) word(isKey bool) token {
	line := strings.TrimSuffix(f.lines[f.row], "\r")
	start, end := f.column, f.column
	if q := line[start]; q == '"' || q == '\'' {
		if i := strings.IndexByte(line[start+1:], q); i >= 0 {
			end = start + i + 2
		} else {
			end = len(line)
		}
	} else {
		for end < len(line) && strings.IndexByte(",]}{[", line[end]) < 0 {
			colon := line[end] == ':' && (end+1 == len(line) || strings.IndexByte(" \t,]}", line[end+1]) >= 0)
			comment := line[end] == '#' && end > start && line[end-1] == ' '
			if isKey && colon || comment {
				break
			}
			end++
		}
		end = start + len(strings.TrimRight(line[start:end], " \t"))
	}
	if end == start && (start >= len(line) || line[start] != ':') {
		end = start + 1
	}
	f.column = end
	return token{text: unquoted(line[start:end]), line: f.row, start: start, end: end}
}
