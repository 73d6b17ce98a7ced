package execution

import (
	"context"

	"windlass/internal/store"
)

// Reason says why an execution isn't further than it is.
type Reason struct {
	// Position in the queue, from 1; 0 for one that isn't queued.
	Position int
	// BlockedBy are the executions that a queued one waits for.
	BlockedBy []store.Execution
	// Text says it in a sentence.
	Text string
	// Waiting are the tasks of a running execution that something holds up, if
	// this manager runs it.
	Waiting []WaitingTask
}

// WaitingTask is a task of a running graph and what it waits for.
type WaitingTask struct {
	ID, Name string
	For      string
}

// Why tells what an execution waits for.
func (s *Service) Why(ctx context.Context, tenant, id string) (Reason, error) {
	return s.why(ctx, tenant, id)
}

func (s *Service) why(_ context.Context, _, _ string) (Reason, error) { return Reason{}, nil }
