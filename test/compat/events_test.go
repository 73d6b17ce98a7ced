package compat

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// step is one execution of a scenario.
type step struct {
	Workflow   string           `json:"workflow"`
	Parameters map[string]any   `json:"parameters"`
	Script     map[string][]any `json:"script"` // what operations do; see the plugin
}

type scenario struct {
	Retries         *int   `json:"retries"`
	SubgraphRetries int    `json:"subgraph_retries"`
	Steps           []step `json:"steps"`
}

// outcome is what an execution left: events as subject, type, text and
// operation, and the nodes' states.
type outcome struct {
	Events [][4]string       `json:"events"`
	Failed bool              `json:"failed"`
	States map[string]string `json:"states"`
}

// TestEventsAsTheOriginal runs built-in workflows here and with the original's
// own code, with operations that succeed, fail and ask for retries, and
// compares the events of each instance, in their order, and all states.
func TestEventsAsTheOriginal(t *testing.T) {
	t.Parallel()
	cfy, python := os.Getenv("WINDLASS_TEST_CFY"), os.Getenv("WINDLASS_TEST_PYTHON")
	if cfy == "" || python == "" {
		t.Skip("WINDLASS_TEST_CFY or WINDLASS_TEST_PYTHON is not set: run `make test`")
	}
	text, err := os.ReadFile("testdata/events/scenarios.json")
	if err != nil {
		t.Fatal(err)
	}
	var scenarios map[string]json.RawMessage
	if err := json.Unmarshal(text, &scenarios); err != nil {
		t.Fatal(err)
	}
	for name, text := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s scenario
			if err := json.Unmarshal(text, &s); err != nil {
				t.Fatal(err)
			}
			want := original(t, python, text)
			got := here(t, cfy, s)
			for k, step := range s.Steps {
				compare(t, fmt.Sprintf("%d: %s %v", k, step.Workflow, step.Parameters), want[k], got[k])
			}
		})
	}
}

func original(t *testing.T, python string, scenario []byte) []outcome {
	t.Helper()
	c := exec.CommandContext(t.Context(), python, "testdata/events/original.py", "testdata/events/app",
		"../../internal/blueprint/builtin/types/types.yaml", filepath.Join(t.TempDir(), "script.json"))
	c.Stdin = bytes.NewReader(scenario)
	var failure strings.Builder
	c.Stderr = &failure
	out, err := c.Output()
	if err != nil {
		t.Fatalf("the original: %v\n%s", err, failure.String())
	}
	var list []outcome
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return list
}

// here runs the scenario with a manager of its own.
func here(t *testing.T, cfy string, s scenario) []outcome {
	t.Helper()
	home := t.TempDir()
	startManager(t, cfy, home)
	m := client{t, cfy, home}
	retries := 1
	if s.Retries != nil {
		retries = *s.Retries
	}
	m.run("blueprints", "upload", "testdata/events/app", "-b", "b")
	for _, setting := range []string{
		fmt.Sprintf("task_retries=%d", retries), "task_retry_interval=0", fmt.Sprintf("subgraph_retries=%d", s.SubgraphRetries),
	} {
		m.run("config", "update", setting)
	}
	script := filepath.Join(home, "script.json")
	m.run("deployments", "create", "d", "-b", "b", "-i", "script="+script)
	names := map[string]string{}
	for _, i := range m.instances() {
		names[i.ID] = i.NodeID
	}
	var list []outcome
	for _, step := range s.Steps {
		text, err := json.Marshal(step.Script)
		if step.Script == nil {
			text = []byte("{}")
		}
		if err == nil {
			err = os.WriteFile(script, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, m.execute(step, names))
	}
	return list
}

// client is the command line of a manager.
type client struct {
	t         *testing.T
	cfy, home string
}

func (c client) try(args ...string) ([]byte, error) {
	command := exec.CommandContext(c.t.Context(), c.cfy, args...)
	command.Env = append(os.Environ(), "CFY_HOME="+filepath.Join(c.home, "client"))
	return command.CombinedOutput()
}

func (c client) run(args ...string) []byte {
	c.t.Helper()
	out, err := c.try(args...)
	if err != nil {
		c.t.Fatalf("cfy %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

type instance struct {
	ID     string `json:"id"`
	NodeID string `json:"node_id"`
	State  string `json:"state"`
}

func (c client) instances() []instance {
	c.t.Helper()
	var list []instance
	if err := json.Unmarshal(c.run("node-instances", "list", "-d", "d", "--json"), &list); err != nil {
		c.t.Fatal(err)
	}
	return list
}

func (c client) execute(s step, names map[string]string) outcome {
	c.t.Helper()
	args := []string{"executions", "start", s.Workflow, "-d", "d", "-f", "--timeout", "120"}
	if s.Parameters != nil {
		for id, node := range names {
			if s.Parameters["node_instance_id"] == node {
				s.Parameters["node_instance_id"] = id
			}
		}
		text, err := json.Marshal(s.Parameters)
		if err != nil {
			c.t.Fatal(err)
		}
		args = append(args, "-p", string(text))
	}
	_, err := c.try(args...)
	o := outcome{Failed: err != nil, States: map[string]string{}}
	var runs []struct {
		ID        string `json:"id"`
		CreatedAt string `json:"created_at"`
	}
	if err := json.Unmarshal(c.run("executions", "list", "-d", "d", "--json"), &runs); err != nil {
		c.t.Fatal(err)
	}
	newest := slices.MaxFunc(runs, func(a, b struct {
		ID        string `json:"id"`
		CreatedAt string `json:"created_at"`
	}) int {
		return cmp.Compare(a.CreatedAt, b.CreatedAt)
	})
	var pairs []string
	for id, node := range names {
		pairs = append(pairs, id, node)
	}
	named := strings.NewReplacer(pairs...)
	lines := json.NewDecoder(bytes.NewReader(c.run("events", "list", newest.ID, "--json")))
	for lines.More() {
		var e struct {
			Type       string `json:"type"`
			EventType  string `json:"event_type"`
			Message    string `json:"message"`
			Operation  string `json:"operation"`
			InstanceID string `json:"node_instance_id"`
		}
		if err := lines.Decode(&e); err != nil {
			c.t.Fatal(err)
		}
		if e.Type == "cloudify_event" {
			o.Events = append(o.Events, [4]string{names[e.InstanceID], e.EventType, named.Replace(e.Message), e.Operation})
		}
	}
	for _, i := range c.instances() {
		o.States[i.NodeID] = i.State
	}
	return o
}

// compare looks at the events of each subject in their order. Events of several
// subjects, and of both sides of a relationship, come in any order.
func compare(t *testing.T, what string, want, got outcome) {
	t.Helper()
	if want.Failed != got.Failed {
		t.Errorf("%s: failed %t, the original's %t", what, got.Failed, want.Failed)
	}
	if diff := gocmp.Diff(want.States, got.States); diff != "" {
		t.Errorf("%s: states (- original + ours):\n%s", what, diff)
	}
	if diff := gocmp.Diff(bySubject(want.Events), bySubject(got.Events)); diff != "" {
		t.Errorf("%s: events (- original + ours):\n%s", what, diff)
	}
}

func bySubject(events [][4]string) map[string][]string {
	const unordered = "the workflow"
	m := map[string][]string{}
	for _, e := range events {
		subject, kind, text, operation := e[0], e[1], e[2], e[3]
		switch {
		case kind == "sending_task": // local operations are sent nowhere
			continue
		case kind == "workflow_failed": // with its texts for where tasks ran
			text = ""
		case subject == "", strings.Contains(operation, "relationship_lifecycle"):
			subject = unordered
		}
		text, _, _ = strings.Cut(text, "\n")
		m[subject] = append(m[subject], strings.Join([]string{kind, text, operation}, " | "))
	}
	slices.Sort(m[unordered])
	return m
}
