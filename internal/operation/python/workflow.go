package python

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"windlass/internal/blueprint/plan"
	"windlass/internal/graph"
	"windlass/internal/operation"
	"windlass/internal/workflow"
)

// Surroundings is what a workflow.Host may offer in addition. A workflow whose
// host lacks it works, but knows less: no runtime properties, no resources, no
// REST API, and it hears of a cancel only between its graphs.
type Surroundings interface {
	// About tells for whom the workflow runs.
	About() About
	// Asked is closed when the execution is to be cancelled, and Forced when its
	// workflow is to be ended at once.
	Asked() (asked, forced <-chan struct{})
	// Event stores an event of the execution; eventType is such as workflow_stage.
	Event(eventType, message string)
	// Instance returns an instance as it is stored now.
	Instance(ctx context.Context, instanceID string) (operation.Instance, error)
	// UpdateInstance stores runtime properties read at the given version and
	// returns the new version. It gives operation.ErrConflict if they were
	// changed meanwhile.
	UpdateInstance(ctx context.Context, instanceID string, version int, runtime map[string]any) (int, error)
	// Resource returns a file of the deployment, the blueprint, or the shared
	// resources; operation.ErrNoResource if none has it.
	Resource(ctx context.Context, path string) ([]byte, error)
}

// About tells for whom a workflow runs.
type About struct {
	Tenant, ExecutionCreator                 string
	BlueprintID                              string
	DeploymentDisplayName, DeploymentCreator string
	ResourceTags                             map[string]any
	RuntimeOnlyEvaluation                    bool
	WaitAfterFail                            int // seconds
	WorkDir                                  string
	Token, RestURL                           string
	// Plugins are those that the deployment's workflows use; plugins of nodes
	// are found at the nodes.
	Plugins []plan.Plugin
}

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
	}
	if extra, ok := h.(Surroundings); ok {
		s.extra, s.about = extra, extra.About()
	}
	env, err := r.cfg.Environments.Environment(ctx, Query{
		Tenant: s.about.Tenant, DeploymentID: d.ID, BlueprintID: s.about.BlueprintID, Plugin: s.plugin(plugin),
	})
	if err != nil {
		return fmt.Errorf("workflow %s: %w", d.WorkflowID, err)
	}
	dir, err := r.newRunDir()
	if err != nil {
		return err
	}
	defer r.remove(dir)
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
func (s *conversation) run(parent context.Context, env Environment, dir *runDir) error {
	r := s.runner
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	s.ctx = ctx
	out, err := newOutput(filepath.Join(dir.path, outputFile), r.cfg.Output, func(m string) { s.log("debug", "<out> "+m) })
	if err != nil {
		return err
	}
	defer out.file.Close()
	if err := r.live.enter(s); err != nil {
		return err
	}
	defer r.live.leave(s)
	req := &operation.Request{WorkDir: s.about.WorkDir, RestURL: s.about.RestURL, ExecutionID: s.deployment.ExecutionID, Name: s.function}
	vars := variables(req, "", dir)
	delete(vars, "CTX_SOCKET_URL")
	key := workerKey{s.about.Tenant, s.deployment.ID, env.Key}
	c, release, err := r.launch(ctx, key, env, "workflow", vars, orDefault(s.about.WorkDir, dir.path), out)
	if err != nil {
		return err
	}
	defer release()
	s.conn = c.conn
	if err := dir.write(c.pid, r.boot, req); err != nil {
		r.stop(c, dir.path, func() {})
		_ = c.conn.Close()
		return err
	}
	stopWatching := s.watchForCancel(cancel)
	e := r.converse(ctx, c, dir.path, out, s)
	stopWatching()
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
	asked, forced := s.extra.Asked()
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-asked:
				asked = nil
				s.tell("cancel", map[string]any{"kill": false})
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

// outcome is how the workflow ended.
func (s *conversation) outcome(parent context.Context, e ending, out *output) error {
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
	err := vanished(e, out)
	if text := out.text(); text != "" {
		return fmt.Errorf("workflow %s: %w; its last output:\n%s", s.deployment.WorkflowID, err, text)
	}
	return fmt.Errorf("workflow %s: %w", s.deployment.WorkflowID, err)
}
