package rest

import (
	"net/http"
	"testing"

	"windlass/internal/access"
	"windlass/internal/store"
)

func TestMaintenance(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.member("ann", access.DefaultTenant, access.TenantUser)
	a.do(ask{method: "POST", path: "/maintenance/deactivate"}).is(http.StatusNotModified)
	if m := a.get("/maintenance").object(); m["status"] != "deactivated" || m["activated_at"] != "" || m["requested_by"] != "" {
		t.Errorf("at first: %v", m)
	}
	a.do(ask{method: "POST", path: "/maintenance/pause"}).refused("bad_parameters_error", "Valid action values")
	a.do(ask{method: "POST", path: "/maintenance/activate", user: login("ann")}).refused("forbidden_error", "maintenance_mode_set")

	running := store.Execution{Owned: owned("admin"), ID: "e", WorkflowID: "install", Status: store.Started}
	a.write(func(tx store.Tx) error { return tx.AddExecution(t.Context(), running) })
	m := a.do(ask{method: "POST", path: "/maintenance/activate"}).is(http.StatusOK).object()
	if m["status"] != "activating" || m["requested_by"] != "admin" || len(m["remaining_executions"].([]any)) != 1 {
		t.Errorf("with an execution that runs: %v", m)
	}
	a.do(ask{method: "POST", path: "/maintenance/activate"}).is(http.StatusNotModified)
	a.do(ask{method: "POST", path: "/executions", body: object{"deployment_id": "d", "workflow_id": "install"}}).
		refused("entering_maintenance_mode", "entering maintenance mode")
	a.get("/executions").is(http.StatusOK)

	running.Status = store.Terminated
	a.write(func(tx store.Tx) error { return tx.UpdateExecution(t.Context(), running) })
	if m := a.get("/maintenance").object(); m["status"] != "activated" || m["remaining_executions"] != nil {
		t.Errorf("once it has ended: %v", m)
	}
	a.get("/executions").refused("maintenance_mode_active", "maintenance mode")
	for _, path := range []string{"/status", "/config", "/ok", "/snapshots", "/version"} {
		a.get(path).is(http.StatusOK)
	}
	bypass := func(user string) answered {
		return a.do(ask{method: "GET", path: "/executions", user: user, header: map[string]string{bypassMaintenance: "1"}})
	}
	bypass("").is(http.StatusOK)
	bypass(login("ann")).refused("maintenance_mode_active", "")
	a.do(ask{method: "POST", path: "/maintenance/deactivate"}).is(http.StatusOK)
	a.get("/executions").is(http.StatusOK)
}
