package yaml

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	goyaml "go.yaml.in/yaml/v4"
)

// parted is a text in which colons of flow collections stand apart from the
// bracket that follows them.
//
// {concat:[a, b]} is a mapping by the rules of YAML 1.1, and blueprints have it.
// The library knows that a colon ends a text before a comma or a closing
// bracket, but not before an opening one, and fails there. So the text is mended
// where the library failed, and read again.
type parted struct {
	text   []byte
	places map[int][]int // columns of what was put in, by line, as they were found
	budget int           // bytes that may still be read again
}

func newParted(text []byte) *parted {
	return &parted{text: text, places: map[int][]int{}, budget: MaxBytes}
}

// mend puts a space after the colon at which reading failed. It tells whether
// there was one, and reading is worth another try.
func (p *parted) mend(err error) bool {
	mark, inFlow := failure(err)
	if !inFlow || len(p.text) > p.budget {
		return false
	}
	at := p.offset(mark.Line, mark.Column)
	if at < 1 || p.text[at-1] != ':' || p.text[at] != '[' && p.text[at] != '{' {
		return false
	}
	p.budget -= len(p.text)
	p.text = bytes.Join([][]byte{p.text[:at], p.text[at:]}, []byte(" "))
	p.places[mark.Line] = append(p.places[mark.Line], mark.Column)
	return true
}

// failure is where the library failed, and whether that was in a flow collection.
func failure(err error) (mark goyaml.Mark, inFlow bool) {
	var several *goyaml.LoadErrors
	var one *goyaml.LoadError
	switch {
	case errors.As(err, &several) && len(several.Errors) > 0:
		one = several.Errors[0]
	case !errors.As(err, &one):
		return goyaml.Mark{}, false
	}
	return one.Mark, strings.Contains(one.ContextMsg, "parsing a flow")
}

// offset is that of a line's character, both counted from 1; -1 beyond the text.
func (p *parted) offset(line, column int) int {
	at := 0
	for ; line > 1; line-- {
		end := bytes.IndexByte(p.text[at:], '\n')
		if end < 0 {
			return -1
		}
		at += end + 1
	}
	for ; column > 1 && at < len(p.text); column-- {
		_, size := utf8.DecodeRune(p.text[at:])
		at += size
	}
	if at >= len(p.text) {
		return -1
	}
	return at
}

// column is where a character of the mended text stands in the original.
func (p *parted) column(line, column int) int {
	places := p.places[line]
	for i := len(places) - 1; i >= 0; i-- {
		if column > places[i] {
			column--
		}
	}
	return column
}

// restore gives the nodes below n the columns of the original text.
func (p *parted) restore(n *goyaml.Node) {
	if len(p.places) == 0 {
		return
	}
	n.Column = p.column(n.Line, n.Column)
	for _, c := range n.Content {
		p.restore(c)
	}
}
