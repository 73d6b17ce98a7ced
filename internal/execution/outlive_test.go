package execution

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"windlass/internal/operation"
	"windlass/internal/store"
	"windlass/internal/store/sqlite"
)

var leases = Timing{Lease: 15 * time.Second, Renew: 4 * time.Second, Poll: time.Second}

// unused is what a manager leaves of its claims for its operations to end in.
const unused = 4500 * time.Millisecond

// leaseWorld is a deployment on a fake clock, and what a service of it needs.
func leaseWorld(t *testing.T, test func(t *testing.T, st store.Store, cfg Config, runner *scripted)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		st, err := sqlite.Open(t.Context(), t.TempDir()+"/leases.db")
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		}()
		addDeployment(t, st, "d", nil)
		runner := newScripted()
		test(t, st, Config{Store: st, Timing: leases, Runners: map[string]operation.Runner{"": runner}}, runner)
	})
}

// runs runs a service until the returned function is called.
func runs(t *testing.T, s *Service) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// deafStore answers no write while it is deaf.
type deafStore struct {
	store.Store
	deaf atomic.Bool
}

func (d *deafStore) Write(ctx context.Context, fn func(store.Tx) error) error {
	if d.deaf.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	return d.Store.Write(ctx, fn)
}

// A manager that can't renew its claims stops its operations before they end, and
// says that it is for that; while it can, the lease never ends after the claim.
func TestOperationsStopBeforeTheClaimEnds(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"no connection", "no answer"} {
		leaseWorld(t, func(t *testing.T, st store.Store, cfg Config, runner *scripted) {
			began, stopped := make(chan *operation.Lease, 1), make(chan error, 1)
			var when time.Time
			runner.do["db.create"] = func(ctx context.Context, req *operation.Request, _ operation.Host) (any, error) {
				began <- req.Lease
				<-ctx.Done()
				when = time.Now()
				stopped <- context.Cause(ctx)
				return nil, ctx.Err()
			}
			absent := &absentStore{Store: st}
			deaf := &deafStore{Store: absent}
			cfg.Store = deaf
			birth := time.Now()
			cfg.Uptime = func() time.Duration { return time.Since(birth) }
			s := newService(t, cfg)
			stop := runs(t, s)
			e := install(t, s, "d", nil)
			lease := <-began
			for range 50 {
				time.Sleep(time.Second)
				own := birth.Add(lease.Until()) // first: a renewal in between moves on the claim before the lease
				stored := get(t, s, e.ID).LeaseUntil
				if own.Add(unused).After(stored) || !own.After(time.Now()) {
					t.Errorf("%s: the lease ends at %s, the claim at %s", how, own, stored)
				}
			}
			time.Sleep(time.Second) // between two renewals
			ends := get(t, s, e.ID).LeaseUntil
			absent.away.Store(how == "no connection")
			deaf.deaf.Store(how == "no answer")
			if cause := <-stopped; !errors.Is(cause, operation.ErrLapsed) {
				t.Errorf("%s: stopped for %v", how, cause)
			}
			if early := ends.Sub(when); early < unused-time.Second/2 || early > unused+time.Second {
				t.Errorf("%s: stopped %s before the claim ended", how, early)
			}
			absent.away.Store(false)
			deaf.deaf.Store(false)
			stop()
		})
	}
}

// Where nobody else can take over there is no lease, and nothing is stopped.
func TestAloneThereIsNoLease(t *testing.T) {
	t.Parallel()
	leaseWorld(t, func(t *testing.T, _ store.Store, cfg Config, runner *scripted) {
		runner.do["db.create"] = func(_ context.Context, req *operation.Request, _ operation.Host) (any, error) {
			if req.Lease != nil {
				t.Error("there is a lease")
			}
			return nil, nil
		}
		cfg.Alone = true
		s := newService(t, cfg)
		stop := runs(t, s)
		waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)
		stop()
	})
}

// What a manager that stops leaves running nobody else gets until the lease has
// ended; its next life does.
func TestWhatGoesOnKeepsItsClaim(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]bool{"the next life": false, "another manager": true} {
		leaseWorld(t, func(t *testing.T, _ store.Store, cfg Config, runner *scripted) {
			began := make(chan bool, 1)
			var lives atomic.Int32
			runner.do["db.create"] = func(ctx context.Context, req *operation.Request, _ operation.Host) (any, error) {
				began <- req.Resume
				if lives.Add(1) == 1 {
					<-ctx.Done()
					return nil, operation.ErrLeft
				}
				return nil, nil
			}
			first := newService(t, cfg)
			stop := runs(t, first)
			e := install(t, first, "d", nil)
			<-began
			time.Sleep(3 * time.Second)
			stopped := time.Now()
			stop()
			after := get(t, first, e.ID)
			if after.Owner != first.owner || after.LeaseUntil.Before(stopped.Add(leases.Lease)) {
				t.Errorf("%s: left with owner %q until %s", name, after.Owner, after.LeaseUntil)
			}
			if other {
				cfg.ManagerName = "m2"
			}
			second := newService(t, cfg)
			stop = runs(t, second)
			if !<-began {
				t.Errorf("%s: it doesn't know that the operation was under way", name)
			}
			if waited := time.Since(stopped); other != (waited >= leases.Lease) {
				t.Errorf("%s: goes on after %s", name, waited)
			}
			waitEnd(t, second, e.ID, store.Terminated)
			stop()
			if n := runner.counts()["db.create"]; n != 2 {
				t.Errorf("%s: it ran %d times", name, n)
			}
		})
	}
}

// An operation that was stopped for its lease has not failed: it is run again, even if it
// may not be tried again.
func TestLapsedOperationsRunAgain(t *testing.T) {
	t.Parallel()
	leaseWorld(t, func(t *testing.T, st store.Store, cfg Config, runner *scripted) {
		var lives atomic.Int32
		runner.do["db.create"] = func(context.Context, *operation.Request, operation.Host) (any, error) {
			if lives.Add(1) == 1 {
				return nil, operation.ErrLapsed
			}
			return nil, nil
		}
		write(t, st, func(ctx context.Context, tx store.Tx) error {
			return tx.PutSetting(ctx, store.Setting{Scope: "workflow", Name: "task_retries", Value: int64(0)})
		})
		s := newService(t, cfg)
		stop := runs(t, s)
		waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)
		stop()
		if n := runner.counts()["db.create"]; n != 2 {
			t.Errorf("it ran %d times", n)
		}
	})
}
