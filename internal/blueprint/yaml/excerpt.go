package yaml

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// excerptWidth is how much of a long line an excerpt shows.
const excerptWidth = 160

// Excerpt shows a line of the file, the one before it, and a caret under the
// column. It is "" where the file or line is unknown.
func (f *File) Excerpt(line, column int) string {
	if f == nil || line < 1 || len(f.Text) == 0 {
		return ""
	}
	text, ok := f.line(line)
	if !ok {
		return ""
	}
	number := fmt.Sprintf("%d", line)
	var b strings.Builder
	if before, ok := f.line(line - 1); ok && strings.TrimSpace(before) != "" {
		fmt.Fprintf(&b, "  %*d | %s\n", len(number), line-1, clip(before))
	}
	fmt.Fprintf(&b, "  %s | %s\n", number, clip(text))
	if column < 1 || column > excerptWidth {
		return b.String()
	}
	// Tabs stay tabs, so that the caret stands under its character.
	pad := []rune(text)
	if column-1 < len(pad) {
		pad = pad[:column-1]
	}
	for i, r := range pad {
		if r != '\t' {
			pad[i] = ' '
		}
	}
	fmt.Fprintf(&b, "  %s | %s^\n", strings.Repeat(" ", len(number)), string(pad))
	return b.String()
}

func clip(line string) string {
	if utf8.RuneCountInString(line) > excerptWidth {
		return string([]rune(line)[:excerptWidth]) + "…"
	}
	return line
}

// line returns a line, counted from 1, without its end.
func (f *File) line(number int) (string, bool) {
	if number < 1 {
		return "", false
	}
	rest := f.Text
	for ; number > 1; number-- {
		_, after, found := bytes.Cut(rest, []byte("\n"))
		if !found {
			return "", false
		}
		rest = after
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	return strings.TrimRight(strings.ToValidUTF8(string(line), "�"), "\r"), true
}

// at returns the character at a position, both counted from 1; 0 beyond the text.
func (f *File) at(line, column int) rune {
	text, _ := f.line(line)
	for _, r := range text {
		if column--; column == 0 {
			return r
		}
	}
	return 0
}
