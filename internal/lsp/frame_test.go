package lsp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestReadMessage(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in   string
		want string
		err  error
	}{
		"plain":             {in: "Content-Length: 2\r\n\r\n{}", want: "{}"},
		"more headers":      {in: "Content-Type: x; charset=utf-8\r\ncontent-length:2\r\n\r\n{}", want: "{}"},
		"bare line ends":    {in: "Content-Length: 2\n\n{}", want: "{}"},
		"empty":             {in: "Content-Length: 0\r\n\r\n", want: ""},
		"end":               {in: "", err: io.EOF},
		"end in header":     {in: "Content-Le", err: io.ErrUnexpectedEOF},
		"end after headers": {in: "Content-Length: 2\r\n", err: io.ErrUnexpectedEOF},
		"end in content":    {in: "Content-Length: 5\r\n\r\n{}", err: io.ErrUnexpectedEOF},
		"no length":         {in: "A: b\r\n\r\n{}", err: errFraming},
		"negative":          {in: "Content-Length: -1\r\n\r\n{}", err: errFraming},
		"no number":         {in: "Content-Length: x\r\n\r\n{}", err: errFraming},
		"too long":          {in: "Content-Length: 2147483647\r\n\r\n{}", err: errFraming},
		"no colon":          {in: "hello\r\n\r\n", err: errFraming},
		"endless header":    {in: strings.Repeat("a", maxHeader+1), err: errFraming},
		"endless headers":   {in: strings.Repeat("a:b\r\n", maxHeaders+1), err: errFraming},
	} {
		got, err := readMessage(bufio.NewReader(strings.NewReader(tc.in)))
		if string(got) != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

// FuzzReadMessage: what is read again after being written is the same, and no
// input does harm.
func FuzzReadMessage(f *testing.F) {
	f.Add([]byte("Content-Length: 2\r\n\r\n{}Content-Length: 1\r\n\r\n1"))
	f.Add([]byte("Content-Type: a\nContent-Length: 3\n\nabc"))
	f.Add([]byte("Content-Length: 99999999999999999999\r\n\r\n"))
	f.Fuzz(func(t *testing.T, input []byte) {
		in := bufio.NewReader(bytes.NewReader(input))
		for range len(input) + 1 {
			content, err := readMessage(in)
			if err != nil {
				if content != nil {
					t.Fatal("content together with an error")
				}
				return
			}
			var out bytes.Buffer
			if err := (&writer{out: &out}).write(content); err != nil {
				t.Fatal(err)
			}
			again, err := readMessage(bufio.NewReader(&out))
			if err != nil || !bytes.Equal(content, again) {
				t.Fatal(fmt.Errorf("%q became %q: %w", content, again, err))
			}
		}
		t.Fatal("more messages than bytes")
	})
}
