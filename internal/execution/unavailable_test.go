package execution

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"windlass/internal/operation"
	"windlass/internal/store"
	"windlass/internal/store/sqlite"
	"windlass/internal/store/storetest"
)

// absentStore can't be reached now and then.
type absentStore struct {
	store.Store
	away  atomic.Bool
	reads atomic.Int32  // until it goes away by itself, if that is more than 0
	how   time.Duration // it stays away then

	writes atomic.Int32
}

func (a *absentStore) check() error {
	if a.reads.Load() > 0 && a.reads.Add(-1) == 0 {
		a.away.Store(true)
		time.AfterFunc(a.how, func() { a.away.Store(false) })
		return nil // this one was the last
	}
	if a.away.Load() {
		return store.ErrUnavailable
	}
	return nil
}

// goneTx is a transaction whose connection breaks with its first statement.
type goneTx struct{ store.Tx }

func (goneTx) CheckFence(context.Context, store.Fence) error { return store.ErrUnavailable }

func (goneTx) Journal(context.Context, store.Fence, store.JournalBatch) error {
	return store.ErrUnavailable
}

func (a *absentStore) Write(ctx context.Context, fn func(store.Tx) error) error {
	switch a.writes.Add(1) % 2 {
	case 0:
		if a.away.Load() {
			return store.ErrUnavailable
		}
	default:
		if a.away.Load() {
			return a.Store.Write(ctx, func(tx store.Tx) error { return errors.Join(fn(goneTx{tx}), store.ErrUnavailable) })
		}
	}
	return a.Store.Write(ctx, fn)
}

func (a *absentStore) WriteLocked(ctx context.Context, _ string, fn func(store.Tx) error) error {
	return a.Write(ctx, fn)
}

func (a *absentStore) GetDeployment(ctx context.Context, tenant, id string) (store.Deployment, error) {
	if err := a.check(); err != nil {
		return store.Deployment{}, err
	}
	return a.Store.GetDeployment(ctx, tenant, id)
}

func (a *absentStore) GetGraph(ctx context.Context, execution, name string) (store.Graph, error) {
	if err := a.check(); err != nil {
		return store.Graph{}, err
	}
	return a.Store.GetGraph(ctx, execution, name)
}

func (a *absentStore) ListNodes(ctx context.Context, q store.Query) (store.Page[store.Node], error) {
	if err := a.check(); err != nil {
		return store.Page[store.Node]{}, err
	}
	return a.Store.ListNodes(ctx, q)
}

func (a *absentStore) GetNode(ctx context.Context, tenant, deployment, id string) (store.Node, error) {
	if err := a.check(); err != nil {
		return store.Node{}, err
	}
	return a.Store.GetNode(ctx, tenant, deployment, id)
}

func (a *absentStore) GetInstance(ctx context.Context, tenant, id string) (store.NodeInstance, error) {
	if err := a.check(); err != nil {
		return store.NodeInstance{}, err
	}
	return a.Store.GetInstance(ctx, tenant, id)
}

func (a *absentStore) ListExecutions(ctx context.Context, q store.Query) (store.Page[store.Execution], error) {
	if a.away.Load() {
		return store.Page[store.Execution]{}, store.ErrUnavailable
	}
	return a.Store.ListExecutions(ctx, q)
}

func (a *absentStore) Claimable(ctx context.Context, h store.Holding, most int) ([]store.Execution, error) {
	if a.away.Load() {
		return nil, store.ErrUnavailable
	}
	return a.Store.Claimable(ctx, h, most)
}

// A database that can't be reached for a while, from whatever moment on, fails
// no execution and no operation, even one that may not be tried again.
func TestExecutionsOutliveAnAbsentDatabase(t *testing.T) {
	t.Parallel()
	dir := inMemory(t)
	for k := range 72 {
		if sparse && k%4 != 0 {
			continue
		}
		reads, away := int32(k/3+1), []time.Duration{10 * time.Millisecond, 2 * time.Second, 2 * time.Minute}[k%3]
		file := storetest.SQLiteFile(t, fmt.Sprintf("%s/absent%d.db", dir, k))
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
			if err := st.Write(t.Context(), func(tx store.Tx) error {
				return tx.PutSetting(t.Context(), store.Setting{Scope: "workflow", Name: "task_retries", Value: int64(0)})
			}); err != nil {
				t.Fatal(err)
			}
			absent := &absentStore{Store: st, how: away}
			runner := newScripted()
			for _, name := range []string{"host.create", "db.create", "app.create", "app.start"} {
				runner.do[name] = func(ctx context.Context, req *operation.Request, host operation.Host) (any, error) {
					i, err := host.Instance(ctx, req.Self.InstanceID)
					if err == nil {
						_, err = host.UpdateInstance(ctx, i.ID, i.Version, map[string]any{"was": name})
					}
					if err == nil {
						_, err = host.Node(ctx, req.Self)
					}
					return nil, err
				}
			}
			s := newService(t, Config{Store: absent, Timing: Timing{Lease: 15 * time.Second, Renew: 5 * time.Second, Poll: 5 * time.Second},
				Runners: map[string]operation.Runner{"": runner}})
			front := newService(t, Config{Store: st, Timing: Timing{Poll: time.Minute}})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_ = s.Run(ctx)
			}()
			absent.reads.Store(reads)
			e := install(t, front, "d", nil)
			within, stop := context.WithTimeout(t.Context(), 10*time.Minute)
			if e, err = front.Wait(within, e.ID); err != nil || e.Status != store.Terminated {
				text := ""
				if e.Error != nil {
					text = *e.Error
				}
				t.Errorf("%d reads before the database went away for %s: %s, %v, %s", reads, away, e.Status, err, text)
			}
			stop()
			cancel()
			<-ended
		})
	}
}

// A runner that panics fails its operation, not the manager.
func TestAPanicFailsTheOperation(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	runner := newScripted()
	runner.do["db.create"] = func(context.Context, *operation.Request, operation.Host) (any, error) {
		panic("it is broken")
	}
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
	serve(t, s)
	e := waitEnd(t, s, install(t, s, "d", nil).ID, store.Failed)
	if e.Error == nil {
		t.Error("no error")
	} else if !strings.Contains(*e.Error, "internal error in operation db.create (d-db_b00001:cloudify.interfaces.lifecycle.create)") {
		t.Errorf("%v", *e.Error)
	}
	if got := runner.counts()["db.create"]; got != 1 {
		t.Errorf("it was tried %d times", got)
	}
}
