package execution

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"windlass/internal/store"
	"windlass/internal/store/sqlite"
	"windlass/internal/store/storetest"
)

func openStore(t testing.TB) store.Store {
	t.Helper()
	st, err := sqlite.Open(t.Context(), storetest.SQLiteFile(t, filepath.Join(t.TempDir(), "test.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

// fast are intervals that make loops turn quickly.
var fast = Timing{Lease: 30 * time.Second, Renew: 100 * time.Millisecond, Poll: 20 * time.Millisecond}

func newService(t testing.TB, cfg Config) *Service {
	t.Helper()
	if cfg.ManagerName == "" {
		cfg.ManagerName = "m1"
	}
	if cfg.Timing == (Timing{}) {
		cfg.Timing = fast
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serve runs a service until the returned function is called, at the latest
// until the end of the test.
func serve(t testing.TB, s *Service) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// crash ends a service as a killed process would: its claims stay, and what it
// was doing is written down no more.
func crash(s *Service, stop func()) {
	for _, r := range s.runs() {
		r.stop(errLost)
	}
	stop()
}

// patience bounds how long tests wait for what should come at once.
const patience = 20 * time.Second

func waitEnd(t testing.TB, s *Service, id string, want store.Status) store.Execution {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	e, err := s.Wait(ctx, id)
	if err != nil {
		t.Fatalf("wait for %s: %v (status %s)", id, err, e.Status)
	}
	if e.Status != want {
		text := ""
		if e.Error != nil {
			text = *e.Error
		}
		t.Fatalf("execution %s of %s ended %s, want %s; error:\n%s", e.ID, e.WorkflowID, e.Status, want, text)
	}
	return e
}

func startSystem(t testing.TB, s *Service, r SystemRequest) store.Execution {
	t.Helper()
	r.Tenant, r.CreatedBy = "default_tenant", "admin"
	e, err := s.StartSystem(t.Context(), nil, r)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func get(t testing.TB, s *Service, id string) store.Execution {
	t.Helper()
	e, err := s.Get(t.Context(), "default_tenant", id)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// gate is a system workflow that tells when it runs and waits to be let on.
type gate struct {
	entered chan string // execution ids
	proceed chan error
}

func newGate() *gate { return &gate{entered: make(chan string, 100), proceed: make(chan error, 100)} }

func (g *gate) run(ctx context.Context, e store.Execution, h SystemHost) error {
	h.Log("info", "at the gate")
	g.entered <- e.ID
	select {
	case err := <-g.proceed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestSystemWorkflowRunsToItsEnd(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	s := newService(t, Config{Store: st, SystemWorkflows: map[string]SystemWorkflow{
		"upload_blueprint": func(ctx context.Context, e store.Execution, h SystemHost) error {
			h.Log("info", "parsing\x00")
			h.Event("workflow_stage", "halfway")
			return h.Write(ctx, func(tx store.Tx) error {
				b, err := tx.GetBlueprint(ctx, e.Tenant, "bp")
				b.State = fmt.Sprint(e.Arguments["state"])
				return errors.Join(err, tx.UpdateBlueprint(ctx, b))
			})
		},
		"update_plugin": func(context.Context, store.Execution, SystemHost) error { return errors.New("no such update") },
		"create_log_bundle": func(context.Context, store.Execution, SystemHost) error {
			var m map[string]int
			m["x"] = 1 //lint:ignore SA5000 the panic is the point
			return nil
		},
	}})
	serve(t, s)

	e := startSystem(t, s, SystemRequest{WorkflowID: "upload_blueprint", Arguments: map[string]any{"state": "parsing"}})
	if e.Status != store.Pending || e.ID == "" {
		t.Errorf("started with %+v", e)
	}
	e = waitEnd(t, s, e.ID, store.Terminated)
	if e.StartedAt.IsZero() || e.EndedAt.IsZero() || e.Owner != "" || e.TokenHash != "" || e.Error == nil || *e.Error != "" {
		t.Errorf("ended with %+v", e)
	}
	want := []string{
		"workflow_started   Starting 'upload_blueprint' workflow execution", "workflow_stage   halfway",
		"workflow_succeeded   'upload_blueprint' workflow execution succeeded",
	}
	if got := eventsOf(t, st, e.ID); !slices.Equal(got, want) {
		t.Errorf("events %q", got)
	}
	logs, err := st.TailEvents(t.Context(), e.ID, 1, 1)
	if err != nil || len(logs) != 1 || logs[0].Message != "parsing<NUL>" || logs[0].Logger != "ctx."+e.ID || logs[0].Level != "info" {
		t.Errorf("%v, logs %+v", err, logs)
	}
	if b, err := st.GetBlueprint(t.Context(), "default_tenant", "bp"); err != nil || b.State != "parsing" {
		t.Errorf("%v, blueprint %+v", err, b)
	}

	e = waitEnd(t, s, startSystem(t, s, SystemRequest{WorkflowID: "update_plugin"}).ID, store.Failed)
	if *e.Error != "no such update" {
		t.Errorf("error %q", *e.Error)
	}
	e = waitEnd(t, s, startSystem(t, s, SystemRequest{WorkflowID: "create_log_bundle"}).ID, store.Failed)
	if !strings.Contains(*e.Error, "internal error in workflow create_log_bundle: assignment to entry in nil map") {
		t.Errorf("error %q", *e.Error)
	}
}

func TestQueueLetsInByItself(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	addDeployment(t, st, "d2", nil)
	g := newGate()
	s := newService(t, Config{Store: st, SystemWorkflows: map[string]SystemWorkflow{"install": g.run, "update_plugin": g.run}})
	serve(t, s)
	start := func(deployment string, queue bool) (store.Execution, error) {
		return s.Start(t.Context(), StartRequest{
			Tenant: "default_tenant", DeploymentID: deployment, WorkflowID: "install", Queue: queue, CreatedBy: "admin"})
	}
	must := func(e store.Execution, err error) store.Execution {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return e
	}

	first := must(start("d", false))
	<-g.entered
	_, err := start("d", false)
	wantRefusal(t, err, CodeExistingRunning, http.StatusBadRequest, fmt.Sprintf("The following executions are currently running for "+
		"this deployment: [<Execution id=`%s` tenant=`default_tenant` status=`started` workflow_id=`install`>]. "+
		"To execute this workflow anyway, pass \"force=true\" as a query parameter to this request", first.ID))
	second, third := must(start("d", true)), must(start("d", true))
	if second.Status != store.Queued || third.Status != store.Queued {
		t.Fatalf("queued as %s and %s", second.Status, third.Status)
	}
	_, err = s.StartSystem(t.Context(), nil, SystemRequest{Tenant: "default_tenant", WorkflowID: "update_plugin"})
	wantRefusal(t, err, CodeExistingRunning, http.StatusBadRequest,
		"You cannot start a system-wide execution if there are other executions running.")
	why, err := s.Why(t.Context(), "default_tenant", third.ID)
	if err != nil || why.Position != 2 || len(why.BlockedBy) != 2 || why.BlockedBy[0].ID != first.ID || why.BlockedBy[1].ID != second.ID {
		t.Errorf("why: %+v, %v", why, err)
	}

	wide := startSystem(t, s, SystemRequest{WorkflowID: "update_plugin", Queue: true})
	if wide.Status != store.Queued {
		t.Fatalf("a system-wide execution beside another is %s", wide.Status)
	}
	_, err = start("d2", false)
	wantRefusal(t, err, CodeExistingRunning, http.StatusBadRequest,
		"You cannot start an execution if there is a running system-wide execution")
	other := must(start("d2", true))

	// The system-wide one goes first and alone, then the oldest of each deployment.
	g.proceed <- nil
	order := []string{<-g.entered}
	g.proceed <- nil
	order = append(order, <-g.entered, <-g.entered)
	g.proceed <- nil
	g.proceed <- nil
	order = append(order, <-g.entered)
	g.proceed <- nil
	for _, e := range []store.Execution{first, second, third, wide, other} {
		waitEnd(t, s, e.ID, store.Terminated)
	}
	if order[0] != wide.ID || !slices.Contains(order[1:3], second.ID) || !slices.Contains(order[1:3], other.ID) || order[3] != third.ID {
		t.Errorf("order %v; wide %s, second %s, other %s, third %s", order, wide.ID, second.ID, other.ID, third.ID)
	}
}

func TestStartRefusals(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	s := newService(t, Config{Store: st})
	ask := func(edit func(r *StartRequest)) error {
		r := StartRequest{Tenant: "default_tenant", DeploymentID: "d", WorkflowID: "install", CreatedBy: "admin"}
		edit(&r)
		_, err := s.Start(t.Context(), r)
		return err
	}
	wantRefusal(t, ask(func(r *StartRequest) { r.DeploymentID = "nope" }), CodeNotFound, http.StatusNotFound,
		"Requested `Deployment` with ID `nope` was not found")
	wantRefusal(t, ask(func(r *StartRequest) { r.WorkflowID = "nope" }), CodeNoWorkflow, http.StatusBadRequest,
		"Workflow nope does not exist in the deployment d")
	wantRefusal(t, ask(func(r *StartRequest) { r.Parameters = map[string]any{"x": int64(1)} }), CodeParameters, http.StatusBadRequest,
		`Workflow "install" does not have the following parameters declared: x. Remove these parameters or use the flag for allowing custom parameters`)
	wantRefusal(t, ask(func(r *StartRequest) { r.WorkflowID = "execute_operation" }), CodeParameters, http.StatusBadRequest,
		`Workflow "execute_operation" must be provided with the following parameters to execute: operation`)

	// An unavailable workflow leaves a failed execution behind.
	write(t, st, func(ctx context.Context, tx store.Tx) error {
		d, err := tx.GetDeployment(ctx, "default_tenant", "d")
		w := d.Workflows["uninstall"]
		w.AvailabilityRules = activeRules("all")
		d.Workflows["uninstall"] = w
		return errors.Join(err, tx.UpdateDeployment(ctx, d))
	})
	wantRefusal(t, ask(func(r *StartRequest) { r.WorkflowID = "uninstall" }), CodeUnavailable, http.StatusBadRequest,
		"Workflow not available: uninstall")
	failed, err := executionsWhere(t.Context(), st, 0, statusIs(store.Failed))
	if err != nil || len(failed) != 1 || *failed[0].Error != "Error preparing execution: Workflow not available: uninstall" {
		t.Errorf("%v, left behind: %+v", err, failed)
	}

	// An execution that is being cancelled starts nothing.
	caller := startSystem(t, s, SystemRequest{WorkflowID: "upload_blueprint"})
	if _, err := s.Cancel(t.Context(), "default_tenant", caller.ID, Cancel); err != nil {
		t.Fatal(err)
	}
	err = ask(func(r *StartRequest) { r.Caller = caller.ID })
	if r := new(Refusal); !errors.As(err, &r) || r.Code != CodeWhileCancelling || r.Status != http.StatusForbidden {
		t.Errorf("got %v", err)
	}
}

func TestCancelOfWhatWaits(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	s := newService(t, Config{Store: st, SystemWorkflows: map[string]SystemWorkflow{"install": newGate().run}})
	start := func() store.Execution {
		e, err := s.Start(t.Context(), StartRequest{Tenant: "default_tenant", DeploymentID: "d", WorkflowID: "install", Queue: true})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	pending, queued := start(), start()
	e, err := s.Cancel(t.Context(), "default_tenant", queued.ID, ForceCancel)
	if err != nil || e.Status != store.Cancelled || e.EndedAt.IsZero() {
		t.Errorf("a queued execution is %s, %v", e.Status, err)
	}
	e, err = s.Cancel(t.Context(), "default_tenant", pending.ID, Cancel)
	if err != nil || e.Status != store.Cancelling {
		t.Errorf("a pending execution is %s, %v", e.Status, err)
	}
	_, err = s.Cancel(t.Context(), "default_tenant", pending.ID, Cancel)
	wantRefusal(t, err, CodeIllegalAction, http.StatusBadRequest,
		fmt.Sprintf("Can't cancel execution %s because it's in status cancelling", pending.ID))
	_, err = s.Cancel(t.Context(), "default_tenant", "none", Cancel)
	wantRefusal(t, err, CodeNotFound, http.StatusNotFound, "Requested `Execution` ['none'] was not found")

	// Nobody ran it when it was cancelled: the next claimer ends it without running it.
	serve(t, s)
	waitEnd(t, s, pending.ID, store.Cancelled)
	if got := eventsOf(t, st, pending.ID); !slices.Equal(got, []string{
		fmt.Sprintf("execution_state_change   execution '%s' changed state to 'cancelling'", pending.ID),
		"workflow_cancelled   'install' workflow execution cancelled",
	}) {
		t.Errorf("events %q", got)
	}
}

// A cancel needs no room among the executions that run: one that waits to be
// claimed, while as many run as may, ends at once.
func TestCancelWithoutRoom(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "a", nil)
	addDeployment(t, st, "b", nil)
	g := newGate()
	s := newService(t, Config{Store: st, Limits: Limits{Executions: 1}, SystemWorkflows: map[string]SystemWorkflow{"install": g.run}})
	serve(t, s)
	start := func(deployment string) store.Execution {
		e, err := s.Start(t.Context(), StartRequest{Tenant: "default_tenant", DeploymentID: deployment, WorkflowID: "install"})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	first := start("a")
	<-g.entered
	second := start("b")
	if _, err := s.Cancel(t.Context(), "default_tenant", second.ID, Cancel); err != nil {
		t.Fatal(err)
	}
	waitEnd(t, s, second.ID, store.Cancelled)
	if got := get(t, s, first.ID).Status; got != store.Started {
		t.Errorf("the other is %s", got)
	}
	g.proceed <- nil
	waitEnd(t, s, first.ID, store.Terminated)
}

func TestCancelKindsOfSystemWorkflow(t *testing.T) {
	t.Parallel()
	for _, how := range []Action{Cancel, ForceCancel, Kill} {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			st := openStore(t)
			addDeployment(t, st, "d", nil)
			g := newGate()
			s := newService(t, Config{Store: st, SystemWorkflows: map[string]SystemWorkflow{"upload_blueprint": g.run}})
			serve(t, s)
			e := startSystem(t, s, SystemRequest{WorkflowID: "upload_blueprint"})
			<-g.entered
			if _, err := s.Cancel(t.Context(), "default_tenant", e.ID, how); err != nil {
				t.Fatal(err)
			}
			waitEnd(t, s, e.ID, store.Cancelled)
		})
	}
}

func TestTakeOverAfterCrash(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		cfg   Config
		later time.Duration
	}{
		"by the same manager, at once":         {cfg: Config{ManagerName: "m1"}},
		"by a manager that is alone, at once":  {cfg: Config{ManagerName: "m2", Alone: true}},
		"by another, when the lease has ended": {cfg: Config{ManagerName: "m2"}, later: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := openStore(t)
			addDeployment(t, st, "d", nil)
			g := newGate()
			workflows := map[string]SystemWorkflow{"upload_blueprint": g.run}
			dead := newService(t, Config{Store: st, SystemWorkflows: workflows, Timing: Timing{Lease: time.Minute, Poll: time.Second}})
			stop := serve(t, dead)
			e := startSystem(t, dead, SystemRequest{WorkflowID: "upload_blueprint"})
			<-g.entered
			crash(dead, stop)
			before := get(t, dead, e.ID)
			if before.Status != store.Started || before.Owner != dead.owner {
				t.Fatalf("after the crash: %s, owner %q", before.Status, before.Owner)
			}

			tt.cfg.Store, tt.cfg.SystemWorkflows = st, workflows
			tt.cfg.Clock = store.NewTestClock(func() time.Time { return time.Now().Add(tt.later) })
			next := newService(t, tt.cfg)
			serve(t, next)
			<-g.entered
			after := get(t, next, e.ID)
			if after.Epoch != before.Epoch+1 || after.TokenHash == before.TokenHash || !after.StartedAt.Equal(before.StartedAt) {
				t.Errorf("taken over as %+v, was %+v", after, before)
			}
			g.proceed <- nil
			waitEnd(t, next, e.ID, store.Terminated)
		})
	}
}

// TestStopReleases stops a manager in order: another takes its executions at
// once, though the lease is long.
func TestStopReleases(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	g := newGate()
	cfg := Config{Store: st, SystemWorkflows: map[string]SystemWorkflow{"upload_blueprint": g.run}, Timing: Timing{Lease: time.Hour, Poll: time.Second}}
	first := newService(t, cfg)
	stop := serve(t, first)
	e := startSystem(t, first, SystemRequest{WorkflowID: "upload_blueprint"})
	<-g.entered
	stop()
	if got := get(t, first, e.ID); got.Status != store.Started || got.Owner != "" {
		t.Fatalf("after the stop: %s, owner %q", got.Status, got.Owner)
	}
	cfg.ManagerName = "m2"
	second := newService(t, cfg)
	serve(t, second)
	<-g.entered
	g.proceed <- nil
	waitEnd(t, second, e.ID, store.Terminated)
}

// TestLostClaimStopsWriting lets another manager take an execution over behind
// the back of the first, as after a long pause of its machine.
func TestLostClaimStopsWriting(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	g := newGate()
	stale := newService(t, Config{Store: st, ManagerName: "stale", SystemWorkflows: map[string]SystemWorkflow{"upload_blueprint": g.run}})
	serve(t, stale)
	e := startSystem(t, stale, SystemRequest{WorkflowID: "upload_blueprint"})
	<-g.entered
	r := stale.runOf(e.ID)
	write(t, st, func(ctx context.Context, tx store.Tx) error {
		seen, err := tx.GetExecution(ctx, e.ID)
		if err != nil {
			return err
		}
		_, err = tx.ClaimExecution(ctx, seen, "other#1", store.Lease{For: time.Hour})
		return err
	})
	<-r.done // the next renewal tells
	if cause := context.Cause(r.ctx); !errors.Is(cause, errLost) {
		t.Errorf("stopped because %v", cause)
	}
	if got := get(t, stale, e.ID); got.Status != store.Started || got.Owner != "other#1" {
		t.Errorf("afterwards: %s, owner %q", got.Status, got.Owner)
	}
	if err := (systemHost{r}).Write(t.Context(), func(store.Tx) error { return nil }); !errors.Is(err, store.ErrFenced) {
		t.Errorf("a write with the lost claim gives %v", err)
	}
}

func TestTwoManagersRunEachExecutionOnce(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	var mu sync.Mutex
	ran, by := map[string]int{}, map[string]int{}
	var services []*Service
	for _, name := range []string{"m1", "m2"} {
		services = append(services, newService(t, Config{Store: st, ManagerName: name, SystemWorkflows: map[string]SystemWorkflow{
			"upload_blueprint": func(_ context.Context, e store.Execution, _ SystemHost) error {
				mu.Lock()
				defer mu.Unlock()
				ran[e.ID]++
				by[name]++
				return nil
			},
		}}))
	}
	ids := make([]string, 100)
	for i := range ids {
		ids[i] = startSystem(t, services[i%2], SystemRequest{WorkflowID: "upload_blueprint"}).ID
	}
	for _, s := range services {
		serve(t, s)
	}
	for _, id := range ids {
		waitEnd(t, services[0], id, store.Terminated)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, id := range ids {
		if ran[id] != 1 {
			t.Errorf("execution %s ran %d times", id, ran[id])
		}
	}
	t.Logf("shared %v", by)
}

func TestUpdateStatusFromOutsideStopsTheRun(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	g := newGate()
	s := newService(t, Config{Store: st, SystemWorkflows: map[string]SystemWorkflow{"upload_blueprint": g.run}})
	serve(t, s)
	e := startSystem(t, s, SystemRequest{WorkflowID: "upload_blueprint"})
	<-g.entered
	r := s.runOf(e.ID)
	e, err := s.UpdateStatus(t.Context(), StatusUpdate{Tenant: "default_tenant", ID: e.ID, Status: store.Failed, Error: "given up"})
	if err != nil || e.Status != store.Failed || *e.Error != "given up" || e.EndedAt.IsZero() {
		t.Fatalf("%v, %+v", err, e)
	}
	<-r.done
	if got := get(t, s, e.ID); got.Status != store.Failed || *got.Error != "given up" || got.Owner != "" {
		t.Errorf("afterwards: %+v", got)
	}
	_, err = s.UpdateStatus(t.Context(), StatusUpdate{Tenant: "default_tenant", ID: e.ID, Status: store.Started})
	wantRefusal(t, err, CodeStatusUpdate, http.StatusBadRequest, fmt.Sprintf(`Invalid relationship - can't change status from `+
		`failed to started for "%s" execution while running "upload_blueprint" workflow.`, e.ID))
}

// A dry run of what the manager does by itself does nothing.
func TestDryRunOfASystemWorkflow(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d1", nil)
	s := newService(t, Config{Store: st, SystemWorkflows: map[string]SystemWorkflow{
		removalWorkflow: func(context.Context, store.Execution, SystemHost) error {
			t.Error("it was carried out")
			return nil
		},
	}})
	serve(t, s)
	e, err := s.Start(t.Context(), StartRequest{Tenant: "default_tenant", DeploymentID: "d1", WorkflowID: removalWorkflow, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	waitEnd(t, s, e.ID, store.Terminated)
	if _, err := st.GetDeployment(t.Context(), "default_tenant", "d1"); err != nil {
		t.Errorf("the deployment after a dry run of its removal: %v", err)
	}
}

func TestRemovalTakesTheDeploymentAway(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	s := newService(t, Config{Store: st, SystemWorkflows: map[string]SystemWorkflow{
		removalWorkflow: func(context.Context, store.Execution, SystemHost) error { return nil },
	}})
	e := startSystem(t, s, SystemRequest{WorkflowID: removalWorkflow, DeploymentID: "d"})
	serve(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := s.Wait(ctx, e.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("wait gives %v", err)
	}
	if _, err := st.GetDeployment(t.Context(), "default_tenant", "d"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the deployment gives %v", err)
	}
}
