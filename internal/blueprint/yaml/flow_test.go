package yaml

import (
	"strings"
	"testing"
)

// TestPlacesBesideMendedColons reads lines in which the library needs help, and
// expects the columns that the file has.
func TestPlacesBesideMendedColons(t *testing.T) {
	t.Parallel()
	text := "a: 1\nv: {x:[p, q], y:{z:[r]}, last: here}\nw: {a:[1]}\n"
	n, problems := Load(&File{Name: "f.yaml", Text: []byte(text)})
	if problems != nil {
		t.Fatal(problems)
	}
	v := n.Get("v")
	for _, c := range []struct {
		node *Node
		text string
	}{
		{v.Get("x"), "[p"}, {v.Get("x").Items[1], "q]"}, {v.Get("y"), "{z"}, {v.Get("y").Get("z").Items[0], "r]"},
		{v.KeyNode("last"), "last"}, {v.Get("last"), "here"},
	} {
		line := strings.Split(text, "\n")[1]
		if got := strings.Index(line, c.text) + 1; c.node.Line != 2 || c.node.Column != got {
			t.Errorf("%q is at %d:%d, want 2:%d", c.text, c.node.Line, c.node.Column, got)
		}
	}

	_, problems = Load(&File{Name: "f.yaml", Text: []byte("v: {x:[p], y:{z:[r]}, [}\n")})
	if len(problems) != 1 || problems[0].Place.Column != 24 {
		t.Errorf("problems %v, want one in column 24", problems)
	}
}

// TestMendingEnds reads a long text that would have to be mended at each of its
// lines: reading it again and again has a bound.
func TestMendingEnds(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("# "+strings.Repeat("x", 1<<20)+"\n", 8) + strings.Repeat("- {a:[1]}\n", 100)
	if _, problems := Load(&File{Name: "f.yaml", Text: []byte(text)}); len(problems) != 1 {
		t.Errorf("problems %v, want one", problems)
	}
}
