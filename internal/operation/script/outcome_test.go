package script_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/operation"
)

func TestOutcomes(t *testing.T) {
	t.Parallel()
	code := func(n int) *int { return &n }
	for _, c := range []struct {
		name, script string
		want         any
		failure      *operation.Error
	}{
		{name: "nothing is returned", script: "true"},
		{name: "a text", script: "ctx returns hi", want: "hi"},
		{name: "a structure", script: `ctx returns @'{"a": [1, 2.5, null]}'`, want: map[string]any{"a": []any{int64(1), 2.5, nil}}},
		{name: "by keyword", script: `ctx returns @'{"value": true}'`, want: true},
		{name: "returning does not end the script", script: "ctx returns 1; ctx instance runtime-properties later yes", want: "1"},
		{
			name: "an exit code", script: "echo one; echo two >&2; exit 3",
			failure: &operation.Error{
				Type: "ProcessException", Message: "command: SCRIPT, exit_code: 3, stdout: one\n, stderr: two\n", ExitCode: code(3),
			},
		},
		{
			name: "a result does not hide an exit code", script: "ctx returns 1; exit 3",
			failure: &operation.Error{Type: "ProcessException", Message: "command: SCRIPT, exit_code: 3", ExitCode: code(3)},
		},
		{
			name: "a signal", script: "kill -9 $$",
			failure: &operation.Error{Type: "ProcessException", Message: "command: SCRIPT, exit_code: -9", ExitCode: code(-9)},
		},
		{
			name: "abort", script: "ctx abort-operation 'no way'; exit 0",
			failure: &operation.Error{Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: "no way"},
		},
		{
			name: "abort wins over the exit code", script: ". ctx-sh; ctx abort-operation 'no way'; echo not reached",
			failure: &operation.Error{Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: "no way"},
		},
		{
			name: "retry", script: "ctx retry-operation later; exit 1",
			failure: &operation.Error{Verdict: operation.Reschedule, Type: "OperationRetry", Message: "later"},
		},
		{
			name: "retry after a while", script: "ctx retry-operation later @30",
			failure: &operation.Error{
				Verdict: operation.Reschedule, Type: "OperationRetry", Message: "later [retry_after=30]", RetryAfter: new(30 * time.Second),
			},
		},
		{
			name: "operation retry", script: `ctx operation retry @'{"message": "again", "retry_after": 1.5}'`,
			failure: &operation.Error{
				Verdict: operation.Reschedule, Type: "OperationRetry", Message: "again [retry_after=1.5]", RetryAfter: new(1500 * time.Millisecond),
			},
		},
		{
			name: "a failure wins over operation retry", script: "ctx operation retry; exit 4",
			failure: &operation.Error{Type: "ProcessException", Message: "command: SCRIPT, exit_code: 4", ExitCode: code(4)},
		},
		{
			name: "deciding twice", script: "ctx returns 1; ctx abort-operation",
			failure: &operation.Error{Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: "ctx may only abort or return once"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, host, err := run(t, "s.sh", "#!/bin/sh\n"+c.script+"\n", nil)
			if c.failure == nil {
				mustSucceed(t, err, host)
				if d := cmp.Diff(c.want, got); d != "" {
					t.Error(d)
				}
				return
			}
			e := *operationError(t, err)
			e.Output = ""
			if fields := strings.Fields(e.Message); len(fields) > 1 && fields[0] == "command:" {
				e.Message = strings.Replace(e.Message, strings.TrimSuffix(fields[1], ","), "SCRIPT", 1)
			}
			if !strings.Contains(c.failure.Message, ", std") {
				e.Message, _, _ = strings.Cut(e.Message, ", std") // what ctx has written is not the point
			}
			if d := cmp.Diff(c.failure, &e); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestFailureCarriesTheLastOutput(t *testing.T) {
	t.Parallel()
	_, _, err := run(t, "s.sh", "for i in $(seq 1 200); do echo line $i; done\nexit 1\n", nil)
	e := operationError(t, err)
	lines := strings.Split(e.Output, "\n")
	if len(lines) != 50 || lines[0] != "<out> line 151" || lines[49] != "<out> line 200" {
		t.Errorf("%d lines from %q to %q", len(lines), lines[0], lines[len(lines)-1])
	}
	if !strings.Contains(e.Message, "stdout: [150 lines before]\nline 151\n") {
		t.Errorf("message: %s", e.Message)
	}
}

func TestRuntimePropertiesAreStoredHoweverTheScriptEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]string{"success": "true", "failure": "exit 1", "abort": "ctx abort-operation"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, host, _ := run(t, "s.sh", "ctx instance runtime-properties id.nested abc\n"+end+"\n", nil)
			want := map[string]any{"greeting": "hello", "id": map[string]any{"nested": "abc"}}
			if d := cmp.Diff(want, host.Runtime("web_1")); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAScriptThatChangesNothingStoresNothing(t *testing.T) {
	t.Parallel()
	_, host, err := run(t, "s.sh", "ctx instance runtime-properties greeting hello; ctx instance runtime-properties\n", nil)
	mustSucceed(t, err, host)
	if started, updates := host.Counts(); started != 1 || updates != 0 {
		t.Errorf("started %d times, stored %d times", started, updates)
	}
}

func TestAConflictFailsTheOperationRecoverably(t *testing.T) {
	t.Parallel()
	host := newHost()
	host.Resources["s.sh"] = "ctx instance runtime-properties port 1\n"
	host.BeforeUpdate = func(id string) { host.Change(id, func(m map[string]any) { m["port"] = int64(2) }) }
	_, err := newRunner(t, nil).Run(t.Context(), request(t, map[string]any{"script_path": "s.sh"}), host)
	e := operationError(t, err)
	if e.Verdict != operation.Recoverable || !strings.Contains(e.Message, "both changed port") {
		t.Errorf("%+v", e)
	}
}

func TestTheLogTellsOfTheProcess(t *testing.T) {
	t.Parallel()
	_, host, err := run(t, "s.sh", "ctx logger warning careful; ctx send-event done\n", nil)
	mustSucceed(t, err, host)
	lines := host.Lines()
	if len(lines) != 3 || !strings.HasPrefix(lines[0].Message, "Process created, PID: ") ||
		lines[1] != (struct{ Level, Message string }{"warning", "careful"}) ||
		!strings.Contains(lines[2].Message, ", return_code=0): ") || !strings.HasPrefix(lines[2].Message, "Execution done (PID=") {
		t.Errorf("%v", lines)
	}
	if d := cmp.Diff([]string{"done"}, host.Events()); d != "" {
		t.Error(d)
	}
}
