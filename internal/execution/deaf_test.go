package execution

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"windlass/internal/graph"
	"windlass/internal/operation"
	"windlass/internal/store"
	"windlass/internal/workflow"
)

// A workflow that doesn't heed a cancel is ended all the same, after a while that
// people who ask hear of.
func TestCancelOfADeafWorkflowIsBounded(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		grace time.Duration
		then  Action
		tells bool
	}{
		"until it is forced": {grace: time.Hour, then: ForceCancel},
		"by itself":          {grace: 10 * time.Millisecond, tells: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := openStore(t)
			addDeployment(t, st, "d", nil)
			runs := make(chan struct{})
			deaf := func(ctx context.Context, h workflow.Host, _ map[string]any) error {
				close(runs)
				_, forced, _ := h.(operation.Surroundings).Asked()
				select {
				case <-forced:
					return graph.Cancelled{Forced: true}
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			timing := fast
			timing.WorkflowGrace = tc.grace
			s := newService(t, Config{Store: st, Timing: timing,
				Workflows: func(string, string) (workflow.Func, bool) { return deaf, true }})
			serve(t, s)
			e := install(t, s, "d", nil)
			<-runs
			if _, err := s.Cancel(t.Context(), "default_tenant", e.ID, Cancel); err != nil {
				t.Fatal(err)
			}
			if tc.then != "" {
				why, err := s.Why(t.Context(), "default_tenant", e.ID)
				if err != nil || !strings.Contains(why.Text, "being cancelled") || !strings.Contains(why.Text, tc.grace.String()) {
					t.Errorf("why of one that is being cancelled: %+v, %v", why, err)
				}
				if _, err := s.Cancel(t.Context(), "default_tenant", e.ID, tc.then); err != nil {
					t.Fatal(err)
				}
			}
			waitEnd(t, s, e.ID, store.Cancelled)
			logs := logsOf(t, st, e.ID)
			if tells := slices.ContainsFunc(logs, func(l string) bool { return strings.Contains(l, "The workflow has not ended within") }); tells != tc.tells {
				t.Errorf("the logs tell of the bound: %v, want %v:\n%s", tells, tc.tells, strings.Join(logs, "\n"))
			}
		})
	}
}
