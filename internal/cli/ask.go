package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// askHere asks whoever is at the keyboard for what an execution asks for. Only
// this process can answer in the local profile: it holds the database.
// Without anybody to ask the answer is no.
func (a *app) askHere(ctx context.Context, c *client, executionID string) error {
	waiting, _, err := c.list(ctx, "/approvals", url.Values{"execution_id": {executionID}, "status": {"waiting"}})
	if err != nil {
		return err
	}
	for _, w := range waiting {
		fmt.Fprintf(a.Stderr, "%s [yes/no, and why] ", text(w, "question"))
		line, err := a.readLine(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		word, comment, _ := strings.Cut(strings.TrimSpace(line), " ")
		answer := object{"action": "reject", "comment": strings.TrimLeft(comment, " ,:")}
		switch word = strings.ToLower(strings.Trim(word, ",:.")); {
		case err != nil && word == "":
			answer["comment"] = "there is nobody to ask: standard input has ended"
		case word == "yes" || word == "y":
			answer["action"] = "approve"
		}
		if _, err := c.do(ctx, http.MethodPost, "/approvals/"+url.PathEscape(text(w, "id")), nil, answer); err != nil {
			return err
		}
	}
	return nil
}

// readLine reads a line of standard input, or stops waiting for it when ctx ends.
func (a *app) readLine(ctx context.Context) (string, error) {
	if a.input == nil {
		a.input = bufio.NewReader(a.Stdin)
	}
	type read struct {
		line string
		err  error
	}
	done := make(chan read, 1)
	// A read of a terminal can't be interrupted: if ctx ends first the goroutine
	// ends with the process, which is about to.
	go func() {
		line, err := a.input.ReadString('\n')
		done <- read{line, err}
	}()
	select {
	case r := <-done:
		return r.line, r.err
	case <-ctx.Done():
		return "", io.ErrUnexpectedEOF
	}
}
