package lsp

import (
	"strings"

	"windlass/internal/blueprint/yaml"
)

// A text that is being written is seldom YAML. This reader makes of any text
// the tree that its author probably means, by indentation and brackets, and
// tells where in it the text ends: cut off at the cursor, that is where the
// cursor is.

// token is a piece of a line; columns are bytes.
type token struct {
	text       string
	line       int
	start, end int
}

func (t token) holds(line, column int) bool {
	return t.line == line && t.start <= column && column <= t.end
}

type shape uint8

const (
	nothing shape = iota // nothing there yet
	scalar
	mapping
	sequence
)

// node is an entry of a mapping, an item of a sequence, or the document.
type node struct {
	parent   *node
	key      token // of an entry
	index    int   // of an item; -1 for entries
	partial  bool  // a key that has no colon yet
	kind     shape
	value    token // of a scalar
	children []*node
}

func (n *node) add(child *node) *node {
	child.parent = n
	n.children = append(n.children, child)
	return child
}

func (n *node) entry(key token) *node { return n.add(&node{key: key, index: -1}) }

func (n *node) item() *node { return n.add(&node{index: len(n.children)}) }

// get is the last entry with that key; nil if there is none.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for i := len(n.children) - 1; i >= 0; i-- {
		if c := n.children[i]; c.index < 0 && !c.partial && c.key.text == key {
			return c
		}
	}
	return nil
}

// step is a key, or an index if that is not negative.
type step struct {
	key   string
	index int
}

func (n *node) path() []step {
	if n.parent == nil {
		return nil
	}
	s := step{key: n.key.text, index: n.index}
	if n.index >= 0 {
		s.key = ""
	}
	return append(n.parent.path(), s)
}

// follow gives the node at a path; nil if there is none.
func (n *node) follow(path []step) *node {
	for _, s := range path {
		switch {
		case n == nil:
			return nil
		case s.index < 0:
			n = n.get(s.key)
		case n.kind == sequence && s.index < len(n.children):
			n = n.children[s.index]
		default:
			return nil
		}
	}
	return n
}

// text is the scalar at a path; "" if there is none.
func (n *node) text(path []step, more ...string) string {
	for _, key := range more {
		path = append(path[:len(path):len(path)], step{key: key, index: -1})
	}
	if found := n.follow(path); found != nil && found.kind == scalar {
		return found.value.text
	}
	return ""
}

// yaml makes the tree a document like those that were read properly. Every
// value is text.
func (n *node) yaml(file *yaml.File) *yaml.Node {
	made := &yaml.Node{File: file, Line: n.key.line + 1, Column: n.key.start + 1}
	switch n.kind {
	case scalar:
		made.Value, made.Line, made.Column = n.value.text, n.value.line+1, n.value.start+1
	case sequence:
		made.Kind = yaml.Sequence
		for _, c := range n.children {
			made.Items = append(made.Items, c.yaml(file))
		}
	case mapping:
		made.Kind = yaml.Mapping
		for _, c := range n.children {
			if c.index >= 0 || c.partial {
				continue
			}
			key := &yaml.Node{File: file, Line: c.key.line + 1, Column: c.key.start + 1, Value: c.key.text}
			made.Pairs = append(made.Pairs, yaml.Pair{Key: key, Value: c.yaml(file)})
		}
	}
	return made
}

// role says what may be written somewhere.
type role uint8

const (
	nowhere role = iota // comments, texts
	atKey               // a key of the node
	atValue             // the value of the node
	atItem              // the value of the node, or the first key of it
)

// cursor is a place in a tree.
type cursor struct {
	node *node
	role role
	word token // what is there of the word up to the cursor
}

// block is a collection whose entries begin in a column.
type block struct {
	node   *node
	column int
}

// reader reads lines.
type reader struct {
	lines []string
	row   int
	open  []block
	root  *node
	end   cursor
}

// maxNesting bounds how deep brackets are followed.
const maxNesting = 200

// readLoosely reads a text. The cursor is the end of it.
func readLoosely(text string) (*node, cursor) {
	r := &reader{lines: strings.Split(text, "\n"), root: &node{index: -1}}
	top := &node{index: -1, kind: mapping, children: []*node{r.root}}
	r.open = []block{{node: top, column: -1}}
	for r.row = 0; r.row < len(r.lines); r.row++ {
		line := r.line()
		column := len(line) - len(strings.TrimLeft(line, " "))
		content := line[column:]
		r.end = cursor{}
		switch {
		case strings.TrimSpace(content) == "":
			if r.row == len(r.lines)-1 {
				r.end = r.blank(column)
			}
		case content[0] == '#', strings.HasPrefix(line, "---"), strings.HasPrefix(line, "%"):
		default:
			r.content(column, content)
		}
	}
	return r.root, r.end
}

func (r *reader) line() string { return strings.TrimSuffix(r.lines[r.row], "\r") }

// close closes the collections that a line in that column is not part of.
func (r *reader) close(column int, isItem bool) {
	for len(r.open) > 1 {
		last := r.open[len(r.open)-1]
		before := r.open[len(r.open)-2]
		sameColumn := last.column == column && before.column == column // a list that is not indented
		if last.column <= column && (isItem || !sameColumn) {
			return
		}
		r.open = r.open[:len(r.open)-1]
	}
}

// holder is the node that content in that column belongs to, which is made a
// collection of that kind if it was none.
func (r *reader) holder(column int, kind shape) *node {
	last := r.open[len(r.open)-1]
	if last.column == column && last.node.kind == kind {
		return last.node
	}
	if last.column == column && kind == mapping {
		return last.node // entries among items: broken, but they must go somewhere
	}
	n := last.node
	if len(n.children) > 0 {
		n = n.children[len(n.children)-1]
	}
	n.kind = kind
	r.open = append(r.open, block{node: n, column: column})
	return n
}

// blank is the cursor at the end of a line of spaces.
func (r *reader) blank(column int) cursor {
	r.close(column, false)
	last := r.open[len(r.open)-1]
	at := token{line: r.row, start: column, end: column}
	n := last.node
	if last.column < column && len(n.children) > 0 {
		n = n.children[len(n.children)-1]
	}
	switch n.kind {
	case nothing:
		return cursor{node: n, role: atItem, word: at}
	case mapping:
		return cursor{node: n, role: atKey, word: at}
	}
	return cursor{}
}

// content reads what stands in a column of the line, and the lines that it
// goes on in.
func (r *reader) content(column int, text string) {
	isItem := text == "-" || strings.HasPrefix(text, "- ")
	r.close(column, isItem)
	if isItem {
		item := r.holder(column, sequence).item()
		rest := strings.TrimLeft(text[1:], " ")
		inner := column + len(text) - len(rest)
		r.end = cursor{node: item, role: atItem, word: token{line: r.row, start: inner, end: inner}}
		if rest != "" && rest[0] != '#' {
			r.itemContent(item, inner, rest)
		}
		return
	}
	if last := r.open[len(r.open)-1]; last.column < column && len(last.node.children) > 0 {
		before := last.node.children[len(last.node.children)-1]
		if _, _, keyed := splitKey(text); before.kind == scalar && !keyed {
			return // the text before goes on
		}
	}
	r.entry(r.holder(column, mapping), column, text)
}

// itemContent reads what stands behind a dash.
func (r *reader) itemContent(item *node, column int, text string) {
	if (text == "-" || strings.HasPrefix(text, "- ")) && len(r.open) < maxNesting {
		r.content(column, text)
		return
	}
	if _, _, keyed := splitKey(text); keyed {
		item.kind = mapping
		r.open = append(r.open, block{node: item, column: column})
		r.entry(item, column, text)
		return
	}
	r.value(item, column, column-1, text)
	if item.kind == scalar && r.end.role == atValue {
		r.end.role = atItem
	}
}

// entry reads a key and what follows it.
func (r *reader) entry(to *node, column int, text string) {
	key, rest, keyed := splitKey(text)
	name := token{text: unquoted(key), line: r.row, start: column, end: column + len(key)}
	if !keyed {
		word := strings.TrimRight(withoutComment(text), " \t")
		name = token{text: word, line: r.row, start: column, end: column + len(word)}
		to.entry(name).partial = true
		r.end = cursor{node: to, role: atKey, word: name}
		if word != text {
			r.end = cursor{}
		}
		return
	}
	r.value(to.entry(name), column+len(text)-len(rest), column, rest)
}

// value reads the value of n, which begins in a column. What is indented deeper
// than outer is still part of it.
func (r *reader) value(n *node, column, outer int, text string) {
	trimmed := strings.TrimLeft(text, " \t")
	column += len(text) - len(trimmed)
	for trimmed != "" && (trimmed[0] == '&' || trimmed[0] == '!') {
		word, rest, _ := strings.Cut(trimmed, " ")
		rest = strings.TrimLeft(rest, " ")
		column += len(trimmed) - len(rest)
		if rest == "" && len(word) == len(trimmed) {
			return
		}
		trimmed = rest
	}
	at := token{line: r.row, start: column, end: column}
	switch {
	case trimmed == "":
		r.end = cursor{node: n, role: atValue, word: at}
	case trimmed[0] == '#':
	case trimmed[0] == '|' || trimmed[0] == '>':
		n.kind, n.value = scalar, at
		r.skipText(outer)
	case trimmed[0] == '{' || trimmed[0] == '[':
		f := flow{reader: r, row: r.row, column: column, outer: outer}
		f.collection(n, 0)
		r.row = f.row
	default:
		word := plainOrQuoted(trimmed)
		n.kind = scalar
		n.value = token{text: unquoted(word), line: r.row, start: column, end: column + len(word)}
		if len(word) == len(trimmed) || strings.TrimSpace(trimmed[len(word):]) == "" {
			r.end = cursor{node: n, role: atValue, word: n.value}
		}
	}
}

// skipText goes over the lines of a block of text.
func (r *reader) skipText(outer int) {
	for r.row+1 < len(r.lines) {
		next := r.lines[r.row+1]
		indent := len(next) - len(strings.TrimLeft(next, " "))
		if strings.TrimSpace(next) != "" && indent <= outer || r.row+2 == len(r.lines) && len(next) <= outer {
			return
		}
		r.row++
	}
}

// splitKey takes a line apart at the colon after its key.
func splitKey(text string) (key, rest string, ok bool) {
	if text == "" || strings.IndexByte("{[#&*!|>", text[0]) >= 0 {
		return "", "", false
	}
	from := 0
	if text[0] == '"' || text[0] == '\'' {
		end := strings.IndexByte(text[1:], text[0])
		if end < 0 {
			return "", "", false
		}
		from = end + 2
	}
	for i := from; i < len(text); i++ {
		switch {
		case text[i] == '#' && i > 0 && text[i-1] == ' ':
			return "", "", false
		case text[i] == ':' && (i+1 == len(text) || text[i+1] == ' ' || text[i+1] == '\t'):
			return strings.TrimRight(text[:i], " "), text[i+1:], true
		}
	}
	return "", "", false
}

func withoutComment(text string) string {
	before, _, _ := strings.Cut(text, " #")
	return before
}

// plainOrQuoted is the scalar that a text begins with.
func plainOrQuoted(text string) string {
	if text[0] == '"' || text[0] == '\'' {
		if end := strings.IndexByte(text[1:], text[0]); end >= 0 {
			return text[:end+2]
		}
		return text
	}
	return strings.TrimRight(withoutComment(text), " \t")
}

func unquoted(text string) string {
	if len(text) > 0 && (text[0] == '"' || text[0] == '\'') {
		return strings.TrimSuffix(text[1:], text[:1])
	}
	return text
}
