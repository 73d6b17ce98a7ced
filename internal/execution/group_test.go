package execution

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"windlass/internal/operation"
	"windlass/internal/store"
)

func inGroup(t *testing.T, st store.Store, deployments int) {
	t.Helper()
	var ids []string
	for k := range deployments {
		ids = append(ids, fmt.Sprint("d", k))
		addDeployment(t, st, ids[k], nil)
	}
	write(t, st, func(ctx context.Context, tx store.Tx) error {
		for _, g := range []string{"g", "good", "bad"} {
			o := store.Owned{Tenant: "default_tenant", CreatedAt: time.Now().UTC()}
			if err := tx.AddDeploymentGroup(ctx, store.DeploymentGroup{Owned: o, ID: g}); err != nil {
				return err
			}
		}
		return tx.AddGroupMembers(ctx, "default_tenant", "g", ids)
	})
}

func members(t *testing.T, st store.Store, group string) []store.Execution {
	t.Helper()
	list, err := executionsWhere(t.Context(), st, 0, groupIs(group))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func count(list []store.Execution, status store.Status) int {
	n := 0
	for _, e := range list {
		if e.Status == status {
			n++
		}
	}
	return n
}

// TestGroupRunsSoManyAtOnce: never more members run than the group allows,
// each runs once, and their deployments are sorted into successes and failures.
func TestGroupRunsSoManyAtOnce(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	inGroup(t, st, 5)
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"script": newScripted()}})
	g, err := s.StartGroup(t.Context(), GroupRequest{Tenant: "default_tenant", DeploymentGroupID: "g", WorkflowID: "install", Concurrency: 2, CreatedBy: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	list := members(t, st, g.ID)
	if len(list) != 5 || count(list, store.Pending) != 2 || count(list, store.Queued) != 3 || GroupStatus(list) != store.Queued {
		t.Fatalf("of %d members %d are let in, %d wait; the group is %s", len(list), count(list, store.Pending), count(list, store.Queued), GroupStatus(list))
	}
	good, bad := "good", "bad"
	if _, err := s.UpdateGroup(t.Context(), "default_tenant", g.ID, nil, &good, &bad); err != nil {
		t.Fatal(err)
	}
	serve(t, s)
	for _, e := range list {
		waitEnd(t, s, e.ID, store.Terminated)
	}
	if status := GroupStatus(members(t, st, g.ID)); status != store.Terminated {
		t.Errorf("the group is %s", status)
	}
	for group, want := range map[string][]string{"good": {"d0", "d1", "d2", "d3", "d4"}, "bad": nil} {
		got, err := st.GroupMembers(t.Context(), "default_tenant", group)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v (%v)", group, got, want, err)
		}
	}
}

func TestPausedGroup(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	inGroup(t, st, 3)
	s := newService(t, Config{Store: st})
	g, err := s.StartGroup(t.Context(), GroupRequest{Tenant: "default_tenant", DeploymentGroupID: "g", WorkflowID: "install"})
	if err != nil {
		t.Fatal(err)
	}
	if list := members(t, st, g.ID); count(list, store.Queued) != 3 {
		t.Fatalf("%d of %d wait", count(list, store.Queued), len(list))
	}
	// Others don't wait behind the paused ones.
	addDeployment(t, st, "free", nil)
	other, err := s.Start(t.Context(), StartRequest{Tenant: "default_tenant", DeploymentID: "free", WorkflowID: "install", Queue: true})
	if err != nil || other.Status != store.Pending {
		t.Errorf("another execution is %s, %v", other.Status, err)
	}
	one := 1
	if _, err := s.UpdateGroup(t.Context(), "default_tenant", g.ID, &one, nil, nil); err != nil {
		t.Fatal(err)
	}
	if list := members(t, st, g.ID); count(list, store.Pending) != 1 || count(list, store.Queued) != 2 {
		t.Errorf("with a concurrency of 1, %d are let in and %d wait", count(list, store.Pending), count(list, store.Queued))
	}
	if err := s.ActOnGroup(t.Context(), "default_tenant", g.ID, Cancel); err != nil {
		t.Fatal(err)
	}
	serve(t, s)
	for _, e := range members(t, st, g.ID) {
		waitEnd(t, s, e.ID, store.Cancelled)
	}
	missing := "missing"
	if _, err := s.UpdateGroup(t.Context(), "default_tenant", g.ID, nil, &missing, nil); err == nil {
		t.Error("a deployment group that there is not was taken")
	}
}

// TestGroupsTellOfTheirMembers: who watches a group hears of each member's
// statuses, and of nobody else's.
func TestGroupsTellOfTheirMembers(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	inGroup(t, st, 2)
	addDeployment(t, st, "other", nil)
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"script": newScripted()}})
	serve(t, s)
	g, err := s.StartGroup(t.Context(), GroupRequest{Tenant: "default_tenant", DeploymentGroupID: "g", WorkflowID: "install", Concurrency: 2, CreatedBy: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, e := range members(t, st, g.ID) {
		waitEnd(t, s, e.ID, store.Terminated)
		want = append(want, fmt.Sprintf("execution '%s' changed state to 'started'", e.ID), fmt.Sprintf("execution '%s' changed state to 'terminated'", e.ID))
	}
	waitEnd(t, s, install(t, s, "other", nil).ID, store.Terminated)
	page, err := st.ListEvents(t.Context(), store.Query{Filters: []store.Filter{{Field: "execution_group_id", Values: []string{g.ID}}}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range page.Items {
		if e.EventType != "execution_state_change" {
			t.Errorf("an event %s", e.EventType)
		}
		got = append(got, e.Message)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestGroupStatus(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		want store.Status
		of   []store.Status
	}{
		{"", nil},
		{store.Pending, []store.Status{store.Pending, store.Pending}},
		{store.Queued, []store.Status{store.Pending, store.Queued, store.Scheduled}},
		{store.Started, []store.Status{store.Queued, store.Terminated}},
		{store.Started, []store.Status{store.Cancelling, store.Failed}},
		{store.Failed, []store.Status{store.Terminated, store.Failed, store.Cancelled}},
		{store.Terminated, []store.Status{store.Terminated, store.Cancelled}},
	} {
		var list []store.Execution
		for _, status := range tc.of {
			list = append(list, store.Execution{Status: status})
		}
		if got := GroupStatus(list); got != tc.want {
			t.Errorf("%v: got %q, want %q", tc.of, got, tc.want)
		}
	}
}
