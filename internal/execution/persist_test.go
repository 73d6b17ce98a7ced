package execution

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/operation"
	"windlass/internal/store"
	"windlass/internal/store/sqlite"
	"windlass/internal/store/storetest"
)

// fullStore takes no writes while its disk is full.
type fullStore struct {
	store.Store
	full atomic.Bool
}

func (f *fullStore) Write(ctx context.Context, fn func(store.Tx) error) error {
	if f.full.Load() {
		return fmt.Errorf("%w: really", store.ErrFull)
	}
	return f.Store.Write(ctx, fn)
}

func (f *fullStore) WriteLocked(ctx context.Context, _ string, fn func(store.Tx) error) error {
	return f.Write(ctx, fn)
}

// However long the disk is full, what was done meanwhile is not done again.
func TestFullDiskHoldsExecutionsUp(t *testing.T) {
	t.Parallel()
	file := storetest.SQLiteFile(t, inMemory(t)+"/full.db")
	synctest.Test(t, func(t *testing.T) {
		st, err := sqlite.Open(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		}()
		addDeployment(t, st, "d", nil)
		full := &fullStore{Store: st}
		runner := newScripted()
		runner.do["db.create"] = func(context.Context, *operation.Request, operation.Host) (any, error) {
			full.full.Store(true)
			return nil, nil
		}
		s := newService(t, Config{Store: full, Alone: true, Timing: Timing{Lease: 15 * time.Second, Renew: 5 * time.Second, Poll: 5 * time.Second}, Runners: map[string]operation.Runner{"": runner}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		e := install(t, s, "d", nil)
		time.Sleep(2 * time.Minute)
		if now, err := st.GetExecution(t.Context(), e.ID); err != nil || now.Status != store.Started {
			t.Errorf("%s, %v", now.Status, err)
		}
		full.full.Store(false)
		waitEnd(t, s, e.ID, store.Terminated)
		want := map[string]int{
			"host.create": 1, "db.create": 1, "db.start": 1, "app.create": 1, "app.configure": 1, "app.start": 1, "app.connect": 1,
		}
		if diff := cmp.Diff(want, runner.counts()); diff != "" {
			t.Error(diff)
		}
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
