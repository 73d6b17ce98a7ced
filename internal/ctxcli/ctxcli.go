// Package ctxcli is the `ctx` command, by which scripts use their operation's
// context. It is started many times in a script, so it links little and does
// its one request by hand.
package ctxcli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"windlass/internal/value"
)

const usage = `usage: ctx [-h] [-t SECONDS] [-j] [--socket-url URL] [--json-arg-prefix PREFIX] [args ...]

Uses the context of the operation that this script runs for.

  ctx logger info "a message"
  ctx node properties port
  ctx instance runtime-properties address.ip 10.0.0.1
  ctx source instance runtime-properties
  ctx download-resource scripts/app.conf
  ctx returns @'{"value": [1, 2]}'
  ctx abort-operation "why"

options:
  -h, --help            show this help
  -t, --timeout SECONDS how long to wait for the answer (default 30)
  -j, --json-output     write the answer as JSON
  --socket-url URL      where the context is (default: $CTX_SOCKET_URL)
  --json-arg-prefix P   arguments that begin with P are JSON (default @)
`

// Main runs one ctx command and returns its exit code: 0, or 1 for errors and
// for commands that end the operation, or 2 for a wrong command line. env is in
// the form of os.Environ. The answer is written without a newline.
func Main(ctx context.Context, args, env []string, stdout, stderr io.Writer) int {
	o, err := parse(args, lookUp(env, "CTX_SOCKET_URL"))
	if err != nil {
		fmt.Fprintf(stderr, "ctx: %s\n", err)
		return 2
	}
	if seconds, err := strconv.Atoi(lookUp(env, "CTX_PATIENCE")); err == nil {
		o.patience = time.Duration(seconds) * time.Second
	}
	if o.help {
		io.WriteString(stdout, usage)
		return 0
	}
	answer, err := o.run(ctx)
	if err != nil {
		if stop, ok := errors.AsType[*stopped](err); ok {
			fmt.Fprintln(stderr, stop.message)
		} else {
			fmt.Fprintf(stderr, "ctx: %s\n", err)
		}
		return 1
	}
	if _, err := io.WriteString(stdout, o.render(answer)); err != nil {
		fmt.Fprintf(stderr, "ctx: write the answer: %s\n", err)
		return 1
	}
	return 0
}

// stopped is the answer of a command that ended the operation.
type stopped struct{ message string }

func (s *stopped) Error() string { return s.message }

func (o *options) run(ctx context.Context) (any, error) {
	if o.socketURL == "" {
		//lint:ignore ST1005 the original's text, which scripts may look for
		return nil, errors.New("Missing CTX_SOCKET_URL environment variable or socket_url command line argument")
	}
	args, err := o.values()
	if err != nil {
		return nil, err
	}
	body, err := o.ask(ctx, map[string]any{"args": args})
	if err != nil {
		return nil, err
	}
	return payload(body)
}

// ask asks until there is an answer: a manager that is being restarted comes
// back, and the operation goes on. Again tells that the request may have been
// performed before.
func (o *options) ask(ctx context.Context, request map[string]any) ([]byte, error) {
	const shortest, longest = 50 * time.Millisecond, 2 * time.Second
	began, pause := time.Now(), shortest
	for {
		body, err := o.askOnce(ctx, request)
		if !errors.Is(err, errBroken) || time.Since(began) > o.patience {
			return body, err
		}
		request["again"] = true
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
		pause = min(2*pause, longest)
	}
}

func (o *options) askOnce(ctx context.Context, request map[string]any) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("no answer within %s", o.timeout))
	defer cancel()
	return post(ctx, o.socketURL, value.Encode(request))
}

// values turns arguments with the prefix into what their JSON says.
func (o *options) values() ([]any, error) {
	args := make([]any, 0, len(o.args))
	for _, arg := range o.args {
		text, isJSON := strings.CutPrefix(arg, o.jsonPrefix)
		if !isJSON {
			args = append(args, arg)
			continue
		}
		v, err := value.Decode([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("the argument %s is not JSON after its prefix %s: %w (another prefix can be set by --json-arg-prefix)",
				arg, o.jsonPrefix, err)
		}
		args = append(args, unwrap(v))
	}
	return args, nil
}

// unwrap takes values out of the shell that PowerShell puts around what it
// cannot write as JSON.
func unwrap(v any) any {
	switch t := v.(type) {
	case []any:
		for i := range t {
			t[i] = unwrap(t[i])
		}
	case map[string]any:
		for k := range t {
			t[k] = unwrap(t[k])
		}
		if inner, ok := t["__non_json_serializable_repr__"]; ok {
			return inner
		}
	}
	return v
}

func payload(body []byte) (any, error) {
	reply, err := value.DecodeMap(body)
	if err != nil {
		return nil, fmt.Errorf("the answer is not JSON: %w", err)
	}
	content, _ := reply["payload"].(map[string]any)
	switch reply["type"] {
	case "error":
		return nil, fmt.Errorf("%s: %s", value.Text(content["type"]), value.Text(content["message"]))
	case "stop_operation":
		return nil, &stopped{message: value.Text(content["message"])}
	}
	return reply["payload"], nil
}

// render is what the command prints: by default nothing for a value that
// counts as false, and Python's notation for structures.
func (o *options) render(v any) string {
	if o.jsonOutput {
		return value.PythonJSON(v)
	}
	switch t := v.(type) {
	case nil:
		return ""
	case bool:
		if !t {
			return ""
		}
	case int64:
		if t == 0 {
			return ""
		}
	case float64:
		if t == 0 {
			return ""
		}
	case []any:
		if len(t) == 0 {
			return ""
		}
	case map[string]any:
		if len(t) == 0 {
			return ""
		}
	}
	return value.Text(v)
}

func lookUp(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(env[i], name+"="); ok {
			return v
		}
	}
	return ""
}
