package rest

import (
	"strings"

	"windlass/internal/store"
	"windlass/internal/value"
)

// operationParameters are those of a task, with the context of an operation in
// the form that clients of the original read.
func operationParameters(o store.Operation) object {
	task, _ := o.Parameters["task_kwargs"].(map[string]any)
	if info := toldBy(task); info != nil && (o.Parameters["info"] == nil || o.Parameters["info"] == "") {
		parameters := value.CopyMap(o.Parameters)
		parameters["info"] = info
		return parameters
	}
	kwargs, _ := task["kwargs"].(map[string]any)
	stored, ok := kwargs["__cloudify_context"].(map[string]any)
	if !ok {
		return o.Parameters
	}
	kwargs = value.CopyMap(kwargs)
	kwargs["__cloudify_context"] = operationContext(o, stored)
	task = value.CopyMap(task)
	task["kwargs"] = kwargs
	parameters := value.CopyMap(o.Parameters)
	parameters["task_kwargs"] = task
	return parameters
}

// toldBy is what a task without an operation tells of itself: its event, or the
// state that it sets; nil if it has neither.
func toldBy(task map[string]any) any {
	if event := task["event"]; event != nil {
		return event
	}
	return task["state"]
}

// operationContext tells of an operation as the original does. What is not in
// its form already is taken from what is stored of the task.
func operationContext(o store.Operation, stored map[string]any) object {
	name, isText := stored["operation"].(string)
	if !isText { // a client's own task, stored as it came
		return stored
	}
	c := value.CopyMap(stored)
	for _, ours := range []string{"implementation", "inputs"} {
		delete(c, ours)
	}
	operation := object{"name": name, "retry_number": o.Parameters["current_retries"], "max_retries": o.Parameters["total_retries"]}
	if related, ok := stored["related"].(map[string]any); ok {
		operation["relationship"] = "target"
		if related["is_target"] == true {
			operation["relationship"] = "source"
		}
	}
	c["type"], c["task_id"], c["execution_id"], c["operation"] = "operation", o.ID, o.ExecutionID, operation
	c["task_name"] = stored["implementation"]
	if plugin, ok := stored["plugin"].(string); ok {
		c["plugin"] = object{"name": plugin}
		if text, ok := stored["implementation"].(string); ok {
			c["task_name"] = strings.TrimPrefix(text, plugin+".")
		}
	}
	return c
}
