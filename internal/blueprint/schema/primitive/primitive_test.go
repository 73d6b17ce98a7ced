package primitive_test

import (
	"math/big"
	"strings"
	"testing"

	"windlass/internal/blueprint/schema/primitive"
)

func TestAccepts(t *testing.T) {
	t.Parallel()
	huge, _ := new(big.Int).SetString(strings.Repeat("9", 30), 10)
	for _, c := range []struct {
		typeName string
		v        any
		want     bool
	}{
		{"integer", int64(1), true}, {"integer", huge, true}, {"integer", 1.0, false}, {"integer", true, false}, {"integer", "1", false},
		{"float", 1.5, true}, {"float", int64(1), true}, {"float", false, false},
		{"boolean", true, true}, {"boolean", "true", false}, {"boolean", nil, false},
		{"list", []any{}, true}, {"list", map[string]any{}, false},
		{"dict", map[string]any{}, true}, {"dict", []any{}, false},
		{"regex", "a+", true}, {"regex", "(", false}, {"regex", int64(1), false},
		{"string", []any{}, true}, {"string", nil, true}, {"textarea", int64(1), true},
		{"blueprint_id", 1.5, true}, {"operation_name", nil, true},
		{"my.type", "x", false}, {"", "x", false},
	} {
		if got := primitive.Accepts(c.typeName, c.v); got != c.want {
			t.Errorf("%s accepts %v: %v", c.typeName, c.v, got)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	if n := len(primitive.Names()); n != 17 {
		t.Errorf("%d names", n)
	}
	for _, name := range primitive.Names() {
		if !primitive.Is(name) {
			t.Errorf("%s is not built in", name)
		}
	}
	if primitive.IsObject("string") || !primitive.IsObject("node_id") {
		t.Error("object types are mixed up")
	}
}

func TestPattern(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"abc", "abcdef", true}, {"abc", "xabc", false}, {"a|bc", "bcd", true}, {"^a$", "a", true}, {"a$", "ab", false},
		{"a$", "a\n", true}, {`a\Z`, "a\n", false}, {`a\Z`, "a", true},
		{"(?!no)[a-z]+", "yes", true}, {"(?!no)[a-z]+", "nope", false}, {"(?<=a)b", "ab", false},
		{`(a)\1`, "aa", true}, {`(?P<x>a)(?P=x)`, "aa", true}, {`(?P<x>a)(?P=x)`, "ab", false}, {`\d{2}`, "12", true},
	} {
		p, err := primitive.CompilePattern(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		if got, err := p.MatchStart(c.text); err != nil || got != c.want {
			t.Errorf("%s at the start of %q: %v, %v", c.pattern, c.text, got, err)
		}
	}
	for _, bad := range []string{"(", "[a", "*a", `\`, `\z`, `\p{L}`} {
		if _, err := primitive.CompilePattern(bad); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

// A pattern that would go on for ages is given up.
func TestPatternWithoutEnd(t *testing.T) {
	t.Parallel()
	p, err := primitive.CompilePattern(`(?=a)(a+)+\1b`)
	if err != nil {
		t.Fatal(err)
	}
	if matched, err := p.MatchStart(strings.Repeat("a", 64)); err == nil {
		t.Errorf("matched: %v", matched)
	}
}
