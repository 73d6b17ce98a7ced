package topology_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/topology"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const line = "----\n"

// TestGolden makes the instances of the plan in each file of testdata, and then
// its changes. Above the line is the plan, below what comes of it.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, _ := strings.Cut(string(data), line)
			got := run(t, input)
			if *update {
				if err := os.WriteFile(file, []byte(input+line+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func run(t *testing.T, input string) string {
	t.Helper()
	s, ids := read(t, input), counter()
	instances, err := topology.Expand(s.nodes, s.groups, nil, ids)
	if err != nil {
		return failure(err)
	}
	text := show("instances", instances)
	for _, changes := range s.changes {
		if len(changes) == 0 {
			break
		}
		r, err := topology.Modify(s.modification(instances, changes), ids)
		if err != nil {
			return text + failure(err)
		}
		text += show("added", r.Added) + show("removed", r.Removed) + show("extended", r.Extended) + show("reduced", r.Reduced)
		instances = s.apply(instances, r, changes)
	}
	return text
}

func (s *spec) modification(instances []plan.NodeInstance, changes map[string]topology.Change) topology.Modification {
	return topology.Modification{
		Nodes: s.nodes, PreviousNodes: s.nodes, PreviousInstances: instances, Changes: changes, Groups: s.groups,
	}
}

func failure(err error) string {
	if l := problem.All(err); len(l) == 1 {
		return string(l[0].Kind) + ": " + l[0].Message + "\n"
	}
	return "not a problem: " + err.Error() + "\n"
}

// An id that is taken is not given again, neither one from outside nor one of
// an instance that was there before.
func TestIDsAreNotGivenTwice(t *testing.T) {
	t.Parallel()
	s := read(t, "node a 1")
	list, err := topology.Expand(s.nodes, nil, []string{"a_1", "a_2"}, counter())
	if err != nil || list[0].ID != "a_3" {
		t.Errorf("got %v, %v; want a_3", list, err)
	}
	r, err := topology.Modify(s.modification(list, map[string]topology.Change{"a": {Instances: 2}}), func() func() string {
		n := 2
		return func() string { n++; return string(rune('0' + n)) }
	}())
	if err != nil || len(r.Added) != 1 || r.Added[0].ID != "a_4" {
		t.Errorf("got %v, %v; want a_4", r.Added, err)
	}
}

func TestSourceThatRepeatsItselfForever(t *testing.T) {
	t.Parallel()
	s := read(t, "node a 2")
	_, err := topology.Expand(s.nodes, nil, nil, func() string { return "same" })
	if l := problem.All(err); len(l) != 1 || l[0].Kind != problem.Runtime {
		t.Errorf("got %v, want a RuntimeError", err)
	}
}

func TestTooManyInstances(t *testing.T) {
	t.Parallel()
	s := read(t, "node a 3000000000")
	_, err := topology.Expand(s.nodes, nil, nil, counter())
	if l := problem.All(err); len(l) != 1 || l[0].Kind != problem.Runtime {
		t.Errorf("got %v, want a RuntimeError", err)
	}
}

func TestNumberThatIsStillAFunction(t *testing.T) {
	t.Parallel()
	s := read(t, "node a 1")
	s.nodes[0].Capabilities.Scalable.Properties.Current.V = map[string]any{"get_attribute": []any{"a", "n"}}
	_, err := topology.Expand(s.nodes, nil, nil, counter())
	if l := problem.All(err); len(l) != 1 || l[0].Kind != problem.BadValue {
		t.Errorf("got %v, want a ValueError", err)
	}
}

// An update may turn a connection into a containment; an instance that was
// connected to several has a place in one of them then, and is there once.
func TestConnectionBecomesContainment(t *testing.T) {
	t.Parallel()
	before, after := read(t, "node vm 2\nnode web 1\nto web vm"), read(t, "node vm 2\nnode web 1\nin web vm")
	instances, err := topology.Expand(before.nodes, nil, nil, counter())
	if err != nil {
		t.Fatal(err)
	}
	r, err := topology.Modify(topology.Modification{
		Nodes: after.nodes, PreviousNodes: before.nodes, PreviousInstances: instances,
	}, func() func() string {
		n := 3
		return func() string { n++; return string(rune('0' + n)) }
	}())
	if err != nil {
		t.Fatal(err)
	}
	got := show("added", r.Added) + show("removed", r.Removed) + show("extended", r.Extended) + show("reduced", r.Reduced)
	want := "added\n  vm_2\n  web_4 added contained_in=vm_2\nremoved\nextended\n  vm_1\n  web_3 extended contained_in=vm_1\n" +
		"reduced\n  vm_1\n  vm_2\n  web_3 reduced connected_to=vm_1 connected_to=vm_2\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
