package yaml

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shown gives values a form in which types can be told apart.
func shown(n *Node) any {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case Mapping:
		m := map[string]any{}
		for _, p := range n.Pairs {
			if name, ok := p.Name(); ok {
				m[name] = shown(p.Value)
			} else {
				m[fmt.Sprintf("(%v)", shown(p.Key))] = shown(p.Value)
			}
		}
		return m
	case Sequence:
		items := []any{}
		for _, item := range n.Items {
			items = append(items, shown(item))
		}
		return items
	}
	switch t := n.Value.(type) {
	case int64:
		return fmt.Sprintf("int %d", t)
	case *big.Int:
		return "int " + t.String()
	case float64:
		switch {
		case math.IsNaN(t):
			return "float nan"
		case math.IsInf(t, 0):
			return strings.Replace(fmt.Sprintf("float %v", t), "+", "", 1)
		}
		return fmt.Sprintf("float %.12g", t)
	case Timestamp:
		return "time " + string(t)
	}
	return n.Value
}

// TestAsPyYAML reads the documents of testdata/pyyaml.jsonl, each with what
// PyYAML's safe loader makes of it: a value, or an error.
func TestAsPyYAML(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/pyyaml.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.Lines(string(data)) {
		var c struct {
			Text  string `json:"yaml"`
			Value any    `json:"value"`
			Error bool   `json:"error"`
		}
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		count++
		n, problems := Load(&File{Name: "f.yaml", Text: []byte(c.Text)})
		if failed := problems.Err() != nil; failed != c.Error {
			t.Errorf("%q: problems %v, want an error: %v", c.Text, problems, c.Error)
			continue
		}
		if c.Error {
			continue
		}
		if diff := cmp.Diff(c.Value, shown(n)); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", c.Text, diff)
		}
	}
	if count < 200 {
		t.Errorf("only %d cases", count)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	file := &File{Name: "f.yaml", Text: []byte("a: 1\nb:\n  - x\n  - {c: [y, z]}\n")}
	n, problems := Load(file)
	if problems != nil {
		t.Fatal(problems)
	}
	for what, at := range map[string]*Node{
		"f.yaml:1:4": n.Get("a"), "f.yaml:3:3": n.Get("b"), "f.yaml:2:1": n.KeyNode("b"), "f.yaml:3:5": n.Get("b").Items[0],
		"f.yaml:4:13": n.Get("b").Items[1].Get("c").Items[1],
	} {
		if got := at.Place().String(); got != what {
			t.Errorf("got %s, want %s", got, what)
		}
	}
}

func TestDuplicateKeysWarn(t *testing.T) {
	t.Parallel()
	n, problems := Load(&File{Name: "f", Text: []byte("base: &b {x: 1}\na: 1\nm: {<<: *b, x: 2}\na: 2\n")})
	if len(problems) != 1 || !problems[0].Warning || problems[0].Place.Line != 4 {
		t.Fatalf("problems %v", problems)
	}
	if got := n.Get("a").Value; got != int64(2) {
		t.Errorf("a is %v", got)
	}
	if got := n.Get("m").Get("x").Value; got != int64(2) {
		t.Errorf("m.x is %v", got)
	}
}

func TestEveryTextThatIsNotASCII(t *testing.T) {
	t.Parallel()
	_, problems := Load(&File{Name: "f", Text: []byte("a: é\nö: 1 # ü may stand here\n")})
	if len(problems) != 2 || *problems[0].Code != 108 || problems[1].Place.Line != 2 {
		t.Errorf("problems %v", problems)
	}
}

// Aliases may not be used to make a small text huge.
func TestBudgets(t *testing.T) {
	t.Parallel()
	var bomb, deep strings.Builder
	bomb.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	deep.WriteString("a0: &a0 x\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	for i := 1; i < 20; i++ {
		fmt.Fprintf(&deep, "a%d: &a%d %s*a%d%s\n", i, i, strings.Repeat("[", 30), i-1, strings.Repeat("]", 30))
	}
	for name, text := range map[string]string{
		"bomb":   bomb.String(),
		"deep":   deep.String(),
		"nested": strings.Repeat("[", 5000),
		"closed": strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		"merges": "a: &a {x: 1}\nb: {<<: [" + strings.TrimSuffix(strings.Repeat("*a,", 100), ",") + "], <<: 5}\n",
		"circle": "a: &a {b: [*a]}",
	} {
		if _, problems := Load(&File{Name: name, Text: []byte(text)}); problems.Err() == nil {
			t.Errorf("%s passed", name)
		}
	}
}

func TestWriteReadsBack(t *testing.T) {
	t.Parallel()
	text := "a: [1, 2.0, 1.0e+30, .inf, true, null, 2001-12-14, '1', 'yes', 'null', '', 'a b', '0x1', '=', '<<', '12:30']\n" +
		"m: {x: {}, y: [], \"multi\\nline\": \"tab\\t\", '#': 99999999999999999999}\n"
	n, _ := Load(&File{Name: "f", Text: []byte(text)})
	written, err := Write(n)
	if err != nil {
		t.Fatal(err)
	}
	again, problems := Load(&File{Name: "g", Text: written})
	if problems != nil {
		t.Fatalf("%v in\n%s", problems, written)
	}
	if diff := cmp.Diff(shown(n), shown(again)); diff != "" {
		t.Errorf("(-want +got)\n%s\n%s", diff, written)
	}
}

func TestExcerpt(t *testing.T) {
	t.Parallel()
	f := &File{Text: []byte("one: 1\n\ttwo: x\r\n\nfour: " + strings.Repeat("y", 300))}
	for _, tc := range []struct {
		line, column int
		want         string
	}{
		{1, 6, "  1 | one: 1\n    |      ^\n"},
		{2, 2, "  1 | one: 1\n  2 | \ttwo: x\n    | \t^\n"},
		{4, 1, "  4 | four: " + strings.Repeat("y", 154) + "…\n    | ^\n"},
		{0, 0, ""},
		{9, 1, ""},
	} {
		if diff := cmp.Diff(tc.want, f.Excerpt(tc.line, tc.column)); diff != "" {
			t.Errorf("%d:%d (-want +got)\n%s", tc.line, tc.column, diff)
		}
	}
}

func FuzzYAML(f *testing.F) {
	for _, text := range []string{
		"a: 1\n", "a: &x [1, *x]\n", "a: &x {b: 1}\nc: {<<: *x}\n", "? [a]\n: b\n", "%YAML 1.2\n---\na: yes\n", "a: !!binary aGk=\n",
		"- 12:30:45\n- 0o7\n- 1_0.5e+3\n- 2001-12-14 1:2:3\n", "a: |\n x\n  y\nb: >-\n z\n", "{a: 1, a: 2}", "a: \"\\u00e9\"\n", "!!omap [a: 1]",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n, problems := Load(&File{Name: "f", Text: text})
		if n != nil && problems.Err() != nil {
			t.Fatal("a node in spite of problems")
		}
		if n == nil || n.size > 10_000 {
			return
		}
		n.Plain()
		written, err := Write(n)
		if err != nil {
			t.Fatal(err)
		}
		again, problems := Load(&File{Name: "g", Text: written})
		if problems.Err() != nil {
			t.Fatalf("%v\n%q\n%q", problems, text, written)
		}
		if diff := cmp.Diff(shown(n), shown(again)); diff != "" {
			t.Fatalf("(-want +got)\n%s\n%q\n%q", diff, text, written)
		}
	})
}
