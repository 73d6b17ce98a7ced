package hook

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"windlass/internal/blueprint/plan"
	"windlass/internal/operation"
	"windlass/internal/store"
)

// claim takes the next call that is due; nil if none is. token is what the call may
// use the REST API with, as whoever started the execution.
func (s *Service) claim(ctx context.Context) (c *store.HookCall, token string, err error) {
	err = s.cfg.Store.WriteLocked(ctx, store.TopicHooks, func(tx store.Tx) error {
		c = nil
		due, err := tx.DueHookCalls(ctx, s.cfg.Clock.Holding(lease), 1)
		if err != nil || len(due) == 0 {
			return err
		}
		c, token = &due[0], rand.Text()+rand.Text()
		c.ClaimedUntil, c.TokenHash = s.cfg.Clock.Now().Add(lease), s.cfg.HashToken(token)
		return tx.UpdateHookCall(ctx, *c)
	})
	return c, token, err
}

// make makes a call and removes it, with what it has logged; if ctx ends, the call is
// left for whoever comes next.
func (s *Service) make(ctx context.Context, c store.HookCall, token string) {
	calling, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		s.renew(calling, c)
	}()
	log := &logger{now: s.cfg.Clock.Now}
	err := s.call(calling, c, token, log)
	cancel()
	<-renewed

	after, done := context.WithTimeout(context.WithoutCancel(ctx), lease)
	defer done()
	if ctx.Err() != nil {
		c.ClaimedUntil, c.TokenHash = time.Time{}, ""
		err = s.cfg.Store.Write(after, func(tx store.Tx) error { return tx.UpdateHookCall(after, c) })
	} else {
		if err != nil {
			log.Log("error", fmt.Sprintf("Hook %s for %s failed: %s", c.Implementation, c.EventType, described(err)))
			s.cfg.Logger.Warn("a hook failed", "hook", c.Implementation, "event", c.EventType, "execution", c.ExecutionID, "error", err)
		}
		err = s.conclude(after, c, log)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		s.cfg.Logger.Error("could not store how a hook ended; it is called again",
			"hook", c.Implementation, "event", c.EventType, "execution", c.ExecutionID, "error", err)
	}
}

// described is an error with the exception's type and traceback, if it was one.
func described(err error) string {
	var raised *operation.Error
	if !errors.As(err, &raised) {
		return err.Error()
	}
	return strings.TrimRight(fmt.Sprintf("%s: %s\n%s", raised.Type, raised.Message, raised.Traceback), "\n")
}

func (s *Service) conclude(ctx context.Context, c store.HookCall, log *logger) error {
	lines := log.events(s.cfg.ManagerName, c)
	err := s.cfg.Store.Write(ctx, func(tx store.Tx) error {
		if len(lines) > 0 {
			if err := tx.AddEvents(ctx, lines); err != nil {
				return err
			}
		}
		return tx.DeleteHookCall(ctx, c.ID)
	})
	if errors.Is(err, store.ErrNotFound) { // the execution was removed meanwhile
		err = s.cfg.Store.Write(ctx, func(tx store.Tx) error { return tx.DeleteHookCall(ctx, c.ID) })
	}
	return err
}

// renew keeps the claim until ctx ends.
func (s *Service) renew(ctx context.Context, c store.HookCall) {
	tick := time.NewTicker(renew)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.ClaimedUntil = s.cfg.Clock.Now().Add(lease)
			err := s.cfg.Store.Write(ctx, func(tx store.Tx) error { return tx.UpdateHookCall(ctx, c) })
			if err != nil && ctx.Err() == nil {
				s.cfg.Logger.Warn("could not keep the claim on a hook's call", "hook", c.Implementation, "error", err)
			}
		}
	}
}

// caller is the framework's function that calls the hook's with what it is told.
const caller = "cloudify._hooks.call"

func (s *Service) call(ctx context.Context, c store.HookCall, token string, log *logger) error {
	e, err := s.cfg.Store.GetExecution(ctx, c.ExecutionID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	plugin, function, err := s.find(ctx, c)
	if err != nil {
		return err
	}
	inputs := c.Inputs
	if inputs == nil {
		inputs = map[string]any{}
	}
	_, err = s.cfg.Runner.Run(ctx, &operation.Request{
		TaskID: c.ID, ExecutionID: c.ExecutionID, WorkflowID: e.WorkflowID, WorkflowParameters: e.Parameters, Tenant: c.Tenant,
		ExecutionCreator: e.CreatedBy, DeploymentID: e.DeploymentID, BlueprintID: e.BlueprintID,
		Name: c.EventType, Plugin: plugin, Implementation: caller,
		Inputs: map[string]any{"function": function, "context": c.Facts, "inputs": inputs},
		Token:  token, RestURL: s.cfg.RestURL,
	}, host{log})
	if cause := context.Cause(ctx); errors.Is(cause, context.DeadlineExceeded) {
		return fmt.Errorf("it was ended after %s", timeout)
	}
	return err
}

// find tells the plugin and the function that an implementation names: the first
// part is a package if a plugin of that name was uploaded.
func (s *Service) find(ctx context.Context, c store.HookCall) (plan.Plugin, string, error) {
	name, rest, _ := strings.Cut(c.Implementation, ".")
	uploaded, err := s.cfg.Store.ListPlugins(ctx, store.Query{
		Tenants: []string{c.Tenant}, Limit: 1, Filters: []store.Filter{{Field: "package_name", Values: []string{name}}},
	})
	if err != nil {
		return plan.Plugin{}, "", fmt.Errorf("look for the plugin %s: %w", name, err)
	}
	if len(uploaded.Items) == 0 || !strings.Contains(rest, ".") {
		return plan.Plugin{Name: "hook"}, c.Implementation, nil
	}
	return plan.Plugin{Name: name, PackageName: &name, Install: true}, rest, nil
}

// logger keeps what a call logs until it has ended.
type logger struct {
	now func() time.Time

	mu    sync.Mutex
	lines []line
}

type line struct {
	at             time.Time
	level, message string
}

// Log keeps a line.
func (l *logger) Log(level, message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line{l.now(), level, message})
}

func (l *logger) events(manager string, c store.HookCall) []store.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	events := make([]store.Event, len(l.lines))
	for i, one := range l.lines {
		events[i] = store.Event{
			Type: store.TypeLog, ExecutionID: c.ExecutionID, Tenant: c.Tenant, ReportedTimestamp: one.at, Logger: "hook." + c.ID,
			Level: one.level, Message: one.message, ManagerName: manager,
		}
	}
	return events
}

// host is what a hook may use of an operation's host: it works on no instance.
type host struct{ *logger }

var _ operation.Host = host{}

var errNoInstance = &operation.Error{Verdict: operation.NonRecoverable, Type: "NonRecoverableError",
	Message: "a hook works on no node instance: use cloudify.manager.get_rest_client()"}

func (host) Started(context.Context) error { return nil }
func (host) Node(context.Context, operation.Subject) (operation.Node, error) {
	return operation.Node{}, errNoInstance
}
func (host) Instance(context.Context, string) (operation.Instance, error) {
	return operation.Instance{}, errNoInstance
}
func (host) UpdateInstance(context.Context, string, int, map[string]any) (int, error) {
	return 0, errNoInstance
}
func (host) Resource(_ context.Context, path string) ([]byte, error) {
	return nil, fmt.Errorf("%s: %w", path, operation.ErrNoResource)
}
func (host) ResourceFiles(_ context.Context, directory string) ([]string, error) {
	return nil, fmt.Errorf("%s: %w", directory, operation.ErrNoResource)
}
func (h host) Event(message string) { h.Log("info", message) }
