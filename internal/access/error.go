package access

import "fmt"

// Code is the wire's name of a kind of error.
type Code string

// The codes that this package uses.
const (
	Unauthorized  Code = "unauthorized_error"
	Forbidden     Code = "forbidden_error"
	BadParameters Code = "bad_parameters_error"
	Conflict      Code = "conflict_error"
	NotFound      Code = "not_found_error"
	IllegalAction Code = "illegal_action_error"
)

// Error is a refusal, with a message for the user.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string { return e.Message }

// ErrorCode is the wire's name of the kind of error.
func (e *Error) ErrorCode() string { return string(e.Code) }

func refuse(code Code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func unauthorized(format string, args ...any) error {
	return refuse(Unauthorized, "User unauthorized: "+format, args...)
}
