package workflow

import (
	"context"
	"time"

	"windlass/internal/graph"
)

// Where system properties keep what checks have found.
const (
	statusKey         = "status"
	previousStatusKey = "previous_status"
	driftKey          = "configuration_drift"
	sourceDriftKey    = "source_relationships_configuration_drift"
	targetDriftKey    = "target_relationships_configuration_drift"
)

func checkStatus(ctx context.Context, h Host, parameters map[string]any) error {
	d, selected, others, err := choose(ctx, h, parameters)
	if err != nil {
		return err
	}
	// Who checks wants to know now; an operation may say otherwise.
	d.Settings.TaskRetries = 0
	c := &checker{builder: builder{d: d}, selected: selected, others: others, ordered: flag(parameters, "run_by_dependency_order")}
	return c.run(ctx, h, "check_status", c.status)
}

func checkDrift(ctx context.Context, h Host, parameters map[string]any) error {
	d, selected, others, err := choose(ctx, h, parameters)
	if err != nil {
		return err
	}
	ordered := true
	if given, ok := parameters["run_by_dependency_order"].(bool); ok {
		ordered = given
	}
	c := &checker{builder: builder{d: d}, selected: selected, others: others, ordered: ordered}
	return c.run(ctx, h, "check_drift", c.drift)
}

// checker builds the graph of a check: one operation for each instance, whose
// outcome is kept in the instance's system properties.
type checker struct {
	builder
	selected, others []*Instance
	ordered          bool // along relationships
	ignoreFailure    bool // a failed check is no failure of the workflow
}

func (c *checker) run(ctx context.Context, h Host, name string, add func(*graph.Graph, *Instance) (*graph.Task, error)) error {
	return execute(ctx, h, name, Handlers(c.d, false), func(ids graph.IDs) (*graph.Graph, error) {
		g := graph.New(ids)
		tasks := make(map[string]*graph.Task, len(c.d.Instances))
		for _, i := range c.selected {
			t, err := add(g, i)
			if err != nil {
				return nil, err
			}
			tasks[i.ID] = t
		}
		if !c.ordered {
			g.Optimize()
			return g, nil
		}
		for _, i := range c.others {
			tasks[i.ID] = g.AddSubgraph(nil, i.ID, 0)
		}
		for _, i := range c.d.Instances {
			for _, r := range i.Relationships {
				source, target := tasks[i.ID], tasks[r.TargetID]
				if source == nil || target == nil {
					continue
				}
				if err := g.Depend(source, target); err != nil {
					return nil, err
				}
			}
		}
		g.Optimize()
		return g, nil
	})
}

// add puts a check into the graph, or in its place a task that does nothing.
func (c *checker) add(g *graph.Graph, t *graph.Task, err error, handler string) (*graph.Task, error) {
	if err != nil {
		return nil, err
	}
	if t == nil {
		return g.Add(&graph.Task{Kind: graph.NOP, Name: "NOP"}), nil
	}
	if !c.d.DryRun {
		t.OnSuccess = &graph.Handler{Name: handler}
		t.OnFailure = &graph.Handler{Name: handler, Ignores: c.ignoreFailure}
	}
	return g.Add(t), nil
}

func (c *checker) status(g *graph.Graph, i *Instance) (*graph.Task, error) {
	t, err := c.operation(i, validation+"check_status", nil, false)
	return c.add(g, t, err, handlerStatus)
}

// drift checks an instance and then, on both sides, its relationships.
func (c *checker) drift(g *graph.Graph, i *Instance) (*graph.Task, error) {
	t, err := c.operation(i, lifecycle+"check_drift", nil, false)
	own, err := c.add(g, t, err, handlerDrift)
	if err != nil {
		return nil, err
	}
	for _, r := range i.perTarget() {
		declared, ok := i.Node.declared(r)
		target := c.d.Instance(r.TargetID)
		if !ok || target == nil {
			continue
		}
		for _, onTarget := range []bool{false, true} {
			t, err := c.relationshipOperation(i, target, declared, relLife+"check_drift", onTarget)
			side, err := c.add(g, t, err, handlerDrift)
			if err != nil {
				return nil, err
			}
			if err := g.Depend(side, own); err != nil {
				return nil, err
			}
		}
	}
	return own, nil
}

// checked is the handler of a check: it keeps the outcome, and goes on as the
// task says.
func checked(keep func(p *OperationPayload, t *graph.Task, properties map[string]any, now time.Time)) graph.HandlerFunc {
	return func(_ *graph.Graph, t *graph.Task) graph.Answer {
		p, ok := t.Payload.(*OperationPayload)
		if !ok {
			return graph.Answer{Decision: graph.Fail}
		}
		outcome := *t
		a := graph.Answer{Effects: []any{SystemChange{p.InstanceID, func(properties map[string]any, now time.Time) {
			keep(p, &outcome, properties, now)
		}}}}
		if t.State == graph.Failed && !t.OnFailure.Ignores {
			a.Decision = graph.Fail
		}
		return a
	}
}

func keepStatus(_ *OperationPayload, t *graph.Task, properties map[string]any, now time.Time) {
	properties[previousStatusKey] = properties[statusKey]
	properties[statusKey] = checkResult(t, now)
}

func keepDrift(p *OperationPayload, t *graph.Task, properties map[string]any, now time.Time) {
	result := checkResult(t, now)
	switch {
	case p.Related == nil:
		properties[driftKey] = result
	case p.Related.IsTarget:
		section(properties, sourceDriftKey)[p.Related.InstanceID] = result
	default:
		section(properties, targetDriftKey)[p.Related.InstanceID] = result
	}
}
