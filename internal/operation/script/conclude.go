package script

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"windlass/internal/operation"
	"windlass/internal/operation/ctxproxy"
)

const processException = "ProcessException"

// errorLines is how many lines of output a failure carries.
const errorLines = 50

// conclude turns the end of a process and what it said through its context
// into the end of the operation.
func conclude(e ending, said ctxproxy.Outcome, isPython bool, cmd command, out *output) (any, error) {
	switch {
	case e.canceled != nil:
		return nil, e.canceled
	case e.timeout != "":
		verdict, class := operation.NonRecoverable, "NonRecoverableError"
		if e.recoverable {
			verdict, class = operation.Recoverable, "RecoverableError"
		}
		return nil, &operation.Error{
			Verdict: verdict, Type: class, Message: e.timeout, Output: out.text(),
		}
	case said.Stop != nil:
		return nil, withOutput(said.Stop, out)
	case isPython && said.Failure != nil:
		return nil, withOutput(said.Failure, out)
	case isPython && !said.Reported:
		return nil, vanished(e.code, out)
	case !isPython && e.code != 0:
		code := e.code
		return nil, &operation.Error{
			Verdict: operation.Recoverable, Type: processException, Message: processMessage(cmd.text, code, out),
			ExitCode: &code, Output: out.text(),
		}
	case said.Retry != nil:
		return nil, said.Retry
	}
	return said.Result, nil
}

// withOutput is a failure that the script told itself, with its last output.
// The failure may be held by the session, so it is copied.
func withOutput(failure *operation.Error, out *output) error {
	e := *failure
	if e.Verdict != operation.Reschedule {
		e.Output = out.text()
	}
	return &e
}

// vanished is the failure of a Python process that ended without a word.
func vanished(code int, out *output) error {
	e := &operation.Error{
		Verdict: operation.NonRecoverable, Type: "NonRecoverableError", ExitCode: &code, Output: out.text(),
	}
	switch {
	case code < 0:
		e.Message = fmt.Sprintf("Process terminated (rc=%d)", code)
	case code == 0:
		e.Message = "the Python script ended its process without telling a result (rc=0): it may have called os._exit or os.exec"
	default:
		e.Message = fmt.Sprintf("Unhandled exception occurred in operation dispatch (rc=%d)", code)
	}
	return e
}

func processMessage(command string, code int, out *output) string {
	var b strings.Builder
	fmt.Fprintf(&b, "command: %s, exit_code: %d", command, code)
	if text := out.stdout.last.text(); text != "" {
		b.WriteString(", stdout: " + text)
	}
	if out.stderr != out.stdout {
		if text := out.stderr.last.text(); text != "" {
			b.WriteString(", stderr: " + text)
		}
	}
	return b.String()
}

// text is the last lines of all output.
func (o *output) text() string { return strings.Join(o.lastLines(errorLines), "\n") }

// timeoutText tells the timeout in seconds.
func timeoutText(d time.Duration) string {
	seconds := strconv.FormatFloat(math.Round(d.Seconds()*1000)/1000, 'f', -1, 64)
	return fmt.Sprintf("Process killed due to timeout of %s seconds", seconds)
}
