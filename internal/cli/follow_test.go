package cli

import "testing"

func TestEventLine(t *testing.T) {
	t.Parallel()
	event := func(more object) object {
		o := object{
			"type": "cloudify_event", "reported_timestamp": "2017-03-29T11:34:11.704Z", "deployment_id": "d", "message": "It happened",
			"event_type": "workflow_event",
		}
		for k, v := range more {
			o[k] = v
		}
		return o
	}
	const stamp = "2017-03-29 11:34:11.704  "
	for name, tc := range map[string]struct {
		event     object
		verbosity int
		want      string
	}{
		"of a workflow":         {event: event(nil), want: stamp + "CFY <d> It happened"},
		"of an instance":        {event: event(object{"node_instance_id": "web_1"}), want: stamp + "CFY <d> [web_1] It happened"},
		"of an operation":       {event: event(object{"node_instance_id": "web_1", "operation": "cloudify.interfaces.lifecycle.start"}), want: stamp + "CFY <d> [web_1.start] It happened"},
		"of a relationship":     {event: event(object{"source_id": "a_1", "target_id": "b_1", "operation": "x.establish"}), want: stamp + "CFY <d> [a_1->b_1|establish] It happened"},
		"a log":                 {event: event(object{"type": "cloudify_log", "level": "info"}), want: stamp + "LOG <d> INFO: It happened"},
		"a debug log is hidden": {event: event(object{"type": "cloudify_log", "level": "debug"})},
		"a debug log is shown":  {event: event(object{"type": "cloudify_log", "level": "debug"}), verbosity: 2, want: stamp + "LOG <d> DEBUG: It happened"},
		"without a time of its own": {
			event: event(object{"reported_timestamp": nil, "timestamp": "2017-03-29T11:34:12.000Z"}), want: "2017-03-29 11:34:12.000  CFY <d> It happened",
		},
		"a failure without causes": {event: event(object{"event_type": "task_failed", "error_causes": nil}), want: stamp + "CFY <d> It happened"},
		"a failure with its cause": {
			event: event(object{"event_type": "task_failed", "error_causes": []any{object{"traceback": "Trace\n  one\n"}}}),
			want:  stamp + "CFY <d> It happened\nTrace\n  one",
		},
		"a failure with causes": {
			event: event(object{"event_type": "task_rescheduled", "error_causes": []any{object{"traceback": "A"}, object{"traceback": "B"}}}),
			want: stamp + "CFY <d> It happened\nCauses (most recent cause last):\n--------------------------------\nA\n" +
				"--------------------------------\nB",
		},
		"causes of others are not told": {event: event(object{"error_causes": []any{object{"traceback": "A"}}}), want: stamp + "CFY <d> It happened"},
	} {
		if got := eventLine(tc.event, tc.verbosity); got != tc.want {
			t.Errorf("%s:\n got %q\nwant %q", name, got, tc.want)
		}
	}
}
