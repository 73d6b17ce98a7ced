package graph

import "slices"

// Stored is a task as the journal has it.
type Stored struct {
	Task         *Task
	Dependencies []string
}

// Restore rebuilds a graph from its stored tasks so that a run goes on
// with what is left. Whatever ended stays so, with all that is inside it; a
// task that was retried gives its place to the retry. Operations that were
// under way are performed again, as resumed ones. Subgraphs are entered again,
// which releases their members in order. A graph that had failed for good
// already gives the failure, so that nothing which depends on it runs.
func Restore(ids IDs, stored []Stored) (*Graph, error) {
	slices.SortStableFunc(stored, func(a, b Stored) int { return a.Task.Position - b.Task.Position })
	past := history{byID: map[string]*Task{}, retriedBy: map[string]string{}}
	for _, s := range stored {
		past.byID[s.Task.ID] = s.Task
		if s.Task.RetriedTask != "" {
			past.retriedBy[s.Task.RetriedTask] = s.Task.ID
		}
	}
	if failed := past.failures(stored); len(failed) > 0 {
		return nil, &FailedError{Tasks: failed}
	}
	g := New(ids)
	for _, s := range stored {
		past.place(g, s.Task)
		g.next = max(g.next, s.Task.Position+1)
	}
	for _, s := range stored {
		source := g.Get(s.Task.ID)
		if source == nil {
			continue
		}
		for _, id := range s.Dependencies {
			target := g.Get(past.standsFor(id))
			if target == nil || past.isInside(source, target) {
				continue // it has ended, or releases its members itself
			}
			if err := g.Depend(source, target); err != nil {
				return nil, err
			}
		}
	}
	return g, nil
}

// history is what is stored of a graph's tasks.
type history struct {
	byID      map[string]*Task
	retriedBy map[string]string
}

// newest is the task that stands for id now.
func (h history) newest(id string) string {
	for h.retriedBy[id] != "" {
		id = h.retriedBy[id]
	}
	return id
}

// standsFor is the task to wait for in the place of id: the newest retry of it,
// or of the subgraph around it that was given up.
func (h history) standsFor(id string) string {
	for t := h.byID[id]; t != nil; t = h.byID[t.Container] {
		if newest := h.newest(t.ID); newest != t.ID {
			return h.standsFor(newest)
		}
		if t.State == Succeeded {
			break
		}
	}
	return id
}

// over tells whether nothing more happens in t: it ended, or was retried, or
// something around it did.
func (h history) over(t *Task) bool {
	for ; t != nil; t = h.byID[t.Container] {
		if t.State.Ended() || h.retriedBy[t.ID] != "" {
			return true
		}
	}
	return false
}

// isInside tells whether t is somewhere in the subgraph s.
func (h history) isInside(t, s *Task) bool {
	for c := h.byID[t.Container]; c != nil; c = h.byID[c.Container] {
		if c.ID == s.ID {
			return true
		}
	}
	return false
}

// failures lists the operations whose failure reached the graph: nobody
// retried it or went on in spite of it, nor any of the subgraphs around it.
func (h history) failures(stored []Stored) []*Task {
	var failed []*Task
	for _, s := range stored {
		if s.Task.Kind == Subgraph || !h.hasFailed(s.Task) {
			continue
		}
		reached := true
		for t := h.byID[s.Task.Container]; t != nil && reached; t = h.byID[t.Container] {
			reached = h.hasFailed(t)
		}
		if reached {
			failed = append(failed, s.Task)
		}
	}
	return failed
}

// hasFailed tells whether t failed and nothing was made of it: it wasn't
// retried, nor has it a handler that ignores failures.
func (h history) hasFailed(t *Task) bool {
	switch {
	case h.retriedBy[t.ID] != "":
		return false
	case t.State == Failed:
		return t.OnFailure == nil || !t.OnFailure.Ignores
	}
	return t.State == Rescheduled // a retry that was used up asks no handler
}

// place puts a task that isn't over into g, as one that has yet to start.
func (h history) place(g *Graph, t *Task) {
	if h.over(t) || g.Get(t.ID) != nil {
		return
	}
	again := *t
	again.Resume = t.Kind == Operation && t.State != Pending
	again.State = Pending
	var container *Task
	if c := h.byID[t.Container]; c != nil {
		h.place(g, c) // whatever the positions say
		container = g.Get(c.ID)
	}
	position := t.Position
	g.AddTo(container, &again)
	again.Position = position
}
