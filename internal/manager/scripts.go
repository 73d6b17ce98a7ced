package manager

import (
	"context"
	"errors"
	"io"
	"time"

	"windlass/internal/operation/warden"
	"windlass/internal/store"
)

// Watch is the life of the process that watches over a manager's scripts: its
// standard input and output are the manager's.
func Watch(in io.Reader, out io.Writer) error { return warden.Serve(in, out) }

// reviewEvery is how often scripts are looked at that an earlier run left and
// that nothing has taken up.
const reviewEvery = 15 * time.Second

// reapScripts ends what an earlier run left, but for scripts whose operations
// are about to be taken up.
func (m *Manager) reapScripts(ctx context.Context) error {
	orphans, err := m.scripts.Reap(ctx, m.isUnderWay)
	for _, o := range orphans {
		m.log.Info("stopped a script that an earlier run left", "orphan", o)
	}
	return err
}

// isUnderWay tells whether an operation has begun and its execution goes on and
// is this manager's to go on with.
func (m *Manager) isUnderWay(ctx context.Context, taskID string) (bool, error) {
	op, err := m.store.GetOperation(ctx, taskID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	switch op.State {
	case "sending", "sent", "started":
	default:
		return false, nil
	}
	e, err := m.store.GetExecution(ctx, op.ExecutionID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && !e.Status.IsEnd() && m.executions.Owns(e), err
}

// reviewScripts ends scripts that nothing has taken up once their executions
// have ended, until none is left or ctx ends.
func (m *Manager) reviewScripts(ctx context.Context) {
	look := time.NewTicker(reviewEvery)
	defer look.Stop()
	for m.scripts.Left() > 0 {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
		if err := m.reapScripts(ctx); err != nil && ctx.Err() == nil {
			m.log.Error("could not look after scripts that an earlier run left", "error", err)
		}
	}
}
