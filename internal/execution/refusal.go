package execution

import (
	"fmt"
	"net/http"
)

// Refusal is a request that the rules of executions turn down. It carries all
// that the REST API answers with.
type Refusal struct {
	Code    string // error_code of the REST API
	Status  int    // HTTP status
	Message string
}

func (r *Refusal) Error() string { return r.Message }

// The error codes that refusals carry.
const (
	CodeBadParameters     = "bad_parameters_error"
	CodeIllegalAction     = "illegal_action_error"
	CodeStatusUpdate      = "invalid_exception_status_update"
	CodeExistingRunning   = "existing_running_execution_error"
	CodeNoWorkflow        = "nonexistent_workflow_error"
	CodeUnavailable       = "unavailable_workflow_error"
	CodeParameters        = "illegal_execution_parameters_error"
	CodeFunctions         = "functions_evaluation_error"
	CodeDependents        = "dependent_exists_error"
	CodeCreation          = "deployment_creation_error"
	CodeCreationPending   = "deployment_environment_creation_pending_error"
	CodeCreationProgress  = "deployment_environment_creation_in_progress_error"
	CodeConflict          = "conflict_error"
	CodeNotFound          = "not_found_error"
	CodeForbidden         = "forbidden_error"
	CodeWhileCancelling   = "forbidden_while_cancelling"
	CodeAvailabilityRules = "invalid_workflow_availability_rule_error"

	CodeEnteringMaintenance = "entering_maintenance_mode"
	CodeInMaintenance       = "maintenance_mode_active"
)

func refuse(code, format string, args ...any) *Refusal {
	status := http.StatusBadRequest
	switch code {
	case CodeConflict:
		status = http.StatusConflict
	case CodeNotFound:
		status = http.StatusNotFound
	case CodeForbidden, CodeWhileCancelling:
		status = http.StatusForbidden
	case CodeEnteringMaintenance, CodeInMaintenance:
		status = http.StatusServiceUnavailable
	}
	return &Refusal{Code: code, Status: status, Message: fmt.Sprintf(format, args...)}
}
