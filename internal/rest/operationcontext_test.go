package rest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/store"
)

// Clients look an operation's name up in the context of stored tasks.
func TestOperationsContextIsTheOriginals(t *testing.T) {
	t.Parallel()
	stored := func(context map[string]any) store.Operation {
		return store.Operation{ID: "t", ExecutionID: "e", Parameters: map[string]any{
			"current_retries": int64(1), "total_retries": int64(3),
			"task_kwargs": map[string]any{"kwargs": map[string]any{"x": "y", "__cloudify_context": context}},
		}}
	}
	shown := func(o store.Operation) any {
		kwargs := operationParameters(o)["task_kwargs"].(map[string]any)["kwargs"].(map[string]any)
		if kwargs["x"] != "y" {
			t.Errorf("the inputs are lost: %v", kwargs)
		}
		return kwargs["__cloudify_context"]
	}
	ours := stored(map[string]any{
		"operation": "life.create", "plugin": "p", "implementation": "m.f", "inputs": map[string]any{}, "node_id": "a_1", "node_name": "a",
		"related": map[string]any{"node_id": "b_1", "node_name": "b", "is_target": true},
	})
	want := map[string]any{
		"type": "operation", "task_id": "t", "task_name": "m.f", "execution_id": "e", "node_id": "a_1", "node_name": "a",
		"plugin":    map[string]any{"name": "p"},
		"operation": map[string]any{"name": "life.create", "retry_number": int64(1), "max_retries": int64(3), "relationship": "source"},
		"related":   map[string]any{"node_id": "b_1", "node_name": "b", "is_target": true},
	}
	if diff := cmp.Diff(want, shown(ours)); diff != "" {
		t.Error(diff)
	}
	if name := ours.Parameters["task_kwargs"].(map[string]any)["kwargs"].(map[string]any)["__cloudify_context"].(map[string]any)["operation"]; name != "life.create" {
		t.Errorf("what is stored was changed: %v", name)
	}
	theirs := map[string]any{"operation": map[string]any{"name": "life.create"}, "plugin": map[string]any{"name": "p"}}
	if diff := cmp.Diff(any(theirs), shown(stored(theirs))); diff != "" {
		t.Error(diff)
	}
	for _, task := range []map[string]any{{"event": "happened", "node_instance_id": "a_1"}, {"state": "happened"}} {
		if got := operationParameters(store.Operation{Parameters: map[string]any{"task_kwargs": task, "info": ""}}); got["info"] != "happened" {
			t.Errorf("%v tells %v", task, got["info"])
		}
	}
	if got := operationParameters(store.Operation{Parameters: map[string]any{"info": "x"}}); got["info"] != "x" {
		t.Errorf("a task without an operation became %v", got)
	}
}
