package python

import (
	"context"
	"errors"
	"fmt"

	"windlass/internal/graph"
	"windlass/internal/topology"
	"windlass/internal/workflow"
)

// builtin runs a built-in workflow as a part of this one.
func (s *conversation) builtin(name, id string, parameters map[string]any) (any, error) {
	f, ok := workflow.Lookup(workflow.Plugin, "cloudify.plugins.workflows."+id)
	if !ok {
		return nil, fmt.Errorf("there is no built-in workflow %s", id)
	}
	err := f(s.ctx, part{s.host, name + " "}, parameters)
	var failed *graph.FailedError
	switch {
	case err == nil:
		return map[string]any{"outcome": "succeeded"}, nil
	case errors.As(err, &graph.Cancelled{}):
		return map[string]any{"outcome": "cancelled"}, nil
	case errors.As(err, &failed):
		return s.failed(err, failed, &outcomes{}), nil
	}
	return nil, s.hostError(err)
}

// part is a host for a workflow that is a part of another: what it names is
// named after its place in that.
type part struct {
	workflow.Host
	prefix string
}

func (p part) Execute(ctx context.Context, name string, handlers map[string]graph.HandlerFunc,
	build func(ids graph.IDs) (*graph.Graph, error),
) error {
	return p.Host.Execute(ctx, p.prefix+name, handlers, build)
}

func (p part) Resumed(ctx context.Context, name string, amend func(*graph.Graph) error) error {
	return p.Host.Resumed(ctx, p.prefix+name, amend)
}

func (p part) Once(ctx context.Context, name string, decide func() (any, error)) (any, error) {
	return p.Host.Once(ctx, p.prefix+name, decide)
}

// Modification is that of this part: the parts of a workflow may start one each,
// one after the other. The one under way whose start was not noted yet, since
// the manager ended, is of the part that asks.
func (p part) Modification(ctx context.Context, id string) (*workflow.Modification, error) {
	if id != "" {
		return p.Host.Modification(ctx, id)
	}
	noted, err := p.Once(ctx, modificationNote, func() (any, error) {
		m, err := p.Host.Modification(ctx, "")
		if err != nil {
			return nil, err
		}
		if m == nil || m.Ended {
			return nil, errNothingKept
		}
		return m.ID, nil
	})
	if errors.Is(err, errNothingKept) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	started, _ := noted.(string)
	return p.Host.Modification(ctx, started)
}

// StartModification notes which modification the part has started.
func (p part) StartModification(ctx context.Context, changes map[string]topology.Change) (*workflow.Modification, error) {
	m, err := p.Host.StartModification(ctx, changes)
	if err != nil {
		return nil, err
	}
	_, err = p.Once(ctx, modificationNote, func() (any, error) { return m.ID, nil })
	return m, err
}

// modificationNote is where a part notes its modification.
const modificationNote = "modification"
