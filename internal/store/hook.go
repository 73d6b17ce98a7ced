package store

import (
	"context"
	"time"
)

// HookCall is a function that is still to be called, since something happened to
// an execution. It is gone when the call has ended.
type HookCall struct {
	ID          string
	Tenant      string
	ExecutionID string
	EventType   string // workflow_started and the like
	CreatedAt   time.Time
	// Implementation is what to call: PACKAGE.MODULE.FUNCTION of an uploaded
	// plugin, or MODULE.FUNCTION.
	Implementation string
	Inputs         map[string]any
	// Facts are what the function is told of the execution.
	Facts map[string]any
	// ClaimedUntil is when another manager may make the call; zero: at once.
	ClaimedUntil time.Time
	TokenHash    string // of the token that the call is made with; "" for none
}

// HookReader reads calls of hooks.
type HookReader interface {
	// DueHookCalls lists calls that nobody makes, whose claim is none of those that hold, the oldest first: of each
	// execution only the first of all its calls.
	DueHookCalls(ctx context.Context, h Holding, limit int) ([]HookCall, error)
	// FindHookCallByToken finds the call whose token has this hash, or gives ErrNotFound.
	FindHookCallByToken(ctx context.Context, tokenHash string) (HookCall, error)
}

// HookWriter changes calls of hooks.
type HookWriter interface {
	// AddHookCall gives ErrExists if the id is taken. It notifies TopicHooks.
	AddHookCall(ctx context.Context, c HookCall) error
	// UpdateHookCall stores who makes the call: ClaimedUntil and TokenHash; ErrNotFound if it is gone.
	UpdateHookCall(ctx context.Context, c HookCall) error
	// DeleteHookCall removes a call; one that is gone is no error.
	DeleteHookCall(ctx context.Context, id string) error
}

// TopicHooks is notified when there are calls of hooks to make.
const TopicHooks = "hooks"
