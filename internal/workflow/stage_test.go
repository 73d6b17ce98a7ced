package workflow

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"windlass/internal/blueprint/plan"
	"windlass/internal/graph"
	"windlass/internal/topology"
	"windlass/internal/value"
)

type ids struct{ n int }

func (i *ids) Next() string { i.n++; return fmt.Sprintf("task-%d", i.n) }

// stage runs graphs one task at a time and writes down what happens. It stands
// for the execution service: what it remembers it remembers for good.
type stage struct {
	t      *testing.T
	d      *Deployment
	lines  []string
	fail   map[string]int // "instance operation" -> how often it fails
	result map[string]any // "instance operation" -> what it returns
	once   map[string]any
	next   *Modification // what StartModification gives
	mine   *Modification
	others []*Modification
	update *Update
	stored map[string]map[string]graph.Stored // tasks by id, by graph
	taken  map[string]*graph.Graph            // graphs that are taken up again
	made   ids
}

var _ Host = (*stage)(nil)

func (s *stage) say(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *stage) Log(_ context.Context, level, message string) {
	s.say("%s %s", strings.ToUpper(level), message)
}

func (s *stage) Deployment(context.Context) (*Deployment, error) {
	d := *s.d
	d.byID, d.Instances = nil, nil
	for _, i := range s.d.Instances {
		c := *i
		d.Instances = append(d.Instances, &c)
	}
	return &d, nil
}

func (s *stage) Once(_ context.Context, name string, decide func() (any, error)) (any, error) {
	if v, ok := s.once[name]; ok {
		return v, nil
	}
	v, err := decide()
	if err == nil {
		if s.once == nil {
			s.once = map[string]any{}
		}
		s.once[name] = v
	}
	return v, err
}

func (s *stage) ChangeSystem(_ context.Context, changes ...SystemChange) error {
	for _, c := range changes {
		i := s.d.Instance(c.InstanceID)
		before := i.SystemProperties
		i.SystemProperties = c.Apply(before, time.Unix(0, 0))
		for _, key := range slices.Sorted(maps.Keys(i.SystemProperties)) {
			if v := i.SystemProperties[key]; !value.Equal(before[key], v) {
				s.say("%s system %s = %s", i.ID, key, strings.ReplaceAll(value.Repr(v), "1970-01-01T00:00:00.000000", "T"))
			}
		}
		for _, key := range slices.Sorted(maps.Keys(before)) {
			if _, still := i.SystemProperties[key]; !still {
				s.say("%s system %s is gone", i.ID, key)
			}
		}
	}
	return nil
}

func (s *stage) Modification(context.Context, string) (*Modification, error) { return s.mine, nil }

func (s *stage) StartModification(_ context.Context, changes map[string]topology.Change) (*Modification, error) {
	for name, c := range changes {
		s.say("modification: %s to %d, include %v, exclude %v", name, c.Instances, c.Include, c.Exclude)
	}
	s.mine = s.next
	s.d.pretend(s.mine.Added)
	return s.mine, nil
}

func (s *stage) ForeignModifications(context.Context) ([]*Modification, error) { return s.others, nil }

func (s *stage) FinishModification(_ context.Context, id string) error {
	s.say("finish %s", id)
	return nil
}

func (s *stage) RollbackModification(_ context.Context, id string) error {
	s.say("roll back %s", id)
	return nil
}

func (s *stage) RunOnServices(_ context.Context, workflowID string, parameters map[string]any) (int, error) {
	s.say("services: %s %s", workflowID, value.Repr(parameters))
	return 2, nil
}

func (s *stage) PrepareUpdate(context.Context, map[string]any) (*Update, error) { return s.update, nil }

func (s *stage) FinishUpdate(_ context.Context, u *Update) error {
	s.say("update %s is done", u.ID)
	return nil
}

func (s *stage) RunCustomUpdate(_ context.Context, id string, parameters map[string]any) error {
	s.say("custom: %s %s", id, value.Repr(parameters))
	return nil
}

// keep stores a task, or what became of it.
func (s *stage) keep(name string, t graph.Task, needs []string) {
	if s.stored == nil {
		s.stored = map[string]map[string]graph.Stored{}
	}
	if s.stored[name] == nil {
		s.stored[name] = map[string]graph.Stored{}
	}
	if old, known := s.stored[name][t.ID]; known {
		needs = old.Dependencies
	}
	s.stored[name][t.ID] = graph.Stored{Task: &t, Dependencies: needs}
}

// Resumed takes the stored graph up again: what failed is tried anew.
func (s *stage) Resumed(_ context.Context, name string, amend func(*graph.Graph) error) error {
	if !s.d.Resume || s.stored[name] == nil {
		return nil
	}
	retried := map[string]bool{}
	for _, k := range s.stored[name] {
		retried[k.Task.RetriedTask] = true
	}
	var all []graph.Stored
	for _, k := range s.stored[name] {
		if t := k.Task; (t.State == graph.Failed || t.State == graph.Rescheduled) && !retried[t.ID] {
			t.State, t.Failure, t.CurrentRetries = graph.Pending, nil, 0
		}
		all = append(all, k)
	}
	g, err := graph.Restore(&s.made, all)
	if err != nil {
		return err
	}
	s.taken = map[string]*graph.Graph{name: g}
	return amend(g)
}

func (s *stage) Execute(
	ctx context.Context, name string, handlers map[string]graph.HandlerFunc, build func(graph.IDs) (*graph.Graph, error),
) error {
	s.say("graph %s", name)
	g := s.taken[name]
	if g == nil {
		var err error
		if g, err = build(&s.made); err != nil {
			return err
		}
	}
	for _, t := range g.Tasks() {
		s.roundTrip(t)
		s.keep(name, *t, g.Dependencies(t.ID))
	}
	if g.Len() == 0 {
		return nil
	}
	e := graph.NewEngine(g, handlers, time.Minute)
	now := time.Unix(0, 0)
	queue := e.Step(now, graph.Begin{})
	for {
		var next []graph.Command
		for _, c := range queue {
			switch c := c.(type) {
			case graph.Record:
				if change, ok := c.Effect.(SystemChange); ok {
					if err := s.ChangeSystem(ctx, change); err != nil {
						return err
					}
					break
				}
				s.keep(name, *c.Task, c.Dependencies)
				if c.Task.State != graph.Pending {
					s.record(c.Task)
				}
			case graph.Ask:
				next = append(next, e.Step(now, graph.Granted{ID: c.Task.ID})...)
			case graph.Perform:
				next = append(next, e.Step(now, s.perform(c.Task))...)
			case graph.Finish:
				return c.Err
			}
		}
		if len(next) == 0 {
			now = now.Add(time.Minute)
			next = e.Step(now, graph.Tick{})
		}
		queue = next
	}
}

func (s *stage) perform(t *graph.Task) graph.Ended {
	p := t.Payload.(*OperationPayload)
	key := p.InstanceID + " " + p.Operation[strings.LastIndex(p.Operation, ".")+1:]
	ended := graph.Ended{ID: t.ID, Result: s.result[key]}
	if s.fail[key] > 0 {
		s.fail[key]--
		ended.Failure = &graph.Failure{Verdict: graph.Recoverable, Type: "RecoverableError", Message: "broken"}
	}
	return ended
}

// roundTrip checks that a task survives the journal.
func (s *stage) roundTrip(t *graph.Task) {
	parameters, err := EncodeTask(t)
	if err != nil {
		s.t.Fatal(err)
	}
	back := &graph.Task{ID: t.ID, Kind: t.Kind, Name: t.Name, State: t.State, Position: t.Position}
	if err := DecodeTask(back, parameters); err != nil {
		s.t.Fatal(err)
	}
	again, err := EncodeTask(back)
	if err != nil {
		s.t.Fatal(err)
	}
	if !value.Equal(parameters, again) {
		s.t.Errorf("a task changed on its way through the journal: %v, %v", parameters, again)
	}
}

func (s *stage) record(t *graph.Task) {
	switch p := t.Payload.(type) {
	case *StatePayload:
		s.say("%s -> %s", p.InstanceID, p.State)
		s.d.Instance(p.InstanceID).State = p.State
	case *EventPayload:
		s.say("%s: %s", p.InstanceID, p.Event)
	case *OperationPayload:
		if t.State.Ended() {
			side := ""
			if p.Related != nil {
				side = " with " + p.Related.InstanceID
			}
			s.say("%s %s%s: %s", p.InstanceID, p.Operation, side, t.State)
		}
	}
}

// grown is the modification that adds a second application to the small deployment.
func grown() *Modification {
	return &Modification{ID: "m", Added: []plan.NodeInstance{
		{NodeID: "app", ID: "app_2", Modification: topology.Added, Relationships: []plan.InstanceRelationship{
			{Type: "cloudify.relationships.connected_to", TargetName: "server", TargetID: "server_1"}}},
		{NodeID: "server", ID: "server_1"},
	}}
}
