package primitive

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// matchLimit bounds a match that has to backtrack: a pattern comes from a
// blueprint, and a bad one must not hold up a manager.
const matchLimit = time.Second

// Pattern is a regular expression in the dialect of blueprints, which is
// Python's. Expressions that need no backtracking are matched in linear time.
type Pattern struct {
	linear *regexp.Regexp  // nil when the expression needs backtracking
	full   *regexp2.Regexp // nil until linear won't do
	dollar bool            // the expression tells the end of the text from a line break there
	text   string
}

// CompilePattern reads an expression. The error says what is wrong with it.
func CompilePattern(text string) (*Pattern, error) {
	if err := checkEscapes(text); err != nil {
		return nil, err
	}
	p := &Pattern{text: text, dollar: strings.Contains(text, "$")}
	if linear, err := regexp.Compile(`\A(?:` + strings.ReplaceAll(text, `\Z`, `\z`) + `)`); err == nil {
		p.linear = linear
		return p, nil
	}
	full, err := compileFull(text)
	if err != nil {
		return nil, fmt.Errorf("not a regular expression: %w", err)
	}
	p.full = full
	return p, nil
}

// MatchStart tells whether the expression matches at the start of s. The match
// need not reach the end. A match that takes longer than a second is an error.
func (p *Pattern) MatchStart(s string) (bool, error) {
	// Python's $ also matches before a line break at the very end.
	if p.linear != nil && (!p.dollar || !strings.HasSuffix(s, "\n")) {
		return p.linear.MatchString(s), nil
	}
	full := p.full
	if full == nil {
		var err error
		if full, err = compileFull(p.text); err != nil {
			return p.linear.MatchString(s), nil
		}
	}
	matched, err := full.MatchString(s)
	if err != nil {
		return false, fmt.Errorf("match pattern %s: %w", p.text, err)
	}
	return matched, nil
}

// compileFull reads an expression with look-around and back-references.
func compileFull(text string) (*regexp2.Regexp, error) {
	full, err := regexp2.Compile(`\A(?:`+translate(text)+`)`, regexp2.None)
	if err != nil {
		return nil, err
	}
	full.MatchTimeout = matchLimit
	return full, nil
}

// translate rewrites what Python spells differently from other engines.
func translate(text string) string {
	text = strings.ReplaceAll(text, "(?P<", "(?<")
	text = strings.ReplaceAll(text, `\Z`, `\z`)
	for {
		before, rest, found := strings.Cut(text, "(?P=")
		if !found {
			return text
		}
		name, after, closed := strings.Cut(rest, ")")
		if !closed {
			return text
		}
		text = before + `\k<` + name + ">" + after
	}
}

// checkEscapes refuses a backslash before a letter that means nothing in
// Python's dialect, though it may mean something in others.
func checkEscapes(text string) error {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		i++
		if i == len(text) {
			return fmt.Errorf("not a regular expression: it ends with a backslash")
		}
		c := text[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if letter && !strings.ContainsRune("AbBdDsSwWZafnrtvxuUN", rune(c)) {
			return fmt.Errorf(`not a regular expression: bad escape \%c`, c)
		}
	}
	return nil
}
