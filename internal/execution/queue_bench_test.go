package execution

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"windlass/internal/store"
	"windlass/internal/store/postgres"
	"windlass/internal/store/storetest"
	"windlass/internal/workflow"
)

// benchStores are the databases that benchmarks run on: PostgreSQL only where
// there is a server.
func benchStores(b *testing.B, run func(b *testing.B, st store.Store)) {
	b.Run("sqlite", func(b *testing.B) { run(b, openStore(b)) })
	if os.Getenv("WINDLASS_TEST_POSTGRES") == "" {
		return
	}
	b.Run("postgres", func(b *testing.B) {
		st, err := postgres.Open(b.Context(), storetest.PostgresDatabase(b))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := st.Close(); err != nil {
				b.Error(err)
			}
		})
		run(b, st)
	})
}

// idle is a service with n deployments whose workflows do nothing. It runs
// once serve is called.
func idle(b *testing.B, st store.Store, n int) *Service {
	b.Helper()
	for i := range n {
		addDeployment(b, st, fmt.Sprint("d", i), nil)
	}
	return newService(b, Config{Store: st, Alone: true, Timing: Timing{Poll: 2 * time.Second}, Workflows: func(string, string) (workflow.Func, bool) {
		return func(context.Context, workflow.Host, map[string]any) error { return nil }, true
	}})
}

// enqueue asks for n executions, spread over the deployments, by several
// clients at once.
func enqueue(b *testing.B, s *Service, n, deployments, clients int) {
	b.Helper()
	var all sync.WaitGroup
	errs := make([]error, clients)
	for c := range clients {
		all.Go(func() {
			for i := c; i < n && errs[c] == nil; i += clients {
				_, errs[c] = s.Start(b.Context(), StartRequest{
					Tenant: "default_tenant", DeploymentID: fmt.Sprint("d", i%deployments), WorkflowID: "install", Queue: true, CreatedBy: "admin",
				})
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			b.Fatal(err)
		}
	}
}

// drained waits until n executions have ended well, and returns them.
func drained(b *testing.B, s *Service, n int) []store.Execution {
	b.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for range look.C {
		ended, err := s.store.ListExecutions(b.Context(), store.Query{Filters: []store.Filter{statusIs(store.Terminated)}, Limit: 1})
		if err != nil {
			b.Fatal(err)
		}
		if ended.Total >= n {
			break
		}
	}
	page, err := s.store.ListExecutions(b.Context(), store.Query{})
	if err != nil {
		b.Fatal(err)
	}
	return page.Items
}

func percentile(all []time.Duration, p float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return float64(all[int(float64(len(all)-1)*p)].Microseconds()) / 1000
}

// BenchmarkExecutions starts executions of a workflow that does nothing, as
// fast as 32 clients ask for them, and reports how many a second come to their end.
func BenchmarkExecutions(b *testing.B) {
	benchStores(b, func(b *testing.B, st store.Store) {
		s := idle(b, st, 200)
		serve(b, s)
		b.ResetTimer()
		enqueue(b, s, b.N, 200, 32)
		drained(b, s, b.N)
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "executions/s")
		b.ReportMetric(0, "ns/op")
	})
}

// syncs is how long the disk takes to sync a page. An end and the start after it
// are one each, at the least.
func syncs(b *testing.B) []time.Duration {
	b.Helper()
	f, err := os.Create(filepath.Join(b.TempDir(), "page"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	page, took := make([]byte, 4096), make([]time.Duration, 500)
	for i := range took {
		began := time.Now()
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		took[i] = time.Since(began)
	}
	return took
}

// BenchmarkHandover has a queue for one deployment, and reports the time from
// an execution's end to the start of the next; to compare, what the disk takes.
func BenchmarkHandover(b *testing.B) {
	for _, others := range []int{0, 10_000} {
		b.Run(fmt.Sprint("others=", others), func(b *testing.B) {
			benchStores(b, func(b *testing.B, st store.Store) {
				s := idle(b, st, 3)
				// The others wait behind an execution that never ends.
				blocked, err := s.Start(b.Context(), StartRequest{Tenant: "default_tenant", DeploymentID: "d1", WorkflowID: "install", CreatedBy: "admin"})
				if err != nil {
					b.Fatal(err)
				}
				if err := st.Write(b.Context(), func(tx store.Tx) error {
					_, err := tx.ClaimExecution(b.Context(), blocked, "nobody", store.Lease{For: time.Hour})
					return err
				}); err != nil {
					b.Fatal(err)
				}
				for i := range others {
					if i%1000 == 0 {
						queueUp(b, s, "d1", min(1000, others-i))
					}
				}
				queueUp(b, s, "d0", b.N)
				b.ResetTimer()
				serve(b, s)
				if _, err := s.Start(b.Context(), StartRequest{Tenant: "default_tenant", DeploymentID: "d2", WorkflowID: "install", CreatedBy: "admin"}); err != nil {
					b.Fatal(err) // its end lets the first one in
				}
				all := drained(b, s, b.N+1)
				var last time.Time
				var gaps []time.Duration
				for _, e := range all {
					if e.DeploymentID != "d0" {
						continue
					}
					if !last.IsZero() {
						gaps = append(gaps, e.StartedAt.Sub(last))
					}
					last = e.EndedAt
				}
				b.ReportMetric(percentile(gaps, 0.5), "ms-p50")
				b.ReportMetric(percentile(gaps, 0.99), "ms-p99")
				b.ReportMetric(percentile(syncs(b), 0.99), "ms-disk-p99")
				b.ReportMetric(0, "ns/op")
			})
		})
	}
}

// queueUp stores n queued executions of a deployment at once.
func queueUp(b *testing.B, s *Service, deployment string, n int) {
	b.Helper()
	if err := s.store.Write(b.Context(), func(tx store.Tx) error {
		for range n {
			e := store.Execution{
				Owned: store.Owned{Tenant: "default_tenant", Visibility: store.Tenants, CreatedBy: "admin", CreatedAt: s.now()}, ID: orNewID(""),
				WorkflowID: "install", DeploymentID: deployment, BlueprintID: "bp", Status: store.Queued, QueuedAt: s.now(), Parameters: map[string]any{},
			}
			if err := tx.AddExecution(b.Context(), e); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkQueue drains a queue of executions of 100 deployments: run it with
// -benchtime 10000x for as many.
func BenchmarkQueue(b *testing.B) {
	benchStores(b, func(b *testing.B, st store.Store) {
		n := b.N
		s := idle(b, st, 100)
		for i := range 100 {
			queueUp(b, s, fmt.Sprint("d", i), (n+99-i)/100)
		}
		addDeployment(b, st, "first", nil)
		b.ResetTimer()
		serve(b, s)
		if _, err := s.Start(b.Context(), StartRequest{Tenant: "default_tenant", DeploymentID: "first", WorkflowID: "install", CreatedBy: "admin"}); err != nil {
			b.Fatal(err)
		}
		drained(b, s, n+1)
		b.ReportMetric(b.Elapsed().Seconds(), "s-to-drain")
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "executions/s")
		b.ReportMetric(0, "ns/op")
	})
}

// BenchmarkSchedules holds 100,000 schedules, of which some become due: 50 a
// second, as if each came every half hour, or many in the same instant. It reports how late their executions
// are there (fired) and how late they run (started; of one instant no more than
// max_concurrent_workflows at a time).
func BenchmarkSchedules(b *testing.B) {
	const held = 100_000
	for _, load := range []struct {
		name  string
		due   int
		every time.Duration
	}{{"spread", 500, 20 * time.Millisecond}, {"burst=100", 100, 0}, {"burst=1000", 1000, 0}} {
		due := load.due
		b.Run(load.name, func(b *testing.B) {
			benchStores(b, func(b *testing.B, st store.Store) {
				fired := &firings{Store: st, stored: map[string]time.Time{}}
				s := idle(b, fired, due)
				add := func(from, to int, next func(i int) time.Time) {
					if err := st.Write(b.Context(), func(tx store.Tx) error {
						for i := from; i < to; i++ {
							sc := store.Schedule{
								Owned: store.Owned{Tenant: "default_tenant", Visibility: store.Tenants, CreatedBy: "admin", CreatedAt: s.now()},
								ID:    fmt.Sprint("s", i), DeploymentID: fmt.Sprint("d", i%due), WorkflowID: "install", Rule: map[string]any{"recurrence": "1 days"},
								Since: time.Now().UTC(), Enabled: true, NextOccurrence: next(i),
							}
							if err := tx.AddSchedule(b.Context(), sc); err != nil {
								return err
							}
						}
						return nil
					}); err != nil {
						b.Fatal(err)
					}
				}
				for from := due; from < held; from += 2000 {
					add(from, min(held, from+2000), func(int) time.Time { return time.Now().Add(24 * time.Hour) })
				}
				soon := time.Now().Add(5 * time.Second)
				at := func(i int) time.Time { return soon.Add(time.Duration(i) * load.every) }
				add(0, due, at)
				if time.Now().After(soon) {
					b.Fatal("this machine takes too long to store schedules")
				}
				serve(b, s)
				all := drained(b, s, due)
				var late, started []time.Duration
				// They are created in the order in which they became due.
				slices.SortFunc(all, func(x, y store.Execution) int { return x.CreatedAt.Compare(y.CreatedAt) })
				for i, e := range all {
					late = append(late, fired.stored[e.ID].Sub(at(i)))
					started = append(started, e.StartedAt.Sub(at(i)))
				}
				b.ReportMetric(percentile(late, 0.5), "ms-fired-p50")
				b.ReportMetric(percentile(late, 0.99), "ms-fired-p99")
				b.ReportMetric(percentile(started, 0.5), "ms-started-p50")
				b.ReportMetric(percentile(started, 0.99), "ms-started-p99")
				b.ReportMetric(0, "ns/op")
			})
		})
	}
}

// firings notes when each execution that is added is stored.
type firings struct {
	store.Store
	mu     sync.Mutex
	stored map[string]time.Time // guarded by mu
}

func (f *firings) Write(ctx context.Context, fn func(store.Tx) error) error {
	return f.noting(fn, func(fn func(store.Tx) error) error { return f.Store.Write(ctx, fn) })
}

func (f *firings) WriteLocked(ctx context.Context, lock string, fn func(store.Tx) error) error {
	return f.noting(fn, func(fn func(store.Tx) error) error { return f.Store.WriteLocked(ctx, lock, fn) })
}

func (f *firings) noting(fn func(store.Tx) error, write func(func(store.Tx) error) error) error {
	var added *addedTx
	err := write(func(tx store.Tx) error {
		added = &addedTx{Tx: tx}
		return fn(added)
	})
	now := time.Now()
	if err == nil && len(added.ids) > 0 {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, id := range added.ids {
			f.stored[id] = now
		}
	}
	return err
}

type addedTx struct {
	store.Tx
	ids []string
}

func (t *addedTx) AddExecution(ctx context.Context, e store.Execution) error {
	t.ids = append(t.ids, e.ID)
	return t.Tx.AddExecution(ctx, e)
}
