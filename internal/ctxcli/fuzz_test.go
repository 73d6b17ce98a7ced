package ctxcli

import (
	"bufio"
	"strings"
	"testing"
)

// FuzzParse: any command line is either understood or refused, and no argument
// is lost but those that options took.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"-j\nnode\nid", "-t5\n--", "--json-arg-prefix=x\ny", "-jt\n-5", "--\n-j", "-tj", "--t=\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, "\n")
		o, err := parse(args, "http://x")
		if err != nil {
			return
		}
		if len(o.args) > len(args) || o.timeout < 0 {
			t.Fatalf("%q gave %+v", args, o)
		}
	})
}

// FuzzRead: any answer is either read or refused.
func FuzzRead(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
	f.Add("HTTP/1.0 200 OK\n\n{}")
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}")
	f.Add("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
	f.Fuzz(func(t *testing.T, answer string) {
		body, err := read(bufio.NewReader(strings.NewReader(answer)))
		if err == nil && !strings.Contains(answer, string(body)) {
			t.Fatalf("%q is not from %q", body, answer)
		}
	})
}
