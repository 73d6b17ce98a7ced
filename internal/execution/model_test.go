package execution

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"windlass/internal/store"
	"windlass/internal/store/postgres"
	"windlass/internal/store/storetest"
)

// model is the rules of who may run, and who may run it, in a few lines: what
// the service answers, and every status afterwards, must be what these say.
type model struct {
	all       []*modelled // in the order of their requests
	schedules []planned   // that are still to come
	limit     int         // of those that the queue lets run at once
	behind    bool        // what a system-wide execution is in the way of waits unasked
}

type modelled struct {
	id         string
	deployment string // "" for system-wide ones
	status     store.Status
	force      bool
	queued     bool        // at some time
	paused     bool        // which changes nothing of who may run
	fence      store.Fence // the newest claim; zero without one
	owner      int         // whose claim it is: a life of a manager
	lease      time.Time
}

// planned is a workflow that starts later, queued if need be.
type planned struct {
	deployment string
	at         time.Time
}

// wanted is a request: for a deployment, or system-wide if that is "".
type wanted struct {
	deployment        string
	force, queue, dry bool // a dry run is let in like any other
}

func (m *modelled) wide() bool { return m.deployment == "" }

func (m *model) some(fits func(*modelled) bool) bool { return slices.ContainsFunc(m.all, fits) }

func isActiveModel(e *modelled) bool { return e.status.IsActive() }

func isQueuedModel(e *modelled) bool { return e.status == store.Queued }

// admitted tells whether a new execution would start now.
func (m *model) admitted(deployment string, force bool) bool {
	if deployment == "" {
		return !m.some(isActiveModel) && !m.some(func(e *modelled) bool { return e.wide() && isQueuedModel(e) })
	}
	if m.closed() {
		return false
	}
	return force || !m.some(func(e *modelled) bool { return e.deployment == deployment && (isActiveModel(e) || isQueuedModel(e)) })
}

// closed tells whether a system-wide execution keeps all others out.
func (m *model) closed() bool {
	return m.some(func(e *modelled) bool { return e.wide() && (isActiveModel(e) || isQueuedModel(e)) })
}

// ask is the answer to a request: the status of the new execution, "" for a refusal.
func (m *model) ask(w wanted) *modelled {
	e := &modelled{deployment: w.deployment, force: w.force, status: store.Pending}
	if !m.admitted(w.deployment, w.force) {
		unasked := m.behind && !e.wide() && m.closed()
		if e.status, e.queued = store.Queued, true; !w.queue && !unasked {
			return nil
		}
	}
	m.all = append(m.all, e)
	return e
}

// letIn starts what may start from the queue, in order.
func (m *model) letIn() {
	for _, e := range m.all {
		if e.wide() && isQueuedModel(e) {
			if !m.some(isActiveModel) {
				e.status = store.Pending
			}
			return
		}
	}
	if m.some(func(e *modelled) bool { return e.wide() && isActiveModel(e) }) {
		return
	}
	for _, e := range m.all {
		running := 0
		for _, o := range m.all {
			if isActiveModel(o) && o.queued {
				running++
			}
		}
		if isQueuedModel(e) && running < m.limit && !m.some(func(o *modelled) bool { return o.deployment == e.deployment && isActiveModel(o) }) {
			e.status = store.Pending
		}
	}
}

// act is the answer to an action: whether it is carried out.
func (m *model) act(e *modelled, how Action) bool {
	ended := e.status.IsEnd()
	switch how {
	case Cancel, ForceCancel, Kill:
		again := e.status == store.Cancelling && how == ForceCancel
		if (ended || e.status.IsCancelling()) && how != Kill && !again {
			return false
		}
		if isQueuedModel(e) {
			e.status = store.Cancelled
			m.letIn()
			return true
		}
		e.status = map[Action]store.Status{Cancel: store.Cancelling, ForceCancel: store.ForceCancelling, Kill: store.KillCancelling}[how]
		return true
	}
	if e.status == store.Started && how == Resume {
		return true // it goes on anyway
	}
	if e.status != store.Failed && e.status != store.Cancelled {
		return false
	}
	if !m.readmitted(e) {
		return false
	}
	e.status = store.Pending
	return true
}

// readmitted tells whether one that has ended would run again now: beside what it
// could be started beside, but before those that wait for its deployment.
func (m *model) readmitted(e *modelled) bool {
	if e.wide() {
		return m.admitted("", false)
	}
	if m.some(func(o *modelled) bool { return o.wide() && (isActiveModel(o) || isQueuedModel(o)) }) {
		return false
	}
	return e.force || !m.some(func(o *modelled) bool { return o.deployment == e.deployment && isActiveModel(o) })
}

// refusal is what a request is answered with that is not let in; one that resumes
// does not mind those that wait for the deployment.
func (m *model) refusal(deployment string, resumes bool) string {
	if deployment == "" {
		return "You cannot start a system-wide execution if there are other executions running."
	}
	if m.some(func(o *modelled) bool { return o.wide() && (isActiveModel(o) || isQueuedModel(o)) }) {
		return "You cannot start an execution if there is a running system-wide execution"
	}
	var names []string
	for _, fits := range []func(*modelled) bool{isActiveModel, func(o *modelled) bool { return isQueuedModel(o) && !resumes }} {
		for _, o := range m.all {
			if o.deployment == deployment && fits(o) {
				names = append(names, fmt.Sprintf("<Execution id=`%s` tenant=`default_tenant` status=`%s` workflow_id=`install`>", o.id, o.status))
			}
		}
	}
	return "The following executions are currently running for this deployment: [" + strings.Join(names, ", ") +
		"]. To execute this workflow anyway, pass \"force=true\" as a query parameter to this request"
}

// due starts what is scheduled up to now, the longest due first.
func (m *model) due(now time.Time) []*modelled {
	slices.SortStableFunc(m.schedules, func(a, b planned) int { return a.at.Compare(b.at) })
	var started []*modelled
	for len(m.schedules) > 0 && !m.schedules[0].at.After(now) {
		started = append(started, m.ask(wanted{deployment: m.schedules[0].deployment, queue: true}))
		m.schedules = m.schedules[1:]
	}
	return started
}

func (m *model) copy() *model {
	c := &model{schedules: slices.Clone(m.schedules), limit: m.limit, behind: m.behind}
	for _, e := range m.all {
		one := *e
		c.all = append(c.all, &one)
	}
	return c
}

func (m *model) pick(r *rapid.T, fits func(*modelled) bool, none string) *modelled {
	var some []*modelled
	for _, e := range m.all {
		if fits(e) {
			some = append(some, e)
		}
	}
	if len(some) == 0 {
		r.Skip(none)
	}
	return rapid.SampledFrom(some).Draw(r, "which")
}

// cluster is three managers on one database, and a clock that only tests move.
type cluster struct {
	t        *testing.T
	open     func() store.Store // for one life of a manager
	stores   []store.Store
	managers []*Service
	lives    []int
	born     int
	now      atomic.Int64 // microseconds
}

func (w *cluster) clock() time.Time { return time.UnixMicro(w.now.Load()).UTC() }

// tick moves the clock a little, so that no two requests are made at once.
func (w *cluster) tick() { w.now.Add(1000) }

// start gives manager k a new life.
func (w *cluster) start(k int) {
	w.stores[k] = w.open()
	w.managers[k] = newService(w.t, Config{Store: w.stores[k], ManagerName: fmt.Sprint("m", k), Clock: store.NewTestClock(w.clock)})
	w.born++
	w.lives[k] = w.born
}

var modelDeployments = []string{"d0", "d1", "d2"}

// begin makes everything anew on an empty database.
func (w *cluster) begin(r *rapid.T) {
	if err := w.stores[0].Write(w.t.Context(), func(tx store.Tx) error { return tx.Clear(w.t.Context(), "") }); err != nil {
		r.Fatal(err)
	}
	for _, d := range modelDeployments {
		addDeployment(w.t, w.stores[0], d, nil)
	}
}

// TestRulesAgainstModel drives three managers on one database with random
// requests, and compares every answer and every status with the model.
func TestRulesAgainstModel(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		st := openStore(t)
		compareWithModel(t, func() store.Store { return st }, func(store.Store) error { return nil }, 60)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		address := storetest.PostgresDatabase(t)
		compareWithModel(t, func() store.Store {
			st, err := postgres.Open(t.Context(), address)
			if err != nil {
				t.Fatal(err)
			}
			return st
		}, store.Store.Close, 12)
	})
}

// compareWithModel runs checks many random histories; SOAK=1 runs all of rapid's.
func compareWithModel(t *testing.T, open func() store.Store, shut func(store.Store) error, checks int64) {
	w := &cluster{t: t, open: open, stores: make([]store.Store, 3), managers: make([]*Service, 3), lives: make([]int, 3)}
	w.now.Store(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC).UnixMicro())
	for k := range w.managers {
		w.start(k)
	}
	defer func() {
		for _, st := range w.stores {
			if err := shut(st); err != nil {
				t.Error(err)
			}
		}
	}()
	if sparse {
		checks /= 3
	}
	var done atomic.Int64
	rapid.Check(t, func(r *rapid.T) {
		if done.Add(1) > checks && os.Getenv("SOAK") == "" {
			return
		}
		w.begin(r)
		m := &model{limit: DefaultExecutions}
		anyone := func() int { return rapid.IntRange(0, len(w.managers)-1).Draw(r, "manager") }
		request := func(r *rapid.T, name string) wanted {
			if rapid.IntRange(0, 4).Draw(r, name+" is system-wide") == 0 {
				return wanted{queue: rapid.Bool().Draw(r, name+" may queue")}
			}
			return wanted{rapid.SampledFrom(modelDeployments).Draw(r, name+" on"), rapid.Bool().Draw(r, name+" by force"),
				rapid.Bool().Draw(r, name+" may queue"), rapid.IntRange(0, 4).Draw(r, name+" is a dry run") == 0}
		}
		r.Repeat(map[string]func(*rapid.T){
			"start": func(r *rapid.T) {
				q := request(r, "it")
				e, err := w.ask(anyone(), q)
				if why := agree(m, []wanted{q}, []store.Execution{e}, []error{err}); why != "" {
					r.Fatal(why)
				}
			},
			"start two at once": func(r *rapid.T) {
				q := []wanted{request(r, "one"), request(r, "other")}
				e, err := make([]store.Execution, 2), make([]error, 2)
				by := []int{anyone(), anyone()}
				var both sync.WaitGroup
				for k := range q {
					both.Go(func() { e[k], err[k] = w.ask(by[k], q[k]) })
				}
				both.Wait()
				// Who came first is not said: one of both orders must explain it. If
				// both do, it is the one in which they stand in the queue.
				if err[0] == nil && err[1] == nil && w.isBefore(r, e[1].ID, e[0].ID) {
					slices.Reverse(q)
					slices.Reverse(e)
				}
				other := m.copy()
				why := agree(m, q, e, err)
				if why == "" {
					return
				}
				slices.Reverse(q)
				slices.Reverse(e)
				slices.Reverse(err)
				if otherwise := agree(other, q, e, err); otherwise != "" {
					r.Fatalf("neither order explains the answers: %s; %s", why, otherwise)
				}
				*m = *other
			},
			"schedule": func(r *rapid.T) {
				p := planned{rapid.SampledFrom(modelDeployments).Draw(r, "on"), w.clock().Add(time.Duration(rapid.IntRange(1, 60).Draw(r, "in")) * time.Second)}
				w.tick()
				if _, err := w.managers[anyone()].StartLater(t.Context(), StartRequest{
					Tenant: "default_tenant", DeploymentID: p.deployment, WorkflowID: "install", CreatedBy: "admin",
				}, p.at); err != nil {
					r.Fatal(err)
				}
				p.at = p.at.Add(time.Second - 1).Truncate(time.Second) // in whole seconds
				m.schedules = append(m.schedules, p)
			},
			"time passes": func(r *rapid.T) {
				w.now.Add(int64(rapid.IntRange(1, 20).Draw(r, "seconds")) * 1_000_000)
				// Several look what is due, and one starts it.
				var all sync.WaitGroup
				errs := make([]error, 2)
				for k := range errs {
					s := w.managers[anyone()]
					all.Go(func() { _, errs[k] = s.startDue(t.Context()) })
				}
				all.Wait()
				if err := errors.Join(errs...); err != nil {
					r.Fatal(err)
				}
				started := m.due(w.clock())
				if len(started) > 0 {
					w.find(r, m, started)
				}
			},
			"act": func(r *rapid.T) {
				e := m.pick(r, func(*modelled) bool { return true }, "there is nothing")
				how := rapid.SampledFrom([]Action{Cancel, ForceCancel, Kill, Resume, ForceResume}).Draw(r, "how")
				was := e.status
				w.tick()
				err := w.act(anyone(), e.id, how)
				if done := m.act(e, how); done != (err == nil) {
					r.Fatalf("%s of one that is %s should be carried out: %t; got %v", how, was, done, err)
				}
				var refusal *Refusal
				if words := m.refusal(e.deployment, true); errors.As(err, &refusal) && refusal.Code == CodeExistingRunning && refusal.Message != words {
					r.Fatalf("%s is refused with %q, want %q", how, refusal.Message, words)
				}
			},
			"pause or continue": func(r *rapid.T) {
				e := m.pick(r, func(*modelled) bool { return true }, "there is nothing")
				to := rapid.Bool().Draw(r, "to be paused")
				done := !e.status.IsEnd() && !e.status.IsCancelling()
				if err := w.pause(anyone(), e.id, to); done != (err == nil) {
					r.Fatalf("pausing (%t) one that is %s should be carried out: %t; got %v", to, e.status, done, err)
				}
				if done {
					e.paused = to
				}
			},
			"limit": func(r *rapid.T) {
				m.limit = rapid.IntRange(0, 4).Draw(r, "to")
				w.setLimit(r, anyone(), m.limit)
				m.letIn()
			},
			"wait behind system-wide ones unasked": func(r *rapid.T) {
				m.behind = !m.behind
				w.set(r, anyone(), "queue_behind_system_wide", m.behind)
			},
			"claim": func(r *rapid.T) { w.claim(r, m, anyone()) },
			"renew": func(r *rapid.T) { w.renew(r, m, anyone()) },
			"crash": func(r *rapid.T) {
				k := anyone()
				if err := shut(w.stores[k]); err != nil {
					r.Fatal(err)
				}
				w.start(k)
			},
			"end": func(r *rapid.T) {
				e := m.pick(r, func(e *modelled) bool { return isActiveModel(e) && e.fence.Epoch > 0 }, "nothing is claimed")
				to := rapid.SampledFrom(store.EndStatuses).Draw(r, "as")
				w.tick()
				err := w.end(anyone(), e, to)
				if cut := e.status == store.Cancelling || e.status == store.ForceCancelling; cut && to == store.Terminated {
					if err == nil || !strings.Contains(err.Error(), "can't go from") {
						r.Fatalf("one that is %s ended as %s: %v", e.status, to, err)
					}
					return
				}
				if err != nil {
					r.Fatal(err)
				}
				e.status, e.fence = to, store.Fence{}
				m.letIn()
			},
			"leave the queue": func(r *rapid.T) {
				e := m.pick(r, isQueuedModel, "nobody waits")
				w.tick()
				if err := w.act(anyone(), e.id, Cancel); err != nil {
					r.Fatal(err)
				}
				m.act(e, Cancel)
			},
			"": func(r *rapid.T) { w.compare(r, m) },
		})
	})
}

// ask makes a request of manager k.
func (w *cluster) ask(k int, q wanted) (store.Execution, error) {
	w.tick()
	if q.deployment == "" {
		return w.managers[k].StartSystem(w.t.Context(), nil, SystemRequest{
			Tenant: "default_tenant", WorkflowID: "restore_snapshot", Queue: q.queue, CreatedBy: "admin",
		})
	}
	return w.managers[k].Start(w.t.Context(), StartRequest{
		Tenant: "default_tenant", DeploymentID: q.deployment, WorkflowID: "install", Force: q.force, Queue: q.queue, DryRun: q.dry, CreatedBy: "admin",
	})
}

// isBefore tells whether one execution stands before another.
func (w *cluster) isBefore(r *rapid.T, one, other string) bool {
	page, err := w.stores[0].ListExecutions(w.t.Context(), store.Query{})
	if err != nil {
		r.Fatal(err)
	}
	at := func(id string) int {
		return slices.IndexFunc(page.Items, func(e store.Execution) bool { return e.ID == id })
	}
	return at(one) < at(other)
}

// agree tells where answers are not those of the model, "" if they are.
func agree(m *model, asked []wanted, es []store.Execution, errs []error) string {
	for k, q := range asked {
		want := m.ask(q)
		switch {
		case want == nil:
			var refusal *Refusal
			if !errors.As(errs[k], &refusal) || refusal.Code != CodeExistingRunning || refusal.Message != m.refusal(q.deployment, false) {
				return fmt.Sprintf("%+v should be refused with %q; got %s, %v", q, m.refusal(q.deployment, false), es[k].Status, errs[k])
			}
		case errs[k] != nil || es[k].Status != want.status:
			return fmt.Sprintf("%+v should be %s; got %s, %v", q, want.status, es[k].Status, errs[k])
		default:
			want.id = es[k].ID
		}
	}
	return ""
}

// find gives the executions that schedules started their ids, in order.
func (w *cluster) find(r *rapid.T, m *model, started []*modelled) {
	page, err := w.stores[0].ListExecutions(w.t.Context(), store.Query{})
	if err != nil {
		r.Fatal(err)
	}
	var unknown []store.Execution
	for _, e := range page.Items {
		if !m.some(func(o *modelled) bool { return o.id == e.ID }) {
			unknown = append(unknown, e)
		}
	}
	if len(unknown) != len(started) {
		r.Fatalf("%d executions were started by schedules, want %d", len(unknown), len(started))
	}
	for i, e := range unknown {
		if e.DeploymentID != started[i].deployment {
			r.Fatalf("schedule %d started on %s, want %s", i, e.DeploymentID, started[i].deployment)
		}
		started[i].id = e.ID
	}
}

// claim lets manager k claim one of those that are free: new ones, and those
// whose owners have not renewed in time.
func (w *cluster) claim(r *rapid.T, m *model, k int) {
	now := w.clock()
	free := func(e *modelled) bool { return isActiveModel(e) && (e.fence.Epoch == 0 || !e.lease.After(now)) }
	found, err := w.stores[k].Claimable(w.t.Context(), w.managers[k].holding(), 100)
	if err != nil {
		r.Fatal(err)
	}
	var got, want []string
	for _, e := range found {
		got = append(got, e.ID)
	}
	for _, e := range m.all {
		if free(e) {
			want = append(want, e.id)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		r.Fatalf("claimable are %v, want %v", got, want)
	}
	e := m.pick(r, free, "nothing is free")
	s, before := w.managers[k], e.fence
	e.lease = now.Add(s.cfg.Timing.Lease)
	err = w.stores[k].Write(w.t.Context(), func(tx store.Tx) error {
		x, err := tx.GetExecution(w.t.Context(), e.id)
		if err != nil {
			return err
		}
		x, err = tx.ClaimExecution(w.t.Context(), x, s.owner, s.lease())
		if err != nil {
			return err
		}
		e.fence, e.owner = store.Fence{ExecutionID: e.id, Epoch: x.Epoch}, w.lives[k]
		if x.Status == store.Pending {
			_, err = s.transition(w.t.Context(), tx, &x, store.Started, "")
		}
		return err
	})
	if err != nil {
		r.Fatalf("claim: %v", err)
	}
	if e.status == store.Pending {
		e.status = store.Started
	}
	if before.Epoch == 0 {
		return
	}
	err = w.stores[k].Write(w.t.Context(), func(tx store.Tx) error { return tx.CheckFence(w.t.Context(), before) })
	if !errors.Is(err, store.ErrFenced) {
		r.Fatalf("whoever lost the claim may still write: %v", err)
	}
}

// renew lets manager k renew the claims of its present life.
func (w *cluster) renew(r *rapid.T, m *model, k int) {
	var fences []store.Fence
	var want []string
	for _, e := range m.all {
		if e.owner == w.lives[k] && e.fence.Epoch > 0 {
			fences, want = append(fences, e.fence), append(want, e.id)
			e.lease = w.clock().Add(w.managers[k].cfg.Timing.Lease)
		}
	}
	var held []string
	if err := w.stores[k].Write(w.t.Context(), func(tx store.Tx) (err error) {
		held, err = tx.RenewLeases(w.t.Context(), w.managers[k].owner, fences, w.managers[k].lease())
		return err
	}); err != nil {
		r.Fatal(err)
	}
	slices.Sort(held)
	slices.Sort(want)
	if !slices.Equal(held, want) {
		r.Fatalf("manager %d holds %v, want %v", k, held, want)
	}
}

// end ends an execution as whoever runs it, or takes it from the queue, does.
func (w *cluster) end(k int, e *modelled, to store.Status) error {
	ctx := w.t.Context()
	return w.stores[k].Write(ctx, func(tx store.Tx) error {
		if err := tx.Lock(admissionLock); err != nil {
			return err
		}
		if e.fence.Epoch > 0 {
			if err := tx.CheckFence(ctx, e.fence); err != nil {
				return err
			}
		}
		if err := endIn(ctx, w.managers[k], tx, e.id, to); err != nil || e.fence.Epoch == 0 {
			return err
		}
		return tx.ReleaseExecution(ctx, e.fence)
	})
}

// act asks manager k for an action. A refusal is an error, others are fatal.
func (w *cluster) act(k int, id string, how Action) (err error) {
	switch how {
	case Resume, ForceResume:
		_, err = w.managers[k].Resume(w.t.Context(), "default_tenant", id, how == ForceResume)
	default:
		_, err = w.managers[k].Cancel(w.t.Context(), "default_tenant", id, how)
	}
	var refusal *Refusal
	if err != nil && !errors.As(err, &refusal) {
		w.t.Fatal(err)
	}
	return err
}

func (w *cluster) pause(k int, id string, to bool) (err error) {
	w.tick()
	if to {
		_, err = w.managers[k].Pause(w.t.Context(), "default_tenant", id)
	} else {
		_, err = w.managers[k].Continue(w.t.Context(), "default_tenant", id)
	}
	var refusal *Refusal
	if err != nil && !errors.As(err, &refusal) {
		w.t.Fatal(err)
	}
	return err
}

// setLimit changes how many the queue lets run at once.
func (w *cluster) setLimit(r *rapid.T, k, limit int) { w.set(r, k, ExecutionsSetting, int64(limit)) }

// set changes a setting, and lets in whoever may start by that.
func (w *cluster) set(r *rapid.T, k int, name string, v any) {
	w.tick()
	ctx := w.t.Context()
	if err := w.stores[k].Write(ctx, func(tx store.Tx) error {
		if err := tx.PutSetting(ctx, store.Setting{Scope: "rest", Name: name, Value: v}); err != nil {
			return err
		}
		return w.managers[k].LetIn(ctx, tx)
	}); err != nil {
		r.Fatal(err)
	}
}

func (w *cluster) compare(r *rapid.T, m *model) {
	page, err := w.stores[1].ListExecutions(w.t.Context(), store.Query{})
	if err != nil {
		r.Fatal(err)
	}
	say := func(status store.Status, paused bool) string {
		if paused {
			return string(status) + " (paused)"
		}
		return string(status)
	}
	is := map[string]string{}
	for _, e := range page.Items {
		is[e.ID] = say(e.Status, e.Arguments[store.ArgumentPaused] == true)
	}
	var got, want []string
	for _, e := range m.all {
		got, want = append(got, is[e.id]), append(want, say(e.status, e.paused))
	}
	if !slices.Equal(got, want) || len(is) != len(m.all) {
		r.Fatalf("statuses in the order of the requests (%d executions, want %d):\n got %s\nwant %s",
			len(is), len(m.all), strings.Join(got, " "), strings.Join(want, " "))
	}
}

func endIn(ctx context.Context, s *Service, tx store.Tx, id string, to store.Status) error {
	if err := tx.Lock(admissionLock); err != nil {
		return err
	}
	e, err := tx.LockExecution(ctx, id)
	if err != nil {
		return err
	}
	e.EndedAt = time.Now()
	_, err = s.transition(ctx, tx, &e, to, "")
	return err
}
