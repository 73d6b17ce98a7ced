package lsp

import (
	"fmt"
	"strings"
	"testing"
)

// dotted writes a path with the kind of place.
func dotted(c cursor) string {
	if c.role == nowhere {
		return "nowhere"
	}
	var parts []string
	for _, s := range c.node.path() {
		if s.index >= 0 {
			parts = append(parts, fmt.Sprint(s.index))
		} else {
			parts = append(parts, s.key)
		}
	}
	return strings.Join(parts, ".") + [...]string{"", "@key", "@value", "@item"}[c.role] + "=" + c.word.text
}

func TestCursorOfUnfinishedTexts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                      "@item=",
		"inp":                                   "@key=inp",
		"inputs:":                               "inputs@value=",
		"inputs:\n  ":                           "inputs@item=",
		"inputs:\n  a: {}\n  ":                  "inputs@key=",
		"inputs:\n  a: {}\n":                    "@key=",
		"inputs:\n  a:\n    ty":                 "inputs.a@key=ty",
		"inputs:\n  a:\n    type: str":          "inputs.a.type@value=str",
		"inputs:\n  a:\n    type: string\n    ": "inputs.a@key=",
		"inputs:\n  a:\n    type: string\n  ":   "inputs@key=",
		"a:\n- b\n- ":                           "a.1@item=",
		"a:\n- b: c\n  ":                        "a.0@key=",
		"a:\n  - b: c\n    d: e":                "a.0.d@value=e",
		"a:\n  - b: c\n    d: e\n  - f":         "a.1@item=f",
		"a:\n- b\nc: d":                         "c@value=d",
		"a: {":                                  "a@key=",
		"a: {b: c, ":                            "a@key=",
		"a: {b: ":                               "a.b@value=",
		"a: { get_property: [ ":                 "a.get_property.0@item=",
		"a: { get_property: [ x, y":             "a.get_property.1@item=y",
		"a: { get_property: [ x,\n    y":        "a.get_property.1@item=y",
		"a: { get_property: [ x\nb: c":          "b@value=c",
		"a: [{b: c}, {d: e, f":                  "a.1@key=f",
		"a: # nothing":                          "nowhere",
		"# a":                                   "nowhere",
		"a: |\n  text\n  ":                      "nowhere",
		"a: |\n  text: x\nb":                    "@key=b",
		"a: \"quoted\"\nb: 'x":                  "b@value=x",
		"\"a b\": c":                            "a b@value=c",
		"a: &anchor\n  b: x":                    "a.b@value=x",
		"a: b\n   more":                         "nowhere",
		"a: http://x":                           "a@value=http://x",
		"a: [http://x, y:z, b":                  "a.2@item=b",
		"nodes:\n  a:\n    rel:\n      - type: t\n        target: ": "nodes.a.rel.0.target@value=",
	} {
		_, c := readLoosely(text)
		if got := dotted(c); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

// The whole of a text is read although a line in the middle is not finished.
func TestReadLooselyGoesOn(t *testing.T) {
	t.Parallel()
	root, _ := readLoosely("node_templates:\n  a:\n    type\n    properties: {x: [1, 2\n  b:\n    type: t\noutputs: {o: {value: }}\n")
	if got := root.text([]step{{"node_templates", -1}, {"b", -1}}, "type"); got != "t" {
		t.Errorf("type of b: %q", got)
	}
	if root.get("outputs").get("o").get("value") == nil {
		t.Error("no value in the output")
	}
}

// FuzzReadLoosely: any text gives a tree, and so does every start of it.
func FuzzReadLoosely(f *testing.F) {
	for _, text := range []string{
		"a:\n  - b: {c: [d, e]}\n", "a: [{b", "- - -", "'", "a: {b: [}", "a: |\n x\n", ": :", "{:", "[:", "a: {\"", "a: {b:c: d",
		strings.Repeat("[", 1000), strings.Repeat("- ", 1000),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		root, c := readLoosely(text)
		if root == nil || c.role != nowhere && c.node == nil {
			t.Fatal("a place without a node")
		}
		lines := strings.Split(text, "\n")
		if c.role != nowhere && (c.word.line >= len(lines) || c.word.start > c.word.end || c.word.end > len(lines[c.word.line])) {
			t.Fatalf("a word outside of the text: %+v", c.word)
		}
		root.yaml(nil)
		for i := range text {
			if i > 200 {
				break
			}
			readLoosely(text[:i])
		}
	})
}
