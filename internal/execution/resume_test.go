package execution

import (
	"context"
	"slices"
	"strings"
	"testing"

	"windlass/internal/blueprint/plan"
	"windlass/internal/operation"
	"windlass/internal/store"
	"windlass/internal/value"
)

// A resumed install stops what was half started before it starts it again: once
// for each resume, whatever crashes meanwhile.
func TestResumedInstallCleansUp(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", func(p *plan.Deployment) {
		for _, n := range p.Nodes {
			if n.ID == "db" {
				n.Operations["cloudify.interfaces.lifecycle.stop"] = &plan.Operation{Plugin: "script", Operation: "db.stop", Inputs: value.Map{}}
			}
		}
	})
	runner := newScripted()
	broken := func(context.Context, *operation.Request, operation.Host) (any, error) {
		return nil, &operation.Error{Verdict: operation.NonRecoverable, Type: "NonRecoverableError", Message: "no disk"}
	}
	runner.do["db.start"] = broken
	runners := map[string]operation.Runner{"": runner}
	s := newService(t, Config{Store: st, Runners: runners})
	stop := serve(t, s)
	e := install(t, s, "d", nil)
	waitEnd(t, s, e.ID, store.Failed)
	resume := func(s *Service) {
		t.Helper()
		if _, err := s.Resume(t.Context(), "default_tenant", e.ID, false); err != nil {
			t.Fatal(err)
		}
	}
	resume(s)
	waitEnd(t, s, e.ID, store.Failed)
	if c := runner.counts(); c["db.stop"] != 1 || c["db.start"] != 2 || c["db.create"] != 1 {
		t.Errorf("the first resume ran %v", c)
	}

	b := block(runner, "db.stop")
	resume(s)
	<-b.begun
	crash(s, stop)
	next := newService(t, Config{Store: st, Alone: true, Runners: runners})
	stop = serve(t, next)
	if again := <-b.begun; !again.Resume {
		t.Error("the cleanup isn't told that it is resumed")
	}
	started := block(runner, "db.start")
	b.proceed <- struct{}{}
	<-started.begun
	crash(next, stop)
	last := newService(t, Config{Store: st, Alone: true, Runners: runners})
	serve(t, last)
	<-started.begun
	started.proceed <- struct{}{}
	waitEnd(t, last, e.ID, store.Terminated)
	if c := runner.counts(); c["db.stop"] != 3 || c["db.start"] != 4 || c["db.create"] != 1 {
		t.Errorf("all in all it ran %v", c)
	}
	page, err := st.ListEvents(t.Context(), store.Query{Filters: []store.Filter{{Field: "execution_id", Values: []string{e.ID}}}})
	if err != nil {
		t.Fatal(err)
	}
	rolled := slices.DeleteFunc(page.Items, func(e store.Event) bool { return !strings.HasPrefix(e.Message, "Rolling back prior") })
	if len(rolled) != 2 {
		t.Errorf("%d cleanups began, want one for each of the two resumes", len(rolled))
	}
	if got := get(t, last, e.ID); got.FinishedOperations != got.TotalOperations {
		t.Errorf("%d of %d operations finished", got.FinishedOperations, got.TotalOperations)
	}
}
