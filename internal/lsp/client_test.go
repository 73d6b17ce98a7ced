package lsp_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"windlass/internal/lsp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client is an editor at the other end of two pipes.
type client struct {
	t    *testing.T
	in   *io.PipeWriter
	out  *bufio.Reader
	next int
	done chan error
	dir  string
	seen []map[string]any // notifications that nobody asked for yet
}

func dial(t *testing.T, opts lsp.Options, files map[string]string) *client {
	t.Helper()
	c := start(t, opts, files)
	c.call("initialize", map[string]any{"capabilities": map[string]any{
		"textDocument": map[string]any{"completion": map[string]any{"completionItem": map[string]any{"snippetSupport": true}}},
	}})
	c.tell("initialized", map[string]any{})
	return c
}

func start(t *testing.T, opts lsp.Options, files map[string]string) *client {
	t.Helper()
	inReader, inWriter := io.Pipe()
	outReader, outWriter := io.Pipe()
	c := &client{t: t, in: inWriter, out: bufio.NewReader(outReader), done: make(chan error, 1), dir: t.TempDir()}
	for name, text := range files {
		file := filepath.Join(c.dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if opts.Delay == 0 {
		opts.Delay = time.Millisecond
	}
	go func() {
		c.done <- lsp.Serve(t.Context(), inReader, outWriter, opts)
		_ = outWriter.Close()
	}()
	t.Cleanup(func() {
		_ = inWriter.Close()
		_, _ = io.Copy(io.Discard, outReader)
	})
	return c
}

func (c *client) uri(name string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Join(c.dir, name))}).String()
}

func (c *client) write(m map[string]any) {
	c.t.Helper()
	m["jsonrpc"] = "2.0"
	text, err := json.Marshal(m)
	if err != nil {
		c.t.Error(err)
		return
	}
	c.raw(string(text))
}

func (c *client) raw(content string) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.in, "Content-Length: %d\r\n\r\n%s", len(content), content); err != nil {
		c.t.Error(err) // perhaps in a goroutine of its own
	}
}

func (c *client) read() map[string]any {
	c.t.Helper()
	length := 0
	for {
		line, err := c.out.ReadString('\n')
		if err != nil {
			c.t.Fatalf("read from the server: %v", err)
		}
		if line = strings.TrimSpace(line); line == "" {
			break
		}
		if text, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			if length, err = strconv.Atoi(text); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	content := make([]byte, length)
	if _, err := io.ReadFull(c.out, content); err != nil {
		c.t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(content, &m); err != nil {
		c.t.Fatalf("%s: %v", content, err)
	}
	return m
}

func (c *client) tell(method string, params any) {
	c.t.Helper()
	c.write(map[string]any{"method": method, "params": params})
}

// request sends a request and gives the whole answer.
func (c *client) request(method string, params any) map[string]any {
	c.t.Helper()
	c.next++
	id := c.next
	sent := make(chan struct{})
	go func() { // the server may have to be heard before it listens
		defer close(sent)
		c.write(map[string]any{"id": id, "method": method, "params": params})
	}()
	for {
		m := c.read()
		if got, ok := m["id"].(float64); ok && int(got) == id {
			<-sent
			return m
		}
		c.seen = append(c.seen, m)
	}
}

func (c *client) call(method string, params any) any {
	c.t.Helper()
	m := c.request(method, params)
	if m["error"] != nil {
		c.t.Fatalf("%s: %v", method, m["error"])
	}
	return m["result"]
}

func (c *client) open(name, text string) {
	c.t.Helper()
	c.tell("textDocument/didOpen", map[string]any{"textDocument": map[string]any{
		"uri": c.uri(name), "languageId": "yaml", "version": 1, "text": text,
	}})
}

func (c *client) replace(name string, version int, text string) {
	c.t.Helper()
	c.tell("textDocument/didChange", map[string]any{
		"textDocument":   map[string]any{"uri": c.uri(name), "version": version},
		"contentChanges": []any{map[string]any{"text": text}},
	})
}

// diagnostics waits for those of a file, of that version; 0 if it is not open.
func (c *client) diagnostics(name string, version int) []string {
	c.t.Helper()
	for {
		var m map[string]any
		if len(c.seen) > 0 {
			m, c.seen = c.seen[0], c.seen[1:]
		} else {
			m = c.read()
		}
		params, _ := m["params"].(map[string]any)
		if m["method"] != "textDocument/publishDiagnostics" || params["uri"] != c.uri(name) {
			continue
		}
		if v, _ := params["version"].(float64); int(v) != version {
			continue
		}
		lines := []string{}
		for _, d := range params["diagnostics"].([]any) {
			d := d.(map[string]any)
			r := d["range"].(map[string]any)
			s, e := r["start"].(map[string]any), r["end"].(map[string]any)
			lines = append(lines, fmt.Sprintf("%v:%v-%v %v %v", s["line"], s["character"], e["character"], d["severity"], d["message"]))
		}
		return lines
	}
}

// marked takes the mark | out of a text and tells where it was.
func marked(t *testing.T, text string) (string, map[string]any) {
	t.Helper()
	before, after, ok := strings.Cut(text, "|")
	if !ok {
		t.Fatal("no mark in the text")
	}
	line := strings.Count(before, "\n")
	return before + after, map[string]any{"line": line, "character": len(before) - strings.LastIndex(before, "\n") - 1}
}

// at asks about the place of the mark in a text.
func (c *client) at(method, name, text string) any {
	c.t.Helper()
	text, position := marked(c.t, text)
	c.open(name, text)
	return c.call("textDocument/"+method, map[string]any{"textDocument": map[string]any{"uri": c.uri(name)}, "position": position})
}

func (c *client) labels(name, text string) []string {
	c.t.Helper()
	result := c.at("completion", name, text).(map[string]any)
	labels := []string{}
	for _, item := range result["items"].([]any) {
		labels = append(labels, item.(map[string]any)["label"].(string))
	}
	return labels
}

func (c *client) close() error {
	c.t.Helper()
	c.call("shutdown", nil)
	c.tell("exit", nil)
	go func() { _, _ = io.Copy(io.Discard, c.out) }()
	return <-c.done
}
