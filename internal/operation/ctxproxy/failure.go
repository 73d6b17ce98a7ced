package ctxproxy

import (
	"errors"
	"fmt"

	"windlass/internal/operation"
	"windlass/internal/value"
)

// Failure is an error told to the script, with the class name that the
// Python framework of the original would have raised.
type Failure struct {
	Type    string
	Message string
}

func (f *Failure) Error() string { return f.Message }

func failf(class, format string, args ...any) error {
	return &Failure{Type: class, Message: fmt.Sprintf(format, args...)}
}

// The classes of failures.
const (
	runtimeError   = "RuntimeError"
	typeError      = "TypeError"
	indexError     = "IndexError"
	keyError       = "KeyError"
	nonRecoverable = "NonRecoverableError"
	recoverable    = "RecoverableError"
	httpException  = "HttpException"
	notInContext   = "NotInContext"
)

// failureOf gives any error a class.
func failureOf(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	if errors.Is(err, operation.ErrConflict) {
		return &Failure{Type: recoverable, Message: err.Error()}
	}
	return &Failure{Type: runtimeError, Message: err.Error()}
}

// OperationError turns what a session's method returned into the failure of
// the operation: retried or not according to its class.
func OperationError(err error) *operation.Error {
	if e, ok := errors.AsType[*operation.Error](err); ok {
		return e
	}
	f := failureOf(err)
	verdict := operation.Recoverable
	if f.Type == nonRecoverable || f.Type == httpException {
		verdict = operation.NonRecoverable
	}
	return &operation.Error{Verdict: verdict, Type: f.Type, Message: f.Message}
}

func notSerializable(v any) error {
	name := value.TypeName(v)
	if o, ok := v.(object); ok {
		name = o.className()
	}
	if _, ok := v.(method); ok {
		name = "method"
	}
	return failf(typeError, "Object of type %s is not JSON serializable", name)
}
