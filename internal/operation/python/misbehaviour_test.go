package python_test

import (
	"strings"
	"testing"

	"windlass/internal/operation"
)

// Whatever an operation does has a clear end, and the next one does not notice.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	for how, want := range map[string]struct {
		class, message string
		verdict        operation.Verdict
	}{
		"unspeakable":    {"Unspeakable", "its text cannot be had, because of ValueError", operation.Recoverable},
		"no exception":   {"NoException", "not one of Exception", operation.Recoverable},
		"generator exit": {"GeneratorExit", "", operation.Recoverable},
		"exit":           {"SystemExit", "sys.exit() was called", operation.Recoverable},
		"interrupt":      {"KeyboardInterrupt", "stop", operation.Recoverable},
		"deep":           {"NonRecoverableError", "this value cannot be stored: it is nested more than 9000 deep", operation.NonRecoverable},
		"long text":      {"RecoverableError", "end", operation.Recoverable},
		"replaces":       {},
		"forks":          {},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			result, _, err := run(t, r, "misbehaves", map[string]any{"how": how})
			if want.class == "" {
				if err != nil || result != "done" {
					t.Errorf("%v %v", result, err)
				}
				return
			}
			e := operationError(t, err)
			if how == "deep" && e.Type == "RecursionError" {
				return // some versions of Python don't make texts of such values
			}
			if e.Type != want.class || !strings.HasSuffix(e.Message, want.message) || e.Verdict != want.verdict {
				t.Errorf("%s %q %v", e.Type, e.Message, e.Verdict)
			}
			if size := len(e.Message) + len(e.Traceback); size > 200<<10 {
				t.Errorf("a failure of %d bytes", size)
			}
		})
	}
}
