package graph

import (
	"errors"
	"strings"
	"testing"
)

// TestRestore reads stored tasks from lines: id, kind (o operation,
// s subgraph), state, container, dependencies, what it retries, and ! for one
// with a handler for failures; - for nothing. It lists what a run would have to
// do, with what each waits for; * marks what is told to be resumed.
func TestRestore(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, stored, want, failed string }{
		{"nothing ran", `
			s s pending - - - -
			a o pending s s - -
			b o pending s s,a - -`, "s() a(s) b(s,a)", ""},
		{"all done", `
			s s succeeded - - - -
			a o succeeded s s - -`, "", ""},
		{"in the middle", `
			s s started - - - -
			a o succeeded s s - -
			b o started s s,a - -
			c o pending s s,b - -`, "s() b*(s) c(s,b)", ""},
		{"members of a subgraph that waits go on waiting", `
			s s started - - - -
			a o sending s s - -
			u s pending - s - -
			b o pending u u - -`, "s() a*(s) u(s) b(u)", ""},
		{"a retry stands for what it retries", `
			a o failed - - - -
			r o pending - - a -
			b o pending - a - -`, "r() b(r)", ""},
		{"a failure that was ignored is over", `
			s s started - - - -
			a o failed s s - !
			b o pending s s,a - -`, "s() b(s)", ""},
		{"a subgraph that was replaced", `
			s s failed - - - !
			a o failed s s - -
			b o pending s s,a - -
			n s started - - s !
			c o pending n n - -
			u s pending - s - -`, "n() c(n) u(n)", ""},
		{"a failure that reached the graph", `
			s s failed - - - !
			a o failed s s - -
			u s pending - s - -
			b o pending u u - -`, "", "a"},
		{"a retry that was used up fails in spite of handlers", `
			s s failed - - - !
			a o rescheduled s s - !`, "", "a"},
		{"a subgraph whose last member ended", `
			s s started - - - -
			a o succeeded s s - -
			b o pending - s - -`, "s() b(s)", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g, err := Restore(&counter{}, readStored(t, tt.stored))
			if tt.failed != "" {
				var failed *FailedError
				if !errors.As(err, &failed) || failed.Tasks[0].ID != tt.failed {
					t.Fatalf("got %v, want the failure of %s", err, tt.failed)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, task := range g.Tasks() {
				mark := ""
				if task.Resume {
					mark = "*"
				}
				got = append(got, task.ID+mark+"("+strings.Join(g.Dependencies(task.ID), ",")+")")
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, " "), tt.want)
			}
		})
	}
}

func readStored(t *testing.T, text string) []Stored {
	t.Helper()
	var stored []Stored
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		f := strings.Fields(line)
		task := &Task{ID: f[0], Kind: Operation, State: State(f[2]), Position: i}
		if f[1] == "s" {
			task.Kind = Subgraph
		}
		s := Stored{Task: task}
		if f[3] != "-" {
			task.Container = f[3]
		}
		if f[4] != "-" {
			s.Dependencies = strings.Split(f[4], ",")
		}
		if f[5] != "-" {
			task.RetriedTask = f[5]
		}
		if f[6] == "!" {
			task.OnFailure = &Handler{Name: "h", Ignores: f[1] == "o"}
		}
		stored = append(stored, s)
	}
	return stored
}
