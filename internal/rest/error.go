package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"windlass/internal/access"
	"windlass/internal/approval"
	"windlass/internal/blueprint/problem"
	"windlass/internal/execution"
	"windlass/internal/store"
	"windlass/internal/value"
)

// statuses is the one table of error codes and their HTTP statuses.
var statuses = map[string]int{
	"bad_parameters_error":                                http.StatusBadRequest,
	"illegal_action_error":                                http.StatusBadRequest,
	"dependent_exists_error":                              http.StatusBadRequest,
	"existing_running_execution_error":                    http.StatusBadRequest,
	"nonexistent_workflow_error":                          http.StatusBadRequest,
	"unavailable_workflow_error":                          http.StatusBadRequest,
	"invalid_workflow_availability_rule_error":            http.StatusBadRequest,
	"illegal_execution_parameters_error":                  http.StatusBadRequest,
	"invalid_exception_status_update":                     http.StatusBadRequest,
	"no_such_include_field_error":                         http.StatusBadRequest,
	"invalid_blueprint_error":                             http.StatusBadRequest,
	"invalid_plugin_error":                                http.StatusBadRequest,
	"deployment_creation_error":                           http.StatusBadRequest,
	"deployment_environment_creation_in_progress_error":   http.StatusBadRequest,
	"deployment_environment_creation_pending_error":       http.StatusBadRequest,
	"missing_required_deployment_input_error":             http.StatusBadRequest,
	"unknown_deployment_input_error":                      http.StatusBadRequest,
	"deployment_input_evaluation_error":                   http.StatusBadRequest,
	"constraint_error":                                    http.StatusBadRequest,
	"unknown_deployment_secret_error":                     http.StatusBadRequest,
	"deployment_outputs_evaluation_error":                 http.StatusBadRequest,
	"deployment_capabilities_evaluation_error":            http.StatusBadRequest,
	"functions_evaluation_error":                          http.StatusBadRequest,
	"deployment_plugin_not_found":                         http.StatusBadRequest,
	"invalid_filter_rule":                                 http.StatusBadRequest,
	"snapshot_action_error":                               http.StatusBadRequest,
	"param_url_not_found_error":                           http.StatusBadRequest,
	"upload_missing_file":                                 http.StatusBadRequest,
	"missing_cloudify_license":                            http.StatusBadRequest,
	"unauthorized_error":                                  http.StatusUnauthorized,
	"forbidden_error":                                     http.StatusForbidden,
	"forbidden_while_cancelling":                          http.StatusForbidden,
	execution.CodeModificationStarted:                     http.StatusBadRequest,
	execution.CodeModificationEnded:                       http.StatusBadRequest,
	"only_deployment_update":                              http.StatusForbidden,
	"not_found_error":                                     http.StatusNotFound,
	"deployment_parent_not_found_error":                   http.StatusNotFound,
	"missing_premium_package_error":                       http.StatusNotFound,
	"method_not_allowed_error":                            http.StatusMethodNotAllowed,
	"plugin_in_use":                                       http.StatusMethodNotAllowed,
	"blueprint_in_use":                                    http.StatusMethodNotAllowed,
	"conflict_error":                                      http.StatusConflict,
	"ambiguous_name":                                      http.StatusConflict,
	"request_too_large_error":                             http.StatusRequestEntityTooLarge,
	"unknown_action":                                      http.StatusBadRequest,
	"unsupported_content_type_error":                      http.StatusUnsupportedMediaType,
	"internal_server_error":                               http.StatusInternalServerError,
	"not_implemented_error":                               http.StatusNotImplemented,
	"too_many_streams_error":                              http.StatusServiceUnavailable,
	"entering_maintenance_mode":                           http.StatusServiceUnavailable,
	"maintenance_mode_active":                             http.StatusServiceUnavailable,
	"request_timeout_error":                               http.StatusRequestTimeout,
	"deployment_environment_creation_wait_exceeded_error": http.StatusInternalServerError,
}

// apiError is an error of this room, with more members of the body if need be.
type apiError struct {
	code    string
	message string
	more    map[string]any
}

func (e *apiError) Error() string { return e.message }

func fail(code, format string, args ...any) error {
	return &apiError{code: code, message: fmt.Sprintf(format, args...)}
}

func badParameter(format string, args ...any) error {
	return fail("bad_parameters_error", format, args...)
}

// notFound is the error for a record that the caller can't see; model is the
// wire's name of its kind.
func notFound(model, id string) error {
	return fail("not_found_error", "Requested `%s` with ID `%s` was not found", model, id)
}

// notYet answers calls to what this manager does not offer.
func notYet(what string) error {
	return fail("not_implemented_error", "%s is not supported by this manager yet", what)
}

// answer is what an error becomes on the wire.
type answer struct {
	status  int
	code    string
	message string
	more    map[string]any
	hidden  bool // an error of ours: to be logged, the client learns little
}

// answerTo finds the answer to an error.
func answerTo(err error) answer {
	var own *apiError
	var refusal *execution.Refusal
	var denied *access.Error
	var unanswerable *approval.Refusal
	var record *store.RecordError
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &own):
		return coded(own.code, own.message, own.more)
	case errors.As(err, &refusal):
		a := coded(refusal.Code, refusal.Message, nil)
		if refusal.Status != 0 {
			a.status, a.hidden = refusal.Status, false
		}
		return a
	case errors.As(err, &denied):
		return coded(denied.ErrorCode(), denied.Message, nil)
	case errors.As(err, &unanswerable):
		return coded(unanswerable.Code, unanswerable.Message, nil)
	case errors.As(err, &tooBig):
		return coded("request_too_large_error", fmt.Sprintf("The request body is larger than %d bytes", tooBig.Limit), nil)
	case errors.As(err, &record):
		return recordAnswer(record)
	case errors.Is(err, store.ErrBadQuery):
		return coded("bad_parameters_error", err.Error(), nil)
	case errors.Is(err, store.ErrFenced), errors.Is(err, store.ErrVersion), errors.Is(err, store.ErrExists):
		return coded("conflict_error", err.Error(), nil)
	case errors.Is(err, store.ErrNotFound):
		return coded("not_found_error", err.Error(), nil)
	case errors.Is(err, store.ErrFull):
		return coded("internal_server_error", "Nothing was changed: "+err.Error(), nil)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return coded("request_timeout_error", "The request was abandoned", nil)
	case len(problem.All(err)) > 0:
		return coded(problemCode(problem.All(err)[0].Kind), problem.All(err).Error(), nil)
	}
	a := coded("internal_server_error",
		fmt.Sprintf("Internal error occurred in manager REST server - %s", err), nil)
	a.hidden = true
	return a
}

func coded(code, message string, more map[string]any) answer {
	status, ok := statuses[code]
	if !ok {
		status = http.StatusInternalServerError
	}
	return answer{status: status, code: code, message: message, more: more}
}

func recordAnswer(e *store.RecordError) answer {
	switch {
	case errors.Is(e, store.ErrNotFound):
		return coded("not_found_error", fmt.Sprintf("Requested `%s` with ID `%s` was not found", e.Kind, e.ID), nil)
	case errors.Is(e, store.ErrExists):
		return coded("conflict_error", fmt.Sprintf("<%s id=`%s`> already exists", e.Kind, e.ID), nil)
	case errors.Is(e, store.ErrVersion), errors.Is(e, store.ErrFenced):
		return coded("conflict_error", e.Error(), nil)
	case errors.Is(e, store.ErrBadQuery):
		return coded("bad_parameters_error", e.Error(), nil)
	}
	if errors.Is(e, store.ErrFull) {
		return coded("internal_server_error", "Nothing was changed: "+e.Error(), nil)
	}
	a := coded("internal_server_error", "Internal error occurred in manager REST server - "+e.Error(), nil)
	a.hidden = true
	return a
}

func problemCode(k problem.Kind) string {
	switch k {
	case problem.MissingRequiredInput:
		return "missing_required_deployment_input_error"
	case problem.UnknownInput:
		return "unknown_deployment_input_error"
	case problem.InputEvaluation:
		return "deployment_input_evaluation_error"
	case problem.Constraint:
		return "constraint_error"
	case problem.UnknownSecret, problem.UnsupportedGetSecret:
		return "unknown_deployment_secret_error"
	case problem.FunctionValidation, problem.FunctionEvaluation, problem.EvaluationRecursion, problem.KeyMissing,
		problem.BadValue, problem.Runtime:
		return "functions_evaluation_error"
	}
	return "invalid_blueprint_error"
}

// writeError sends an error as the wire's JSON body. server_traceback is
// always null: clients append its last line to the message.
func (s *server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	a := answerTo(err)
	if a.hidden {
		s.log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	body := map[string]any{"message": a.message, "error_code": a.code, "server_traceback": nil}
	for k, v := range a.more {
		body[k] = v
	}
	writeJSON(w, a.status, body)
}

// writeJSON sends a value. It is written whole, with its length.
func writeJSON(w http.ResponseWriter, status int, v any) {
	data := append(value.Encode(v), '\n')
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	w.WriteHeader(status)
	_, _ = w.Write(data) // a client that has gone is no error of ours
}
