package hook

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"windlass/internal/operation"
	"windlass/internal/store"
)

// Config is what a Service works with.
type Config struct {
	Store store.Store
	// Runner runs functions of plugins, as it runs their operations.
	Runner      operation.Runner
	ManagerName string
	RestURL     string // "" when no REST API is served
	// HashToken is the form in which tokens are stored.
	HashToken func(token string) string
	// Clock is the time that the managers share.
	Clock  *store.Clock
	Logger *slog.Logger
}

// Service notes which functions to call, and calls them.
type Service struct {
	cfg   Config
	hooks atomic.Pointer[[]Hook]
}

// The times that a Service keeps to.
const (
	lease   = 15 * time.Second // of a call; another manager makes it after that
	renew   = 5 * time.Second
	poll    = 2 * time.Second // how often the setting, and what nobody told of, is looked at
	timeout = 10 * time.Minute
	atOnce  = 4 // calls that a manager makes at a time
)

// NewService returns a Service that knows no hooks before its first Refresh.
func NewService(cfg Config) *Service {
	s := &Service{cfg: cfg}
	s.hooks.Store(&[]Hook{})
	return s
}

// Refresh reads the setting. What can't be read as hooks leaves those that were.
func (s *Service) Refresh(ctx context.Context) error {
	settings, err := s.cfg.Store.ListSettings(ctx)
	if err != nil {
		return fmt.Errorf("read the hooks: %w", err)
	}
	var hooks []Hook
	for _, one := range settings {
		if one.Name == Setting {
			if hooks, err = Parse(one.Value); err != nil {
				return fmt.Errorf("the setting %s: %w", Setting, err)
			}
		}
	}
	s.hooks.Store(&hooks)
	return nil
}

// Announce notes the call of the first hook for e's new status, if there is one. It
// belongs into the transaction that stores the status.
func (s *Service) Announce(ctx context.Context, tx store.Tx, e store.Execution) error {
	event := eventType(e.Status)
	if event == "" {
		return nil
	}
	for _, h := range *s.hooks.Load() {
		if h.EventType != event {
			continue
		}
		now := s.cfg.Clock.Now()
		return tx.AddHookCall(ctx, store.HookCall{
			ID: uuid.NewString(), Tenant: e.Tenant, ExecutionID: e.ID, EventType: event, CreatedAt: now,
			Implementation: h.Implementation, Inputs: h.Inputs, Facts: factsOf(e, event, now),
		})
	}
	return nil
}

// factsOf is what a function is told of an execution, in the original's words.
func factsOf(e store.Execution, event string, now time.Time) map[string]any {
	facts := map[string]any{
		"message_type": "hook", "event_type": event, "timestamp": now.UTC().Format("2006-01-02T15:04:05.000Z"), "arguments": nil,
		"is_system_workflow": e.IsSystemWorkflow, "execution_id": e.ID, "workflow_id": e.WorkflowID,
		"blueprint_id": orNil(e.BlueprintID), "deployment_id": orNil(e.DeploymentID),
		"tenant_name": e.Tenant, "tenant": map[string]any{"name": e.Tenant},
	}
	if !e.IsSystemWorkflow {
		parameters := e.Parameters
		if parameters == nil {
			parameters = map[string]any{}
		}
		facts["execution_parameters"] = parameters
	}
	return facts
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Run makes the calls that are due until ctx ends, and returns when the last one
// has ended. Calls that were cut off are made again by whoever runs next.
func (s *Service) Run(ctx context.Context) {
	told, stop := s.cfg.Store.Subscribe(store.TopicHooks)
	defer stop()
	var calls sync.WaitGroup
	defer calls.Wait()
	places, freed := make(chan struct{}, atOnce), make(chan struct{}, 1)
	look := time.NewTicker(poll)
	defer look.Stop()
	for {
		for s.next(ctx, places, freed, &calls) {
		}
		select {
		case <-ctx.Done():
			return
		case <-told:
		case <-freed:
		case <-look.C:
			if err := s.Refresh(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Logger.Error("the hooks stay as they were", "error", err)
			}
		}
	}
}

// next begins the next call, if one is due and there is a place for it.
func (s *Service) next(ctx context.Context, places, freed chan struct{}, calls *sync.WaitGroup) bool {
	select {
	case places <- struct{}{}:
	default:
		return false // the end of a call looks again
	}
	c, token, err := s.claim(ctx)
	if err != nil || c == nil {
		<-places
		if err != nil && ctx.Err() == nil {
			s.cfg.Logger.Error("could not look for calls of hooks", "error", err)
		}
		return false
	}
	calls.Go(func() {
		s.make(ctx, *c, token)
		<-places
		select {
		case freed <- struct{}{}:
		default: // somebody was faster
		}
	})
	return true
}
