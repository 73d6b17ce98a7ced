package python

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"windlass/internal/blueprint/plan"
	"windlass/internal/graph"
	"windlass/internal/operation"
	"windlass/internal/operation/child"
	"windlass/internal/workflow"
)

// Lookup finds workflows for execution.Config.Workflows: the built-in ones by
// package workflow, and all others as Python functions of their plugins.
func (r *Runner) Lookup(plugin, operation string) (workflow.Func, bool) {
	if f, ok := workflow.Lookup(plugin, operation); ok || plugin == workflow.Plugin {
		return f, ok
	}
	return r.Workflow(plugin, operation), true
}

// ScriptWorkflow is the operation of workflows that are scripts.
const ScriptWorkflow = "script_runner.tasks.execute_workflow"

// Workflow is the workflow that a blueprint maps to a function of a plugin, or
// to a script. It runs in a child of the worker of the deployment and the
// plugin; the graphs it builds are run by its host.
func (r *Runner) Workflow(plugin, operation string) workflow.Func {
	return func(ctx context.Context, h workflow.Host, parameters map[string]any) error {
		return r.runWorkflow(ctx, h, plugin, operation, parameters)
	}
}

func (r *Runner) runWorkflow(ctx context.Context, h workflow.Host, plugin, function string, parameters map[string]any) error {
	d, err := h.Deployment(ctx)
	if err != nil {
		return err
	}
	s := &conversation{
		runner: r, host: h, deployment: d, function: function, parameters: parameters,
		waiting: map[string]chan reply{}, closed: make(chan struct{}), ended: map[int64]error{}, fatal: make(chan struct{}),
		budget: child.NewBudget(r.cfg.Log),
	}
	if extra, ok := h.(operation.Surroundings); ok {
		s.extra = extra
		if s.about, err = extra.About(ctx); err != nil {
			return err
		}
	}
	env, err := r.cfg.Environments.Environment(ctx, Query{
		Tenant: s.about.Tenant, DeploymentID: d.ID, BlueprintID: s.about.BlueprintID, Plugin: s.plugin(plugin),
	})
	if err != nil {
		return fmt.Errorf("workflow %s: %w", d.WorkflowID, err)
	}
	dir, err := r.runs.New()
	if err != nil {
		return err
	}
	defer dir.Remove()
	return s.run(ctx, env, dir)
}

// plugin finds what is known of a plugin that the deployment uses.
func (s *conversation) plugin(name string) plan.Plugin {
	of := func(list []plan.Plugin) int {
		return slices.IndexFunc(list, func(p plan.Plugin) bool { return p.Name == name })
	}
	if i := of(s.about.Plugins); i >= 0 {
		return s.about.Plugins[i]
	}
	for _, n := range s.deployment.Nodes {
		if i := of(n.Plugins); i >= 0 {
			return n.Plugins[i]
		}
	}
	return plan.Plugin{Name: name}
}

// run runs the workflow's child to its end.
func (s *conversation) run(parent context.Context, env Environment, dir *child.Run) error {
	r := s.runner
	process, endProcess := context.WithCancelCause(parent)
	defer endProcess(nil)
	// A workflow that is ended by force leaves its graphs to end by themselves,
	// and operations that run to go on. So what it has asked for lives longer than
	// its process, and then ends with the parent.
	asked, endAsked := context.WithCancelCause(parent)
	s.ctx = asked
	defer func() {
		if !errors.Is(context.Cause(process), errForced) {
			endAsked(errProcessEnded)
		}
	}()
	out, err := dir.NewOutput(r.cfg.Output, func(m string) { s.log("debug", "<out> "+m) })
	if err != nil {
		return err
	}
	defer out.File.Close()
	if err := r.live.enter(s); err != nil {
		return err
	}
	defer r.live.leave(s)
	req := &operation.Request{WorkDir: s.about.WorkDir, RestURL: s.about.RestURL, ExecutionID: s.deployment.ExecutionID, Name: s.function}
	vars := variables(req, r.cfg.Root, "", dir)
	delete(vars, "CTX_SOCKET_URL")
	key := workerKey{s.about.Tenant, s.deployment.ID, env.Key}
	c, release, err := r.launch(process, key, env, job{
		kind: "workflow", env: vars, cwd: orDefault(s.about.WorkDir, dir.Path), memory: r.cfg.Memory,
	}, out)
	if err != nil {
		return err
	}
	defer release()
	s.conn = c.conn
	if err := dir.Note(c.pid, req); err != nil {
		c.process(dir.Path).Stop(r.cfg.Grace, r.cfg.Logger, func() {})
		_ = c.conn.Close()
		return err
	}
	stopWatching := s.watchForCancel(endProcess)
	e := s.converse(process, c, dir.Path, out, endProcess, endAsked)
	stopWatching()
	if text, ok := s.budget.Report("workflow"); ok {
		s.log("warning", text)
	}
	return s.outcome(parent, e, out)
}

// errForced ends a workflow that must end at once.
var errForced = errors.New("the execution was cancelled by force")

// watchForCancel tells the workflow of a cancel, and ends it when that is
// forced. stop ends the watching and returns when it has ended.
func (s *conversation) watchForCancel(end context.CancelCauseFunc) (stop func()) {
	if s.extra == nil {
		return func() {}
	}
	asked, forced, killed := s.extra.Asked()
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-asked:
				asked = nil
				s.tell("cancel", map[string]any{"kill": isClosed(killed)})
			case <-forced:
				end(errForced)
				return
			case <-quit:
				return
			}
		}
	}()
	return func() { close(quit); <-done }
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// outcome is how the workflow ended.
func (s *conversation) outcome(parent context.Context, e ending, out *child.Output) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case parent.Err() != nil:
		return context.Cause(parent)
	case s.broken != nil:
		return s.broken
	case errors.Is(e.canceled, errForced):
		return graph.Cancelled{}
	case s.reported:
		return s.result
	}
	err := fmt.Errorf("workflow %s: %s", s.deployment.WorkflowID, vanishedText(e))
	if text := out.Text(); text != "" {
		return fmt.Errorf("%w; its last output:\n%s", err, text)
	}
	return err
}

// vanishedText tells of a workflow's process that ended without a word.
func vanishedText(e ending) string {
	switch {
	case e.lost:
		return "the Python worker of the deployment ended, and the workflow with it"
	case e.status < 0:
		return fmt.Sprintf("its process was ended by signal %d", -e.status)
	}
	return fmt.Sprintf("its process ended with status %d without telling how it went: it may have called os._exit or os.exec", e.status)
}
