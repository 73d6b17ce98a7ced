package execution

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"windlass/internal/blueprint/functions"
	"windlass/internal/blueprint/plan"
	"windlass/internal/blueprint/problem"
	"windlass/internal/graph"
	"windlass/internal/operation"
	"windlass/internal/store"
	"windlass/internal/value"
	"windlass/internal/workflow"
)

// performer carries out a graph's operations.
type performer struct {
	r       *run
	graphID string
}

var _ graph.Performer = performer{}

func (p performer) Perform(ctx context.Context, t *graph.Task, started func()) (any, error) {
	// A kill also reaches what a forced cancel has left running before.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(p.r.operations, func() { cancel(context.Cause(p.r.operations)) })()
	defer p.r.under.begin(t, "it runs", p.r.s.now())()

	result, err := p.r.performGuarded(ctx, t, started)
	if errors.Is(err, graph.ErrInterrupted) {
		return nil, err
	}
	failure := failureOf(err)
	if p.r.leaves.Load() {
		p.r.recordLeft(t, result, failure)
	}
	if failure != nil {
		return nil, failure
	}
	return result, nil
}

// performGuarded performs a task. A panic is the operation's failure, not the
// manager's, which would perform it again after each start and panic again.
func (r *run) performGuarded(ctx context.Context, t *graph.Task, started func()) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			r.s.log.Error("operation panicked", "execution", r.e.ID, "task", t.Describe(), "panic", p, "stack", string(debug.Stack()))
			result, err = nil, &graph.Failure{
				Verdict: graph.NonRecoverable, Type: "NonRecoverableError",
				Message: fmt.Sprintf("internal error in operation %s: %v", t.Describe(), p),
			}
		}
	}()
	return r.perform1(ctx, t, started)
}

func (r *run) perform1(ctx context.Context, t *graph.Task, started func()) (any, error) {
	p, ok := t.Payload.(*workflow.OperationPayload)
	if !ok {
		return nil, &graph.Failure{Verdict: graph.NonRecoverable, Type: "NonRecoverableError",
			Message: fmt.Sprintf("stored task %s says no operation", t.ID)}
	}
	runner := r.s.runnerOf(p.Plugin)
	if runner == nil {
		return nil, &graph.Failure{Verdict: graph.NonRecoverable, Type: "NonRecoverableError", Message: fmt.Sprintf(
			"nothing on this manager runs operations of the plugin %s (operation %s, implementation %s)",
			p.Plugin, p.Operation, p.Implementation)}
	}
	req, err := patiently(ctx, func() (*operation.Request, error) {
		now, err := r.present(ctx, t, p)
		if err != nil {
			return nil, err
		}
		return r.request(ctx, t, now)
	})
	if err != nil {
		return nil, err
	}
	if w, ok := runner.(operation.Waiter); ok {
		defer r.under.begin(t, w.WaitsFor(req), r.s.now())()
		if w.EndsWithCancel() {
			return r.performUntilCancel(ctx, t, runner, req, started)
		}
	}
	return r.performAs(ctx, t, runner, req, started)
}

// performUntilCancel performs an operation that a cancel of any kind interrupts.
func (r *run) performUntilCancel(ctx context.Context, t *graph.Task, runner operation.Runner, req *operation.Request, started func()) (any, error) {
	until, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(r.asked, stop)()
	result, err := r.performAs(until, t, runner, req, started)
	if err != nil && until.Err() != nil && ctx.Err() == nil {
		return nil, graph.ErrInterrupted
	}
	return result, err
}

// performAs performs a task as the operation that was asked for.
func (r *run) performAs(ctx context.Context, t *graph.Task, runner operation.Runner, req *operation.Request, started func()) (any, error) {
	host := &operationHost{r: r, req: req, started: sync.OnceFunc(func() {
		begun := *t
		begun.State = graph.Started
		if e, ok := r.taskEvent(&begun); ok {
			r.book.add(e) // before anything that the operation logs
		}
		started()
	})}
	result, err := runner.Run(ctx, req, host)
	switch {
	case errors.Is(err, operation.ErrLeft):
		r.outlived.Store(true)
	case errors.Is(err, operation.ErrLapsed):
		r.stop(errLost)
	}
	return result, err
}

// runnerOf returns what runs the operations of a plugin, nil for none.
func (s *Service) runnerOf(plugin string) operation.Runner {
	if runner := s.cfg.Runners[plugin]; runner != nil {
		return runner
	}
	return s.cfg.Runners[""]
}

// request puts together what a runner needs to know.
func (r *run) request(ctx context.Context, t *graph.Task, p *workflow.OperationPayload) (*operation.Request, error) {
	req := &operation.Request{
		TaskID: t.ID, ExecutionID: r.e.ID, WorkflowID: r.e.WorkflowID, WorkflowParameters: r.e.Parameters,
		Tenant: r.e.Tenant, ExecutionCreator: r.e.CreatedBy, DeploymentID: r.e.DeploymentID,
		DeploymentDisplayName: r.deployment.DisplayName, DeploymentCreator: r.deployment.CreatedBy,
		RuntimeOnlyEvaluation: r.deployment.RuntimeOnlyEvaluation,
		BlueprintID:           r.deployment.BlueprintID, Name: p.Operation, Plugin: plan.Plugin{Name: p.Plugin},
		Implementation: p.Implementation, Inputs: p.Inputs, RetryNumber: t.CurrentRetries, MaxRetries: t.TotalRetries,
		Timeout: time.Duration(p.Timeout * float64(time.Second)), TimeoutRecoverable: p.TimeoutRecoverable,
		Resume: t.Resume, Self: operation.Subject{NodeID: p.NodeID, InstanceID: p.InstanceID},
		Token: r.token, RestURL: r.s.cfg.RestURL,
	}
	if !r.s.cfg.Alone {
		req.Lease = r.lease
	}
	if req.Timeout == 0 && !byWorkflow(t) {
		req.Timeout = r.s.cfg.OperationTimeout
	}
	scope := functions.Scope{Self: p.InstanceID, Path: p.Operation + ".inputs"}
	if p.Related != nil {
		other := operation.Subject{NodeID: p.Related.NodeID, InstanceID: p.Related.InstanceID}
		req.Relationship = &operation.Relationship{Source: req.Self, Target: other}
		if !p.Related.IsTarget {
			req.Relationship = &operation.Relationship{Source: other, Target: req.Self, OnTarget: true}
		}
		scope.Self, scope.Source, scope.Target = "", req.Relationship.Source.InstanceID, req.Relationship.Target.InstanceID
	}
	origin, err := r.originOf(ctx, p.NodeID)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(origin.plugins, func(pl plan.Plugin) bool { return pl.Name == p.Plugin }); i >= 0 {
		req.Plugin = origin.plugins[i]
		if req.Plugin.Properties, err = r.pluginProperties(ctx, req.Plugin.Properties); err != nil {
			return nil, fmt.Errorf("evaluate the properties of the plugin %s: %w", p.Plugin, err)
		}
	}
	if origin.blueprint != "" {
		req.BlueprintID = origin.blueprint
	}
	if p.HasFunctions {
		if req.Inputs, err = r.evaluateMap(ctx, p.Inputs, scope); err != nil {
			return nil, fmt.Errorf("evaluate the inputs of %s: %w", t.Describe(), err)
		}
	}
	if req.ResourceTags, err = r.resourceTags(ctx); err != nil {
		return nil, err
	}
	req.WorkDir, err = r.workDir()
	return req, err
}

// pluginProperties evaluates the values of a plugin's properties, which are kept
// as they are written.
func (r *run) pluginProperties(ctx context.Context, properties map[string]plan.Schema) (map[string]plan.Schema, error) {
	values := map[string]any{}
	for name, p := range properties {
		if p.Value != nil && functions.Contains(p.Value.V) {
			values[name] = p.Value.V
		}
	}
	if len(values) == 0 {
		return properties, nil
	}
	values, err := r.evaluateMap(ctx, values, functions.Scope{})
	if err != nil {
		return nil, err
	}
	properties = maps.Clone(properties)
	for name, v := range values {
		p := properties[name]
		p.Value = &value.Any{V: v}
		properties[name] = p
	}
	return properties, nil
}

// origin is where the operations of a node come from. During an update the nodes
// that are gone are those of the blueprint that was.
type origin struct {
	plugins   []plan.Plugin
	blueprint string
}

// originOf returns the origin of a node, read once for the run. What belongs to no
// node has none.
func (r *run) originOf(ctx context.Context, nodeID string) (origin, error) {
	if nodeID == "" {
		return origin{}, nil
	}
	if known, ok := r.origins.Load(nodeID); ok {
		return known.(origin), nil
	}
	n, err := r.s.store.GetNode(ctx, r.e.Tenant, r.e.DeploymentID, nodeID)
	if err != nil {
		return origin{}, err
	}
	o := origin{n.Plugins, n.BlueprintID}
	r.origins.Store(nodeID, o)
	return o, nil
}

// failureOf is an operation's error as the graph understands it. What says
// nothing about retries is tried again, as the original does.
func failureOf(err error) *graph.Failure {
	if err == nil {
		return nil
	}
	var f *graph.Failure
	if errors.As(err, &f) {
		return f
	}
	var e *operation.Error
	if !errors.As(err, &e) {
		f := &graph.Failure{Verdict: graph.Recoverable, Type: "RecoverableError", Message: err.Error()}
		var p *problem.Problem
		if errors.As(err, &p) {
			f.Type = string(p.Kind)
		}
		return f
	}
	f = &graph.Failure{
		Type: e.Type, Message: e.Message, Traceback: e.Traceback, RetryAfter: e.RetryAfter, ExitCode: e.ExitCode, Output: e.Output,
	}
	switch e.Verdict {
	case operation.NonRecoverable:
		f.Verdict = graph.NonRecoverable
	case operation.Reschedule:
		f.Verdict = graph.Reschedule
	}
	for _, c := range e.Causes {
		f.Causes = append(f.Causes, graph.Cause{Message: c.Message, Type: c.Type, Traceback: c.Traceback})
	}
	return f
}

// recordLeft journals the outcome of an operation that a forced cancel left
// running, so that a resume doesn't repeat it. Nothing follows from it now.
func (r *run) recordLeft(t *graph.Task, result any, failure *graph.Failure) {
	if r.ctx.Err() != nil || r.operations.Err() != nil {
		return // it was interrupted
	}
	t.State, t.Result, t.Failure = graph.Succeeded, result, failure
	if failure != nil {
		t.State, t.Result = graph.Failed, nil
		if failure.Verdict == graph.Reschedule {
			t.State = graph.Rescheduled
		}
	}
	change := store.OperationChange{ID: t.ID, Type: string(t.Kind), State: string(t.State), Result: t.Result}
	batch := store.JournalBatch{Changed: []store.OperationChange{change}}
	if e, ok := r.taskEvent(t); ok {
		batch.Events = append(batch.Events, e)
	}
	if err := r.journal(r.ctx, batch); err == nil {
		r.s.settle(batch.Changed)
	} else if r.ctx.Err() == nil {
		r.s.log.Error("could not store how an operation ended after its execution was cancelled",
			"execution", r.e.ID, "task", t.Describe(), "error", err)
	}
}

// limiter takes slots for one execution's operations.
type limiter struct{ r *run }

var (
	_ graph.Limiter = limiter{}
	_ graph.Taker   = limiter{}
)

func (l limiter) Acquire(ctx context.Context, t *graph.Task) (func(), error) {
	if byWorkflow(t) || l.waits(t) && l.r.asked.Err() == nil {
		return func() {}, ctx.Err()
	}
	deployment := l.r.e.Tenant + "/" + l.r.e.DeploymentID
	wait := "it waits for a free place among the operations that may run at once"
	if limit := l.r.s.slots.limit(l.r.e.ID, deployment); limit != "" {
		wait += ": " + limit
	}
	defer l.r.under.begin(t, wait, l.r.s.now())()
	release, err := l.r.s.slots.acquire(ctx, l.r.e.ID, deployment)
	if err == nil && l.r.asked.Err() != nil {
		// Nothing more is to start. The engine, which may not have heard of it
		// yet, ends the wait.
		release()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return release, err
}

// waits tells whether a task does nothing but wait, and so takes no slot.
func (l limiter) waits(t *graph.Task) bool {
	p, ok := t.Payload.(*workflow.OperationPayload)
	if !ok {
		return false
	}
	_, waits := l.r.s.runnerOf(p.Plugin).(operation.Waiter)
	return waits
}

// Take implements graph.Taker.
func (l limiter) Take(t *graph.Task) (func(), bool) {
	if l.r.asked.Err() != nil {
		return nil, false
	}
	if byWorkflow(t) || l.waits(t) {
		return func() {}, true
	}
	return l.r.s.slots.take(l.r.e.ID, l.r.e.Tenant+"/"+l.r.e.DeploymentID)
}

// byWorkflow tells whether a custom workflow performs the task itself.
func byWorkflow(t *graph.Task) bool {
	p, ok := t.Payload.(*workflow.OperationPayload)
	return ok && p.Plugin == operation.WorkflowPlugin
}

// underWay is what an execution's tasks are doing, for people who ask.
type underWay struct {
	mu    sync.Mutex
	tasks map[string]taskUnderWay
}

type taskUnderWay struct {
	name, doing string
	since       time.Time
}

// begin notes what a task does until end is called.
func (u *underWay) begin(t *graph.Task, doing string, now time.Time) (end func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.tasks == nil {
		u.tasks = map[string]taskUnderWay{}
	}
	u.tasks[t.ID] = taskUnderWay{t.Describe(), doing, now}
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.tasks, t.ID)
	}
}

// list returns the tasks, longest first.
func (u *underWay) list(now time.Time) []WaitingTask {
	u.mu.Lock()
	defer u.mu.Unlock()
	ids := make([]string, 0, len(u.tasks))
	for id := range u.tasks {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return u.tasks[a].since.Compare(u.tasks[b].since) })
	found := make([]WaitingTask, len(ids))
	for i, id := range ids {
		t := u.tasks[id]
		found[i] = WaitingTask{ID: id, Name: t.name, For: fmt.Sprintf("%s since %s", t.doing, now.Sub(t.since).Round(time.Millisecond))}
	}
	return found
}
