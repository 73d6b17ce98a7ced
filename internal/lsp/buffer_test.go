package lsp

import "testing"

func TestCharacters(t *testing.T) {
	t.Parallel()
	const line = "aé😀b" // 1, 2, 4 and 1 bytes
	for _, tc := range []struct{ bytes, utf16, utf8 int }{{0, 0, 0}, {1, 1, 1}, {3, 2, 3}, {7, 4, 7}, {8, 5, 8}} {
		if got := character(line, tc.bytes, utf16); got != tc.utf16 {
			t.Errorf("byte %d is character %d, want %d", tc.bytes, got, tc.utf16)
		}
		if got := column(line, tc.utf16, utf16); got != tc.bytes {
			t.Errorf("character %d is byte %d, want %d", tc.utf16, got, tc.bytes)
		}
		if got := column(line, tc.utf8, utf8Units); got != tc.bytes {
			t.Errorf("unit %d is byte %d, want %d", tc.utf8, got, tc.bytes)
		}
	}
	if column(line, 99, utf16) != len(line) || column(line, -1, utf8Units) != 0 || character(line, 99, utf16) != 5 {
		t.Error("what is beyond the line is its end")
	}
	if runeColumn(line, 4) != 7 || runeColumn(line, 9) != len(line) {
		t.Error("columns of characters")
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	at := func(l1, c1, l2, c2 int) *span {
		return &span{Start: position{l1, c1}, End: position{l2, c2}}
	}
	b := newBuffer("file:///a", 1, "one\r\ntwo\nthrée\n")
	for _, tc := range []struct {
		change change
		want   string
	}{
		{change{at(0, 3, 1, 0), " "}, "one two\nthrée\n"},
		{change{at(1, 4, 1, 5), "X"}, "one two\nthréX\n"},
		{change{at(2, 0, 9, 9), "end"}, "one two\nthréX\nend"},
		{change{at(0, 0, 2, 3), ""}, ""},
		{change{nil, "new"}, "new"},
	} {
		if err := b.apply(2, []change{tc.change}, utf16); err != nil || b.text != tc.want {
			t.Fatalf("got %q, %v; want %q", b.text, err, tc.want)
		}
	}
	if b.apply(3, []change{{at(0, 2, 0, 1), "x"}}, utf16) == nil || b.text != "new" {
		t.Error("a range that ends before it starts was taken")
	}
}

func TestURIs(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"file:///a/b.yaml": "/a/b.yaml", "file:///a%20b/c%2B.yaml": "/a b/c+.yaml", "untitled:Untitled-1": "", "http://h/a": "",
		"file:///a/../b": "/b", "%zz": "",
	} {
		if got := pathOf(uri); got != want {
			t.Errorf("path of %s: %q, want %q", uri, got, want)
		}
	}
	for from, want := range map[string]string{
		"/a b/c.yaml": "file:///a%20b/c.yaml", "file:/a": "file:///a", "file:///a": "file:///a", "http://h/a": "http://h/a",
	} {
		if got := uriOf(from); got != want {
			t.Errorf("URI of %s: %s, want %s", from, got, want)
		}
	}
	if sameURI("file:///a%3Ab") != sameURI("file:///a:b") {
		t.Error("two spellings of one URI")
	}
}
