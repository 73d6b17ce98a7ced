package execution

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"windlass/internal/blueprint/plan"
	"windlass/internal/operation"
	"windlass/internal/store"
	"windlass/internal/value"
)

// scripted runs operations as Go functions, by implementation; others succeed
// with null.
type scripted struct {
	do map[string]func(ctx context.Context, req *operation.Request, host operation.Host) (any, error)

	mu   sync.Mutex
	ran  map[string]int
	reqs []*operation.Request
}

type script = func(ctx context.Context, req *operation.Request, host operation.Host) (any, error)

func newScripted() *scripted { return &scripted{do: map[string]script{}, ran: map[string]int{}} }

func (s *scripted) Run(ctx context.Context, req *operation.Request, host operation.Host) (any, error) {
	s.mu.Lock()
	s.ran[req.Implementation]++
	s.reqs = append(s.reqs, req)
	do := s.do[req.Implementation]
	s.mu.Unlock()
	if err := host.Started(ctx); err != nil {
		return nil, err
	}
	if do == nil {
		return nil, nil
	}
	return do(ctx, req, host)
}

func (s *scripted) counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.ran)
}

func (s *scripted) requests(implementation string) []*operation.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.reqs), func(r *operation.Request) bool { return r.Implementation != implementation })
}

func install(t testing.TB, s *Service, deployment string, edit func(*StartRequest)) store.Execution {
	t.Helper()
	r := StartRequest{Tenant: "default_tenant", DeploymentID: deployment, WorkflowID: "install", CreatedBy: "admin"}
	if edit != nil {
		edit(&r)
	}
	e, err := s.Start(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// inOrder tells whether lines has all of want, in that order.
func inOrder(lines []string, want ...string) bool {
	for _, l := range lines {
		if len(want) > 0 && l == want[0] {
			want = want[1:]
		}
	}
	return len(want) == 0
}

func TestInstall(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	runner := newScripted()
	runner.do["db.create"] = func(ctx context.Context, req *operation.Request, host operation.Host) (any, error) {
		i, err := host.Instance(ctx, req.Self.InstanceID)
		if err != nil {
			return nil, err
		}
		if _, err := host.UpdateInstance(ctx, i.ID, i.Version, map[string]any{"port": int64(5432)}); err != nil {
			return nil, err
		}
		if _, err := host.UpdateInstance(ctx, i.ID, i.Version, map[string]any{"port": int64(1)}); !errors.Is(err, operation.ErrConflict) {
			return nil, fmt.Errorf("a stale update gives %v", err)
		}
		if _, err := host.Resource(ctx, "x"); !errors.Is(err, operation.ErrNoResource) {
			return nil, fmt.Errorf("a missing resource gives %v", err)
		}
		host.Log("info", "creating the database")
		host.Event("half done")
		return map[string]any{"size": req.Inputs["size"]}, nil
	}
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"script": runner}})
	serve(t, s)
	e := waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)

	if diff := cmp.Diff(map[string]string{"app": "started", "db": "started", "host": "started"}, instanceStates(t, st, "d")); diff != "" {
		t.Error(diff)
	}
	want := map[string]int{"db.create": 1, "db.start": 1, "host.create": 1, "app.create": 1, "app.configure": 1, "app.start": 1, "app.connect": 1}
	if diff := cmp.Diff(want, runner.counts()); diff != "" {
		t.Error(diff)
	}
	if e.TotalOperations == 0 || e.FinishedOperations != e.TotalOperations {
		t.Errorf("%d of %d operations finished", e.FinishedOperations, e.TotalOperations)
	}
	d, err := st.GetDeployment(t.Context(), "default_tenant", "d")
	if err != nil || d.LatestExecutionID != e.ID || d.InstallationStatus != "active" || d.DeploymentStatus != "good" {
		t.Errorf("%v, deployment: latest %s, %s, %s", err, d.LatestExecutionID, d.InstallationStatus, d.DeploymentStatus)
	}

	events := eventsOf(t, st, e.ID)
	if !inOrder(events,
		"workflow_started   Starting 'install' workflow execution",
		"workflow_node_event d-db_b00001  Creating node instance",
		"sending_task d-db_b00001 create Sending task 'db.create'",
		"task_started d-db_b00001 create Task started 'db.create'",
		"plugin_event d-db_b00001 create half done",
		"task_succeeded d-db_b00001 create Task succeeded 'db.create' - {'size': 3}",
		"workflow_node_event d-db_b00001  Node instance created",
		"task_succeeded d-db_b00001 start Task succeeded 'db.start'",
		"sending_task d-app_a00001 configure Sending task 'app.configure'",
		"task_succeeded d-app_a00001 establish Task succeeded 'app.connect'",
		"workflow_node_event d-app_a00001  Node instance started",
		"workflow_succeeded   'install' workflow execution succeeded",
	) {
		t.Errorf("events:\n%s", strings.Join(events, "\n"))
	}

	configure := runner.requests("app.configure")[0]
	if diff := cmp.Diff(map[string]any{"port": int64(5432)}, configure.Inputs); diff != "" {
		t.Errorf("inputs evaluated when the operation ran: %s", diff)
	}
	if configure.Plugin.Name != "script" || configure.Plugin.Executor != plan.Central || configure.Name != "cloudify.interfaces.lifecycle.configure" ||
		configure.MaxRetries != 2 || configure.Token == "" || configure.WorkflowID != "install" || configure.DeploymentCreator != "admin" {
		t.Errorf("request %+v", configure)
	}
	connect := runner.requests("app.connect")[0].Relationship
	if connect == nil || connect.Source.InstanceID != "d-app_a00001" || connect.Target.InstanceID != "d-db_b00001" || connect.OnTarget {
		t.Errorf("relationship %+v", connect)
	}
}

// Properties of plugins may be functions, which mean what they do at the time.
func TestPluginPropertiesAreEvaluated(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", func(p *plan.Deployment) {
		for _, n := range p.Nodes {
			for k := range n.Plugins {
				n.Plugins[k].Properties = map[string]plan.Schema{
					"of":  {Value: &value.Any{V: map[string]any{"get_sys": []any{"deployment", "id"}}}},
					"all": {Value: &value.Any{V: int64(1)}, Default: &value.Any{V: map[string]any{"get_input": "none"}}}, "none": {},
				}
			}
		}
	})
	runner := newScripted()
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"script": runner}})
	serve(t, s)
	waitEnd(t, s, install(t, s, "d", nil).ID, store.Terminated)
	got := runner.requests("db.create")[0].Plugin.Properties
	if of := got["of"]; of.Value == nil || of.Value.V != "d" || got["all"].Value.V != int64(1) || got["none"].Value != nil {
		t.Errorf("%+v", got)
	}
}

func TestFailureLeadsWithTheOperation(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	runner := newScripted()
	runner.do["app.configure"] = func(context.Context, *operation.Request, operation.Host) (any, error) {
		return nil, &operation.Error{Type: "ProcessException", Message: "command: x, exit_code: 3", ExitCode: pointer(3),
			Output: "disk full\ngiving up\n", Causes: []operation.Cause{{Message: "exit_code: 3", Type: "ProcessException"}}}
	}
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
	serve(t, s)
	e := waitEnd(t, s, install(t, s, "d", nil).ID, store.Failed)
	want := "cloudify.interfaces.lifecycle.configure of d-app_a00001 failed with exit code 3; its last output:\n  disk full\n  giving up\n\n" +
		"Task failed: app.configure (d-app_a00001:cloudify.interfaces.lifecycle.configure): ProcessException `command: x, exit_code: 3`"
	if !strings.HasPrefix(*e.Error, want) {
		t.Errorf("error:\n%s\nwant:\n%s", *e.Error, want)
	}
	if n := runner.counts()["app.configure"]; n != 3 {
		t.Errorf("configure with two retries ran %d times", n)
	}
	if requests := runner.requests("app.configure"); requests[2].RetryNumber != 2 {
		t.Errorf("the last attempt was number %d", requests[2].RetryNumber)
	}
	events := eventsOf(t, st, e.ID)
	if !inOrder(events,
		"task_failed d-app_a00001 configure Task failed 'app.configure' -> command: x, exit_code: 3",
		"task_failed d-app_a00001 configure Task failed 'app.configure' -> command: x, exit_code: 3 [retry 1/2]",
		"task_failed d-app_a00001 configure Task failed 'app.configure' -> command: x, exit_code: 3 [retry 2/2]",
		"workflow_failed   'install' workflow execution failed: "+*e.Error) {
		t.Errorf("events:\n%s", strings.Join(events, "\n"))
	}
	if got := instanceStates(t, st, "d")["app"]; got != "configuring" {
		t.Errorf("the app is %s", got)
	}

	// A resume repeats what failed, and nothing else.
	delete(runner.do, "app.configure")
	if _, err := s.Resume(t.Context(), "default_tenant", e.ID, false); err != nil {
		t.Fatal(err)
	}
	waitEnd(t, s, e.ID, store.Terminated)
	counts := runner.counts()
	if counts["app.configure"] != 4 || counts["app.create"] != 1 || counts["db.start"] != 1 || counts["app.start"] != 1 {
		t.Errorf("after the resume: %v", counts)
	}
	if events := eventsOf(t, st, e.ID); !inOrder(events, "workflow_started   Resuming 'install' workflow execution") {
		t.Errorf("events:\n%s", strings.Join(events, "\n"))
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	runner := newScripted()
	runner.do["app.configure"] = func(_ context.Context, req *operation.Request, _ operation.Host) (any, error) {
		switch {
		case req.DeploymentID == "never":
			return nil, &operation.Error{Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: "no way"}
		case req.RetryNumber == 0:
			return nil, &operation.Error{Verdict: operation.Reschedule, Type: "OperationRetry", Message: "not yet", RetryAfter: pointer(time.Millisecond)}
		case req.RetryNumber == 1:
			return nil, errors.New("plain")
		}
		return int64(7), nil
	}
	addDeployment(t, st, "never", nil)
	addDeployment(t, st, "later", nil)
	addDeployment(t, st, "unknown", func(p *plan.Deployment) {
		for _, n := range p.Nodes {
			for _, op := range n.Operations {
				if op.Operation == "app.configure" {
					op.Plugin = "exotic"
					n.Plugins = append(n.Plugins, plan.Plugin{Name: "exotic"})
				}
			}
		}
	})
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"script": runner}})
	serve(t, s)
	waitEnd(t, s, install(t, s, "never", nil).ID, store.Failed)
	e := waitEnd(t, s, install(t, s, "later", nil).ID, store.Terminated)
	if events := eventsOf(t, st, e.ID); !inOrder(events,
		"task_rescheduled later-app_a00001 configure Task rescheduled 'app.configure' -> not yet",
		"task_failed later-app_a00001 configure Task failed 'app.configure' -> plain [retry 1/2]",
		"task_succeeded later-app_a00001 configure Task succeeded 'app.configure' - 7 [retry 2/2]") {
		t.Errorf("events:\n%s", strings.Join(events, "\n"))
	}
	e = waitEnd(t, s, install(t, s, "unknown", nil).ID, store.Failed)
	if !strings.Contains(*e.Error, "nothing on this manager runs operations of the plugin exotic") {
		t.Errorf("error %q", *e.Error)
	}
	e = waitEnd(t, s, install(t, s, "later", func(r *StartRequest) { r.WorkflowID = "custom" }).ID, store.Failed)
	if want := "workflow custom is mapped to the operation workflows.custom of plugin script, which this manager doesn't have"; *e.Error != want {
		t.Errorf("error %q, want %q", *e.Error, want)
	}
}

// blocking makes an implementation wait, and tells when it has begun.
type blocking struct {
	begun   chan *operation.Request
	proceed chan struct{}
	stopped chan struct{}
}

func block(s *scripted, implementation string) *blocking {
	b := &blocking{begun: make(chan *operation.Request, 10), proceed: make(chan struct{}, 10), stopped: make(chan struct{}, 10)}
	s.do[implementation] = func(ctx context.Context, req *operation.Request, _ operation.Host) (any, error) {
		b.begun <- req
		select {
		case <-b.proceed:
			return "done", nil
		case <-ctx.Done():
			b.stopped <- struct{}{}
			return nil, ctx.Err()
		}
	}
	return b
}

func TestCancelKinds(t *testing.T) {
	t.Parallel()
	setUp := func(t *testing.T, timing Timing) (store.Store, *Service, *blocking, *scripted, store.Execution) {
		st := openStore(t)
		addDeployment(t, st, "d", nil)
		runner := newScripted()
		b := block(runner, "db.start")
		s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}, Timing: timing})
		serve(t, s)
		e := install(t, s, "d", nil)
		<-b.begun
		return st, s, b, runner, e
	}
	cancel := func(t *testing.T, s *Service, id string, how Action, want store.Status) {
		t.Helper()
		e, err := s.Cancel(t.Context(), "default_tenant", id, how)
		if err != nil || e.Status != want {
			t.Fatalf("%s: %v, %s", how, err, e.Status)
		}
	}
	t.Run("cancel waits for what runs", func(t *testing.T) {
		t.Parallel()
		_, s, b, runner, e := setUp(t, fast)
		cancel(t, s, e.ID, Cancel, store.Cancelling)
		<-s.runOf(e.ID).asked.Done()
		b.proceed <- struct{}{}
		waitEnd(t, s, e.ID, store.Cancelled)
		if n := runner.counts()["app.create"]; n != 0 {
			t.Errorf("the dependant ran %d times", n)
		}
		// What ended is not repeated.
		if _, err := s.Resume(t.Context(), "default_tenant", e.ID, false); err != nil {
			t.Fatal(err)
		}
		waitEnd(t, s, e.ID, store.Terminated)
		if counts := runner.counts(); counts["db.start"] != 1 || counts["app.create"] != 1 {
			t.Errorf("after the resume: %v", counts)
		}
	})
	t.Run("cancel is bounded", func(t *testing.T) {
		t.Parallel()
		timing := fast
		timing.CancelGrace = 10 * time.Millisecond
		_, s, b, _, e := setUp(t, timing)
		cancel(t, s, e.ID, Cancel, store.Cancelling)
		waitEnd(t, s, e.ID, store.Cancelled)
		b.proceed <- struct{}{}
	})
	t.Run("force-cancel leaves what runs to end", func(t *testing.T) {
		t.Parallel()
		st, s, b, runner, e := setUp(t, fast)
		cancel(t, s, e.ID, ForceCancel, store.ForceCancelling)
		waitEnd(t, s, e.ID, store.Cancelled)
		r := s.runOf(e.ID)
		if r == nil {
			t.Fatal("the operation was not left running")
		}
		if why, err := s.Why(t.Context(), "default_tenant", e.ID); err != nil || len(why.Waiting) != 1 || !strings.Contains(why.Text, "left operations running") {
			t.Errorf("why of an execution that left an operation: %+v, %v", why, err)
		}
		// A resume waits for what was left, and doesn't repeat it.
		if _, err := s.Resume(t.Context(), "default_tenant", e.ID, false); err != nil {
			t.Fatal(err)
		}
		if why, err := s.Why(t.Context(), "default_tenant", e.ID); err != nil || len(why.Waiting) != 1 || !strings.Contains(why.Text, "goes on once") {
			t.Errorf("why of the resumed execution: %+v, %v", why, err)
		}
		b.proceed <- struct{}{}
		waitEnd(t, s, e.ID, store.Terminated)
		if counts := runner.counts(); counts["db.start"] != 1 {
			t.Errorf("after the resume: %v", counts)
		}
		if logs := logsOf(t, st, e.ID); !slices.ContainsFunc(logs, func(l string) bool {
			return strings.HasPrefix(l, "warning The execution ends, but not what it has begun") && strings.Contains(l, "db.start (d-db_b00001:")
		}) {
			t.Errorf("nothing tells of the operation that goes on:\n%s", strings.Join(logs, "\n"))
		}
		if events := eventsOf(t, st, e.ID); !inOrder(events, "workflow_cancelled   'install' workflow execution cancelled",
			"task_succeeded d-db_b00001 start Task succeeded 'db.start' - done") {
			t.Errorf("events:\n%s", strings.Join(events, "\n"))
		}
	})
	t.Run("kill stops what runs", func(t *testing.T) {
		t.Parallel()
		_, s, b, _, e := setUp(t, fast)
		cancel(t, s, e.ID, Kill, store.KillCancelling)
		<-b.stopped
		waitEnd(t, s, e.ID, store.Cancelled)
	})
	t.Run("kill also stops what a forced cancel left", func(t *testing.T) {
		t.Parallel()
		st, s, b, _, e := setUp(t, fast)
		cancel(t, s, e.ID, ForceCancel, store.ForceCancelling)
		waitEnd(t, s, e.ID, store.Cancelled)
		cancel(t, s, e.ID, Kill, store.KillCancelling)
		<-b.stopped
		waitEnd(t, s, e.ID, store.Cancelled)
		for _, l := range logsOf(t, st, e.ID) {
			if strings.Contains(l, "goes on where") {
				t.Errorf("a killed execution is said to go on: %s", l)
			}
		}
	})
	t.Run("of a dead manager", func(t *testing.T) {
		t.Parallel()
		st, s, _, _, e := setUp(t, fast)
		r := s.runOf(e.ID)
		r.stop(errLost)
		<-r.done
		next := newService(t, Config{Store: st, ManagerName: "m2", Clock: store.NewTestClock(func() time.Time { return time.Now().Add(time.Hour) })})
		cancel(t, next, e.ID, Cancel, store.Cancelling)
		serve(t, next)
		waitEnd(t, next, e.ID, store.Cancelled)
	})
}

// looking looks at what is active after each write under a lock, before the one
// who wrote hears of it.
type looking struct {
	store.Store
	look func()
}

func (l *looking) WriteLocked(ctx context.Context, lock string, fn func(store.Tx) error) error {
	err := l.Store.WriteLocked(ctx, lock, fn)
	l.look()
	return err
}

// TestLookAfterForceCancel: a look that comes right after the end was stored
// doesn't stop what a forced cancel leaves running.
func TestLookAfterForceCancel(t *testing.T) {
	t.Parallel()
	st := &looking{Store: openStore(t)}
	addDeployment(t, st, "d", nil)
	runner := newScripted()
	b := block(runner, "db.start")
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}, Timing: Timing{Lease: 30 * time.Second, Poll: time.Hour}})
	st.look = func() {
		if err := (&loop{s: s}).notice(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	}
	serve(t, s)
	e := install(t, s, "d", nil)
	<-b.begun
	if _, err := s.Cancel(t.Context(), "default_tenant", e.ID, ForceCancel); err != nil {
		t.Fatal(err)
	}
	waitEnd(t, s, e.ID, store.Cancelled)
	if _, err := s.Resume(t.Context(), "default_tenant", e.ID, false); err != nil {
		t.Fatal(err)
	}
	b.proceed <- struct{}{}
	waitEnd(t, s, e.ID, store.Terminated)
	if counts := runner.counts(); counts["db.start"] != 1 {
		t.Errorf("after the resume: %v", counts)
	}
}

// TestCrashInTheMiddle lets a manager die while an operation runs. The next
// one repeats that operation, as a resumed one, and none that had finished.
func TestCrashInTheMiddle(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	// The host, which nothing orders with the db, has no operation that could be
	// under way too.
	addDeployment(t, st, "d", func(p *plan.Deployment) {
		for _, n := range p.Nodes {
			if n.ID == "host" {
				n.Operations = nil
			}
		}
	})
	runner := newScripted()
	b := block(runner, "db.start")
	runners := map[string]operation.Runner{"script": runner}
	dead := newService(t, Config{Store: st, Runners: runners, Timing: Timing{Lease: time.Minute, Poll: time.Second}})
	stop := serve(t, dead)
	e := install(t, dead, "d", nil)
	if first := <-b.begun; first.Resume {
		t.Error("the first attempt was told that it resumes")
	}
	crash(dead, stop)

	next := newService(t, Config{Store: st, ManagerName: "m2", Runners: runners, Clock: store.NewTestClock(func() time.Time { return time.Now().Add(time.Hour) })})
	serve(t, next)
	again := <-b.begun
	if !again.Resume || again.RetryNumber != 0 {
		t.Errorf("the second attempt: resume %v, retry %d", again.Resume, again.RetryNumber)
	}
	if n := runner.counts()["app.create"]; n != 0 {
		t.Errorf("the app was created %d times before the db had started", n)
	}
	b.proceed <- struct{}{}
	waitEnd(t, next, e.ID, store.Terminated)
	want := map[string]int{"db.create": 1, "db.start": 2, "app.create": 1, "app.configure": 1, "app.start": 1, "app.connect": 1}
	if diff := cmp.Diff(want, runner.counts()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"app": "started", "db": "started", "host": "started"}, instanceStates(t, st, "d")); diff != "" {
		t.Error(diff)
	}
	if got := get(t, next, e.ID); got.FinishedOperations != got.TotalOperations {
		t.Errorf("%d of %d operations finished", got.FinishedOperations, got.TotalOperations)
	}
}

// TestStopInTheMiddle stops a manager in order while an operation runs: the
// operation is interrupted, and repeated by the next manager at once.
func TestStopInTheMiddle(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	runner := newScripted()
	b := block(runner, "db.start")
	runners := map[string]operation.Runner{"script": runner}
	first := newService(t, Config{Store: st, Runners: runners})
	stop := serve(t, first)
	e := install(t, first, "d", nil)
	<-b.begun
	stop()
	<-b.stopped
	next := newService(t, Config{Store: st, ManagerName: "m2", Runners: runners})
	serve(t, next)
	if again := <-b.begun; !again.Resume {
		t.Error("the second attempt was not told that it resumes")
	}
	b.proceed <- struct{}{}
	waitEnd(t, next, e.ID, store.Terminated)
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	runner := newScripted()
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
	serve(t, s)
	e := waitEnd(t, s, install(t, s, "d", func(r *StartRequest) { r.DryRun = true }).ID, store.Terminated)
	if len(runner.counts()) > 0 || instanceStates(t, st, "d")["app"] != "uninitialized" || e.TotalOperations != 0 {
		t.Errorf("a dry run did something: ran %v, states %v, %d operations", runner.counts(), instanceStates(t, st, "d"), e.TotalOperations)
	}
	events := eventsOf(t, st, e.ID)
	if !inOrder(events, "workflow_started   Starting 'install' workflow execution (dry run)",
		"task_started   Subgraph started 'install_d-app_a00001' (dry run)", "task_succeeded d-app_a00001 create Task succeeded 'app.create' (dry run)",
		"workflow_succeeded   'install' workflow execution succeeded (dry run)") {
		t.Errorf("events:\n%s", strings.Join(events, "\n"))
	}
}

func TestEvaluate(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	addDeployment(t, st, "d2", nil)
	write(t, st, func(ctx context.Context, tx store.Tx) error {
		for id, capability := range map[string]any{
			"d":  map[string]any{"get_capability": []any{"d2", "c"}},
			"d2": map[string]any{"get_capability": []any{"d", "loop"}},
		} {
			d, err := tx.GetDeployment(ctx, "default_tenant", id)
			if err != nil {
				return err
			}
			d.Inputs = map[string]any{"who": id}
			d.Labels = []store.Label{{Key: "csys-consumer-id", Value: "d2", CreatedAt: d.CreatedAt}}
			d.Capabilities = map[string]plan.Output{
				"c":    {Value: value.Any{V: map[string]any{"concat": []any{"I am ", map[string]any{"get_input": "who"}}}}},
				"loop": {Value: value.Any{V: capability}},
			}
			if id == "d2" {
				d.DisplayName = "the second"
			}
			if err := tx.UpdateDeployment(ctx, d); err != nil {
				return err
			}
		}
		return nil
	})
	s := newService(t, Config{Store: st, Secrets: secretsOf{"key": "hidden"}})
	tests := []struct {
		call map[string]any
		want any
		err  string
	}{
		{map[string]any{"get_capability": []any{"d2", "c"}}, "I am d2", ""},
		{map[string]any{"get_secret": "key"}, "hidden", ""},
		{map[string]any{"get_secret": "nope"}, nil, "nope"},
		{map[string]any{"get_consumers": "names"}, []any{"the second"}, ""},
		{map[string]any{"get_sys": []any{"deployment", "owner"}}, "admin", ""},
		{map[string]any{"get_attribute": []any{"app", "node_instance_id"}}, "d-app_a00001", ""},
		{map[string]any{"get_capability": []any{"d3", "c"}}, nil, "Requested `Deployment` with ID `d3` was not found"},
		{map[string]any{"get_capability": []any{"d2", "x"}}, nil, "Requested capability `x` is not declared in deployment `d2`"},
	}
	for _, tt := range tests {
		got, err := s.Evaluate(t.Context(), "default_tenant", "d", map[string]any{"v": tt.call}, noScope)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%v: error %v, want %q", tt.call, err, tt.err)
			}
			continue
		}
		if diff := cmp.Diff(map[string]any{"v": tt.want}, got); err != nil || diff != "" {
			t.Errorf("%v: %v %s", tt.call, err, diff)
		}
	}
	// Capabilities that need each other end in an error.
	write(t, st, func(ctx context.Context, tx store.Tx) error {
		d, err := tx.GetDeployment(ctx, "default_tenant", "d")
		d.Capabilities["loop"] = plan.Output{Value: value.Any{V: map[string]any{"get_capability": []any{"d2", "loop"}}}}
		return errors.Join(err, tx.UpdateDeployment(ctx, d))
	})
	if _, err := s.Evaluate(t.Context(), "default_tenant", "d", map[string]any{"get_capability": []any{"d", "loop"}}, noScope); err == nil ||
		!strings.Contains(err.Error(), "do they refer to each other?") {
		t.Errorf("a circle gives %v", err)
	}
}

type secretsOf map[string]string

func (s secretsOf) OpenSecret(_ context.Context, _, key string) (string, error) {
	text, ok := s[key]
	if !ok {
		return "", store.ErrNotFound
	}
	return text, nil
}
