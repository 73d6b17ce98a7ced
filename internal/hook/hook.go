// Package hook calls functions of plugins when something happens to an execution:
// it is queued, it starts, it ends. Which ones is a setting. The calls are stored
// with what they tell of, so none is lost, whatever ends meanwhile; one that is cut
// off is made again.
package hook

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"windlass/internal/store"
	"windlass/internal/value"
)

// Setting is the name of the setting that lists the hooks.
const Setting = "hooks"

// Hook says what to call when something happens.
type Hook struct {
	EventType      string
	Implementation string // PACKAGE.MODULE.FUNCTION of an uploaded plugin, or MODULE.FUNCTION
	Inputs         map[string]any
}

// The events that hooks may be for.
var eventTypes = []string{"workflow_queued", "workflow_started", "workflow_succeeded", "workflow_failed", "workflow_cancelled"}

// eventType is the event that an execution's new status is; "" for none.
func eventType(s store.Status) string {
	switch s {
	case store.Queued:
		return "workflow_queued"
	case store.Started:
		return "workflow_started"
	case store.Terminated:
		return "workflow_succeeded"
	case store.Failed:
		return "workflow_failed"
	case store.Cancelled:
		return "workflow_cancelled"
	}
	return ""
}

// Parse reads hooks from what the setting says: a list of dictionaries with
// event_type, implementation, inputs and description, as in the original's file.
// The error tells all that is wrong.
func Parse(setting any) ([]Hook, error) {
	if setting == nil {
		return nil, nil
	}
	list, ok := setting.([]any)
	if !ok {
		return nil, errors.New("the hooks must be a list")
	}
	var hooks []Hook
	var wrong []error
	for i, entry := range list {
		h, err := parse(entry)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("hook %d: %w", i+1, err))
			continue
		}
		hooks = append(hooks, h)
	}
	return hooks, errors.Join(wrong...)
}

func parse(entry any) (h Hook, err error) {
	fields, ok := entry.(map[string]any)
	if !ok {
		return h, fmt.Errorf("it must be a dictionary, but is %s", value.Repr(entry))
	}
	for _, name := range value.SortedKeys(fields) {
		v, ok := fields[name], true
		switch name {
		case "event_type":
			h.EventType, ok = v.(string)
		case "implementation":
			h.Implementation, ok = v.(string)
		case "inputs":
			if h.Inputs, ok = v.(map[string]any); v == nil {
				ok = true
			}
		case "description":
			_, ok = v.(string)
		default:
			return h, fmt.Errorf("it has no field %s, only event_type, implementation, inputs and description", name)
		}
		if !ok {
			return h, fmt.Errorf("its %s is of the wrong type: %s", name, value.Repr(v))
		}
	}
	if !slices.Contains(eventTypes, h.EventType) {
		return h, fmt.Errorf("its event_type %q is none of %s", h.EventType, strings.Join(eventTypes, ", "))
	}
	if !strings.Contains(strings.Trim(h.Implementation, "."), ".") {
		return h, fmt.Errorf("its implementation %q must be PACKAGE.MODULE.FUNCTION of a plugin, or MODULE.FUNCTION", h.Implementation)
	}
	return h, nil
}
