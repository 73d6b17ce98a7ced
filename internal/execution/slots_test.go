package execution

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
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
