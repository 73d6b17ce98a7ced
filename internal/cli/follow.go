package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"windlass/internal/value"
)

// eventLine is an event or log as a line of text, "" for what is not shown at
// the verbosity.
func eventLine(e object, verbosity int) string {
	str := func(k string) string { s, _ := e[k].(string); return s }
	if str("level") == "debug" && verbosity < 2 {
		return ""
	}
	stamp := str("reported_timestamp")
	if stamp == "" {
		stamp = str("timestamp")
	}
	stamp = strings.TrimSuffix(strings.Replace(stamp, "T", " ", 1), "Z")
	kind, text := "CFY", str("message")
	if str("type") == "cloudify_log" {
		kind, text = "LOG", strings.ToUpper(str("level"))+": "+text
	}
	line := fmt.Sprintf("%s  %s <%s> ", stamp, kind, str("deployment_id"))
	if info := eventContext(e); info != "" {
		line += "[" + info + "] "
	}
	line += text
	if t := str("event_type"); t == "task_failed" || t == "task_rescheduled" {
		line += causeText(e["error_causes"])
	}
	return line
}

func eventContext(e object) string {
	str := func(k string) string { s, _ := e[k].(string); return s }
	operation := str("operation")
	operation = operation[strings.LastIndex(operation, ".")+1:]
	if str("source_id") != "" {
		return fmt.Sprintf("%s->%s|%s", str("source_id"), str("target_id"), operation)
	}
	var parts []string
	for _, p := range []string{str("node_instance_id"), operation} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ".")
}

func causeText(v any) string {
	causes, _ := v.([]any)
	var b strings.Builder
	if len(causes) > 1 {
		b.WriteString("\nCauses (most recent cause last):")
	}
	for _, c := range causes {
		m, _ := c.(object)
		trace, _ := m["traceback"].(string)
		if trace == "" {
			continue
		}
		if len(causes) > 1 {
			b.WriteString("\n" + strings.Repeat("-", 32))
		}
		b.WriteString("\n" + strings.TrimRight(trace, "\n"))
	}
	return b.String()
}

// showEvent prints one event.
func (a *app) showEvent(e object, logs bool) {
	if e["type"] == "cloudify_log" && !logs {
		return
	}
	if a.json {
		_ = a.printJSON(e)
		return
	}
	if line := eventLine(e, a.verbosity); line != "" {
		fmt.Fprintln(a.Stdout, line)
	}
}

// errWaitedTooLong tells that the execution goes on though the waiting ended.
var errWaitedTooLong = errors.New("timed out waiting for the execution to end; it goes on")

// follow prints an execution's events until it has ended, and returns it. A
// positive timeout ends the waiting only.
func (a *app) follow(ctx context.Context, c *client, id string, timeout time.Duration, show func(object)) (object, error) {
	waiting := ctx
	if timeout > 0 {
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	after := ""
	var asking error
	each := func(e object) bool {
		show(e)
		if a.local != nil && e["event_type"] == "approval_requested" {
			asking = a.askHere(waiting, c, id)
		}
		return asking == nil
	}
	for {
		last, err := c.stream(waiting, id, after, each)
		if asking != nil && waiting.Err() == nil {
			return nil, asking
		}
		if err == nil && asking == nil {
			return c.get(ctx, "/executions/"+url.PathEscape(id), nil)
		}
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("interrupted; the execution goes on: cancel it with `cfy executions cancel %s`", id)
		case waiting.Err() != nil:
			return nil, errWaitedTooLong
		}
		var refused *apiError
		if errors.As(err, &refused) {
			return nil, err
		}
		progress := last != after
		after = last
		if !progress {
			select { // the manager may be restarting
			case <-time.After(500 * time.Millisecond):
			case <-waiting.Done():
			}
		}
	}
}

// ended turns an execution's end into the command's outcome.
func (a *app) ended(e object, workflow, deployment string) error {
	id, _ := e["id"].(string)
	status, _ := e["status"].(string)
	switch status {
	case "terminated":
		a.say("Finished executing workflow %s on deployment %s", workflow, deployment)
		a.say("* Run 'cfy events list %s' to retrieve the execution's events/logs", id)
		return nil
	case "cancelled":
		a.say("Execution of workflow %s on deployment %s was cancelled", workflow, deployment)
		return silent{errors.New("cancelled")}
	}
	reason, _ := e["error"].(string)
	reason, _, _ = strings.Cut(reason, "\nTraceback of ") // it was among the events
	return fmt.Errorf("execution of workflow %s on deployment %s failed.\n%s\n* Run 'cfy events list %s' to retrieve the execution's events/logs",
		workflow, deployment, strings.TrimRight(reason, "\n"), id)
}

func text(o object, key string) string {
	if o[key] == nil {
		return ""
	}
	return value.Text(o[key])
}
