package execution

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"windlass/internal/store"
	"windlass/internal/store/postgres"
	"windlass/internal/store/storetest"
)

// settable is a database of several managers whose clock can be set.
type settable struct {
	open func() store.Store                         // by one more manager
	set  func(ctx context.Context, d time.Duration) // sets the clock to that much more than the real time
}

// onClockedStores runs a test on both databases.
func onClockedStores(t *testing.T, test func(t *testing.T, db settable)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		st := &setStore{Store: openStore(t)}
		test(t, settable{open: func() store.Store { return st }, set: func(_ context.Context, d time.Duration) { st.ahead.Store(int64(d)) }})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, settablePostgres(t))
	})
}

// setStore is a store in a process whose clock was set.
type setStore struct {
	store.Store
	ahead atomic.Int64
}

func (s *setStore) Now(ctx context.Context) (time.Time, error) {
	now, err := s.Store.Now(ctx)
	return now.Add(time.Duration(s.ahead.Load())), err
}

func (s *setStore) Write(ctx context.Context, fn func(store.Tx) error) error {
	return s.Store.Write(ctx, func(tx store.Tx) error { return fn(setTx{tx, s}) })
}

func (s *setStore) WriteLocked(ctx context.Context, _ string, fn func(store.Tx) error) error {
	return s.Write(ctx, fn)
}

type setTx struct {
	store.Tx
	s *setStore
}

func (t setTx) lease(l store.Lease) store.Lease {
	l.From = time.Now().Add(time.Duration(t.s.ahead.Load()))
	return l
}

func (t setTx) ClaimExecution(ctx context.Context, seen store.Execution, owner string, lease store.Lease) (store.Execution, error) {
	return t.Tx.ClaimExecution(ctx, seen, owner, t.lease(lease))
}

func (t setTx) RenewLeases(ctx context.Context, owner string, fences []store.Fence, lease store.Lease) ([]string, error) {
	return t.Tx.RenewLeases(ctx, owner, fences, t.lease(lease))
}

// settablePostgres is a database where clock_timestamp() is a function of ours.
func settablePostgres(t *testing.T) settable {
	t.Helper()
	address, err := url.Parse(storetest.PostgresDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"CREATE TABLE ahead (micros BIGINT NOT NULL)", "INSERT INTO ahead VALUES (0)",
		`CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
			'SELECT pg_catalog.clock_timestamp() + (SELECT micros FROM public.ahead) * interval ''1 microsecond'''`,
	} {
		storetest.Administer(t, address, statement)
	}
	mine := *address
	q := mine.Query()
	q.Set("search_path", "public,pg_catalog")
	mine.RawQuery = q.Encode()
	return settable{
		open: func() store.Store {
			st, err := postgres.Open(t.Context(), mine.String())
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := st.Close(); err != nil {
					t.Error(err)
				}
			})
			return st
		},
		set: func(_ context.Context, d time.Duration) {
			storetest.Administer(t, address, fmt.Sprintf("UPDATE ahead SET micros = %d", d.Microseconds()))
		},
	}
}

// wrong is a clock of a machine that is wrong by that much.
func wrong(st store.Store, by time.Duration) *store.Clock {
	return store.NewSkewedClock(st, func() time.Time { return time.Now().Add(by) })
}

// brief are intervals after which another manager takes over soon, and no claim
// is lost on a busy machine.
var brief = Timing{Lease: 4 * time.Second, Renew: 100 * time.Millisecond, Poll: 50 * time.Millisecond}

// TestClocksOfManagers lets managers share a database whose machines' clocks are
// minutes apart. None takes an execution from another that renews, and what one
// leaves behind is taken over when its lease has ended, no sooner or later.
func TestClocksOfManagers(t *testing.T) {
	t.Parallel()
	onClockedStores(t, func(t *testing.T, db settable) {
		st := db.open()
		addDeployment(t, st, "d", nil)
		g := newGate()
		workflows := map[string]SystemWorkflow{"upload_blueprint": g.run}
		first := newService(t, Config{Store: st, ManagerName: "m1", SystemWorkflows: workflows, Timing: brief})
		stop := serve(t, first)
		e := startSystem(t, first, SystemRequest{WorkflowID: "upload_blueprint"})
		<-g.entered
		others := map[string]*Service{}
		for name, by := range map[string]time.Duration{"ahead": 5 * time.Minute, "behind": -5 * time.Minute} {
			own := db.open()
			s := newService(t, Config{Store: own, ManagerName: name, SystemWorkflows: workflows, Timing: brief, Clock: wrong(own, by)})
			serve(t, s)
			others[s.owner] = s
		}
		renewals(t, first, e.ID, 10)
		if got := get(t, first, e.ID); got.Owner != first.owner || got.Epoch != 1 {
			t.Fatalf("it was taken over: owner %s, epoch %d", got.Owner, got.Epoch)
		}
		until, _ := first.HeldUntil(e.ID)
		crash(first, stop)
		<-g.entered
		if left := time.Until(until); left > 0 {
			t.Errorf("taken over %s before the first manager had to stop", left)
		}
		got := get(t, first, e.ID)
		if others[got.Owner] == nil || got.Epoch != 2 {
			t.Fatalf("owner %s, epoch %d", got.Owner, got.Epoch)
		}
		g.proceed <- nil
		waitEnd(t, others[got.Owner], e.ID, store.Terminated)
		for _, s := range others {
			if off := time.Since(s.now()).Abs(); off > time.Minute {
				t.Errorf("%s: its time is %s off", s.cfg.ManagerName, off)
			}
		}
	})
}

// renewals waits until a claim was renewed so often.
func renewals(t *testing.T, s *Service, id string, times int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var last time.Time
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for times >= 0 {
		until, ok := s.HeldUntil(id)
		if !ok {
			t.Fatal("it does not run here any more")
		}
		if !until.Equal(last) {
			last, times = until, times-1
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Fatal("it was not renewed")
		}
	}
}

// TestSetClock sets the shared clock by an hour, either way: no claim is lost by
// that, and none is held for longer than before.
func TestSetClock(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]time.Duration{"forward": time.Hour, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onClockedStores(t, func(t *testing.T, db settable) {
				st := db.open()
				addDeployment(t, st, "d", nil)
				g := newGate()
				workflows := map[string]SystemWorkflow{"upload_blueprint": g.run}
				first := newService(t, Config{Store: st, ManagerName: "m1", SystemWorkflows: workflows, Timing: brief})
				serve(t, first)
				kept := startSystem(t, first, SystemRequest{WorkflowID: "upload_blueprint"})
				<-g.entered
				gone := newService(t, Config{Store: db.open(), ManagerName: "m2", SystemWorkflows: workflows, Timing: brief})
				left := leaveBehind(t, gone)
				third := newService(t, Config{Store: db.open(), ManagerName: "m3", SystemWorkflows: workflows, Timing: brief})
				serve(t, third)
				renewals(t, first, kept.ID, 3)
				db.set(t.Context(), by)
				renewals(t, first, kept.ID, 3)

				if id := <-g.entered; id != left.ID {
					t.Fatalf("%s was taken over, which was held", id)
				}
				g.proceed <- nil
				g.proceed <- nil
				waitEnd(t, first, kept.ID, store.Terminated)
				waitEnd(t, first, left.ID, store.Terminated)
				if got := get(t, first, kept.ID); got.Epoch != 1 {
					t.Errorf("the claim was lost: epoch %d", got.Epoch)
				}
			})
		})
	}
}

// leaveBehind gives an execution that a manager claimed which is no more.
func leaveBehind(t *testing.T, s *Service) (e store.Execution) {
	t.Helper()
	write(t, s.store, func(ctx context.Context, tx store.Tx) (err error) { // before anybody else sees it
		if e, err = s.StartSystem(ctx, tx, SystemRequest{Tenant: "default_tenant", WorkflowID: "upload_blueprint", CreatedBy: "admin"}); err != nil {
			return err
		}
		e, err = tx.ClaimExecution(ctx, e, s.owner, s.lease())
		return err
	})
	return e
}

// TestSchedulesWhenTheClockIsSet: a schedule neither fires twice for one time nor
// stalls when the clock is set.
func TestSchedulesWhenTheClockIsSet(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]time.Duration{"forward": time.Hour, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onClockedStores(t, func(t *testing.T, db settable) {
				st := db.open()
				addDeployment(t, st, "d", nil)
				ended := func(context.Context, store.Execution, SystemHost) error { return nil }
				var managers []*Service
				for k := range 2 {
					own := db.open()
					managers = append(managers, newService(t, Config{
						Store: own, ManagerName: fmt.Sprint("m", k), SystemWorkflows: map[string]SystemWorkflow{"install": ended}, Timing: brief,
						Clock: wrong(own, time.Duration(k)*7*time.Minute),
					}))
					managers[k].readClock(t.Context())
				}
				now := managers[0].now()
				due := now.Add(time.Second).Truncate(time.Second) // at most a second from now
				sc, err := managers[0].AddSchedule(t.Context(), nil, nightly(due, func(sc *store.Schedule) { sc.Rule = map[string]any{"recurrence": "1 hour"} }))
				if err != nil || !sc.NextOccurrence.Equal(due) {
					t.Fatalf("due at %v, %v, want %v", sc.NextOccurrence, err, due)
				}
				wake, unsubscribe := st.Subscribe(store.TopicExecutions)
				defer unsubscribe()
				for _, s := range managers {
					serve(t, s)
				}
				fired := func(n int) {
					t.Helper()
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					for len(executionsOf(t, st)) < n {
						select {
						case <-wake:
						case <-ctx.Done():
							t.Fatalf("%d were started, want %d", len(executionsOf(t, st)), n)
						}
					}
				}
				fired(1)
				waitEnd(t, managers[0], executionsOf(t, st)[0].ID, store.Terminated)
				db.set(t.Context(), by)
				want := 1
				if by > 0 { // the next time has come
					want = 2
					fired(2)
				}
				for _, s := range managers {
					// As often as they like, once for one time; also if somebody changes it.
					s.readClock(t.Context())
					if _, err := s.ChangeSchedule(t.Context(), "default_tenant", "d", "s", func(sc *store.Schedule) error { sc.Slip++; return nil }); err != nil {
						t.Fatal(err)
					}
					if _, err := s.startDue(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if got := executionsOf(t, st); len(got) != want {
					t.Errorf("%d were started, want %d", len(got), want)
				}
				if sc := scheduleIn(t, st); !sc.NextOccurrence.Equal(due.Add(time.Duration(want) * time.Hour)) {
					t.Errorf("next at %v, want %d hours after %v", sc.NextOccurrence, want, due)
				}
			})
		})
	}
}

// TestLongTransaction: what keeps leases from being renewed because it has locked
// everything, such as the restoring of a snapshot, may take as long as it likes.
func TestLongTransaction(t *testing.T) {
	t.Parallel()
	onClockedStores(t, func(t *testing.T, db settable) {
		st := db.open()
		locked, proceed := make(chan struct{}, 10), make(chan struct{})
		clear := func(ctx context.Context, e store.Execution, h SystemHost) error {
			return h.Write(ctx, func(tx store.Tx) error {
				if err := tx.Clear(ctx, e.ID); err != nil {
					return err
				}
				locked <- struct{}{}
				<-proceed
				return nil
			})
		}
		goOn := sync.OnceFunc(func() { close(proceed) })
		defer goOn()
		timing := Timing{Lease: 500 * time.Millisecond, Renew: 50 * time.Millisecond, Poll: 50 * time.Millisecond}
		own := db.open()
		s := newService(t, Config{Store: st, ManagerName: "m1", SystemWorkflows: map[string]SystemWorkflow{"upload_blueprint": clear}, Timing: timing,
			Alone: st.Dialect() == "sqlite"})
		serve(t, s)
		e := startSystem(t, s, SystemRequest{WorkflowID: "upload_blueprint"})
		<-locked
		if st.Dialect() != "sqlite" {
			serve(t, newService(t, Config{Store: own, ManagerName: "m2", Timing: timing, SystemWorkflows: map[string]SystemWorkflow{
				"upload_blueprint": func(context.Context, store.Execution, SystemHost) error { return nil }, // once it is over, all is done
			}}))
		}
		r := s.runOf(e.ID)
		for over := s.cfg.Clock.Own().Add(3 * timing.Lease); s.cfg.Clock.Own().Before(over); {
			select {
			case <-r.ctx.Done():
				t.Fatalf("it was stopped: %v", context.Cause(r.ctx))
			case <-time.After(10 * time.Millisecond):
			}
		}
		goOn()
		if e = waitEnd(t, s, e.ID, store.Terminated); len(locked) > 0 {
			t.Error("it was done twice")
		}
	})
}
