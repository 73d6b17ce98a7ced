package workflow

import (
	"strings"
	"testing"

	"windlass/internal/blueprint/plan"
	"windlass/internal/graph"
	"windlass/internal/value"
)

// Installs that failed are resumed: what half of an instance is there goes
// before it is made again.
func TestResumedInstallTranscripts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		nodes func(nodes map[string]*Node)
		fail  map[string]int // of the first install
		again map[string]int // of the resumed one
		tries int            // of a whole instance, beside the first
	}{
		"in_a_retry": {fail: map[string]int{"server_1 start": 4}, tries: 1},
		"start":      {fail: map[string]int{"server_1 start": 2}},
		"create":     {fail: map[string]int{"server_1 create": 2}},
		"created_without_delete": {fail: map[string]int{"server_1 create": 2}, nodes: func(n map[string]*Node) {
			delete(n["server"].Operations, lifecycle+"delete")
			delete(n["server"].Operations, lifecycle+"postdelete")
		}},
		"configure": {fail: map[string]int{"app_1 configure": 2}},
		"host": {fail: map[string]int{"host_1 start": 2}, nodes: func(n map[string]*Node) {
			n["host"].Operations = map[string]*plan.Operation{}
			for _, name := range []string{lifecycle + "start", lifecycle + "stop", monitorIf + "stop"} {
				n["host"].Operations[name] = &plan.Operation{Plugin: "script", Operation: "run", Inputs: value.Map{}}
			}
		}},
		"failing_cleanup": {fail: map[string]int{"server_1 start": 2}, again: map[string]int{"server_1 prestop": 1, "server_1 stop": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := small("uninitialized")
			for _, name := range []string{"prestop", "delete", "postdelete"} {
				d.Nodes["server"].Operations[lifecycle+name] = &plan.Operation{Plugin: "script", Operation: "run." + name, Inputs: value.Map{}}
			}
			d.Settings.SubgraphRetries = tc.tries
			if tc.nodes != nil {
				tc.nodes(d.Nodes)
			}
			s := &stage{t: t, d: d, fail: tc.fail}
			if err := install(t.Context(), s, nil); err == nil {
				t.Fatal("the first install did not fail")
			}
			s.lines, s.d.Resume, s.fail = nil, true, tc.again
			if err := install(t.Context(), s, nil); err != nil {
				s.lines = append(s.lines, "ERROR "+err.Error())
			}
			golden(t, "resume_"+name, strings.Join(s.lines, "\n")+"\n")
		})
	}
}

// An operation that was interrupted goes on; nothing is cleaned up under it.
func TestInterruptedOperationsAreNotCleanedUp(t *testing.T) {
	t.Parallel()
	s := &stage{t: t, d: small("uninitialized"), fail: map[string]int{"server_1 start": 2}}
	if err := install(t.Context(), s, nil); err == nil {
		t.Fatal("the first install did not fail")
	}
	for _, k := range s.stored["install"] {
		if p, ok := k.Task.Payload.(*OperationPayload); ok && p.Operation == lifecycle+"start" && k.Task.State == graph.Failed {
			k.Task.State, k.Task.Failure = graph.Started, nil
		}
	}
	s.lines, s.d.Resume = nil, true
	if err := install(t.Context(), s, nil); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(s.lines, "\n"); strings.Contains(text, "Rolling back") || !strings.Contains(text, "server_1 "+lifecycle+"start: succeeded") {
		t.Errorf("the resumed install:\n%s", text)
	}
}
