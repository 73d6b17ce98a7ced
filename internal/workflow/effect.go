package workflow

import (
	"time"

	"windlass/internal/graph"
	"windlass/internal/value"
)

// SystemChange changes an instance's system properties, as the effect of a
// task's end or by itself. Change may be called more than once, each time with
// a copy of what is stored.
type SystemChange struct {
	InstanceID string
	Change     func(properties map[string]any, now time.Time)
}

// Apply gives the properties as they are after the change.
func (c SystemChange) Apply(properties map[string]any, now time.Time) map[string]any {
	after := value.CopyMap(properties)
	if after == nil {
		after = map[string]any{}
	}
	c.Change(after, now)
	return after
}

// checkTime is the form of times in the results of checks.
const checkTime = "2006-01-02T15:04:05.000000"

// checkResult is how the outcome of a check is kept in system properties.
func checkResult(t *graph.Task, now time.Time) map[string]any {
	result := map[string]any{
		"ok": t.State == graph.Succeeded, "timestamp": now.UTC().Format(checkTime), "task": t.Name, "result": t.Result,
	}
	if t.State != graph.Succeeded && t.Failure != nil {
		result["result"] = t.Failure.Message
	}
	return result
}

// section gives the map under a key, a new one if there is none.
func section(properties map[string]any, key string) map[string]any {
	m, ok := properties[key].(map[string]any)
	if !ok {
		m = map[string]any{}
		properties[key] = m
	}
	return m
}

// set is the change that gives one property a value.
func set(instance, key string, to any) SystemChange {
	return SystemChange{instance, func(properties map[string]any, _ time.Time) { properties[key] = to }}
}

// unset is the change that takes one property away.
func unset(instance, key string) SystemChange {
	return SystemChange{instance, func(properties map[string]any, _ time.Time) { delete(properties, key) }}
}
