package hook

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/store"
)

func TestParse(t *testing.T) {
	t.Parallel()
	entry := func(fields ...any) map[string]any {
		h := map[string]any{"event_type": "workflow_started", "implementation": "package.module.function"}
		for i := 0; i < len(fields); i += 2 {
			h[fields[i].(string)] = fields[i+1]
		}
		return h
	}
	for name, c := range map[string]struct {
		setting any
		want    []Hook
		err     string
	}{
		"none":  {nil, nil, ""},
		"empty": {[]any{}, nil, ""},
		"some": {[]any{entry(), entry("inputs", map[string]any{"a": int64(1)}, "description", "d"), entry("inputs", nil)}, []Hook{
			{EventType: "workflow_started", Implementation: "package.module.function"},
			{EventType: "workflow_started", Implementation: "package.module.function", Inputs: map[string]any{"a": int64(1)}},
			{EventType: "workflow_started", Implementation: "package.module.function"},
		}, ""},
		"no list":         {map[string]any{}, nil, "must be a list"},
		"no dictionary":   {[]any{"x"}, nil, "hook 1: it must be a dictionary, but is 'x'"},
		"no such field":   {[]any{entry("event", "x")}, nil, "hook 1: it has no field event"},
		"no such event":   {[]any{entry(), entry("event_type", "started")}, nil, `hook 2: its event_type "started" is none of workflow_queued`},
		"no function":     {[]any{entry("implementation", "function")}, nil, "hook 1: its implementation"},
		"a dot is no way": {[]any{entry("implementation", ".x.")}, nil, "hook 1: its implementation"},
		"wrong inputs":    {[]any{entry("inputs", []any{})}, nil, "hook 1: its inputs is of the wrong type: []"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse(c.setting)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 5, 6, 7, 8, 9, 123_000_000, time.UTC)
	e := store.Execution{ID: "e", WorkflowID: "install", DeploymentID: "d", Parameters: map[string]any{"a": int64(1)}, Status: store.Failed}
	e.Tenant = "t"
	want := map[string]any{
		"message_type": "hook", "event_type": "workflow_failed", "timestamp": "2024-05-06T07:08:09.123Z", "arguments": nil,
		"is_system_workflow": false, "execution_id": "e", "workflow_id": "install", "blueprint_id": nil, "deployment_id": "d",
		"tenant_name": "t", "tenant": map[string]any{"name": "t"}, "execution_parameters": map[string]any{"a": int64(1)},
	}
	if diff := cmp.Diff(want, factsOf(e, eventType(e.Status), at)); diff != "" {
		t.Error(diff)
	}
	e.IsSystemWorkflow = true
	delete(want, "execution_parameters") // they may hold what is nobody's business
	want["is_system_workflow"] = true
	if diff := cmp.Diff(want, factsOf(e, eventType(e.Status), at)); diff != "" {
		t.Error(diff)
	}
}
