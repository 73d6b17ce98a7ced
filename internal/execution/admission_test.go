package execution

import (
	"net/http"
	"testing"
	"time"

	"windlass/internal/blueprint/plan"
	"windlass/internal/store"
)

func TestAdmit(t *testing.T) {
	t.Parallel()
	at := func(second int) time.Time { return time.Date(2030, 1, 2, 3, 4, second, 0, time.UTC) }
	on := func(id, deployment string, status store.Status) store.Execution {
		return store.Execution{Owned: store.Owned{Tenant: "t", CreatedAt: at(10)}, ID: id, DeploymentID: deployment,
			WorkflowID: "install", Status: status}
	}
	wide := func(id, workflow string, status store.Status) store.Execution {
		e := on(id, "", status)
		e.WorkflowID, e.IsSystemWorkflow = workflow, true
		return e
	}
	queuedAt := func(e store.Execution, second int) store.Execution {
		e.QueuedAt, e.CreatedAt = at(second), at(second)
		return e
	}
	forced := func(e store.Execution) store.Execution { e.Force = true; return e }
	updating := func(e store.Execution) store.Execution { e.WorkflowID = "update"; return e }
	elsewhere := on("x", "d", store.Started)
	elsewhere.Tenant = "other"
	es := func(e ...store.Execution) []store.Execution { return e }
	const (
		alone  = "You cannot start a system-wide execution if there are other executions running."
		behind = "You cannot start an execution if there is a running system-wide execution"
		beside = "The following executions are currently running for this deployment: [<Execution id=`x` tenant=`t` status=`started` " +
			"workflow_id=`install`>]. To execute this workflow anyway, pass \"force=true\" as a query parameter to this request"
	)
	tests := []struct {
		name string
		c    Candidate
		n    Neighbours
		want string // the refusal, "" when let in
	}{
		{"an idle manager", Candidate{Execution: on("e", "d", "")}, Neighbours{}, ""},
		{"itself", Candidate{Execution: on("e", "d", "")}, Neighbours{Active: es(on("e", "d", store.Started))}, ""},
		{"another deployment", Candidate{Execution: on("e", "d", "")}, Neighbours{Active: es(on("x", "d2", store.Started))}, ""},
		{"the same name in another tenant", Candidate{Execution: on("e", "d", "")}, Neighbours{Active: es(elsewhere)}, ""},
		{"a sibling", Candidate{Execution: on("e", "d", "")}, Neighbours{Active: es(on("x", "d", store.Started))}, beside},
		{"a sibling, forced", Candidate{Execution: forced(on("e", "d", ""))}, Neighbours{Active: es(on("x", "d", store.Started))}, ""},
		{"a sibling, overlapping", Candidate{Execution: on("e", "d", ""), Overlap: true}, Neighbours{Active: es(on("x", "d", store.Started))}, ""},
		{"an upload beside others", Candidate{Execution: on("e", "", "")}, Neighbours{Active: es(on("x", "", store.Started))}, ""},
		{"a sibling queued before", Candidate{Execution: on("e", "d", store.Queued)},
			Neighbours{QueuedHere: es(on("x", "d", store.Started), on("e", "d", store.Queued))}, beside},
		{"a sibling queued later", Candidate{Execution: on("e", "d", store.Queued)},
			Neighbours{QueuedHere: es(on("e", "d", store.Queued), on("x", "d", store.Queued))}, ""},
		{"a sibling queued behind too many to be read", Candidate{Execution: on("e", "d", store.Queued)},
			Neighbours{QueuedHere: es(on("x", "d", store.Started))}, beside},
		{"a newcomer behind the queue", Candidate{Execution: on("e", "d", "")},
			Neighbours{QueuedHere: es(on("x", "d", store.Started))}, beside},
		{"a system-wide one running", Candidate{Execution: on("e", "d", "")},
			Neighbours{Active: es(wide("x", "restore_snapshot", store.Started))}, behind},
		{"a deployment's update beside an update of plugins", Candidate{Execution: updating(on("e", "d", ""))},
			Neighbours{Active: es(wide("x", "update_plugin", store.Started))}, ""},
		{"a deployment's update beside a restore", Candidate{Execution: updating(on("e", "d", ""))},
			Neighbours{Active: es(wide("x", "restore_snapshot", store.Started))}, behind},
		{"a restore beside an update of plugins", Candidate{Execution: wide("e", "restore_snapshot", "")},
			Neighbours{Active: es(wide("x", "update_plugin", store.Started))}, alone},
		{"a system-wide one running, forced", Candidate{Execution: forced(on("e", "d", ""))},
			Neighbours{Active: es(wide("x", "update_plugin", store.Started))}, behind},
		{"a system-wide one queued", Candidate{Execution: on("e", "d", "")},
			Neighbours{QueuedSystemWide: es(wide("x", "restore_snapshot", store.Queued))}, behind},
		{"a snapshot queued", Candidate{Execution: on("e", "d", "")},
			Neighbours{QueuedSystemWide: es(wide("x", "create_snapshot", store.Queued))}, behind},
		{"an upload behind a system-wide one", Candidate{Execution: on("e", "", "")},
			Neighbours{Active: es(wide("x", "restore_snapshot", store.Started))}, behind},
		{"system-wide, others running", Candidate{Execution: wide("e", "restore_snapshot", "")},
			Neighbours{Active: es(on("x", "d", store.Started))}, alone},
		{"system-wide, idle", Candidate{Execution: wide("e", "restore_snapshot", "")}, Neighbours{}, ""},
		{"system-wide, one queued before", Candidate{Execution: wide("e", "restore_snapshot", store.Queued)},
			Neighbours{QueuedSystemWide: es(wide("x", "restore_snapshot", store.Queued), wide("e", "restore_snapshot", store.Queued))}, alone},
		{"system-wide, first of the queue, whatever clocks say", Candidate{Execution: queuedAt(wide("e", "restore_snapshot", store.Queued), 5)},
			Neighbours{QueuedSystemWide: es(queuedAt(wide("e", "restore_snapshot", store.Queued), 5), queuedAt(wide("x", "restore_snapshot", store.Queued), 4))}, ""},
		{"a snapshot that waits to be alone", Candidate{Execution: on("e", "d", "")},
			Neighbours{QueuedSystemWide: es(wide("x", "create_snapshot", store.Queued))}, behind},
		{"a snapshot among others", Candidate{Execution: wide("e", "create_snapshot", "")},
			Neighbours{Active: es(on("x", "d", store.Started))}, ""},
		{"others among a snapshot", Candidate{Execution: on("e", "d", "")},
			Neighbours{Active: es(wide("x", "create_snapshot", store.Started))}, ""},
		{"system-wide beside a snapshot", Candidate{Execution: wide("e", "restore_snapshot", "")},
			Neighbours{Active: es(wide("x", "create_snapshot", store.Started))}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			block := Admit(tt.c, tt.n)
			if tt.want == "" {
				if block != nil {
					t.Fatalf("refused: %v", block.Refusal)
				}
				return
			}
			if block == nil {
				t.Fatal("let in")
			}
			wantRefusal(t, block.Refusal, CodeExistingRunning, http.StatusBadRequest, tt.want)
		})
	}
}

func TestCheckEnvironment(t *testing.T) {
	t.Parallel()
	trace := "Traceback:\n  somewhere\nValueError: no such input\n"
	tests := map[store.Status][2]string{
		store.Pending: {CodeCreationPending, "Deployment environment creation is still pending, try again in a minute"},
		store.Started: {CodeCreationProgress, "Deployment environment creation is still in progress, try again in a minute"},
		store.Failed: {CodeCreation, "Can't launch executions since environment creation for deployment d has failed: " +
			"ValueError: no such input"},
		store.Cancelling: {CodeCreation, "Can't launch executions since the environment creation for deployment d has been cancelled [status=cancelling]"},
		store.Queued:     {CodeCreation, "Unexpected deployment status for deployment d [status=queued]"},
	}
	for status, want := range tests {
		err := CheckEnvironment("d", store.Execution{Status: status, Error: &trace})
		wantRefusal(t, err, want[0], http.StatusBadRequest, want[1])
	}
	if err := CheckEnvironment("d", store.Execution{Status: store.Terminated}); err != nil {
		t.Error(err)
	}
}

func TestIsAvailable(t *testing.T) {
	t.Parallel()
	no := false
	active := func(how ...string) *plan.Availability { return &plan.Availability{NodeInstancesActive: how} }
	tests := []struct {
		name   string
		rules  *plan.Availability
		states []string
		want   bool
	}{
		{"no rules", nil, nil, true},
		{"switched off", &plan.Availability{Available: &no}, nil, false},
		{"all of none", active("all"), nil, true},
		{"all", active("all"), []string{"started", "started"}, true},
		{"not all", active("all"), []string{"started", "stopped"}, false},
		{"partial", active("partial"), []string{"started", "stopped"}, true},
		{"partial with none started", active("partial"), []string{"configured", "deleted"}, true},
		{"partial of nothing there", active("partial"), []string{"deleted", "uninitialized"}, false},
		{"partial of all", active("partial"), []string{"started"}, false},
		{"none", active("none"), []string{"stopped"}, true},
		{"not none", active("none"), []string{"started", "stopped"}, false},
		{"any of several", active("none", "partial"), []string{"started", "stopped"}, true},
		{"type there", &plan.Availability{NodeTypesRequired: []string{"x", "a"}}, nil, true},
		{"type missing", &plan.Availability{NodeTypesRequired: []string{"x"}}, nil, false},
		{"one of two rules", &plan.Availability{NodeInstancesActive: []string{"none"}, NodeTypesRequired: []string{"x"}}, nil, false},
	}
	for _, tt := range tests {
		if got := IsAvailable(tt.rules, Topology{InstanceStates: tt.states, NodeTypes: []string{"a"}}); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}

func activeRules(how ...string) *plan.Availability {
	return &plan.Availability{NodeInstancesActive: how}
}
