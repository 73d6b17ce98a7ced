package execution

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"windlass/internal/operation"
	"windlass/internal/store"
)

// TestSlotsTakeTurns lets three executions with many operations each compete
// for one slot: they get it in turn.
func TestSlotsTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(Limits{Operations: 1})
		hold, err := s.acquire(t.Context(), "holder", "d")
		if err != nil {
			t.Fatal(err)
		}
		var (
			mu    sync.Mutex
			order []string
			wg    sync.WaitGroup
		)
		for _, execution := range []string{"a", "a", "a", "a", "b", "b", "c"} {
			wg.Go(func() {
				release, err := s.acquire(t.Context(), execution, "d")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, execution)
				mu.Unlock()
				release()
			})
			synctest.Wait()
		}
		hold()
		wg.Wait()
		if want := []string{"a", "b", "c", "a", "b", "a", "a"}; !slices.Equal(order, want) {
			t.Errorf("got %v, want %v", order, want)
		}
		if s.inUse() != 0 || len(s.byExecution) != 0 || len(s.byDeployment) != 0 || len(s.waiting) != 0 {
			t.Errorf("left over: %d %v %v %v", s.inUse(), s.byExecution, s.byDeployment, s.waiting)
		}
	})
}

func TestSlotsKeepLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(Limits{Operations: 4, OperationsPerDeployment: 2, OperationsPerExecution: 1})
		take := func(execution, deployment string) (<-chan func(), context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			got := make(chan func(), 1)
			go func() {
				release, err := s.acquire(ctx, execution, deployment)
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				got <- release
			}()
			synctest.Wait()
			return got, cancel
		}
		a1, _ := take("a", "d")
		a2, cancelA2 := take("a", "d") // over the limit of its execution
		b, _ := take("b", "d")
		c, _ := take("c", "d") // over the limit of its deployment
		other, _ := take("x", "d2")
		if len(a1) != 1 || len(a2) != 0 || len(b) != 1 || len(c) != 0 || len(other) != 1 {
			t.Fatalf("granted %d %d %d %d %d", len(a1), len(a2), len(b), len(c), len(other))
		}
		cancelA2()
		synctest.Wait()
		if release := <-a2; release != nil {
			t.Error("a cancelled waiter got a slot")
		}
		(<-a1)()
		synctest.Wait()
		if len(c) != 1 {
			t.Error("the freed place of the deployment was not given on")
		}
		(<-b)()
		(<-c)()
		(<-other)()
		if s.inUse() != 0 {
			t.Errorf("%d slots left in use", s.inUse())
		}
	})
}

// Limits change while operations wait and run.
func TestSlotsHeedNewLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(Limits{Operations: 1})
		running, most := 0, 0
		var mu sync.Mutex
		stay := make(chan struct{})
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				release, err := s.acquire(t.Context(), "e", "d")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				running++
				most = max(most, running)
				mu.Unlock()
				<-stay
				mu.Lock()
				running--
				mu.Unlock()
				release()
			})
		}
		now := func(want int, limit string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if running != want {
				t.Errorf("%d run, want %d", running, want)
			}
			if got := s.limit("e", "d"); !strings.Contains(got, limit) {
				t.Errorf("limit %q, want %q", got, limit)
			}
		}
		now(1, "this manager performs at most 1 at once (max_concurrent_operations)")
		s.set(Limits{Operations: 4, OperationsPerDeployment: 3})
		now(3, "at most 3 for one deployment are performed at once (max_concurrent_operations_per_deployment)")
		s.set(Limits{Operations: 4, OperationsPerExecution: 1})
		now(3, "at most 1 of one execution are performed at once (max_concurrent_operations_per_execution)")
		for range 2 { // those that go make no room yet
			stay <- struct{}{}
		}
		now(1, "of one execution")
		s.set(Limits{Operations: 4})
		now(4, "at most 4 at once")
		close(stay)
		all.Wait()
		if most != 4 || s.inUse() != 0 {
			t.Errorf("at most %d ran, %d are left", most, s.inUse())
		}
	})
}

// Executions under way heed what is set meanwhile.
func TestLimitsAreSettings(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	runner := newScripted()
	b := block(runner, "host.create")
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
	set := func(name string, n int64) {
		t.Helper()
		err := st.Write(t.Context(), func(tx store.Tx) error {
			return tx.PutSetting(t.Context(), store.Setting{Scope: "workflow", Name: name, Value: n})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	set(DeploymentOperationsSetting, 1)
	set(OperationsSetting, 0) // not less than one, or nothing would ever run
	serve(t, s)
	e := install(t, s, "d", nil)
	<-b.begun
	if got, want := s.slots.current(), (Limits{Executions: 1000, Operations: 1, OperationsPerDeployment: 1}); got != want {
		t.Errorf("limits %+v, want %+v", got, want)
	}
	set(OperationsSetting, 7)
	for s.slots.current().Operations != 7 {
		runtime.Gosched()
	}
	b.proceed <- struct{}{}
	waitEnd(t, s, e.ID, store.Terminated)
}
