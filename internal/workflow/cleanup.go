package workflow

import (
	"context"
	"fmt"
	"slices"

	"windlass/internal/graph"
)

// Handlers of the tasks that clean up before an install is taken up again.
const (
	handlerCleanup  = "cleanup.ignore"
	handlerCleanups = "cleanup.ignore_all"
)

// cleanUpFirst prepares an install that a person has resumed. Where an instance
// was left in the middle of being created or started, and that is about to be
// tried again, what half of it is there goes first.
func (p *processor) cleanUpFirst(ctx context.Context, h Host, name string) error {
	return h.Resumed(ctx, name, func(g *graph.Graph) error {
		installs := map[string]*graph.Task{}
		for _, t := range g.Tasks() {
			if t.Kind == graph.Subgraph {
				installs[t.Name] = t
			}
		}
		for _, i := range p.selected {
			install := installs[p.name(i)]
			if install == nil {
				continue
			}
			if err := p.cleanUp(g, install, i); err != nil {
				return fmt.Errorf("%s: %w", i.ID, err)
			}
		}
		return nil
	})
}

// cleanUp puts what cleans up an instance in front of its install, if anything
// has to.
func (p *processor) cleanUp(g *graph.Graph, install *graph.Task, i *Instance) error {
	s := &sequencer{builder: &p.builder, g: g, i: i}
	switch {
	case i.State == "starting" && repeats(g, install, lifecycle+"start"):
		s.halfStarted()
	case i.State == "creating" && repeats(g, install, lifecycle+"create"):
		s.halfCreated()
	}
	if s.err != nil || len(s.out) == 0 {
		return s.err
	}
	sub := g.AddSubgraph(g.Get(install.Container), "resume_cleanup_"+i.ID, 0)
	sub.OnFailure = &graph.Handler{Name: handlerCleanups, Ignores: true}
	seq := g.NewSequence(sub)
	seq.Add(s.ev("Rolling back prior to resuming install"))
	for _, item := range s.out {
		for _, t := range item {
			if t.Kind == graph.Operation {
				t.OnFailure = &graph.Handler{Name: handlerCleanup, Ignores: true}
			}
		}
		seq.Add(item...)
	}
	seq.Add(s.ev("Finished rolling back, now resuming install"))
	for _, id := range g.Dependencies(install.ID) {
		if id == install.Container {
			continue // it is in there, too
		}
		if err := g.Depend(sub, g.Get(id)); err != nil {
			return err
		}
	}
	return g.Depend(install, sub)
}

// repeats tells whether an operation of the subgraph is going to be performed
// anew, not one that was interrupted and goes on.
func repeats(g *graph.Graph, install *graph.Task, operation string) bool {
	return slices.ContainsFunc(g.Members(install), func(t *graph.Task) bool {
		p, ok := t.Payload.(*OperationPayload)
		return ok && p.Operation == operation && t.State == graph.Pending && !t.Resume
	})
}

func (s *sequencer) halfStarted() {
	s.framed(lifecycle+"prestop", "Prestopping node instance", "Node instance prestopped", "")
	if s.i.Node.IsHost() {
		s.hostStopping()
	}
	if t := s.op(lifecycle + "stop"); t != nil {
		s.out.add(t)
		s.out.add(s.ev("Stopped node instance"))
	}
}

func (s *sequencer) halfCreated() {
	s.framed(lifecycle+"delete", "Deleting node instance", "Deleted node instance", "")
	s.framed(lifecycle+"postdelete", "Postdeleting node instance", "Node instance postdeleted", "")
}

// ignoringCleanups adds the handlers that let an install go on though cleaning
// up before it has failed.
func ignoringCleanups(ctx context.Context, h Host, handlers map[string]graph.HandlerFunc) map[string]graph.HandlerFunc {
	for name, text := range map[string]string{
		handlerCleanup: "Ignoring task failure in cleanup", handlerCleanups: "Ignoring subgraph failure in cleanup",
	} {
		handlers[name] = func(*graph.Graph, *graph.Task) graph.Answer {
			h.Log(ctx, "info", text)
			return graph.Answer{Decision: graph.Continue}
		}
	}
	return handlers
}
