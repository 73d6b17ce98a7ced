package execution

import (
	"errors"
	"testing"

	"windlass/internal/operation"
	"windlass/internal/store"
)

// TestMaintenance: what runs ends, what waits goes on waiting, nothing new
// starts, and afterwards all goes on.
func TestMaintenance(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	addDeployment(t, st, "d", nil)
	runner := newScripted()
	b := block(runner, "db.start")
	s := newService(t, Config{Store: st, Runners: map[string]operation.Runner{"script": runner}})
	serve(t, s)
	running := install(t, s, "d", nil)
	<-b.begun
	waiting, err := s.Start(t.Context(), StartRequest{
		Tenant: "default_tenant", DeploymentID: "d", WorkflowID: "uninstall", Queue: true, CreatedBy: "admin"})
	if err != nil {
		t.Fatal(err)
	}

	m, changed, err := s.SetMaintenance(t.Context(), true, "ann")
	if err != nil || !changed || m.Status != MaintenanceWaiting || len(m.Remaining) != 1 || m.Remaining[0].ID != running.ID || m.RequestedBy != "ann" {
		t.Fatalf("activated: %+v, %v, %v", m, changed, err)
	}
	if _, changed, err := s.SetMaintenance(t.Context(), true, "bob"); changed || err != nil {
		t.Errorf("activated again: %v, %v", changed, err)
	}
	refused := func(code string) {
		t.Helper()
		var refusal *Refusal
		_, err := s.Start(t.Context(), StartRequest{Tenant: "default_tenant", DeploymentID: "d", WorkflowID: "install", Queue: true})
		if !errors.As(err, &refusal) || refusal.Code != code || refusal.Status != 503 {
			t.Errorf("a start gives %v, want %s", err, code)
		}
	}
	refused(CodeEnteringMaintenance)
	b.proceed <- struct{}{}
	waitEnd(t, s, running.ID, store.Terminated)
	if m, err = s.Maintenance(t.Context()); err != nil || m.Status != MaintenanceOn || m.ActivatedAt.Before(m.RequestedAt) {
		t.Errorf("afterwards: %+v, %v", m, err)
	}
	refused(CodeInMaintenance)
	if e := get(t, s, waiting.ID); e.Status != store.Queued {
		t.Errorf("the queued one is %s", e.Status)
	}

	if m, changed, err = s.SetMaintenance(t.Context(), false, "ann"); err != nil || !changed || m.Status != MaintenanceOff {
		t.Errorf("deactivated: %+v, %v, %v", m, changed, err)
	}
	waitEnd(t, s, waiting.ID, store.Terminated)
}
