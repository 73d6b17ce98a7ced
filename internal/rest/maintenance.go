package rest

import (
	"net/http"
	"strings"

	"windlass/internal/execution"
	"windlass/internal/store"
)

func (s *server) getMaintenance(w http.ResponseWriter, r *request) error {
	m, err := s.Executions.Maintenance(r.Context())
	if err != nil {
		return err
	}
	return ok(w, encodeMaintenance(m))
}

// encodeMaintenance gives blanks where maintenance is off, as clients expect.
func encodeMaintenance(m execution.Maintenance) object {
	o := object{
		"status": m.Status, "activated_at": "", "activation_requested_at": "", "remaining_executions": nil, "requested_by": m.RequestedBy,
	}
	if m.Status == execution.MaintenanceOff {
		return o
	}
	o["activation_requested_at"] = date(m.RequestedAt)
	if m.Status == execution.MaintenanceOn {
		o["activated_at"] = date(m.ActivatedAt)
	}
	remaining := []any{}
	for _, e := range m.Remaining {
		remaining = append(remaining, object{
			"id": e.ID, "workflow_id": e.WorkflowID, "deployment_id": orNull(e.DeploymentID), "status": string(e.Status),
		})
	}
	if len(remaining) > 0 {
		o["remaining_executions"] = remaining
	}
	return o
}

func (s *server) changeMaintenance(w http.ResponseWriter, r *request) error {
	action := r.PathValue("action")
	if action != "activate" && action != "deactivate" {
		return badParameter("Invalid action: %s, Valid action values are: ['activate', 'deactivate']", action)
	}
	m, changed, err := s.Executions.SetMaintenance(r.Context(), action == "activate", r.caller.Username)
	if err != nil {
		return err
	}
	if !changed {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return ok(w, encodeMaintenance(m))
}

// bypassMaintenance lets a caller through who may switch maintenance.
const bypassMaintenance = "X-BYPASS-MAINTENANCE"

// servedInMaintenance are the first parts of paths that are always served.
var servedInMaintenance = []string{
	"brokers", "managers", "db-nodes", "cluster", "config", "status", "version", "license", "license-check", "maintenance", "cluster-status",
	"file-server-auth", "ok", "snapshots", "snapshot-status", "api", "openapi.json", "user", "tokens",
}

// checkMaintenance refuses what is not served in maintenance: all but a few
// calls once it is activated, changes to what runs while it is activating.
func (s *server) checkMaintenance(r *request) error {
	first, rest, _ := strings.Cut(strings.TrimPrefix(r.route.path, "/"), "/")
	for _, name := range servedInMaintenance {
		if first == name {
			return nil
		}
	}
	if r.Header.Get(bypassMaintenance) != "" && r.caller.Can(r.tenant, "maintenance_mode_set") {
		return nil
	}
	m, err := s.Executions.Maintenance(r.Context())
	switch {
	case err != nil || m.Status == execution.MaintenanceOff:
		return err
	case m.Status == execution.MaintenanceOn && !isEnginesOwn(r):
		return fail(execution.CodeInMaintenance, "Your request was rejected since Cloudify manager is currently in maintenance mode")
	case r.Method == http.MethodGet || r.Method == http.MethodDelete || isEnginesOwn(r):
		return nil
	case first == "executions" && rest == "", first == "deployments", first == "deployment-modifications":
		return fail(execution.CodeEnteringMaintenance, "Your request was rejected since Cloudify manager is currently entering maintenance mode")
	}
	return nil
}

// isEnginesOwn tells whether an execution that still runs makes the request.
func isEnginesOwn(r *request) bool {
	return r.caller.Execution != nil && !store.Status(r.caller.Execution.Status).IsEnd()
}
