package execution

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"windlass/internal/graph"
	"windlass/internal/operation"
	"windlass/internal/store"
	"windlass/internal/workflow"
)

// pausedRun waits until a run has taken notice, and returns it.
func pausedRun(t *testing.T, s *Service, id string) *run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r := s.runOf(id)
	for {
		if all := r.snapshots(ctx); len(all) == 1 && all[0].Paused {
			return r
		}
		if ctx.Err() != nil {
			t.Fatal("the run isn't paused")
		}
	}
}

// What was read before a pause, and is heeded after it, doesn't end the pause;
// nor does what was read in the pause bring it back.
func TestPauseOutlastsOlderReadings(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	runner := newScripted()
	b := block(runner, "db.create")
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
	serve(t, s)
	e := install(t, s, "d", nil)
	<-b.begun
	for _, step := range []struct {
		ask  func(context.Context, string, string) (store.Execution, error)
		want bool
	}{{s.Pause, true}, {s.Continue, false}} {
		older, err := st.GetExecution(t.Context(), e.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := step.ask(t.Context(), "default_tenant", e.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.heedPauses(t.Context(), []store.Execution{older}); err != nil {
			t.Fatal(err)
		}
		if on, _ := s.runOf(e.ID).pause.on(); on != step.want {
			t.Errorf("paused: %t, want %t", on, step.want)
		}
	}
	b.proceed <- struct{}{}
	waitEnd(t, s, e.ID, store.Terminated)
}

func TestPauseLastsThroughARestart(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	runner := newScripted()
	b := block(runner, "db.create")
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
	stop := serve(t, s)
	e := install(t, s, "d", nil)
	<-b.begun
	if e, err := s.Pause(t.Context(), "default_tenant", e.ID); err != nil || e.Status != store.Started {
		t.Fatalf("%v, %s", err, e.Status)
	}
	if _, err := s.Pause(t.Context(), "default_tenant", e.ID); err != nil {
		t.Errorf("pausing again: %v", err)
	}
	pausedRun(t, s, e.ID)
	b.proceed <- struct{}{} // what runs ends
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for done := false; !done; { // until its end is stored
		ops, err := st.ListOperations(ctx, store.Query{Filters: []store.Filter{{Field: "execution_id", Values: []string{e.ID}}}})
		if err != nil {
			t.Fatal(err)
		}
		done = slices.ContainsFunc(ops.Items, func(op store.Operation) bool { return op.Name == "db.create" && op.State == "succeeded" })
	}
	why, err := s.Why(t.Context(), "default_tenant", e.ID)
	if err != nil || len(why.Waiting) == 0 {
		t.Fatalf("%v, why: %+v", err, why)
	}
	for _, w := range why.Waiting {
		if !strings.Contains(w.For, "paused") && !strings.Contains(w.For, "waits for ") {
			t.Errorf("%s: %s", w.Name, w.For)
		}
	}
	crash(s, stop)

	again := newService(t, Config{Store: st, Alone: true, Runners: map[string]operation.Runner{"": runner}})
	serve(t, again)
	for again.runOf(e.ID) == nil {
		runtime.Gosched()
	}
	pausedRun(t, again, e.ID)
	if n := runner.counts()["db.start"]; n != 0 {
		t.Errorf("db.start ran %d times in the pause", n)
	}
	if _, err := again.Continue(t.Context(), "default_tenant", e.ID); err != nil {
		t.Fatal(err)
	}
	waitEnd(t, again, e.ID, store.Terminated)
	if c := runner.counts(); c["db.create"] != 1 || c["db.start"] != 1 {
		t.Errorf("ran %v", c)
	}
	_, err = again.Pause(t.Context(), "default_tenant", e.ID)
	wantRefusal(t, err, CodeIllegalAction, 400, "Can't pause execution "+e.ID+" because it's in status terminated")
	if events := eventsOf(t, st, e.ID); !inOrder(events,
		"workflow_stage   'install' workflow execution paused", "workflow_stage   'install' workflow execution continued") {
		t.Errorf("events:\n%s", strings.Join(events, "\n"))
	}
}

// A paused execution can be cancelled.
func TestCancelInAPause(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	runner := newScripted()
	b := block(runner, "db.create")
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}})
	serve(t, s)
	e := install(t, s, "d", nil)
	<-b.begun
	if _, err := s.Pause(t.Context(), "default_tenant", e.ID); err != nil {
		t.Fatal(err)
	}
	pausedRun(t, s, e.ID)
	b.proceed <- struct{}{}
	if _, err := s.Cancel(t.Context(), "default_tenant", e.ID, Cancel); err != nil {
		t.Fatal(err)
	}
	waitEnd(t, s, e.ID, store.Cancelled)
}

// An operation that ignores a kill holds up neither the execution nor the
// manager's end.
func TestKillIsBounded(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	runner := newScripted()
	begun, end := make(chan struct{}), make(chan struct{})
	runner.do["db.create"] = func(context.Context, *operation.Request, operation.Host) (any, error) {
		close(begun)
		<-end
		return nil, nil
	}
	t.Cleanup(func() { close(end) })
	timing := fast
	timing.KillGrace = 20 * time.Millisecond
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"": runner}, Timing: timing})
	stop := serve(t, s)
	e := install(t, s, "d", nil)
	<-begun
	if _, err := s.Cancel(t.Context(), "default_tenant", e.ID, Kill); err != nil {
		t.Fatal(err)
	}
	waitEnd(t, s, e.ID, store.Cancelled)
	stop()
	logs, err := st.TailEvents(t.Context(), e.ID, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	told := false
	for _, l := range logs {
		told = told || strings.Contains(l.Message, "did not stop within 20ms and was abandoned")
	}
	if !told {
		t.Error("nothing tells of the abandoned operation")
	}
}

// Of thousands of operations that wait some are named, those that run first, and
// all are counted.
func TestWhyNamesSomeOfMany(t *testing.T) {
	t.Parallel()
	const count = MostWaiting + 50
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	runner := newScripted()
	b := block(runner, "noop")
	s := newService(t, Config{
		Store: st, Runners: map[string]operation.Runner{"": runner}, Limits: Limits{Operations: 1},
		Workflows: func(string, string) (workflow.Func, bool) { return chains(count, 1, graph.Operation), true },
	})
	serve(t, s)
	e := install(t, s, "d", nil)
	<-b.begun
	why, err := s.Why(t.Context(), "default_tenant", e.ID)
	if err != nil || len(why.Waiting) != MostWaiting || why.WaitingTotal != count {
		t.Errorf("%v: %d of %d are named", err, len(why.Waiting), why.WaitingTotal)
	}
	if len(why.Waiting) > 0 && !strings.Contains(why.Waiting[0].For, "since") {
		t.Errorf("first: %+v", why.Waiting[0])
	}
	if _, err := s.Cancel(t.Context(), "default_tenant", e.ID, Kill); err != nil {
		t.Fatal(err)
	}
	waitEnd(t, s, e.ID, store.Cancelled)
}
